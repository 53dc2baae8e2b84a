"""What a simulated cohort knows about itself: stimulus positions on the axis and the pattern each of them evokes."""

from dataclasses import dataclass

import numpy as np

from datamodules.simulation.world import World
from eeg.bands import Bands
from eeg.montage import canonical
from vaxis.axis import Axis
from vaxis.emotions import Taxonomy
from vaxis.fit import fit_direction
from vaxis.targets import Targets

# Mean |r| of each band with the axis, arXiv 2606.00129 section 2: delta, theta, alpha, beta, gamma.
AXIS_BANDS = np.array([0.174, 0.124, 0.233, 0.198, 0.148])
SMOOTHNESS = 2.2  # length scale of random scalp patterns; neighbours of the 10-10 grid are 1 apart

_ROWS = {"FP": 4, "AF": 3, "F": 2, "FC": 1, "FT": 1, "C": 0, "T": 0, "CP": -1, "TP": -1, "P": -2, "PO": -3, "O": -4}
_ELSEWHERE = {"CB1": (-2, -4.5), "CB2": (2, -4.5), "VEO": (-2, 5.5), "HEO": (5, 4.5)}
_MASTOIDS = {"A1": (-5, -1), "A2": (5, -1), "M1": (-5, -1), "M2": (5, -1)}


def scalp_position(name: str) -> tuple[float, float]:
    """Place of an electrode on the flattened 10-10 grid, read off its name: right and front are positive."""
    name = canonical(name)
    if name in _ELSEWHERE or name in _MASTOIDS:
        return (_ELSEWHERE | _MASTOIDS)[name]
    number = int("".join(filter(str.isdigit, name)) or 0)
    side = 1 if number % 2 == 0 else -1
    return side * ((number + 1) // 2), _ROWS[name.rstrip("Z0123456789")]


def smooth_kernel(positions: np.ndarray, *, length: float) -> np.ndarray:
    """Cholesky factor (E, E) of a unit-variance Gaussian kernel: times white noise it gives a smooth scalp pattern."""
    squared = ((positions[:, None] - positions[None]) ** 2).sum(axis=-1)
    return np.linalg.cholesky(np.exp(-squared / (2 * length**2)) + 1e-6 * np.eye(len(positions)))


def planted_axis(taxonomy: Taxonomy, *, seed: int) -> Axis:
    """Draw an axis that no language model made: classes in the order of their valence, clips scattered about them.

    Args:
        taxonomy: classes, their nominal valence and the clips.
        seed: of the draw.
    """
    rng = np.random.default_rng([seed, 1])
    classes, class_of = len(taxonomy.classes), np.asarray(taxonomy.class_of)
    scores = np.asarray(taxonomy.valence) + rng.uniform(-0.4, 0.4, classes)
    offsets = 0.35 * rng.standard_normal(len(class_of))
    offsets -= np.array([offsets[class_of == k].mean() for k in range(classes)])[class_of]
    basis, _ = np.linalg.qr(rng.standard_normal((16, 16)))
    # Six further directions share the rest, so the axis explains about half of the variance as in the paper.
    others = 0.5 * rng.standard_normal((classes, 6))
    others = remainder(np.column_stack([np.ones(classes), scores]), others)
    centroids = scores[:, None] * basis[:, 0] + others @ basis[:, 1:7].T
    fit = fit_direction(centroids, valence=taxonomy.valence)
    return Axis(
        taxonomy=taxonomy.name,
        direction=fit.direction,
        mean=centroids.mean(axis=0),
        centroids=centroids,
        positions={"planted": (scores - scores.mean())[class_of] + offsets},
        explained_variance=fit.explained_variance,
        provenance={"simulated": True, "seed": seed, "model": None, "made_by": "datamodules.simulation.truth"},
    )


def remainder(design: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Values (n, m) minus their least-squares fit on the columns of the design (n, p)."""
    return values - design @ np.linalg.lstsq(design, values, rcond=None)[0]


@dataclass(frozen=True, kw_only=True)
class Truth:
    """The answer that an analysis of the cohort should find; arrays are written to ``truth.npz``.

    Patterns have unit RMS over the scalp electrodes (0 on mastoid and eye channels) and are made orthogonal: class and
    clip patterns to ``axis`` and ``residual``, class patterns over clips to ``v_class``, clip patterns to the classes
    and to ``v - v_class``. So regressing the evoked part on ``v_class`` gives ``axis`` and nothing else.

    Attributes:
        v: (S,) stimulus positions, z units.
        v_class: (K,) class positions.
        class_of: (S,) class id of each clip.
        base: (E, B) differential entropy at rest, nats.
        axis: (E, B) pattern of the class means along the axis, mostly posterior.
        residual: (E, B) pattern of the position of a clip within its class.
        class_patterns: (K, E, B) what else tells the classes apart.
        clip_patterns: (S, E, B) what clips evoke in everyone beside their class and position.
        evoked: (S, E, B) sum of the four parts at this snr, nats.
        state_patterns: (M, E, B) P_m, how the state of a person shows.
        code_patterns: (M, E, B) Q_m, what a clip turns with or against that state.
        class_codes: (K, M) signs of the classes.
        clip_codes: (S, M) c_tm, the sign of its class and the clip's own part.
    """

    v: np.ndarray
    v_class: np.ndarray
    class_of: np.ndarray
    base: np.ndarray
    axis: np.ndarray
    residual: np.ndarray
    class_patterns: np.ndarray
    clip_patterns: np.ndarray
    evoked: np.ndarray
    state_patterns: np.ndarray
    code_patterns: np.ndarray
    class_codes: np.ndarray
    clip_codes: np.ndarray

    @classmethod
    def plant(
        cls, axis: Axis, *, channels: tuple[str, ...], bands: Bands, snr: float, seed: int, world: World
    ) -> "Truth":
        """Draw the patterns of a cohort.

        Args:
            axis: where the clips lie, in the source that training prefers.
            channels: E electrode names.
            bands: five bands, slow to fast.
            snr: multiplies everything that a clip evokes; 0 leaves no trace of the clips.
            seed: of the patterns; neither snr nor strengths change them.
            world: strengths of the parts, and the codes.
        """
        targets = Targets.from_axis(axis)
        v, v_class = targets.v.double().numpy(), targets.v_class.double().numpy()
        class_of = targets.class_of.numpy()
        positions = np.array([scalp_position(name) for name in channels], dtype=float)
        scalp = np.array([canonical(name) not in (*_MASTOIDS, "VEO", "HEO") for name in channels])
        draw = _Patterns(positions, scalp=scalp, bands=len(bands), rng=np.random.default_rng([seed, 2]))
        # Streams of their own: the patterns above are those of the first version, whatever the codes are.
        draw_pairs = _Patterns(positions, scalp=scalp, bands=len(bands), rng=np.random.default_rng([seed, 5]))
        pairs = draw_pairs.each_unit(draw_pairs.raw(2 * world.codes))
        class_codes, clip_codes = draw_codes(class_of, world=world, rng=np.random.default_rng([seed, 6]))

        posterior = np.exp(-(((positions[:, 1] + 3.3) / 1.8) ** 2))[:, None]
        along = draw.unit(AXIS_BANDS * (posterior + 0.3 * draw.raw(1)[0])[None])[0]
        within = draw.unit(draw.free_of([along], draw.raw(1)))[0]
        by_class = draw.free_of([along, within], draw.raw(len(v_class)))[class_of]
        by_class = draw.unit(draw.over_clips(np.column_stack([np.ones(len(v)), v_class[class_of]]), by_class))
        members = np.column_stack([np.eye(len(v_class))[class_of], v - v_class[class_of]])
        by_clip = draw.unit(draw.over_clips(members, draw.free_of([along, within], draw.raw(len(v)))))

        evoked = snr * (
            world.axis_strength * v_class[class_of][:, None, None] * along
            + world.class_strength * by_class
            + world.residual_strength * (v - v_class[class_of])[:, None, None] * within
            + world.clip_strength * by_clip
        )
        first_clip = [int(np.flatnonzero(class_of == k)[0]) for k in range(len(v_class))]
        return cls(
            v=v,
            v_class=v_class,
            class_of=class_of,
            base=resting_entropy(positions),
            axis=along,
            residual=within,
            class_patterns=by_class[first_clip],
            clip_patterns=by_clip,
            evoked=evoked,
            state_patterns=pairs[0::2],
            code_patterns=pairs[1::2],
            class_codes=class_codes,
            clip_codes=clip_codes,
        )


def draw_codes(class_of: np.ndarray, *, world: World, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Codes of classes (K, M), half of the classes of either sign, and of clips (S, M), scattered about their class.

    With an odd number of classes either sign may be the rarer one. Codes are drawn one after the other, so a world with
    more of them has the same first ones.
    """
    classes = int(class_of.max()) + 1
    of_class, of_clip = np.zeros((world.codes, classes)), np.zeros((world.codes, len(class_of)))
    for m in range(world.codes):
        signs = np.where(np.arange(classes) < classes // 2, 1.0, -1.0) * rng.choice([-1, 1])
        of_class[m] = rng.permutation(signs)
        of_clip[m] = of_class[m, class_of] + world.code_scatter * rng.standard_normal(len(class_of))
    return of_class.T, of_clip.T


class _Patterns:
    """Random smooth (n, E, B) patterns over the scalp and the projections that keep them apart."""

    def __init__(self, positions: np.ndarray, *, scalp: np.ndarray, bands: int, rng: np.random.Generator):
        self.kernel, self.scalp, self.bands, self.rng = smooth_kernel(positions, length=SMOOTHNESS), scalp, bands, rng

    def raw(self, n: int) -> np.ndarray:
        return self.kernel @ self.rng.standard_normal((n, len(self.scalp), self.bands)) * self.scalp[:, None]

    def unit(self, patterns: np.ndarray) -> np.ndarray:
        patterns = patterns * self.scalp[:, None]
        return patterns / np.sqrt((patterns[:, self.scalp] ** 2).mean())

    def each_unit(self, patterns: np.ndarray) -> np.ndarray:
        patterns = patterns * self.scalp[:, None]
        return patterns / np.sqrt((patterns[:, self.scalp] ** 2).mean(axis=(1, 2), keepdims=True))

    @staticmethod
    def free_of(others: list[np.ndarray], patterns: np.ndarray) -> np.ndarray:
        design = np.stack([other.ravel() for other in others], axis=1)
        return remainder(design, patterns.reshape(len(patterns), -1).T).T.reshape(patterns.shape)

    @staticmethod
    def over_clips(design: np.ndarray, patterns: np.ndarray) -> np.ndarray:
        return remainder(design, patterns.reshape(len(patterns), -1)).reshape(patterns.shape)


def resting_entropy(positions: np.ndarray) -> np.ndarray:
    """Differential entropy at rest (E, 5), nats of microvolt: 1/f levels, posterior alpha, muscle at the temples."""
    level = np.log([8.0, 4.0, 4.5, 3.5, 2.0])
    alpha = 0.6 * np.exp(-(((positions[:, 1] + 3.5) / 2) ** 2))
    muscle = 0.08 * np.abs(positions[:, 0])
    extra = np.column_stack([0 * alpha, 0.2 * alpha, alpha, 0.3 * alpha + muscle, 1.5 * muscle])
    return level + extra + 0.5 * np.log(2 * np.pi * np.e)
