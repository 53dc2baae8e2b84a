"""Random changes to training trials, a whole batch at a time on the device it is on."""

from dataclasses import dataclass

import torch
from torch import Tensor

from datamodules.people import Drawn, People


@dataclass(frozen=True, kw_only=True)
class Augmentation:
    """Operations drawn anew for every trial and epoch from torch's global generator (arXiv 2606.00129).

    Each operation that is switched on strikes each trial independently with ``probability``; 0 switches one off. The
    defaults are the paper's recipe; an earlier draft of it had jitter of 20 samples and amplitude scaling, no mask.

    Attributes:
        probability: that one operation strikes one trial.
        noise_std: standard deviation of added Gaussian noise, in the unit of x (raw: 100 microvolt by default).
        channel_dropout: share of the channels of a struck trial that are set to 0.
        time_mask: longest span of a struck trial that is set to 0, as a share of its length; raw signals only.
        jitter_samples: largest circular shift in time, either way, in samples; raw signals only.
        amplitude_scale: largest relative change of a trial's amplitude, either way (0.1 = 0.9 to 1.1).
        person_swap: how far a struck trial goes from its person's baseline to that of another training person, 1 = all
            the way. Of band features the baseline is the mean, of raw signals the amplitude at each frequency of each
            electrode. Nothing is known of labels or of validation and test people.
        person_drawn: people = another training person; gaussian = a draw from the normal distribution fitted to them.
    """

    probability: float = 0.6
    noise_std: float = 0.05
    channel_dropout: float = 0.15
    time_mask: float = 0.05
    jitter_samples: int = 0
    amplitude_scale: float = 0.0
    person_swap: float = 0.0
    person_drawn: Drawn = "people"

    def __post_init__(self) -> None:
        for name in ("probability", "channel_dropout", "time_mask", "amplitude_scale", "person_swap"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"augmentation.{name} must lie between 0 and 1, got {getattr(self, name)}")
        for name in ("noise_std", "jitter_samples"):
            if getattr(self, name) < 0:
                raise ValueError(f"augmentation.{name} must not be negative, got {getattr(self, name)}")

    @property
    def needs_time(self) -> bool:
        """True when an operation only makes sense along a time axis."""
        return self.time_mask > 0 or self.jitter_samples > 0

    def check(self, features: str, *, normalise: str = "train") -> None:
        """Refuse operations on what the trials lack: time, or what tells people apart.

        Raises:
            ValueError: names the flags that switch them off.
        """
        if self.person_swap and features != "raw" and normalise == "subject":
            raise ValueError(
                "augmentation.person_swap swaps what --data.normalise subject has taken from everyone; leave one out"
            )
        if self.needs_time and features != "raw":
            raise ValueError(
                f"augmentation: time_mask and jitter_samples need raw signals, not {features}; set "
                "--data.augmentation.time_mask 0 --data.augmentation.jitter_samples 0"
            )

    def __call__(self, x: Tensor, *, subject: Tensor | None = None, people: People | None = None) -> Tensor:
        """Changed copy of a batch (B, C, T); zeros come last so that silenced parts carry no noise.

        Args:
            x: trials.
            subject: (B,) who they are of; needed for ``person_swap`` alone, as are
            people: the training people.
        """
        if self.person_swap:
            assert people is not None  # the data module measures them where they are needed
            assert subject is not None
            x = people.moved(x, subject, strength=self.person_swap * self._struck(x), drawn=self.person_drawn)
        if self.jitter_samples:
            shift = torch.randint(-self.jitter_samples, self.jitter_samples + 1, (len(x), 1, 1), device=x.device)
            time = torch.arange(x.shape[-1], device=x.device)
            x = x.gather(-1, ((time - shift * self._struck(x)) % x.shape[-1]).expand_as(x))
        else:
            x = x.clone()
        if self.amplitude_scale:
            change = self.amplitude_scale * (2 * _uniform(x) - 1)
            x.mul_(1 + change * self._struck(x))
        if self.noise_std:
            x.addcmul_(torch.randn_like(x), self.noise_std * self._struck(x))
        if self.channel_dropout:
            silent = torch.rand(*x.shape[:2], 1, device=x.device) < self.channel_dropout
            x.masked_fill_(silent & self._struck(x), 0.0)
        if self.time_mask:
            x.masked_fill_(self._span(x) & self._struck(x), 0.0)
        return x

    def _struck(self, x: Tensor) -> Tensor:
        return _uniform(x) < self.probability

    def _span(self, x: Tensor) -> Tensor:
        samples = x.shape[-1]
        length = _uniform(x) * self.time_mask * samples
        start = _uniform(x) * (samples - length)
        time = torch.arange(samples, device=x.device)
        return (time >= start) & (time < start + length)


def _uniform(x: Tensor) -> Tensor:
    return torch.rand(len(x), 1, 1, device=x.device)
