"""Which CUDA devices runs are spread over: those that are named, or all that the machine has."""

import os
import re

from command_line.settings import RunSettings

# A number, or what NVIDIA calls a device and a part of one; CUDA_VISIBLE_DEVICES takes all three.
DEVICE = r"\d+|GPU-[\w-]+|MIG-[\w/-]+"


def named(text: str | None, *, flag: str = "--devices") -> tuple[str, ...]:
    """The devices of ``--devices 0,1``; none where the flag was not given. One may be named for each of its runs.

    Raises:
        ValueError: one is no device, or the machine has no such device.
    """
    if text is None:
        return ()
    found = tuple(text.split(","))
    for name in found:
        if not re.fullmatch(DEVICE, name):
            raise ValueError(f"{flag} {text}: '{name}' is no CUDA device; write their numbers, as in {flag} 0,1")
    count = len(visible())
    if missing := [name for name in found if name.isdigit() and int(name) >= count]:
        there = f"the numbers of its CUDA devices go from 0 to {count - 1}" if count else "it has no CUDA device"
        raise ValueError(f"{flag} {text}: this machine has no device {missing[0]} ({there}); leave the flag out")
    return found


def visible() -> tuple[str, ...]:
    """All CUDA devices that this process may use, as a run would be told them; asks the driver and opens none."""
    if os.environ.get("CUDA_VISIBLE_DEVICES") == "":
        return ()
    import torch

    count = torch.cuda.device_count()
    listed = [name.strip() for name in os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",") if name.strip()]
    return tuple(listed[:count]) if listed else tuple(map(str, range(count)))


def chosen(devices: tuple[str, ...], run: RunSettings) -> tuple[str, ...]:
    """Those that were named; without, all of the machine, unless the run asks for the processor.

    A launcher that knew no devices would start a run a core, and all of them would take device 0.
    """
    if devices or run.value("trainer.accelerator") == "cpu":
        return devices
    return visible()
