"""Hidden states of a causal language model at one layer and one token; the only file that imports transformers."""

import hashlib
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from tqdm import tqdm

# What is put around a text before its last token is read. `last` is the paper's: the bare sentence. Small models need
# `framed`: without it the first component of the emotion sentences is not valence. The quote stays open on purpose.
READOUTS = {"last": ("", ""), "framed": ('He said: "', " This makes me feel")}
TOKEN_BUDGET = 1024  # padded tokens per forward pass; fastest of the sizes tried on two CPU cores
MAX_TOKENS = 512  # of the text itself; the suffix comes after and is never cut


class HiddenStates:
    """Reads texts with the first blocks of a causal language model: no head, no final norm, no block above the layer.

    The result equals ``hidden_states[layer]`` of the whole model (arXiv 2606.00129 reads the penultimate layer).

    Args:
        model: folder with safetensors and tokenizer, ``.gguf`` file, or Hugging Face id.
        layer: ``penultimate`` or the number of blocks to run, from 1 to all but one.
        readout: default read-out, a name in ``READOUTS``; the last token of what it gives is read.
        dtype: precision of the weights; by default bfloat16 where the device is fast at it, else float32.
        device: torch device; by default the first GPU, else the CPU.
    """

    def __init__(
        self,
        model: str | Path,
        *,
        layer: str | int = "penultimate",
        readout: str = "framed",
        dtype: torch.dtype | None = None,
        device: str | None = None,
    ):
        self.readout = _known(readout)
        self.device = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
        self.dtype = dtype or (torch.bfloat16 if fast_at_bfloat16(self.device) else torch.float32)
        network, self._tokenizer = _load(model, self.dtype)
        total = network.config.get_text_config().num_hidden_layers
        self.layer = total - 1 if layer == "penultimate" else int(layer)
        if not 1 <= self.layer < total:
            raise ValueError(f"--layer {layer}: '{model}' has {total} blocks; give penultimate or 1 to {total - 1}")
        blocks = next((m for m in network.modules() if isinstance(m, nn.ModuleList) and len(m) == total), None)
        if blocks is None:
            raise ValueError(f"'{model}' ({type(network).__name__}) keeps no list of {total} blocks")
        del blocks[self.layer :]
        # Reading the last block through a hook skips the final norm whatever an architecture calls it.
        blocks[-1].register_forward_hook(self._keep)
        self._network = network.eval().to(self.device)
        self._check_causal(model)

    def __call__(self, texts: Sequence[str], *, readout: str | None = None, progress: bool = False) -> np.ndarray:
        """States of the texts, (n, L) float32, in the order given.

        Args:
            texts: n non-empty texts.
            readout: overrides the default read-out.
            progress: show a bar.
        """
        ids = [self._encode(text, _known(readout or self.readout)) for text in texts]
        states = np.empty((len(ids), self._network.config.get_text_config().hidden_size), dtype=np.float32)
        with tqdm(total=len(ids), desc="reading texts", unit="text", disable=not progress) as bar:
            for rows in _batches([len(row) for row in ids]):
                states[rows] = self._last_states([ids[i] for i in rows])
                bar.update(len(rows))
        return states

    @property
    def fingerprint(self) -> str:
        """Twelve hex digits of the weights that are run, in the precision they are run in."""
        digest = hashlib.sha256()
        for name, tensor in sorted(self._network.state_dict().items()):
            digest.update(name.encode())
            digest.update(tensor.cpu().contiguous().flatten().view(torch.uint8).numpy())
        return digest.hexdigest()[:12]

    def _encode(self, text: str, readout: str) -> list[int]:
        prefix, suffix = READOUTS[readout]
        ids = self._tokenizer(prefix + text.strip(), add_special_tokens=False).input_ids[:MAX_TOKENS]
        if not ids:
            raise ValueError("an empty text has no hidden state; remove it from the list")
        return ids + (self._tokenizer(suffix, add_special_tokens=False).input_ids if suffix else [])

    def _last_states(self, ids: list[list[int]]) -> np.ndarray:
        # Right padding needs no mask: no token of a causal model sees what comes after it.
        lengths = torch.tensor([len(row) for row in ids])
        padded = torch.nn.utils.rnn.pad_sequence([torch.tensor(row) for row in ids], batch_first=True)
        states = self._states(padded)
        return states[torch.arange(len(ids)), lengths - 1].float().cpu().numpy()

    @torch.inference_mode()
    def _states(self, ids: Tensor) -> Tensor:
        self._network(input_ids=ids.to(self.device), use_cache=False)
        return self._kept

    def _keep(self, _module: nn.Module, _inputs: Any, output: Any) -> None:
        self._kept = output[0] if isinstance(output, tuple) else output

    def _check_causal(self, model: str | Path) -> None:
        """An encoder would load as well, and padding without a mask would quietly change its states."""
        first, second = self._states(torch.tensor([[5, 6, 7], [5, 6, 8]]))[:, :2].float()
        if not torch.allclose(first, second, rtol=1e-2, atol=1e-2 * float(first.abs().max())):
            raise ValueError(f"'{model}' is not causal: its tokens see later ones; give a decoder-only language model")


def fast_at_bfloat16(device: torch.device) -> bool:
    """True where bfloat16 products are faster than float32: GPUs, and CPUs with AMX.

    AVX512-BF16 alone is not enough: on one such CPU bfloat16 products ran at 0.6 times the speed of float32.
    """
    return device.type != "cpu" or bool(torch.cpu.get_capabilities().get("amx_bf16"))


def convert_gguf(gguf: Path, folder: Path) -> None:
    """Unpack a quantised model into a plain bfloat16 folder that loads in a second instead of fifteen."""
    from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig

    where = {"pretrained_model_name_or_path": gguf.parent, "gguf_file": gguf.name, "local_files_only": True}
    unpack = GgufConfig(dequantize=True)
    model = AutoModelForCausalLM.from_pretrained(**where, dtype=torch.bfloat16, quantization_config=unpack)
    model.save_pretrained(folder)
    AutoTokenizer.from_pretrained(**where).save_pretrained(folder)


def _known(readout: str) -> str:
    if readout not in READOUTS:
        raise ValueError(f"--readout {readout}: choose from {', '.join(READOUTS)}")
    return readout


def _batches(lengths: list[int]) -> Iterator[list[int]]:
    """Indices in order of length, cut so that rows times longest row stays within the token budget."""
    batch: list[int] = []
    for i in sorted(range(len(lengths)), key=lengths.__getitem__):
        if batch and (len(batch) + 1) * lengths[i] > TOKEN_BUDGET:
            yield batch
            batch = []
        batch.append(i)
    if batch:
        yield batch


def _load(model: str | Path, dtype: torch.dtype) -> tuple[Any, Any]:
    path = Path(model)
    local = path.exists()
    if not local and (path.is_absolute() or path.suffix == ".gguf" or len(path.parts) != 2):
        raise FileNotFoundError(
            f"--llm {model}: no such folder or file, and not a Hugging Face id; give bundled, a path, or owner/name"
        )
    from transformers import AutoModel, AutoTokenizer, GgufConfig, logging

    logging.disable_progress_bar()
    # Folders are read without any question to the hub; an id may download, unless HF_HUB_OFFLINE is set.
    where: dict[str, Any] = {"local_files_only": local or bool(os.environ.get("HF_HUB_OFFLINE"))}
    gguf: dict[str, Any] = {}
    if path.suffix == ".gguf":
        where["gguf_file"], path = path.name, path.parent
        gguf["quantization_config"] = GgufConfig(dequantize=True)
    try:
        network = AutoModel.from_pretrained(str(path), dtype=dtype, **gguf, **where)
        return network, AutoTokenizer.from_pretrained(str(path), **where)
    except Exception as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise ValueError(
            f"--llm {model} does not load as a language model ({reason}); it needs config.json, *.safetensors and "
            f"tokenizer.json of one decoder-only model"
        ) from error
