"""A table of interventions for the terminal, as CSV and as LaTeX."""

import csv
import io
import math
from collections.abc import Sequence
from itertools import groupby
from textwrap import wrap

import numpy as np

from analysis.interventions import InterventionResult, typical_sd
from analysis.verdict_text import SIMULATED, p_text
from measures.paired import resolvable_dz

WIDTH = 144
ID, PUBLISHED = 12, 16  # widths of the two columns that only the paper's table needs
HEAD = (
    f"{'strategy':<28}{'base':>6}  {'change [95 % interval]':<25}{'sd':>6}{'t: p':>7}{'flip':>7}{'Holm':>7}"
    f"{'BH':>7}{'sees':>7}  "
)
COLUMNS = (
    "row label group family seeds base with change low high sd t p p_sign_flip p_sign_flip_floor p_holm p_bh "
    "smallest_resolvable verdict simulated published_change published_p seeds_for_published missing note"
).split()


def terminal(lines: Sequence[InterventionResult], *, title: str, headings: dict[str, str]) -> str:
    """The table, at most 144 columns wide, with what is missing below it.

    Args:
        lines: rows.
        title: first line.
        headings: of each group of rows.
    """
    shown = [line for line in lines if line.paired]
    # A row that is named by its loss says so once, and one that nobody has published has no place for it.
    ids = ID if any(not line.asked.label.startswith(line.asked.id) for line in shown) else 0
    published = PUBLISHED if any(line.asked.delta is not None for line in shown) else 0
    width = WIDTH - (ID - ids) - (PUBLISHED - published)
    text = [title, "=" * width]
    text += [SIMULATED] if any(line.simulated for line in shown) else []
    text += [f"{'row'[:ids]:<{ids}}{HEAD}{'published (p)'[:published]:<{published}}verdict"] if shown else []
    for group, rows in groupby(shown, key=lambda line: line.asked.group):
        text.append(f"-- {headings.get(group, group)}")
        text += [_row(line, ids=ids, published=published) for line in rows]
    text += ["", *_summary(shown, width=width)] if shown else ["Nothing is finished yet."]
    return "\n".join([*text, *_missing(lines)])


def _row(line: InterventionResult, *, ids: int, published: int) -> str:
    asked, d = line.asked, line.measured
    interval = f"{d.mean:+.3f}" + (f" [{d.low:+.3f}, {d.high:+.3f}]" if math.isfinite(d.low) else "")
    p = "".join(f"{p_text(value):>7}" for value in (d.p, d.p_sign_flip, line.p_holm, line.p_bh))
    name = f"{asked.id[: max(0, ids - 1)]:<{ids}}{asked.label:<28}"
    numbers = (
        f"{np.mean(line.before):>6.3f}  {interval:<25}{_number(d.sd, '.3f'):>6}{p}{_number(d.resolvable, '.3f'):>7}"
    )
    return f"{name}{numbers}  {_published(line):<{published}}{_verdict(line)}"


def _verdict(line: InterventionResult) -> str:
    if line.unchanged:
        return "unchanged"
    done, asked = line.measured.n, len(line.asked.seeds)
    pairs = f", {done}/{asked} seeds" if done < asked else ""
    return f"{line.answer}{pairs}"


def _published(line: InterventionResult) -> str:
    asked = line.asked
    if asked.delta is None:
        return ""
    return f"{asked.delta:+.3f}" + (f" ({asked.p_text})" if asked.p_text else "")


def _summary(shown: Sequence[InterventionResult], *, width: int) -> list[str]:
    answers = [line.answer for line in shown]
    counts = ", ".join(
        f"{answers.count(name)} {name}"
        for name in ("hurts", "helps", "equivalent", "unresolved")
        if name != "equivalent" or name in answers
    )
    tests = {(line.asked.baseline, line.asked.treated): line for line in shown}.values()
    survive = [sum(getattr(line, name) < 0.05 for line in tests) for name in ("p_holm", "p_bh")]
    text = [
        f"{len(shown)} rows: {counts} (95 % t interval, each row alone). Of the {len(tests)} distinct comparisons "
        f"{survive[0]} stay below 0.05 after Holm's correction, {survive[1]} after Benjamini and Hochberg's.",
        "flip: exact sign-flip p. sees: smallest true change that this row would detect with 80 % power.",
    ]
    n, sd = max(line.measured.n for line in shown), typical_sd(shown)
    if n <= 5:
        pairs = "one seed" if n == 1 else f"{n} seeds"
        text.append(f"With {pairs} the sign-flip p is never below {2 / 2**n:.3g} and a row's own sd is a rough guess.")
    if math.isfinite(sd):
        sees = ", ".join(f"{k} seeds {resolvable_dz(k) * sd:.3f}" for k in (2, 5, 10, 20))
        text.append(f"At the typical sd of a difference, {sd:.3f}, a change is seen from: {sees}. {_more_seeds(shown)}")
    return [line for paragraph in text for line in wrap(paragraph, width)]


def _more_seeds(shown: Sequence[InterventionResult]) -> str:
    asked = [line for line in shown if line.verdict == "unresolved" and line.asked.delta is not None]
    needs = [line.seeds_needed or math.inf for line in asked]
    if not asked:
        return ""
    counts = (sum(n <= 5 for n in needs), sum(5 < n <= 20 for n in needs), sum(n > 20 for n in needs))
    return (
        f"For a change as large as the published one the {len(asked)} unresolved rows need up to 5 seeds ({counts[0]} "
        f"rows), 6 to 20 ({counts[1]}) or more ({counts[2]}; column seeds_for_published of the CSV)."
    )


def _missing(lines: Sequence[InterventionResult]) -> list[str]:
    text: list[str] = []
    untouched = [line for line in lines if set(line.missing) == {"not run"} or _all_not_run(line)]
    for line in lines:
        if line in untouched or not line.missing:
            continue
        text += wrap(
            f"{line.asked.id} {line.asked.label}: {'; '.join(line.missing)}",
            WIDTH,
            subsequent_indent="    ",
        )
    if untouched:
        text += wrap(f"Not run: {', '.join(line.asked.id for line in untouched)}.", WIDTH, subsequent_indent="    ")
    return ["", *text] if text else []


def _all_not_run(line: InterventionResult) -> bool:
    return not line.paired and bool(line.missing) and all(text.endswith("not run") for text in line.missing)


def to_csv(lines: Sequence[InterventionResult]) -> str:
    """All numbers of all rows; empty where there is none."""
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, COLUMNS, lineterminator="\n")
    writer.writeheader()
    for line in lines:
        writer.writerow({name: _cell(value) for name, value in _values(line).items()})
    return buffer.getvalue()


def _values(line: InterventionResult) -> dict[str, object]:
    e, d = line.asked, line.paired
    values: dict[str, object] = {"row": e.id, "label": e.label, "group": e.group, "family": e.family, "note": e.note}
    values |= {"published_change": e.delta, "published_p": e.p_text, "seeds_for_published": line.seeds_needed}
    values |= {"seeds": " ".join(map(str, line.seeds)), "missing": "; ".join(line.missing)}
    if d is None:
        return values
    values |= {
        "base": np.mean(line.before),
        "with": np.mean(line.after),
        "change": d.mean,
        "low": d.low,
        "high": d.high,
    }
    values |= {"sd": d.sd, "t": d.t, "p": d.p, "p_sign_flip": d.p_sign_flip, "p_sign_flip_floor": d.p_sign_flip_floor}
    values |= {"p_holm": line.p_holm, "p_bh": line.p_bh, "smallest_resolvable": d.resolvable}
    return values | {"verdict": line.verdict, "simulated": line.simulated}


def _cell(value: object) -> object:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.6g}" if math.isfinite(value) else ""
    return "" if value is None else value


def latex(lines: Sequence[InterventionResult], *, caption: str, headings: dict[str, str]) -> str:
    """A table for booktabs; rows without a finished pair have dashes."""
    rows = [r"\begin{table}", r"\centering\small", rf"\caption{{{_tex(caption)}}}", r"\begin{tabular}{llrrrrrrrl}"]
    rows += [r"\toprule"]
    rows += [r" & & \multicolumn{7}{c}{this run} & published \\ \cmidrule(lr){3-9}"]
    rows += [r" & strategy & base & $\Delta$ & 95\,\% interval & s.d. & $p$ & Holm & resolves & $\Delta$ ($p$) \\"]
    for group, members in groupby(lines, key=lambda line: line.asked.group):
        rows += [r"\midrule", rf"\multicolumn{{10}}{{l}}{{\emph{{{_tex(headings.get(group, group))}}}}} \\"]
        rows += [_latex_row(line) for line in members]
    return "\n".join([*rows, r"\bottomrule", r"\end{tabular}", r"\end{table}", ""])


def _latex_row(line: InterventionResult) -> str:
    e, d = line.asked, line.paired
    published = "--" if e.delta is None else f"${e.delta:+.3f}$"
    published += f" ({_tex(e.p_text).replace('<', '$<$')})" if e.p_text else ""
    ours = ["--"] * 7
    if d:
        mean = f"{d.mean:+.3f}" if line.verdict == "unresolved" else rf"\mathbf{{{d.mean:+.3f}}}"
        interval = f"$[{d.low:+.3f}, {d.high:+.3f}]$" if math.isfinite(d.low) else "--"
        ours = [f"{np.mean(line.before):.3f}", f"${mean}$", interval, _number(d.sd, ".3f", "--")]
        ours += [p_text(d.p), p_text(line.p_holm), _number(d.resolvable, ".3f", "--")]
    name = e.id if e.id.isdigit() else ""
    return " & ".join([name, _tex(e.label), *ours, published]) + r" \\"


def _tex(text: str) -> str:
    for plain in "%_&#":
        text = text.replace(plain, f"\\{plain}")
    return text.replace("λ", r"$\lambda$").replace("τ", r"$\tau$")


def _number(value: float, form: str, absent: str = "n/a") -> str:
    return format(value, form) if math.isfinite(value) else absent
