"""FACED and SEED-V cohorts that are written when first needed, then read through the same door as the real ones."""

import hashlib
import json
from dataclasses import asdict, replace
from typing import Any

from datamodules.base import EEGDataModule
from datamodules.faced import FACED
from datamodules.faced import SUBJECTS as FACED_SUBJECTS
from datamodules.seedv import SEEDV
from datamodules.seedv import SUBJECTS as SEEDV_SUBJECTS
from datamodules.simulation.faced_files import spread_subjects, write_faced
from datamodules.simulation.seedv_files import write_seedv
from datamodules.simulation.world import CLIP_CODES, World, check_strength
from eeg.batch import DataSpec
from records.files import cache_dir
from vaxis.axis import Axis


class SimulatedFACED(FACED):
    """FACED with a planted valence axis: files of the official layout, drawn by ``datamodules.simulate``."""

    def __init__(
        self,
        *,
        root: str | None = None,
        n_subjects: int = 123,
        snr: float = 0.8,
        cohort_seed: int = 0,
        people_seed: int | None = None,
        axis: str | None = None,
        outlier: bool = False,
        world: World = CLIP_CODES,
        subjects: tuple[str | int, ...] | None = None,
        **faced,
    ) -> None:
        """Check the arguments; the cohort is written by ``prepare_data``.

        Args:
            root: folder of the cohort, written where missing; a folder with other content is refused. By default one in
                the cache folder for these parameters.
            n_subjects: 1 to 123, fewer are taken evenly from the parts of subject_80_20_23. Raw signals are written
                for them where features is raw (54 MB and a second each).
            snr: multiplies everything evoked by the clips: moves linear decoders, from chance at 0 through about 0.37
                at 0.8; what only networks see is set by the codes of ``world``.
            cohort_seed: of the cohort, independent of the training seed.
            people_seed: of its people where they shall be others; clips evoke in them what they evoke in the cohort of
                ``cohort_seed``.
            axis: axis artifact whose stimulus positions are planted; by default one is drawn. The cohort's own copy is
                ``axis.npz`` in root.
            outlier: make sub023 3000 times too large, as its published signal is.
            world: what clips and people are made of; configs/linear_world.yaml is the first version's.
            subjects: use only these of the simulated ones; all of them by default.
        """
        check_strength(snr)
        if subjects is None:
            subjects = tuple(FACED_SUBJECTS[n] for n in spread_subjects(n_subjects))
        self.n_subjects, self.prepared = n_subjects, False
        self.simulation: dict[str, Any] = {
            "snr": snr,
            "seed": cohort_seed,
            "axis": axis,
            "outlier": outlier,
            "world": world,
        }
        if people_seed is not None:
            self.simulation["people_seed"] = people_seed
        super().__init__(root=root or _folder("faced", self.simulation), subjects=subjects, **faced)

    @property
    def spec(self) -> DataSpec:
        return replace(super().spec, simulated=True)

    def counterpart(self, kind: str) -> EEGDataModule:
        """Other people who see the same clips, or a simulated SEED-V."""
        if kind == "another cohort":
            settings = self.simulation | {
                "people_seed": self.simulation.get("people_seed", self.simulation["seed"]) + 1
            }
            return SimulatedFACED(
                n_subjects=self.n_subjects,
                cohort_seed=settings.pop("seed"),
                features=self.features,
                window_seconds=self.window_seconds,
                sampling_rate=self.sampling_rate,
                batch_size=self.batch_size,
                normalise=self.normalise,
                labels=self.labels,
                cache=str(self.cache),
                **settings,
            )
        return SimulatedSEEDV(
            features=self.features, batch_size=self.batch_size, cache=str(self.cache), **_strength(self.simulation)
        )

    def prepare_data(self) -> None:
        """Write what is missing of the cohort, then preprocess it."""
        if not self.prepared:  # Lightning asks before every fit, validation and test
            raw = self.n_subjects if self.features == "raw" else 0
            write_faced(self.root, n_subjects=self.n_subjects, raw_subjects=raw, **self.simulation)
            self.prepared = True
        super().prepare_data()


class SimulatedSEEDV(SEEDV):
    """SEED-V with a planted valence axis: files of the official layout, drawn by ``datamodules.simulate``."""

    def __init__(
        self,
        *,
        root: str | None = None,
        n_subjects: int = 16,
        snr: float = 0.8,
        cohort_seed: int = 0,
        axis: str | None = None,
        seconds_per_trial: int | None = None,
        corrupt_header: bool = False,
        world: World = CLIP_CODES,
        subjects: tuple[str | int, ...] | None = None,
        **seedv,
    ) -> None:
        """Check the arguments; the cohort is written by ``prepare_data``.

        Args:
            root: folder of the cohort, written where missing; a folder with other content is refused. By default one in
                the cache folder for these parameters.
            n_subjects: 1 to 16. Raw recordings are written for them where features is raw.
            snr: multiplies everything evoked by the clips, which is all that a linear decoder sees of them.
            cohort_seed: of the cohort, independent of the training seed.
            axis: axis artifact whose stimulus positions are planted; by default one is drawn. The cohort's own copy is
                ``axis.npz`` in root.
            seconds_per_trial: length of every clip, at least 4; by default the official lengths, with which raw
                recordings take 2.4 GB a person.
            corrupt_header: give 7_1_20180411.cnt the broken sample count of the published file.
            world: what clips and people are made of, as in SimulatedFACED.
            subjects: use only these of the simulated ones; all of them by default.
        """
        check_strength(snr)
        self.n_subjects, self.prepared = n_subjects, False
        self.simulation: dict[str, Any] = {"snr": snr, "seed": cohort_seed, "axis": axis, "world": world}
        self.simulation |= {"seconds_per_trial": seconds_per_trial, "corrupt_header": corrupt_header}
        root = root or _folder("seedv", self.simulation)
        super().__init__(root=root, subjects=SEEDV_SUBJECTS[:n_subjects] if subjects is None else subjects, **seedv)

    @property
    def spec(self) -> DataSpec:
        return replace(super().spec, simulated=True)

    def counterpart(self, kind: str) -> EEGDataModule:
        """A simulated FACED; there is no second SEED-V."""
        return SimulatedFACED(
            features=self.features, batch_size=self.batch_size, cache=str(self.cache), **_strength(self.simulation)
        )

    def prepare_data(self) -> None:
        """Write what is missing of the cohort, then preprocess it."""
        if not self.prepared:  # Lightning asks before every fit, validation and test
            raw = self.n_subjects if self.features == "raw" else 0
            write_seedv(self.root, n_subjects=self.n_subjects, raw_subjects=raw, **self.simulation)
            self.prepared = True
        super().prepare_data()


def _strength(simulation: dict) -> dict:
    """What a second data set of the other kind takes over, so that both belong to one world."""
    return {name: simulation[name] for name in ("snr", "world")}


def _folder(dataset: str, simulation: dict) -> str:
    """One folder for each set of parameters; the axis counts by content, not by where its file lies."""
    axis = simulation["axis"] and Axis.load(simulation["axis"]).fingerprint
    plain = simulation | {"axis": axis, "world": asdict(simulation["world"])}
    digest = hashlib.sha256(json.dumps(plain, sort_keys=True).encode()).hexdigest()[:8]
    return str(cache_dir() / "simulated" / f"{dataset}-{digest}")
