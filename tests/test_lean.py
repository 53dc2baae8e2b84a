"""What a run does not import, and that its numbers do not miss it."""

import os
import subprocess
import sys

from tests.conftest import ROOT

WATCH = (
    "import sys, studies.warm_imports\n"
    "heavy = {'transformers', 'scipy.signal', 'matplotlib.pyplot'} & set(sys.modules)\n"
    "assert 'torchmetrics' in sys.modules and not heavy, heavy\n"
    "import scipy.signal, matplotlib.pyplot, transformers\n"  # who asks for them gets them
    "from torchmetrics.classification import MulticlassConfusionMatrix\n"
    "import torch\n"
    "matrix = MulticlassConfusionMatrix(num_classes=3)(torch.tensor([0, 1, 2, 2]), torch.tensor([0, 1, 1, 2]))\n"
    "assert matrix.tolist() == [[1, 0, 0], [0, 1, 1], [0, 0, 1]]\n"
)


def test_a_warm_process_imports_no_language_models_sounds_or_pictures():
    off = os.environ | {"WANDB_MODE": "disabled"}
    done = subprocess.run([sys.executable, "-c", WATCH], cwd=ROOT, env=off, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
