"""The truncated, batched reader gives the states of the whole model read one text at a time."""

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import BertConfig, BertModel, LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from vaxis import hidden_states
from vaxis.hidden_states import READOUTS, HiddenStates

TEXTS = [
    "I am glad.",
    "It is an ordinary day and nothing happens at all.",
    "No",
    "She is so scared that she cannot move!",
]
BLOCKS = 4


def save_tokenizer(folder):
    letters = {chr(code): code - 26 for code in range(32, 127)}  # ids 6 to 100, above those of the causality probe
    tokenizer = Tokenizer(models.WordLevel({"?": 0} | letters, unk_token="?"))
    tokenizer.pre_tokenizer = pre_tokenizers.Split("", "isolated")
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, unk_token="?").save_pretrained(folder)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("model")
    torch.manual_seed(0)
    size = {"hidden_size": 16, "intermediate_size": 32, "num_attention_heads": 2, "num_key_value_heads": 1}
    config = LlamaConfig(vocab_size=101, num_hidden_layers=BLOCKS, initializer_range=0.3, **size)
    LlamaForCausalLM(config).save_pretrained(folder)
    save_tokenizer(folder)
    return folder


@pytest.mark.parametrize(("layer", "index"), [("penultimate", BLOCKS - 1), (1, 1), ("2", 2)])
@pytest.mark.parametrize("readout", READOUTS)
def test_equals_the_whole_model_one_by_one(folder, layer, index, readout):
    states = HiddenStates(folder, layer=layer, readout=readout, dtype=torch.float32)
    whole = LlamaForCausalLM.from_pretrained(folder).eval()
    prefix, suffix = READOUTS[readout]
    found = states(TEXTS)
    assert found.shape == (len(TEXTS), 16)
    assert found.dtype == np.float32
    for text, state in zip(TEXTS, found):
        ids = torch.tensor([[ord(letter) - 26 for letter in prefix + text + suffix]])
        with torch.inference_mode():
            expected = whole(ids, output_hidden_states=True).hidden_states[index][0, -1].numpy()
        np.testing.assert_allclose(state, expected, atol=1e-5)


def test_batching_and_padding_change_nothing(folder, monkeypatch):
    states = HiddenStates(folder, dtype=torch.float32)
    together = states(TEXTS)
    monkeypatch.setattr(hidden_states, "TOKEN_BUDGET", 1)
    np.testing.assert_allclose(together, states(TEXTS), atol=1e-5)
    np.testing.assert_allclose(together[::-1], states(TEXTS[::-1]), atol=1e-5)


def test_batches_cover_every_text_once_within_the_budget():
    lengths = np.random.default_rng(0).integers(1, 400, size=200).tolist()
    batches = list(hidden_states._batches(lengths))
    assert sorted(i for batch in batches for i in batch) == list(range(200))
    assert all(len(batch) * max(lengths[i] for i in batch) <= hidden_states.TOKEN_BUDGET for batch in batches)


def test_a_long_text_keeps_its_suffix(folder):
    states = HiddenStates(folder)
    suffix = READOUTS["framed"][1]
    ids = states._encode("word " * 1000, "framed")
    assert len(ids) == hidden_states.MAX_TOKENS + len(suffix)
    assert ids[-len(suffix) :] == [ord(letter) - 26 for letter in suffix]


def test_fingerprint_names_the_weights_that_run(folder):
    assert HiddenStates(folder).fingerprint == HiddenStates(folder).fingerprint
    assert HiddenStates(folder).fingerprint != HiddenStates(folder, layer=1).fingerprint


def test_bad_requests_say_what_to_do(folder, tmp_path):
    with pytest.raises(ValueError, match=r"--layer 4.*1 to 3"):
        HiddenStates(folder, layer=BLOCKS)
    with pytest.raises(ValueError, match=r"--readout mean: choose from last, framed"):
        HiddenStates(folder, readout="mean")
    with pytest.raises(ValueError, match="empty text"):
        HiddenStates(folder)([" "], readout="last")
    with pytest.raises(FileNotFoundError, match=r"--llm bundeld: no such folder"):
        HiddenStates("bundeld")
    with pytest.raises(ValueError, match=r"does not load as a language model.*config\.json"):
        HiddenStates(tmp_path)


def test_an_encoder_is_refused(tmp_path):
    size = {"hidden_size": 16, "intermediate_size": 32, "num_attention_heads": 2, "num_hidden_layers": 2}
    config = BertConfig(vocab_size=101, initializer_range=1.0, **size)
    BertModel(config).save_pretrained(tmp_path)
    save_tokenizer(tmp_path)
    with pytest.raises(ValueError, match="not causal"):
        HiddenStates(tmp_path)
