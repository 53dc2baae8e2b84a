"""Sections of a report on the axis itself: the positions that training used, its nulls, and the scalp."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from analysis.page import Facts, Picture, Section, Table, Text
from analysis.verdict_figures import class_positions
from figures.scalp import topomap_figure
from measures.topography import Topography, chance_abs_r
from vaxis.axis import Axis

if TYPE_CHECKING:
    from vaxis.targets import Targets


LEVEL = 0.05


def scalp(topographies: Sequence[Topography]) -> list[Section]:
    """Maps of the signal and of what the decoders make of it, below one heading; nothing where there is none."""
    blocks = [_maps(topography) for topography in topographies]
    return [Section(title="On the scalp", blocks=blocks)] if blocks else []


def _maps(topography: Topography) -> Picture:
    r, told, rings = topography.r, None, ""
    if topography.p is not None:
        told = np.nan_to_num(topography.p, nan=1.0) <= LEVEL
        cells = np.isfinite(topography.p).sum()
        count = f"Rings: the {told.sum()} of {cells} cells" if told.any() else f"None of {cells} cells is"
        rings = (
            f"{count} with p ≤ .05 corrected over all of them (largest |r| under orders of the clips that keep "
            "what classes share). "
        )
    caption = (
        f"{topography.title}. Pearson r over {topography.stimuli} stimuli; all maps share one scale. {rings}Features "
        f"without any relation to the axis give |r| = {chance_abs_r(topography.stimuli):.3f} on average. Neighbouring "
        "electrodes are not independent."
    )
    figure = topomap_figure(
        dict(zip(topography.maps, r.T, strict=True)),
        channels=topography.channels,
        label=f"r with the axis, {topography.stimuli} clips",
        marked=None if told is None else dict(zip(topography.maps, told.T, strict=True)),
    )
    return Picture.of(figure, caption, alt=f"scalp maps of r with the axis: {', '.join(topography.maps)}")


def axis_section(axis: Axis, *, source: str | None) -> Section:
    """The axis as training read it.

    Args:
        axis: of the runs.
        source: of the stimulus positions that they took; by default the one that ``Targets`` takes.
    """
    from vaxis.targets import Targets

    targets = Targets.from_axis(axis, source=source)
    origin = axis.provenance
    model = str(origin.get("model") or "none: the positions were drawn")
    known = {
        "language model": model,
        "positions in training": f"{targets.source} (the file has {', '.join(sorted(axis.positions))})",
        "separation": f"{axis.separation:+.2f} (correlation of the class sentences with nominal valence)",
        "explained variance": f"{axis.explained_variance:.2f} of the variance between class centroids",
        f"{axis.classes.joy} positive": "yes" if axis.joy_is_positive else "NO: treat the sign with care",
        "fingerprint": axis.fingerprint,
    }
    caption = (
        f"What the loss was taught: positions '{targets.source}' of the {len(targets.v)} clips (dots), in their "
        "standard deviations, and the means of their classes (bars, numbers). Blue: classes of positive valence, "
        "grey: neutral, orange: negative."
    )
    drawn = Picture.of(class_positions(axis, targets.v.numpy()), caption, alt="positions on the axis in training")
    nulls = _axis_nulls(origin.get("nulls") or {})
    return Section(title="The axis", blocks=[drawn, _clips(axis, targets), Facts(facts=known), nulls])


def _clips(axis: Axis, targets: "Targets") -> Table:
    """Class means and the positions of every clip."""
    class_of, v = targets.class_of.tolist(), targets.v.tolist()
    rows = [
        [name, f"{mean:+.2f}", ", ".join(f"{v[s]:+.2f} (clip {s})" for s in range(len(v)) if class_of[s] == k)]
        for k, (name, mean) in enumerate(zip(axis.classes.classes, targets.v_class.tolist(), strict=True))
    ]
    return Table(head=("class", "mean", "clips, counted from 0"), rows=rows, kind="even wide")


def _axis_nulls(nulls: dict[str, dict[str, dict[str, float]]]) -> Table | Text:
    """Table of the nulls that extraction leaves in the provenance."""
    rows = [
        [f"{null} texts: {statistic.replace('_', ' ')}", *(f"{row[key]:.2f}" for key in ("value", "median", "p95")),
         f"{row['reached']:.0%}"]
        for null, statistics in nulls.items()
        for statistic, row in statistics.items()
        if statistic != "cosine"
    ]  # fmt: skip
    if not rows:
        return Text(text="The axis file carries no nulls of its own.", soft=True)
    caption = (
        "Axes made in the same way from texts without the emotion: nonce sentences, everyday and neutral texts. "
        "Rated is the correlation with human ratings of clips that no axis was made from, the fairer comparison."
    )
    head = ("null", "this axis", "null median", "null 95 %", "draws that reach it")
    return Table(head=head, rows=rows, caption=caption, kind="even")
