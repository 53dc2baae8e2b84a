"""The one line that uploads what a study has left on disk."""

import shlex

from tracking.offline import sync_line


def record(run_dir, name: str = "offline-run-20261126_1-abc", *, synced: bool = False) -> None:
    folder = run_dir / "wandb" / name
    folder.mkdir(parents=True)
    (folder / "run-abc.wandb").touch()
    if synced:
        (folder / "run-abc.wandb.synced").touch()


def test_all_runs_of_a_study_are_one_line_that_a_shell_can_take(tmp_path):
    arms = [tmp_path / "my runs" / arm / seed for arm in ("none", "rsa-1") for seed in ("s1", "s2")]
    for arm in arms:
        record(arm)
    record(arms[0], "offline-run-20261126_2-abc")  # of a run that was interrupted
    line = sync_line(arms)
    assert "5 offline records" in line
    command = line.partition(": ")[2]
    assert command.startswith("wandb sync ")
    found = {
        path
        for pattern in shlex.split(command)[2:]
        for path in tmp_path.parent.glob(pattern[len(str(tmp_path.parent)) + 1 :])
    }
    assert found == {path for arm in arms for path in (arm / "wandb").iterdir()}


def test_a_study_is_one_pattern(tmp_path):
    runs = [
        tmp_path / study / arm / seed
        for study in ("main", "fold")
        for arm in ("none", "rsa-1", "control")
        for seed in "12"
    ]
    for run in runs:
        record(run)
    record(tmp_path / "main" / "crd" / "1")  # another loss, tried in the same setting before
    record(tmp_path / "main" / "crd" / "2", synced=True)
    line = sync_line(runs)
    assert "13 offline records" in line, "those of the other loss go, too; what a server has is not counted"
    patterns = shlex.split(line.partition("wandb sync ")[2])
    assert patterns == [f"{tmp_path / study}/*/*/wandb/offline-run-*" for study in ("fold", "main")]


def test_nothing_is_said_where_nothing_waits(tmp_path):
    record(tmp_path / "s1", synced=True)
    (tmp_path / "s2").mkdir()
    assert sync_line([tmp_path / "s1", tmp_path / "s2"]) is None
