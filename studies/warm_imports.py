"""What a warm process imports; importing this file is all it does."""

import networks.global_context_de  # noqa: F401
