"""Foreign checkpoints: what a file may look like, what is renamed or left out, and that nothing is loaded by halves."""

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from networks.weights import load_strictly, read_weights

RENAMED = {r"^encoder\.": "", r"^lin(\d)\.": r"\1."}
FIX = "set --network.dim"


def network() -> nn.Sequential:
    torch.manual_seed(1)
    return nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 2))


def theirs(**changes: torch.Tensor) -> dict[str, torch.Tensor]:
    """Tensors for ``network`` under names of their own, wrapped by data parallelism, beside a head that it lacks."""
    state = {"0.weight": (4, 3), "0.bias": (4,), "1.weight": (2, 4), "1.bias": (2,)}
    named = {f"module.encoder.lin{name}": torch.full(shape, 7.0) for name, shape in state.items()}
    return named | {"module.head.weight": torch.zeros(1)} | changes


def load(path, **options) -> tuple[nn.Module, tuple[str, ...]]:
    made = network()
    state = read_weights(path, renamed=RENAMED, dropped=("head.",))
    return made, load_strictly(made, state, path=path, fix=FIX, **options)


@pytest.mark.parametrize("nest", [None, "state_dict", "model", "module", "safetensors"])
def test_every_tensor_is_found_renamed_and_set(tmp_path, nest):
    if nest == "safetensors":
        path = tmp_path / "weights.safetensors"
        save_file(theirs(), path)
    else:
        path = tmp_path / "weights.ckpt"
        torch.save({nest: theirs(), "epoch": 3} if nest else theirs(), path)
    made, loaded = load(path)
    assert loaded == ("0.weight", "0.bias", "1.weight", "1.bias")
    assert all((value == 7).all() for value in made.state_dict().values())


def saved(path, state):
    torch.save(state, path)
    return path


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"module.encoder.lin0.weight": torch.zeros(5, 3)},
            r"'0\.weight' is \(5, 3\) there and \(4, 3\) in the network",
        ),
        ({"module.encoder.lin2.bias": torch.zeros(2)}, r"'2\.bias' is not a tensor of the network"),
        ({"module.encoder.lin1.bias": None}, r"'1\.bias' is missing"),
    ],
)
def test_what_does_not_fit_is_named_in_one_line_and_nothing_is_set(tmp_path, change, message):
    state = {name: value for name, value in theirs(**change).items() if value is not None}
    path = saved(tmp_path / "weights.ckpt", state)
    made = network()
    before = {name: value.clone() for name, value in made.state_dict().items()}
    renamed = read_weights(path, renamed=RENAMED, dropped=("head.",))
    with pytest.raises(ValueError, match=message) as error:
        load_strictly(made, renamed, path=path, fix=FIX)
    assert str(path) in str(error.value)
    assert str(error.value).endswith(FIX)
    assert "\n" not in str(error.value)
    assert all(torch.equal(value, before[name]) for name, value in made.state_dict().items())


def test_only_what_may_be_lacking_keeps_its_random_start(tmp_path):
    state = {name: value for name, value in theirs().items() if "lin1" not in name}
    made, loaded = load(saved(tmp_path / "weights.ckpt", state), may_lack=("1.",))
    assert loaded == ("0.weight", "0.bias")
    assert torch.equal(made[1].weight, network()[1].weight)
    with pytest.raises(ValueError, match="missing"):
        load(saved(tmp_path / "other.ckpt", state), may_lack=("0.",))


def test_what_is_no_state_dict_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"--network\.weights: no file at .*absent\.ckpt"):
        load(tmp_path / "absent.ckpt")
    for name, content in (("list", [1, 2]), ("numbers", {"epoch": 3}), ("empty", {})):
        with pytest.raises(ValueError, match="holds no state dict of tensors; save"):
            load(saved(tmp_path / name, content))
    for name in ("text.ckpt", "text.safetensors"):
        (tmp_path / name).write_text("not weights")
        with pytest.raises(ValueError, match="cannot be read as a state dict"):
            load(tmp_path / name)


def test_code_in_a_pickle_is_not_run(tmp_path):
    class Harm:
        def __reduce__(self):
            return (open, (str(tmp_path / "harm"), "w"))

    torch.save({"state_dict": Harm()}, tmp_path / "weights.ckpt")
    with pytest.raises(ValueError, match="cannot be read"):
        load(tmp_path / "weights.ckpt")
    assert not (tmp_path / "harm").exists()


def test_two_tensors_of_one_name_are_refused(tmp_path):
    state = theirs() | {"encoder.0.bias": torch.zeros(4)}
    with pytest.raises(ValueError, match=r"two tensors for '0\.bias'"):
        load(saved(tmp_path / "weights.ckpt", state))
