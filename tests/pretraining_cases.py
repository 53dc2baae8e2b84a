"""Small encoders on trials that can be filled in, for the tests of pretraining."""

import math
from dataclasses import replace

import lightning as L
import torch

from eeg.batch import Batch
from lightning_modules.decoder import Decoder
from networks.axial_de import AxialDE
from networks.base import checked_grid
from networks.cbramod import CBraMod
from networks.emod import EMOD
from tests.loss_cases import SPEC

SECONDS = replace(SPEC, features="raw", shape=(32, 400), sampling_rate=200.0, window_seconds=2.0)
KINDS = {
    "cbramod": (lambda: CBraMod(depth=1, dropout=0.0), SECONDS),
    "emod": (lambda: EMOD(depth=1, dim=16, dropout=0.0), SECONDS),
    "axial_de": (lambda: AxialDE(dim=16, dropout=0.0), SPEC),
}


def waves(spec, *, trials: int = 6) -> Batch:
    """Trials that can be filled in: one pattern over electrodes, or one slow wave, of another size in each trial."""
    generator = torch.Generator().manual_seed(0)
    time = torch.arange(spec.shape[1]) / (spec.shape[1] if spec.features == "de" else spec.sampling_rate)
    size = 1 + torch.rand(trials, 1, 1, generator=generator)
    place = torch.randn(1, spec.shape[0], 1, generator=generator)
    x = size * place * torch.cos(2 * math.pi * 4 * time)
    ids = torch.arange(trials)
    return Batch(x, ids % 9, ids, torch.zeros_like(ids), ids)


def built(objective, kind: str):
    make, spec = KINDS[kind]
    torch.manual_seed(0)
    network = make()
    network.build(spec)
    objective.build(spec=spec, grid=checked_grid(network, spec), dim=network.dim)
    return network, objective, waves(spec)


def decoder(network, loss) -> Decoder:
    L.seed_everything(2, verbose=False)
    return Decoder(network=network, loss=loss)
