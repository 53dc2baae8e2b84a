"""What a control run is aligned with in the place of the axis: does the loss help because of it?"""

from torch import nn

from vaxis.axis import Axis
from vaxis.targets import Targets

RANDOM = "random"


def axis_of(control: str | None) -> Axis | None:
    """The artifact that ``--model.control FILE`` names; None for random targets, and where there is no control."""
    return None if control in (None, RANDOM) else Axis.load(control)


def name_of(control: str | None, axis: Axis | None) -> str | None:
    """How ``result.json`` tells one control from another: by content, wherever the file lies."""
    return control if axis is None else f"{axis.provenance.get('quality', 'axis')} {axis.fingerprint}"


def controlled(
    control: str, *, axis: Axis | None, targets: Targets, source: Targets | None, seed: int
) -> tuple[Targets, Targets | None]:
    """What the loss is given in the place of the targets, and of those of the second data set.

    Args:
        control: ``random`` or the path of an artifact.
        axis: that artifact.
        targets: positions on the axis of the run.
        source: those of the second data set.
        seed: of the run: an order that happens to suit one seed does not suit the next.

    Raises:
        ValueError: the artifact is of other stimuli, or says nothing of the second data set.
    """
    if axis is None:
        return targets.permuted(seed=seed), source and source.permuted(seed=seed)
    found = Targets.from_axis(axis)
    if found.class_of.tolist() != targets.class_of.tolist():
        raise ValueError(f"--model.control {control} is not of the stimuli of the data; extract it for that taxonomy")
    if source is not None:
        raise ValueError(
            f"--model.control {control} has no positions for the second data set of this loss; use --model.control "
            f"{RANDOM}"
        )
    return found, None


def check_controllable(loss: nn.Module) -> None:
    """Refuse a strategy that would still be taught by real axes.

    Raises:
        ValueError: it reads further artifacts itself.
    """
    if any(getattr(part, "axes", ()) for part in loss.modules()):
        raise ValueError(
            "a control replaces the axis of the run alone, and this loss reads further ones (--loss.axes); leave out "
            "either, controls with --controls none"
        )
