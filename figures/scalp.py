"""The one map of the scalp: electrodes within the outline of a head, maps side by side on one scale."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from eeg.montage import canonical

if TYPE_CHECKING:
    import mne
    from matplotlib.axes import Axes
    from matplotlib.cm import ScalarMappable
    from matplotlib.figure import Figure

# References beside the ear, the cerebellar pair of SEED-V and eye electrodes: no place on the scalp map.
OFF_SCALP = {"A1", "A2", "M1", "M2", "CB1", "CB2", "HEO", "VEO", "HEOR", "HEOL"}
HEAD = 0.095  # metres, MNE's head radius
RIM = 0.94  # where the lowest electrodes lie, in head radii: inside the outline, so that none is cut

RING = {"marker": "o", "markerfacecolor": "white", "markeredgecolor": "black", "linewidth": 0, "markersize": 4.5}


def topomap_figure(
    values: Mapping[str, np.ndarray],
    *,
    channels: Sequence[str],
    label: str = "r with the axis",
    columns: int = 5,
    limit: float | None = None,
    names: bool = False,
    marked: Mapping[str, np.ndarray] | None = None,
) -> "Figure":
    """Scalp maps side by side on one colour scale that is symmetric about zero.

    Args:
        values: title of each map -> (C,) values; NaN and electrodes without a place on the scalp are not drawn.
        channels: C electrode names, any case, old or new temporal names.
        label: of the colour bar.
        columns: maps a row.
        limit: of the scale; by default the largest value that is drawn.
        names: a large map of cells in place of a smooth one: each electrode, by name, colours what is nearest to it.
        marked: title of a map -> (C,) mask of electrodes to ring in white, those that are significant; the label says
            what the ring means.
    """
    from matplotlib.figure import Figure

    place, info = scalp_info(channels)
    drawn = {title: np.asarray(value, dtype=np.float64)[place] for title, value in values.items()}
    largest = max((float(np.nanmax(np.abs(v))) for v in drawn.values() if np.isfinite(v).any()), default=0.0)
    rows, width = -(-len(drawn) // columns), min(columns, len(drawn))
    side = 5.0 if names else 1.9  # inches a map
    figure = Figure(figsize=(side * width + 0.9, side * rows + 0.35), layout="constrained")
    axes = figure.subplots(rows, width, squeeze=False)
    for ax in axes.flat[len(drawn) :]:
        ax.set_visible(False)
    for (title, value), ax in zip(drawn.items(), axes.flat):
        ax.set_title(title, fontsize=9.5)
        written = [channels[i] for i in place] if names else None
        rings = np.asarray(marked[title], dtype=bool)[place] if marked and title in marked else None
        image = _map(ax, value, info=info, limit=limit or largest or 1.0, names=written, rings=rings)
    bar = figure.colorbar(image, ax=axes, shrink=0.75, aspect=18, pad=0.01)
    bar.set_label(label, fontsize=9)
    bar.outline.set_visible(False)
    return figure


def _map(
    ax: "Axes",
    value: np.ndarray,
    *,
    info: "mne.Info",
    limit: float,
    names: Sequence[str] | None,
    rings: np.ndarray | None = None,
) -> "ScalarMappable":
    """One head; the electrodes of ``info`` as dots on a smooth map, or as names on a map of cells."""
    import mne
    from matplotlib.patheffects import withStroke

    finite = np.flatnonzero(np.isfinite(value)).tolist()
    if len(finite) < 4:
        raise ValueError(f"map '{ax.get_title()}' has {len(finite)} electrodes with a value; need 4 or more")
    image, _ = mne.viz.plot_topomap(
        value[finite],
        mne.pick_info(info, finite),
        axes=ax,
        vlim=(-limit, limit),
        cmap="RdBu_r",
        sensors=" " if names else "k.",
        mask=None if rings is None or not rings[finite].any() else rings[finite],
        mask_params=RING,
        names=[names[i] for i in finite] if names else None,
        sphere=HEAD,
        image_interp="nearest" if names else "cubic",
        extrapolate="head",
        border="mean",
        contours=0,
        res=256 if names else 64,
        show=False,
    )
    for text in ax.texts:  # legible on the dark ends of the scale too
        text.set_path_effects([withStroke(linewidth=1.5, foreground="white")])
    return image


def scalp_info(channels: Sequence[str]) -> tuple[list[int], "mne.Info"]:
    """Positions in ``channels`` of the n electrodes on the scalp, and MNE's info of these n.

    MNE draws an electrode at its angle from the vertex times its distance from the centre of the head. We give it
    directions alone, in the frame of Fpz, T7, Oz and T8, which the 10-20 system puts on one circle about the head: the
    map is symmetric and that circle lies along its rim. With measured places Fp1 would lie beyond the outline and O1
    far inside, as a head is longer than wide and its front lower than its back.
    """
    import mne

    place = mne.channels.make_standard_montage("colin27_1005").get_positions()["ch_pos"]
    known = {name.upper(): position for name, position in place.items()}
    names = [canonical(name) for name in channels]
    unknown = [name for name in names if name not in known and name not in OFF_SCALP]
    if unknown:
        raise ValueError(f"electrodes {unknown} are not in the 10-05 system; rename them or leave them out")
    front, back, left, right = (known[name] for name in ("FPZ", "OZ", "T7", "T8"))
    frame = _frame(forward=front - back, rightward=right - left)
    # Half-way between front and back and between left and right, at the mean height of the four.
    ends = [(left, right), (front, back), (front, back, left, right)]
    centre = np.array([np.mean([axis @ end for end in among]) for axis, among in zip(frame, ends)])
    kept = [i for i, name in enumerate(names) if name not in OFF_SCALP]
    seen = np.array([frame @ known[names[i]] - centre for i in kept])
    seen /= np.linalg.norm(seen, axis=1, keepdims=True)
    lowest = max(np.arccos(seen[:, 2]).max(), np.pi / 2)  # below the rim lie FT9, TP9, P9 and their like
    seen *= RIM * HEAD * (np.pi / 2) / lowest
    montage = mne.channels.make_dig_montage(dict(zip([names[i] for i in kept], seen)), coord_frame="head")
    info = mne.create_info([names[i] for i in kept], sfreq=1.0, ch_types="eeg", verbose="error")
    return kept, info.set_montage(montage, verbose="error")


def _frame(*, forward: np.ndarray, rightward: np.ndarray) -> np.ndarray:
    """Orthonormal rows right, forward, up; forward as given, right as near to the given one as that allows."""
    y = forward / np.linalg.norm(forward)
    x = rightward - (rightward @ y) * y
    x /= np.linalg.norm(x)
    return np.stack([x, y, np.cross(x, y)])
