"""What one model contributes to a comparison, in a file: projections of fixed texts, nulls and layer profile."""

import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from records.files import atomic
from records.reading import said
from vaxis.emotions import FACED
from vaxis.fit import class_means, fit_direction, separation
from vaxis.language.readouts import readout_of
from vaxis.language.texts import Texts, digest
from vaxis.validity.agreement import comparable_nulls, layer_profile, profile_null

if TYPE_CHECKING:
    from vaxis.language.hidden_states import HiddenStates
    from vaxis.language.model import MemoryPlan

# Raise it when the same model and texts come to give other numbers; files of before are then read again.
RECIPE = 1


@dataclass(frozen=True, kw_only=True)
class Question:
    """What every model is asked.

    Attributes:
        texts: sentences, clips and everyday texts.
        corpora: further groups of texts by name.
        readouts: the first one is the one compared; the others stand beside it.
        layer: as for ``HiddenStates``.
    """

    texts: Texts
    corpora: dict[str, list[str]]
    readouts: tuple[str, ...]
    layer: str

    @property
    def key(self) -> str:
        """Changes with whatever changes an answer."""
        frames = [asdict(readout_of(name)) for name in self.readouts]
        return digest([self.texts.fingerprint, self.corpora, frames, self.layer, RECIPE])

    @property
    def groups(self) -> dict[str, list[str]]:
        """Texts that are projected, by group."""
        return {"clips": self.texts.clips, **self.corpora}


def ask(
    model: str, question: Question, *, on_plan: Callable[["MemoryPlan"], None], progress: bool, **options: Any
) -> dict:
    """Open a model and answer; arrays and plain values by name.

    Args:
        model: as for ``HiddenStates``.
        question: what to read.
        on_plan: told the memory plan before the model is loaded.
        progress: show bars.
        **options: of ``HiddenStates``.
    """
    from vaxis.language.hidden_states import HiddenStates

    started = time.monotonic()
    states = HiddenStates(model, layer=question.layer, on_plan=on_plan, **options)
    answer: dict[str, Any] = {}
    for readout in question.readouts:
        found = _answer_in(readout, states, question, progress)
        answer |= {f"{readout}|{name}": value for name, value in found.items()}
    return answer | {
        "about": {
            "plan": str(states.plan),
            "parameters": states.plan.parameters,
            "layer": states.layer,
            "causal": states.causal,
            "weights": states.fingerprint,
            "seconds": round(time.monotonic() - started, 1),
        }
    }


def save(answer: dict, path: Path) -> None:
    """Write an answer atomically."""
    arrays = {name: value for name, value in answer.items() if name != "about"}
    with atomic(path) as partial, open(partial, "wb") as file:
        np.savez_compressed(file, about=np.array(json.dumps(answer["about"])), **arrays)


def load(path: Path) -> dict:
    """Read an answer.

    Raises:
        ValueError: the file is damaged; says what to delete.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            answer = {name: file[name] for name in file.files}
        return answer | {"about": json.loads(str(answer["about"]))}
    except Exception as error:
        raise ValueError(f"{path} is damaged ({said(error)}); delete it and run again") from error


def _answer_in(readout: str, states: "HiddenStates", question: Question, progress: bool) -> dict[str, np.ndarray]:
    texts, classes = question.texts, len(FACED.classes)
    sentences = [sentence for group in texts.sentences.values() for sentence in group]
    everyday, clips = texts.everyday, texts.clips
    profile = states.profile([*sentences, *clips, *everyday], readout=readout, progress=progress)
    of_sentences, of_clips, of_everyday = np.split(profile, np.cumsum([len(sentences), len(clips)]), axis=1)
    by_layer = class_means(of_sentences, [len(group) for group in texts.sentences.values()])
    direction, _, scores = fit_direction(by_layer[-1], valence=FACED.valence)
    seed = int(states.fingerprint[:8], 16)
    nulls = comparable_nulls(of_everyday[-1].astype(np.float64), classes=classes, seed=seed)
    found = {
        "separation": np.array(separation(scores, valence=FACED.valence)),
        "joy": np.array(scores[FACED.classes.index(FACED.joy)] > 0),
        "profile": layer_profile(by_layer, valence=FACED.valence),
        "profile null": profile_null(of_everyday, classes=classes),
    }
    for name, group in question.groups.items():
        read = of_clips[-1] if group is clips else states(group, readout=readout, progress=progress)
        found[f"{name}|axis"] = read @ direction
        found |= {f"{name}|{null}": (read @ rows.T).T.astype(np.float32) for null, rows in nulls.items()}
    return found
