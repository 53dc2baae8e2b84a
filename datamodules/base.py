"""The data module that FACED and SEED-V share: store, split, normalisation and batches."""

import os
import shlex
import warnings
from abc import ABC, abstractmethod
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from torch.utils.data import DataLoader

from datamodules import normalisation
from datamodules.augmentation import Augmentation
from datamodules.augmented import Augmented
from datamodules.checksums import Verify
from datamodules.folders import is_simulated
from datamodules.normalisation import Affine, Normalise
from datamodules.people import People
from datamodules.plausibility import oddities
from datamodules.sampler import EpochBatches
from datamodules.slices import Residence, TrialSlices
from datamodules.splits import Split, by_name, chosen_people, only, some_people
from datamodules.store import Recipe, Store, build
from datamodules.trials import Trials
from eeg.bands import Bands
from eeg.batch import DataSpec, Features
from records.files import cache_dir
from records.result import SEEN
from vaxis.emotions import Taxonomy
from vaxis.language.extraction import default_path


class EEGDataModule(Augmented, ABC):
    """A cohort of EEG trials, preprocessed once, then sliced.

    A class states the facts of its data set, from which everything else follows; docs/extending/data.md writes one.

    Attributes:
        taxonomy: classes and stimuli, from a YAML file.
        catalogue: every subject the official release holds.
        montage: electrode names in the order of its files.
        bands: edges of its band features, Hz; empty where it has only raw signals.
        splits: its partitions; the first is the usual one.
        store: the preprocessed cohort, after ``setup``.
        indices: rows of ``train``, ``val`` and ``test`` in it, after ``setup``; of ``test_seen``, too, where the split
            holds clips back.
    """

    # Facts of a class; only ``BIDS``, which is for any folder, sets them in its instances.
    taxonomy: Taxonomy
    catalogue: tuple[str, ...]
    montage: tuple[str, ...]
    bands: ClassVar[Bands] = {}
    splits: ClassVar[tuple[Split, ...]]
    source: ClassVar[None] = None  # a second data set; only ``Transfer`` has one
    labels: str = "target"  # whose word for the emotion is decoded: that of the clip, unless a data set knows others

    def __init__(
        self,
        *,
        root: str,
        features: Features,
        split: str,
        fold: int = 0,
        train_fraction: float = 1.0,
        batch_size: int = 128,
        subjects: tuple[str | int, ...] | None = None,
        exclude: tuple[str | int, ...] = (),
        normalise: Normalise | None = None,
        scale: float = 100.0,
        residence: Residence = "auto",
        workers: int = 0,
        cache: str | None = None,
        verify: Verify = "sampled",
        augmentation: Augmentation | None = None,
    ) -> None:
        """Check the arguments; files are touched later.

        Args:
            root: top folder of the data set as it is distributed.
            features: what a trial holds.
            split: partition into training, validation and test.
            fold: which fold of the split.
            train_fraction: share of the training people to keep; smaller shares are parts of larger ones, and the seed
                of the run says who.
            batch_size: trials a step, summed over all processes; must be a multiple of their number.
            subjects: use only these, for example '[sub000,sub080,sub100]' or '[1,2]'; all by default.
            exclude: leave these out, for example a broken recording.
            normalise: none; train = z-score of each channel (and band) with training statistics; subject = z-score
                within each subject over all its trials, which looks at unlabelled test data (transductive); projected =
                train, less what sets training people apart. By default train for band features, none for raw signals.
            scale: divisor of raw signals where normalise is none; 100 gives units of 100 microvolt.
            residence: where the trials live: memmap (disk, page cache), ram, device (all on the accelerator), or auto:
                device on a GPU where they take at most half of its free memory, else memmap.
            workers: processes that preprocess; 0 preprocesses in this one. Raw SEED-V takes 3 GB of memory in each.
            cache: folder of preprocessed cohorts; by default stores in the cache folder.
            verify: how much of a preprocessed cohort is compared with its checksums when it is opened: sampled (up to
                64 MB, other parts each time; all of any band features), whole, or off.
            augmentation: random changes to training trials; none by default.
        """
        super().__init__()
        for name, value, fine, rule in (
            ("train_fraction", train_fraction, 0 < train_fraction <= 1, "lie above 0 and at most at 1"),
            ("workers", workers, workers >= 0, "be 0 (this process) or more"),
            ("scale", scale, scale > 0, "be above 0"),
        ):
            if not fine:
                raise ValueError(f"--data.{name} must {rule}, got {value}")
        by_name(self.splits, split, dataset=self.taxonomy.name)  # a typo shows before any file is read
        # The shell expands ~ neither behind --data.root= nor in a settings file.
        self.root, self.split, self.fold = os.path.expanduser(root), split, fold
        self.features: Features = features
        self.train_fraction = train_fraction
        self.batch_size, self.residence, self.workers = batch_size, residence, workers
        self.normalise: Normalise = normalise or ("none" if features == "raw" else "train")
        self.scale = scale if features == "raw" else 1.0
        self.cache = Path(cache).expanduser() if cache else cache_dir() / "stores"
        self.verify: Verify = verify
        self.augmentation = augmentation
        self.subjects = chosen_people(self.catalogue, subjects=subjects, exclude=exclude, dataset=self.taxonomy.name)
        self.seed = torch.initial_seed()
        self._said = False
        self.statistics: Affine | None = None  # of a checkpoint; fitted on the training people where there is none
        if augmentation:
            augmentation.check(features, normalise=self.normalise)

    def describe(
        self,
        *,
        shape: tuple[int, ...],
        sampling_rate: float,
        window_seconds: float,
        channels: tuple[str, ...] | None = None,
    ) -> DataSpec:
        """The spec whose other facts are those of the class.

        Args:
            shape: of one trial.
            sampling_rate: of raw signals, Hz; of band features, windows per second.
            window_seconds: length of one trial.
            channels: electrodes in the order of ``x``, where they are not all of the montage.
        """
        return DataSpec(
            dataset=self.taxonomy.name,
            features=self.features,
            channels=self.montage if channels is None else channels,
            shape=shape,
            sampling_rate=sampling_rate,
            window_seconds=window_seconds,
            classes=self.taxonomy.classes,
            class_of=self.taxonomy.class_of,
            subjects=self.subjects,
            simulated=is_simulated(self.root),
            bands={} if self.features == "raw" else self.bands,
        )

    @property
    @abstractmethod
    def spec(self) -> DataSpec:
        """Facts of the cohort; known from the arguments, before any file is read."""

    @abstractmethod
    def recipe(self) -> Recipe:
        """How to make the store; raises an error that names the files that are missing."""

    @property
    def differences(self) -> tuple[str, ...]:
        """How these files differ from the official release, a sentence each; ``result.json`` repeats them."""
        return ()

    @property
    def partition(self) -> Split:
        """The chosen one of ``splits``."""
        return by_name(self.splits, self.split, dataset=self.taxonomy.name)

    @property
    def axis_path(self) -> Path:
        """The axis that belongs to the data unless another is named: the planted one, or the bundled model's."""
        if self.spec.simulated:
            return Path(self.root) / "axis.npz"
        return default_path(llm="bundled", taxonomy=self.taxonomy.reference)

    def extract_command(self, out: str | Path | None = None) -> str:
        """The command that makes the axis where it is looked for.

        Args:
            out: path of an axis that the user named; by default ``axis_path``.
        """
        words = ["python", "-m", "vaxis", "extract", "--taxonomy", self.taxonomy.reference]
        return shlex.join([*words, *(["--out", str(out)] if out else [])])

    @property
    def fingerprint(self) -> str:
        """Name of the preprocessed cohort: follows source files and preprocessing, not split or batch size."""
        return self._recipe.fingerprint

    @cached_property
    def _recipe(self) -> Recipe:
        return replace(self.recipe(), channels=self.spec.channels, raw=self.features == "raw")

    def counterpart(self, kind: str) -> "EEGDataModule":
        """A second data set for strategies that train on one, where none was named; a simulated cohort can make it.

        Args:
            kind: ``another cohort`` or ``the other data set``.

        Raises:
            ValueError: the data are real, so only the user knows where others are.
        """
        raise ValueError(
            f"this strategy also trains on {kind}: name it with --source, for example --source SEEDV --source.root DIR"
        )

    def prepare_data(self) -> None:
        """Preprocess the cohort unless that has been done, and say how it differs from the official one."""
        if not self._said and self.differences:
            print("\n".join(f"note     {sentence}" for sentence in self.differences), flush=True)
        self._said = True
        build(self._recipe, cache=self.cache, workers=self.workers, verify=self.verify)

    def setup(self, stage: str | None = None) -> None:
        """Open the store, split it and fit the normalisation."""
        if stage in (None, "fit"):
            self.seed = torch.initial_seed()
            ranks = self.trainer.world_size if self.trainer else 1
            if self.batch_size % ranks:
                raise ValueError(
                    f"--data.batch_size {self.batch_size} must be a multiple of the {ranks} processes that share it"
                )
        if hasattr(self, "store"):
            return
        self.store: Store = build(self._recipe, cache=self.cache, workers=self.workers, verify=self.verify)
        # The partition first: roles, and which clips are new, follow from the clips whatever the labels.
        indices = self.partition.indices(self.store.trials, fold=self.fold)
        self.store.trials, takes_part = self.labelled(self.store.trials)
        self.indices = only(indices, takes_part, labels=self.labels)
        train = self.indices["train"]
        people = some_people(self.store.trials.subject[train], fraction=self.train_fraction, seed=self.seed)
        self.indices["train"] = train[people]
        channels, dataset = self.spec.channels, self.taxonomy.name
        for line in oddities(self.store.people, names=self.subjects, channels=channels, features=self.features):
            warnings.warn(f"{dataset}: {line}", stacklevel=2)

    def labelled(self, trials: Trials) -> tuple[Trials, np.ndarray]:
        """The trials with the classes to decode, and a mask (n,) of those that take part.

        By default the class is that of the clip, and all take part; a data set with self-reports may say otherwise.
        """
        return trials, np.ones(len(trials), dtype=bool)

    def state_dict(self) -> dict[str, Any]:
        """What a checkpoint keeps of the data: the statistics that its batches are normalised with."""
        own = normalisation.state(self._slices.affine, kind=self.normalise, channels=self.spec.channels)
        return own | self.people_state()

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Normalise with the statistics of a checkpoint, those of its training people, whoever is here now."""
        self.statistics = normalisation.restored(state_dict, kind=self.normalise, channels=self.spec.channels)
        self.people = People(**state_dict["people"]) if "people" in state_dict else self.people
        if "_slices" in vars(self) and self.statistics is not None:
            self._slices.affine = self.statistics.to(self._slices.device)

    @cached_property
    def _slices(self) -> TrialSlices:
        affine = self.statistics or normalisation.fit(
            self.store, kind=self.normalise, train=self.indices["train"], raw=self.features == "raw", scale=self.scale,
            channels=self.spec.channels,
        )  # fmt: skip
        device = self.trainer.strategy.root_device if self.trainer else torch.device("cpu")
        return TrialSlices(self.store, affine=affine, residence=self.residence, device=device)

    def loader(self, indices: np.ndarray, *, shuffle: bool = False) -> DataLoader:
        """Batches of the given rows, for example of a subset that an analysis looks at."""
        there = self.store.check_still_there
        batches = EpochBatches(indices, batch_size=self.batch_size, shuffle=shuffle, seed=self.seed, before=there)
        # A generator of its own: starting an iterator must not move the random state that dropout and augmentation use.
        own = torch.Generator().manual_seed(self.seed)
        return DataLoader(self._slices, sampler=batches, batch_size=None, generator=own)

    def train_dataloader(self) -> DataLoader:
        return self.loader(self.indices["train"], shuffle=True)

    def val_dataloader(self) -> DataLoader:
        return self.loader(self.indices["val"])

    def test_dataloader(self) -> DataLoader | list[DataLoader]:
        """The test, and behind it the same people on clips of the training where the split holds clips back."""
        test = self.loader(self.indices["test"])
        return [test, self.loader(self.indices[SEEN])] if SEEN in self.indices else test

    def predict_dataloader(self) -> DataLoader:
        return self.loader(self.indices["test"])
