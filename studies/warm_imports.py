"""What a warm process imports; importing this file is all it does.

Everything that the default run needs before its data. No import may start a thread or ask for CUDA devices: the process
is forked, and a fork keeps neither (pytorch #75147, #17199). A test counts and watches.
"""

import contextlib
import gc
import importlib

from command_line.catalogue import FOLDERS, broken, plugins
from command_line.lean import import_torchmetrics

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

import_torchmetrics()
_read = {kind: (plugins(kind), broken(kind)) for kind in FOLDERS}  # a fork finds them parsed
for _name in (*NEEDED, *(plugin.class_path.rsplit(".", 1)[0] for plugin in _read["callback"][0])):
    # A file that does not import is told by the run that needs it, in its own log.
    with contextlib.suppress(Exception):
        importlib.import_module(_name)

# What is imported stays. A fork need not look through it for garbage, nor get copies of the pages by doing so.
gc.collect()
gc.freeze()
