"""torchmetrics without what only its text, sound and picture parts use: half of what a run imports.

``import lightning`` imports torchmetrics whole, and that one transformers, scipy.signal and matplotlib.pyplot, where
they are installed. A run uses a confusion matrix of it. Whoever imports the three himself gets them as ever; in
torchmetrics ``metric.plot()``, BERTScore, InfoLM and CLIP scores say that a package is not there.
"""

import re
import sys
from unittest.mock import patch

NOT_NEEDED = ("transformers", "scipy", "matplotlib")


def import_torchmetrics() -> None:
    """Import it now, without those packages, unless somebody has imported it already."""
    if "torchmetrics" in sys.modules:
        return
    from lightning_utilities.core import imports

    whole, there = imports.RequirementCache, imports.package_available

    class Lean(whole):  # type: ignore[valid-type, misc]  # the class that torchmetrics finds while it is imported
        def __bool__(self) -> bool:
            return _needed(self.requirement or "") and super().__bool__()

    def package_available(package_name: str) -> bool:
        return _needed(package_name) and there(package_name)

    with patch.object(imports, "RequirementCache", Lean), patch.object(imports, "package_available", package_available):
        import torchmetrics  # noqa: F401


def _needed(requirement: str) -> bool:
    return re.split(r"[<>=! ]", requirement)[0] not in NOT_NEEDED
