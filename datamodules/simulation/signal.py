"""From the truth of a cohort to what one subject's amplifier and feature script would have stored."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from datamodules.simulation.truth import SMOOTHNESS, Truth, scalp_position, smooth_kernel
from datamodules.simulation.world import World
from eeg.bands import Bands

TRIAL_NOISE_SECONDS = 8.0  # correlation time of the half of the trial noise that is not constant over the clip
LOG_POWER = 0.5 * np.log(2 * np.pi * np.e)  # differential entropy of a unit-variance Gaussian
SLOW_DRIFT = (0.05, 1.0)  # Hz; below every feature band but left in by the band-pass of FACED


@dataclass(frozen=True, kw_only=True)
class Subject:
    """One simulated person.

    Attributes:
        offset: (E, B) nats added to every trial.
        gain: factor on everything evoked.
        band_gain: (B,) further factor on what is evoked and on codes.
        mixing: (E, E) from what a clip does to what this person's electrodes show of it; None changes nothing.
        states: (S, M) a_stm, the momentary state during each clip.
        noise: (S,) factor on the noise of each trial.
    """

    offset: np.ndarray
    gain: float
    band_gain: np.ndarray
    mixing: np.ndarray | None
    states: np.ndarray
    noise: np.ndarray


@dataclass(frozen=True, kw_only=True)
class Cohort:
    """Draws the signals of any subject; a subject depends on (seed, number) alone, never on who was drawn before.

    Log-power of a window = rest + subject offset + response to the clip + trial noise, in nats of differential entropy;
    ``World`` has the whole formula.
    Band features add the sampling noise of a power estimate (log chi-square); raw signals are Gaussian noise in each
    band with that power. Both start from the same log-power.

    Args:
        truth: patterns and positions.
        channels: E electrode names.
        bands: five bands, slow to fast.
        seed: of all subjects.
        world: how they differ and how much noise they bring.
    """

    truth: Truth
    channels: tuple[str, ...]
    bands: Bands
    seed: int
    world: World

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
        world, rng, states = self.world, self.rng(number, "person"), self.rng(number, "states")
        electrodes, bands, clips = len(self.channels), len(self.bands), len(self.truth.v)
        offset = world.offset * self._smooth @ rng.standard_normal((electrodes, bands))
        loudness, gain = world.loudness * rng.standard_normal(), np.exp(world.gain * rng.standard_normal())
        # Whatever follows is drawn after and apart from what the first version drew, which stays the same.
        quality = _spread(world.quality, rng.standard_normal())
        band_gain = np.exp(world.band_gain * rng.standard_normal(bands))
        return Subject(
            offset=offset + loudness,
            gain=float(gain),
            band_gain=band_gain,
            mixing=self._mixing(rng) if world.mixing else None,
            states=states.standard_normal((world.codes, clips)).T,
            noise=np.asarray(quality * _spread(world.heavy_tails, self.rng(number, "tails").standard_normal(clips))),
        )

    def _mixing(self, rng: np.random.Generator) -> np.ndarray:
        """A random matrix (E, E) that keeps the expected power; mastoids and eyes, which see no clip, stay at zero."""
        electrodes, scalp = len(self.channels), self.truth.axis.any(axis=1)
        others = rng.standard_normal((electrodes, electrodes)) / np.sqrt(scalp.sum())
        mixing = np.eye(electrodes) + self.world.mixing * others
        return mixing * np.outer(scalp, scalp) / np.sqrt(1 + self.world.mixing**2)

    def response(self, number: int) -> np.ndarray:
        """What each clip does to a person (S, E, B), nats: evoked part, codes and the noise of single electrodes.

        It is constant over the clip, so all windows of a clip share it.
        """
        person, truth, world = self.subject(number), self.truth, self.world
        codes = np.tensordot(world.state_strength * person.states, truth.state_patterns, axes=1)
        codes += np.tensordot(world.code_strength * person.states * truth.clip_codes, truth.code_patterns, axes=1)
        seen = person.band_gain * (person.gain * truth.evoked + codes)
        if person.mixing is not None:
            seen = person.mixing @ seen
        white = self.rng(number, "electrodes").standard_normal(seen.shape)
        return seen + world.electrode_noise * person.noise[:, None, None] * white

    def entropy(
        self,
        subject: Subject,
        response: np.ndarray,
        *,
        windows: int,
        seconds: float,
        rng: np.random.Generator,
        noise: np.ndarray | float = 1.0,
    ) -> np.ndarray:
        """Expected differential entropy (N, E, T, B) of T windows of the given length, nats.

        Trial noise has the covariance space x time of a smooth scalp and of a constant plus an exponential decay.

        Args:
            subject: who is recorded.
            response: (N, E, B) what the N trials do to the subject; rows of ``response``, or zeros at rest.
            windows: T.
            seconds: length of a window.
            rng: of the trial noise.
            noise: factor on the trial noise, one or one a trial; elements of ``subject.noise``.
        """
        lag = seconds * np.abs(np.subtract.outer(np.arange(windows), np.arange(windows)))
        in_time = np.linalg.cholesky(0.5 + 0.5 * np.exp(-lag / TRIAL_NOISE_SECONDS) + 1e-9 * np.eye(windows))
        white = rng.standard_normal((len(response), len(self.bands), len(self.channels), windows))
        smooth = self.world.trial_noise * np.moveaxis(self._smooth @ white @ in_time.T, 1, -1)
        steady = self.truth.base + subject.offset + response
        return steady[:, :, None] + np.reshape(noise, (-1, 1, 1, 1)) * smooth

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


def _spread(size: float, normal: np.ndarray | float) -> np.ndarray | float:
    """Lognormal factor of unit mean square; exactly 1 at size 0."""
    return np.exp(size * normal - size**2)
