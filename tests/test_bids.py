"""BIDS folders of one's own: a file of emotions and a column of the events are all that is asked for."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from datamodules.bids import BIDS
from datamodules.splits import ROLES
from tests.conftest import ROOT
from tests.mirror_files import write_bdf, write_table

TAXONOMY = """
classes: {calm: 0, grief: -1, rage: -1, glee: 1}
joy: glee
class_of: [calm, calm, calm, grief, grief, grief, rage, rage, rage, glee, glee, glee]
events: [c1, c2, c3, g1, g2, g3, r1, r2, r3, j1, j2, j3]
sentences:
  calm: It is an ordinary day and I have no particular feeling.
  grief: I am so sad that I have been crying all day.
  rage: I am furious and I want to hit something.
  glee: I am so happy that I could dance.
synonyms: {calm: neutral, grief: sadness, rage: anger, glee: joy}
"""
CLIPS = "c1 c2 c3 g1 g2 g3 r1 r2 r3 j1 j2 j3".split()
ELECTRODES = ("Fz", "Cz", "Pz", "Oz")
RATE, SECONDS, GAP = 100, 6, 2


def wave(times: np.ndarray, person: int) -> np.ndarray:
    """12 Hz, higher from electrode to electrode and person to person."""
    return (10 + person + 5 * np.arange(len(ELECTRODES)))[:, None] * np.sin(2 * np.pi * 12 * times)


@pytest.fixture
def taxonomy(tmp_path) -> Path:
    path = tmp_path / "moods.yaml"
    path.write_text(TAXONOMY)
    return path


def write_study(root: Path, people: int = 5, *, sessions: int = 2) -> Path:
    """Half of the clips in either session, in an order of each person's own; a respiration belt beside the EEG."""
    for person in range(1, people + 1):
        order = np.random.default_rng(person).permutation(CLIPS)
        for session, clips in enumerate(np.array_split(order, sessions), start=1):
            names = f"sub-{person:02d}", f"ses-{session}"
            stem = root.joinpath(*names, "eeg", "_".join([*names, "task-films"]))
            times = np.arange((GAP + len(clips) * (SECONDS + GAP)) * RATE) / RATE
            values = np.vstack([wave(times, person), 500 * np.cos(times)])
            write_bdf(stem.with_name(stem.name + "_eeg.bdf"), [*ELECTRODES, "Resp"], values, rate=RATE)
            rows = [{"onset": 0, "duration": "n/a", "stim_file": "n/a"}]
            rows += [
                {"onset": GAP + k * (SECONDS + GAP), "duration": SECONDS, "stim_file": clip}
                for k, clip in enumerate(clips)
            ]
            write_table(stem.with_name(stem.name + "_events.tsv"), rows, mark=session == 1)
            kinds = [{"name": name, "type": "EEG"} for name in ELECTRODES] + [{"name": "Resp", "type": "RESP"}]
            write_table(stem.with_name(stem.name + "_channels.tsv"), kinds)
    return root


@pytest.fixture(scope="module")
def study(tmp_path_factory) -> Path:
    return write_study(tmp_path_factory.mktemp("study") / "bids")


def module(study: Path, taxonomy: Path, tmp_path: Path, **options) -> BIDS:
    plain = {"events_column": "stim_file", "window_seconds": 2, "sampling_rate": RATE, "cache": str(tmp_path / "cache")}
    return BIDS(root=str(study), taxonomy=str(taxonomy), **plain | options)


def test_values_clips_and_sessions_are_those_of_the_files(study, taxonomy, tmp_path):
    data = module(study, taxonomy, tmp_path, features="raw", reference="none", band_pass=None, batch_size=4)
    assert data.spec.channels == ELECTRODES  # and no belt
    assert data.spec.shape == (4, 200)
    data.prepare_data()
    data.setup()
    trials = data.store.trials
    assert trials.subjects == ("sub-01", "sub-02", "sub-03", "sub-04", "sub-05")
    assert len(trials) == 5 * 12 * 3
    order = np.random.default_rng(3).permutation(CLIPS)
    rows = trials.rows(2)
    np.testing.assert_array_equal(trials.stimulus[rows], [CLIPS.index(clip) for clip in order for _ in range(3)])
    np.testing.assert_array_equal(trials.session[rows], [0] * 18 + [1] * 18)
    np.testing.assert_array_equal(trials.y, np.array(data.spec.class_of)[trials.stimulus])
    for row in (0, 1, 19, 35):
        second = GAP + row % 18 // 3 * (SECONDS + GAP) + row % 3 * 2
        expected = wave(second + np.arange(200) / RATE, 3)
        np.testing.assert_allclose(data.store.x[rows][row], expected, atol=0.06)


def test_each_person_once_in_every_split_and_no_clip_on_both_sides(study, taxonomy, tmp_path):
    for name, apart in (("subject_5fold", "subject"), ("loso", "subject"), ("clip_3fold", "stimulus")):
        data = module(study, taxonomy, tmp_path, split=name)
        data.prepare_data()
        data.setup()
        column, tested = getattr(data.store.trials, apart), []
        folds = data.partition.count(data.store.trials)
        for fold in range(folds):
            indices = data.partition.indices(data.store.trials, fold=fold)
            sets = [set(column[indices[role]].tolist()) for role in ROLES]
            assert sum(map(len, sets)) == len(set.union(*sets))
            tested += sets[2]
        assert sorted(tested) == sorted(set(column.tolist()))


def test_the_end_of_a_clip_and_a_length_that_no_file_tells(study, taxonomy, tmp_path):
    options = {"features": "raw", "reference": "none", "band_pass": None}
    data = module(study, taxonomy, tmp_path, last_seconds=3, window_seconds=3, **options)
    data.prepare_data()
    data.setup()
    expected = wave(GAP + 3 + np.arange(300) / RATE, 1)
    np.testing.assert_allclose(data.store.x[0], expected, atol=0.06)
    short = module(study, taxonomy, tmp_path, duration=2.5, window_seconds=1, **options)
    short.prepare_data()
    short.setup()
    assert len(short.store.trials) == 5 * 12 * 2


def test_class_names_serve_where_each_class_has_one_clip(tmp_path, taxonomy):
    root = write_study(tmp_path / "bids", people=1)
    plain = TAXONOMY[: TAXONOMY.index("class_of")] + "class_of: [calm, grief, rage, glee]\n"
    taxonomy.write_text(plain)
    for events in root.rglob("*_events.tsv"):
        text = events.read_text(encoding="utf-8-sig")
        for letter, name in zip("cgrj", ("calm", "grief", "rage", "glee")):
            for number in "123":
                text = text.replace(f"\t{letter}{number}\n", f"\t{name}\n")
        events.write_text(text)
    data = module(root, taxonomy, tmp_path)
    assert np.bincount(data.recipe().trials.stimulus).tolist() == [9, 9, 9, 9]


def test_electrodes_that_only_some_have_are_left_out(tmp_path, taxonomy):
    root = write_study(tmp_path / "bids", people=2)
    lists = sorted(root.rglob("*_channels.tsv"))
    lists[-1].write_text(lists[-1].read_text(encoding="utf-8-sig").replace("Cz\tEEG", "Cz\tMISC"))
    assert module(root, taxonomy, tmp_path).spec.channels == ("Fz", "Pz", "Oz")
    with pytest.raises(ValueError, match=r"_eeg\.bdf has no electrode Cz; leave it out of --data\.channels"):
        _ = module(root, taxonomy, tmp_path, channels=("Cz", "Oz")).spec


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"events_column": "trial_type"},
            r"events\.tsv has no column trial_type; set --data\.events_column to one of on",
        ),
        ({"task": "rest"}, r"has no sub-\*/\[ses-\*/\]eeg/\*_task-rest_eeg with \.bdf"),
        ({"window_seconds": 60}, r"no clip is 60 s long; shorten --data\.window_seconds"),
        ({"last_seconds": 1}, r"window_seconds 2: at least 1, and at most --data\.last_seconds"),
        ({"sampling_rate": 60}, r"sampling_rate 60: bands up to 47 Hz need 94 or more"),
        ({"subjects": ("sub-9",)}, r"no subject 'sub-9'"),
    ],
)
def test_mistakes_end_with_one_line(study, taxonomy, tmp_path, options, message):
    with pytest.raises((ValueError, FileNotFoundError), match=message):
        _ = module(study, taxonomy, tmp_path, **options).recipe()


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            "events: [c1, c2,",
            "events: [c1, c1,",
            r"moods\.yaml: 'events' must list .* each of the 12 clips .*each once",
        ),
        ("events:", "others:", r"moods\.yaml: 'events' must list .* found NoneType"),
        ("[c1, c2, c3, g1,", "[c1, c2, c3, x9,", r"_events\.tsv: stim_file is 'g1' at .* list it there under 'events'"),
        ("class_of: [calm", "class_of: [joyful", r"moods\.yaml: 'class_of' must list the class of each stimulus"),
    ],
)
def test_a_file_of_emotions_that_does_not_fit(study, taxonomy, tmp_path, old, new, message):
    taxonomy.write_text(TAXONOMY.replace(old, new))
    with pytest.raises(ValueError, match=message):
        _ = module(study, taxonomy, tmp_path).spec


def test_a_run_on_a_folder_of_ones_own(study, taxonomy, tmp_path):
    """The axis by the printed command, then the run."""
    words = ["--data=BIDS", f"--data.root={study}", f"--data.taxonomy={taxonomy}", "--data.events_column=stim_file"]
    words += ["--data.window_seconds=2", "--data.sampling_rate=100", "--data.batch_size=16", "--loss=rsa"]
    environment = os.environ | {"VAXIS_CACHE": str(tmp_path), "OMP_NUM_THREADS": "1", "WANDB_MODE": "disabled"}
    here = {"cwd": ROOT, "env": environment, "capture_output": True, "text": True}
    fit = [sys.executable, "train.py", "fit", *words, "--trainer.max_epochs=1", f"--run_dir={tmp_path / 'out'}"]
    refused = subprocess.run(fit, **here)
    assert f"make one with: python -m vaxis extract --taxonomy {taxonomy}" in refused.stderr
    stand_in = (
        "import sys\nfrom tests.words_model import Words\nfrom vaxis.__main__ import main\n"
        "from vaxis.language import extraction\nextraction._open = lambda *a, **k: Words()\n"
        "sys.exit(main(sys.argv[1:]))"
    )
    made = subprocess.run([sys.executable, "-c", stand_in, "extract", "--taxonomy", str(taxonomy)], **here)
    assert made.returncode == 0, made.stderr
    done = subprocess.run(fit, **here)
    assert done.returncode == 0, done.stdout + done.stderr
    result = json.loads((tmp_path / "out" / "result.json").read_text())
    assert result["dataset"] == "moods"
    assert set(result["test"]["per_class_recall"]) == {"calm", "grief", "rage", "glee"}
