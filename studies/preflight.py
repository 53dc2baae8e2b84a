"""Before the first run of a study: one batch through every arm, so a bug in a plug-in costs seconds, not baselines."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from command_line.located import located
from studies.arms import Arm, Conditions

if TYPE_CHECKING:
    from eeg.batch import Batch
    from lightning_modules.trying import Taught

# Of raw signals, which a processor reads slowly; the losses couple trials and want several of a class.
MOST_RAW_TRIALS = 32


def preflight(arms: Sequence[Arm], *, conditions: Conditions, seed: int) -> "dict[Path, Taught]":
    """Build the decoder of each arm and try it on a batch, in this process and on the processor.

    Args:
        arms: of the study; one that is named twice is tried once.
        conditions: that they share, with data that are prepared.
        seed: of the runs that are tried.

    Returns:
        Folder of an arm to the constants that each part of its loss was built with.

    Raises:
        ValueError: what an arm's loss or network returns cannot be trained, or it raised an exception: the message
            names file and line.
    """
    from command_line.reader import instantiate

    taught: dict[Path, Taught] = {}
    if not arms:
        return taught
    with _as_before():
        own, _, _ = instantiate(conditions.settings.with_seed(seed))
        own.setup("fit")
        for arm in {arm.path: arm for arm in arms}.values():
            try:
                with located():
                    taught[arm.path] = _try(arm, own, conditions, seed=seed)
            except ValueError as error:
                raise ValueError(f"{error} (tried on one batch before the first run, arm {arm.path.name})") from error
    return taught


@contextmanager
def _as_before() -> Iterator[None]:
    """Leave the random state and the warnings of this process alone: the runs will say the same in their own logs."""
    import warnings

    from lightning.pytorch.utilities.seed import isolate_rng

    with isolate_rng(), warnings.catch_warnings(action="ignore"):
        yield


def _try(arm: Arm, own: Any, conditions: Conditions, *, seed: int) -> "Taught":
    from command_line.reader import instantiate
    from datamodules.transfer import Transfer
    from eeg.batch import SourceBatch
    from lightning_modules.control import axis_of
    from lightning_modules.trying import constants, try_out
    from vaxis.axis import Axis

    data, decoder, trainer = instantiate(arm.settings.with_seed(seed))
    # The data of the arms are the same ones, opened once; a second data set is the arm's own.
    data = Transfer(source=data.source, target=own) if isinstance(data, Transfer) else own
    data.setup("fit")
    source = Axis.load(data.source.axis_path) if data.source else None
    decoder.control_axis = axis_of(decoder.control)
    decoder.axis = str(conditions.axis_path)
    decoder.build_on(
        Axis.load(conditions.axis_path), spec=data.spec, source=source, epochs=max(1, trainer["max_epochs"])
    )

    def training(kind: str) -> "list[Batch]":
        found: list[Batch] = []
        if kind in ("source", "both"):
            found.append(SourceBatch(*_first(data.source.train_dataloader(), raw=own.features == "raw")))
        if kind in ("main", "both"):
            found.append(_first(own.train_dataloader(), raw=own.features == "raw"))
        return [data.on_after_batch_transfer(batch, 0) for batch in found]

    batch = _first(own.val_dataloader(), raw=own.features == "raw")
    try_out(decoder, training=training, validation=data.on_after_batch_transfer(batch, 0))
    return constants(decoder.loss)


def _first(loader: Any, *, raw: bool) -> "Batch":
    """The first batch of a loader, shortened where its signals are raw."""
    batch = next(iter(loader))
    return type(batch)(*(column[:MOST_RAW_TRIALS] for column in batch)) if raw else batch
