"""What tests of alignment strategies share: targets, features, batches, a built loss, a decoder around it."""

import functools
import importlib
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import torch

from command_line.catalogue import plugins
from eeg.batch import DataSpec, SourceBatch
from eeg.montage import FACED_CHANNELS
from eeg.tokens import TokenGrid
from lightning_modules.decoder import Decoder
from lightning_modules.heads import MeanLinear
from losses.base import AlignmentLoss, Batch, LossSpec, Output
from networks.axial_de import AxialDE
from tests.conftest import make_axis
from vaxis.emotions import FACED
from vaxis.targets import Targets

B, N, D, K = 36, 4, 16, 9
SPEC = DataSpec(
    dataset="faced",
    features="de",
    channels=tuple(FACED_CHANNELS),
    shape=(32, 5),
    sampling_rate=1.0,
    window_seconds=10.0,
    classes=FACED.classes,
    class_of=FACED.class_of,
    subjects=("sub000",),
)
# Every clip has a text of its own here; there positions are those of classes and clips have no texts.
TARGETS = Targets.from_axis(replace(make_axis(), embeddings=np.random.default_rng(5).normal(size=(28, 16))))
CLASS_LEVEL = Targets.from_axis(make_axis(), source="class")
ALL = torch.arange(28)
STIMULI = torch.randint(28, (B,), generator=torch.Generator().manual_seed(8))


def normal(*shape: int, seed: int = 0) -> torch.Tensor:
    """Standard normal float64."""
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def value(loss, h: torch.Tensor, stimulus: torch.Tensor) -> torch.Tensor:
    """The loss of features (B, D) evoked by these clips."""
    return loss(Output(h=h), batch_of(stimulus))


@functools.cache
def class_paths() -> dict[str, str]:
    """Import path of every strategy; finding them reads all files, which thousands of tests need not do each."""
    return {plugin.name: plugin.class_path for plugin in plugins("loss")}


def strategy(name: str, **hyper) -> AlignmentLoss:
    module, cls = class_paths()[name].rsplit(".", 1)
    return getattr(importlib.import_module(module), cls)(**hyper)


def loss_spec(targets: Targets, *, data: DataSpec = SPEC) -> LossSpec:
    """What a strategy is built with beside a network that keeps the electrodes of this data."""
    grid = TokenGrid(network="axial_de", rows=len(data.channels), columns=N, electrodes=data.channels)
    return LossSpec(targets=targets, dim=D, data=data, grid=grid)


def built(loss, targets, *, seed: int = 0):
    decoder = torch.nn.Module()
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        decoder.network, decoder.classifier = AxialDE(dim=D), MeanLinear(dim=D, n_classes=K)
        decoder.network.build(SPEC)
        torch.manual_seed(seed)
        loss.build(loss_spec(targets))
        loss.prepare(decoder)
    loss.phase = loss.phases(1)[-1]
    return loss


def batch_of(stimulus: torch.Tensor) -> Batch:
    zeros = torch.zeros(len(stimulus), dtype=torch.int64)
    y = torch.tensor(FACED.class_of)[stimulus]
    return Batch(x=torch.zeros(len(stimulus), 32, 5), y=y, stimulus=stimulus, subject=zeros, index=zeros)


def output_of(tokens: torch.Tensor, *, seed: int = 1) -> Output:
    head = torch.randn(D, K, generator=torch.Generator().manual_seed(seed), dtype=torch.float32).to(tokens)
    h = tokens.mean(dim=(1, 2))
    return Output(logits=h @ head, h=h, tokens=tokens)


def decoder_with(loss, targets) -> Decoder:
    torch.manual_seed(42)
    model = Decoder(network=AxialDE(dim=8), loss=loss)
    model.build(spec=SPEC, targets=targets, source=targets if loss.second_data else None)
    return model


def trials() -> Batch:
    generator = torch.Generator().manual_seed(2)
    return batch_of(torch.randint(28, (B,), generator=generator))._replace(x=torch.randn(B, 32, 5, generator=generator))


def train_steps(model: Decoder, *, count: int = 3, batch: Batch | None = None) -> None:
    """Steps in the phase that the decoder is in, with dropout; what the Trainer would set is set here."""
    model._trainer = SimpleNamespace(
        world_size=1, global_step=0, log_every_n_steps=10**9, num_training_batches=count, current_epoch=0
    )
    torch.manual_seed(1)
    batch = batch or trials()
    if model.phase.data == "source":
        batch = SourceBatch(*batch)
    optimizer = torch.optim.AdamW([parameter for _, parameter in model.trained_parameters()], lr=1e-2)
    for index in range(count):
        optimizer.zero_grad()
        model.training_step(batch, index).backward()
        optimizer.step()
