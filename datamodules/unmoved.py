"""A data module whose batches are not searched for things to move when they are where they belong."""

from typing import Any

import lightning as L
import torch

from eeg.batch import Batch


class Unmoved(L.LightningDataModule):
    """Hands a batch that is on its device on as it is; Lightning would ask each of its values what moves it."""

    def transfer_batch_to_device(self, batch: Any, device: torch.device, dataloader_idx: int) -> Any:
        if isinstance(batch, Batch) and all(column.device == device for column in batch):
            return batch
        return super().transfer_batch_to_device(batch, device, dataloader_idx)
