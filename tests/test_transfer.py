"""A second data set: which electrodes, which trials in which order, which people; and what xeeg makes of it."""

from dataclasses import replace
from types import SimpleNamespace

import lightning as L
import numpy as np
import pytest
import torch

from command_line.parser import parse
from command_line.words import normalise
from datamodules.faced import FACED
from datamodules.simulated import SimulatedFACED, SimulatedSEEDV
from datamodules.transfer import Transfer
from eeg.batch import Batch, SourceBatch
from eeg.montage import FACED_CHANNELS
from losses.base import Phase
from tests.phase_runs import BATCH, Memory, decoder, equal, fit, state
from tests.test_losses import strategy
from tests.test_phases import Diary, part

pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    """Simulated cohorts of this module, each written once."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("VAXIS_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


def of_names(names: tuple[str, ...]) -> torch.Tensor:
    """A trial whose every value says which electrode it is of."""
    return torch.tensor([[[float(sum(map(ord, name.upper())) * 7 + ord(name[0]))] * 5 for name in names]])


def batch_of(x: torch.Tensor, kind: type[Batch] = Batch) -> Batch:
    return kind(x, *(torch.zeros(len(x), dtype=torch.int64) for _ in range(4)))


def ready(data, phase: str = "main", stage: str = "fit"):
    """What the Trainer would do."""
    data.trainer = SimpleNamespace(
        world_size=1,
        strategy=SimpleNamespace(root_device=torch.device("cpu")),
        lightning_module=SimpleNamespace(phase=Phase(name="any", epochs=1, data=phase)),
        training=True,
    )
    data.prepare_data()
    data.setup(stage)
    return data


class TestElectrodes:
    @pytest.mark.parametrize(("source", "target"), [(SimulatedFACED, SimulatedSEEDV), (SimulatedSEEDV, SimulatedFACED)])
    def test_shared_ones_by_name_in_the_order_of_the_target(self, source, target, cache):
        data = Transfer(source=source(), target=target())
        names = data.spec.channels
        assert len(names) == 30
        assert {name.upper() for name in names} == {name.upper() for name in FACED_CHANNELS} - {"A1", "A2"}
        assert list(names) == [name for name in data.target.spec.channels if name in names]
        assert data.spec.shape == (30, 5)
        for part_, kind in ((data.source, SourceBatch), (data.target, Batch)):
            whole = batch_of(of_names(part_.spec.channels), kind)
            cut = data.on_after_batch_transfer(whole, 0)
            assert type(cut) is kind
            assert torch.equal(cut.x, of_names(names))

    def test_the_same_montage_is_handed_on_as_it_is(self, cache):
        data = Transfer(source=SimulatedFACED(people_seed=1), target=SimulatedFACED())
        assert data.spec == data.target.spec
        batch = batch_of(of_names(tuple(FACED_CHANNELS)))
        assert data.on_after_batch_transfer(batch, 0).x is batch.x

    def test_old_names_of_temporal_electrodes_match(self, tmp_path):
        source, target = Memory(tmp_path), Memory(tmp_path, taxonomy="seedv")
        old = tuple({"T7": "T3", "T8": "T4", "P7": "t5"}.get(name, name) for name in source.spec.channels)
        source.spec = replace(source.spec, channels=old)
        data = Transfer(source=source, target=target)
        assert len(data.spec.channels) == 30
        assert old[data.source_rows[data.spec.channels.index("T7")]] == "T3"

    def test_nothing_in_common_is_refused(self, tmp_path):
        source = Memory(tmp_path)
        source.spec = replace(source.spec, channels=tuple(f"X{i}" for i in range(32)))
        with pytest.raises(ValueError, match="no electrode in common"):
            Transfer(source=source, target=Memory(tmp_path, taxonomy="seedv"))

    @pytest.mark.parametrize(
        ("source", "target", "flag"),
        [
            (SimulatedFACED(features="psd"), SimulatedSEEDV(), "--source.features is psd and --data.features is de"),
            (
                SimulatedFACED(features="raw"),
                SimulatedSEEDV(features="raw"),
                "--source.window_seconds is 10 and --data.window_seconds is 1",
            ),
            (
                SimulatedFACED(features="raw", sampling_rate=250),
                SimulatedFACED(features="raw"),
                "--source.sampling_rate is 250",
            ),
        ],
        ids=["features", "length", "rate"],
    )
    def test_unlike_signals_are_refused_with_the_flags(self, source, target, flag, cache):
        with pytest.raises(ValueError, match=flag):
            Transfer(source=source, target=target)


class TestTrials:
    @pytest.mark.parametrize("source_batches", [1, 3, 5])
    def test_in_turn_they_cover_an_epoch_of_the_target(self, source_batches, tmp_path):
        target = Memory(tmp_path, batches=3)
        data = ready(Transfer(source=Memory(tmp_path, taxonomy="seedv", batches=source_batches), target=target), "both")
        loader, orders = data.train_dataloader(), []
        for epoch in (0, 1):
            loader.sampler.set_epoch(epoch)
            batches = list(loader)
            assert [type(batch) for batch in batches] == 3 * [SourceBatch, Batch]
            assert len(batches) == len(loader)
            alone = target.train_dataloader()
            alone.sampler.set_epoch(epoch)
            assert [b.index.tolist() for b in batches[1::2]] == [b.index.tolist() for b in alone]
            orders.append([b.index.tolist() for b in batches[::2]])
            assert len({tuple(order) for order in orders[-1]}) == min(3, source_batches), "as much of it as there is"
        assert orders[0] != orders[1], "the epoch reaches the source too"

    def test_each_phase_has_its_data_and_evaluation_is_the_target_s(self, cache):
        people = {"n_subjects": 12, "batch_size": 16}
        data = Transfer(source=SimulatedFACED(people_seed=1, **people), target=SimulatedFACED(**people))
        for phase, kind in (("source", SourceBatch), ("main", Batch)):
            ready(data, phase)
            seen = list(data.train_dataloader())
            assert {type(batch) for batch in seen} == {kind}
            module = data.source if phase == "source" else data.target
            rows = torch.cat([batch.index for batch in seen]).numpy()
            assert set(rows) <= set(module.indices["train"])
            judged = np.concatenate([data.target.indices["val"], data.target.indices["test"]])
            assert not set(rows) & set(judged)
        for split, loader in (("val", data.val_dataloader()), ("test", data.test_dataloader())):
            batches = list(loader)
            assert {type(batch) for batch in batches} == {Batch}
            assert set(torch.cat([b.index for b in batches]).tolist()) == set(data.target.indices[split])
            x = torch.cat([batch.x for batch in batches])
            assert torch.equal(x, torch.cat([b.x for b in data.target.loader(data.target.indices[split])]))

    def test_source_that_holds_the_judged_trials_is_refused(self, cache):
        target = SimulatedFACED(n_subjects=12)
        ready(Transfer(source=SimulatedFACED(n_subjects=12), target=target))  # the same training people: no harm
        judged = np.concatenate([target.indices["val"], target.indices["test"]])
        clips = 28 * len(set(target.store.trials.subject[judged]))
        with pytest.raises(ValueError, match=f"--source trains on {clips} clips of people that --data validates"):
            ready(Transfer(source=SimulatedFACED(n_subjects=12, split="loso", fold=0), target=target))


class TestCounterpart:
    def test_other_people_in_whom_clips_evoke_the_same(self, cache):
        settings = {"n_subjects": 3, "batch_size": 8, "snr": 1.5, "features": "psd", "normalise": "subject"}
        data = SimulatedFACED(**settings)
        other = data.counterpart("another cohort")
        for name, value in settings.items():
            assert (other.simulation if name == "snr" else vars(other))[name] == value
        for module in (data, other):
            ready(module)
        truth, others = (np.load(f"{module.root}/truth.npz") for module in (data, other))
        assert truth.files == others.files
        same = {name for name in truth.files if np.array_equal(truth[name], others[name])}
        assert {name for name in truth.files if "subject" not in name} <= same
        assert same != set(truth.files), "people have traits of their own"
        ours, theirs = (module._slices[np.arange(6)].x for module in (data, other))
        assert not torch.isclose(ours, theirs).any(dim=2).all(dim=1).any()
        assert data.fingerprint != other.fingerprint
        assert other.counterpart("another cohort").root not in (data.root, other.root)

    def test_the_other_data_set_is_the_other_one(self, cache):
        assert type(SimulatedFACED().counterpart("the other data set")) is SimulatedSEEDV
        assert type(SimulatedSEEDV().counterpart("the other data set")) is SimulatedFACED

    def test_real_data_have_none(self):
        with pytest.raises(ValueError, match="also trains on another cohort: name it with --source"):
            FACED(root="/nowhere").counterpart("another cohort")

    @pytest.mark.parametrize("loss", ["peft_lora", "xeeg"])
    def test_real_data_without_source_are_refused_before_any_work(self, loss, tmp_path, cache):
        words = ["--data", "FACED", f"--data.root={tmp_path}", "--loss", loss, f"--run_dir={tmp_path}"]
        with pytest.raises(ValueError, match=r"also trains on .+: name it with --source") as caught:
            parse(normalise(words))
        assert "\n" not in str(caught.value)

    def test_source_without_use_is_refused(self, tmp_path, cache):
        words = ["--loss", "rsa", "--source", "SimulatedSEEDV", f"--run_dir={tmp_path}"]
        with pytest.raises(ValueError, match="--source is given, but rsa does not train on a second data set"):
            parse(normalise(words))
        words[1] = "xeeg"
        assert type(parse(normalise(words)).datamodule.source) is SimulatedSEEDV


class TestTrainFraction:
    def people(self, fraction: float, *, seed: int = 1) -> tuple[dict[str, set], SimulatedFACED]:
        torch.manual_seed(seed)
        data = ready(SimulatedFACED(n_subjects=12, train_fraction=fraction))
        return {role: set(data.store.trials.subject[rows]) for role, rows in data.indices.items()}, data

    def test_smaller_shares_are_parts_of_larger_ones_with_all_classes(self, cache):
        whole, _ = self.people(1.0)
        larger: set = whole["train"]
        for fraction in (0.75, 0.5, 0.25, 1e-6):
            found, data = self.people(fraction)
            assert found["train"] <= larger
            assert len(found["train"]) == max(1, round(fraction * len(whole["train"])))
            rows = data.indices["train"]
            assert set(data.store.trials.stimulus[rows]) == set(range(28))
            assert len(rows) == 84 * len(found["train"]), "whole people"
            assert (found["val"], found["test"]) == (whole["val"], whole["test"])
            larger = found["train"]

    def test_the_seed_says_who(self, cache):
        draws = [frozenset(self.people(0.5, seed=seed)[0]["train"]) for seed in (1, 1, 2, 3, 4)]
        assert draws[0] == draws[1]
        assert len(set(draws)) > 1

    def test_share_out_of_range_is_refused(self):
        for share in (0.0, -0.5, 1.5, float("nan")):
            with pytest.raises(ValueError, match="train_fraction must lie above 0"):
                SimulatedFACED(train_fraction=share)


class TestXEEG:
    def run(self, folder, **hyper):
        class Start(Diary):
            def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
                if pl_module.phase.name == "target" and not self.of("target", "phase"):
                    self.target_start = state(pl_module)
                super().on_train_batch_start(trainer, pl_module, batch, batch_idx)

        L.seed_everything(5)
        diary, model = Start(), decoder(strategy("xeeg", **hyper))
        data = Transfer(source=Memory(folder, seed=1, batches=3), target=Memory(folder, taxonomy="seedv"))
        fit(model, data, folder, diary)
        return diary, model

    def test_target_starts_from_the_encoder_of_the_source_with_a_new_classifier(self, tmp_path):
        diary, model = self.run(tmp_path)
        assert set(diary.of("source", "source")) == {True}
        assert set(diary.of("target", "source")) == {False}
        begun, left = diary.target_start, diary.after("source")
        assert equal(part(begun, "network."), part(left, "network."))
        assert not equal(part(begun, "network."), part(diary.start, "network."))
        assert equal(part(begun, "classifier."), part(diary.start, "classifier."))
        assert model.classifier.linear.out_features == 5
        assert model.source_classifier.linear.out_features == 9
        assert equal(part(left, "source_classifier."), part(diary.after("target"), "source_classifier."))
        assert not equal(part(left, "source_classifier."), part(diary.start, "source_classifier."))
        assert not equal(part(begun, "classifier."), part(diary.after("target"), "classifier."))

    @pytest.mark.parametrize("mode", ["sequential", "joint"])
    def test_axis_makes_a_difference_to_the_target(self, mode, tmp_path):
        ends = [state(self.run(tmp_path, weight=weight, mode=mode)[1]) for weight in (0.0, 0.5, 0.5)]
        assert not equal(part(ends[0], "network."), part(ends[1], "network."))
        assert not equal(part(ends[0], "classifier."), part(ends[1], "classifier."))
        assert equal(ends[1], ends[2])

    def test_joint_alternates_and_learns_both(self, tmp_path):
        diary, _ = self.run(tmp_path, mode="joint")
        assert diary.of("joint", "source") == [True, False, True, False]
        assert all(len(trials) == BATCH for trials in diary.of("joint", "trials"))
        for prefix in ("network.", "classifier.", "source_classifier.", "loss.head."):
            assert not equal(part(diary.after("joint"), prefix), part(diary.start, prefix)), prefix
        assert diary.of("joint", "progress") == [0, 0.25, 0.5, 0.75]
