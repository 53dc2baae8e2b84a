"""Records that W&B left on disk, and the one command that uploads those of a whole study."""

import shlex
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

RECORDS = "wandb/offline-run-*"


def sync_line(folders: Iterable[Path]) -> str | None:
    """What a user types to upload all offline records of these run directories; None where nothing waits.

    One pattern a study, not one an arm or a run: a line that a person can paste. What other arms of the study left
    is uploaded with it, and counted.

    Args:
        folders: run directories.
    """
    parents = {folder.parent for folder in folders if _waiting(folder.glob(RECORDS))}
    of_study = Counter(parent.parent for parent in parents)
    patterns = sorted(
        {
            (parent.parent, f"*/*/{RECORDS}") if of_study[parent.parent] > 1 else (parent, f"*/{RECORDS}")
            for parent in parents
        }
    )
    if not patterns:
        return None
    count = len({record for folder, pattern in patterns for record in _waiting(folder.glob(pattern))})
    shown = " ".join(f"{shlex.quote(str(folder))}/{pattern}" for folder, pattern in patterns)
    return f"W&B      {count} offline records; to upload them: wandb sync {shown}"


def _waiting(records: Iterable[Path]) -> list[Path]:
    return [path for path in records if path.is_dir() and not _synced(path)]


def _synced(record: Path) -> bool:
    """``wandb sync`` leaves a file beside what a server has taken."""
    return any(record.glob("*.wandb.synced"))
