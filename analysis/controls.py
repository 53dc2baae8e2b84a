"""Is it the axis? The same loss with a target that is not the axis, against the strategy, on the same seeds."""

from collections.abc import Sequence
from dataclasses import dataclass

from analysis.arms import accuracies, quietly_paired, same_seeds
from measures.outcome import Judged, judged
from measures.paired import Paired
from records.run import Run, check_comparable


@dataclass(frozen=True, kw_only=True)
class Control:
    """The strategy with another target in the place of the axis.

    Attributes:
        name: of the target, such as ``random`` or ``arousal``.
        accuracy: test balanced accuracy of its runs, in seed order.
        against: the strategy minus the control: what the axis adds to the loss.
        judged: whether that is more than noise.
        change: the control minus the baseline: what the loss does without the axis.
        change_judged: whether that is more than noise.
    """

    name: str
    accuracy: tuple[float, ...]
    against: Paired
    judged: Judged
    change: Paired
    change_judged: Judged


def control(
    name: str,
    runs: Sequence[Run],
    *,
    baseline: Sequence[Run],
    treated: Sequence[Run],
    margin: float,
    looks: tuple[int, ...] | None,
) -> Control:
    """Compare a control with both arms.

    Args:
        name: of its target.
        runs: of the control, in seed order.
        baseline: runs without the strategy.
        treated: runs with the axis.
        margin: largest difference that is of no consequence.
        looks: numbers of pairs at which one planned to look.

    Raises:
        ValueError: it has other seeds, another loss or weight, or runs that are not comparable.
    """
    same_seeds(runs, treated, names=(f"control {name}", "treated"))
    ours, theirs = ((arm[0].loss, arm[0].weight) for arm in (treated, runs))
    if ours != theirs:
        raise ValueError(
            f"control {name} runs {theirs[0]} at weight {theirs[1]:g}, the treated arm {ours[0]} at {ours[1]:g}; a "
            "control is the same loss with another target"
        )
    check_comparable([*treated, *runs])
    against = quietly_paired(accuracies(runs), accuracies(treated))
    change = quietly_paired(accuracies(baseline), accuracies(runs))
    return Control(
        name=name,
        accuracy=accuracies(runs),
        against=against,
        judged=judged(against, margin=margin, looks=looks),
        change=change,
        change_judged=judged(change, margin=margin, looks=looks),
    )
