"""The comparison of several models as plain values, and as the text that ``python -m vaxis agree`` prints."""

from collections.abc import Sequence
from itertools import combinations

import numpy as np

from vaxis.agreement import against, pair_null, pairwise, tier

PUBLISHED = "published, fourteen models: mean .65, Qwen3 against other families .585; top tier r > .85"
_NULLS = ("random texts", "random directions")


def compare(answers: dict[str, dict], *, ratings: dict[str, Sequence[float]], readouts: Sequence[str]) -> dict:
    """Agreement of every pair and validity of every model, by read-out and group of texts.

    Args:
        answers: of ``read_model``, by the model's name.
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
    pairs = {}
    matrix = pairwise([answers[name][f"{key}|axis"] for name in names]).reshape(len(names), -1) if names else []
    for i, j in combinations(range(len(names)), 2):
        first, second = answers[names[i]], answers[names[j]]
        nulls = {null: pair_null(first[f"{key}|{null}"], second[f"{key}|{null}"]) for null in _NULLS}
        pairs[f"{names[i]} ~ {names[j]}"] = {"r": float(matrix[i, j]), **nulls}
    rated = {
        name: {null: against(ratings, answer[f"{key}|axis"], answer[f"{key}|{null}"]) for null in _NULLS}
        for name, answer in answers.items()
    }
    validity = {name: {**row["random texts"], "tier": tier(row["random texts"]["r"])} for name, row in rated.items()}
    for name, row in rated.items():
        validity[name]["random_directions_p95"] = row["random directions"]["null_p95"]
    mean = float(np.mean([pair["r"] for pair in pairs.values()])) if pairs else None
    null_mean = {null: _mean(pair[null]["median"] for pair in pairs.values()) for null in _NULLS}
    return {"texts": len(ratings), "pairs": pairs, "mean": mean, "null_mean": null_mean, "validity": validity}


def _mean(values) -> float | None:
    values = list(values)
    return float(np.mean(values)) if values else None


def describe(result: dict) -> str:
    """Tables: every model against ratings, every pair, in each read-out."""
    lines = []
    for readout, groups in result["readouts"].items():
        for group in (name for name in groups if name != "separation"):
            lines += _table(result, readout, group)
    lines += [f"  {name:<24} failed: {reason}" for name, reason in result.get("failed", {}).items()]
    return "\n".join([*lines, PUBLISHED]).lstrip("\n")


def _table(result: dict, readout: str, group: str) -> list[str]:
    found, separations = result["readouts"][readout][group], result["readouts"][readout]["separation"]
    lines = [
        "",
        f"{readout} read-out, {found['texts']} {group}",
        f"  {'model':<24} {'layer':>5} {'sep.':>6}   {'r with ratings [95 %]':<23} {'random texts |r|':<18} "
        f"{'random dir. 95 %':<17} tier",
    ]
    for name, row in found["validity"].items():
        lines.append(
            f"  {name[:24]:<24} {result['models'][name]['layer']:>5} {separations[name]:>+6.2f}   {row['r']:+.2f} "
            f"[{row['low']:+.2f}, {row['high']:+.2f}]    {row['null_median']:.2f}, 95 % {row['null_p95']:.2f}    "
            f"{row['random_directions_p95']:<17.2f} {row['tier']}"
        )
    if found["pairs"]:
        lines.append(f"  {'pair':<46} {'r':>6}   random texts |r|     random directions |r|")
    for name, row in found["pairs"].items():
        texts, directions = row["random texts"], row["random directions"]
        lines.append(
            f"  {name:<46} {row['r']:>+6.2f}   {texts['median']:.2f}, 95 % {texts['p95']:.2f}      "
            f"{directions['median']:.2f}, 95 % {directions['p95']:.2f}"
        )
    if found["mean"] is not None:
        texts, directions = (found["null_mean"][null] for null in _NULLS)
        lines.append(f"  {'mean':<46} {found['mean']:>+6.2f}   {texts:.2f} {'':<15}{directions:.2f}")
    return lines
