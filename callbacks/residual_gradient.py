"""Where task and alignment gradients point: into the span of the class means, or into what the labels leave over."""

import lightning as L
import torch
from torch import Tensor

from callbacks.view import decoder_of
from eeg.batch import Record
from measures.gradients import GradientShares, GradientSums, class_basis, gradient_sums, shares

SUMMED_AT_ONCE = 25  # steps whose features are added together: one large addition is cheaper than many


class ResidualGradient(L.Callback):
    """Logs the share of each loss's gradient that the class means carry, beside what chance would give.

    The gradient of a trial is summed over its tokens, G_i = sum over channels and time of dL/d(token); for a loss that
    reads the mean of the tokens that is dL/dh, and it exists for losses on tokens or logits too. G is the gradient of
    the loss of the whole batch of all ranks. Class means are those of the training features of the epoch before (in
    the first epoch: so far), so the basis does not move with the batch it judges. ``measures/gradients.py`` has the
    definitions.

    Args:
        every_n_steps: probe at each n-th step, and at the last of an epoch that had none; other steps only add to the
            class means.
    """

    def __init__(self, *, every_n_steps: int = 25) -> None:
        if every_n_steps < 1:
            raise ValueError(f"every_n_steps must be >= 1, got {every_n_steps}")
        self.every_n_steps = every_n_steps
        self.means: dict[str, dict[str, float]] = {}
        self._basis: Tensor | None = None

    def on_train_epoch_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self._sums: Tensor | None = None
        self._unsummed: list[tuple[Tensor, Tensor]] = []  # features and classes of the steps since
        self._probes: dict[str, list[tuple[GradientShares, float, float]]] = {}

    def state_dict(self) -> dict:
        return {"basis": self._basis, "means": self.means}

    def load_state_dict(self, state: dict) -> None:
        self._basis, self.means = state["basis"], state["means"]

    def on_before_backward(self, trainer: L.Trainer, pl_module: L.LightningModule, loss: Tensor) -> None:
        decoder = decoder_of(pl_module)
        record = decoder.record
        if record is None:  # a batch of the second data set, whose classes are others
            return
        self._add_features(record, n_classes=len(decoder.spec.classes))
        # The gate is the same on every rank: a gathered loss and the sums below communicate.
        # An epoch shorter than that is probed once: whichever is the best one, its run has a result.
        if (trainer.global_step + 1) % self.every_n_steps and (self._probes or not trainer.is_last_batch):
            return
        basis = self._basis if self._basis is not None else self._class_basis(trainer)
        basis = basis.to(record.h.device)  # a resumed one comes from the checkpoint
        values: dict[str, float] = {"epoch": trainer.current_epoch}
        for name, term in (("task", record.task), ("alignment", record.alignment)):
            if term is not None:
                result = self._probe(trainer, record, term, name=name, basis=basis)
                values |= {f"grad/{name}_{field}": value for field, value in result._asdict().items()}
        # Straight to the loggers: self.log would write a value again at every later step until the next probe.
        for logger in trainer.loggers:
            logger.log_metrics(values, step=trainer.global_step)

    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        if self._sums is not None:
            self._basis = self._class_basis(trainer)
        if self._probes:
            self.means = {name: _mean(probes) for name, probes in self._probes.items()}

    def _add_features(self, record: Record, *, n_classes: int) -> None:
        h = record.h.detach().clone()  # a compiled network may write its next values where these lie
        if self._sums is None:
            self._sums = h.new_zeros(n_classes, h.shape[1] + 1, dtype=_precise(h.device))
        self._unsummed.append((h, record.batch.y))
        if len(self._unsummed) == SUMMED_AT_ONCE:
            self._sum_up()

    def _sum_up(self) -> None:
        if self._sums is not None and self._unsummed:
            h, y = (torch.cat(parts) for parts in zip(*self._unsummed))
            self._unsummed.clear()
            h = h.to(self._sums)
            self._sums.index_add_(0, y, torch.cat([h, h.new_ones(len(h), 1)], dim=1))

    def _class_basis(self, trainer: L.Trainer) -> Tensor:
        """Basis (D, m) from the class sums of all ranks; absent classes become NaN rows, which it leaves out."""
        self._sum_up()
        assert self._sums is not None  # every step adds to them before it asks for the basis
        # reduce works in place, hence the copy. The decomposition is small: the CPU does it fastest.
        sums = trainer.strategy.reduce(self._sums.clone(), reduce_op="sum")
        return class_basis((sums[:, :-1] / sums[:, -1:]).cpu()).to(sums)

    def _probe(self, trainer: L.Trainer, record: Record, term: Tensor, *, name: str, basis: Tensor) -> GradientShares:
        # Per rank this is the world size too large: a gathered loss sums the gradients of all ranks on its way back,
        # and the loss of the whole batch is the mean of losses that are local.
        gradient = _pooled_gradient(term, record.tokens).to(basis) / trainer.world_size
        assert self._sums is not None
        own = gradient_sums(gradient, basis=basis, y=record.batch.y, classes=len(self._sums))
        shapes = [part.shape for part in own]
        flat = trainer.strategy.reduce(torch.cat([part.reshape(-1) for part in own]), reduce_op="sum").cpu()
        parts = flat.split([shape.numel() for shape in shapes])
        sums = GradientSums(*(part.reshape(shape) for part, shape in zip(parts, shapes)))
        result = shares(sums, rank=basis.shape[1])
        self._probes.setdefault(name, []).append((result, float(sums.span), float(sums.sample)))
        return result


def _pooled_gradient(term: Tensor, tokens: Tensor) -> Tensor:
    """(B, D) gradient of a loss summed over channels and time; zero for a loss that does not depend on the tokens."""
    gradient = None
    if term.requires_grad:
        (gradient,) = torch.autograd.grad(term, tokens, retain_graph=True, allow_unused=True)
    return tokens.new_zeros(tokens.shape[0], tokens.shape[-1]) if gradient is None else gradient.sum(dim=(1, 2))


def _precise(device: torch.device) -> torch.dtype:
    return torch.float32 if device.type == "mps" else torch.float64  # Apple GPUs have no float64


def _mean(probes: list[tuple[GradientShares, float, float]]) -> dict[str, float]:
    """Over the probes of an epoch: ratios of sums for the shares, root mean square for the norm."""
    n, total = len(probes), sum(result.norm**2 for result, _, _ in probes)
    return {
        "feature_share": sum(span for _, span, _ in probes) / total if total > 0 else float("nan"),
        "feature_chance": sum(result.feature_chance for result, _, _ in probes) / n,
        "sample_share": sum(sample for _, _, sample in probes) / total if total > 0 else float("nan"),
        "sample_chance": sum(result.sample_chance for result, _, _ in probes) / n,
        "norm": (total / n) ** 0.5,
    }
