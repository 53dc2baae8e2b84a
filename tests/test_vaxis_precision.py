"""Which precision a language model is read in: the artifact in one for all machines, other texts in the faster one."""

import numpy as np
import pytest
import torch

from tests.small_language_models import save_llama
from vaxis.language import extraction, model
from vaxis.language.extraction import extract
from vaxis.language.hidden_states import HiddenStates
from vaxis.language.model import FASTER, WORKING_MEMORY, plan_memory
from vaxis.language.reading_once import ReadingOnce
from vaxis.language.texts import load_texts

CPU = torch.device("cpu")
# conftest puts a constant in its place for all tests.
timed = model.fast_at_bfloat16.__wrapped__


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return save_llama(tmp_path_factory.mktemp("model"))


@pytest.fixture
def always_fast(monkeypatch):
    monkeypatch.setattr(model, "fast_at_bfloat16", lambda device: True)


def with_instructions(monkeypatch, **there):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx2": True, **there})


@pytest.mark.parametrize("name", ["avx512_bf16", "amx_bf16"])
@pytest.mark.parametrize(("speed", "chosen"), [(0.6, False), (1.0, False), (1.0 * FASTER + 0.01, True), (1.9, True)])
def test_a_timing_decides_and_not_what_the_processor_is_called(monkeypatch, name, speed, chosen):
    with_instructions(monkeypatch, **{name: True})
    seconds = {torch.float32: speed, torch.bfloat16: 1.0}
    monkeypatch.setattr(model, "_seconds_of_a_product", seconds.__getitem__)
    assert timed(CPU) is chosen


def test_nothing_is_timed_without_the_instructions(monkeypatch):
    with_instructions(monkeypatch, amx_bf16=False)
    monkeypatch.setattr(model, "_seconds_of_a_product", lambda dtype: pytest.fail("emulated, it takes long"))
    assert timed(CPU) is False
    assert timed(torch.device("cuda:0")) is True


def test_a_product_is_really_timed():
    assert 0 < model._seconds_of_a_product(torch.float32) < 5


@pytest.mark.filterwarnings("ignore:weak valence axis")  # of random weights
@pytest.mark.usefixtures("always_fast")
def test_the_artifact_is_made_in_float32_even_where_bfloat16_is_faster(folder):
    made = extract(llm=str(folder), readout="last", draws=2, device="cpu")
    low = extract(llm=str(folder), readout="last", draws=2, device="cpu", dtype=torch.bfloat16)
    assert made.provenance["dtype"] == "float32"
    assert "dtype" not in made.provenance["request"]
    assert low.provenance["dtype"] == low.provenance["request"]["dtype"] == "bfloat16"
    assert HiddenStates(folder, device="cpu").dtype == torch.bfloat16


def test_an_artifact_that_is_not_in_float32_for_lack_of_memory_says_so(folder, monkeypatch):
    parameters = plan_memory(folder)[0].parameters
    monkeypatch.setattr(model, "_free", lambda device: WORKING_MEMORY + 3 * parameters)
    with pytest.warns(UserWarning, match="is read in bfloat16, since float32 does not fit"):
        states = extraction._open(str(folder), layer="final", readout="last", quiet=True, device="cpu")
    assert states.dtype == torch.bfloat16


def test_bfloat16_changes_no_state_by_more_than_its_rounding(folder):
    texts = load_texts("faced").clips
    full, half = (HiddenStates(folder, dtype=dtype, device="cpu")(texts) for dtype in (torch.float32, torch.bfloat16))
    cosines = (full * half).sum(axis=1) / np.linalg.norm(full, axis=1) / np.linalg.norm(half, axis=1)
    assert not np.array_equal(full, half)
    assert cosines.min() > 0.999


class Counting:
    """Stands for a model: the state of a text is its length; counts what is read."""

    readout, layer = "framed", 3

    def __init__(self):
        self.read = []

    def __call__(self, texts, *, readout, layer, progress):
        self.read += [(readout, layer, text) for text in texts]
        return np.array([[len(text), layer] for text in texts], dtype=np.float32)


def test_a_text_is_read_once_in_each_way_and_comes_in_the_order_asked_for():
    states = Counting()
    once = ReadingOnce(states)
    np.testing.assert_array_equal(once(["bb", "a", "bb"]), [[2, 3], [1, 3], [2, 3]])
    np.testing.assert_array_equal(once(["ccc", "a"]), [[3, 3], [1, 3]])
    np.testing.assert_array_equal(once(["a"], readout="last", layer=2), [[1, 2]])
    states.layer = 2  # blocks were dropped
    np.testing.assert_array_equal(once(["a"]), [[1, 2]])
    assert states.read == [(*how, text) for how, text in (
        (("framed", 3), "bb"), (("framed", 3), "a"), (("framed", 3), "ccc"), (("last", 2), "a"), (("framed", 2), "a"),
    )]  # fmt: skip


@pytest.mark.filterwarnings("ignore:weak valence axis")
def test_an_extraction_reads_no_text_twice_in_the_same_way(folder, monkeypatch):
    asked: list[tuple[str, int, str]] = []
    read = HiddenStates.__call__

    def noted(self, texts, *, readout=None, layer=None, progress=False):
        asked.extend((readout or self.readout, layer or self.layer, text) for text in texts)
        return read(self, texts, readout=readout, layer=layer, progress=progress)

    monkeypatch.setattr(HiddenStates, "__call__", noted)
    extract(llm=str(folder), draws=2, device="cpu")
    assert len(asked) == len(set(asked)) > len(load_texts("faced").everyday)
