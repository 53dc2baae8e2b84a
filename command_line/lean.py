"""torchmetrics without what only its text, sound and picture parts use: half of what a run imports.

``import lightning`` imports torchmetrics whole, and that one transformers, scipy.signal and matplotlib.pyplot, where
they are installed. A run uses a confusion matrix of it. Whoever imports the three himself gets them as ever; in
torchmetrics ``metric.plot()``, BERTScore, InfoLM and CLIP scores say that a package is not there.
"""

import gc
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from unittest.mock import patch

NOT_NEEDED = ("transformers", "scipy", "matplotlib")


@contextmanager
def kept() -> Iterator[None]:
    """Imports within stay: they are not looked through for garbage, now, later or when the process ends.

    That took two of the five seconds of a process that imports and ends.
    """
    asked = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        if asked:
            gc.enable()


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
