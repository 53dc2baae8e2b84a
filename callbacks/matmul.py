"""How exact products of float32 matrices are on a GPU, where tensor cores are several times faster than float32 is."""

from typing import Literal

import lightning as L
import torch


class Matmul(L.Callback):
    """Sets the precision of matrix products on a CUDA device; a processor always has float32.

    Args:
        precision: highest (float32), high (TensorFloat-32, ten bits of mantissa) or medium (bfloat16, seven); sums are
            in float32 all the same.
    """

    def __init__(self, *, precision: Literal["highest", "high", "medium"] = "high") -> None:
        if precision not in ("highest", "high", "medium"):
            raise ValueError(f"matmul.precision must be highest, high or medium, got {precision!r}")
        self.precision = precision

    def setup(self, trainer: L.Trainer, pl_module: L.LightningModule, stage: str) -> None:
        if trainer.strategy.root_device.type == "cuda":
            torch.set_float32_matmul_precision(self.precision)
