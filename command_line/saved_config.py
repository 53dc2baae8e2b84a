"""The settings of a run as plain values, written and read once; the parser has checked them when it read the flags."""

import json
from pathlib import Path
from typing import Any, cast

import lightning as L
from jsonargparse import Namespace
from lightning.pytorch.cli import LightningArgumentParser, SaveConfigCallback

from records.files import atomic
from records.layout import RunDirectory


class SavedConfig(SaveConfigCallback):
    """Writes ``config.yaml`` into the run directory, whole or not at all, when a run starts.

    Lightning's own checks every value a third time first, which takes as long as reading the flags did.
    """

    def save_config(self, trainer: L.Trainer, pl_module: L.LightningModule, stage: str) -> None:
        text = self.parser.dump(self.config, skip_unset=False, skip_validation=True)
        with atomic(RunDirectory(Path(trainer.default_root_dir)).config) as partial:
            partial.write_text(text, encoding="utf-8")


def plain(parser: LightningArgumentParser, config: Namespace, **options: bool) -> dict[str, Any]:
    """Settings as nested plain values.

    Args:
        parser: that has read them.
        config: what it returned.
        options: further ones of its ``dump``.
    """
    # Through JSON: YAML comes to the same values and is read and written ten times slower.
    return cast(dict, json.loads(parser.dump(config, "json", skip_unset=False, skip_validation=True, **options)))
