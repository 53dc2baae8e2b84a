"""What a warm process imports; importing this file is all it does.

Everything that the default run needs before its data. No import may start a thread or ask for CUDA devices: the process
is forked, and a fork keeps neither (pytorch #75147, #17199). A test counts and watches.
"""

import contextlib
import importlib

from command_line.catalogue import FOLDERS, broken, plugins
from command_line.lean import import_torchmetrics, kept
from measures.names import known

NEEDED = (
    "train",
    "command_line.parser",
    "datamodules.simulated",
    "losses.none",
    "losses.vaxis_mse",
    "networks.global_context_de",
    "tracking.run_logger",
    "tracking.warm_imports",
    "pandas",  # W&B imports it with the first row, to see whether that is a frame
    "scipy.stats",
    "matplotlib.backends.backend_agg",  # pictures for W&B, at the end of a run
    "matplotlib.patheffects",
    "mne.channels",
    "mne.viz.topomap",
)

# A fork need not look through what is imported for garbage, nor get copies of the pages by doing so.
with kept():
    import_torchmetrics()
    _found = []
    # A file that does not import is told by the fork that needs it, here and below.
    with contextlib.suppress(Exception):
        for _kind in FOLDERS:  # a fork finds them parsed, and the measures
            plugins(_kind), broken(_kind)
        _found = plugins("callback")
        known()
    for _name in (*NEEDED, *(plugin.class_path.rsplit(".", 1)[0] for plugin in _found)):
        with contextlib.suppress(Exception):
            importlib.import_module(_name)
    # What reads the signatures of all parts keeps what it has found.
    with contextlib.suppress(Exception):
        importlib.import_module("command_line.rehearsal").rehearse()
