"""A decoder outside the project: the contract of open-eeg-bench, the hub's folder, and a run turned into one."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file
from scipy.signal import resample
from torch import nn

from command_line.publish import main, portable
from command_line.reopen import open_run
from eeg.montage import FACED_CHANNELS
from lightning_modules.portable import PortableDecoder, network_class, resampled
from networks.axial_de import AxialDE
from tests.runs import SMALL, train
from tests.test_networks import ROWS, found

FACTS = {"n_chans": 6, "n_times": 200, "n_outputs": 4, "sfreq": 100.0}
CHANNELS = [{"ch_name": name, "loc": np.zeros(12)} for name in FACED_CHANNELS[:6]]  # as mne describes them


def submission(kind, **options) -> PortableDecoder:
    torch.manual_seed(0)
    name = kind.__module__.rpartition(".")[2]
    return PortableDecoder(**FACTS, chs_info=CHANNELS, network=name, options=ROWS.get(kind, {}), **options)


@pytest.mark.parametrize("kind", found(), ids=lambda kind: kind.__name__)
def test_every_network_keeps_the_contract_of_open_eeg_bench(kind):
    """(B, C, T) to (B, n_out), the last module called ``final_layer``, which the benchmark replaces."""
    made, x = submission(kind), 20 * torch.randn(8, 6, 200)
    assert made.eval()(x).shape == (8, 4)
    assert [name for name, _ in made.named_children()][-1] == "final_layer"
    made.final_layer = nn.Sequential(nn.Flatten(1), nn.LazyLinear(3))
    made.eval()(x)
    F.cross_entropy(made.train()(x), torch.arange(8) % 3).backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in made.parameters())


def test_band_features_are_standardised_with_the_statistics_of_training():
    made, x = submission(AxialDE), 20 * torch.randn(64, 6, 200)
    made.train()
    for _ in range(120):
        made.prepared(x)
    seen = made.eval().prepared(x)
    torch.testing.assert_close(seen.mean(dim=0), torch.zeros(6, 5), rtol=0, atol=0.02)
    torch.testing.assert_close(seen.std(dim=0), torch.ones(6, 5), rtol=0.05, atol=0)
    x[:, 2] = 0
    assert made.prepared(x).isfinite().all()


@pytest.mark.parametrize(("before", "after"), [(200, 100), (100, 200), (201, 100), (100, 201), (250, 200), (99, 77)])
def test_resampling_is_that_of_scipy(before, after):
    x = torch.randn(3, before, dtype=torch.float64)
    np.testing.assert_allclose(resampled(x, after).numpy(), resample(x.numpy(), after, axis=-1), atol=1e-12)


def test_a_network_that_asks_for_another_rate_gets_it():
    made = PortableDecoder(**FACTS, network="cbramod", options={"depth": 1})
    x = torch.randn(2, 6, 200)
    np.testing.assert_allclose(made.prepared(x), resample(x.numpy(), 400, axis=-1) / 100, atol=1e-6)
    assert made.network.n_tokens == 2


@pytest.mark.parametrize("kind", found(), ids=lambda kind: kind.__name__)
def test_a_saved_decoder_comes_back_from_its_folder(kind, tmp_path):
    options = {**ROWS.get(kind, {})}
    name = kind.__module__.rpartition(".")[2]
    made = PortableDecoder(**FACTS, channels=FACED_CHANNELS[:6], network=name, options=options, head="flatten_linear")
    with torch.no_grad():
        made.centre.add_(3)
        made.spread.mul_(2)
    made.save_pretrained(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"config.json", "model.safetensors", "README.md"}
    back, x = PortableDecoder.from_pretrained(tmp_path).eval(), 20 * torch.randn(3, 6, 200)
    assert torch.equal(back(x), made.eval()(x))


def test_a_file_that_lacks_a_tensor_is_refused(tmp_path):
    submission(AxialDE, channels=FACED_CHANNELS[:6]).save_pretrained(tmp_path)
    state = load_file(tmp_path / "model.safetensors")
    save_file({name: value for name, value in state.items() if name != "network.gain"}, tmp_path / "model.safetensors")
    with pytest.raises(RuntimeError, match=r"network\.gain"):
        PortableDecoder.from_pretrained(tmp_path)


def test_networks_are_found_by_file_or_class():
    assert network_class("axial_de") is network_class("networks.axial_de.AxialDE") is AxialDE
    for name in ("nonsense", "networks.axial_de.Nonsense", "networks.base"):
        with pytest.raises(ValueError, match="python -m networks list"):
            network_class(name)
    with pytest.raises(ValueError, match="2 names for 6 electrodes"):
        PortableDecoder(**FACTS, channels=["Fz", "Cz"], network="axial_de")


@pytest.fixture(scope="module")
def run_dir(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    train(
        *SMALL, "--data.n_subjects=6", "--trainer.max_epochs=1", "--model.optimisation.warmup_epochs=0",
        "--loss", "rsa", f"--run_dir={folder / 'run'}", cache=folder / "cache",
    )  # fmt: skip
    return folder / "run"


def test_a_run_becomes_a_folder_whose_logits_are_the_runs(run_dir, tmp_path, capsys):
    main([str(run_dir), "--out", str(tmp_path / "model")])
    assert "model.safetensors" in capsys.readouterr().out
    decoder, x = PortableDecoder.from_pretrained(tmp_path / "model").eval(), 2 + torch.randn(9, 32, 5)
    with torch.no_grad():
        np.testing.assert_allclose(decoder(x), open_run(run_dir, device="cpu").predict(x).logits, atol=1e-5)
    assert decoder.centre.std() > 0  # the statistics of the training people travel with it
    card = (tmp_path / "model" / "README.md").read_text()
    accuracy = json.loads((run_dir / "result.json").read_text())["test"]["balanced_accuracy"]
    for fact in ("library_name: vaxis-align", "SIMULATED", "subject_80_20_23", f"{accuracy:.3f}", "(B, 32, 5)", "joy"):
        assert fact in card, fact
    with pytest.raises(SystemExit, match="is not empty; name a new folder"):
        main([str(run_dir), "--out", str(tmp_path / "model")])


def test_a_run_that_normalises_people_cannot_be_published(run_dir):
    run = open_run(run_dir, device="cpu")
    contents = replace(run.contents, data={"normalise": "subject", "channels": run.contents.spec.channels})
    with pytest.raises(ValueError, match=r"train one with --data\.normalise train"):
        portable(replace(run, contents=contents))
