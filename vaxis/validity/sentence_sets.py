"""How much the axis depends on who wrote its nine sentences."""

from collections.abc import Sequence

import numpy as np
import yaml

from measures.bootstrap import auc, sign_free
from vaxis.axis import Read, sentence_axis
from vaxis.emotions import FACED
from vaxis.fit import GATE, contrast
from vaxis.language.chance_axes import random_directions
from vaxis.language.texts import HERE
from vaxis.validity.corpora import Corpus


def load_sets() -> dict[str, dict[str, list[str]]]:
    """Our independent sets of nine, by style: ``{set: {class: [sentence]}}``."""
    content = yaml.safe_load((HERE / "sets.yaml").read_text(encoding="utf-8"))
    return {name: {label: [sentence] for label, sentence in nine.items()} for name, nine in content.items()}


def study_sets(
    read: Read, sets: dict[str, dict[str, list[str]]], corpora: dict[str, Corpus], *, draws: int = 500
) -> dict:
    """AUC of the axis of every set on every corpus, over all sets and over those that pass the gate.

    The gate asks for a separation of at least ``GATE`` and a positive joy; it looks at the set's own nine sentences
    alone.

    Args:
        read: gives the (n, L) states of n texts.
        sets: name to sentences.
        corpora: name to rated texts.
        draws: axes of nine random texts, the null of each corpus.
    """
    axes = {name: sentence_axis(read, sentences, classes=FACED) for name, sentences in sets.items()}
    passed = {name: axis.separation >= GATE and axis.joy_is_positive for name, axis in axes.items()}
    rows: dict[str, dict] = {
        name: {"separation": axis.separation, "joy": axis.joy_is_positive, "passed": passed[name], "auc": {}}
        for name, axis in axes.items()
    }
    summaries = {}
    for corpus_name, corpus in corpora.items():
        states, positive = read(corpus.texts), corpus.ratings > 0
        for name, axis in axes.items():
            rows[name]["auc"][corpus_name] = float(auc(states @ axis.direction, positive))
        contrasts = [float(auc(states @ contrast(a.centroids, a.classes.valence), positive)) for a in axes.values()]
        random = random_directions(states, kind="random_texts", count=draws)
        null = float(np.median(sign_free(auc(states @ random.T, positive))))
        own = {name: row["auc"][corpus_name] for name, row in rows.items()}
        summaries[corpus_name] = {
            "all": _spread(list(own.values())),
            "passed": _spread([value for name, value in own.items() if passed[name]]),
            "contrast": _spread(contrasts),
            "random_texts": null,
        }
    return {"sets": rows, "corpora": summaries, "passed": sum(passed.values()), "gate": GATE}


def _spread(values: Sequence[float]) -> dict[str, float] | None:
    if not values:
        return None
    return {"median": float(np.median(values)), "min": float(np.min(values)), "max": float(np.max(values))}
