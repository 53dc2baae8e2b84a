"""The texts an axis is made from and checked with: our own, or a user's sentences for the same classes."""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import yaml

from vaxis.emotions import TAXONOMIES

HERE = Path(__file__).parent


@dataclass(frozen=True, kw_only=True)
class Texts:
    """All texts one extraction reads.

    Attributes:
        sentences: class name to its one or more sentences, in the taxonomy's order; the axis comes from these alone.
        clips: one-line descriptions of the 28 FACED clips; positions on FACED, held-out check on both data sets.
        rated_valence: mean human valence of these clips, 0 to 7.
        neutral: texts without consequence, for a control.
        everyday: texts good, bad and neither, unlabelled, for a control.
    """

    sentences: dict[str, list[str]]
    clips: list[str]
    rated_valence: list[float]
    neutral: list[str]
    everyday: list[str]

    @property
    def fingerprint(self) -> str:
        """Twelve hex digits of every text, so that a cached axis knows when it is out of date."""
        return hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()[:12]


def load_texts(taxonomy: str, sentences: str | Path | None = None) -> Texts:
    """Read and check the texts.

    Args:
        taxonomy: name in ``TAXONOMIES``.
        sentences: a user's YAML file, ``{taxonomy: {class: sentence or list of sentences}}``; by default ours.

    Raises:
        ValueError: unknown taxonomy, or sentences that do not match its classes.
    """
    if taxonomy not in TAXONOMIES:
        raise ValueError(f"--taxonomy {taxonomy}: choose from {', '.join(TAXONOMIES)}")
    ours = _read(HERE / "sentences.yaml")
    path = Path(sentences) if sentences else HERE / "sentences.yaml"
    found = (_read(path) if sentences else ours).get(taxonomy)
    clips = _read(HERE / "stimuli.yaml")["faced"]
    return Texts(
        sentences=dict(_checked(found, taxonomy, path)),
        clips=[clip["text"] for clip in clips],
        rated_valence=[clip["rated_valence"] for clip in clips],
        neutral=ours["neutral"],
        everyday=ours["everyday"],
    )


def _read(path: Path) -> dict:
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ValueError(f"--sentences {path} cannot be read as YAML: {str(error).splitlines()[0]}") from error
    if not isinstance(content, dict):
        raise ValueError(f"{path} must be a mapping such as 'faced: {{anger: ...}}'")
    return content


def _checked(found: object, taxonomy: str, path: Path) -> Iterator[tuple[str, list[str]]]:
    classes = TAXONOMIES[taxonomy].classes
    if not isinstance(found, dict) or set(found) != set(classes):
        names = sorted(map(str, found)) if isinstance(found, dict) else "nothing"
        raise ValueError(f"{path}: '{taxonomy}' needs one entry for each of {', '.join(classes)}; found {names}")
    for name in classes:
        sentences = [found[name]] if isinstance(found[name], str) else found[name]
        if not sentences or not all(isinstance(s, str) and s.strip() for s in sentences):
            raise ValueError(f"{path}: {taxonomy}.{name} must be a sentence or a list of sentences")
        yield name, list(sentences)
