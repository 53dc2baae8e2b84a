"""The comparison of several models as plain values, and as the text that ``python -m vaxis agree`` prints."""

from collections.abc import Sequence
from itertools import combinations

import numpy as np

from vaxis.fit import GATE
from vaxis.validity.agreement import against, pair_null, pairwise, spread, tier

PUBLISHED = "published, fourteen models: mean .65, Qwen3 against other families .585; top tier r > .85"
_NULLS = ("random texts", "random directions")


def compare(answers: dict[str, dict], *, ratings: dict[str, Sequence[float]], readouts: Sequence[str]) -> dict:
    """Agreement of every pair and validity of every model, by read-out and group of texts.

    Args:
        answers: of ``model_answer.ask``, by the model's name.
        ratings: human valence by group of texts.
        readouts: the compared one first.
    """
    return {
        "models": {name: _about(answer, readouts[0]) for name, answer in answers.items()},
        "readouts": {
            readout: {group: _group(answers, np.asarray(r), f"{readout}|{group}") for group, r in ratings.items()}
            | {"separation": {name: float(a[f"{readout}|separation"]) for name, a in answers.items()}}
            for readout in readouts
        },
    }


def _about(answer: dict, readout: str) -> dict:
    profile, null = answer[f"{readout}|profile"], answer[f"{readout}|profile null"]
    return {
        **answer["about"],
        "joy_positive": bool(answer[f"{readout}|joy"]),
        "layer_profile": _plain(profile),
        "layer_profile_null": _plain(null),
    }


def _plain(values: np.ndarray) -> list[float | None]:
    return [None if np.isnan(value) else float(value) for value in values]


def _group(answers: dict[str, dict], ratings: np.ndarray, key: str) -> dict:
    names = list(answers)
    pairs, drawn = {}, []
    matrix = pairwise([answers[name][f"{key}|axis"] for name in names]).reshape(len(names), -1) if names else []
    for i, j in combinations(range(len(names)), 2):
        first, second = answers[names[i]], answers[names[j]]
        nulls = {null: pair_null(first[f"{key}|{null}"], second[f"{key}|{null}"]) for null in _NULLS}
        drawn.append(nulls)
        spreads = {null: spread(draws) for null, draws in nulls.items()}
        pairs[f"{names[i]} ~ {names[j]}"] = {"r": float(matrix[i, j]), **spreads}
    rated = {
        name: {null: against(ratings, answer[f"{key}|axis"], answer[f"{key}|{null}"]) for null in _NULLS}
        for name, answer in answers.items()
    }
    validity = {
        name: row["random texts"] | {"random_directions_p95": row["random directions"]["null_p95"]}
        for name, row in rated.items()
    }
    if key.endswith("|clips"):  # the only texts that the paper's tiers are defined on
        validity = {name: row | {"tier": tier(row["r"])} for name, row in validity.items()}
    mean = float(np.mean([pair["r"] for pair in pairs.values()])) if pairs else None
    # Draw by draw over the pairs, so that the mean has a 95th percentile of its own.
    null_mean = {null: spread(np.mean([pair[null] for pair in drawn], axis=0)) for null in _NULLS} if drawn else {}
    return {"texts": len(ratings), "pairs": pairs, "mean": mean, "null_mean": null_mean, "validity": validity}


def describe(result: dict) -> str:
    """Tables: every model against ratings, every pair, in each read-out; then the models that failed."""
    lines = []
    for readout, groups in result["readouts"].items():
        for group in (name for name in groups if name != "separation" and result["models"]):
            lines += ["", f"{readout} read-out, {groups[group]['texts']} {group}"]
            lines += _of_models(groups[group], result["models"], groups["separation"]) + _of_pairs(groups[group])
    failed = [f"  {name}: {reason}" for name, reason in result.get("failed", {}).items()]
    lines += ["", "failed:", *failed] if failed else []
    return "\n".join([*lines, *(["", PUBLISHED] if result["models"] else [])]).lstrip("\n")


def _of_models(found: dict, models: dict, separations: dict) -> list[str]:
    wide = max(24, *map(len, found["validity"]))
    lines = [
        f"  {'model':<{wide}} {'layer':>5} {'sep.':>6}   {'r with ratings [95 %]':<23} {'random texts |r|':<18} "
        f"{'random dir. 95 %':<17} {'tier' if 'tier' in next(iter(found['validity'].values())) else ''}"
    ]
    for name, row in found["validity"].items():
        lines.append(
            f"  {name:<{wide}} {models[name]['layer']:>5} {separations[name]:>+6.2f}   {row['r']:+.2f} "
            f"[{row['low']:+.2f}, {row['high']:+.2f}]    {row['null_median']:.2f}, 95 % {row['null_p95']:.2f}    "
            f"{row['random_directions_p95']:<17.2f} {row.get('tier', '')}"
        )
    weak = [name for name in found["validity"] if not separations[name] >= GATE]
    if weak:
        lines.append(f"  sep. below {GATE}, so that the sign of r means little: {', '.join(weak)}")
    return [line.rstrip() for line in lines]


def _of_pairs(found: dict) -> list[str]:
    if not found["pairs"]:
        return []
    rows = found["pairs"] | {"mean": {"r": found["mean"], **found["null_mean"]}}
    wide = max(46, *map(len, rows))
    lines = [f"  {'pair':<{wide}} {'r':>6}   random texts |r|     random directions |r|"]
    for name, row in rows.items():
        texts, directions = (row[null] for null in _NULLS)
        lines.append(
            f"  {name:<{wide}} {row['r']:>+6.2f}   {texts['median']:.2f}, 95 % {texts['p95']:.2f}      "
            f"{directions['median']:.2f}, 95 % {directions['p95']:.2f}"
        )
    return lines
