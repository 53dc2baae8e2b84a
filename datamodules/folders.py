"""Finding a data set's folders and files, and saying which path was meant when the given one is a level off."""

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path


def source_folder(root: str | Path, inner: str, *, dataset: str, others: Mapping[str, str] | None = None) -> Path:
    """``root/inner``, the official place of some files, or the same one level down where an archive was unpacked twice.

    Args:
        root: top folder of the data set, as given by the user.
        inner: path below it, for example ``EEG_Features/DE``.
        dataset: name for the error message.
        others: folders of the other kinds of features, by the value of ``--data.features`` that reads them.

    Raises:
        FileNotFoundError: no such folder; names the right root when it is above or below the given one, and the flag
            that reads what is there instead.
        ValueError: files lie at the official place and one level down.
    """
    root = Path(root)
    if (found := _unpacked(root, inner)) is not None:
        return found
    if not root.is_dir():
        raise FileNotFoundError(f"--data.root {root} does not exist; give the {dataset} folder that holds {inner}")
    absolute = root.resolve()
    near = [*absolute.parents[:2], *sorted(child for child in absolute.iterdir() if child.is_dir())]
    right = next((folder for folder in near if (folder / inner).is_dir()), None)
    if right is not None:
        raise FileNotFoundError(f"--data.root {root} is not the top of {dataset}; use --data.root {right}")
    there = {kind: folder for kind, folder in (others or {}).items() if _unpacked(root, folder) is not None}
    if there:
        flags = " or ".join(f"--data.features {kind} reads {folder}" for kind, folder in there.items())
        raise FileNotFoundError(f"--data.root {root} has no folder {inner}; {flags}, which is there")
    names = sorted(child.name for child in absolute.iterdir())[:8]
    raise FileNotFoundError(
        f"--data.root {root} has no folder {inner}, which {dataset} has; it holds {names or 'nothing'}"
    )


def _unpacked(root: Path, inner: str) -> Path | None:
    """``root/inner``, or that folder in a folder of the same name, as some programs unpack an archive."""
    parts = Path(inner).parts
    twice = [Path(*parts[: i + 1], *parts[i:]) for i in range(len(parts))]
    places = [root / place for place in (Path(inner), *twice) if (root / place).is_dir()]
    full = [place for place in places if any(_visible(place, besides=place / place.name))]
    if len(full) > 1:
        raise ValueError(f"{full[0]} and {full[1]} both hold files; keep one of them there")
    return next(iter(full or places), None)


def _visible(folder: Path, *, besides: Path) -> Iterable[Path]:
    return (entry for entry in folder.iterdir() if not entry.name.startswith(".") and entry != besides)


def files_of_recordings(folder: Path, *, name: str, suffix: str) -> dict[str, list[Path]]:
    """Files of each recording, sorted; a second copy made by a browser or a copying tool counts as one.

    Args:
        folder: where they lie.
        name: regular expression whose group is the name of the recording, found anywhere in the file's name.
        suffix: of the files, in lower case; notebooks and lists beside them are skipped, as are hidden files.
    """
    found: dict[str, list[Path]] = {}
    for path in sorted(folder.iterdir()):
        match = re.search(name, path.name)
        if match and path.suffix.lower() == suffix and not path.name.startswith(".") and path.is_file():
            found.setdefault(match[1], []).append(path)
    return found


def only_file(paths: list[Path]) -> Path:
    """The file of a recording.

    Raises:
        ValueError: there are several; which one is right is not for the order of a folder to decide.
    """
    if len(paths) > 1:
        names = " and ".join(path.name for path in paths)
        raise ValueError(
            f"{paths[0].parent} has {len(paths)} files for one recording: {names}; keep the right one there"
        )
    return paths[0]


def is_simulated(root: str | Path) -> bool:
    """True when the simulator wrote this cohort."""
    return (Path(root) / "SIMULATED.json").is_file()


def flag_without(missing: Sequence[str], *, there: Sequence[str]) -> str:
    """The flag that does without the people who are missing, to be pasted: the shorter of the two lists of names."""
    flag, names = ("exclude", missing) if len(missing) <= len(there) else ("subjects", there)
    return f"--data.{flag} '[{','.join(names)}]'"
