"""Arms: all runs of one configuration that differ in the seed alone, in folders named by what decides their numbers."""

import inspect
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from command_line.settings import RunSettings, digest
from studies.jobs import Job

NOT_OURS = ("torch", "abc", "builtins")


@dataclass(frozen=True, kw_only=True)
class Arm:
    """One configuration, to be run with several seeds.

    Attributes:
        settings: of its runs, without seed and run directory.
        path: folder of its runs, one a seed.
        structural: its strategy has a control arm of its own, the same with weight 0.
    """

    settings: RunSettings
    path: Path
    structural: bool

    def run_dir(self, seed: int) -> Path:
        return self.path / f"s{seed}"

    def jobs(self, seeds: Sequence[int]) -> list[Job]:
        """One run a seed."""
        grouped = self.settings.with_value("group", self.path.name)
        return [Job(settings=grouped.with_seed(seed), run_dir=self.run_dir(seed)) for seed in seeds]


@dataclass(frozen=True, kw_only=True)
class Conditions:
    """Everything but the strategy, made ready by ``prepare``, and the folder that all arms under it share.

    The folder is named by data, axis, settings and source of the network, and an arm in it by settings and source of
    its strategy. So one baseline serves every strategy that is tried under the same conditions, and a strategy whose
    file has changed gets runs of its own.

    Attributes:
        settings: of a run without a strategy.
        data: the data module, its files prepared.
        axis_path: the axis that runs are trained and measured with.
        folder: where the arms go.
    """

    settings: RunSettings
    data: Any
    axis_path: Path
    folder: Path

    def arm(self, run: RunSettings | None = None) -> Arm:
        """The arm of the strategy of a run; without one the baseline. Files of its second data set are prepared.

        Raises:
            ValueError: the strategy refuses its arguments or the data.
        """
        from command_line.reader import instantiate
        from losses.base import AlignmentLoss

        settings = self.settings.with_strategy(run or self.settings)
        data, model, _ = instantiate(settings)
        if getattr(data, "source", None):
            data.prepare_data()  # here and not by runs side by side
        parts = {type(part) for part in model.loss.modules() if isinstance(part, AlignmentLoss)}
        name = "none" if settings.plain else f"{model.loss.name}-{digest(settings.strategy, _source(*parts))}"
        return Arm(settings=settings, path=self.folder / name, structural=model.loss.structural)


def prepare(
    run: RunSettings,
    *,
    planted: bool,
    folder: str | Path | None = None,
    root: str | Path = "runs",
    per_run: int = 1,
    quiet: bool = False,
) -> Conditions:
    """Make axis and data ready for arms that differ in the strategy alone.

    Args:
        run: settings of any of them; its strategy is left out.
        planted: let a simulated cohort draw its own axis; otherwise it is given that of the bundled language model.
        folder: where the arms go, in place of the named folder.
        root: where the named folder goes.
        per_run: devices a run.
        quiet: print nothing about data and axis.
    """
    from command_line.reader import instantiate
    from vaxis.axis import Axis

    settings = run.with_loss()
    data, model, _ = instantiate(settings)
    own = data.spec.simulated and not hasattr(data, "simulation")  # a cohort on disk was drawn from the axis beside it
    given = model.axis or getattr(data, "simulation", {}).get("axis")
    if not (given or planted or own):
        settings = settings.with_axis(_axis_of_a_language_model(data, quiet=quiet))
        data, model, _ = instantiate(settings)
    if not quiet:
        print(f"\n2  The data: {type(data).__name__} in {data.root}")
    data.prepare_data()
    axis_path = Path(model.axis or data.axis_path)
    codes = [_source(type(model.network)), Axis.load(axis_path).fingerprint, per_run]
    name = f"{type(data).__name__}-{digest(settings.rest, data.fingerprint, *codes)}"
    return Conditions(
        settings=settings, data=data, axis_path=axis_path, folder=Path(folder) if folder else Path(root) / name
    )


def _axis_of_a_language_model(data: Any, *, quiet: bool) -> Path:
    """The axis of the bundled model, extracted now unless it has been before; prints it."""
    from vaxis.axis import Axis
    from vaxis.language.extraction import ensure_axis
    from vaxis.summary import summary

    if not quiet:
        print("1  The axis: nine sentences read by a language model")
    path = ensure_axis(llm="bundled", taxonomy=data.taxonomy.reference)
    if not quiet:
        print(summary(Axis.load(path)))
    return path


def _source(*classes: type) -> list[str]:
    """Source of the project's files that define plug-ins and what they inherit from."""
    bases = {base for cls in classes for base in cls.__mro__ if base.__module__.split(".")[0] not in NOT_OURS}
    return [Path(file).read_text() for file in sorted({inspect.getsourcefile(base) or "" for base in bases})]
