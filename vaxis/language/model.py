"""Opening a language model: where it is, whether it fits into memory, and one line that says why it does not load.

With ``gguf_conversion`` the only file that imports transformers.
"""

import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from time import perf_counter
from typing import Any, Literal

import torch
from torch import nn

GIGA = 1e9
# Room for the activations of one batch, the tokenizer and the libraries themselves.
WORKING_MEMORY = 0.5 * GIGA
# A precision, or ``exact``: float32 wherever it fits, so that machines agree; None is the fastest that can be trusted.
Precision = torch.dtype | Literal["exact"] | None
FASTER = 1.2  # times that a product must be faster in bfloat16 for its lower precision to be worth it


@dataclass(frozen=True, kw_only=True)
class MemoryPlan:
    """What loading a model takes and where it goes.

    Attributes:
        parameters: number of weights.
        dtype: precision they are loaded in.
        needed: bytes, working memory included.
        free: bytes free on the device.
        device: where inputs go.
        device_map: ``auto`` spreads the blocks over all GPUs; None puts everything on ``device``.
    """

    parameters: int
    dtype: torch.dtype
    needed: float
    free: float
    device: str
    device_map: str | None = None

    def __str__(self) -> str:
        where = "all GPUs together" if self.device_map else self.device
        return (
            f"{self.parameters / 1e6:,.0f} M parameters in {str(self.dtype).removeprefix('torch.')}: "
            f"{self.needed / GIGA:.1f} GB of {self.free / GIGA:.1f} GB free on {where}"
        )


def plan_memory(
    model: str | Path, *, dtype: Precision = None, device: str | None = None
) -> tuple[MemoryPlan, dict[str, Any]]:
    """Decide precision and place before anything large is read; also where transformers finds the model.

    The first GPU is taken if the model fits on it, then all GPUs, then the CPU. There is no offloading: it would work
    and take days. The blocks above the layer are dropped after loading; at the penultimate layer that is one of many.

    Raises:
        MemoryError: it fits nowhere; says what it needs.
    """
    from huggingface_hub import logging as hub_logging
    from transformers import logging

    logging.disable_progress_bar()
    for library in (logging, hub_logging):
        library.set_verbosity_error()
    if device:
        _check_device(device)
    where = find(model)
    parameters, unpacking = _count(model, where)
    devices = [device] if device else [*(["cuda:0"] if torch.cuda.is_available() else []), "cpu"]
    for place in devices:
        low = dtype is None and fast_at_bfloat16(torch.device(place))
        # If float32 does not fit, bfloat16 may: the axis is the same to a cosine of .995.
        either = dict.fromkeys((torch.bfloat16 if low else torch.float32, torch.bfloat16))
        for precision in [dtype] if isinstance(dtype, torch.dtype) else either:
            needed = parameters * (precision.itemsize + unpacking) + WORKING_MEMORY
            plan: dict[str, Any] = {"parameters": parameters, "dtype": precision, "needed": needed, "device": place}
            if needed <= (free := _free(place)):
                return MemoryPlan(**plan, free=free), where
            gpus = torch.cuda.device_count() if place == "cuda:0" and not device else 0
            if gpus > 1 and needed * 1.1 <= (together := sum(_free(f"cuda:{i}") for i in range(gpus))):
                return MemoryPlan(**plan, free=together, device_map="auto"), where
    raise MemoryError(
        f"--llm {model} needs {needed / GIGA:.1f} GB in {str(precision).removeprefix('torch.')} and {place} has "
        f"{free / GIGA:.1f} GB free; free some, use a larger machine, or a smaller model"
    )


def load_body(
    model: str | Path,
    *,
    dtype: Precision = None,
    device: str | None = None,
    on_plan: Callable[[MemoryPlan], None] | None = None,
) -> tuple[Any, Any, nn.ModuleList, MemoryPlan]:
    """The network without its head, its tokenizer, its blocks and the plan it was loaded by.

    Args:
        model: ``bundled``, folder with safetensors and tokenizer, ``.gguf`` file, or Hugging Face id.
        dtype: precision of the weights; see ``Precision``.
        device: torch device; by default the first that the model fits on.
        on_plan: told the plan before anything large is read.
    """
    from transformers import AutoModel

    network, tokenizer, plan = _load(AutoModel, model, dtype, device, on_plan)
    if network.config.is_encoder_decoder:
        network = network.get_encoder()
    return network, tokenizer, blocks_of(network, model), plan


def load_generator(
    model: str | Path, *, dtype: Precision = None, device: str | None = None
) -> tuple[Any, Any, nn.ModuleList]:
    """A causal language model with its head, its tokenizer, and its list of blocks for hooks; for generation.

    Args:
        model: see ``load_body``; so are ``dtype`` and ``device``.
        dtype: precision.
        device: torch device.
    """
    from transformers import AutoModelForCausalLM

    network, tokenizer, _ = _load(AutoModelForCausalLM, model, dtype, device)
    network.config.use_cache = network.config.get_text_config().use_cache = True
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token
    return network, tokenizer, blocks_of(network, model)


def blocks_of(network: nn.Module, model: str | Path = "the model") -> nn.ModuleList:
    """The list of blocks of a decoder or encoder; in a model that also sees or hears, those of its language part."""
    config: Any = network.config
    total = config.get_text_config().num_hidden_layers
    body = getattr(network, "base_model", network)
    body = getattr(body, "language_model", body)
    found = next((m for m in body.modules() if isinstance(m, nn.ModuleList) and len(m) == total), None)
    if found is None:
        raise ValueError(f"'{model}' ({type(network).__name__}) keeps no list of {total} blocks")
    return found


@cache
def fast_at_bfloat16(device: torch.device) -> bool:
    """True where bfloat16 products are faster than float32: on GPUs, and where a processor's own are when timed.

    What a processor calls itself does not say: of two with AVX512-BF16 one ran bfloat16 at 0.6 times the speed of
    float32, the other at 1.9 times.
    """
    if device.type != "cpu":
        return True
    # Without such instructions bfloat16 is emulated, and the timing itself would take long.
    if not any(there for name, there in torch.cpu.get_capabilities().items() if name.endswith("bf16")):
        return False
    return _seconds_of_a_product(torch.float32) > FASTER * _seconds_of_a_product(torch.bfloat16)


@torch.inference_mode()
def _seconds_of_a_product(dtype: torch.dtype) -> float:
    """The fastest of some products of the size of the bundled model's largest, 512 tokens at a time."""
    tokens, weight = torch.ones(512, 576, dtype=dtype), torch.ones(1536, 576, dtype=dtype)
    best = float("inf")
    for _ in range(8):  # the first prepares the kernel
        started = perf_counter()
        nn.functional.linear(tokens, weight)
        best = min(best, perf_counter() - started)
    return best


def find(model: str | Path) -> dict[str, Any]:
    """Arguments that make transformers read this model: from disk without asking the hub, or by its id."""
    if str(model) == "bundled":
        from vaxis.language.bundled import bundled_model

        model = bundled_model()
    path = Path(model)
    local = path.exists()
    if not local and (path.is_absolute() or path.suffix == ".gguf" or len(path.parts) != 2):
        raise FileNotFoundError(
            f"--llm {model}: no such folder or file, and not a Hugging Face id; give bundled, a path, or owner/name"
        )
    if local and not (path.is_file() or path.is_dir()):
        raise ValueError(f"--llm {model} is neither file nor folder (a pipe or a device?); give a path or owner/name")
    offline = local or bool(os.environ.get("HF_HUB_OFFLINE"))
    if not offline:
        print(f"looking for {model} in the local cache and on the Hugging Face hub", file=sys.stderr, flush=True)
    where: dict[str, Any] = {"local_files_only": offline}
    if path.suffix == ".gguf":
        return {"pretrained_model_name_or_path": str(path.parent), "gguf_file": path.name, **where}
    return {"pretrained_model_name_or_path": str(path), **where}


def _check_device(device: str) -> None:
    try:
        place = torch.device(device)
    except RuntimeError as error:
        raise ValueError(f"--device {device} is no torch device; give cpu, cuda or cuda:0") from error
    gpus = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if place.type == "cuda" and (place.index or 0) >= gpus:
        raise ValueError(f"--device {device}: torch sees {gpus} CUDA devices here; leave --device out, or give cpu")


def _count(model: str | Path, where: dict[str, Any]) -> tuple[int, int]:
    """Number of weights, and the bytes a weight that unpacking takes beyond the loaded model."""
    if "gguf_file" in where:
        from gguf import GGUFReader

        try:
            tensors = GGUFReader(Path(where["pretrained_model_name_or_path"]) / where["gguf_file"]).tensors
        except Exception as error:
            raise ValueError(f"--llm {model} is not a GGUF file ({error}); download it again") from error
        return sum(int(tensor.n_elements) for tensor in tensors), 4
    from transformers import AutoConfig, AutoModel

    try:
        with torch.device("meta"):
            network = AutoModel.from_config(AutoConfig.from_pretrained(**where))
    except Exception as error:
        raise explained(model, error) from error
    return sum(weight.numel() for weight in network.parameters()), 0


def _free(device: str) -> float:
    if torch.device(device).type == "cuda":
        return float(torch.cuda.mem_get_info(device)[0])
    import psutil

    return float(psutil.virtual_memory().available)


def _load(
    kind: Any,
    model: str | Path,
    dtype: Precision,
    device: str | None,
    on_plan: Callable[[MemoryPlan], None] | None = None,
) -> tuple[Any, Any, MemoryPlan]:
    from transformers import AutoTokenizer, GgufConfig

    plan, where = plan_memory(model, dtype=dtype, device=device)
    if on_plan:
        on_plan(plan)
    options: dict[str, Any] = {"quantization_config": GgufConfig(dequantize=True)} if "gguf_file" in where else {}
    if plan.device_map:
        gpus = {i: int(_free(f"cuda:{i}") * 0.9) for i in range(torch.cuda.device_count())}
        options |= {"device_map": plan.device_map, "max_memory": gpus}
    try:
        network, info = kind.from_pretrained(**where, dtype=plan.dtype, output_loading_info=True, **options)
        tokenizer = AutoTokenizer.from_pretrained(**where)
        network = network.eval() if plan.device_map else network.eval().to(plan.device)
    except Exception as error:
        raise explained(model, error) from error
    # Weights that the files lack are drawn at random, with a warning only; a pooler alone is never read.
    if missing := sorted(name for name in info["missing_keys"] if "pooler" not in name):
        raise ValueError(
            f"--llm {model} has no weights for {missing[0]} ({len(missing)} missing) of {type(network).__name__}; "
            f"give a complete model of that kind"
        )
    # Without its files transformers makes up a tokenizer that knows no word, and all texts would read alike.
    if set(tokenizer("I am glad", add_special_tokens=False).input_ids) <= {tokenizer.unk_token_id}:
        raise ValueError(f"--llm {model} has no tokenizer: put tokenizer.json of the same model into the folder")
    network.config.use_cache = network.config.get_text_config().use_cache = False
    return network, tokenizer, plan


# What the libraries say, and what helps.
_REASONS = (
    (("gated", "401 client", "403 client"), "is gated: accept its terms on its page, then run: hf auth login"),
    (("not a valid model identifier", "404 client"), "is not on the hub, or is private: check owner/name"),
    (
        ("couldn't connect", "offline mode", "connection", "local_files_only", "max retries", "timed out"),
        "is not in the local cache and the hub cannot be reached: give the folder of a copy made elsewhere "
        "(hf download owner/name --local-dir FOLDER)",
    ),
    (("trust_remote_code", "custom code"), "needs code of its own, which is never run: choose one transformers knows"),
    (("out of memory", "can't allocate memory", "alloc_cpu"), "does not fit into memory: choose a smaller one"),
)


def explained(model: str | Path, error: Exception) -> Exception:
    """The error as one line that names the model and the fix."""
    text = str(error).strip()
    for signs, words in _REASONS if not Path(model).exists() else _REASONS[3:]:
        if any(sign in text.lower() for sign in signs):
            return ValueError(f"--llm {model} {words}")
    reason = text.splitlines()[0] if text else type(error).__name__
    return ValueError(
        f"--llm {model} does not load as a language model ({reason}); it needs config.json, *.safetensors and "
        f"tokenizer.json of one model"
    )
