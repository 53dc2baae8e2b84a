"""From a language model and a few sentences to the axis artifact, with the controls that say what it is worth."""

import platform
import re
import shlex
import sys
import warnings
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from eeg.files import cache_dir
from vaxis.axis import Axis, orient, principal_axis
from vaxis.describe import summary
from vaxis.emotions import TAXONOMIES
from vaxis.nulls import null_distributions
from vaxis.texts import Texts, load_texts

if TYPE_CHECKING:
    from vaxis.hidden_states import HiddenStates

__all__ = ["SEPARATION_WANTED", "default_path", "ensure_axis", "extract", "summary"]

# Sentence sets below this are a lottery: their axis may be anything (it keeps 9 of 20 sets, all of them good).
SEPARATION_WANTED = 0.8
# Raise it when the same texts and settings come to give another artifact; cached artifacts are then made again.
RECIPE = 2


def extract(
    *,
    llm: str = "bundled",
    taxonomy: str = "faced",
    readout: str = "framed",
    layer: str | int = "penultimate",
    sentences: str | Path | None = None,
    draws: int = 500,
    quiet: bool = True,
) -> Axis:
    """Make the valence axis of a language model (arXiv 2606.00129, section 1) and the positions of the stimuli on it.

    Args:
        llm: ``bundled`` (SmolLM2-135M, needs no hub), a folder, a ``.gguf`` file, or a Hugging Face id.
        taxonomy: ``faced`` or ``seedv``.
        readout: ``framed``, or ``last`` for the paper's own: the last token of the bare sentence.
        layer: ``penultimate`` or a number of blocks.
        sentences: YAML file with other sentences; see ``load_texts``.
        draws: sets of texts drawn under each null.
        quiet: show no progress.

    Warns:
        UserWarning: joy is not positive, or the classes separate by less than ``SEPARATION_WANTED``.
    """
    texts = load_texts(taxonomy, sentences)  # before the model: a typo should not cost a download
    states = _open(llm, layer=layer, readout=readout, quiet=quiet)
    from vaxis.hidden_states import READOUTS

    axes = {name: _axis(states, texts, taxonomy, name) for name in READOUTS}
    # SEED-V has no texts of its clips: its film titles could not be established.
    axis = replace(axes[readout], embeddings=states(texts.clips) if taxonomy == "faced" else None)
    axis.positions.update(_positions(states, texts, axis, readout))
    if axis.separation < SEPARATION_WANTED or not axis.joy_is_positive:
        warnings.warn(
            f"weak valence axis: separation {axis.separation:.2f} (wanted {SEPARATION_WANTED}), {axis.classes.joy} is "
            f"{'positive' if axis.joy_is_positive else 'NOT positive'}; use --readout framed, a larger model, or "
            f"sentences that name the feeling",
            stacklevel=2,
        )
    axis.provenance.update(
        request=_request(llm, taxonomy, readout, layer, texts),
        **_origin(llm, states, texts, readout),
        readouts={
            name: {"separation": a.separation, "explained_variance": a.explained_variance, "joy": a.joy_is_positive}
            for name, a in axes.items()
        },
        nulls=null_distributions(lambda batch: states(batch, progress=not quiet), axis, texts, draws=draws),
        command=_command(llm, taxonomy, readout, layer, sentences),
    )
    return axis


def ensure_axis(
    *,
    llm: str = "bundled",
    taxonomy: str = "faced",
    readout: str = "framed",
    layer: str | int = "penultimate",
    sentences: str | Path | None = None,
    out: str | Path | None = None,
    again: bool = False,
    quiet: bool = False,
) -> Path:
    """Path of the artifact; made first if it is missing or was made from other texts or settings.

    Reading a present artifact needs neither torch nor the language model.

    Args:
        llm: see ``extract``; so are ``taxonomy``, ``readout``, ``layer`` and ``sentences``.
        taxonomy: data set.
        readout: read-out.
        layer: layer.
        sentences: other sentences.
        out: where; by default ``default_path``.
        again: make it even if it is there.
        quiet: print and show nothing.
    """
    path = Path(out) if out else default_path(llm=llm, taxonomy=taxonomy, readout=readout, layer=layer)
    if path.is_file() and not again:
        found = Axis.load(path).provenance.get("request")
        if found == _request(llm, taxonomy, readout, layer, load_texts(taxonomy, sentences)):
            return path
        if not quiet:
            print(f"{path} was made from other texts or settings; making it again", file=sys.stderr)
    axis = extract(llm=llm, taxonomy=taxonomy, readout=readout, layer=layer, sentences=sentences, quiet=quiet)
    return axis.save(path)


def default_path(*, llm: str, taxonomy: str, readout: str = "framed", layer: str | int = "penultimate") -> Path:
    """Where the artifact of these settings is cached."""
    name = re.sub(r"[^\w.-]+", "_", llm).strip("_")
    parts = [name, taxonomy, *([readout] if readout != "framed" else [])]
    parts += [f"layer{layer}"] if layer != "penultimate" else []
    return cache_dir() / "axis" / f"{'-'.join(parts)}.npz"


def _open(llm: str, *, layer: str | int, readout: str, quiet: bool) -> "HiddenStates":
    from vaxis.bundled_model import bundled_model
    from vaxis.hidden_states import HiddenStates

    return HiddenStates(bundled_model(quiet=quiet) if llm == "bundled" else llm, layer=layer, readout=readout)


def _axis(states: "HiddenStates", texts: Texts, taxonomy: str, readout: str) -> Axis:
    """The bare axis of one read-out: centroids, first component, sign."""
    flat = [sentence for sentences in texts.sentences.values() for sentence in sentences]
    ends = np.cumsum([len(sentences) for sentences in texts.sentences.values()])[:-1]
    split = np.split(states(flat, readout=readout).astype(np.float64), ends)
    centroids = np.stack([rows.mean(axis=0) for rows in split])
    direction, explained = principal_axis(centroids)
    direction = orient(direction, centroids=centroids, valence=TAXONOMIES[taxonomy].valence)
    return Axis(
        taxonomy=taxonomy,
        direction=direction,
        mean=centroids.mean(axis=0),
        centroids=centroids,
        positions={},
        explained_variance=explained,
        provenance={"sentences": texts.sentences},
    )


def _positions(states: "HiddenStates", texts: Texts, axis: Axis, readout: str) -> dict[str, np.ndarray]:
    """Raw stimulus scores by source; ``rich`` where clips have texts."""
    class_of = np.asarray(axis.classes.class_of)
    # Framed, a single word is read better in a sentence (r .80 instead of .75 with rated words).
    bare = "The word is {}." if readout == "framed" else "{}"

    def score(read: np.ndarray) -> np.ndarray:
        return (read - axis.mean) @ axis.direction

    positions = {
        "class": axis.class_scores[class_of],
        "bare": score(states([bare.format(name) for name in axis.classes.classes]))[class_of],
    }
    if axis.embeddings is not None:
        positions["rich"] = score(axis.embeddings)
    return positions


def _request(llm: str, taxonomy: str, readout: str, layer: str | int, texts: Texts) -> dict[str, str]:
    """What makes a cached artifact the one asked for, known without opening the model."""
    settings = {"llm": llm, "taxonomy": taxonomy, "readout": readout, "layer": str(layer)}
    return settings | {"texts": texts.fingerprint, "recipe": str(RECIPE)}


def _origin(llm: str, states: "HiddenStates", texts: Texts, readout: str) -> dict:
    from vaxis import bundled_model
    from vaxis.hidden_states import READOUTS

    bundled = {"requirement": bundled_model.REQUIREMENT, "gguf_sha256": bundled_model.GGUF_SHA256}
    return {
        "model": bundled_model.NAME if llm == "bundled" else llm,
        "weights": states.fingerprint,
        **({"source": bundled} if llm == "bundled" else {}),
        "layer": states.layer,
        "dtype": str(states.dtype).removeprefix("torch."),
        "frame": list(READOUTS[readout]),
        "texts": texts.fingerprint,
        "versions": {
            "python": platform.python_version(),
            **{p: version(p) for p in ("torch", "transformers", "numpy")},
        },
    }


def _command(llm: str, taxonomy: str, readout: str, layer: str | int, sentences: str | Path | None) -> str:
    words = ["python", "-m", "vaxis", "extract", "--llm", llm, "--taxonomy", taxonomy, "--readout", readout]
    words += ["--layer", str(layer), *(["--sentences", str(sentences)] if sentences else [])]
    return shlex.join(words)
