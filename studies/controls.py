"""The controls of a verdict: the same loss with targets that are not the axis."""

from pathlib import Path
from typing import Any

from lightning_modules.control import RANDOM
from vaxis.axis import Axis

AROUSAL = "arousal"


def control_target(name: str, *, axis: Axis) -> str:
    """What ``--model.control`` takes for a control of ``--controls``: ``random``, or an artifact, made where missing.

    Args:
        name: ``random``, ``arousal`` or the path of an artifact.
        axis: of the study; arousal is read from the same model in the same way.

    Raises:
        ValueError: there is no such control, or none for this axis.
        FileNotFoundError: no artifact there.
    """
    if name == RANDOM:
        return RANDOM
    if name == AROUSAL:
        return str(_arousal(axis))
    if not name.endswith(".npz"):
        raise ValueError(
            f"--controls {name}: choose from {RANDOM}, {AROUSAL}, none, or name the file of an axis (.npz); several "
            "are separated by commas"
        )
    if not Path(name).is_file():
        raise FileNotFoundError(f"--controls: no file {name}; make one with: python -m vaxis extract --out {name}")
    return name


def check_random(axis: Axis, *, positions: str | None, seeds: tuple[int, ...]) -> None:
    """Draw the random targets of every seed now: a taxonomy that has none is told before the first run.

    Raises:
        ValueError: some seed finds no order that is unrelated to the axis.
    """
    from vaxis.targets import Targets

    targets = Targets.from_axis(axis, source=positions)
    try:
        for seed in seeds:
            targets.permuted(seed=seed)
    except ValueError as error:
        raise ValueError(f"{error}; leave them out with --controls none") from error


def _arousal(axis: Axis) -> Path:
    from vaxis.language.extraction import ensure_axis

    asked: dict[str, Any] | None = axis.provenance.get("request")
    if not asked:
        raise ValueError(
            f"--controls {AROUSAL} needs an axis that a language model read; this one was planted or drawn: use "
            f"--controls {RANDOM}"
        )
    layer = int(asked["layer"]) if asked["layer"].isdigit() else asked["layer"]
    taxonomy = axis.classes.reference
    return ensure_axis(llm=asked["llm"], taxonomy=taxonomy, readout=asked["readout"], layer=layer, quality=AROUSAL)
