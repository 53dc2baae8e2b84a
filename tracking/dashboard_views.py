"""The four W&B workspaces: which runs each shows, how they are grouped, and its panels."""

from collections.abc import Sequence
from typing import Any

import wandb_workspaces.reports.v2 as wr
import wandb_workspaces.workspaces as ws

from measures import names

STEP = "trainer/global_step"
WITH_CHANCE = ("val/balanced_accuracy", "val/chance")
ACCURACY, CLASS_R, RESIDUAL_R = (
    f"final/val/{row.logged}" for row in (names.ACCURACY, names.CLASS_PC1, names.WITHIN_CLASS)
)
PICTURES = ("test/confusion", "test/leading_direction", "test/scalp")


def saturation(entity: str, project: str) -> ws.Workspace:
    """Is there anything left to gain? Accuracy against what of the axis the decoder has without being told."""
    sections = [
        _section(
            "Accuracy against alignment, at the epoch that validation chose",
            _scatter("Accuracy against class PC1", x=CLASS_R, y=ACCURACY),
            _scatter("Accuracy against the within-class residual", x=RESIDUAL_R, y=ACCURACY),
            _scatter("Residual against its null (95 %)", x=f"{RESIDUAL_R}_null95", y=RESIDUAL_R),
        ),
        _section(
            "Where the gradients point",
            _scatter("Accuracy against the task's share", x="final/grad/task_feature_share", y=ACCURACY),
            _scatter("Accuracy against the alignment's share", x="final/grad/alignment_feature_share", y=ACCURACY),
            *(_share(source, space) for source in ("task", "alignment") for space in ("feature", "sample")),
        ),
        _section("Along training", *map(_curve, names.with_null())),
    ]
    return _workspace(entity, project, "Saturation", sections, kinds=("train", "trial"), groups=("dataset", "strategy"))


def interventions(entity: str, project: str) -> ws.Workspace:
    """What each strategy changed on paired seeds: runs of ``tracking.comparison``, one a strategy."""
    bars = {
        "Change of test balanced accuracy": ("comparison/change",),
        "95 % interval": ("comparison/low", "comparison/high"),
        "Accuracy without and with": ("comparison/base", "comparison/with", "comparison/chance"),
        "p: t test, sign flip": ("comparison/p", "comparison/p_sign_flip"),
        "Smallest change that the seeds resolve": ("comparison/smallest_resolvable",),
    }
    panels = [wr.BarPlot(title=title, metrics=list(names), max_bars_to_show=40) for title, names in bars.items()]
    sections = [
        _section("Paired differences", *panels),
        _section("Pictures", wr.MediaBrowser(title="Forest and verdict", media_keys=["comparison/picture"])),
    ]
    return _workspace(entity, project, "Interventions", sections, kinds=("comparison",))


def sweep(entity: str, project: str, *, parameters: Sequence[str] = ("loss_weight",)) -> ws.Workspace:
    """What a search found: runs of trials, the pruned ones with the last epoch they reached."""
    objective, residual = f"val/{names.ACCURACY.logged}", f"val/{names.WITHIN_CLASS.logged}"
    columns: list[wr.Config | wr.SummaryMetric] = [wr.Config(name) for name in ("strategy", *parameters)]
    columns += [wr.SummaryMetric(residual), wr.SummaryMetric(objective)]
    sections = [
        _section(
            "Parameters",
            wr.ParallelCoordinatesPlot(
                title="Parallel coordinates", columns=[wr.ParallelCoordinatesPlotColumn(metric=c) for c in columns]
            ),
            wr.ParameterImportancePlot(with_respect_to=objective),
            *(wr.ScatterPlot(title=name, x=wr.Config(name), y=wr.SummaryMetric(objective)) for name in parameters),
        ),
        _section(
            "Trials",
            wr.LinePlot(title="Every trial", x="epoch", y=list(WITH_CHANCE)),
            _scatter("Accuracy against the residual", x=residual, y=objective),
        ),
    ]
    return _workspace(entity, project, "Sweep", sections, kinds=("trial",))  # grouped, trials would be averaged


def one_run(entity: str, project: str) -> ws.Workspace:
    """Everything that a run logs, measures beside their null or chance."""
    losses = wr.LinePlot(title="Losses", x=STEP, y=["train/task", "train/total", "train/alignment"])
    others = [f"val/{row.logged}" for row in names.known().values() if not (row.null or row is names.ACCURACY)]
    scores = wr.LinePlot(title="Scores", x="epoch", y=[*WITH_CHANCE, *others])
    sections = [
        _section("Training", losses, scores),
        _section("Alignment", *map(_curve, names.with_null())),
        _section(
            "Gradients", *(_share(source, space) for source in ("task", "alignment") for space in ("feature", "sample"))
        ),
        _section(
            "Test",
            wr.BarPlot(title="Accuracy and chance", metrics=["final/test/balanced_accuracy", "final/test/chance"]),
            *(wr.MediaBrowser(title=key, media_keys=[key]) for key in PICTURES),
            wr.WeavePanelSummaryTable(table_name="test/recall"),
            wr.WeavePanelSummaryTable(table_name="test/predictions"),
        ),
    ]
    return _workspace(entity, project, "Run", sections, kinds=("train", "trial"))


def _curve(row: names.MeasureName) -> wr.LinePlot:
    name = row.logged
    return wr.LinePlot(title=f"{name} and 95 % of its null", x="epoch", y=[f"val/{name}", f"val/{name}_null95"])


def _share(source: str, space: str) -> wr.LinePlot:
    names: list[Any] = [f"grad/{source}_{space}_{what}" for what in ("share", "chance")]
    return wr.LinePlot(title=f"Gradient of the {source} loss in the class means, {space} space", x=STEP, y=names)


def _scatter(title: str, *, x: str, y: str) -> wr.ScatterPlot:
    return wr.ScatterPlot(title=title, x=wr.SummaryMetric(x), y=wr.SummaryMetric(y))


def _section(name: str, *panels: Any) -> ws.Section:
    return ws.Section(name=name, panels=list(panels), is_open=True)


def _workspace(
    entity: str,
    project: str,
    name: str,
    sections: list[ws.Section],
    *,
    kinds: Sequence[str],
    groups: Sequence[str] = (),
) -> ws.Workspace:
    runs = ws.RunsetSettings(
        filters=[ws.Config("kind").isin(list(kinds))], groupby=[ws.Config(group) for group in groups]
    )
    settings = ws.WorkspaceSettings(max_runs=200)
    return ws.Workspace(
        entity=entity, project=project, name=name, sections=sections, runset_settings=runs, settings=settings
    )
