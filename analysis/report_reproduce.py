"""The last section of a report: all that it takes to make its runs again, in the page itself."""

import json
import shlex
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import yaml

from analysis.page import Block, Facts, Section, Table, Text
from records.run import NotRecorded, Run

SPLITS = ("train", "val", "test", "test_seen")


def reproduce(arms: Sequence[Sequence[Run]], *, command: str | None) -> Section:
    """Command, settings in short and in full, sizes of the splits, versions and folders.

    Args:
        arms: without and with.
        command: that made the runs; where nobody knows it, a run can be made again from its settings.
    """
    runs = [run for arm in arms for run in arm]
    blocks: list[Block] = [Text(text=command, command=True)] if command else []
    folder = shlex.quote(str(arms[1][0].path))
    once = f"python train.py fit --config {folder}/config.yaml --run_dir NEW_FOLDER"
    blocks += [Text(text="One of its runs again, from the settings that lie in its folder:", soft=True)]
    blocks += [Text(text=once, command=True), Facts(facts=_facts(arms, runs)), *_splits(arms[1][0])]
    for name, arm in zip(("without", "with"), arms, strict=True):
        if settings := arm[0].settings:
            text = yaml.safe_dump(settings, sort_keys=False, allow_unicode=True)
            title = f"every setting of seed {arm[0].seed} {name} (its config.yaml)"
            blocks.append(Text(text=text.rstrip(), command=True, folded=title))
    return Section(title="How to reproduce", blocks=blocks)


def _facts(arms: Sequence[Sequence[Run]], runs: Sequence[Run]) -> dict[str, str]:
    def every(read: Callable[[Run], Any]) -> str:
        values = dict.fromkeys(json.dumps(read(run), sort_keys=True, ensure_ascii=False) for run in runs)
        return ", ".join(value.strip('"') for value in values)

    settings = [run.settings for run in runs if run.settings]
    known = {} if not settings else _asked(settings[-1])  # of the arm with the strategy; the other one has no loss
    return {
        **known,
        "commit": every(lambda run: run.result["code"].get("commit")),
        "uncommitted changes": every(lambda run: run.result["code"].get("dirty")),
        "fingerprint of the data": every(lambda run: run.result["data"]),
        "axis": every(lambda run: run.result["axis"]),
        "device": every(lambda run: f"{run.result.get('world_size')} x {run.result.get('device')}"),
        "versions": every(lambda run: " ".join(f"{k} {v}" for k, v in sorted(run.result["versions"].items()))),
        "runs without": ", ".join(str(run.path) for run in arms[0]),
        "runs with": ", ".join(str(run.path) for run in arms[1]),
    }


def _asked(settings: Mapping[str, Any]) -> dict[str, str]:
    """What people ask first of a run; the whole of it stands below."""
    data = _arguments(settings, "data")
    model, trainer = settings.get("model") or {}, settings.get("trainer") or {}
    optimisation = {**(model.get("optimisation") or {}), "label_smoothing": model.get("label_smoothing")}
    told = {
        "network": _plugin(settings, "network"),
        "head": " ".join(str(model[name]) for name in ("head", "head_dropout") if name in model),
        "loss": _plugin(settings, "loss"),
        "optimisation": _words(optimisation),
        "batch size": str(data.get("batch_size", "")),
        "epochs": str(trainer.get("max_epochs", "")),
        "data": _class(settings, "data"),
        "data root": str(data.get("root") or "none: the cohort is simulated, from the settings below"),
        "split": _words({name: data[name] for name in ("split", "fold", "labels") if name in data}),
        "features": _words({k: data[k] for k in ("features", "window_seconds", "normalise", "channels") if k in data}),
    }
    return {name: value for name, value in told.items() if value}


def _splits(run: Run) -> list[Block]:
    """Trials and people of each split, as the run wrote them; of an older run those that have predictions."""
    sizes = run.result.get("splits") or {}
    for split in () if sizes else SPLITS[1:]:
        try:
            subject = run.predictions(split)["subject"]
        except (NotRecorded, FileNotFoundError, KeyError):
            continue
        sizes[split] = {"trials": len(subject), "people": len(set(subject.tolist()))}
    rows = [[name, str(sizes[name]["people"]), str(sizes[name]["trials"])] for name in SPLITS if name in sizes]
    return [Table(head=("split", "people", "trials"), rows=rows, kind="even")] if rows else []


def _class(settings: Mapping[str, Any], kind: str) -> str:
    return str((settings.get(kind) or {}).get("class_path", "")).rpartition(".")[2]


def _arguments(settings: Mapping[str, Any], kind: str) -> dict[str, Any]:
    return (settings.get(kind) or {}).get("init_args") or {}


def _plugin(settings: Mapping[str, Any], kind: str) -> str:
    name, words = _class(settings, kind), _words(_arguments(settings, kind))
    return f"{name}: {words}" if words else name


def _words(values: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {value}" for name, value in values.items() if value is not None)
