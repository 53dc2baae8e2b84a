"""The one map of the scalp: electrodes on a disc, bands side by side."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from eeg.montage import canonical

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# References beside the ear, the cerebellar pair of SEED-V and eye electrodes: no place on the scalp map.
OFF_SCALP = {"A1", "A2", "M1", "M2", "CB1", "CB2", "HEO", "VEO", "HEOR", "HEOL"}


def topomap_figure(
    values: Mapping[str, np.ndarray], *, channels: Sequence[str], label: str = "r with the axis", columns: int = 5
) -> "Figure":
    """Scalp maps side by side on one colour scale that is symmetric about zero.

    Args:
        values: title of each map -> (C,) values; NaN and electrodes without a place on the scalp are not drawn.
        channels: C electrode names, any case, old or new temporal names.
        label: of the colour bar.
        columns: maps a row.
    """
    import mne
    from matplotlib.figure import Figure

    place, positions = _scalp(channels)
    drawn = {title: np.asarray(value, dtype=np.float64)[place] for title, value in values.items()}
    limit = max((float(np.nanmax(np.abs(v))) for v in drawn.values() if np.isfinite(v).any()), default=0.0) or 1.0
    rows = -(-len(drawn) // columns)
    width = min(columns, len(drawn))
    figure = Figure(figsize=(1.9 * width + 0.9, 2.25 * rows), layout="constrained")
    axes = figure.subplots(rows, width, squeeze=False)
    for ax in axes.flat[len(drawn) :]:
        ax.set_visible(False)
    for (title, value), ax in zip(drawn.items(), axes.flat):
        finite = np.flatnonzero(np.isfinite(value))
        ax.set_title(title, fontsize=9.5)
        if len(finite) < 4:
            raise ValueError(f"map '{title}' has {len(finite)} electrodes with a value; need 4 or more")
        image, _ = mne.viz.plot_topomap(
            value[finite],
            positions[finite],
            axes=ax,
            vlim=(-limit, limit),
            cmap="RdBu_r",
            sensors="k.",
            sphere=1.0,
            extrapolate="head",
            border="mean",
            contours=0,
            show=False,
        )
    bar = figure.colorbar(image, ax=axes, shrink=0.75, aspect=18, pad=0.01)
    bar.set_label(label, fontsize=9)
    bar.outline.set_visible(False)
    return figure


def _scalp(channels: Sequence[str]) -> tuple[list[int], np.ndarray]:
    """Positions in ``channels`` of the n electrodes on the scalp, and where they lie on a disc of radius 1, (n, 2).

    Azimuthal equidistant about a centre halfway between front and back, left and right, so that the map is symmetric
    and every electrode lies within the outline; MNE's own sphere puts Fp1 beyond it and O1 far inside.
    """
    import mne

    place = mne.channels.make_standard_montage("colin27_1005").get_positions()["ch_pos"]
    known = {name.upper(): position for name, position in place.items()}
    names = [canonical(name) for name in channels]
    unknown = [name for name in names if name not in known and name not in OFF_SCALP]
    if unknown:
        raise ValueError(f"electrodes {unknown} are not in the 10-05 system; rename them or leave them out")
    front, back, left, right = (known[name] for name in ("FPZ", "OZ", "T7", "T8"))
    centre = np.array([(left[0] + right[0]) / 2, (front[1] + back[1]) / 2, (front[2] + back[2]) / 2])
    kept = [i for i, name in enumerate(names) if name not in OFF_SCALP]
    x, y, z = (np.array([known[names[i]] for i in kept]) - centre).T
    angle, azimuth = np.arctan2(np.hypot(x, y), z), np.arctan2(y, x)
    radius = 0.94 * angle / max(angle.max(), np.pi / 2)
    return kept, np.column_stack([radius * np.cos(azimuth), radius * np.sin(azimuth)])
