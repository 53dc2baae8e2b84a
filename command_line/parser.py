"""LightningCLI at the edge: flags from typed constructors, one run directory a run, resume without being asked."""

import importlib
import logging
import sys
import tempfile
import warnings
from pathlib import Path
from typing import Any, cast

from jsonargparse import Namespace, _typehints
from lightning.fabric.utilities.exceptions import MisconfigurationException
from lightning.pytorch.cli import LightningArgumentParser, LightningCLI
from lightning.pytorch.loggers import CSVLogger
from lightning.pytorch.utilities.rank_zero import rank_zero_only

from callbacks.trial_report import TrialReport
from callbacks.view import callbacks_of
from command_line.catalogue import broken, class_path, plugins
from command_line.cluster import environments
from command_line.config_files import check_config_files
from command_line.defaults import CHECKPOINT_DEFAULTS, TRAINER_DEFAULTS
from command_line.explain import explain
from command_line.help import fit_help
from command_line.joining import joined
from command_line.limits import check_trainer, refused
from command_line.nulls import check_nulls
from command_line.ready import ReadyCLI
from command_line.saved_config import SavedConfig, plain
from command_line.stopping import said_when_stopped
from datamodules.base import EEGDataModule
from lightning_modules.checkpointing import AtomicCheckpointIO, RunCheckpoint, resumable
from lightning_modules.contents import read
from lightning_modules.decoder import Decoder
from lightning_modules.lean_hooks import lean
from lightning_modules.reopening import check_same_decoder, normalise_as_trained, restore
from losses.base import AlignmentLoss
from networks.base import Network
from records import heard
from records.lock import lock
from tracking.loggers import logger_configs


def _start_from_own_defaults(parser_or_action, before, value) -> None:
    """Forget the arguments of a class when another is chosen.

    jsonargparse keeps those of the same name, so ``--network emod`` would inherit ``depth`` from the default network
    and ``--loss rsa`` the weight of the loss in a settings file, silently.
    """
    if before and "init_args" in before and before["class_path"] != value["class_path"]:
        before["init_args"] = Namespace()


_typehints.discard_init_args_on_class_path_change = _start_from_own_defaults  # jsonargparse is pinned; a test watches


class Parser(LightningArgumentParser):
    """Short errors for a wrong name and a wrong argument, and a help that fits the terminal."""

    def format_help(self, formatter: Any = None) -> str:
        return fit_help(super().format_help(formatter))

    def error(self, message, ex=None):
        if not self.exit_on_error:
            return super().error(message, ex)
        self.exit(2, f"error: {explain(message)}\n")


class DecoderCLI(ReadyCLI):
    """``--loss``, ``--network`` and ``--data`` at the top level; every file in ``callbacks/`` with flags of its own."""

    settings: dict[str, Any] | None = None  # resolved, of a fit; its checkpoints keep them

    @staticmethod
    def subcommands() -> dict[str, set[str]]:
        """The one that the command names: a parser of each costs a tenth of a second of every run."""
        every = LightningCLI.subcommands()
        return {name: every[name] for name in every if name in sys.argv[1:2]} or every

    def add_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        parser.add_subclass_arguments(AlignmentLoss, "loss", help="alignment strategy (a file in losses/)")
        parser.add_subclass_arguments(Network, "network", help="encoder (a file in networks/)")
        parser.add_subclass_arguments(
            EEGDataModule, "source", required=False, help="second data set, for strategies that train on one"
        )
        parser.add_argument(
            "--online", action="store_true", help="log to the W&B server when a key and a network are there"
        )
        parser.add_argument("--project", default="vaxis-align", help="W&B project")
        parser.add_argument("--group", type=str | None, default=None, help="W&B group; by default the loss")
        parser.add_lightning_class_args(RunCheckpoint, "checkpoint")
        for problem in broken("callback").values():
            rank_zero_only(print)(f"left out: {problem}", file=sys.stderr, flush=True)
        for plugin in plugins("callback"):
            module, name = plugin.class_path.rsplit(".", 1)
            parser.add_lightning_class_args(getattr(importlib.import_module(module), name), plugin.name)
        parser.set_defaults(
            {
                "loss": {"class_path": class_path("loss", "none")},
                "network": {"class_path": class_path("network", "global_context_de")},
                "data": {"class_path": class_path("data", "SimulatedFACED")},
                **{f"checkpoint.{key}": value for key, value in CHECKPOINT_DEFAULTS.items()},
            }
        )
        parser.link_arguments("loss", "model.loss", apply_on="instantiate")
        parser.link_arguments("network", "model.network", apply_on="instantiate")

    def _parse_ckpt_path(self) -> None:
        """Lightning reads ``--ckpt_path`` here for hyper-parameters, which ours lack; who needs it reads it checked."""

    def _dump_config(self) -> None:
        """What Lightning hands to the modules as their arguments, and ``before_fit`` to the loggers."""
        if not hasattr(self, "config_dump"):
            found = plain(self.parser, self.config, skip_link_targets=False)
            self.config_dump = found[self.config.subcommand] if "subcommand" in self.config else found

    def before_instantiate_classes(self) -> None:
        if self.subcommand is None:
            self.config.trainer.logger = False  # only parsed: nothing is to be logged
            return
        config = self.config[self.subcommand]
        check_trainer(config.trainer)
        check_nulls(config)
        if config.trainer.benchmark is None and not config.trainer.deterministic:
            config.trainer.benchmark = True  # cuDNN then takes its fastest algorithm, which differs from run to run
        if self.subcommand != "fit":
            if config.ckpt_path is None:  # an untrained network has no score
                raise ValueError(f"name the run: python train.py {self.subcommand} RUN_DIR")
            config.weights_only = True
        loss, data = _short(config.loss), config.data.class_path.rsplit(".", 1)[1]
        if config.trainer.max_steps != -1:
            raise ValueError("the length of a run is counted in epochs; use --trainer.max_epochs, not max_steps")
        if config.trainer.fast_dev_run:
            config.trainer.default_root_dir = tempfile.mkdtemp(prefix="fast-dev-run-")  # a try must touch no run
        if config.trainer.default_root_dir is None:
            weighed = ((_short(part), part.get("init_args", {}).get("weight")) for part in _chosen(config.loss))
            arm = "+".join(name if weight is None else f"{name}-w{weight:g}" for name, weight in weighed)
            config.trainer.default_root_dir = f"runs/{data}-{arm}-s{config.seed_everything}"
        if not str(config.trainer.default_root_dir).strip():  # Lightning then writes into the working directory
            raise ValueError("--run_dir is empty; name a folder, or leave it out for one below runs/")
        run_dir = Path(config.trainer.default_root_dir)
        if self.subcommand == "fit" and not config.trainer.fast_dev_run:
            self._resume(config, run_dir)
        if config.trainer.fast_dev_run or self.subcommand != "fit":
            config.trainer.logger = False
        elif config.trainer.logger is None:
            config.trainer.logger = logger_configs(
                run_dir=str(run_dir),
                online=config.online,
                project=config.project,
                group=config.group or f"{data}-{loss}",
                job_type="train",
                tags=[loss, data, _short(config.network)],
            )
        _describe(config, run_dir)

    def after_instantiate_classes(self) -> None:
        self.datamodule = joined(self.model, self.datamodule, self._get(self.config_init, "source"))
        self.model.settings = self.settings
        # Said now and not after the data has been prepared for an hour.
        for data, named in ((self.datamodule, self.model.axis), (self.datamodule.source, None)):
            axis = data and Path(named or data.axis_path)
            made_later = hasattr(data, "simulation") and named is None
            if self.subcommand == "fit" and data and not made_later and not axis.is_file():
                raise FileNotFoundError(f"no axis at {axis}; make one with: {data.extract_command(out=named)}")

    def _resume(self, config, run_dir: Path) -> None:
        if cast(Any, rank_zero_only).rank == 0:  # Lightning sets the rank on the function itself
            self.lock = lock(run_dir)
        self.settings = plain(self._parser(self.subcommand), config)
        last = resumable(run_dir, self.settings)
        if config.ckpt_path is None and last is not None:
            config.ckpt_path = str(last)
            rank_zero_only(print)(f"resuming {run_dir} from its last complete epoch", flush=True)
        config.weights_only = True

    def instantiate_trainer(self, **kwargs):
        settings = self._get(self.config_init, "trainer")
        found = environments(devices=settings.devices, nodes=settings.num_nodes)
        try:
            return lean(super().instantiate_trainer(plugins=[AtomicCheckpointIO(), *found], **kwargs))
        except Exception as error:  # of as many kinds as there are machines
            raise refused(error, settings) from error

    def before_fit(self) -> None:
        """Give the whole configuration to loggers that filter runs by it; the run directory has it as config.yaml."""
        for logger in self.trainer.loggers:
            if not isinstance(logger, CSVLogger):
                logger.log_hyperparams(self.config_dump)

    def before_validate(self) -> None:
        """Build the decoder from its checkpoint, on the data that are there now, normalised as it was trained."""
        config = self.config[self.subcommand]
        contents = read(config.ckpt_path)
        check_same_decoder(self.config_dump, contents)
        restore(self.model, contents, spec=contents.spec_on(self.datamodule.spec))
        normalise_as_trained(self.datamodule, contents)

    def before_test(self) -> None:
        """Validate first: the component that the residual is measured on is picked on validation subjects."""
        self.before_validate()
        options = {"ckpt_path": self.config[self.subcommand].ckpt_path, "weights_only": True, "verbose": False}
        self.trainer.validate(self.model, datamodule=self.datamodule, **options)

    def after_fit(self) -> None:
        """Score the epoch that validation chose: on validation, then once on test."""
        if any(isinstance(callback, TrialReport) and callback.stopped for callback in callbacks_of(self.trainer)):
            return  # on every rank: a trial that its sweep has stopped is not tested
        best = None if cast(Any, self.trainer).fast_dev_run else "best"
        options = {"datamodule": self.datamodule, "ckpt_path": best, "weights_only": True, "verbose": False}
        # The validation scores of that epoch are in the log already; a second row would read as one epoch more.
        loggers, self.trainer.loggers = self.trainer.loggers, []
        self.trainer.validate(self.model, **options)
        self.trainer.loggers = loggers
        self.trainer.test(self.model, **options)
        score = self.trainer.callback_metrics.get("test/balanced_accuracy")
        if best is not None and score is not None:
            rank_zero_only(print)(
                f"result   test balanced accuracy {float(score):.3f}, more in result.json", flush=True
            )


def _short(choice) -> str:
    """Registry name of a chosen plug-in: the name of its file; of several strategies all their names."""
    return "+".join(part.class_path.split(".")[-2] for part in _chosen(choice))


def _chosen(choice) -> list:
    """The plug-ins that a flag names: none, one, or the parts of a composition."""
    if choice is None:
        return []
    return choice.get("init_args", {}).get("parts") or [choice]


@rank_zero_only
def _describe(config, run_dir: Path) -> None:
    for kind in ("loss", "network", "data", "source"):
        for choice in _chosen(config.get(kind)):
            arguments = "  ".join(f"{k}={v}" for k, v in choice.get("init_args", {}).items() if v is not None)
            print(f"{kind:<8} {choice.class_path.rsplit('.', 1)[1]}  {arguments}")
    print(f"seed     {config.seed_everything}\nrun      {run_dir}", flush=True)


def run(argv: list[str]) -> None:
    """Run one subcommand; ``argv`` is normalised (``command_line.normalise``)."""
    # DDP starts the other ranks by running the words of this process again.
    sys.argv[1:] = argv
    with said_when_stopped(), heard.listening():
        check_config_files(argv)
        try:
            command_line(DecoderCLI, run=True)
        except MisconfigurationException as error:  # no ValueError, and no bug: a setting that Lightning refuses
            raise ValueError(" ".join(str(error).split())) from error


def parse(argv: list[str]) -> DecoderCLI:
    """Data module, decoder and settings that ``fit`` would use with these flags; nothing is run or written."""
    words, sys.argv[1:] = sys.argv[1:], argv
    try:
        return command_line(DecoderCLI, run=False)
    finally:
        sys.argv[1:] = words


def command_line(kind: type[DecoderCLI], *, run: bool, **options: Any) -> DecoderCLI:
    """The command line with the project's defaults.

    Args:
        kind: what becomes of it.
        run: with the subcommands.
        options: further ones of ``LightningCLI``.
    """
    for name in ("lightning.pytorch", "lightning.fabric"):
        logging.getLogger(name).setLevel(logging.WARNING)
    frozen, usual = "in eval mode at the start of training", "isinstance.treespec, LeafSpec|does not have many workers"
    warnings.filterwarnings("ignore", message=f".*({frozen}|{usual}).*")
    # A run that goes on finds its own checkpoints; it has said so, and a verdict would count it as a warning.
    warnings.filterwarnings("ignore", message="Checkpoint directory .* exists and is not empty")
    # The confusion matrix is summed over ranks, so what comes of it is equal on all of them already.
    warnings.filterwarnings("ignore", message=".*when logging on epoch level in distributed setting.*")
    return kind(
        Decoder,
        EEGDataModule,
        subclass_mode_data=True,
        auto_configure_optimizers=False,
        parser_class=Parser,
        seed_everything_default=42,
        trainer_defaults=TRAINER_DEFAULTS,
        # Only a fit describes the run in its folder; a later test there must not.
        save_config_callback=SavedConfig if sys.argv[1:2] == ["fit"] else None,
        save_config_kwargs={"save_to_log_dir": False},
        run=run,
        **options,
    )
