"""From the truth of a cohort to what one subject's amplifier and feature script would have stored."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from datamodules.simulation.truth import SMOOTHNESS, Truth, scalp_position, smooth_kernel
from eeg.bands import Bands

TRIAL_NOISE = 0.25  # nats; what the subject happens to do during a clip, smooth over the scalp and slow in time
TRIAL_NOISE_SECONDS = 8.0  # correlation time of the half of it that is not constant over the clip
OFFSET = 0.25  # nats; anatomy, per electrode and band
LOUDNESS = 0.3  # nats; skull and amplifier, one number a subject
GAIN = 0.3  # spread of the log of how strongly a subject responds
LOG_POWER = 0.5 * np.log(2 * np.pi * np.e)  # differential entropy of a unit-variance Gaussian
SLOW_DRIFT = (0.05, 1.0)  # Hz; below every feature band but left in by the band-pass of FACED


@dataclass(frozen=True, kw_only=True)
class Subject:
    """One simulated person.

    Attributes:
        offset: (E, B) nats added to every trial.
        gain: factor on everything evoked.
    """

    offset: np.ndarray
    gain: float


@dataclass(frozen=True, kw_only=True)
class Cohort:
    """Draws the signals of any subject; a subject depends on (seed, number) alone, never on who was drawn before.

    Log-power of a window = rest + subject offset + gain * evoked(clip) + trial noise, in nats of differential entropy.
    Band features add the sampling noise of a power estimate (log chi-square); raw signals are Gaussian noise in each
    band with that power. Both start from the same log-power.

    Args:
        truth: patterns and positions.
        channels: E electrode names.
        bands: five bands, slow to fast.
        seed: of all subjects.
    """

    truth: Truth
    channels: tuple[str, ...]
    bands: Bands
    seed: int

    @cached_property
    def _positions(self) -> np.ndarray:
        return np.array([scalp_position(name) for name in self.channels], dtype=float)

    @cached_property
    def _smooth(self) -> np.ndarray:
        return smooth_kernel(self._positions, length=SMOOTHNESS)

    @cached_property
    def _volume_conduction(self) -> np.ndarray:
        return smooth_kernel(self._positions, length=1)

    def rng(self, subject: int, stream: str) -> np.random.Generator:
        """Independent random numbers for each subject and purpose."""
        return np.random.default_rng([self.seed, 3, subject, *stream.encode()])

    def subject(self, number: int) -> Subject:
        """The person with this number."""
        rng = self.rng(number, "person")
        offset = OFFSET * self._smooth @ rng.standard_normal((len(self.channels), len(self.bands)))
        loudness, gain = LOUDNESS * rng.standard_normal(), np.exp(GAIN * rng.standard_normal())
        return Subject(offset=offset + loudness, gain=float(gain))

    def entropy(
        self, subject: Subject, evoked: np.ndarray, *, windows: int, seconds: float, rng: np.random.Generator
    ) -> np.ndarray:
        """Expected differential entropy (N, E, T, B) of T windows of the given length, nats.

        Trial noise has the covariance space x time of a smooth scalp and of a constant plus an exponential decay.

        Args:
            subject: who is recorded.
            evoked: (N, E, B) what the N trials evoke; rows of ``truth.evoked``, or zeros at rest.
            windows: T.
            seconds: length of a window.
            rng: of the trial noise.
        """
        lag = seconds * np.abs(np.subtract.outer(np.arange(windows), np.arange(windows)))
        in_time = np.linalg.cholesky(0.5 + 0.5 * np.exp(-lag / TRIAL_NOISE_SECONDS) + 1e-9 * np.eye(windows))
        white = rng.standard_normal((len(evoked), len(self.bands), len(self.channels), windows))
        noise = TRIAL_NOISE * np.moveaxis(self._smooth @ white @ in_time.T, 1, -1)
        steady = self.truth.base + subject.offset + subject.gain * evoked
        return steady[:, :, None] + noise

    def estimate(self, entropy: np.ndarray, *, seconds: float, rng: np.random.Generator) -> np.ndarray:
        """Differential entropy as a feature script would measure it, from 2 * bandwidth * seconds samples a window."""
        measured = np.array(entropy)
        for band, (low, high) in enumerate(self.bands.values()):
            shape = (high - low) * seconds
            measured[..., band] += 0.5 * np.log(rng.standard_gamma(shape, size=entropy.shape[:-1]) / shape)
        return measured

    def density(self, entropy: np.ndarray) -> np.ndarray:
        """Mean power spectral density (..., B), microvolt squared per hertz, that belongs to an entropy."""
        widths = np.array([high - low for low, high in self.bands.values()])
        return np.exp(2 * (entropy - LOG_POWER)) / widths

    def waveform(self, entropy: np.ndarray, *, rate: int, rng: np.random.Generator) -> np.ndarray:
        """Raw signal (E, T * rate) in microvolt whose one-second band powers follow (E, T, B) entropies.

        Neighbouring electrodes share activity (volume conduction); between the centres of two seconds the log-amplitude
        runs linearly.
        """
        seconds = entropy.shape[1]
        centres = np.arange(seconds) + 0.5
        times = np.arange(seconds * rate) / rate
        weights = np.stack([np.interp(times, centres, row) for row in np.eye(seconds)])
        log_amplitude = entropy - LOG_POWER
        signal = np.exp(log_amplitude[:, :, 0].mean(axis=1, keepdims=True) - 0.5) * self._noise(
            SLOW_DRIFT, samples=len(times), rate=rate, rng=rng
        )
        for band, edges in enumerate(self.bands.values()):
            noise = self._noise(edges, samples=len(times), rate=rate, rng=rng)
            signal += np.exp(log_amplitude[:, :, band] @ weights) * noise
        return signal

    def _noise(self, band: tuple[float, float], *, samples: int, rate: int, rng: np.random.Generator) -> np.ndarray:
        """Unit-variance 1/f noise (E, samples) inside one band; zero where the signal is too short for the band."""
        frequency = np.fft.rfftfreq(samples, 1 / rate)
        inside = (frequency >= band[0]) & (frequency < band[1]) & (frequency > 0)
        spectrum = np.zeros((len(self.channels), len(frequency)), dtype=complex)
        if inside.any():
            weight = 1 / np.sqrt(frequency[inside])
            weight *= samples / (2 * np.sqrt((weight**2).sum()))
            parts = rng.standard_normal((2, len(self.channels), inside.sum()))
            spectrum[:, inside] = self._volume_conduction @ (parts[0] + 1j * parts[1]) * weight
        return np.fft.irfft(spectrum, samples, axis=1)
