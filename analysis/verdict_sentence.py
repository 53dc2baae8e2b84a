"""A verdict in words: the answer, whether it is the axis, and what it speaks for."""

import math
from typing import TYPE_CHECKING

from measures.paired import verdict_sentence

if TYPE_CHECKING:
    from analysis.controls import Control
    from analysis.new_clips import ArmOnClips
    from analysis.people import People
    from analysis.verdict_record import Verdict
    from measures.outcome import Judged
    from measures.paired import Paired

WORDS = {"helps": "helps", "hurts": "hurts", "equivalent": "is equivalent", "unresolved": "is unresolved"}


def headline(verdict: "Verdict") -> str:
    """The answer over seeds on the people who were tested, then over seeds and people."""
    p, subject = verdict.people, f"{verdict.loss} at weight {verdict.weight:g}"
    subject += f" with target {verdict.control}" if verdict.control else ""
    here = f" on these {len(p.subjects)} people" if p else ""
    words = f"{subject} {WORDS[verdict.judgement]}{_margin(verdict)}{here} ({_numbers(verdict)})"
    if p is None:
        return f"{words}."
    c = p.crossed
    return f"{words}; for {others(p)} it {WORDS[p.outcome]} ({c.low:+.3f} to {c.high:+.3f})."


def others(p: "People") -> str:
    """Whom the tested people stand for: a split within people says nothing of people without training trials."""
    return "other people, trained on as these were," if p.trained_on else "new people"


def _margin(verdict: "Verdict") -> str:
    """What equivalent means."""
    reference = "no loss" if verdict.baseline_loss == "none" else f"{verdict.baseline_loss} at weight 0"
    return f" to {reference} within ±{verdict.judged.margin:g}" if verdict.judgement == "equivalent" else ""


def _numbers(verdict: "Verdict") -> str:
    d, answer = verdict.paired, verdict.judged
    if answer.outcome == "unresolved" and len(answer.looks) == 1:
        # One pair, equal pairs, or the smallest effect that could have been seen: these words are those of measures.
        return verdict_sentence(d).removeprefix("unresolved (").removesuffix(")")
    looks = "repeated " if len(answer.looks) > 1 else ""
    return f"{d.mean:+.3f}, {looks}95 % interval {answer.low:+.3f} to {answer.high:+.3f}"


def change(d: "Paired", answer: "Judged") -> str:
    """A difference with its interval, such as +0.012 [+0.004, +0.020]; one pair has none."""
    return f"{d.mean:+.3f}" + (f" [{answer.low:+.3f}, {answer.high:+.3f}]" if math.isfinite(answer.low) else "")


def because(verdict: "Verdict") -> str:
    """Whether it is the axis: said only where every control is beaten (or, where the loss hurts, undercut).

    Requiring all of them at 5 % each errs in 5 % at most, with no correction (an intersection-union test).
    """
    if not verdict.controls:
        return ""
    asked = verdict.judgement if verdict.judgement in ("helps", "hurts") else None
    short = [c for c in verdict.controls if c.judged.outcome != asked]
    if asked and not short:
        verb = "beats" if asked == "helps" else "falls below"
        return f"It {asked} because of the axis: it {verb} {_list(verdict.controls)}."
    if asked:
        return f"That it {asked} because of the axis is not shown: {'; '.join(_against(c) for c in short)}."
    return f"The axis beside other targets: {'; '.join(_against(c) for c in verdict.controls)}."


def _list(controls: "tuple[Control, ...]") -> str:
    return " and ".join(f"the {c.name} target ({change(c.against, c.judged)})" for c in controls)


def _against(c: "Control") -> str:
    words = {
        "helps": "it beats the {} target",
        "hurts": "the {} target does better",
        "equivalent": "the {} target does as well",
        "unresolved": "against the {} target it is unresolved",
    }[c.judged.outcome].format(c.name)
    return f"{words} ({change(c.against, c.judged)})"


def share(arm: "ArmOnClips") -> str:
    """What survives of the accuracy above chance."""
    return f"{100 * arm.survives:.0f} %" if math.isfinite(arm.survives) else "n/a"


def scope(verdict: "Verdict") -> list[str]:
    """What the sentence speaks for, a line each; only what was looked at."""
    parts = (_people, _looks, _lengths, _new_clips, _linear)
    return [line for line in (part(verdict) for part in parts) if line]


def _people(verdict: "Verdict") -> str:
    p = verdict.people
    if p is None:
        return "It speaks for these test people and clips alone: new people need two seeds and two people at least."
    clips = " and on clips that training did not see" if verdict.clips_held_back else ""
    wide = "" if p.level < 0.951 else f" at level {p.level:.3f}, for the looks"
    return (
        f"It speaks for new seeds on these {len(p.subjects)} people{clips}. For {others(p).rstrip(',')}, seeds and "
        f"people are both drawn: {p.crossed.mean:+.3f} [{p.crossed.low:+.3f}, {p.crossed.high:+.3f}]{wide}, bootstrap "
        f"[{p.bootstrap[0]:+.3f}, {p.bootstrap[1]:+.3f}]. {p.gain} of {len(p.subjects)} people gain."
    )


def _looks(verdict: "Verdict") -> str:
    looks, n = verdict.judged.looks, verdict.paired.n
    if len(looks) == 1:
        return ""
    saved = looks[-1] - n
    plan = ", ".join(map(str, looks))
    return (
        f"Seeds as needed: {n} of at most {looks[-1]} pairs were run, {saved} saved; one looked after "
        f"{plan} pairs, which the repeated interval allows for."
    )


def _lengths(verdict: "Verdict") -> str:
    found = verdict.lengths
    if found is None:
        return ""
    shown = "no difference is shown" if found.reading == "no difference shown" else f"it {found.reading}"
    best = f"{found.best[0]} epochs without, {found.best[1]} with"
    open_end = "" if found.settled else " Runs still rise at the longest: longer ones may change this."
    return (
        f"By training length {shown}: with each arm at its own best length ({best}) it "
        f"{WORDS[found.judged.outcome]} ({change(found.own_best, found.judged)}).{open_end}"
    )


def _new_clips(verdict: "Verdict") -> str:
    found = verdict.new_clips
    if found is None:
        return ""
    kept = [share(arm) for arm in (found.without, found.treated)]
    return (
        f"New clips: of the accuracy above chance on seen clips {kept[0]} survives without and {kept[1]} with the "
        f"strategy; on new clips it {WORDS[found.judged.outcome]} ({change(found.paired, found.judged)})."
    )


def _linear(verdict: "Verdict") -> str:
    found = verdict.against_linear
    if found is None or not found.beaten:
        return ""  # said among the warnings
    lead = f"{found.decoder - found.linear:+.3f}"
    return f"The decoder without the strategy beats the best linear model, {found.label}, by {lead}."
