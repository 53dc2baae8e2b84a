"""Training in phases: what is optimised, on which data and for how long, with a fresh optimiser at each boundary."""

from typing import Any

import lightning as L
import numpy as np
import torch
from lightning.pytorch.utilities.rank_zero import rank_zero_only
from torch import nn
from torch.nn import Parameter

from lightning_modules.optimisation import Optimisation
from losses.base import AlignmentLoss, Phase

WRITTEN_OFTEN = ("_current_fx_name", "record")


class PhasedModule(L.LightningModule):
    """Walks through the phases that a strategy asks for; a run of one phase is an ordinary run.

    A boundary lies at the end of an epoch, before the checkpoint is written: the file then holds the phase that comes
    next with its optimiser, and a run resumes in any phase. Parameters that no phase trains lose their gradient before
    DDP wraps the module; those that rest in one phase only keep it and are left out of that phase's optimiser, so DDP
    sees the same parameters throughout.

    Attributes:
        loss, network, classifier, optimisation, seed: of the decoder, which makes them; this class reads them.
        phases: in order.
        phase_index: which one training is in, or goes on with after this epoch.
        in_last_phase: whether the epoch that runs belongs to the last phase, where the checkpoint is chosen.
    """

    loss: AlignmentLoss
    network: nn.Module
    classifier: nn.Module
    optimisation: Optimisation
    seed: int

    def __setattr__(self, name: str, value: Any) -> None:
        """Set what changes many times a step without the search of a module through its parameters and parts.

        Lightning writes the name of every hook that it calls, some forty times a step.
        """
        if name in WRITTEN_OFTEN:
            vars(self)[name] = value
        else:
            super().__setattr__(name, value)

    def plan(self, phases: tuple[Phase, ...]) -> None:
        """Take the phases; called when all parameters exist.

        Raises:
            ValueError: one of several has no epochs, or the strategy adapts an encoder that is to stay as it is.
        """
        if short := [phase for phase in phases if len(phases) > 1 and phase.epochs < 1]:
            raise ValueError(f"{self.loss.name}: phase {short[0].name} needs an epoch at least, got {short[0].epochs}")
        self.phases, self.in_last_phase = phases, len(phases) == 1
        self.go_to(0)
        frozen = not self.optimisation.encoder_lr_scale
        if frozen and self.loss.structural:
            raise ValueError(
                f"model.optimisation.encoder_lr_scale 0 freezes the encoder, which --loss {self.loss.name} adapts; set "
                "it to 1"
            )
        for name, parameter in self.named_parameters():
            rests = frozen and name.startswith("network.")
            if parameter.requires_grad and (rests or not any(_trains(phase, name) for phase in phases)):
                parameter.requires_grad_(False)

    @property
    def phase(self) -> Phase:
        return self.phases[self.phase_index]

    @property
    def epoch_of_phase(self) -> int:
        """Epochs of the phase that are complete; paired runs count alike in their last phase."""
        return self.trainer.current_epoch - sum(phase.epochs for phase in self.phases[: self.phase_index])

    def progress(self, batch_idx: int) -> float:
        """Completed fraction of the phase in [0, 1)."""
        return (self.epoch_of_phase + batch_idx / self.trainer.num_training_batches) / self.phase.epochs

    def trained_parameters(self) -> list[tuple[str, Parameter]]:
        """Names and parameters that the optimiser of the phase holds."""
        return [(n, p) for n, p in self.named_parameters() if p.requires_grad and _trains(self.phase, n)]

    def on_save_checkpoint(self, checkpoint: dict) -> None:
        checkpoint["phase"] = self.phase_index

    def on_load_checkpoint(self, checkpoint: dict) -> None:
        self.go_to(checkpoint["phase"])

    def on_fit_start(self) -> None:
        self._announce()

    def on_train_epoch_start(self) -> None:
        self.in_last_phase = self.phase is self.phases[-1]
        words = [self.seed, self.epoch_of_phase, self.global_rank]
        torch.manual_seed(int(np.random.SeedSequence(words).generate_state(1)[0]))
        if len(self.phases) > 1:
            loader = self.trainer.train_dataloader
            assert loader is not None  # an epoch of training has begun
            loader.sampler.set_epoch(self.epoch_of_phase)
        self._rest_what_does_not_train()

    def on_train_epoch_end(self) -> None:
        if self.epoch_of_phase + 1 < self.phase.epochs or self.phase is self.phases[-1]:
            return
        self.go_to(self.phase_index + 1)
        self.loss.enter(self)
        # Lightning then asks for the loader of this phase when the new optimiser asks how many steps there are.
        self.trainer.fit_loop._combined_loader = None
        self.trainer.strategy.setup_optimizers(self.trainer)
        self._announce()

    def go_to(self, index: int) -> None:
        """Be in a phase, and tell the strategy."""
        self.phase_index = index
        self.loss.phase = self.phase

    def _rest_what_does_not_train(self) -> None:
        """A part none of whose parameters train runs as in evaluation: no dropout, no update of batch statistics."""
        trained = {id(parameter) for _, parameter in self.trained_parameters()}
        if len(self.phases) == 1 and len(trained) == sum(1 for _ in self.parameters()):
            return
        self.train()
        for module in self.modules():
            own = [id(parameter) for parameter in module.parameters()]
            if own and trained.isdisjoint(own):
                module.eval()

    def resting(self) -> dict[str, str]:
        """Parameters of the encoder that the phase leaves alone, and where each has its value from."""
        trained = {name for name, _ in self.trained_parameters()}
        names = [n for n, _ in self.named_parameters() if n.startswith("network.") and n not in trained]
        given = {f"network.{name}" for name in getattr(self.network, "loaded", ())}
        file = getattr(self.network, "weights", None)
        return {n: self.loss.origin(n) or (file if n in given else None) or "random start" for n in names}

    def _announce(self) -> None:
        resting = self.resting()
        if len(self.phases) == 1 and not resting:
            return
        trained = sum(parameter.numel() for _, parameter in self.trained_parameters())
        total = sum(parameter.numel() for parameter in self.parameters())
        text = f"phase {self.phase.name}: {self.phase.epochs} epochs, trains {trained:,} of {total:,} parameters"
        origins = list(resting.values())
        counts = ", ".join(f"{origins.count(origin)} from {origin}" for origin in dict.fromkeys(origins))
        _say(f"{text}; frozen encoder tensors: {counts}" if resting else text)


def _trains(phase: Phase, name: str) -> bool:
    return phase.trains is None or phase.trains(name)


@rank_zero_only
def _say(text: str) -> None:
    print(text, flush=True)
