"""Pretraining of an encoder on the training trials of a run, and the file that it leaves for fine-tuning."""

from collections import defaultdict
from pathlib import Path
from typing import Any, cast

import lightning as L
import numpy as np
import torch
from lightning.pytorch.utilities.types import OptimizerLRSchedulerConfig
from torch import Tensor, nn

from eeg.batch import Batch, DataSpec
from lightning_modules.objectives.base import Objective
from lightning_modules.optimisation import Optimisation, configure
from networks.base import Network, checked_grid
from networks.weights import PRETRAINING, pretraining_of
from records.files import atomic

FORMAT = 1


class Pretraining(L.LightningModule):
    """An encoder and an objective; validation and test trials are never asked for.

    The random start of the encoder is that of a run of the same seed, and every epoch starts from a random state of its
    own, so a resumed pretraining repeats the interrupted one.

    Args:
        network: encoder; sized by the data.
        objective: what it learns.
        optimisation: optimiser and schedule.

    Attributes:
        losses: mean of each epoch.
    """

    def __init__(self, *, network: Network, objective: Objective, optimisation: Optimisation) -> None:
        super().__init__()
        self.network, self.objective, self.optimisation = network, objective, optimisation
        self.spec: DataSpec | None = None
        self.losses: list[float] = []

    @property
    def _run(self) -> Any:
        """The Trainer, untyped: the data module is set on it from outside its class."""
        return self.trainer

    def configure_model(self) -> None:
        if self.spec is None:
            with torch.device("cpu"):  # not on the device of the run, which draws other numbers
                self.build(self._run.datamodule.spec)

    def build(self, spec: DataSpec) -> None:
        """Size encoder and objective for the data.

        Raises:
            ValueError: they do not fit it, or each other.
        """
        self.spec, self.seed = spec, torch.initial_seed()
        with torch.random.fork_rng(devices=[]):  # as the decoder does, so the start is that of its runs
            torch.manual_seed(self.seed)
            self.network.build(spec)
            grid = checked_grid(self.network, spec)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.seed + 1)
            self.objective.build(spec=spec, grid=grid, dim=self.network.dim)

    def on_train_epoch_start(self) -> None:
        words = [self.seed, self.current_epoch]
        torch.manual_seed(int(np.random.SeedSequence(words).generate_state(1)[0]))
        self.total, self.batches = torch.zeros((), device=self.device), 0

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        loss = self.objective(self.network, batch)
        self.total += loss.detach()
        self.batches += 1
        return loss

    def on_train_epoch_end(self) -> None:
        """Keep the mean of the epoch; the checkpoint is written after this.

        Raises:
            ValueError: it is not finite.
        """
        mean = float(self.total) / self.batches
        if not np.isfinite(mean):
            raise ValueError(
                f"the loss of epoch {self.current_epoch + 1} is {mean}; lower --model.optimisation.lr or clip with "
                "--trainer.gradient_clip_val 1"
            )
        self.losses.append(mean)
        print(f"epoch {self.current_epoch + 1}/{self._run.max_epochs}  {self.objective.name} {mean:.4f}", flush=True)

    def configure_optimizers(self) -> OptimizerLRSchedulerConfig:
        epochs = int(self._run.max_epochs)
        named = [(f"network.{name}", p) for name, p in self.network.named_parameters() if p.requires_grad]
        recipe = configure(
            self.optimisation,
            encoder_params=[parameter for _, parameter in named],
            encoder_names=[name for name, _ in named],
            other_params=self.objective.parameters(),
            steps_per_epoch=max(1, int(self.trainer.estimated_stepping_batches) // max(1, epochs)),
            epochs=epochs,
        )
        return cast(OptimizerLRSchedulerConfig, recipe)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        # Whoever reads the checkpoint of a run finds its phase in it; this is a training of one.
        checkpoint |= {"phase": 0, "losses": self.losses}

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        self.losses = list(checkpoint["losses"])


def save_encoder(module: Pretraining, path: Path, *, data: Any, facts: dict[str, Any]) -> dict[str, Any]:
    """Write the encoder for ``--network.weights`` and ``--loss.pretrained``; returns what the file says of itself.

    Args:
        module: after its training.
        path: of the file.
        data: data module that it was trained on.
        facts: settings of the pretraining, plain values.
    """
    seen = trials(data, ("train",))
    about = {**facts, "format": FORMAT, "cohort": cohort(data), "trials": seen, "losses": module.losses}
    state = {f"network.{name}": value.detach().cpu() for name, value in module.network.state_dict().items()}
    with atomic(path) as partial:
        torch.save({"state_dict": state, PRETRAINING: about}, partial)
    return about


def cohort(data: Any) -> str:
    """Whose people they are: simulated ones have the names of others, so there the folder says it."""
    name = data.spec.dataset
    return f"{name} {Path(data.root).name}" if data.spec.simulated else name


def trials(data: Any, roles: tuple[str, ...]) -> dict[str, list[int]]:
    """Clips that each person is seen with in some roles of the split: person -> clip ids."""
    rows = np.concatenate([data.indices[role] for role in roles if role in data.indices])
    found: dict[str, set[int]] = defaultdict(set)
    table = data.store.trials
    for subject, stimulus in zip(table.subject[rows].tolist(), table.stimulus[rows].tolist()):
        found[data.spec.subjects[subject]].add(stimulus)
    return {name: sorted(clips) for name, clips in sorted(found.items())}


def check_apart(network: nn.Module, loss: nn.Module, *, data: Any) -> None:
    """Refuse an encoder that was pretrained on trials which this run is judged by.

    Another fold of the same cohort is the usual way to do so without noticing.

    Args:
        network: encoder of the run; its ``weights`` are looked at.
        loss: strategy of the run; so are the encoders that its parts start from. Files without a word on their own
            pretraining pass.
        data: data module of the run, set up.

    Raises:
        ValueError: names the file and some of the people.
    """
    starts = (getattr(network, "weights", None), *(getattr(part, "pretrained", None) for part in loss.modules()))
    for file in dict.fromkeys(starts):
        about = pretraining_of(file) if file and Path(file).is_file() else {}
        if not about or about["cohort"] != cohort(data):
            continue
        held_out = trials(data, tuple(role for role in data.indices if role != "train"))
        both = [name for name, clips in about["trials"].items() if not set(clips).isdisjoint(held_out.get(name, []))]
        if both:
            raise ValueError(
                f"{file} was pretrained on {len(both)} of the people whose trials this run is judged by "
                f"({', '.join(both[:3])}{', ...' if len(both) > 3 else ''}); pretrain with the --data.split and "
                "--data.fold of this run"
            )
