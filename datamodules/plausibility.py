"""Does a recording look like EEG, and like the other people's? Statistics of each person, and what is odd in them."""

import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:  # brings torch along, and each process that preprocesses imports this file
    from eeg.batch import Features

# People differ in amplitude by a factor of two or three, electrodes of one person by ten; units by a million. The
# limits lie between: nothing that a head does is called odd, and no unit, gain or dead electrode passes.
PERSON_FACTOR = 30.0
CHANNEL_FACTOR = 100.0
LOUDEST = 1000.0  # microvolt; cortical EEG stays below a tenth of it
QUIETEST = 0.1  # microvolt; amplifiers alone give more
LOWEST_ENTROPY = -4.0  # nats; that of 4 nV in a band, where signals in volts lie near -10
HIGHEST_ENTROPY = 50.0  # nats; no signal in microvolt has it
COHORT = 3  # people from whom on one can be compared with the others
SHOWN = 8  # names in one warning


@dataclass(frozen=True, kw_only=True)
class People:
    """Statistics of each person's trials, per channel and band (one band for raw signals), made while preprocessing.

    Attributes:
        mean: (people, C, B).
        spread: (people, C, B) standard deviation over trials, and over time for raw signals.
        low: (people, C, B) smallest value.
        high: (people, C, B) largest value.
    """

    mean: np.ndarray
    spread: np.ndarray
    low: np.ndarray
    high: np.ndarray

    @classmethod
    def of(cls, values: np.ndarray, *, raw: bool) -> "People":
        """Of one person's trials.

        Args:
            values: (n, C, samples or bands).
            raw: True pools a channel over time; False keeps bands apart.
        """
        axes = (0, 2) if raw else (0,)

        def of_channels(numbers: np.ndarray) -> np.ndarray:
            return numbers.reshape(1, values.shape[1], -1).astype(np.float64)

        mean, squares = _moments(values, raw=raw)
        return cls(
            mean=of_channels(mean),
            spread=of_channels(np.sqrt(np.maximum(squares - mean**2, 0))),
            low=of_channels(values.min(axis=axes)),
            high=of_channels(values.max(axis=axes)),
        )

    @classmethod
    def join(cls, people: Sequence["People"]) -> "People":
        """One table out of several."""
        return cls(**{name: np.concatenate([vars(one)[name] for one in people]) for name in cls.__dataclass_fields__})

    @property
    def flat(self) -> np.ndarray:
        """(people, C) where a channel has one value for all its trials, up to rounding."""
        largest = np.maximum(np.abs(self.low), np.abs(self.high))
        return (self.high - self.low <= 1e-5 * largest).all(axis=2)

    def level(self, features: "Features") -> np.ndarray:
        """(people, C, B) logarithm of the amplitude, so that a gain shifts it; NaN where there is none."""
        if features == "de":  # half the logarithm of the power, and a constant
            return self.mean
        with np.errstate(divide="ignore", invalid="ignore"):
            if features == "psd":
                return np.where(self.mean > 0, 0.5 * np.log(self.mean), np.nan)
            return np.log(np.where(self.flat[..., None], np.nan, np.hypot(self.mean, self.spread)))


def _moments(values: np.ndarray, *, raw: bool) -> tuple[np.ndarray, np.ndarray]:
    """Mean of the values and of their squares, in float64."""
    if not raw:
        return values.mean(axis=0, dtype=np.float64), np.square(values, dtype=np.float64).mean(axis=0)
    total, squares = np.zeros(values.shape[1]), np.zeros(values.shape[1])
    for trial in values:  # one at a time: all of a person's in float64 would be twice their own size
        wide = trial.astype(np.float64)
        total += wide.sum(axis=1)
        squares += np.einsum("ct,ct->c", wide, wide)
    samples = len(values) * values.shape[2]
    return total / samples, squares / samples


def oddities(people: People, *, names: Sequence[str], channels: Sequence[str], features: "Features") -> list[str]:
    """One line for each kind of oddity, which names people, channels and the reason.

    People are compared with the median person and electrodes with the same electrode of the others, so that neither
    one broken recording nor any unit that all share can hide itself; what all share is held against what EEG can be.

    Args:
        people: statistics of the cohort.
        names: of the people.
        channels: names.
        features: what a trial holds.
    """
    level = people.level(features)
    of_person = _median(level, axis=(1, 2))
    loud = of_person - _median(of_person) if len(names) >= COHORT else np.zeros(len(names))
    with np.errstate(invalid="ignore"):
        unlike = {name: shift for name, shift in zip(names, loud) if abs(shift) > np.log(PERSON_FACTOR)}
        extreme = _extreme(people, of_person, features)
    lines = []
    if unlike:
        told = _listed([f"{name} ({_times(shift)})" for name, shift in unlike.items()])
        lines.append(f"amplitude unlike the others': {told}; another unit or a broken recording; {_without(unlike)}")
    if extreme.all():
        lines.append(f"everybody: {_bound(features)}; signals must be in microvolt")
    elif alone := [name for name, odd in zip(names, extreme) if odd and name not in unlike]:
        lines.append(f"{_listed(alone)}: {_bound(features)}; {_without(alone)}")
    flat = [(names[s], channels[c]) for s, c in np.argwhere(people.flat)]
    if flat:
        lines.append(f"{_places(flat)}: one value throughout, so a dead or an unplugged electrode")
    if len(names) >= COHORT:
        lines += _odd_channels(level - of_person[:, None, None], people.flat, names=names, channels=channels)
    return lines


def _extreme(people: People, of_person: np.ndarray, features: "Features") -> np.ndarray:
    """(people,) whose values lie beyond what EEG in microvolt can be."""
    if features == "raw":
        return (of_person > np.log(LOUDEST)) | (of_person < np.log(QUIETEST))
    if features == "psd":
        return of_person < LOWEST_ENTROPY - 1  # a power of 1 has level 0 and an entropy of 1.4
    return (of_person < LOWEST_ENTROPY) | (people.high.max(axis=(1, 2)) > HIGHEST_ENTROPY)


def _bound(features: "Features") -> str:
    if features == "raw":
        return f"root mean square outside {QUIETEST:g} to {LOUDEST:g} microvolt, which is not EEG"
    if features == "psd":
        return "power below that of any signal in microvolt"
    return f"entropy outside {LOWEST_ENTROPY:g} to {HIGHEST_ENTROPY:g} nats, which no signal in microvolt has"


def _odd_channels(own: np.ndarray, flat: np.ndarray, *, names: Sequence[str], channels: Sequence[str]) -> list[str]:
    """Electrodes far from the same electrode of the others, once how loud the person is has been taken out."""
    with np.errstate(invalid="ignore"):
        odd = (np.abs(own - _median(own, axis=0)) > np.log(CHANNEL_FACTOR)).any(axis=2) & ~flat
    places = [(names[s], channels[c]) for s, c in np.argwhere(odd)]
    if not places:
        return []
    return [f"{_places(places)}: over {CHANNEL_FACTOR:g} times louder or quieter than in the others"]


def _median(values: np.ndarray, axis: int | tuple[int, ...] | None = None) -> np.ndarray:
    """Of the finite ones; NaN where there is none."""
    if np.isfinite(values).all():
        return np.median(values, axis=axis)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of rows without a number
        return np.nanmedian(values, axis=axis)


def _times(shift: float) -> str:
    """An amplitude against that of the others, in words."""
    factor = float(np.exp(min(abs(shift), 300.0)))
    said = f"{factor:,.0f}" if factor < 1e7 else f"{factor:.0e}"  # an entropy that is scaled by 3000 gives e^3000
    return f"{said} times theirs" if shift > 0 else f"1/{said} of theirs"


def _listed(items: Sequence[str]) -> str:
    more = f" and {len(items) - SHOWN} more" if len(items) > SHOWN else ""
    return ", ".join(items[:SHOWN]) + more


def _places(places: Sequence[tuple[str, str]]) -> str:
    """``sub003 channels F4, P8; sub010 channel Oz``."""
    people = {name: [channel for person, channel in places if person == name] for name, _ in places}
    return _listed([f"{name} channel{'s' * (len(own) > 1)} {_listed(own)}" for name, own in people.items()])


def _without(names: Iterable[str]) -> str:
    return f"leave out with --data.exclude '[{','.join(names)}]'"


def check_finite(values: np.ndarray, *, source: str | Path, axes: dict[str, tuple[str, ...] | None]) -> None:
    """Refuse NaN and infinity, naming the first place.

    Args:
        values: array read from a file.
        source: the file.
        axes: name of the leading axes and the names along each (None = count from 0).
    """
    finite = np.isfinite(values)
    if finite.all():
        return
    place = np.argwhere(~finite)[0]
    where = ", ".join(f"{axis} {names[i] if names else i}" for (axis, names), i in zip(axes.items(), place))
    count = int(finite.size - finite.sum())
    raise ValueError(
        f"{source}: {count} values are NaN or infinite as float32, the first at {where}; repair the file or "
        "leave the subject out with --data.exclude"
    )
