"""The texts an axis is made from and checked with: our own, or a user's for the same classes or for others."""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import yaml

from vaxis.emotions import TAXONOMIES, Taxonomy

HERE = Path(__file__).parent
# Our independent sets name the classes of FACED; these are the ones SEED-V calls otherwise.
_FACED_NAME = {"sad": "sadness", "happy": "joy"}


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


def load_taxonomy(name: str | Path) -> Taxonomy:
    """One of ours by its name, or a user's from a YAML file.

    The file holds ``classes`` (a mapping of each class, in the order of its id, to its valence -1, 0 or 1), ``joy``
    (the class that must come out positive), ``class_of`` (the class of each stimulus, by name or id), ``sentences``
    (one or more a class) and, if there are such texts, ``stimuli`` (one line for each stimulus).

    Raises:
        ValueError: unknown name, or a file that lacks one of these; names the field.
    """
    if str(name) in TAXONOMIES:
        return TAXONOMIES[str(name)]
    path = Path(name)
    if path.suffix not in (".yaml", ".yml"):
        raise ValueError(f"--taxonomy {name}: choose from {', '.join(TAXONOMIES)}, or give a .yaml file")
    found = _read(path, "--taxonomy")
    classes = found.get("classes")
    known = isinstance(classes, dict) and all(value in (-1, 0, 1) for value in classes.values())
    if not known or len(classes) < 3 or not {-1, 1} <= set(classes.values()):
        raise ValueError(
            f"{path}: 'classes' must map three or more classes to -1, 0 or 1, such as 'anger: -1', with both signs"
        )
    names = tuple(map(str, classes))
    if not isinstance(joy := found.get("joy"), str) or classes.get(joy) != 1:
        raise ValueError(f"{path}: 'joy' must name the class of valence 1 that is checked to come out positive")
    ids = {name: i for i, name in enumerate(names)} | {i: i for i in range(len(names))}
    class_of = found.get("class_of")
    if (
        not isinstance(class_of, list)
        or not class_of
        or not all(isinstance(c, str | int) and c in ids for c in class_of)
    ):
        raise ValueError(f"{path}: 'class_of' must list the class of each stimulus, by name or by id from 0")
    return Taxonomy(
        name=path.stem,
        classes=names,
        valence=tuple(classes.values()),
        joy=joy,
        class_of=tuple(ids[c] for c in class_of),
    )


def load_texts(taxonomy: str | Path, sentences: str | Path | None = None, *, paraphrases: int | None = None) -> Texts:
    """Read and check the texts.

    Args:
        taxonomy: see ``load_taxonomy``.
        sentences: a user's YAML file, ``{taxonomy: {class: sentence or list of sentences}}``; by default ours, or those
            in the user's taxonomy file.
        paraphrases: sentences a class; by default all of the file, in ours one. More than one of ours come from our
            other sets. None is ever generated: a model of this size writes poor ones.

    Raises:
        ValueError: unknown taxonomy, sentences that do not match its classes, or too few of them.
    """
    kind, own = load_taxonomy(taxonomy), str(taxonomy) not in TAXONOMIES
    ours, clips = _read(HERE / "sentences.yaml"), _read(HERE / "stimuli.yaml")["faced"]
    path = Path(sentences or (taxonomy if own else HERE / "sentences.yaml"))
    found = _read(path).get(kind.name if sentences or not own else "sentences")
    chosen = dict(_checked(found, kind, path))
    sets = () if own else _our_sets(kind)
    rows = tuple(zip(*chosen.values()))  # the first sentences of all classes, the second ones, ...
    if paraphrases is not None:
        pool = rows if sentences or own else rows + sets
        if not 1 <= paraphrases <= len(pool):
            raise ValueError(
                f"--paraphrases {paraphrases}: {path} has 1 to {len(pool)} sentences for each class; write more"
            )
        chosen = {name: [row[i] for row in pool[:paraphrases]] for i, name in enumerate(chosen)}
    return Texts(
        sentences=chosen,
        clips=[clip["text"] for clip in clips],
        rated_valence=[clip["rated_valence"] for clip in clips],
        neutral=ours["neutral"],
        everyday=ours["everyday"],
        stimuli=_stimuli(Path(taxonomy), kind) if own else [c["text"] for c in clips] if kind.name == "faced" else None,
        sets=tuple(dict.fromkeys(rows + sets)),
    )


def _our_sets(kind: Taxonomy) -> tuple[tuple[str, ...], ...]:
    return tuple(
        tuple(group[_FACED_NAME.get(name, name)] for name in kind.classes)
        for group in _read(HERE / "sets.yaml").values()
    )


def _stimuli(path: Path, kind: Taxonomy) -> list[str] | None:
    lines = _read(path).get("stimuli")
    if lines is not None and (not isinstance(lines, list) or len(lines) != len(kind.class_of) or not all(lines)):
        raise ValueError(f"{path}: 'stimuli' must be {len(kind.class_of)} lines, one for each entry of class_of")
    return None if lines is None else list(map(str, lines))


def _read(path: Path, flag: str = "--sentences") -> dict:
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ValueError(f"{flag} {path} cannot be read as YAML: {str(error).splitlines()[0]}") from error
    if not isinstance(content, dict):
        raise ValueError(f"{path} must be a mapping such as 'faced: {{anger: ...}}'")
    return content


def _checked(found: object, kind: Taxonomy, path: Path) -> Iterator[tuple[str, list[str]]]:
    if not isinstance(found, dict) or set(found) != set(kind.classes):
        names = sorted(map(str, found)) if isinstance(found, dict) else "nothing"
        raise ValueError(f"{path}: '{kind.name}' needs one entry for each of {', '.join(kind.classes)}; found {names}")
    for name in kind.classes:
        sentences = [found[name]] if isinstance(found[name], str) else found[name]
        if not sentences or not all(isinstance(s, str) and s.strip() for s in sentences):
            raise ValueError(f"{path}: {kind.name}.{name} must be a sentence or a list of sentences")
        yield name, list(sentences)
