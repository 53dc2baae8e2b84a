"""What a warm process imports; importing this file is all it does."""

import networks.axial_de  # noqa: F401
