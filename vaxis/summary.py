"""An axis in a terminal: where the classes lie and how that compares with axes made from texts without emotion."""

import numpy as np

from vaxis.axis import Axis

_WIDTH = 22
_NULLS = {
    "nonce": "{k} nonce sentences (own axis)",
    "everyday": "{k} random everyday texts (sign-free)",
    "neutral": "{k} random neutral texts (sign-free)",
}


def summary(axis: Axis) -> str:
    """The table ``python -m vaxis extract`` prints, from the artifact alone."""
    origin, count = axis.provenance, len(axis.classes.classes)
    lines = [
        f"V-axis {axis.fingerprint} | {axis.taxonomy} | {origin.get('model', 'no language model')}"
        f" | layer {origin.get('layer', '-')} | {origin.get('request', {}).get('readout', '-')} read-out",
        "",
        *_bars(axis.class_scores / axis.class_scores.std(), axis.classes.classes),
        "",
        f"separation {axis.separation:+.2f} | explained variance {axis.explained_variance:.2f}"
        f" | {axis.classes.joy} {'positive' if axis.joy_is_positive else 'NOT POSITIVE'}",
    ]
    for name, row in origin.get("readouts", {}).items():
        lines.append(
            f"  read-out {name:<9}separation {row['separation']:+.2f}   explained variance "
            f"{row['explained_variance']:.2f}   {axis.classes.joy} {'positive' if row['joy'] else 'NOT POSITIVE'}"
        )
        if null := row.get("everyday"):
            lines.append(
                f"    {count} random texts     {_band(null['separation'])}   {_band(null['explained_variance'])}"
            )
    if choice := origin.get("layer_choice"):
        values = choice["by_layer"].values()
        lines.append(f"layer {origin['layer']} by {choice['criterion']}: {max(values):.3f}, lowest {min(values):.3f}")
    if nulls := origin.get("nulls"):
        own = nulls["everyday"]
        lines += [
            "",
            f"{'median [5%, 95%], share of draws >= this axis':<47} {'separation':<24} r with 28 rated clips",
            f"{'this axis':<47} {own['separation']['value']:<24.2f} {own['rated']['value']:.2f}",
            *(
                f"{label.format(k=count):<47} {_band(nulls[name]['separation']):<24} {_band(nulls[name]['rated'])}"
                for name, label in _NULLS.items()
            ),
            "The clip column is the fair one: no axis was made from these texts; it has no sign. "
            "See vaxis/language/null_texts.py.",
        ]
    return "\n".join(lines)


def _band(row: dict[str, float]) -> str:
    return f"{row['median']:.2f} [{row['p5']:.2f}, {row['p95']:.2f}] {row['reached']:.0%}"


def _bars(scores: np.ndarray, names: tuple[str, ...]) -> list[str]:
    longest = np.abs(scores).max()
    rows = []
    for name, score in zip(names, scores):
        bar = "█" * round(abs(score) / longest * _WIDTH)
        left, right = (bar, "") if score < 0 else ("", bar)
        rows.append(f"  {name:<12} {score:+5.2f}  {left:>{_WIDTH}}│{right}")
    return rows
