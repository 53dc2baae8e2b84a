"""Sections of a report that stand beside its answer: controls, simple models, people, training length, new clips."""

import math

import numpy as np

from analysis.length_figures import by_length
from analysis.new_clips import ArmOnClips
from analysis.page import Block, Picture, Section, Table, Text
from analysis.people_figures import confusion_matrices, person_dumbbell
from analysis.verdict_record import Verdict
from analysis.verdict_sentence import WORDS, because, change, share
from analysis.verdict_text import spread


def controls(verdict: Verdict) -> list[Section]:
    """The same loss with targets that are not the axis."""
    if not verdict.controls:
        return []
    head = ("target", "accuracy", "minus no loss [95 %]", "", "axis minus it [95 %]", "")
    own = change(verdict.paired, verdict.judged)
    rows = [["the axis", spread(verdict.accuracy.treated), own, verdict.judgement, "", ""]]
    for c in verdict.controls:
        moved, left = change(c.change, c.change_judged), change(c.against, c.judged)
        rows.append([c.name, spread(c.accuracy), moved, c.change_judged.outcome, left, c.judged.outcome])
    caption = (
        "The random target keeps spread and class structure of the axis and has its positions permuted, anew for each "
        "seed. What a loss gains with such a target it does not owe to the axis; only what is left in the last columns "
        "may be put down to it."
    )
    blocks: list[Block] = [Text(text=because(verdict)), Table(head=head, rows=rows, caption=caption)]
    return [Section(title="Is it the axis?", blocks=blocks)]


def simple_models(verdict: Verdict) -> list[Section]:
    """The simplest models on the same trials, and the decoder among them."""
    if not verdict.baselines:
        return []
    rows = [
        [f"the decoder {arm}", f"{np.mean(values):.3f}", _seed_interval(values), "seeds", "no"]
        for arm, values in (("without", verdict.accuracy.baseline), ("with", verdict.accuracy.treated))
    ]
    for b in verdict.baselines:
        interval = f"[{b.low:.3f}, {b.high:.3f}]" if math.isfinite(b.low) and b.high > b.low else ""
        seen = "yes" if b.transductive else "no"
        rows.append([b.label, f"{b.balanced_accuracy:.3f}", interval, "people" if interval else "", seen])
    head = ("model", "test balanced accuracy", "95 % interval", "over", "transductive")
    caption = (
        "Hyper-parameters were chosen on validation people, the score was taken once on test people. Transductive: the "
        "model has looked at unlabelled trials of the test people, which the decoder has not."
    )
    blocks: list[Block] = [Table(head=head, rows=rows, caption=caption, kind="even")]
    if found := verdict.against_linear:
        lead = f"{found.decoder - found.linear:+.3f}"
        over = f" [{found.low:+.3f}, {found.high:+.3f}] over people" if math.isfinite(found.low) else ""
        text = f"The decoder without the strategy against the best linear model, {found.label}: {lead}{over}."
        blocks.insert(0, Text(text=text))
    return [Section(title="Beside the simplest models", blocks=blocks)]


def _seed_interval(values: tuple[float, ...]) -> str:
    """95 % t interval of the mean over seeds."""
    from scipy import stats

    if len(values) < 2:
        return ""
    half = stats.t.ppf(0.975, len(values) - 1) * stats.sem(values)
    return f"[{np.mean(values) - half:.3f}, {np.mean(values) + half:.3f}]"


def people(verdict: Verdict) -> list[Section]:
    """Person by person, and what varies between people and seeds."""
    p = verdict.people
    if p is None:
        return []
    c = p.crossed
    varies = (
        f"The true difference varies between people with a standard deviation of {c.person_sd:.3f} and between seeds "
        f"with {c.seed_sd:.3f}; what is left, {c.rest_sd:.3f}, is mostly the noise of one person's few trials. Over "
        f"seeds and people it {WORDS[p.outcome]}: {c.mean:+.3f} [{c.low:+.3f}, {c.high:+.3f}] with {c.df:.1f} degrees "
        f"of freedom; the bootstrap of both gives [{p.bootstrap[0]:+.3f}, {p.bootstrap[1]:+.3f}]."
    )
    rows = [
        [str(person), f"{a:.3f}", f"{b:.3f}", f"{b - a:+.3f}"]
        for person, a, b in zip(p.subjects, p.baseline, p.treated, strict=True)
    ]
    dumbbell = Picture.of(
        person_dumbbell(p, chance=verdict.chance),
        "Each person without and with the strategy, mean over seeds, by what he or she gains.",
        alt="accuracy of each person",
    )
    table = Table(head=("person", "without", "with", "difference"), rows=rows, kind="even", caption="Mean over seeds.")
    return [Section(title="Person by person", blocks=[Text(text=varies), dumbbell, table])]


def confused(verdict: Verdict) -> list[Section]:
    """Which classes are taken for which, in both arms."""
    if verdict.people is None:
        return []
    drawn = Picture.of(
        confusion_matrices(verdict.people),
        "Of the test trials of a class (row, their number in brackets), how many per cent were called each class "
        "(column); mean over seeds. The diagonal is the recall.",
        alt="confusion matrices",
    )
    return [Section(title="Which classes are confused", blocks=[drawn])]


def lengths(verdict: Verdict) -> list[Section]:
    """Both arms at each training length."""
    found = verdict.lengths
    if found is None:
        return []
    rows = []
    for a in found.at:
        arms = [f"{a.epochs} epochs", spread(a.baseline), spread(a.treated), change(a.paired, a.judged)]
        rows.append([*arms, a.judged.outcome, f"{a.still_rising[0]} / {a.still_rising[1]} of {a.paired.n}"])
    at = {a.epochs: a for a in found.at}
    arms = [f"own best ({found.best[0]}, {found.best[1]})", spread(at[found.best[0]].baseline)]
    arms += [spread(at[found.best[1]].treated), change(found.own_best, found.judged)]
    rows.append([*arms, found.judged.outcome, ""])
    head = ("length", "without", "with", "difference [95 %]", "", "still rising")
    caption = (
        "Own best: the length at which an arm has its highest mean accuracy on validation people. A loss that ends "
        "lower differs there too; one that learns slower differs at shorter lengths alone. Intervals are not widened "
        "for the number of lengths."
    )
    drawn = Picture.of(
        by_length(found),
        "Left: mean and standard deviation over seeds; rings mark each arm's own best length.",
        alt="by length",
    )
    return [
        Section(title="By training length", blocks=[drawn, Table(head=head, rows=rows, caption=caption, kind="even")])
    ]


def new_clips(verdict: Verdict) -> list[Section]:
    """Seen and new clips by fold and over all."""
    found = verdict.new_clips
    if found is None:
        return []
    rows = [_clip_row("all, without", found.without), _clip_row("all, with", found.treated)]
    if len(found.folds) > 1:
        for fold in found.folds:
            rows += [_clip_row(f"fold {fold.name}, without", fold.without)]
            rows += [_clip_row(f"fold {fold.name}, with", fold.treated)]
    said = (
        f"On new clips it {WORDS[found.judged.outcome]}: {change(found.paired, found.judged)} over seeds, each the "
        f"mean over {len(found.folds)} fold{'s' * (len(found.folds) > 1)}; chance {found.chance:.3f}. The interval is "
        "for new seeds on these clips; folds show how clips differ."
    )
    head = ["test people", "seen clips", "new clips", "survives", "seen, whole clips", "new, whole clips"]
    if not any(rows[0][4:]):  # not measured: windows alone
        head, rows = head[:4], [row[:4] for row in rows]
    caption = (
        "Survives: share of the accuracy above chance on clips of the training that is left on clips that training did "
        "not see. Whole clips: the windows of a clip vote with their mean probability."
    )
    blocks: list[Block] = [Text(text=said), Table(head=head, rows=rows, caption=caption, kind="even")]
    return [Section(title="Seen and new clips", blocks=blocks)]


def _clip_row(name: str, arm: ArmOnClips) -> list[str]:
    whole = ["" if value is None else f"{value:.3f}" for value in (arm.clips_seen, arm.clips_new)]
    return [name, f"{arm.seen:.3f}", f"{arm.new:.3f}", share(arm), *whole]
