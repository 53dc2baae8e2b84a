"""What a simulated FACED subject says about the clips: After_remarks.mat in play order."""

import io

import numpy as np

from datamodules.faced_ratings import RATING_ITEMS as ITEMS
from datamodules.simulation.truth import Truth
from vaxis.emotions import FACED

HIGHEST = 7.0
BLOCK = 4  # clips of one valence in a row, then an arithmetic task


def play_order(rng: np.random.Generator) -> np.ndarray:
    """Clip ids (28,) as played: seven blocks of four clips of one valence, blocks in any order."""
    valence = np.asarray(FACED.valence)[np.asarray(FACED.class_of)]
    blocks = [rng.permutation(np.flatnonzero(valence == sign)).reshape(-1, BLOCK) for sign in (-1, 0, 1)]
    return rng.permutation(np.concatenate(blocks)).ravel()


def scores(truth: Truth, *, rng: np.random.Generator) -> np.ndarray:
    """Ratings (28, 12) between 0 and 7: high on the emotion of the clip, valence and liking along the planted axis."""
    felt = np.array([FACED.classes[k] for k in truth.class_of])
    mean = np.full((len(felt), len(ITEMS)), 0.8)
    for column, item in enumerate(ITEMS[:8]):
        mean[felt == item, column] = 5.0
    mean[:, ITEMS.index("arousal")] = np.where(felt == "neutral", 1.5, 4.5)
    mean[:, ITEMS.index("valence")] = HIGHEST / 2 + 1.6 * truth.v
    mean[:, ITEMS.index("familiarity")] = 2.0
    mean[:, ITEMS.index("liking")] = HIGHEST / 2 + 1.2 * truth.v
    return np.clip(mean + rng.normal(0, 1, mean.shape), 0, HIGHEST).round(2)


def after_remarks(truth: Truth, *, rng: np.random.Generator) -> bytes:
    """The MATLAB v5 file of one subject; element k of the struct is the k-th clip played."""
    from scipy.io import savemat

    order, score = play_order(rng), scores(truth, rng=rng)
    fields = ("score", "trial", "vid", "Accuracy", "ResponseTime")
    remarks = np.empty((len(order), 1), dtype=[(name, object) for name in fields])
    nothing = np.zeros((1, 0))
    for k, clip in enumerate(order):
        # The task follows every block but the last.
        task = (k + 1) % BLOCK == 0 and k + 1 < len(order)
        accuracy = np.array([[rng.binomial(20, 0.9) / 20]]) if task else nothing
        times = rng.lognormal(0.5, 0.3, (1, 20)) if task else nothing
        position, video = np.array([[k + 1]], dtype=np.uint8), np.array([[clip + 1]], dtype=np.uint8)
        remarks[k, 0] = (score[clip][None], position, video, accuracy, times)
    buffer = io.BytesIO()
    savemat(buffer, {"After_remark": remarks})
    # The header holds 116 bytes of free text with the time of writing; equal seeds must give equal bytes.
    text = b"MATLAB 5.0 MAT-file, simulated"
    return text.ljust(116) + buffer.getvalue()[116:]
