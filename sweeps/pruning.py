"""Pruners by name, and one that knows what an alignment loss can do that the labels have not done already."""

import math

import optuna
from optuna.trial import FrozenTrial, TrialState

PRUNERS = ("none", "median", "hyperband", "saturation", "saturation_share")
BLIND = 1e-4  # of the task's gradient; losses that reach the features have a hundredth of it and more, others 1e-7


class SaturationPruner(optuna.pruners.BasePruner):
    """Stops a trial whose loss cannot leave the basin that the labels alone reach.

    It takes up a conjecture of arXiv 2606.00129 v1, whose evidence the revision withdraws (docs/contradictions.md):
    class means follow the axis from the first epochs on, whatever the loss, so class-PC1 |r| saturates. What a loss can
    add is a gradient outside the span of the class means. Its push is weight * |g_alignment| * sqrt(1 - share in the
    span) / |g_task|, with everything from the training log, so schedules of the weight count; a push that the log
    cannot tell stops nothing. After ``after`` epochs a trial is stopped when class-PC1 |r| is saturated (above
    ``saturated`` and its null), the mean push of these epochs is below ``least_push``, and its objective is not above
    that of all earlier trials at that epoch. The within-class residual |r| is not asked: in early epochs it crosses its
    null by chance, and where the push is idle it is not the loss that moved it (``keep_residual`` asks all the same).
    What it saves and loses: docs/pruning.md.

    With ``by_share`` the push is replaced by the plain reading of the theory: stop when the share of the loss's
    gradient inside the span, beyond chance, is more than a half. It takes a strong loss, whose push outside the span
    is large all the same, for an idle one.

    Args:
        after: epochs to watch.
        least_push: of the task's gradient.
        saturated: class-PC1 |r| from which it counts as saturated.
        by_share: see above.
        keep_residual: never stop a trial whose within-class residual |r| is above its null.
    """

    def __init__(
        self, *, after: int = 3, least_push: float = 0.05, saturated: float = 0.9, by_share: bool = False,
        keep_residual: bool = False,
    ) -> None:  # fmt: skip
        self.after, self.least_push, self.saturated = after, least_push, saturated
        self.by_share, self.keep_residual = by_share, keep_residual

    def prune(self, study: optuna.Study, trial: FrozenTrial) -> bool:
        noted = (trial.user_attrs.get(f"epoch {number}") for number in range(self.after))
        epochs: list[dict[str, float]] = [epoch for epoch in noted if epoch is not None]
        if trial.last_step != self.after - 1 or len(epochs) < self.after:
            return False
        last = epochs[-1]
        if not last["val/class_pc1_r"] > max(self.saturated, last["val/class_pc1_r_null95"]):
            return False
        if self.keep_residual and last["val/within_class_r"] > last["val/within_class_r_null95"]:
            return False
        if self.by_share:
            idle = _mean([share_beyond_chance(epoch) for epoch in epochs]) > 0.5
        else:
            idle = _mean([push(epoch) for epoch in epochs]) < self.least_push
        return idle and not self._leads(study, trial)

    def _leads(self, study: optuna.Study, trial: FrozenTrial) -> bool:
        step = trial.last_step
        assert step is not None  # prune has compared it
        earlier = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE, TrialState.PRUNED))
        values = [t.intermediate_values[step] for t in earlier if step in t.intermediate_values]
        return bool(values) and trial.intermediate_values[step] > max(values)


def push(epoch: dict[str, float]) -> float:
    """Gradient of the loss outside the span of the class means over that of the task; NaN where the log cannot say.

    It cannot where the loss leaves the pooled features alone (``faa`` compares tokens) and where the total is not the
    task plus a positive multiple of the loss (``uncertainty``, ``distance_ce`` in mode replace, a negative weight). A
    loss that takes the place of the task's at nearly the same value is not recognised.
    """
    try:
        weight = (epoch["train/total"] - epoch["train/task"]) / epoch["train/alignment"]
        relative = epoch["grad/alignment_norm"] / epoch["grad/task_norm"]
        outside = math.sqrt(max(0.0, 1.0 - epoch["grad/alignment_feature_share"]))
    except (KeyError, ZeroDivisionError):
        return math.nan
    return math.nan if weight < 0 or relative < BLIND else weight * relative * outside


def share_beyond_chance(epoch: dict[str, float]) -> float:
    """0 where the class means carry as much of the gradient as of a random direction, 1 where they carry all."""
    share, chance = (epoch.get(f"grad/alignment_feature_{name}", math.nan) for name in ("share", "chance"))
    return (share - chance) / (1 - chance)


def build(name: str, *, epochs: int, seeds: int) -> optuna.pruners.BasePruner:
    """The pruner of a search.

    Args:
        name: one of ``PRUNERS``.
        epochs: length of a run; the first seed is watched epoch by epoch, later ones as wholes.
        seeds: how many.
    """
    if name == "none":
        return optuna.pruners.NopPruner()
    if name == "median":
        return optuna.pruners.MedianPruner(n_startup_trials=5, n_warmup_steps=max(1, epochs // 4))
    if name == "hyperband":
        return optuna.pruners.HyperbandPruner(min_resource=max(1, epochs // 9), max_resource=epochs * seeds)
    if name in PRUNERS:
        return SaturationPruner(after=max(2, epochs // 4), by_share=name == "saturation_share")
    raise ValueError(f"--pruner {name}: choose from {', '.join(PRUNERS)}")


def _mean(values: list[float]) -> float:
    return sum(values) / len(values)
