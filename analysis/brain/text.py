"""The brain maps in words: one table a question, every number with its null, p, n and what the paper prints."""

import math
from collections.abc import Sequence

import numpy as np

from analysis.brain.axes import agreement, class_share
from analysis.brain.cohort import Cohort
from analysis.brain.measure import Brain
from analysis.brain.orders import Stat
from analysis.brain.published import Published, published
from analysis.brain.reliability import spearman_brown
from analysis.brain.time_course import when
from measures.topography import chance_abs_r

SECTIONS = {
    "ridge.": "Ridge from all channel-band features to clip positions, r of predictions (out of fold but in_sample)",
    "in_sample": "",
    "random_axes.": "The same of the axis among random directions of the clips' own texts (null: those directions)",
    "trial_level.": "Ridge on single trials, person x clip",
    "reliability.": "Split-half r over clips between random halves of the people (null: each person's clips shuffled)",
    "cell.": "Cells of the map, r over clips (best: largest |r| of the map against the largest of null maps)",
    "region.": "Mean |r| of regions and bands",
    "band.": "",
    "posterior": "Back minus front of the head, mean |r|",
    "occipital": "",
    "asymmetry.": "Frontal alpha, right minus left, positive minus negative clips, nats (interval: other people)",
    "contrast.": "On fewer clips: without each class, nine clips of three classes, all others",
    "person.": "Person by person, mean over people (interval: other people)",
    "time_course.": "Peak over the clip of mean |r| (null: peaks of the null)",
    "links.": "Gamma of eight electrodes together (network: null is any eight electrodes)",
    "information.": "Mutual information with the axis, mean over cells, nats",
    "theta_gamma.": "Theta phase with gamma amplitude",
    "axis.": "The axis and what people said (class share: of the variance between clips; interval: other people)",
    "human_valence.": "",
}
WIDTH = 44


def table(cohort: Cohort, found: Brain, positions: dict[str, np.ndarray], *, told: Sequence[str]) -> str:
    """Everything for the terminal."""
    lines = [_head(cohort), *cohort.notes, *told, *_axis(cohort, positions), *_orders(found)]
    columns = f"{'':<{WIDTH}}{'ours':>8}{'null':>8}{'null 95':>8}{'p':>8}{'n':>6}   {'v1':>6} {'revised':>7}"
    paper = published(cohort.dataset)
    for start, title in SECTIONS.items():
        rows = {name: stat for name, stat in found.stats.items() if name.startswith(start)}
        if rows and title:
            lines += ["", title, columns]
        lines += [_row(name, stat, paper.get(name)) for name, stat in rows.items()]
        if start == "time_course.":
            lines += [f"  {band} is highest at {when(cohort, curve)}" for band, curve in found.curves.items()]
        if start == "reliability." and "reliability.eeg" in rows:
            lines += [_reliability(rows)]
    return "\n".join(line for line in lines if line is not None)


def _head(cohort: Cohort) -> str:
    channels, bands = cohort.x.shape[2:]
    kind = "SIMULATED: no person was recorded. " if cohort.simulated else ""
    shape = f"{len(cohort.class_of)} clips x {channels} channels x {bands} bands, mean over {cohort.people} people"
    return f"{kind}{cohort.dataset}, {cohort.features}: {shape}"


def _axis(cohort: Cohort, positions: dict[str, np.ndarray]) -> list[str]:
    shares = ", ".join(f"{name} {class_share(v, cohort.class_of):.3f}" for name, v in positions.items())
    r = ", ".join(f"{name} {value:+.2f}" for name, value in agreement(positions, list(positions)[1:]).items())
    chance = chance_abs_r(len(cohort.class_of))
    return [
        f"Share of the variance between clips that lies between classes: {shares} (human valence of real FACED: .978).",
        f"r of the axis with: {r}. Unrelated normal positions have a mean |r| of {chance:.3f} over these clips.",
    ]


def _orders(found: Brain) -> list[str]:
    if not found.axis.complete:
        return ["Null: class means move among the classes, and what clips have beyond their class within it."]
    count = len(found.axis.rows)
    return [
        f"Null: the axis is constant within classes and these have {count} orders in all, so every p-value of the "
        f"axis is exact and none lies below {1 / count:.4f}: {count} orders cannot carry more.",
        "Without one class there are fewer still, and within classes nothing is left to find; see trial_level for what "
        "single trials add.",
    ]


def _row(name: str, stat: Stat, paper: Published | None) -> str:
    parts = [_number(value) for value in (stat.value, stat.null_mean, stat.null_95)]
    p = "" if stat.p_value is None or math.isnan(stat.p_value) else f"{stat.p_value:.4f}"
    line = f"  {name:<{WIDTH - 2}}{''.join(f'{part:>8}' for part in parts)}{p:>8}{stat.n:>6}"
    printed = "" if paper is None else f"   {_number(paper.v1, places=3):>6} {_number(paper.revision, places=3):>7}"
    interval = "" if stat.interval is None else f"   [{stat.interval[0]:.3f}, {stat.interval[1]:.3f}]"
    note = f"   {paper.note}" if paper and paper.note else ""
    return f"{line}{printed or ' ' * (17 if interval else 0)}{interval}{note}".rstrip()


def _number(value: float | None, *, places: int = 3) -> str:
    return "" if value is None or math.isnan(value) else f"{value:.{places}f}"


def _reliability(rows: dict[str, Stat]) -> str:
    whole = {name.split(".")[1]: spearman_brown(stat.value) for name, stat in rows.items()}
    return "  of all people (Spearman-Brown): " + ", ".join(f"{name} {value:.3f}" for name, value in whole.items())
