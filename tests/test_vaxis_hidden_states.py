"""The truncated, batched reader gives the states of the whole model read one text at a time."""

import numpy as np
import pytest
import torch
from transformers import BertModel, LlamaForCausalLM, T5Config, T5ForConditionalGeneration

from tests.small_language_models import BLOCKS, save_bert, save_llama, save_tokenizer
from vaxis.language import hidden_states
from vaxis.language.hidden_states import HiddenStates
from vaxis.language.readouts import READOUTS, readout_of

TEXTS = [
    "I am glad.",
    "It is an ordinary day and nothing happens at all.",
    "No",
    "She is so scared that she cannot move!",
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return save_llama(tmp_path_factory.mktemp("model"))


@pytest.fixture(scope="module")
def encoder(tmp_path_factory):
    return save_bert(tmp_path_factory.mktemp("encoder"))


def expected_state(whole, ids, *, index, tokens):
    with torch.inference_mode():
        return whole(torch.tensor([ids]), output_hidden_states=True).hidden_states[index][0, tokens].numpy()


def letters(text):
    return [ord(letter) - 26 for letter in text]


@pytest.mark.parametrize(
    ("layer", "index"), [("penultimate", BLOCKS - 1), (1, 1), ("2", 2), ("final", -1), (BLOCKS, -1)]
)
@pytest.mark.parametrize("readout", ["last", "framed", 'prompt:It says "{text}" and that is', "prompt:All of it is"])
def test_equals_the_whole_model_one_by_one(folder, layer, index, readout):
    states = HiddenStates(folder, layer=layer, readout=readout, dtype=torch.float32)
    whole = LlamaForCausalLM.from_pretrained(folder).eval()
    how, found = readout_of(readout), states(TEXTS)
    assert found.shape == (len(TEXTS), 16)
    assert found.dtype == np.float32
    for text, state in zip(TEXTS, found):
        expected = expected_state(whole, letters(how.prefix + text + how.suffixes[0]), index=index, tokens=-1)
        np.testing.assert_allclose(state, expected, atol=1e-5)


SEVERAL = 'prompt:It says "{text} This is|Oh, how very|So'


@pytest.mark.parametrize("packed", [True, False])
def test_several_phrases_are_read_as_if_each_stood_alone(folder, monkeypatch, packed):
    states = HiddenStates(folder, dtype=torch.float32)
    assert states._packs
    states._packs = packed
    whole, how, passes = LlamaForCausalLM.from_pretrained(folder).eval(), readout_of(SEVERAL), []
    assert how.suffixes == (" This is", " Oh, how very", " So")
    forward = states._network.forward
    monkeypatch.setattr(states._network, "forward", lambda **inputs: passes.append(1) or forward(**inputs))
    found = states(TEXTS, readout=SEVERAL)
    assert len(passes) == (1 if packed else 3)
    profile = states.profile(TEXTS, readout=SEVERAL)
    for row, text in enumerate(TEXTS):
        each = [letters(how.prefix + text + suffix) for suffix in how.suffixes]
        for layer in range(1, BLOCKS):
            single = [expected_state(whole, ids, index=layer, tokens=-1) for ids in each]
            expected = np.mean([state / np.sqrt(np.mean(state**2)) for state in single], axis=0)
            np.testing.assert_allclose(profile[layer][row], expected, atol=1e-5)
        np.testing.assert_allclose(found[row], expected, atol=1e-5)


def test_a_model_that_ignores_the_mask_of_several_phrases_reads_them_one_by_one(folder, encoder, monkeypatch):
    assert not HiddenStates(encoder)._packs
    deaf, refusing, whole = (HiddenStates(folder, dtype=torch.float32) for _ in range(3))
    plain, strict = deaf._network.forward, refusing._network.forward
    monkeypatch.setattr(deaf._network, "forward", lambda input_ids, **_: plain(input_ids=input_ids))

    def refuse(input_ids, attention_mask=None, **_):
        if attention_mask is not None:
            raise ValueError("attention_mask must have two dimensions")
        return strict(input_ids=input_ids)

    monkeypatch.setattr(refusing._network, "forward", refuse)
    assert (deaf._packs, refusing._packs, whole._packs) == (False, False, True)
    for states in (deaf, refusing):
        np.testing.assert_allclose(states(TEXTS, readout=SEVERAL), whole(TEXTS, readout=SEVERAL), atol=1e-5)


@pytest.mark.parametrize("layer", ["penultimate", BLOCKS])
@pytest.mark.parametrize("readout", [name for name, how in READOUTS.items() if len(how.suffixes) == 1])
def test_an_encoder_is_masked_and_read_with_its_special_tokens(encoder, layer, readout):
    states = HiddenStates(encoder, layer=layer, dtype=torch.float32)
    assert not states.causal
    whole, how = BertModel.from_pretrained(encoder).eval(), READOUTS[readout]
    for text, state in zip(TEXTS, states(TEXTS, readout=readout)):
        ids = [1, *letters(how.prefix + text + how.suffixes[0]), 2]
        rows = expected_state(whole, ids, index=states.layer, tokens=slice(None))
        np.testing.assert_allclose(state, rows.mean(axis=0) if readout == "mean" else rows[-2], atol=1e-5)


def test_a_causal_model_gets_the_first_special_token_and_means_over_the_text(tmp_path, folder):
    save_llama(tmp_path, special="<s> $A </s>")
    whole = LlamaForCausalLM.from_pretrained(tmp_path).eval()
    states = HiddenStates(tmp_path, dtype=torch.float32)
    for text, last, mean in zip(TEXTS, states(TEXTS, readout="last"), states(TEXTS, readout="mean")):
        rows = expected_state(whole, [1, *letters(text)], index=BLOCKS - 1, tokens=slice(None))
        np.testing.assert_allclose(last, rows[-1], atol=1e-5)
        np.testing.assert_allclose(mean, rows[1:].mean(axis=0), atol=1e-5)
    without = HiddenStates(folder, dtype=torch.float32)
    rows = expected_state(whole, letters(TEXTS[0]), index=BLOCKS - 1, tokens=slice(None))
    np.testing.assert_allclose(without(TEXTS[:1], readout="mean")[0], rows[1:].mean(axis=0), atol=1e-5)


def test_of_a_translation_model_the_encoder_is_read(tmp_path):
    torch.manual_seed(0)
    config = T5Config(vocab_size=101, d_model=16, d_kv=8, d_ff=32, num_layers=3, num_heads=2, decoder_start_token_id=0)
    T5ForConditionalGeneration(config).save_pretrained(tmp_path)
    save_tokenizer(tmp_path, special="$A </s>")
    whole = T5ForConditionalGeneration.from_pretrained(tmp_path).get_encoder().eval()
    for layer, number in (("penultimate", 2), ("final", 3)):  # T5 has a final norm of its own
        states = HiddenStates(tmp_path, layer=layer, dtype=torch.float32)
        assert (states.causal, states.layer) == (False, number)
        for text, state in zip(TEXTS, states(TEXTS, readout="last")):
            expected = expected_state(whole, [*letters(text), 2], index=number, tokens=-2)
            np.testing.assert_allclose(state, expected, atol=1e-4)


@pytest.mark.parametrize("kind", ["folder", "encoder"])
def test_profile_has_every_layer_from_the_embeddings_up(kind, request):
    where = request.getfixturevalue(kind)
    states = HiddenStates(where, dtype=torch.float32)
    found = states.profile(TEXTS, readout="last")
    assert found.shape == (BLOCKS, len(TEXTS), 16)
    to_the_end = HiddenStates(where, layer="final", dtype=torch.float32).profile(TEXTS, readout="last")
    np.testing.assert_allclose(to_the_end[:-1], found, atol=1e-5)
    np.testing.assert_allclose(found[-1], states(TEXTS, readout="last"), atol=1e-5)
    whole = (BertModel if kind == "encoder" else LlamaForCausalLM).from_pretrained(where).eval()
    for text, rows in zip(TEXTS, to_the_end.swapaxes(0, 1)):
        ids, token = ([1, *letters(text), 2], -2) if kind == "encoder" else (letters(text), -1)
        for index, row in enumerate(rows):
            np.testing.assert_allclose(row, expected_state(whole, ids, index=index, tokens=token), atol=1e-5)
    np.testing.assert_allclose(states(TEXTS, readout="last", layer=2), found[2], atol=1e-5)
    states.drop_blocks_above(1)
    np.testing.assert_allclose(states(TEXTS, readout="last"), found[1], atol=1e-5)


def test_several_phrases_at_the_final_layer_are_normed_one_by_one(folder):
    states, whole = HiddenStates(folder, layer="final", dtype=torch.float32), LlamaForCausalLM.from_pretrained(folder)
    how = readout_of(SEVERAL)
    for text, state in zip(TEXTS, states(TEXTS, readout=SEVERAL)):
        each = [
            expected_state(whole.eval(), letters(how.prefix + text + suffix), index=-1, tokens=-1)
            for suffix in how.suffixes
        ]
        np.testing.assert_allclose(state, np.mean([row / np.sqrt(np.mean(row**2)) for row in each], axis=0), atol=1e-5)


def test_batching_and_padding_change_nothing(folder, monkeypatch):
    states = HiddenStates(folder, dtype=torch.float32)
    together = states(TEXTS)
    monkeypatch.setattr(hidden_states, "TOKEN_BUDGET", 1)
    np.testing.assert_allclose(together, states(TEXTS), atol=1e-5)
    np.testing.assert_allclose(together[::-1], states(TEXTS[::-1]), atol=1e-5)


def test_batches_cover_every_text_once_within_the_budget():
    lengths = np.random.default_rng(0).integers(1, 400, size=200).tolist()
    batches = list(hidden_states._batches(lengths, budget=hidden_states.TOKEN_BUDGET))
    assert sorted(i for batch in batches for i in batch) == list(range(200))
    assert all(len(batch) * max(lengths[i] for i in batch) <= hidden_states.TOKEN_BUDGET for batch in batches)


def test_a_long_text_keeps_its_suffix(folder):
    states = HiddenStates(folder)
    suffix = READOUTS["framed"].suffixes[0]
    assert len(states._encode("word " * 1000, READOUTS["framed"])) == hidden_states.MAX_TOKENS
    assert states._tail(suffix) == letters(suffix)


def test_a_text_longer_than_the_encoder_can_count_is_cut(encoder):
    states = HiddenStates(encoder)
    assert states._room == 512
    suffix = READOUTS["framed"].suffixes[0]
    assert len(states._encode("word " * 1000, READOUTS["framed"])) + len(suffix) + 1 == 510
    assert np.isfinite(states(["word " * 1000])).all()


def test_fingerprint_names_the_weights_that_run(folder):
    assert HiddenStates(folder).fingerprint == HiddenStates(folder).fingerprint
    assert HiddenStates(folder).fingerprint != HiddenStates(folder, layer=1).fingerprint


def test_bad_requests_say_what_to_do(folder, encoder, tmp_path):
    for layer in (BLOCKS + 1, 0, "last", -1):
        with pytest.raises(ValueError, match=rf"--layer {layer}.*4 blocks; give penultimate, final or 1 to 4"):
            HiddenStates(folder, layer=layer)
    with pytest.raises(ValueError, match=r"--layer 5.*1 to 4"):
        HiddenStates(encoder, layer=5)
    with pytest.raises(
        ValueError, match=r"--readout min: choose from last, framed, ensemble, mean, or give prompt:TEXT"
    ):
        HiddenStates(folder, readout="min")
    for empty in ("prompt:", "prompt: {text} ", "prompt:One | ", "prompt:{text}|so"):
        with pytest.raises(ValueError, match="with words in it"):
            readout_of(empty)
    with pytest.raises(ValueError, match="may stand in it once"):
        readout_of("prompt:{text} and {text} are")
    with pytest.raises(ValueError, match="empty text"):
        HiddenStates(folder)([" "], readout="framed")
    with pytest.raises(FileNotFoundError, match=r"--llm bundeld: no such folder"):
        HiddenStates("bundeld")
    with pytest.raises(ValueError, match=r"does not load as a language model.*config\.json"):
        HiddenStates(tmp_path)


@pytest.mark.slow
def test_compiled_blocks_give_the_same_states(folder):
    plain = HiddenStates(folder, dtype=torch.float32)(TEXTS)
    np.testing.assert_allclose(HiddenStates(folder, dtype=torch.float32, compile=True)(TEXTS), plain, atol=1e-4)
