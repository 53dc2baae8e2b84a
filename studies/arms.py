"""Arms: all runs of one configuration that differ in the seed alone, in folders named by what decides their numbers."""

import inspect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
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
        codes: what its name follows from, beside the settings.
        named: the user chose the folder.
    """

    settings: RunSettings
    data: Any
    axis_path: Path
    folder: Path
    codes: tuple[Any, ...] = ()
    named: bool = False

    def arm(self, run: RunSettings | None = None, *, control: str | None = None) -> Arm:
        """The arm of the strategy of a run; without one the baseline. Files of its second data set are prepared.

        Args:
            run: has the strategy.
            control: what the strategy is given in the place of the axis, as ``--model.control`` takes it.

        Raises:
            ValueError: the strategy refuses its arguments, the data or the control.
        """
        from command_line.reader import instantiate
        from lightning_modules.control import axis_of
        from losses.base import AlignmentLoss

        settings = self.settings.with_strategy(run or self.settings)
        settings = settings.with_value("model.control", control) if control else settings
        data, model, _ = instantiate(settings)
        if getattr(data, "source", None):
            data.prepare_data()  # here and not by runs side by side
        parts = {type(part) for part in model.loss.modules() if isinstance(part, AlignmentLoss)}
        codes = [settings.strategy, _source(*parts)]
        if control:
            artifact = axis_of(control)
            codes.append(artifact.fingerprint if artifact else control)
        name = "none" if settings.plain else f"{model.loss.name}-{digest(*codes)}"
        # In front, so that the name of a loss finds its own runs and not those of its controls.
        name = f"control-{name}" if control else name
        return Arm(settings=settings, path=self.folder / name, structural=model.loss.structural)

    def varied(self, name: str, changes: Mapping[str, Any]) -> "Conditions":
        """The same with other settings of training or split: other runs, in a folder of their own.

        Args:
            name: of the folder, within one that the user chose.
            changes: values by their place in the settings; none that the preprocessed data depend on.
        """
        settings = self.settings
        for path, value in changes.items():
            settings = settings.with_value(path, value)
        kind = type(self.data).__name__
        folder = self.folder / name if self.named else self.folder.parent / _name(kind, settings, self.codes)
        return replace(self, settings=settings, folder=folder)

    def moved(self, arm: Arm) -> Arm:
        """An arm of other conditions under these; nothing is instantiated again."""
        settings = self.settings.with_strategy(arm.settings)
        settings = settings.with_value("model.control", arm.settings.value("model.control"))
        return replace(arm, settings=settings, path=self.folder / arm.path.name)


def prepare(
    run: RunSettings,
    *,
    planted: bool,
    folder: str | Path | None = None,
    root: str | Path = "runs",
    per_run: int = 1,
    quiet: bool = False,
    verbose: bool = False,
) -> Conditions:
    """Make axis and data ready for arms that differ in the strategy alone.

    Args:
        run: settings of any of them; its strategy is left out.
        planted: let a simulated cohort draw its own axis; otherwise it is given that of the bundled language model.
        folder: where the arms go, in place of the named folder.
        root: where the named folder goes.
        per_run: devices a run.
        quiet: print nothing about data and axis.
        verbose: print the whole axis although it has been there before.
    """
    from command_line.reader import instantiate
    from vaxis.axis import Axis

    settings = run.with_loss()
    data, model, _ = instantiate(settings)
    own = data.spec.simulated and not hasattr(data, "simulation")  # a cohort on disk was drawn from the axis beside it
    files = getattr(data, "root", None)
    if files and not hasattr(data, "simulation") and not Path(files).exists():
        data.prepare_data()  # says what is wrong with a mistyped folder before a language model reads for a minute
    given = model.axis or getattr(data, "simulation", {}).get("axis")
    if not (given or planted or own):
        settings = settings.with_axis(_axis_of_a_language_model(data, quiet=quiet, verbose=verbose))
        data, model, _ = instantiate(settings)
    elif model.axis and not quiet:
        print(f"1  The axis: {model.axis}")
    if not quiet:
        print(f"\n2  The data: {type(data).__name__} in {data.root}")
    data.prepare_data()
    axis_path = Path(model.axis or data.axis_path)
    codes = (data.fingerprint, _source(type(model.network)), Axis.load(axis_path).fingerprint, per_run)
    return Conditions(
        settings=settings,
        data=data,
        axis_path=axis_path,
        folder=Path(folder) if folder else Path(root) / _name(type(data).__name__, settings, codes),
        codes=codes,
        named=folder is not None,
    )


def _name(data: str, settings: RunSettings, codes: Sequence[Any]) -> str:
    """Of a folder, by all that the numbers in it depend on but the strategies."""
    return f"{data}-{digest(settings.rest, *codes)}"


def _axis_of_a_language_model(data: Any, *, quiet: bool, verbose: bool) -> Path:
    """The axis of the bundled model, extracted now unless it has been before; printed whole where it is new."""
    from vaxis.axis import Axis
    from vaxis.language.extraction import default_path, ensure_axis
    from vaxis.summary import summary

    if quiet:
        return ensure_axis(llm="bundled", taxonomy=data.taxonomy.reference)
    print("1  The axis: a sentence an emotion, read by a language model", flush=True)
    known = default_path(llm="bundled", taxonomy=data.taxonomy.reference)
    before = known.stat().st_mtime_ns if known.is_file() else None
    path = ensure_axis(llm="bundled", taxonomy=data.taxonomy.reference)
    axis = Axis.load(path)
    if verbose or path.stat().st_mtime_ns != before:
        print(summary(axis))
    else:
        told = f"{axis.fingerprint} of {axis.provenance.get('model')}, separation {axis.separation:+.2f}"
        print(f"   {told}, made before (-v shows it): {path}")
    return path


def _source(*classes: type) -> list[str]:
    """Source of the project's files that define plug-ins and what they inherit from."""
    bases = {base for cls in classes for base in cls.__mro__ if base.__module__.split(".")[0] not in NOT_OURS}
    files = sorted({inspect.getsourcefile(base) or "" for base in bases})
    return [Path(file).read_text(encoding="utf-8") for file in files]
