"""Pictures and numbers of a report as one W&B run: what a page shows, beside the runs it is made from."""

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tracking.server import prepare_environment, stays_offline, why_offline


def log_figures(
    folder: Path,
    *,
    pictures: Mapping[str, Path],
    numbers: Mapping[str, float],
    tables: Mapping[str, tuple[Sequence[str], Sequence[Sequence[str]]]],
    config: Mapping[str, Any],
    project: str = "vaxis-align",
    online: bool = False,
) -> str:
    """Write the run and return one line that says where it is; without a server it waits on disk, and nothing hangs.

    Args:
        folder: of the report; the record lies in its ``wandb``.
        pictures: PNG files by name.
        numbers: summary of the run.
        tables: head and rows by name, so that each number stands beside its null in W&B as well.
        config: what runs are filtered by.
        project: W&B project.
        online: send it now; otherwise it waits for ``wandb sync``.
    """
    prepare_environment()
    reason = why_offline() if online else "not asked for"
    import wandb

    from tracking.run_logger import SETTINGS

    with wandb.init(
        project=project, dir=folder, id=hashlib.sha256(str(folder.resolve()).encode()).hexdigest()[:8], resume="allow",
        name=folder.name, job_type="report", config={"kind": "report", **config},
        mode="offline" if reason else "online", settings=wandb.Settings(**SETTINGS),
    ) as run:  # fmt: skip
        run.summary.update(dict(numbers))
        for name, file in pictures.items():
            run.log({f"report/{name}": wandb.Image(str(file))})
        for name, (head, rows) in tables.items():
            run.log({f"report/{name}": wandb.Table(columns=list(head), data=[list(row) for row in rows])})
    if not reason:
        return f"W&B: {len(pictures)} pictures in project {project}"
    if online:
        return stays_offline(folder, reason)
    return f"W&B record in {folder}/wandb, upload with: wandb sync {folder}/wandb/offline-run-*"
