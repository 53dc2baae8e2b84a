"""The results of ``validate`` in a terminal: one table a read-out, corpora in columns, every control in a row."""

from vaxis.fit import GATE
from vaxis.validity.rated_texts import CLEAR

_LABELS = {
    "axis": "V-axis",
    "contrast": "class means, pos - neg",
    "prototypes": "prototype cosines",
    "arousal": "arousal axis, first component",
    "arousal_contrast": "arousal axis, class means",
    "ridge": "supervised: ridge, 500 tweets",
    "lexicon": "mean of rated words",
}
_NULLS = {
    "random_texts": "nine random texts, sign-free",
    "covariance": "random, texts' covariance",
    "isotropic": "random, isotropic",
    "nonce_sentences": "nine nonce sentences",
}
_WIDTH = 32
_CELL = 25


def describe(result: dict) -> str:
    """Tables of all read-outs.

    Args:
        result: what ``vaxis.commands.validate.validate`` returns.
    """
    about = f"at most {result['samples']} texts a corpus; vaxis/validity/corpora.py says what was chosen on which"
    lines = [f"{result['model']} | layer {result['layer']} | {about}"]
    for name, found in result["readouts"].items():
        lines += ["", *_readout(name, found)]
        if "sets" in found:
            lines += ["", *_sets(found["sets"])]
    return "\n".join(lines)


def _readout(name: str, found: dict) -> list[str]:
    corpora = found["corpora"]
    joy = "positive" if found["joy"] else "NOT POSITIVE"
    gate = "" if found["separation"] >= GATE and found["joy"] else "   BELOW THE GATE"
    lines = [
        f"{name} read-out: separation {found['separation']:+.2f}, "
        f"explained variance {found['explained_variance']:.2f}, joy {joy}{gate}",
        _row("AUC [95 % over texts]", [f"{key} (n={row['texts']})" for key, row in corpora.items()]),
    ]
    for key, label in _LABELS.items():
        lines.append(_row(label, [_interval(row[key]["auc"]) for row in corpora.values()]))
    lines.append(_row(f"V-axis, texts of |rating| >= {CLEAR:g}", [_clear(row["clear"]) for row in corpora.values()]))
    human = [_interval(row["human"]["auc"]) if row["human"] else "-" for row in corpora.values()]
    lines.append(_row("one human rater", human))
    lines.append(_row("nonce-word texts, V-axis", [_interval(row["nonce_texts"]["auc"]) for row in corpora.values()]))
    lines.append(_row("Pearson r of the V-axis", [_interval(row["axis"]["r"]) for row in corpora.values()]))
    for key, label in (("isotropic", "isotropic"), ("random_texts", "random texts")):
        cells = [f"{row['nulls'][key]['r_p95']:.3f}" for row in corpora.values()]
        lines.append(_row(f"  null |r|, 95 %: {label}", cells))
    lines.append(_row("Null AUC: median [5, 95 %]", ["and share >= V-axis"] * len(corpora)))
    for key, label in _NULLS.items():
        lines.append(_row(label, [_null(row["nulls"][key]) for row in corpora.values()]))
    lines.append(
        _row("V-axis - median random texts", [_interval(row["margin"], sign=True) for row in corpora.values()])
    )
    for key, row in found["lexicons"].items():
        r, null = row["axis"]["r"], row["nulls"]
        lines.append(
            f"{key} words (n={row['words']}): r {_interval(r)}, AUC {_interval(row['axis']['auc'])}; 95 % of |r|: "
            f"random {null['isotropic']['r_p95']:.2f}, nine random words {null['random_texts']['r_p95']:.2f}"
        )
    return lines


def _sets(found: dict) -> list[str]:
    total, corpora = len(found["sets"]), found["corpora"]
    lines = [
        f"{total} sets of nine, {found['passed']} pass the gate (separation >= {found['gate']}, joy positive)",
        _row("AUC: median [min, max]", list(corpora)),
    ]
    for key, label in (("all", "all sets"), ("passed", "sets that pass"), ("contrast", "class means, all sets")):
        lines.append(_row(label, [_spread(row[key]) for row in corpora.values()]))
    lines.append(_row("nine random texts", [f"{row['random_texts']:.3f}" for row in corpora.values()]))
    for name, row in found["sets"].items():
        cells = [f"{value:.3f}" for value in row["auc"].values()]
        lines.append(_row(f"  {name} ({row['separation']:+.2f}{'' if row['passed'] else ', out'})", cells))
    return lines


def _row(label: str, cells: list[str]) -> str:
    return f"{label:<{_WIDTH}}" + "".join(f"{cell:<{_CELL}}" for cell in cells).rstrip()


def _interval(row: dict, *, sign: bool = False) -> str:
    plus = "+" if sign else ""
    return f"{row['value']:{plus}.3f} [{row['low']:{plus}.2f}, {row['high']:{plus}.2f}]"


def _clear(row: dict) -> str:
    return "-" if row["auc"] is None else f"{row['auc']:.3f} (n={row['texts']})"


def _null(row: dict) -> str:
    return f"{row['median']:.3f} [{row['p5']:.2f}, {row['p95']:.2f}] {row['reached']:.0%}"


def _spread(row: dict | None) -> str:
    return "none" if row is None else f"{row['median']:.3f} [{row['min']:.2f}, {row['max']:.2f}]"
