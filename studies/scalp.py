"""How the signal itself, and what decoders make of it, follow the axis over the scalp, for the report of a study."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from analysis.brain.orders import correlations, orders
from eeg.montage import canonical
from figures.scalp import OFF_SCALP

if TYPE_CHECKING:
    from measures.topography import Topography
    from records.run import Run
    from vaxis.axis import Axis

DRAWS = 1000  # orders of the clips in the null of a map


def topographies(data: Any, axis: "Axis") -> "list[Topography]":
    """How band features of the training subjects follow the axis over the scalp; none for raw signals."""
    from measures.topography import Topography, axis_topography, stimulus_means
    from vaxis.targets import Targets

    if data.spec.features == "raw":
        return []
    data.setup()
    rows, trials = data.indices["train"], data.store.trials
    people = len(set(trials.subject[rows].tolist()))
    x, v = data.store.x[rows], Targets.from_axis(axis).v.numpy()
    of = {"stimulus": trials.stimulus[rows], "subject": trials.subject[rows]}
    means, seen = stimulus_means(x, **of)
    null = orders(v[seen], np.array(data.spec.class_of)[seen], draws=DRAWS, seed=0).rows[1:]
    r = np.concatenate([axis_topography(x, **of, v=v)[None], correlations(null, means)])
    return [
        Topography(
            title=f"{data.spec.features.upper()} of the {people} training subjects against the axis",
            r=r[0],
            p=corrected(r, data.spec.channels),
            channels=data.spec.channels,
            maps=tuple(f"{name} {low:g}–{high:g} Hz" for name, (low, high) in data.spec.bands.items()),
            stimuli=len(seen),
        )
    ]


def of_arms(baseline: "Sequence[Run]", treated: "Sequence[Run]") -> "list[Topography]":
    """How the leading class direction of both arms follows the axis by electrode, mean over seeds.

    Drawn is what ``callbacks.wandb_scalp`` draws of one run. None where the tokens of the network belong to no
    electrode.

    Raises:
        FileNotFoundError: a run has lost its checkpoint or its data.
    """
    from command_line.reopen import open_run
    from measures.topography import Topography

    found: list[np.ndarray] = []
    channels: tuple[str, ...] = ()
    stimuli = 0
    for runs in (baseline, treated):
        maps = []
        for run in runs:
            opened = open_run(run.path)
            if not opened.decoder.network.keeps_electrodes:
                return []
            maps.append(_electrodes(opened))
            spec = opened.contents.spec
            channels, stimuli = spec.channels, len(spec.class_of)
        found.append(np.mean(maps, axis=0))
    return [
        Topography(
            title=f"Leading class direction of the decoders on test people, mean over {len(baseline)} seeds",
            r=np.stack([r[0] for r in found], axis=1),
            p=np.stack([corrected(r, channels) for r in found], axis=1),
            channels=channels,
            maps=("without", "with"),
            stimuli=stimuli,
        )
    ]


def corrected(r: np.ndarray, channels: Sequence[str]) -> np.ndarray:
    """How often the largest |r| of a null map is as large as each cell (Westfall and Young 1993); NaN off the scalp.

    Args:
        r: (1 + n, C, ...) the map first, then those of the null.
        channels: C electrode names.
    """
    size = np.abs(r)
    size[:, [canonical(name) in OFF_SCALP for name in channels]] = np.nan
    largest = np.nanmax(size.reshape(len(size), -1), axis=1)
    p = (largest.reshape(-1, *[1] * (size.ndim - 1)) >= size[0] - 1e-12).mean(axis=0)
    return np.where(np.isfinite(size[0]), p, np.nan)


def _electrodes(opened: Any) -> np.ndarray:
    """(1 + n, C) r of the electrodes' scores with the axis over clips of the test, the real order of the clips first.

    The sign of a principal direction means nothing: it is that of the mean over electrodes, in every order anew.
    """
    import torch

    from eeg.batch import Batch
    from measures.alignment import leading_direction

    decoder = opened.decoder
    spec, v = decoder.spec, decoder.targets.v.cpu().numpy().astype(float)
    sums, counts = np.zeros((len(v), len(spec.channels), decoder.network.dim)), np.zeros(len(v))
    with torch.inference_mode(), opened.precision.forward_context():
        for batch in opened.batches():
            batch = Batch(*(column.to(decoder.device) for column in batch))
            tokens = decoder.output(opened.precision.convert_input(batch.x), decoder.classifier).tokens
            stimulus = batch.stimulus.cpu().numpy()
            # As ``np.add.at`` does, to the same bits and in a twentieth of its time, where what is added is an array.
            for clip, trial in zip(stimulus, tokens.float().mean(dim=2).cpu().numpy()):
                sums[clip] += trial
            np.add.at(counts, stimulus, 1)
    seen, class_of = counts > 0, np.array(spec.class_of)
    means = sums[seen] / counts[seen, None, None]
    scores = means @ leading_direction(means.mean(axis=1), class_of[seen])[0]
    rows = orders(v[seen], class_of[seen], draws=DRAWS, seed=0).rows
    sign = np.sign(correlations(rows, scores.mean(axis=1)))
    return correlations(rows, scores) * sign[:, None]
