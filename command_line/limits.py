"""Settings of the Trainer that mean nothing: refused before it fails over them in words of its own."""

from collections.abc import Mapping
from typing import Any

# Lightning divides by the last four and says "integer modulo by zero", some after the data have been prepared.
AT_LEAST_ONE = (
    *("max_epochs", "num_nodes"),
    *("check_val_every_n_epoch", "val_check_interval", "accumulate_grad_batches", "log_every_n_steps"),
)
ABOVE_NOTHING = ("limit_train_batches", "limit_val_batches", "limit_test_batches")


def check_trainer(settings: Mapping[str, Any]) -> None:
    """Refuse lengths and intervals below one, no device, and parts of a run without a batch.

    Args:
        settings: of the Trainer, by the names of its flags.

    Raises:
        ValueError: names the flag, its value and what it may be.
    """
    for name in AT_LEAST_ONE:
        value = settings.get(name)
        if isinstance(value, int) and value < 1:
            raise ValueError(f"--trainer.{name} {value}: must be 1 or more")
    for name in ABOVE_NOTHING:  # no test is no result.json, and the run would end with 0 without it
        value = settings.get(name)
        if isinstance(value, (int, float)) and not value > 0:
            raise ValueError(f"--trainer.{name} {value}: must be above 0: a run trains, is validated and is tested")
    devices = settings.get("devices")
    number = str(devices)
    if devices == [] or (number.lstrip("+-").isdigit() and int(number) < 1 and number != "-1"):
        raise ValueError(f"--trainer.devices {devices}: must be 1 or more, a list of devices, or -1 for all of them")
    strategy = settings.get("strategy")
    if isinstance(strategy, str) and any(word in strategy for word in ("_spawn", "_fork", "_notebook")):
        # They hand the whole run to their ranks as a pickle or a fork; its log and its lock are in neither.
        raise ValueError(f"--trainer.strategy {strategy}: ranks of a command start as processes; use ddp")


def refused(error: Exception, settings: Mapping[str, Any]) -> ValueError:
    """What the Trainer said of the machine that it is to run on, in one line with the flags that chose it."""
    chosen = " ".join(
        f"--trainer.{name} {settings[name]}"
        for name in ("accelerator", "devices", "strategy", "precision")
        if settings.get(name) not in (None, "auto")
    )
    return ValueError(f"{chosen}: {' '.join(str(error).split()) or type(error).__name__}")
