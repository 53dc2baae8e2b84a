"""Is a data module as good as its word? Every class in ``datamodules/`` and, with ``--data-root CLASS=DIR``, its files.

A class of one's own that lies elsewhere is named by its import path: ``--data-root mypackage.mymodule.MyData=DIR``.
"""

import importlib
import inspect
import shlex
from typing import get_args, get_type_hints

import numpy as np
import pytest
import torch
from jsonargparse import ArgumentParser

from command_line.catalogue import plugins
from datamodules.base import EEGDataModule
from datamodules.simulated import SimulatedFACED, SimulatedSEEDV
from datamodules.splits import ROLES, Split
from eeg.montage import canonical
from vaxis.emotions import load_taxonomy
from vaxis.language.extraction import default_path
from vaxis.language.texts import load_texts

pytestmark = pytest.mark.filterwarnings("ignore")
PATHS = {plugin.name: plugin.class_path for plugin in plugins("data")}


def class_of_name(name: str) -> type[EEGDataModule]:
    module, cls = PATHS.get(name, name).rsplit(".", 1)
    return getattr(importlib.import_module(module), cls)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    given = [word.split("=", 1)[0] for word in metafunc.config.getoption("--data-root")]
    if "name" in metafunc.fixturenames:
        # The facts of BIDS are those of a user's files; tests/test_bids.py holds it to the same.
        stated = [name for name in PATHS if hasattr(class_of_name(name), "taxonomy")]
        metafunc.parametrize("name", dict.fromkeys([*stated, *given]))


@pytest.fixture
def cls(name: str) -> type[EEGDataModule]:
    return class_of_name(name)


@pytest.fixture
def module(cls: type[EEGDataModule]) -> EEGDataModule:
    """Known from its root alone, and before that exists."""
    return cls(root="/nowhere")


@pytest.fixture(scope="module")
def cohorts(tmp_path_factory) -> dict[str, EEGDataModule]:
    """The ones that we can write files for: small simulated cohorts, each also behind the door of the real ones."""
    folder = tmp_path_factory.mktemp("cohorts")
    cache = {"cache": str(folder / "stores")}
    made: dict[str, EEGDataModule] = {}
    for simulated, options in ((SimulatedFACED, {"n_subjects": 6}), (SimulatedSEEDV, {"seconds_per_trial": 4})):
        data = simulated(root=str(folder / simulated.__name__), **options, **cache)
        data.prepare_data()
        real = simulated.__bases__[0]
        made |= {
            simulated.__name__: data,
            real.__name__: real(root=data.root, subjects=data.subjects, **cache),
        }
    return made


@pytest.fixture
def ready(name: str, cls, cohorts, request, tmp_path) -> EEGDataModule:
    """With its store open."""
    roots = dict(word.split("=", 1) for word in request.config.getoption("--data-root"))
    if name not in roots and name not in cohorts:
        pytest.skip(f"no files of {name}: give --data-root {name}=DIR")
    data = cls(root=roots[name], cache=str(tmp_path)) if name in roots else cohorts[name]
    data.prepare_data()
    data.setup("test")
    return data


def test_the_taxonomy_is_a_file_that_extract_takes(cls) -> None:
    taxonomy = cls.taxonomy
    assert load_taxonomy(taxonomy.reference) == taxonomy
    assert set(taxonomy.class_of) == set(range(len(taxonomy.classes))), "every class needs a clip"
    assert set(load_texts(taxonomy.reference).sentences) == set(taxonomy.classes)


def test_electrodes_bands_and_people_are_told_apart(cls) -> None:
    assert len({canonical(name) for name in cls.montage}) == len(cls.montage) > 0
    assert len(set(cls.catalogue)) == len(cls.catalogue) > 0
    edges = list(cls.bands.values())
    assert all(0 <= low < high for low, high in edges)
    assert edges == sorted(edges), "bands go from slow to fast"


def test_the_spec_follows_from_the_facts(module: EEGDataModule) -> None:
    spec, taxonomy = module.spec, module.taxonomy
    assert (spec.dataset, spec.classes, spec.class_of) == (taxonomy.name, taxonomy.classes, taxonomy.class_of)
    assert spec.subjects == module.subjects
    assert set(spec.channels) <= set(module.montage)
    assert len(set(spec.channels)) == len(spec.channels) == spec.shape[0]
    assert spec.features == module.features
    if spec.features == "raw":
        assert spec.shape[1] == round(spec.sampling_rate * spec.window_seconds)
        assert not spec.bands
    else:
        assert len(spec.bands) == spec.shape[1]
        assert spec.bands == module.bands
    assert hash(spec) == hash(module.spec)


def test_the_flag_of_the_split_is_its_list(cls) -> None:
    names = [split.name for split in cls.splits]
    assert all(isinstance(split, Split) for split in cls.splits)
    assert len(set(names)) == len(names) > 0
    choices = get_args(get_type_hints(cls.__init__).get("split"))
    assert not choices or list(choices) == names
    with pytest.raises(ValueError, match=r"unknown split 'no_such'.*known: " + ", ".join(names)):
        cls(root="/nowhere", split="no_such")


def test_every_option_has_a_help_text(cls) -> None:
    parser = ArgumentParser()
    parser.add_class_arguments(cls, "data")
    text = {action.dest: action.help for action in parser._actions}
    assert {"data.root", "data.split", "data.batch_size", "data.normalise"} <= set(text)
    assert not [flag for flag, words in text.items() if not words]
    assert inspect.getdoc(cls).split("\n")[0].endswith(".")


def test_the_axis_is_looked_for_where_the_printed_command_puts_it(module, tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("VAXIS_CACHE", str(tmp_path))
    if module.spec.simulated:
        assert str(module.axis_path).startswith(module.root)  # planted, and written with the cohort
        return
    words = shlex.split(module.extract_command())
    assert words[:5] == ["python", "-m", "vaxis", "extract", "--taxonomy"]
    assert default_path(llm="bundled", taxonomy=words[5]) == module.axis_path
    assert shlex.split(module.extract_command(out="/a b.npz"))[-2:] == ["--out", "/a b.npz"]


def test_trials_are_what_the_table_says(ready: EEGDataModule) -> None:
    trials, spec = ready.store.trials, ready.spec
    assert trials.subjects == spec.subjects
    assert (np.diff(trials.subject) >= 0).all()
    assert set(trials.subject.tolist()) == set(range(len(spec.subjects)))
    np.testing.assert_array_equal(trials.y, np.array(spec.class_of)[trials.stimulus])
    assert len(set(zip(*trials.columns.values()))) == len(trials), "one row, one trial"
    assert ready.store.x.shape == (len(trials), *spec.shape)


def test_batches_carry_the_labels_of_their_clips(ready: EEGDataModule) -> None:
    class_of, trials = torch.tensor(ready.spec.class_of), ready.store.trials
    for role in ROLES:
        batch = next(iter(ready.loader(ready.indices[role])))
        assert batch.x.shape[1:] == ready.spec.shape
        assert batch.x.dtype == torch.float32
        assert batch.x.isfinite().all()
        torch.testing.assert_close(batch.y, class_of[batch.stimulus])
        np.testing.assert_array_equal(trials.stimulus[batch.index], batch.stimulus)
        np.testing.assert_array_equal(trials.subject[batch.index], batch.subject)


def test_no_split_shares_what_it_keeps_apart(ready: EEGDataModule) -> None:
    """Every fold, unless these people leave one of its roles empty, which must be said."""
    trials, usable = ready.store.trials, []
    for split in ready.splits:
        for fold in range(split.count(trials)):
            try:
                indices = split.indices(trials, fold=fold)
            except ValueError as error:
                if "leaves no trials for" not in str(error):
                    raise
                continue
            usable.append(split.name)
            rows = np.concatenate([indices[role] for role in ROLES])
            assert len(set(rows.tolist())) == len(rows), f"{split.name}: a trial has two roles"
            column = getattr(trials, split.apart)
            sets = [set(column[indices[role]].tolist()) for role in ROLES]
            assert sum(map(len, sets)) == len(set.union(*sets)), f"{split.name} shares a {split.apart}"
            if split.new_clips:
                train, val, new = (set(trials.stimulus[indices[role]].tolist()) for role in ROLES)
                assert not new & (train | val), f"{split.name} trains on clips of its test"
    assert ready.splits[0].name in usable
