"""The arms of a study, what must stand beside its answer, and when seeds are enough; runs are made up."""

import json
import math
from dataclasses import replace

import numpy as np
import pytest

from command_line.settings import RunSettings
from datamodules.seedv import SEEDV
from records.run import Run
from studies import answer, arms, losses
from studies.arms import Conditions, prepare
from studies.plan import Plan
from studies.scalp import corrected, topographies
from studies.study import Study, distinct, folds
from tests.finished_runs import write_run
from vaxis.axis import Axis


@pytest.fixture(scope="module")
def conditions(tmp_path_factory) -> Conditions:
    return conditions_in(tmp_path_factory.mktemp("runs"))


def conditions_in(folder, *words: str, named: bool = False) -> Conditions:
    flags = ["--config", "configs/simulated.yaml", "--network", "global_context_de", "--data.n_subjects=6"]
    flags += [f"--data.cache={folder / 'stores'}", f"--data.root={folder / 'cohort'}", *words]
    options = {"folder": folder / "mine"} if named else {"root": folder}
    return prepare(RunSettings.parse(flags), planted=True, quiet=True, **options)


def study(conditions: Conditions, *words: str, loss: str = "rsa", **plan) -> Study:
    run = conditions.settings.with_loss(("--loss", loss, *words))
    return Study.prepare(run, plan=Plan(**{"seeds": (1, 2, 3), **plan}), conditions=conditions)


class TestArms:
    def test_a_control_differs_in_its_targets_alone(self, conditions):
        found = study(conditions, controls=("random",))
        treated, control = found.pair.treated, found.controls["random"]
        assert treated.settings.differences(control.settings) == ["model.control was None, now random"]
        assert found.pair.baseline.settings.value("model.control") is None
        assert control.path.name.startswith("control-rsa-")
        assert len({arm.path for arm in (treated, control, found.pair.baseline)}) == 3

    def test_another_artifact_as_control_counts_by_its_content(self, conditions, tmp_path):
        from tests.conftest import make_axis

        paths = [
            str(make_axis(seed=seed).save(tmp_path / f"{name}.npz")) for name, seed in (("a", 1), ("b", 1), ("c", 2))
        ]
        a, b, c = study(conditions, controls=tuple(paths)).controls.values()
        assert a.path == b.path != c.path

    def test_lengths_and_folds_change_what_their_name_says_alone(self, conditions):
        found = study(conditions, lengths=(1, 3, 5), new_clips=2)
        assert conditions.settings.epochs == 3
        assert list(found.lengths) == [1, 5], "the length of the runs themselves is there already"
        assert found.pair.treated.settings.differences(found.lengths[5].treated.settings) == [
            "trainer.max_epochs was 3, now 5"
        ]
        assert found.pair.baseline.settings.differences(found.new_clips["2"].baseline.settings) == [
            "data.init_args.split was subject_80_20_23, now subject_clip_disjoint",
            "data.init_args.fold was 0, now 2",
        ]
        pairs = [found.pair, *found.lengths.values(), *found.new_clips.values()]
        assert len({pair.treated.path for pair in pairs}) == len(pairs) == 6
        assert {pair.treated.path.name for pair in pairs} == {found.pair.treated.path.name}

    def test_a_length_is_found_again_where_it_is_the_main_one(self, conditions, tmp_path):
        beside = study(conditions, lengths=(5,)).lengths[5]
        main = conditions_in(conditions.folder.parent, "--trainer.max_epochs=5")
        assert study(main).pair == beside

    def test_in_a_folder_that_the_user_chose_all_runs_lie_below_it(self, tmp_path):
        named = conditions_in(tmp_path, named=True)
        found = study(named, lengths=(5,), new_clips=1)
        assert found.lengths[5].treated.path.parent == tmp_path / "mine" / "5-epochs"
        assert found.new_clips["0"].baseline.path == tmp_path / "mine" / "new-clips-0" / "none"

    def test_jobs_beside_the_answer(self, conditions):
        found = study(conditions, controls=("random",), lengths=(5,), new_clips=2)
        jobs = distinct(found.beside((1, 2, 3)))
        assert len(jobs) == 3 + 2 * 3 + 3 * 2 * 2
        assert {job.settings.seed for job in jobs if "new" in job.run_dir.parts[-3]} <= {1, 2}
        assert len(distinct([*jobs, *jobs])) == len(jobs)

    def test_data_without_a_split_for_new_clips(self, conditions):
        assert len(folds(conditions)) == 3
        seedv = SEEDV(root="nowhere", features="de", split="trial_5_5_5")
        from dataclasses import replace

        with pytest.raises(ValueError, match=r"no split of seedv holds clips back \(it has trial_5_5_5"):
            folds(replace(conditions, data=seedv))

    def test_no_loss_is_no_study(self, conditions):
        with pytest.raises(ValueError, match="is the baseline itself"):
            study(conditions, loss="none")


@pytest.fixture
def trained(monkeypatch):
    """In the place of training: makes up what is not there yet, and counts the launches."""
    launches: list[int] = []
    gains: dict[str, float] = {"rsa": 0.0}

    def launch(jobs, *, on):
        new = [job for job in jobs if not job.finished]
        launches.append(len(new))
        for job in new:
            seed, loss = job.settings.seed, job.run_dir.parent.name.split("-")[0]
            rng = np.random.default_rng([seed, len(loss)])
            accuracy = 0.6 + gains.get(loss, 0.0) + 0.01 * rng.standard_normal()
            made = write_run(
                job.run_dir.parent / "made", loss=loss, weight=float(loss != "none"), seed=seed, accuracy=accuracy
            )
            made.rename(job.run_dir)

    monkeypatch.setattr(answer, "launch", launch)
    return launches, gains


def test_maps_of_the_signal_have_bands_in_hz_and_a_p_for_every_cell_on_the_scalp(conditions):
    (found,) = topographies(conditions.data, Axis.load(conditions.axis_path))
    assert found.maps == ("delta 1–4 Hz", "theta 4–8 Hz", "alpha 8–14 Hz", "beta 14–30 Hz", "gamma 30–47 Hz")
    there = np.isfinite(found.p)
    assert there.sum() == 30 * 5, "the references beside the ears are on no map"
    assert ((found.p[there] > 0) & (found.p[there] <= 1)).all()


def test_a_mistyped_data_folder_is_told_before_a_language_model_reads(tmp_path, monkeypatch):
    monkeypatch.setattr(arms, "_axis_of_a_language_model", lambda *_, **__: pytest.fail("the model was asked"))
    run = RunSettings.parse(["--data", "datamodules.faced.FACED", f"--data.root={tmp_path / 'mistyped'}", "--loss=rsa"])
    with pytest.raises(FileNotFoundError, match="mistyped does not exist"):
        prepare(run, planted=False, quiet=True)


def test_a_map_is_corrected_by_the_largest_cell_of_each_null_map():
    null = np.array([[0.1, 0.9], [0.5, 0.2], [0.3, 0.4]])
    p = corrected(np.concatenate([[[0.45, -0.95]], null]), ["Cz", "Pz"])
    assert p.tolist() == [0.75, 0.25]
    assert math.isnan(corrected(np.ones((2, 2)), ["A1", "Cz"])[0])


def test_a_report_without_checkpoints_has_no_maps_of_arms_and_says_so(tmp_path, capsys):
    run = Run.load(write_run(tmp_path, loss="rsa", weight=1.0))
    assert answer._scalp([run], [run]) == []
    assert "no scalp maps of the two arms" in capsys.readouterr().out


class TestSeedsAsNeeded:
    PLAN = Plan(seeds=(1, 2, 3, 4, 5, 6, 7, 8), looks=(3, 5, 8))

    def found(self, folder, gain: float, trained) -> tuple[int, ...]:
        trained[1]["rsa"] = gain
        return answer.train([study(self.conditions(folder), seeds=self.PLAN.seeds, looks=self.PLAN.looks)])

    def conditions(self, folder):
        return conditions_in(folder, named=True)

    def test_stop_at_the_first_look_that_answers(self, tmp_path, trained):
        assert self.found(tmp_path, 0.3, trained) == (1, 2, 3)
        assert trained[0] == [6]

    def test_go_on_to_the_end_of_the_budget_where_nothing_is_seen(self, tmp_path, trained, capsys):
        # Too noisy for the margin of .01 to hold it, too small to be seen.
        assert self.found(tmp_path, 0.005, trained) == self.PLAN.seeds
        assert trained[0] == [6, 4, 6]
        assert "look 1 of 3, 3 pairs: unresolved" in capsys.readouterr().out

    def test_an_interrupted_study_repeats_its_looks_without_training(self, tmp_path, trained):
        first = self.found(tmp_path, 0.005, trained)
        trained[0].clear()
        assert self.found(tmp_path, 0.5, trained) == first, "finished runs decide, whatever new ones would"
        assert trained[0] == [0, 0, 0]

    def test_the_verdict_has_the_interval_of_repeated_looks(self, tmp_path, trained, monkeypatch):
        monkeypatch.setattr(answer, "simple_models", lambda study: [])
        found = study(self.conditions(tmp_path), seeds=self.PLAN.seeds, looks=self.PLAN.looks)
        trained[1]["rsa"] = 0.3
        seeds = answer.train([found])
        verdict = answer.verdict(found, seeds)
        assert verdict.judged.looks == (3, 5, 8)
        assert verdict.judged.low < verdict.paired.low < verdict.paired.high < verdict.judged.high


class TestSeveralLosses:
    @pytest.fixture
    def three(self, tmp_path, trained):
        conditions = conditions_in(tmp_path, named=True)
        trained[1].update(rsa=0.0, vaxis_mse=0.3, procrustes=-0.3)
        studies = [study(conditions, loss=name) for name in ("rsa", "vaxis_mse", "procrustes")]
        return studies, answer.train(studies), trained[0]

    def test_the_baseline_is_trained_once(self, three):
        studies, seeds, launches = three
        assert seeds == (1, 2, 3)
        assert launches == [4 * 3]
        assert len({study.pair.baseline.path for study in studies}) == 1

    def test_the_table_knows_equivalence_as_a_verdict_does(self, three):
        studies, seeds, _ = three
        for margin, word in ((0.5, "equivalent"), (1e-6, "unresolved")):
            asked = [replace(study, plan=replace(study.plan, margin=margin)) for study in studies]
            lines = losses.table(asked, seeds)
            assert [line.answer for line in lines] == [word, "helps", "hurts"]
            assert f"1 {word}" in losses.save(lines, asked, command="")[0]

    def test_one_table_pays_for_three_questions(self, three):
        studies, seeds, _ = three
        lines = losses.table(studies, seeds)
        p = [line.paired.p for line in lines]
        smallest = int(np.argmin(p))
        assert lines[smallest].p_holm == pytest.approx(3 * p[smallest])
        assert all(line.p_bh >= line.paired.p for line in lines)
        text, folder = losses.save(lines, studies, command="python train.py --loss a,b,c")
        saved = json.loads((folder / "losses.json").read_text())
        assert [row["loss"].split(",")[0] for row in saved["losses"]] == ["rsa", "vaxis_mse", "procrustes"]
        assert [row["verdict"] for row in saved["losses"]][1:] == ["helps", "hurts"]
        assert saved["losses"][1]["p_holm"] == pytest.approx(lines[1].p_holm)
        assert (folder / "forest.png").read_bytes().startswith(b"\x89PNG")
        for name in ("rsa", "vaxis_mse", "procrustes", "Holm"):
            assert name in text
        assert max(map(len, text.splitlines())) <= 144

    def test_seeds_as_needed_are_refused(self, monkeypatch):
        from studies.head_to_head import main

        with pytest.raises(ValueError, match="judges one loss"):
            main(["--seeds", "auto", "--loss", "rsa,vaxis_mse"])


def test_made_up_runs_are_runs(tmp_path):
    """What stands in for training above is read by the same reader as real runs."""
    assert Run.load(write_run(tmp_path, loss="rsa", weight=1.0, seed=4)).seed == 4
