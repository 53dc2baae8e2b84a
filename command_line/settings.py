"""One run as one typed object: parsed once, changed by name, handed on as a YAML file.

Every question that used to be asked of a list of words is asked of this object; words exist at the edge only, where a
user types them. Reading and changing needs neither torch nor the parser, so the workers of a sweep stay small.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from command_line.catalogue import class_path
from command_line.words import NAMED
from records.files import atomic
from records.reading import read_yaml

NO_LOSS = "losses.none.NoAlignment"
STRATEGY = ("loss", "source")  # a second data set is part of the strategy that trains on it
# What the numbers of a run do not depend on, or what counts by its content and not by where it lies.
NOT_COUNTED = (
    "model.axis",
    "data.axis",
    "data.verify",
    "seed_everything",
    "group",
    "online",
    "project",
    "trainer.default_root_dir",
)


@dataclass(frozen=True)
class RunSettings:
    """The resolved settings of one ``train.py fit``; every change makes another object.

    Places in it are named as flags are, without the dashes: ``trainer.max_epochs``, ``loss.weight``,
    ``loss.rsa.weight`` (of a part of ``--loss rsa+vaxis_mse``), ``data.batch_size``.

    Args:
        content: nested plain values, as the parser dumps them: a chosen class is its ``class_path`` and ``init_args``.
    """

    content: Mapping[str, Any]

    @classmethod
    def parse(cls, words: Sequence[str] = ()) -> "RunSettings":
        """Settings that flags of ``train.py fit`` and the files that they name come to.

        Raises:
            ValueError: they are wrong; the message is one line.
            SystemExit: there is no plug-in of that name.
        """
        from command_line.reader import read

        return cls(read(words))

    @classmethod
    def load(cls, path: str | Path) -> "RunSettings":
        """Settings as ``save`` wrote them."""
        return cls(read_yaml(path, remedy="start what wrote it again"))

    def save(self, path: str | Path) -> Path:
        """Write them for ``train.py fit --config PATH``, whole or not at all."""
        with atomic(Path(path)) as partial:
            text = yaml.safe_dump(dict(self.content), sort_keys=False, allow_unicode=True)
            partial.write_text(text, encoding="utf-8")
        return Path(path)

    def value(self, path: str) -> Any:
        """The value at a place.

        Raises:
            ValueError: there is no such place.
        """
        found: Any = self.content
        for key in _keys(self.content, path):
            try:
                found = found[key]
            except (KeyError, TypeError):
                raise ValueError(f"there is no setting --{path}") from None
        return found

    def with_value(self, path: str, value: Any) -> "RunSettings":
        """The same with another value at a place; a class (``network``) is named as in its flag.

        The argument of a class need not be known here: the run itself refuses what its constructor does not have.

        Raises:
            ValueError: there is no such place.
        """
        content = deepcopy(dict(self.content))
        *scopes, last = _keys(content, path)
        at: Any = content
        free = False  # may this group hold what it does not hold yet?
        for key in scopes:
            free = key == "init_args"
            if isinstance(at, dict) and at.get(key) is None:  # off until something in it is set, as the augmentation
                at[key], free = {}, True
            at = at[key]
        if not (isinstance(at, dict) and (free or last in at)):
            raise ValueError(f"there is no setting --{path}")
        if path in NAMED and isinstance(value, str):
            chosen, before = class_path(NAMED[path], value), at[last] or {}
            # A class starts from its own defaults unless it is the one that is there already, as on the command line.
            value = before if before.get("class_path") == chosen else {"class_path": chosen}
        at[last] = value
        return RunSettings(content)

    def with_words(self, words: Sequence[str]) -> "RunSettings":
        """The same changed by flags, which go through the parser of ``train.py``."""
        from command_line.reader import read

        return RunSettings(read(words, base=self.content)) if words else self

    def with_loss(self, words: Sequence[str] = ("--loss", "none")) -> "RunSettings":
        """The same with another strategy, which starts from its own defaults; by default with none at all.

        Args:
            words: ``--loss``, its arguments, and ``--source`` where it trains on a second data set.
        """
        none = {"loss": {"class_path": NO_LOSS, "init_args": {}}, "source": None}
        return RunSettings({**self.content, **none}).with_words(words)

    def with_strategy(self, of: "RunSettings") -> "RunSettings":
        """The same with the strategy of another run."""
        return RunSettings({**self.content, **of.strategy})

    def with_data(self, words: Sequence[str]) -> "RunSettings":
        """The same on other data (``--data NAME`` and its arguments), which start from their own defaults."""
        return self.with_words(words)

    def with_seed(self, seed: int) -> "RunSettings":
        return self.with_value("seed_everything", seed)

    def with_run_dir(self, run_dir: str | Path) -> "RunSettings":
        return self.with_value("trainer.default_root_dir", str(run_dir))

    def with_axis(self, path: str | Path) -> "RunSettings":
        """The same on the axis in a file; a simulated cohort is drawn from it, other data are aligned with it."""
        planted = "axis" in self.value("data.init_args")
        return self.with_value("data.axis" if planted else "model.axis", str(path))

    @property
    def seed(self) -> int:
        return self.value("seed_everything")

    @property
    def epochs(self) -> int:
        """Of the last phase, which is the run itself for all but staged strategies."""
        return self.value("trainer.max_epochs")

    @property
    def run_dir(self) -> str | None:
        """Folder of the run, where it was named."""
        return self.value("trainer.default_root_dir")

    @property
    def plain(self) -> bool:
        """Whether the decoder learns from labels alone."""
        return self.value("loss.class_path") == NO_LOSS

    @property
    def strategy(self) -> dict[str, Any]:
        """Settings of the strategy."""
        return {name: self.content.get(name) for name in STRATEGY}

    @property
    def rest(self) -> dict[str, Any]:
        """Everything but the strategy that the numbers of a run depend on."""
        content = deepcopy(dict(self.content))
        for path in NOT_COUNTED:
            *scopes, last = _keys(content, path)
            at: Any = content
            for key in scopes:
                at = at.get(key) or {}
            at.pop(last, None)
        return {name: value for name, value in content.items() if name not in STRATEGY}

    def differences(self, other: "RunSettings") -> list[str]:
        """Where two runs differ, as ``trainer.max_epochs was 1, now 2``; ``other`` is the later one."""
        return differences(self.content, other.content)


def differences(before: Any, now: Any, path: str = "") -> list[str]:
    """Where two nested plain values differ."""
    if isinstance(before, Mapping) and isinstance(now, Mapping):
        names = [*before, *(name for name in now if name not in before)]
        return [text for n in names for text in differences(before.get(n), now.get(n), f"{path}.{n}" if path else n)]
    return [] if before == now else [f"{path} was {before}, now {now}"]


def digest(*parts: object) -> str:
    """A short name for whatever settings and texts decide the numbers of a run."""
    # Where a float is expected, 5 of a constructor and 5.0 of a file are one setting.
    content = json.loads(json.dumps(parts), parse_int=float)
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:6]


def _keys(content: Mapping[str, Any], path: str) -> list[Any]:
    """Where a flag's value lies: arguments of a class below ``init_args``, parts of a composition in their list."""
    keys: list[Any] = []
    at: Any = content
    for name in path.split("."):
        if isinstance(at, Mapping) and "class_path" in at and name not in ("class_path", "init_args"):
            arguments = at.get("init_args") or {}
            keys.append("init_args")
            at = arguments
            if name not in arguments and (part := _part(arguments.get("parts"), name)) is not None:
                keys += ["parts", part]
                at = arguments["parts"][part]
                continue
        elif len(keys) == 0 and name not in content:
            raise ValueError(f"there is no setting --{path}")
        keys.append(name)
        at = at.get(name) if isinstance(at, Mapping) else None
    return keys


def _part(parts: list[dict[str, Any]] | None, name: str) -> int | None:
    """Position of the strategy that a file of ``losses/`` defines among the parts of a composition."""
    names = [part["class_path"].split(".")[-2] for part in parts or []]
    return names.index(name) if name in names else None
