"""A damaged file is refused in one line that names it; a flipped bit never becomes another number."""

import json
import os
import pickle

import numpy as np
import pytest
import torch

from analysis.comparison import gradients
from lightning_modules import contents
from lightning_modules.checkpointing import AtomicCheckpointIO
from networks.weights import read_weights
from paper.table import Table
from records import checksums
from records import result as schema
from records.layout import RunDirectory
from records.reading import DamagedFile, read_arrays, read_json, read_rows, read_yaml
from records.run import Run
from tests.finished_runs import edit_result, write_arms, write_run

READERS = {"x.json": read_json, "x.yaml": read_yaml, "x.csv": read_rows, "x.npz": read_arrays}


class Evil:
    """What a pickle may hold: a command that runs when it is opened."""

    def __reduce__(self):
        return os.system, ("touch /tmp/must-not-be-there",)


def flip(file, *, byte=None):
    """Flip one bit; by default in the middle of the file."""
    content = bytearray(file.read_bytes())
    content[len(content) // 2 if byte is None else byte] ^= 1
    file.write_bytes(content)


def checkpoint(path, **changes):
    content = {key: {} for key in contents.OF_A_TRAINING} | {"epoch": 3, "state_dict": {"w": torch.arange(4000.0)}}
    AtomicCheckpointIO().save_checkpoint(content | changes, path)
    return path


@pytest.mark.parametrize("content", ["a: &a\n  b: *a\n", "a: " + "[" * 200 + "]" * 200])
def test_yaml_without_end_is_refused_when_it_is_read(content, tmp_path):
    """Whoever walks it later would not end, and would not know the file."""
    file = tmp_path / "config.yaml"
    file.write_text(content)
    with pytest.raises(DamagedFile, match=r"config\.yaml .*nested"):
        read_yaml(file, remedy="mend it")


@pytest.mark.parametrize("name", READERS)
@pytest.mark.parametrize(
    "content",
    [b"", b"[1, 2]", b"\x89PNG\r\n\x1a\n", b"a: \x00\x00", "\ufeffa: [".encode("utf-16"), pickle.dumps(Evil())],
    ids=["empty", "list", "png", "nul", "utf16", "pickle"],
)
def test_whatever_lies_in_a_file_is_one_line_that_names_it(name, content, tmp_path):
    file = tmp_path / name
    file.write_bytes(content)
    with pytest.raises(DamagedFile, match=rf"{name} cannot be read as .*; make it again") as caught:
        READERS[name](file, remedy="make it again", has=("wanted",))
    assert "\n" not in str(caught.value)
    assert "allow_pickle" not in str(caught.value)


@pytest.mark.parametrize("name", READERS)
def test_what_is_no_file_is_named_and_a_pipe_is_not_waited_for(name, tmp_path):
    file, read = tmp_path / name, READERS[name]
    with pytest.raises(FileNotFoundError, match=f"{name} is not there; make it"):
        read(file, remedy="make it")
    os.mkfifo(file)
    with pytest.raises(DamagedFile, match=f"{name} is no regular file"):
        read(file, remedy="make it")
    file.unlink()
    file.symlink_to(file.name)
    with pytest.raises(DamagedFile, match=f"{name} is a link to nothing"):
        read(file, remedy="make it")
    file.unlink()
    file.symlink_to(os.devnull)
    with pytest.raises(DamagedFile, match=f"{name} is no regular file"):
        read(file, remedy="make it")
    file.unlink()
    file.mkdir()
    with pytest.raises(DamagedFile, match=f"{name} is a folder"):
        read(file, remedy="make it")


def test_a_yaml_file_runs_no_code_and_a_row_too_long_is_refused(tmp_path):
    (tmp_path / "x.yaml").write_text("a: !!python/object/apply:os.system ['true']")
    with pytest.raises(DamagedFile, match=r"x\.yaml .*line 1"):
        read_yaml(tmp_path / "x.yaml", remedy="mend it")
    (tmp_path / "x.csv").write_text("epoch,loss\n0,1,2\n")
    with pytest.raises(DamagedFile, match="line 2 has more cells"):
        read_rows(tmp_path / "x.csv", remedy="run it again")


class TestCheckpoint:
    def test_is_read_whole(self, tmp_path):
        assert contents.load(checkpoint(tmp_path / "last.ckpt"))["epoch"] == 3

    def test_the_weights_that_spawned_ranks_hand_over_are_no_checkpoint(self, tmp_path):
        """Lightning's name and content, by which a training in a script with ``ddp_spawn`` ends."""
        AtomicCheckpointIO().save_checkpoint({"w": torch.ones(2)}, tmp_path / ".temp.ckpt")
        assert AtomicCheckpointIO().load_checkpoint(tmp_path / ".temp.ckpt")["w"].tolist() == [1, 1]

    @pytest.mark.parametrize("place", [0.3, 0.5, 0.7])
    def test_with_a_flipped_bit_is_refused_by_name(self, tmp_path, place):
        file = checkpoint(tmp_path / "last.ckpt")
        flip(file, byte=int(place * file.stat().st_size))
        assert torch.load(file, weights_only=True)["epoch"] == 3, "torch itself sees nothing"
        for read in (contents.load, AtomicCheckpointIO().load_checkpoint):
            with pytest.raises(DamagedFile, match=r"last\.ckpt cannot be read .*checksum"):
                read(file)
        with pytest.raises(DamagedFile, match=r"last\.ckpt cannot be read .*checksum"):
            read_weights(file, renamed={})

    def test_never_passes_on_the_advice_to_run_what_it_holds(self, tmp_path):
        file = tmp_path / "best.ckpt"
        torch.save({"state_dict": Evil()}, file)
        with pytest.raises(DamagedFile, match=r"best\.ckpt .*which may run code") as caught:
            contents.load(file)
        assert "weights_only" not in str(caught.value)

    def test_of_a_training_that_diverged_or_of_another_program_is_refused(self, tmp_path):
        file = checkpoint(tmp_path / "last.ckpt", state_dict={"w": torch.tensor([1.0, torch.nan])})
        with pytest.raises(DamagedFile, match="w is not finite"):
            contents.load(file)
        torch.save({"epoch": 1, "state_dict": {}}, file)
        with pytest.raises(DamagedFile, match="lacks the entry global_step"):
            AtomicCheckpointIO().load_checkpoint(file)


class TestRun:
    @pytest.fixture
    def run(self, tmp_path):
        path = write_run(tmp_path)
        files = RunDirectory(path)
        content = json.loads(files.result.read_text())
        schema.write(files.result, content, beside=(files.config, files.metrics, files.predictions, files.features))
        return Run.load(path)

    def test_is_believed_where_its_checksums_agree_or_there_are_none(self, run):
        assert run.metrics
        assert run.settings
        run.files.sums.unlink()
        flip(run.files.metrics, byte=run.files.metrics.read_bytes().rindex(b"."))
        assert Run.load(run.path).result["seed"] == 42

    @pytest.mark.parametrize("name", ["result.json", "metrics.csv", "config.yaml", "predictions.npz"])
    def test_with_a_flipped_bit_is_refused_by_file(self, run, name):
        flip(run.path / name)
        read = {"metrics.csv": "metrics", "config.yaml": "settings", "predictions.npz": "predictions"}.get(name, "seed")
        with pytest.raises(DamagedFile, match=rf"{name} differs from its checksum"):
            np.size(getattr(Run.load(run.path), read)() if read == "predictions" else getattr(Run.load(run.path), read))

    def test_gives_sha256sum_what_it_reads(self, run):
        lines = run.files.sums.read_text().splitlines()
        assert [line[64:66] for line in lines] == ["  "] * 4
        assert {line[66:] for line in lines} == {"result.json", "metrics.csv", "config.yaml", "predictions.npz"}

    @pytest.mark.parametrize(
        ("row", "said"),
        [
            ("100000000000,1,0.5", "no epoch 100000000000"),
            ("-3,1,0.5", "no epoch -3"),
            ("nan,1,0.5", "no epoch nan"),
            ("1.5,1,0.5", "no epoch 1.5"),
            ("0,1,abc", "could not convert"),
        ],
    )
    def test_with_a_damaged_curve_is_refused_by_line(self, tmp_path, row, said):
        path = write_run(tmp_path)
        (path / "metrics.csv").write_text(f"epoch,step,val/balanced_accuracy\n0,0,0.5\n{row}\n")
        with pytest.raises(DamagedFile, match=rf"metrics\.csv, line 3: .*{said}"):
            _ = Run.load(path).metrics

    def test_with_a_word_for_a_number_is_refused_by_field(self, tmp_path):
        path = write_run(tmp_path, test={"balanced_accuracy": "x", "chance": 0.1})
        with pytest.raises(ValueError, match=r"result\.json: field test\.balanced_accuracy"):
            Run.load(path)


class TestGradientTable:
    def test_is_never_a_mean_over_fewer_runs_without_a_word(self, tmp_path):
        without, treated = write_arms(tmp_path)
        assert {(row.runs, row.of) for row in gradients(without, treated)} == {(5, 5)}
        edit_result(treated[2].path, residual_gradient={"task": treated[2].result["residual_gradient"]["task"]})
        treated[2] = Run.load(treated[2].path)
        with pytest.raises(
            ValueError, match=rf"{treated[2].path}/result.*lacks the field residual_gradient\.alignment"
        ):
            gradients(without, treated)

    def test_says_of_how_many_runs_it_is_where_a_share_is_not_defined(self, tmp_path):
        without, treated = write_arms(tmp_path)
        shares = treated[0].result["residual_gradient"]["task"] | {"sample_share": None}
        edit_result(treated[0].path, residual_gradient=treated[0].result["residual_gradient"] | {"task": shares})
        treated[0] = Run.load(treated[0].path)
        row = next(row for row in gradients(without, treated) if (row.source, row.arm) == ("task", "with"))
        assert row.label == "task loss, with (4/5)"
        assert np.isfinite(row.sample_share)


def test_a_table_that_was_edited_is_refused(tmp_path):
    table = Table(folder=tmp_path, data="SimulatedFACED", simulated=True, epochs=3, command="x")
    table.save()
    assert Table.load(tmp_path).epochs == 3
    file = tmp_path / "table.json"
    file.write_text(file.read_text().replace('"epochs": 3', '"epochs": 4'))
    with pytest.raises(DamagedFile, match=r"table\.json differs from its checksum"):
        Table.load(tmp_path)
    content = json.loads(file.read_text())
    del content[checksums.SEAL]  # as an earlier version wrote it
    file.write_text(json.dumps(content))
    assert Table.load(tmp_path).epochs == 4
