"""What W&B imports while a run opens, for a process that many runs are forked from; importing this file is all it does.

A second of pydantic models (``wandb.sdk.launch``) that a run asks for even where no job is launched.
"""

import contextlib
import os

from tracking.packages import installed

if os.environ.get("WANDB_MODE") != "disabled":
    # What of it a version of W&B lacks is imported by the run, or by nobody.
    with contextlib.suppress(ImportError):
        import matplotlib.pyplot  # noqa: F401
        import wandb
        import wandb.sdk.launch  # noqa: F401

    installed()  # a fork finds the list made
