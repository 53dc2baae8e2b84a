"""The controls of a verdict: the same loss with targets that are not the axis."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lightning_modules.control import RANDOM
from vaxis.axis import Axis

if TYPE_CHECKING:
    from lightning_modules.trying import Taught
    from studies.arms import Arm

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


def check_controls(controls: "Mapping[str, Arm]", *, treated: "Arm", taught: "Mapping[Path, Taught]") -> None:
    """Refuse an artifact as a control of a loss that reads nothing of it that differs from the axis.

    An axis of arousal differs from that of valence by its direction. A strategy that is taught by the texts or by the
    class centroids and not by positions on the axis (crd, clip_infonce, rkd with texts, prototype_kd) sees the same
    targets twice, and its control would be the loss itself.

    Args:
        controls: arms by the name of the control.
        treated: the arm of the loss.
        taught: constants of the arms that were tried.

    Raises:
        ValueError: names the loss, and what to do.
    """
    for name, arm in controls.items():
        if name == RANDOM or not {arm.path, treated.path} <= set(taught):
            continue
        ours, theirs = taught[treated.path], taught[arm.path]
        same = [part for part in ours if all(value.equal(theirs[part][key]) for key, value in ours[part].items())]
        if same or not ours:
            loss = " and ".join(same) or treated.settings.value("loss.class_path").split(".")[-2]
            raise ValueError(
                f"--controls {name} is no control for --loss {loss}, which reads no position on the axis: its targets "
                f"are the same with both; use --controls {RANDOM}"
            )


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
