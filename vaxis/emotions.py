"""Sets of emotions: classes, their valence, and which clip belongs to which class; each read from a YAML file."""

from dataclasses import asdict, dataclass, field
from pathlib import Path

import yaml

# A data set's taxonomy lies beside its class. This room may not import that one, so it looks the files up by place: a
# file that is dropped in there is known by its name like ours, with no list to edit.
DATA_SETS = Path(__file__).resolve().parents[1] / "datamodules"


@dataclass(frozen=True, kw_only=True)
class Taxonomy:
    """A set of emotion classes and the stimuli that evoke them.

    Attributes:
        name: of its file, also the name of the data set.
        classes: K class names; position = class id as the data set's public loaders use it.
        valence: sign of each class, -1, 0 or +1; fixes the sign of the axis.
        joy: the class that must come out positive (a check, not the sign rule: alone it flips 8 of 20 sentence sets).
        class_of: class id of each of the S stimuli.
        file: where it was read; None out of an axis artifact. Says where texts are, not what the taxonomy is.
    """

    name: str
    classes: tuple[str, ...]
    valence: tuple[int, ...]
    joy: str
    class_of: tuple[int, ...]
    file: Path | None = field(default=None, compare=False, repr=False)

    @classmethod
    def from_lists(cls, values: dict) -> "Taxonomy":
        """The taxonomy whose ``facts`` went through JSON."""
        return cls(
            name=values["name"],
            classes=tuple(values["classes"]),
            valence=tuple(values["valence"]),
            joy=values["joy"],
            class_of=tuple(values["class_of"]),
        )

    @property
    def facts(self) -> dict:
        """Everything but the file, as plain JSON values: what an artifact carries and a fingerprint counts."""
        content = asdict(self)
        del content["file"]
        return content

    @property
    def reference(self) -> str:
        """What ``--taxonomy`` takes to find it again: the name of one beside the data modules, the file of another."""
        beside = self.file is None or self.file.resolve().parent == DATA_SETS
        return self.name if beside else str(self.file)

    @property
    def shadows(self) -> bool:
        """True for a file elsewhere that has the name of one beside the data modules."""
        return self.reference != self.name and self.name in known()


def known() -> list[str]:
    """Names of the taxonomies beside the data modules."""
    return sorted(path.stem for path in DATA_SETS.glob("*.yaml"))


def load_taxonomy(name: str | Path) -> Taxonomy:
    """One beside the data modules by its name, in any case, or any YAML file.

    The file holds ``classes`` (a mapping of each class, in the order of its id, to its valence -1, 0 or 1), ``joy``
    (the class that must come out positive) and ``class_of`` (the class of each stimulus, by name or id); the texts in
    it are read by ``vaxis.language.texts``.

    Raises:
        ValueError: unknown name, or a file that lacks one of these; names the field.
    """
    path = Path(name)
    if path.suffix not in (".yaml", ".yml"):
        if str(name).lower() not in (names := known()):
            raise ValueError(f"--taxonomy {name}: choose from {', '.join(names)}, or give a .yaml file")
        path = DATA_SETS / f"{str(name).lower()}.yaml"
    found = read_yaml(path, "taxonomy")
    valence = _valence(found.get("classes"), path)
    if not isinstance(joy := found.get("joy"), str) or valence.get(joy) != 1:
        raise ValueError(f"{path}: 'joy' must name the class of valence 1 that is checked to come out positive")
    return Taxonomy(
        name=path.stem,
        classes=tuple(valence),
        valence=tuple(valence.values()),
        joy=joy,
        class_of=_class_of(found.get("class_of"), tuple(valence), path),
        file=path,
    )


def read_yaml(path: Path, what: str) -> dict:
    """A mapping from a YAML file.

    Raises:
        ValueError: unreadable, or no mapping; says of which ``what``.
    """
    if path.exists() and not (path.is_file() or path.is_dir()):  # opening a pipe waits for its other end, for ever
        raise ValueError(f"{what} {path} is no regular file")
    try:
        # libyaml's loader is ten times faster, and these files are read at every start.
        content = yaml.load(path.read_text(encoding="utf-8"), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ValueError(f"{what} {path} cannot be read as YAML: {str(error).splitlines()[0]}") from error
    if not isinstance(content, dict):
        raise ValueError(f"{path} must be a mapping such as 'classes: {{anger: -1, ...}}'")
    return content


def _valence(classes: object, path: Path) -> dict[str, int]:
    found = classes if isinstance(classes, dict) else {}
    numbers = all(value in (-1, 0, 1) for value in found.values())  # before the set, which a list cannot enter
    if len(found) < 3 or not numbers or not {-1, 1} <= set(found.values()):
        raise ValueError(
            f"{path}: 'classes' must map three or more classes to -1, 0 or 1, such as 'anger: -1', with both signs"
        )
    return {str(name): value for name, value in found.items()}


def _class_of(listed: object, names: tuple[str, ...], path: Path) -> tuple[int, ...]:
    ids: dict[str | int, int] = {name: i for i, name in enumerate(names)} | {i: i for i in range(len(names))}
    if not isinstance(listed, list) or not listed or not all(isinstance(c, str | int) and c in ids for c in listed):
        raise ValueError(f"{path}: 'class_of' must list the class of each stimulus, by name or by id from 0")
    return tuple(ids[c] for c in listed)


# Published artifacts of these two name their taxonomy and do not repeat it; those of all others carry their classes.
FACED, SEEDV = (load_taxonomy(DATA_SETS / f"{name}.yaml") for name in ("faced", "seedv"))
TAXONOMIES = {taxonomy.name: taxonomy for taxonomy in (FACED, SEEDV)}
