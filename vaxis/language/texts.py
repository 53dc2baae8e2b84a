"""The texts an axis is made from and checked with: our own, or a user's for the same classes or for others."""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from vaxis.emotions import FACED, Taxonomy, load_taxonomy, read_yaml

HERE = Path(__file__).parent


@dataclass(frozen=True, kw_only=True)
class Texts:
    """All texts one extraction reads.

    Attributes:
        sentences: class name to its one or more sentences, in the taxonomy's order; the axis comes from these alone.
        clips: one-line descriptions of the 28 FACED clips; positions on FACED, held-out check on every taxonomy.
        rated_valence: mean human valence of these clips, 0 to 7.
        neutral: texts without consequence, for a control.
        everyday: texts good, bad and neither, unlabelled, for a control.
        stimuli: one line for each stimulus of the taxonomy; None where there are no such texts.
        sets: one sentence a class each, in the order of the classes; only ``--layer auto`` looks at them.
    """

    sentences: dict[str, list[str]]
    clips: list[str]
    rated_valence: list[float]
    neutral: list[str]
    everyday: list[str]
    stimuli: list[str] | None = None
    sets: tuple[tuple[str, ...], ...] = ()

    @property
    def fingerprint(self) -> str:
        """Twelve hex digits of every text in the artifact, so that a cached axis knows when it is out of date."""
        content = asdict(self)
        del content["sets"]
        if content["stimuli"] in (None, self.clips):
            del content["stimuli"]
        return digest(content)


def digest(content: object) -> str:
    """Twelve hex digits of plain JSON values."""
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:12]


def load_texts(taxonomy: str | Path, sentences: str | Path | None = None, *, paraphrases: int | None = None) -> Texts:
    """Read and check the texts.

    A taxonomy's file holds ``sentences`` (one or more a class) and, if there are such texts, ``stimuli`` (for each
    stimulus a line, or a mapping with a line ``text``). Where its classes are those of FACED, or ``synonyms`` says
    which of them they are, our other sets of sentences serve it too.

    Args:
        taxonomy: see ``load_taxonomy``.
        sentences: a user's YAML file, ``{taxonomy: {class: sentence or list of sentences}}``; by default those in the
            taxonomy's file.
        paraphrases: sentences a class; by default all of the file. More than it has come from our other sets. None is
            ever generated: a model of this size writes poor ones.

    Raises:
        ValueError: unknown taxonomy, sentences that do not match its classes, or too few of them.
    """
    kind = load_taxonomy(taxonomy)
    file = _file(kind)
    path, key = (Path(sentences), kind.name) if sentences else (file, "sentences")
    content = read_yaml(file, "taxonomy")
    found = read_yaml(path, "--sentences") if sentences else content
    chosen = dict(_checked(found.get(key), kind, path, key))
    sets = _our_sets(kind, content.get("synonyms"))
    rows = tuple(zip(*chosen.values()))  # the first sentences of all classes, the second ones, ...
    if paraphrases is not None:
        pool = rows if sentences else rows + sets
        if not 1 <= paraphrases <= len(pool):
            raise ValueError(
                f"--paraphrases {paraphrases}: {path} has 1 to {len(pool)} sentences for each class; write more"
            )
        chosen = {name: [row[i] for row in pool[:paraphrases]] for i, name in enumerate(chosen)}
    controls, clips = read_yaml(HERE / "control_texts.yaml", "texts"), read_yaml(_file(FACED), "taxonomy")["stimuli"]
    return Texts(
        sentences=chosen,
        clips=[clip["text"] for clip in clips],
        rated_valence=[clip["rated_valence"] for clip in clips],
        neutral=controls["neutral"],
        everyday=controls["everyday"],
        stimuli=_stimuli(content.get("stimuli"), kind),
        sets=tuple(dict.fromkeys(rows + sets)),
    )


def _file(kind: Taxonomy) -> Path:
    if kind.file is None:
        raise ValueError(f"the texts of '{kind.name}' are in its YAML file, and none is known")
    return kind.file


def _our_sets(kind: Taxonomy, synonyms: object) -> tuple[tuple[str, ...], ...]:
    """Our independent sets, which name the classes of FACED; none where a class is not one of them."""
    if synonyms is not None and (not isinstance(synonyms, dict) or not set(synonyms.values()) <= set(FACED.classes)):
        raise ValueError(f"{kind.file}: 'synonyms' must map classes to those of {', '.join(FACED.classes)}")
    names = [(synonyms or {}).get(name, name) for name in kind.classes]
    if not set(names) <= set(FACED.classes):
        return ()
    return tuple(tuple(group[name] for name in names) for group in read_yaml(HERE / "sets.yaml", "texts").values())


def _stimuli(found: object, kind: Taxonomy) -> list[str] | None:
    if found is None:
        return None
    entries = found if isinstance(found, list) else []
    lines = [entry.get("text") if isinstance(entry, dict) else entry for entry in entries]
    if len(lines) != len(kind.class_of) or not all(lines):
        raise ValueError(f"{kind.file}: 'stimuli' must be {len(kind.class_of)} lines, one for each entry of class_of")
    return list(map(str, lines))


def _checked(found: object, kind: Taxonomy, path: Path, key: str) -> Iterator[tuple[str, list[str]]]:
    if not isinstance(found, dict) or set(found) != set(kind.classes):
        names = sorted(map(str, found)) if isinstance(found, dict) else "nothing"
        raise ValueError(f"{path}: '{key}' needs one entry for each of {', '.join(kind.classes)}; found {names}")
    for name in kind.classes:
        sentences = [found[name]] if isinstance(found[name], str) else found[name]
        if (
            not isinstance(sentences, list)
            or not sentences
            or not all(isinstance(s, str) and s.strip() for s in sentences)
        ):
            raise ValueError(f"{path}: {key}.{name} must be a sentence or a list of sentences")
        yield name, list(sentences)
