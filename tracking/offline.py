"""Records that W&B left on disk, and the one command that uploads those of a whole study."""

import shlex
from collections.abc import Iterable
from pathlib import Path

RECORDS = "wandb/offline-run-*"


def sync_line(folders: Iterable[Path]) -> str | None:
    """What a user types to upload all offline records of these run directories; None where nothing waits.

    One pattern a folder of runs, not one a run: a study of forty runs is one line that a shell can take.

    Args:
        folders: run directories.
    """
    waiting: dict[Path, int] = {}
    for folder in folders:
        found = [path for path in folder.glob(RECORDS) if path.is_dir() and not _synced(path)]
        if found:
            waiting[folder.parent] = waiting.get(folder.parent, 0) + len(found)
    if not waiting:
        return None
    patterns = " ".join(f"{shlex.quote(str(parent))}/*/{RECORDS}" for parent in sorted(waiting))
    return f"W&B      {sum(waiting.values())} offline records; to upload them: wandb sync {patterns}"


def _synced(record: Path) -> bool:
    """``wandb sync`` leaves a file beside what a server has taken."""
    return any(record.glob("*.wandb.synced"))
