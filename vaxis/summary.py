"""An axis in a terminal: where classes and stimuli lie, and how that compares with axes of texts without emotion."""

import numpy as np

from vaxis.axis import Axis

_WIDTH = 22
_NULLS = {
    "nonce": "{k} nonce sentences (own axis)",
    "everyday": "{k} random everyday texts (sign-free)",
    "neutral": "{k} random neutral texts (sign-free)",
}
# The three ways of reading that have a name; vaxis.language.modes says which settings each of them is.
_MODES = {
    "framed": "framed: our own, last token of a frame",
    "v1": "v1: arXiv v1, last token",
    "revision": "revision: authors' September 2026, mean",
}


def summary(axis: Axis) -> str:
    """The table ``python -m vaxis extract`` prints, from the artifact alone."""
    origin = axis.provenance
    arousal = origin.get("arousal")
    lines = [
        f"{'arousal axis, a control' if arousal else 'V-axis'} {axis.fingerprint} | {axis.taxonomy}"
        f" | {origin.get('model', 'no language model')}"
        f" | layer {origin.get('layer', '-')} | {origin.get('request', {}).get('readout', '-')} read-out",
        *_weights(origin),
        "",
        *_bars(axis.class_scores / axis.class_scores.std(), axis.classes.classes),
        "",
        *(_arousal(arousal) if arousal else _quality(axis)),
        *_taken(axis),
        *_modes(axis),
        *_nulls(axis),
    ]
    return "\n".join(lines)


def _weights(origin: dict) -> list[str]:
    """Mode, and what the weights are: of a quantised file no number is one of the original model."""
    named, source = origin.get("mode"), origin.get("source", {})
    lines = [f"mode {named}"] if named and named != "framed" else []
    if "quantisation" in source:
        lines.append(
            f"weights: a {source['quantisation']} file unpacked to {source['unpacked_to']}, read in {origin['dtype']}"
        )
    return lines


def _quality(axis: Axis) -> list[str]:
    origin, count = axis.provenance, len(axis.classes.classes)
    lines = [
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
    return lines


def _arousal(found: dict) -> list[str]:
    """What says that the control is of arousal, and not of valence."""
    with_valence = ", ".join(f"{name} {r:+.2f}" for name, r in found["r_with_valence"].items())
    return [
        f"high is positive | sentences held out in pairs: {found['held_out_pairs']:.0%} in order, chance 50%",
        f"r with the positions on the valence axis: {with_valence} | cosine {found['cosine_with_valence']:+.2f}",
        f"r of 28 clips with rated valence {found['r_rated']:+.2f}",
    ]


def _taken(axis: Axis) -> list[str]:
    """What training takes, which is not where the class centroids lie: the stimuli have texts of their own."""
    if not axis.positions:
        return []
    source, v, _ = axis.standardised()
    class_of, scores = np.asarray(axis.classes.class_of), axis.class_scores / axis.class_scores.std()
    lines = ["", f"training takes the {len(v)} positions '{source}' (z): mean and each; left, the centroids above"]
    for k, (name, mean) in enumerate(zip(axis.classes.classes, axis.by_class(v))):
        each = " ".join(f"{value:+.2f}" for value in v[class_of == k])
        lines.append(f"  {name:<12} {scores[k]:+5.2f}   {mean:+5.2f}   {each}")
    return lines


def _modes(axis: Axis) -> list[str]:
    """Our read-out and the two published ones side by side on this model, each above its null."""
    rows = axis.provenance.get("modes") or {}
    if not rows:
        return []
    joy, count = axis.classes.joy, len(axis.classes.classes)
    lines = ["", f"{'mode':<41} {'layer':<6} {joy:<13} {'separation':<22} {'explained variance':<22} r, 28 rated clips"]
    for name, row in rows.items():
        null, sign = row["everyday"], "positive" if row["joy"] else "NOT POSITIVE"
        own = [f"{row['separation']:<22.2f}", f"{row['explained_variance']:<22.2f}", f"{null['rated']['value']:.2f}"]
        bands = [f"{_band(null[key]):<22}" for key in ("separation", "explained_variance", "rated")]
        lines.append(f"{_MODES[name]:<41} {row['layer']:<6} {sign:<13} {' '.join(own)}")
        lines.append(f"{f'  {count} random everyday texts':<41} {'':<20} {' '.join(bands).rstrip()}")
    return lines


def _nulls(axis: Axis) -> list[str]:
    if not (nulls := axis.provenance.get("nulls")):
        return []
    own, count = nulls["everyday"], len(axis.classes.classes)
    return [
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
