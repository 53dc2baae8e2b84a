"""Finding a data set's folders, and saying which path was meant when the given one is a level off."""

from pathlib import Path


def source_folder(root: str | Path, inner: str, *, dataset: str) -> Path:
    """``root/inner``, the official place of some files.

    Args:
        root: top folder of the data set, as given by the user.
        inner: path below it, for example ``EEG_Features/DE``.
        dataset: name for the error message.

    Raises:
        FileNotFoundError: no such folder; names the right root when it is above or below the given one.
    """
    root = Path(root)
    if (root / inner).is_dir():
        return root / inner
    if not root.is_dir():
        raise FileNotFoundError(f"--data.root {root} does not exist; give the {dataset} folder that holds {inner}")
    absolute = root.resolve()
    near = [*absolute.parents[:2], *sorted(child for child in absolute.iterdir() if child.is_dir())]
    right = next((folder for folder in near if (folder / inner).is_dir()), None)
    if right is not None:
        raise FileNotFoundError(f"--data.root {root} is not the top of {dataset}; use --data.root {right}")
    found = sorted(child.name for child in absolute.iterdir())[:8]
    raise FileNotFoundError(
        f"--data.root {root} has no folder {inner}, which {dataset} has; it holds {found or 'nothing'}"
    )


def is_simulated(root: str | Path) -> bool:
    """True when the simulator wrote this cohort."""
    return (Path(root) / "SIMULATED.json").is_file()
