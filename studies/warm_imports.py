"""What a warm process imports; importing this file is all it does.

Everything that the default run needs before its data. No import may start a thread or ask for CUDA devices: the process
is forked, and a fork keeps neither (pytorch #75147, #17199). A test counts and watches.
"""

import contextlib
import importlib

from command_line.catalogue import plugins

NEEDED = (
    "train",
    "command_line.parser",
    "datamodules.simulated",
    "losses.none",
    "losses.vaxis_mse",
    "networks.global_context_de",
    "tracking.run_logger",
    "tracking.warm_imports",
    "matplotlib.backends.backend_agg",  # pictures for W&B, at the end of a run
    "sklearn.linear_model",
)

for _name in (*NEEDED, *(plugin.class_path.rsplit(".", 1)[0] for plugin in plugins("callback"))):
    # A file that does not import is told by the run that needs it, in its own log.
    with contextlib.suppress(Exception):
        importlib.import_module(_name)
