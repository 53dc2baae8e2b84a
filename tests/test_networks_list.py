"""``python -m networks list`` and the table of costs: what they say follows from the networks themselves."""

import re

import pytest
import torch
import yaml

from benchmarks.networks import measure, peak
from command_line.catalogue import plugins
from networks.de_linear import DELinear
from networks.eegnet import EEGNet
from networks.emod import EMOD
from networks.hours import forward_gflop, main, run_hours
from networks.list import FACTS, encoders, listing, sized


@pytest.fixture(scope="module")
def facts():
    return yaml.safe_load(FACTS.read_text())


@pytest.fixture(scope="module")
def text() -> str:
    return listing()


def test_every_network_that_a_flag_can_name_is_listed(text):
    names = [plugin.name for plugin in plugins("network")]
    assert names == list(encoders())
    assert all(re.search(rf"^{name}$", text, re.M) for name in names)


def test_no_facts_of_a_network_that_is_not_there(facts):
    assert set(facts["networks"]) == set(encoders()) - {"braindecode"}


def test_every_published_score_names_its_protocol_and_stands_in_the_list(facts, text):
    rows = [row for kind in ("networks", "braindecode") for known in facts[kind].values() for row in known["published"]]
    assert len(rows) > 15
    for row in rows:
        assert row["protocol"] in facts["protocols"]
        assert row["data"] in ("FACED", "SEED-V")
        assert f"{row['score']:.3f} {row['data']}, protocol {row['protocol']} ({row['by']})" in text
    for known in facts["networks"].values():
        assert known["code"]
        assert known["weights"]


def test_sizes_in_the_list_are_those_of_the_networks(text):
    assert sized(EEGNet, "faced") == ("1 x 62 x 16", 1_616)
    assert sized(EEGNet, "seedv") == ("1 x 6 x 16", 2_096)
    entry = text.split("\n\n")[list(encoders()).index("eegnet")]
    assert "FACED 1 x 62 x 16, SEED-V 1 x 6 x 16" in entry
    assert "FACED 1,616, SEED-V 2,096" in entry


def test_listing_draws_no_random_number():
    before = torch.get_rng_state()
    sized(EEGNet, "faced")
    assert torch.equal(torch.get_rng_state(), before)


def test_the_benchmark_counts_parameters_operations_and_speed():
    found = measure(lambda: DELinear(dim=4), dataset="faced", batch=8, device="cpu", seconds=0.01)
    assert found["parameters"] == 161 * 4
    assert found["mflop"] == pytest.approx(2 * 160 * 4 / 1e6)
    assert found["forward"] > found["step"] > 0


def test_the_benchmark_sees_the_highest_memory():
    def run() -> None:
        torch.ones(64 * 2**20 // 4).add_(1)

    assert peak(run, device="cpu") == pytest.approx(64 * 2**20, rel=0.1)


def test_hours_follow_from_operations_and_the_stated_rate(capsys):
    assert forward_gflop(EMOD) == pytest.approx(3.6, abs=0.15)  # what bench-networks counts
    one = {"people": 123, "clips": 28, "epochs": 1, "batch": 64}
    hours = run_hours(1.0, **one, tflops=1.0, step_ms=1e-9)
    assert hours * 3600 == pytest.approx((3 * 6720 + 1680) * 1e9 / 1e12)
    assert run_hours(1.0, **one | {"epochs": 50}, tflops=1.0, step_ms=1e-9) == pytest.approx(50 * hours)
    assert run_hours(0.0, **one, tflops=1.0, step_ms=10.0) * 3600 == pytest.approx(1.05)
    main(["--runs", "2", "--epochs", "7"])
    text = capsys.readouterr().out
    assert "ESTIMATE, not measured" in text
    assert set(encoders()) - {"braindecode"} == {line.split()[0] for line in text.splitlines()[2:]}
