"""The comparison of several models as plain values."""

from collections.abc import Mapping, Sequence
from itertools import combinations

import numpy as np

from vaxis.validity.agreement import against, pair_null, pairwise, spread, tier

NULLS = ("random texts", "random directions")


def compare(
    answers: dict[str, dict], *, ratings: Mapping[str, Sequence[float] | np.ndarray], readouts: Sequence[str]
) -> dict:
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
    matrix = np.zeros((0, 0))
    if names:  # one model alone gives a number, not a matrix
        matrix = pairwise([answers[name][f"{key}|axis"] for name in names]).reshape(len(names), -1)
    for i, j in combinations(range(len(names)), 2):
        first, second = answers[names[i]], answers[names[j]]
        nulls = {null: pair_null(first[f"{key}|{null}"], second[f"{key}|{null}"]) for null in NULLS}
        drawn.append(nulls)
        spreads = {null: spread(draws) for null, draws in nulls.items()}
        pairs[f"{names[i]} ~ {names[j]}"] = {"r": float(matrix[i, j]), **spreads}
    rated = {
        name: {null: against(ratings, answer[f"{key}|axis"], answer[f"{key}|{null}"]) for null in NULLS}
        for name, answer in answers.items()
    }
    validity: dict[str, dict] = {
        name: row["random texts"] | {"random_directions_p95": row["random directions"]["null_p95"]}
        for name, row in rated.items()
    }
    if key.endswith("|clips"):  # the only texts that the paper's tiers are defined on
        validity = {name: row | {"tier": tier(row["r"])} for name, row in validity.items()}
    mean = float(np.mean([pair["r"] for pair in pairs.values()])) if pairs else None
    # Draw by draw over the pairs, so that the mean has a 95th percentile of its own.
    null_mean = {null: spread(np.mean([pair[null] for pair in drawn], axis=0)) for null in NULLS} if drawn else {}
    return {"texts": len(ratings), "pairs": pairs, "mean": mean, "null_mean": null_mean, "validity": validity}
