"""``python train.py pretrain``: an encoder learns from the training trials before there are labels to decode."""

import json
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from command_line.catalogue import class_path, plugins
from command_line.words import option

if TYPE_CHECKING:
    from command_line.settings import RunSettings
    from lightning_modules.objectives.base import Objective

ENCODER = "encoder.ckpt"
SETTINGS = "pretraining.yaml"  # of its start; a config.yaml would make the folder a run that never finished
ABOUT = "pretraining.json"  # what the file says of itself, for people
ACCEPTED = (  # flags of the Trainer that mean here what they mean to a run
    *("accelerator", "devices", "precision", "max_epochs", "gradient_clip_val", "gradient_clip_algorithm"),
    *("accumulate_grad_batches", "deterministic", "benchmark", "enable_progress_bar", "limit_train_batches"),
)
HELP = """\
usage: python train.py pretrain --objective NAME [--objective.X ...] [any flag of train.py fit but --loss]

Trains an encoder (--network) on the training trials of --data and its split, and leaves encoder.ckpt in the run's
folder, from which runs start:

  python train.py fit ... --network.weights FILE                        all of it is fine-tuned
  python train.py fit ... --loss peft_lora --loss.pretrained FILE       it is frozen, adapters learn

Validation and test trials are never read. A run that would be judged by trials of the file (another --data.fold, say)
is refused. A killed pretraining goes on where it was. Flags of one: --objective.help NAME.

objectives:
{}

  python train.py pretrain --network cbramod --data.features raw --objective masked_patches --trainer.max_epochs 40
"""


def main(argv: Sequence[str]) -> None:
    """Run the command.

    Args:
        argv: words after ``pretrain``.
    """
    if not argv or argv[0] in ("-h", "--help"):
        print(HELP.format("\n".join(f"  {p.name:<16} {p.summary}" for p in plugins("objective"))))
        return
    from command_line.settings import RunSettings
    from command_line.stopping import said_when_stopped
    from command_line.words import normalise

    own, words = _own(argv)
    chosen = _objective(own)
    settings = RunSettings.parse(normalise(words))
    _check(settings)
    with said_when_stopped():
        _pretrain(settings, chosen)


def _own(argv: Sequence[str]) -> tuple[list[str], list[str]]:
    """Flags of the objective, and those of a run."""
    own: list[str] = []
    rest = list(argv)
    for flag in dict.fromkeys(word.partition("=")[0] for word in argv):
        if flag.split(".")[0] == "--objective":
            value, rest = option(rest, flag)
            own += [flag, str(value)]
    return own, rest


def _objective(words: list[str]) -> Any:
    """The choice of an objective: its parser, and what that read.

    Raises:
        SystemExit: none was named, there is none of that name, or help was asked for.
        ValueError: an argument is wrong.
    """
    import argparse

    from jsonargparse import ArgumentParser

    from command_line.explain import explain
    from lightning_modules.objectives.base import Objective

    known = [plugin.name for plugin in plugins("objective")]
    name, rest = option(words, "--objective")
    asked, _ = option(words, "--objective.help")
    if name is None and asked is None:
        raise SystemExit(f"error: pretrain needs --objective, one of {', '.join(known)}")
    parser = ArgumentParser(exit_on_error=False)
    parser.add_subclass_arguments(Objective, "objective", required=True)
    if asked is not None:
        parser.exit_on_error = True
        parser.parse_args(["--objective.help", class_path("objective", asked)])
    try:
        return parser, parser.parse_args(["--objective", class_path("objective", str(name)), *rest])
    except argparse.ArgumentError as error:
        raise ValueError(explain(str(error))) from error


def _check(settings: "RunSettings") -> None:
    """Refuse what has no meaning here, rather than leave it out in silence.

    Raises:
        ValueError: names the flag.
    """
    from command_line.settings import RunSettings

    if not settings.plain or settings.value("source"):
        raise ValueError("pretrain has an --objective in the place of a loss; leave --loss and --source out")
    if settings.value("trainer.devices") not in (1, "1"):
        raise ValueError("pretraining runs on one device; set --trainer.devices 1")
    usual = RunSettings.parse().content["trainer"]
    for name, value in settings.content["trainer"].items():
        if name not in (*ACCEPTED, "default_root_dir") and value != usual[name]:
            raise ValueError(f"--trainer.{name} has no meaning in pretraining; leave it out")


def _pretrain(settings: "RunSettings", chosen: Any) -> None:
    """Train, and write the encoder when all epochs are done."""
    from command_line.settings import RunSettings
    from lightning_modules.checkpointing import resumable
    from records.files import atomic
    from records.lock import Taken, lock

    parser, config = chosen
    content = {**settings.content, "objective": json.loads(parser.dump(config, format="json"))["objective"]}
    network, objective = (content[kind]["class_path"].split(".")[-2] for kind in ("network", "objective"))
    folder = Path(settings.run_dir or f"runs/pretrain-{network}-{objective}-s{settings.seed}")
    held = lock(folder)
    file = folder / ENCODER
    if file.exists():
        raise Taken(f"{folder} holds a finished pretraining; delete it or name another folder with --run_dir")
    last = resumable(folder, content, config=SETTINGS)
    RunSettings(content).save(folder / SETTINGS)
    if last:
        print(f"resuming {folder} from its last complete epoch", flush=True)
    about = _trained(settings, parser.instantiate(config)["objective"], content, folder=folder, last=last)
    with atomic(folder / ABOUT) as partial:
        partial.write_text(json.dumps(about, indent=1) + "\n", encoding="utf-8")
    held.close()
    print(_said(about, file))


def _trained(
    settings: "RunSettings", objective: "Objective", content: dict[str, Any], *, folder: Path, last: Path | None
) -> dict[str, Any]:
    """Train to the last epoch and write the encoder; returns what its file says of itself."""
    import lightning as L
    from lightning.pytorch.callbacks import ModelCheckpoint

    from command_line.reader import instantiate
    from lightning_modules.checkpointing import AtomicCheckpointIO
    from lightning_modules.pretraining import Pretraining, save_encoder
    from records.layout import CHECKPOINTS

    data, decoder, trainer_settings = instantiate(settings)
    module = Pretraining(network=decoder.network, objective=objective, optimisation=decoder.optimisation)
    keeper = ModelCheckpoint(
        folder / CHECKPOINTS, filename="last", save_on_train_epoch_end=True, enable_version_counter=False
    )
    trainer = L.Trainer(
        **{name: trainer_settings[name] for name in ACCEPTED},
        callbacks=[keeper],
        plugins=[AtomicCheckpointIO()],
        logger=False,
        limit_val_batches=0,  # nobody but the people of the training is ever read
        num_sanity_val_steps=0,
        use_distributed_sampler=False,
        enable_model_summary=False,
        default_root_dir=folder,
    )
    warnings.filterwarnings("ignore", message="You passed in a `val_dataloader`")  # which is the point
    warnings.filterwarnings("ignore", message="Checkpoint directory .* exists")  # of an interrupted one
    trainer.fit(module, datamodule=data, ckpt_path=last, weights_only=True)
    facts = {
        "objective": content["objective"],
        "class_path": content["network"]["class_path"],
        "network": content["network"].get("init_args", {}),
        "seed": settings.seed,
        "split": data.split,
        "fold": data.fold,
    }
    return save_encoder(module, folder / ENCODER, data=data, facts=facts)


def _said(about: dict[str, Any], file: Path) -> str:
    """What came of it, and how to go on."""
    clips = sum(map(len, about["trials"].values()))
    lines = [
        f"loss     {about['losses'][0]:.4f} in the first epoch, {about['losses'][-1]:.4f} in the last",
        f"trained  on {len(about['trials'])} people and {clips} of their clips, {about['cohort']}",
        f"written  {file}",
        f"go on    python train.py fit ... --network.weights {file}",
        f"         python train.py fit ... --loss peft_lora --loss.pretrained {file}",
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    main(sys.argv[1:])
