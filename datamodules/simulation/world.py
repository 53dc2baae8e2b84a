"""The dials of a simulated world: what clips and people are made of, and the two settings that have been measured."""

import math
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class World:
    """What a simulated clip does to a person. Strengths are nats of differential entropy, RMS over scalp and bands.

    Differential entropy of person s, clip t, window w = rest + offset_s + gain_s * snr * evoked_t
    + sum over codes m of a_stm * (state_strength * P_m + code_strength * c_tm * Q_m) + smooth noise + electrode noise.

    P_m and Q_m are smooth scalp patterns and a_stm, one standard normal number a person, clip and code, is a momentary
    state: how the response of one region goes with the state of another changes its sign from clip to clip. The mean
    over people is zero, so no linear decoder reads a code; one that multiplies features does. c_tm is the sign of the
    clip's class (as many + as - classes, but one) plus ``code_scatter`` times a standard normal number.

    The defaults imitate published results on FACED together, as ``python -m benchmarks.world`` measures and
    docs/simulator.md shows: what linear models, one network and a vote of ten reach, how little of it survives a new
    clip, and what centring on the person gains. No value was fitted to a recording.

    Args:
        codes: M, number of codes. More and weaker ones: lower single accuracy, more gain from a vote; 0 leaves a world
            in which a linear decoder sees everything.
        code_strength: of c_tm * Q_m, the half that carries the clip: moves networks, not linear models.
        state_strength: of P_m, the half that shows the state: the key without which a code cannot be read.
        code_scatter: of codes over the clips of a class. At 0 codes tell classes and survive a new clip; at 3 they tell
            clips and most of the accuracy is lost on a new one.
        axis_strength: of the class positions on the valence axis, at snr 1: moves linear models and the axis' maps.
        class_strength: of what else clips of a class share, at snr 1: moves linear models, on new clips too.
        clip_strength: of a pattern that is private to a clip, at snr 1: lowers what survives a new clip and hardly
            moves accuracy on seen ones.
        residual_strength: of the position of a clip within its class, at snr 1: moves the within-class correlation of
            features with the axis, hardly accuracy.
        trial_noise: whatever a person happens to do during a clip, smooth over the scalp and slow in time: lowers all.
        electrode_noise: white over electrodes and bands, constant during a clip, on the mastoids too: lowers all, and
            hinders mastoids from serving as a noise reference.
        offset: between people, added to each electrode and band: what centring on the person removes.
        loudness: between people, added to all electrodes and bands alike; centring removes it too.
        gain: spread of the log of how strongly a person responds to clips (codes have no part in it): accuracy varies
            over people.
        band_gain: spread of the log of a factor on each band of a person's evoked part and codes: a shift that centring
            cannot remove.
        mixing: how much of a person's evoked part and codes each electrode takes from others, at random, relative to
            its own: the topography becomes personal, which centring cannot remove either.
        heavy_tails: spread of the log of the size of noise from trial to trial; kurtosis 3 exp(4 x^2) at unchanged
            variance. A few trials become unreadable, the others clearer.
        quality: the same spread from person to person: accuracy varies over people.
    """

    codes: int = 16
    code_strength: float = 0.05
    state_strength: float = 0.10
    code_scatter: float = 3.0
    axis_strength: float = 0.055
    class_strength: float = 0.045
    clip_strength: float = 0.05
    residual_strength: float = 0.0
    trial_noise: float = 0.25
    electrode_noise: float = 0.10
    offset: float = 0.25
    loudness: float = 0.3
    gain: float = 0.3
    band_gain: float = 0.0
    mixing: float = 0.0
    heavy_tails: float = 0.0
    quality: float = 0.0

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if not value >= 0:
                raise ValueError(f"world.{name} must be >= 0, got {value}")


CLIP_CODES = World()
# The first version of this simulator, byte for byte at snr 1 (configs/linear_world.yaml): evoked patterns alone, so
# a ridge beats networks, 82 % of the accuracy survives a new clip and the within-class residual is planted.
LINEAR = World(
    codes=0,
    axis_strength=0.062,
    class_strength=0.056,
    clip_strength=0.025,
    residual_strength=0.062,
    electrode_noise=0.0,
)


def check_strength(snr: float) -> None:
    """Refuse a strength of what clips evoke that is no strength.

    Raises:
        ValueError: it is negative, not a number or infinite.
    """
    if not (math.isfinite(snr) and snr >= 0):
        raise ValueError(f"snr must be 0 (no response) or more, got {snr:g}; 0.8 is the default")
