"""The paper's table as data: its counts, its commands on the real command line, and arms that rows share."""

import shlex

import pytest

from command_line.reader import instantiate
from command_line.settings import RunSettings
from datamodules.simulated import SimulatedFACED
from measures.paired import benjamini_hochberg, holm
from paper import row_flags
from paper.campaign import Campaign
from paper.rows import curves, rows, seeds, select
from tests.conftest import make_axis

PAPER = [row for row in rows().values() if row.group == "paper"]


def test_the_published_counts():
    assert [row.id for row in PAPER] == [str(n) for n in range(1, 26)]
    assert [sum(row.judged == name for row in PAPER) for name in ("negative", "catastrophic")] == [14, 2]
    p = [row.p for row in PAPER]  # "<" at its bound
    assert sum(value < 0.05 for value in p) == 15
    assert sum(benjamini_hochberg(p) <= 0.05) == 13
    assert sum(holm(p) <= 0.05) == 10
    assert not any(row.delta > 0 and row.p < 0.05 for row in PAPER)
    assert seeds() == (42, 123, 456, 789, 2025)


def test_the_other_rows():
    groups = [row.group for row in rows().values()]
    assert (groups.count("recipe"), groups.count("figure")) == (2, 8)
    recipe = [row for row in rows().values() if row.group == "recipe"]
    assert [(row.delta, row.p, row.recipe) for row in recipe] == [
        (-0.015, 0.02, "augmented"),
        (-0.024, 0.001, "augmented"),
    ]


def test_dose_curves_agree_with_the_table_up_to_the_papers_own_rounding():
    assert [curve.name for curve in curves()] == ["rsa", "distance_ce", "multi_vaxis_mse", "soft_supcon", "scaling"]
    for curve in curves():
        assert [p.x for p in curve.points] == sorted(p.x for p in curve.points)
        for point in curve.points:
            row = rows()[point.row]
            if row.delta is not None:
                assert abs(point.delta - row.delta) <= 0.0011, (curve.name, point)
    used = {point.row for curve in curves() for point in curve.points}
    assert {row.id for row in rows().values() if row.group == "dose"} <= used


def test_rows_are_chosen_by_number_range_family_loss_and_group():
    assert [row.id for row in select(["3", "1-2"])] == ["1", "2", "3"]
    assert [row.id for row in select(["rsa"])] == ["10", "11", "rsa-0.1", "rsa-0.5"]
    assert [row.id for row in select(["cross-dataset", "recipe"])] == ["23", "full-topo", "full-supcon"]
    assert len(select(["paper"])) == 25
    with pytest.raises(ValueError, match="no row '99'"):
        select(["1", "99"])


TINY = ["--config", "configs/simulated.yaml", "--data.n_subjects=9"]


@pytest.fixture(scope="module")
def campaign(tmp_path_factory):
    """Ready to run on a tiny cohort; nothing is trained here."""
    folder = tmp_path_factory.mktemp("campaign")
    axes = [make_axis(seed=n).save(folder / f"axis{n}.npz") for n in (1, 2)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("VAXIS_CACHE", str(folder / "cache"))
        yield Campaign.prepare(
            RunSettings.parse(TINY),
            command="a test",
            folder=None,
            planted=True,
            root=folder / "runs",
            seeds=(1, 2),
            axes=axes,
        )


@pytest.mark.parametrize("row", rows().values(), ids=rows())
def test_both_arms_parse_and_share_what_they_should(campaign, row):
    arms = campaign.arms(row)
    control, treated = arms["control"], arms["treated"]
    assert control.path != treated.path
    assert control.path.parent == treated.path.parent, "the two arms differ in the strategy alone"
    assert treated.path.name.startswith(row.loss.split()[0] + "-")
    if row.control is None:
        assert not treated.structural, "a structural strategy has a control arm of its own"
        assert control.path.name == "none"
    elif row.group == "paper":
        assert treated.structural
        assert control.path.name.split("-")[0] == treated.path.name.split("-")[0]
    ours = row.group == "dose" and row.setting, row.recipe == "augmented", row.transfer
    assert (control.path.parent == campaign.base.folder) == (not any(ours)), "one baseline a setting"
    jobs = [job for arm in arms.values() for job in arm.jobs(campaign.seeds)]
    assert [job.run_dir.name for job in jobs] == ["s1", "s2"] * 2
    assert [job.settings.seed for job in jobs] == [1, 2] * 2


def test_flags_reach_the_strategy(campaign):
    def loss(name, arm="treated"):
        return instantiate(campaign.arms(rows()[name])[arm].settings)[1].loss

    assert (loss("10").weight, loss("11").weight) == (5, 1)
    assert loss("12").temperature == 5
    assert (loss("16").level, loss("17").level) == ("class", "stimulus")
    assert len(loss("13").axes) == 2
    assert (loss("21").freeze, loss("22").freeze) == (True, False)
    assert loss("19", "control").weight == 0
    assert [(part.name, part.weight) for part in loss("full-topo").parts] == [
        ("prototype_kd", 0.1),
        ("topo_optimal", 0.1),
    ]
    assert loss("full-supcon", "control").prototypes == "rand_orthonormal"


def test_settings_reach_the_data(campaign):
    def data(name):
        return instantiate(campaign.arms(rows()[name])["treated"].settings)[0]

    assert data("scaling-0.25").train_fraction == 0.25
    assert data("full-topo").augmentation.probability == 0.6
    transfer = data("23")
    assert isinstance(transfer.source, SimulatedFACED)
    assert transfer.source.root == campaign.base.data.root, "the source is the cohort of the other rows"


def test_two_rows_of_one_configuration_share_their_runs(campaign):
    assert campaign.arms(rows()["14"]) == campaign.arms(rows()["24"])


def test_the_listed_commands_are_those_that_run(campaign):
    for row in rows().values():
        if row.axes:
            continue  # listed with FILE in the place of the artifacts
        runs = row_flags.arms(row, campaign.shared)
        for arm, run in runs.items():
            words = row_flags.readable(row, campaign.shared, arm, typed=TINY)
            assert RunSettings.parse(words).differences(run) == [], row.id
    words = row_flags.readable(rows()["full-topo"], campaign.shared, "treated", typed=TINY)
    assert shlex.join(words).startswith("--config configs/simulated.yaml --data.n_subjects=9 --data.augmentation")


def test_a_row_keeps_all_that_the_user_named_but_the_strategy():
    base = RunSettings.parse([*TINY, "--trainer.max_epochs=7", "--network.dim=16", "--group=mine"])
    for run in row_flags.arms(rows()["10"], base).values():
        assert run.with_strategy(base) == base


def test_transfer_on_real_data_asks_for_the_second_data_set():
    real = RunSettings.parse(["--data", "FACED", "--data.root", "here"])
    with pytest.raises(ValueError, match="needs SEED-V: run it as --rows 23 --data SEEDV"):
        row_flags.arms(rows()["23"], real)
    words = ["--data", "SEEDV", "--data.root", "here", "--source", "FACED", "--source.root", "there"]
    base = RunSettings.parse(words)
    for run in row_flags.arms(rows()["23"], base).values():
        assert run.value("data") == base.value("data")
        assert run.value("source.root") == "there", "as the message says it"
