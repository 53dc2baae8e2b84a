"""What an axis was asked for: the facts that tell a cached artifact from another, its place, and its command."""

import re
import shlex
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from records.files import cache_dir
from vaxis.emotions import TAXONOMIES, Taxonomy, load_taxonomy
from vaxis.language.arousal import arousal_sentences
from vaxis.language.texts import Texts, digest, load_texts

# Raise it when the same texts and settings come to give another artifact; cached artifacts are then made again.
RECIPE = 6
QUALITIES = ("valence", "arousal")


@dataclass(frozen=True, kw_only=True)
class Request:
    """The arguments of ``extract``, checked as far as that goes without a model.

    Attributes:
        llm: see ``extract``; so are ``taxonomy``, ``readout``, ``layer``, ``sentences``, ``paraphrases``, ``quality``.
        taxonomy: classes and stimuli.
        readout: read-out.
        layer: layer.
        sentences: other sentences.
        paraphrases: sentences a class.
        quality: what the axis is of.
        model: arguments of ``HiddenStates``.
    """

    llm: str
    taxonomy: str
    readout: str
    layer: str | int
    sentences: str | Path | None = None
    paraphrases: int | None = None
    quality: str = "valence"
    model: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.quality not in QUALITIES:
            raise ValueError(f"--quality {self.quality}: choose from {', '.join(QUALITIES)}")

    @cached_property
    def classes(self) -> Taxonomy:
        return load_taxonomy(self.taxonomy)

    @cached_property
    def texts(self) -> Texts:
        return load_texts(self.taxonomy, self.sentences, paraphrases=self.paraphrases)

    @property
    def facts(self) -> dict[str, str]:
        """What makes a cached artifact the one asked for, known without opening the model."""
        found = {"llm": self.llm, "taxonomy": self.classes.name, "readout": self.readout, "layer": str(self.layer)}
        found |= {"texts": self.texts.fingerprint, "recipe": str(RECIPE)}
        found |= {"quality": self.quality, "levels": digest(arousal_sentences())} if self.quality == "arousal" else {}
        found |= {} if self.classes in TAXONOMIES.values() else {"classes": digest(self.classes.facts)}
        found |= {"sets": digest(self.texts.sets)} if self.layer == "auto" else {}
        return found | ({"dtype": plain_dtype(self.model["dtype"])} if self.model.get("dtype") else {})

    @property
    def path(self) -> Path:
        """Where its artifact is cached; other sentences than the taxonomy's give another place."""
        others = self.sentences or self.paraphrases is not None
        return default_path(
            llm=self.llm,
            taxonomy=self.taxonomy,
            readout=self.readout,
            layer=self.layer,
            texts=self.texts.fingerprint[:8] if others else None,
            quality=self.quality,
        )

    @property
    def command(self) -> str:
        words = ["python", "-m", "vaxis", "extract", "--llm", self.llm, "--taxonomy", self.taxonomy]
        words += ["--readout", self.readout, "--layer", str(self.layer)]
        words += ["--quality", self.quality] if self.quality != "valence" else []
        words += ["--sentences", str(self.sentences)] if self.sentences else []
        words += ["--paraphrases", str(self.paraphrases)] if self.paraphrases is not None else []
        words += ["--dtype", plain_dtype(self.model["dtype"])] if self.model.get("dtype") else []
        return shlex.join(words)


def default_path(
    *,
    llm: str,
    taxonomy: str,
    readout: str = "framed",
    layer: str | int = "penultimate",
    texts: str | None = None,
    quality: str = "valence",
) -> Path:
    """Where the artifact of these settings is cached; ``texts`` is the start of the fingerprint of other sentences."""
    kind = load_taxonomy(taxonomy)
    if kind.shadows:  # a user's own faced.yaml: its artifact must not stand in the place of ours
        texts = texts or load_texts(taxonomy).fingerprint[:8]
    parts = [llm, kind.name, *([quality] if quality != "valence" else []), *([readout] if readout != "framed" else [])]
    parts += [f"layer{layer}"] if layer != "penultimate" else []
    parts += [texts] if texts else []
    return cache_dir() / "axis" / f"{'-'.join(_plain(part) for part in parts)}.npz"


def plain_dtype(dtype: Any) -> str:
    """Name of a torch dtype without its module."""
    return str(dtype).removeprefix("torch.")


def _plain(part: str) -> str:
    """A part of a file name; long ones, such as prompts, are cut and told apart by a digest."""
    name = re.sub(r"[^\w.-]+", "_", part).strip("_")
    return name if len(name) <= 60 else f"{name[:40]}_{digest(part)[:8]}"
