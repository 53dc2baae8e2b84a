"""Unpacking a quantised model once, so that it opens fast afterwards."""

import io
import sys
from contextlib import nullcontext, redirect_stderr
from pathlib import Path
from typing import Any

import torch


def convert_gguf(gguf: Path, folder: Path) -> None:
    """Unpack a quantised model into a plain bfloat16 folder that loads in a second instead of fifteen."""
    from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig

    where: dict[str, Any] = {
        "pretrained_model_name_or_path": gguf.parent,
        "gguf_file": gguf.name,
        "local_files_only": True,
    }
    unpack = GgufConfig(dequantize=True)
    # Two of the three progress bars cannot be switched off, and a log would hold hundreds of lines of them.
    with nullcontext() if sys.stderr.isatty() else redirect_stderr(io.StringIO()):
        model = AutoModelForCausalLM.from_pretrained(**where, dtype=torch.bfloat16, quantization_config=unpack)
        model.save_pretrained(folder)
    AutoTokenizer.from_pretrained(**where).save_pretrained(folder)
