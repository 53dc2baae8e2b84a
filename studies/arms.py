"""Arms: all runs of one command that differ in the seed alone, in folders named by whatever decides their numbers."""

import contextlib
import hashlib
import inspect
import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from command_line.words import normalise, split
from studies.jobs import Job

STRATEGY = ("loss", "source")  # a second data set is part of the strategy that trains on it
NO_LOSS = "losses.none.NoAlignment"
NOT_OURS = ("torch", "abc", "builtins")
NOT_SETTINGS = (
    "model.axis",
    "data.init_args.axis",
    "seed_everything",
    "group",
    "online",
    "project",
    "trainer.default_root_dir",
)


@dataclass(frozen=True, kw_only=True)
class Arm:
    """One command of ``train.py fit``, to be run with several seeds.

    Attributes:
        argv: its flags without seed and run directory.
        path: folder of its runs, one a seed.
        epochs: length of a run.
        structural: its strategy has a control arm of its own, the same with weight 0.
    """

    argv: tuple[str, ...]
    path: Path
    epochs: int
    structural: bool

    def run_dir(self, seed: int) -> Path:
        return self.path / f"s{seed}"

    def jobs(self, seeds: Sequence[int]) -> list[Job]:
        """One run a seed."""
        return [
            Job(
                argv=[*self.argv, f"--seed_everything={seed}", f"--group={self.path.name}"],
                run_dir=self.run_dir(seed),
                epochs=self.epochs,
            )
            for seed in seeds
        ]


class Setting:
    """Everything but the strategy: axis and data made ready, and the folder that the arms of this setting share.

    The folder is named by data, axis, settings and source of the network, and an arm in it by settings and source of
    its strategy. So one baseline serves every strategy that is tried in the same setting, and a strategy whose file has
    changed gets runs of its own.

    Args:
        argv: flags of ``train.py fit``; those of a loss are left out.
        planted: let a simulated cohort draw its own axis; otherwise it is given that of the bundled language model.
        folder: where the arms go, in place of the named folder.
        root: where the named folder goes.
        per_run: devices a run.
        quiet: print nothing about data and axis.
    """

    def __init__(
        self,
        argv: list[str],
        *,
        planted: bool,
        folder: str | Path | None = None,
        root: str | Path = "runs",
        per_run: int = 1,
        quiet: bool = False,
    ) -> None:
        from vaxis.axis import Axis

        self.argv = split(argv, *STRATEGY)[0]
        self.arms: dict[tuple[str, ...], Arm] = {}
        cli = parsed([*self.argv, "--loss", NO_LOSS])
        own = cli.datamodule.spec.simulated and not hasattr(cli.datamodule, "simulation")
        given = cli.model.axis or getattr(cli.datamodule, "simulation", {}).get("axis")
        if not (given or planted or own):
            self.argv += _axis_of_a_language_model(cli.datamodule, quiet=quiet)
            cli = parsed([*self.argv, "--loss", NO_LOSS])
        if not quiet:
            print(f"\n2  The data: {type(cli.datamodule).__name__} in {cli.datamodule.root}")
        cli.datamodule.prepare_data()
        self.data, self.epochs = cli.datamodule, cli.trainer.max_epochs
        self.axis_path = cli.model.axis or self.data.axis_path
        codes = [_source(type(cli.model.network)), Axis.load(self.axis_path).fingerprint, per_run]
        name = f"{type(self.data).__name__}-{_digest(_settings(cli)[1], self.data.fingerprint, *codes)}"
        self.folder = Path(folder) if folder else Path(root) / name

    def arm(self, words: Sequence[str] = ()) -> Arm:
        """The arm of a strategy, given its flags; without any that of the settings files, or no strategy.

        Raises:
            ValueError: the flags are wrong.
        """
        if (key := tuple(words)) not in self.arms:
            self.arms[key] = self._arm(key)
        return self.arms[key]

    def _arm(self, words: Sequence[str]) -> Arm:
        from losses.base import AlignmentLoss

        argv = normalise([*self.argv, *words])
        cli = parsed(argv)
        loss, _ = _settings(cli)
        if getattr(cli.datamodule, "source", None):
            cli.datamodule.prepare_data()  # here and not by runs side by side
        parts = {type(part) for part in cli.model.loss.modules() if isinstance(part, AlignmentLoss)}
        plain = loss["loss"]["class_path"] == NO_LOSS
        name = "none" if plain else f"{cli.model.loss.name}-{_digest(loss, _source(*parts))}"
        structural = cli.model.loss.structural
        return Arm(argv=tuple(argv), path=self.folder / name, epochs=self.epochs, structural=structural)


def parsed(argv: list[str]):
    """What ``fit`` would use with these flags.

    Raises:
        ValueError: they are wrong; the message is one line.
    """
    from command_line.parser import explain, parse

    said = io.StringIO()
    try:
        with contextlib.redirect_stderr(said):
            return parse(normalise(argv))
    except SystemExit as stop:
        text = said.getvalue() if isinstance(stop.code, int) else str(stop.code)
    except (ValueError, OSError, RuntimeError) as error:
        text = explain(str(error))
    raise ValueError(text.strip().removeprefix("error: "))


def loss_words(argv: Sequence[str]) -> list[str]:
    """The flags of the strategy in a command."""
    return split(argv, *STRATEGY)[1]


def _axis_of_a_language_model(data, *, quiet: bool) -> list[str]:
    """Flags that name the axis of the bundled model, extracted now unless it has been before; prints it."""
    from vaxis.axis import Axis
    from vaxis.language.extraction import ensure_axis
    from vaxis.summary import summary

    if not quiet:
        print("1  The axis: nine sentences read by a language model")
    path = ensure_axis(llm="bundled", taxonomy=data.taxonomy.reference)
    if not quiet:
        print(summary(Axis.load(path)))
    return [f"--data.axis={path}" if hasattr(data, "simulation") else f"--model.axis={path}"]


def _settings(cli) -> tuple[dict, dict]:
    """Settings of the strategy, and those of everything else that a run's numbers depend on."""
    settings = json.loads(cli.parser.dump(cli.config, format="json", skip_none=False))
    loss = {name: settings.pop(name, None) for name in STRATEGY}
    for name in NOT_SETTINGS:
        *scopes, key = name.split(".")
        part = settings
        for scope in scopes:
            part = part.get(scope, {})
        part.pop(key, None)
    return loss, settings


def _source(*classes: type) -> list[str]:
    """Source of the project's files that define plug-ins and what they inherit from."""
    bases = {base for cls in classes for base in cls.__mro__ if base.__module__.split(".")[0] not in NOT_OURS}
    return [Path(file).read_text() for file in sorted({inspect.getsourcefile(base) for base in bases})]


def _digest(*parts: object) -> str:
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:6]
