"""Which runs answer whether one run beats ten: arms, worlds and cohorts as data, and the jobs that they come to."""

import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, fields
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import yaml

from studies.arms import Arm, Conditions, prepare

if TYPE_CHECKING:
    from command_line.settings import RunSettings

FILE = Path(__file__).with_name("one_run.yaml")
YOURS = "yours"  # the only world of real data


@dataclass(frozen=True, kw_only=True)
class Way:
    """One way to spend a compute budget.

    Attributes:
        id: name.
        label: for people.
        units: cost of one run in plain runs.
        main: run in every world.
        transductive: looks at unlabelled trials of the people it is tested on.
        changes: of the settings of the plain run, by place.
        longer: factor of the epochs.
        inputs: ``bands`` where it needs band features.
        loss: strategy.
        after: arm whose runs must be there first.
        of, kept: post-hoc use of the epochs that the runs of another arm kept.
        new_clips: on the split that holds clips back.
        hidden: no row of its own in the table.
    """

    id: str
    label: str
    units: float
    main: bool = False
    transductive: bool = False
    changes: dict[str, Any] = field(default_factory=dict)
    longer: float = 1.0
    inputs: str = "any"
    loss: str | None = None
    after: str | None = None
    of: str | None = None
    kept: Literal["vote", "weights"] | None = None
    new_clips: bool = False
    hidden: bool = False


@dataclass(frozen=True, kw_only=True)
class Cohort:
    """Arms of one cohort of one world, ready to run.

    Attributes:
        world: its name.
        number: seed of the cohort; 0 of real data.
        conditions: of the plain run.
        arms: by the id of the way.
        simulated: nobody was recorded.
    """

    world: str
    number: int
    conditions: Conditions
    arms: dict[str, Arm]
    simulated: bool


@cache
def _file() -> dict[str, Any]:
    return yaml.safe_load(FILE.read_text(encoding="utf-8"))


@cache
def ways() -> dict[str, Way]:
    """Every way by its id, in the order in which runs are worth having."""
    known = {f.name for f in fields(Way)}
    found = {}
    for name, entry in _file()["arms"].items():
        if unknown := set(entry) - known:
            raise ValueError(f"{FILE.name}: arm {name} has the unknown field {sorted(unknown)[0]}")
        found[name] = Way(id=name, **entry)
    return found


def worlds() -> dict[str, tuple[str, list[str]]]:
    """What each world is about, and its flags."""
    return {name: (w["about"], shlex.split(w["flags"])) for name, w in _file()["worlds"].items()}


def chosen(names: str | None, *, first: str) -> list[Way]:
    """The ways of a comma-separated list, with those that they need; by default the first world's or the main ones.

    Args:
        names: ids; ``all`` and ``main`` are lists.
        first: the list where there are no names.

    Raises:
        ValueError: there is no such way.
    """
    every, found = ways(), []
    for name in (names or first).split(","):
        group = {"all": list(every), "main": [w.id for w in every.values() if w.main]}.get(name, [name])
        if unknown := set(group) - set(every):
            raise ValueError(f"--arms: no arm '{sorted(unknown)[0]}'; there are all, main, {', '.join(every)}")
        found += group
    needed = {need for name in found for need in (every[name].of, every[name].after) if need}
    wanted = {*found, *needed, "plain"}
    return [way for way in every.values() if way.id in wanted]


def seeds_for(way: Way, seeds: Sequence[int], *, fewer: int) -> Sequence[int]:
    """All seeds vote in the plain arm; two or three say what one run of another is worth."""
    return seeds if way.id == "plain" else seeds[:fewer]


def cohorts(
    words: Sequence[str], *, names: Sequence[str], numbers: Sequence[int], real: bool
) -> Iterator[tuple[str, int, "RunSettings"]]:
    """World, number and plain settings of each cohort; the first cohort of every world before the second of any.

    Args:
        words: flags of the user, for every run.
        names: of worlds; one with ``:all`` behind it runs every arm.
        numbers: seeds of the cohorts.
        real: the words name data, so there are no worlds.
    """
    from command_line.settings import RunSettings
    from command_line.words import normalise

    if real:
        yield YOURS, 0, RunSettings.parse(normalise(list(words)))
        return
    for number in numbers:
        for name in names:
            flags = [*worlds()[name][1], f"--data.cohort_seed={number}"]
            yield name, number, RunSettings.parse(normalise([*flags, *words]))


def ready(run: "RunSettings", *, world: str, number: int, of: Sequence[Way], root: Path, planted: bool) -> Cohort:
    """Make data and arms of a cohort ready; arms that do not fit the data are left out."""
    conditions = prepare(run, planted=planted, root=root, quiet=True)
    base = conditions.arm()
    arms = {way.id: found for way in of if (found := _arm(way, conditions, base=base)) is not None}
    simulated = conditions.data.spec.simulated
    return Cohort(world=world, number=number, conditions=conditions, arms=arms, simulated=simulated)


def _arm(way: Way, conditions: Conditions, *, base: Arm) -> Arm | None:
    if way.kept or (way.inputs == "bands" and conditions.data.features == "raw"):
        return None
    changes = dict(way.changes)
    if way.longer != 1:
        changes["trainer.max_epochs"] = round(way.longer * conditions.settings.epochs)
    if way.new_clips:
        found = next((split for split in conditions.data.splits if split.new_clips and split.folds), None)
        if found is None:
            return None
        changes |= {"data.split": found.name, "data.fold": 0}
    under = conditions.varied(way.id, changes) if changes else conditions
    if way.loss is None:
        return under.moved(base)
    teacher = ["--loss", way.loss, f"--loss.teacher={base.path.resolve()}"]
    return under.arm(under.settings.with_loss(teacher))
