"""A model is planned for before it is loaded, and one that cannot be used says why and what helps in one line."""

import pytest
import torch
from transformers import LlamaModel

from tests.small_language_models import BLOCKS, save_bert, save_llama
from vaxis.language import model as language_model
from vaxis.language.model import GIGA, WORKING_MEMORY, explained, load_body, load_generator, plan_memory

# Embeddings, four projections and three of the block's own network, norms.
PARAMETERS = 101 * 16 + BLOCKS * (16 * (16 + 8 + 8 + 16) + 3 * 16 * 32 + 2 * 16) + 16


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return save_llama(tmp_path_factory.mktemp("model"))


def test_the_plan_counts_the_weights(folder):
    plan, _ = plan_memory(folder, dtype=torch.float32)
    assert plan.parameters == PARAMETERS
    assert plan.needed == PARAMETERS * 4 + WORKING_MEMORY
    assert (plan.device, plan.device_map) == ("cpu", None)
    assert str(plan).startswith("0 M parameters in float32: 0.5 GB of ")


def test_too_large_says_how_much(folder, monkeypatch):
    monkeypatch.setattr(language_model, "_free", lambda device: 0.1 * GIGA)
    with pytest.raises(MemoryError, match=r"--llm .* needs 0\.5 GB in bfloat16 and cpu has 0\.1 GB free"):
        load_body(folder)


def test_bfloat16_is_taken_where_float32_does_not_fit(folder, monkeypatch):
    monkeypatch.setattr(language_model, "fast_at_bfloat16", lambda device: False)
    monkeypatch.setattr(language_model, "_free", lambda device: WORKING_MEMORY + PARAMETERS * 3)
    assert plan_memory(folder)[0].dtype == torch.bfloat16
    with pytest.raises(MemoryError, match="in float32"):
        plan_memory(folder, dtype=torch.float32)


def test_several_gpus_share_what_one_cannot_hold(folder, monkeypatch):
    free = {"cuda:0": WORKING_MEMORY, "cuda:1": WORKING_MEMORY, "cpu": 100 * GIGA}
    monkeypatch.setattr(language_model, "_free", free.__getitem__)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    plan, _ = plan_memory(folder)
    assert (plan.device, plan.device_map, plan.dtype) == ("cuda:0", "auto", torch.bfloat16)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    assert plan_memory(folder)[0].device == "cpu"


def test_a_generator_has_its_head_its_blocks_and_a_padding_token(folder):
    network, tokenizer, blocks = load_generator(folder)
    assert len(blocks) == BLOCKS
    assert network.config.use_cache
    ids = tokenizer("I am", return_tensors="pt").input_ids
    assert network.generate(ids, max_new_tokens=2, do_sample=False, pad_token_id=0).shape == (1, ids.shape[1] + 2)


def test_weights_are_never_made_up(tmp_path):
    save_llama(tmp_path / "headless", kind=LlamaModel)
    load_body(tmp_path / "headless")
    with pytest.raises(ValueError, match=r"has no weights for lm_head\.weight \(1 missing\) of LlamaForCausalLM"):
        load_generator(tmp_path / "headless")
    with pytest.raises(ValueError, match=r"has no weights for cls\.predictions"):
        load_generator(save_bert(tmp_path / "encoder"))


def test_damaged_files_are_named(tmp_path):
    (tmp_path / "broken.gguf").write_bytes(b"not a model")
    with pytest.raises(ValueError, match=r"broken\.gguf is not a GGUF file .*download it again"):
        load_body(tmp_path / "broken.gguf")
    save_llama(tmp_path / "cut")
    weights = tmp_path / "cut" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:200])
    with pytest.raises(ValueError, match=r"cut does not load as a language model \(.+\); it needs config\.json"):
        load_body(tmp_path / "cut")


def test_a_hub_that_is_switched_off_is_not_asked(monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(ValueError, match=r"--llm no-one/no-model is not in the local cache .*hf download owner/name"):
        load_body("no-one/no-model")


@pytest.mark.parametrize(
    ("said", "explanation"),
    [
        ("You are trying to access a gated repo.\nMake sure to have access to it", "is gated: .*hf auth login"),
        ("a/b is not a local folder and is not a valid model identifier listed on", "is not on the hub, or is private"),
        ("We couldn't connect to 'https://huggingface.co' to load the files", "the hub cannot be reached"),
        ("contains custom code which must be executed; pass trust_remote_code=True", "needs code of its own"),
        ("CUDA out of memory. Tried to allocate 2 GiB", "does not fit into memory"),
        ("[enforce fail at alloc_cpu.cpp:117] DefaultCPUAllocator: can't allocate memory", "does not fit into memory"),
    ],
)
def test_what_the_libraries_say_becomes_one_line_with_the_fix(said, explanation):
    error = explained("a/b", OSError(said))
    assert "\n" not in str(error)
    with pytest.raises(ValueError, match=rf"--llm a/b .*{explanation}"):
        raise error


@pytest.mark.parametrize(("device", "says"), [("cuda:77", "torch sees [0-9]+ CUDA devices"), ("foo", "no torch")])
def test_a_device_that_is_not_there_is_named(tmp_path, device, says):
    with pytest.raises(ValueError, match=rf"--device {device}.*{says}"):
        plan_memory(save_llama(tmp_path), device=device)
