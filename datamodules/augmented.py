"""The part of a data module that changes training batches, with what it has to know of the training people."""

from typing import Any

import numpy as np

from datamodules.augmentation import Augmentation
from datamodules.people import People
from datamodules.slices import TrialSlices
from datamodules.unmoved import Unmoved
from eeg.batch import Batch, DataSpec, Features


class Augmented(Unmoved):
    """Applies the augmentation to training batches on the device they are on; others pass unchanged.

    Attributes:
        augmentation: None for none.
        people: baselines of the training people, measured when first needed or taken from a checkpoint.
        features, indices: of the data module.
    """

    augmentation: Augmentation | None
    people: People | None = None
    features: Features
    indices: dict[str, np.ndarray]

    @property
    def spec(self) -> DataSpec:
        """Facts of the cohort."""
        raise NotImplementedError

    @property
    def _slices(self) -> TrialSlices:
        raise NotImplementedError

    def on_after_batch_transfer(self, batch: Batch, dataloader_idx: int) -> Batch:
        if self.augmentation is None or self.trainer is None or not self.trainer.training:
            return batch
        people = self._known(batch) if self.augmentation.person_swap else None
        return batch._replace(x=self.augmentation(batch.x, subject=batch.subject, people=people))

    def _known(self, batch: Batch) -> People:
        """The training people, where the batch is."""
        if self.people is None:
            rate = self.spec.sampling_rate if self.features == "raw" else None
            self.people = People.of(self._slices, self.indices["train"], sampling_rate=rate)
        if self.people.ids.device != batch.x.device:
            self.people = self.people.to(batch.x.device)
        return self.people

    def people_state(self) -> dict[str, Any]:
        """For a checkpoint; nothing where nobody is swapped."""
        return {"people": self.people.state()} if self.people is not None else {}
