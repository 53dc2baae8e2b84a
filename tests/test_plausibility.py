"""Every kind of value that is no EEG is told of by person, channel and reason; plausible cohorts are passed over."""

import warnings
from pathlib import Path

import numpy as np
import pytest

from datamodules.faced import FACED
from datamodules.plausibility import People, oddities
from datamodules.simulation import faced_files

NAMES = tuple(f"sub{i:03d}" for i in range(8))
CHANNELS = ("Fp1", "F4", "Oz", "P8")


def cohort(features: str) -> np.ndarray:
    """(people, trials, channels, samples or bands) with amplitudes that differ by a factor of two between people."""
    generator = np.random.default_rng(0)
    gain = np.exp(generator.normal(scale=0.5, size=(len(NAMES), 1, 4, 1)))
    raw = 20 * gain * generator.normal(size=(len(NAMES), 40, 4, 50))
    if features == "raw":
        return raw
    entropy = 0.5 * np.log(2 * np.pi * np.e * (raw**2).reshape(len(NAMES), 40, 4, 5, 10).mean(axis=4))
    return entropy if features == "de" else np.exp(2 * entropy) / 17


def odd(values: np.ndarray, *, features: str, people: int = len(NAMES)) -> list[str]:
    everyone = People.join([People.of(one.astype(np.float32), raw=features == "raw") for one in values[:people]])
    return oddities(everyone, names=NAMES[:people], channels=CHANNELS, features=features)


def scaled(values: np.ndarray, factor: float, *, features: str, where: object) -> np.ndarray:
    """What features come to when the signal behind some of them is so many times larger."""
    values = values.copy()
    if features == "de":
        values[where] += np.log(factor)
    else:
        values[where] *= factor ** (2 if features == "psd" else 1)
    return values


FEATURES = pytest.mark.parametrize("features", ["raw", "de", "psd"])


@FEATURES
def test_people_who_differ_as_people_do_are_not_odd(features: str) -> None:
    assert odd(cohort(features), features=features) == []
    louder = scaled(cohort(features), 10, features=features, where=3)
    assert odd(louder, features=features) == []


@FEATURES
@pytest.mark.parametrize("factor", [3000.0, 1e-6])
def test_one_person_in_another_unit_or_thousands_of_times_too_large(features: str, factor: float) -> None:
    (line,) = odd(scaled(cohort(features), factor, features=features, where=3), features=features)
    assert line.startswith("amplitude unlike the others': sub003 (")
    assert line.endswith("leave out with --data.exclude '[sub003]'")
    shift = float(line.split("(")[1].split(" ")[0].removeprefix("1/").replace(",", ""))
    assert np.log(shift) == pytest.approx(abs(np.log(factor)), abs=1.5)


def test_entropies_that_are_thousands_of_times_too_large() -> None:
    values = cohort("de")
    values[3] *= 3000
    (line,) = [line for line in odd(values, features="de") if "sub003 (" in line]
    assert len(line) < 140, "a factor of hundreds of digits is no figure"


@FEATURES
def test_everybody_in_volts(features: str) -> None:
    everything = scaled(cohort(features), 1e-6, features=features, where=slice(None))
    (line,) = odd(everything, features=features)
    assert line.startswith("everybody: ")
    assert line.endswith("signals must be in microvolt")
    (line,) = odd(everything, features=features, people=1)
    assert line.startswith("everybody: ")


@FEATURES
def test_half_of_the_people_in_volts(features: str) -> None:
    lines = odd(scaled(cohort(features), 1e-6, features=features, where=slice(0, 4)), features=features)
    assert "sub000 (1/" in lines[0]


@FEATURES
def test_a_flat_channel(features: str) -> None:
    values = cohort(features)
    values[5, :, 1] = 0.25
    lines = odd(values, features=features)
    assert lines[0] == "sub005 channel F4: one value throughout, so a dead or an unplugged electrode"
    assert len(lines) == 1


@FEATURES
@pytest.mark.parametrize("factor", [1e4, 1e-4])
def test_a_channel_that_is_far_too_loud_or_quiet(features: str, factor: float) -> None:
    values = scaled(cohort(features), factor, features=features, where=(5, slice(None), 2))
    (line,) = odd(values, features=features)
    assert line.startswith("sub005 channel Oz: over 100 times louder or quieter")


def test_two_people_are_held_against_what_eeg_can_be() -> None:
    (line,) = odd(scaled(cohort("raw"), 3000, features="raw", where=1), features="raw", people=2)
    assert line.startswith("sub001: root mean square outside 0.1 to 1000 microvolt")


def test_many_names_are_cut_short() -> None:
    values = cohort("raw")
    values[:, :, :2] = 0
    (line, *_) = odd(np.repeat(values, 2, axis=0)[: len(NAMES)], features="raw")
    assert "sub000 channels Fp1, F4" in line


def test_the_published_outlier_is_warned_of_in_band_features_too(tmp_path: Path) -> None:
    people = ("sub000", "sub010", "sub023", "sub080", "sub100")
    cache = str(tmp_path / "stores")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        write(tmp_path / "clean", people, outlier=False)
        FACED(root=str(tmp_path / "clean"), subjects=people, cache=cache).setup("test")
    write(tmp_path / "outlier", people, outlier=True)
    with pytest.warns(UserWarning, match=r"faced: amplitude unlike .*: sub023 \([23],\d\d\d times theirs\)"):
        FACED(root=str(tmp_path / "outlier"), subjects=people, cache=cache).setup("test")


def write(root: Path, people: tuple[str, ...], *, outlier: bool) -> None:
    """The files of a few people of the simulated cohort."""
    cohort = faced_files.faced_cohort(faced_files.choose_axis(None, taxonomy=FACED.taxonomy, seed=0), snr=0.8, seed=0)
    for name in people:
        number = int(name[3:])
        scale = faced_files.OUTLIER_FACTOR if outlier and number == faced_files.OUTLIER else 1.0
        faced_files._write_subject(root, cohort=cohort, number=number, raw=False, scale=scale)
