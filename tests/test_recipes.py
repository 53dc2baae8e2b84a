"""The paper's ladder and its single decoders: commands, table, votes, and the sentence about a published number."""

import itertools
import json
import shlex
from types import SimpleNamespace

import numpy as np
import pytest

from command_line.settings import RunSettings
from command_line.words import normalise
from paper.__main__ import main
from paper.augmentations import arms
from paper.cascade import Trained, settings_of
from paper.cascade_table import tabulate
from paper.recipes import rungs, singles, words_of
from paper.reproduce import _differences, answer
from tests.member_runs import draw, write_member

SEEDS = (42, 123, 456, 789, 2025)


def test_a_rung_has_everything_of_the_rungs_before_it():
    for kind in ("raw", "band"):
        steps = [words_of(step.id, kind) for step in rungs()]
        for before, after in itertools.pairwise(steps):
            assert after[: len(before)] == before


@pytest.mark.parametrize("kind", ["raw", "band"])
def test_every_rung_is_a_run_of_train_py(kind):
    runs = [settings_of(step.id, kind, ["--trainer.max_epochs", "10"]) for step in rungs()]
    assert [run.epochs for run in runs] == [10, 10, 10, 10, 15]
    assert runs[0].plain
    assert not runs[2].plain
    assert runs[1].value("data.augmentation") is not None
    assert (runs[0].value("data.features") == "raw") is (kind == "raw")


def test_the_ladder_chooses_the_loss():
    with pytest.raises(ValueError, match="the ladder chooses the loss"):
        settings_of("base", "band", ["--loss", "rsa"])


def test_table_has_steps_paired_by_seed_votes_and_what_is_missing(tmp_path):
    trained = []
    for k, step in enumerate(rungs()):
        folder = tmp_path / step.id
        for seed in SEEDS:
            rng = np.random.default_rng([k, seed])
            path = write_member(folder / f"x{seed}", seed=seed, epochs=6, **draw(rng, strength=1.0 + 0.4 * k))
            path.rename(folder / f"s{seed}")
        arm = SimpleNamespace(run_dir=lambda seed, folder=folder: folder / f"s{seed}", path=folder)
        trained.append(Trained(id=step.id, label=step.label, arm=arm, epochs=6))
    text = tabulate(trained, seeds=SEEDS, folder=tmp_path / "out", command="x")
    rows = {row["label"]: row for row in json.loads((tmp_path / "out" / "cascade.json").read_text())["rows"]}
    assert rows["+ augmentation"]["outcome"] == "helps"
    assert rows["+ augmentation"]["step"] == pytest.approx(
        rows["+ augmentation"]["value"] - rows["EMOD of depth 3"]["value"]
    )
    assert rows["vote of 5"]["value"] > rows["+ depth 6"]["value"]
    assert "needs 10 seeds" in rows["vote of 10"]["missing"]
    assert rows["vote of 5 and 5"]["value"] > rows["+ depth 6"]["value"]
    assert "SIMULATED" in text
    assert "0.6194" in text
    assert (tmp_path / "out" / "cascade.png").stat().st_size > 10_000


def test_published_number_is_judged_by_the_interval_of_ours():
    emod = singles()["emod"]
    close, _ = answer(emod, [0.62, 0.63, 0.64], differs=[])
    far, (low, high) = answer(emod, [0.52, 0.53, 0.54], differs=[])
    assert "ours 0.6300" in close
    assert "; reproduced within" in close
    assert "not reproduced: outside" in far
    assert low < 0.53 < high
    assert "neither reproduced nor not" in answer(emod, [0.63], differs=[])[0]


def test_spread_of_the_source_widens_the_interval():
    ours = [0.640, 0.641, 0.642, 0.643, 0.644]
    deep = singles()["emod_d6"]
    _, with_spread = answer(deep, ours, differs=[])
    assert with_spread[1] - with_spread[0] > 4 * 0.001
    assert "not reproduced" in answer(deep, ours, differs=[])[0]


def test_simulated_data_reproduce_nothing():
    sentence, _ = answer(singles()["emod"], [0.62, 0.63, 0.64], differs=["the data are SIMULATED"])
    assert sentence.count("not a reproduction (the data are SIMULATED)") == 1


def test_names_and_mistakes_are_one_line(capsys):
    assert main(["reproduce"]) == 0
    assert "emod_d6" in capsys.readouterr().out
    with pytest.raises(SystemExit, match="no published decoder 'nothing'"):
        main(["reproduce", "nothing"])


def test_each_augmentation_is_dropped_once_and_band_features_have_none_in_time():
    raw, band = arms(raw=True), arms(raw=False)
    assert len(raw) == 7
    assert len(band) == 5
    assert "--data.augmentation.noise_std=0" in raw["without noise_std"]
    assert "--data.augmentation.channel_dropout=0.15" in raw["without noise_std"]
    for words in band.values():
        assert not words or "--data.augmentation.time_mask=0" in words
    assert raw["no augmentation"] == []


def test_what_a_user_changed_of_a_recipe_is_said():
    single = singles()["cbramod"]
    words = ["--data.n_subjects", "6", "--trainer.max_epochs", "2", "--run_dir", "x", "--network.weights", "a.pth"]
    run = RunSettings.parse(normalise([*shlex.split(single.flags), *words]))
    found = _differences(single, run, seeds=(1, 2), simulated=True, mirror=False)
    assert found[0] == "the data are SIMULATED"
    assert "2 seeds instead of 5" in found
    assert sorted(found[2:]) == ["data.n_subjects 6 instead of 123", "trainer.max_epochs 2 instead of 50"]
    real = RunSettings.parse(normalise([*shlex.split(single.flags), "--data", "FACED", "--data.root", "DIR"]))
    assert _differences(single, real, seeds=single.seeds, simulated=False, mirror=True) == [
        "the files are a mirror of FACED and not its Processed_data",
        "trained from scratch, without the pretrained weights",
    ]


@pytest.mark.parametrize("name", singles())
def test_each_published_decoder_is_a_run_of_train_py(name):
    single = singles()[name]
    run = RunSettings.parse(normalise(shlex.split(single.flags)))
    assert run.value("data.features") == "raw"
    assert run.value("data.sampling_rate") == (200 if name == "cbramod" else 250)
    assert ("validation kappa" in single.protocol) is (run.value("checkpoint.monitor") == "val/kappa")


def test_fine_tuning_recipes_stack_on_a_pretrained_cbramod():
    found = {}
    for name in ("layerwise", "frozen", "lora"):
        words = ["--config", "configs/cbramod.yaml", "--config", f"configs/finetune_{name}.yaml"]
        found[name] = RunSettings.parse(normalise([*words, "--network.weights", "w.pth"]))
    assert found["layerwise"].value("model.optimisation.layer_decay") == 0.65
    assert found["frozen"].value("model.optimisation.encoder_lr_scale") == 0
    assert found["frozen"].value("model.head") == "flatten_mlp"
    assert found["lora"].value("loss.pretrained") == "network"
    assert not found["lora"].plain
    assert found["lora"].value("model.optimisation.lr") == 5e-4
