"""How many runs fit on a device side by side: one is tried on a few batches, and its memory measured.

``--runs_per_device auto`` asks; ``python -m studies.memory FILE`` measures the run of a settings file and prints bytes.
"""

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from command_line.settings import RunSettings
from studies.processes import cores, follow_parent
from studies.slots import TRAIN

AUTO = "auto"
UNASKED = "auto, unasked"  # the same by default: what cannot be measured then is no error
SHARE = 0.9  # of the free memory: what a run needs grows a little with its length, and others use the machine, too
BATCHES = 4  # of each loader; the second one reuses what the first has left, so few are enough


def per_device(text: str | None, *, flag: str = "--runs_per_device") -> int | str | None:
    """The number, or ``auto``, or nothing where the flag was not given.

    Raises:
        ValueError: it is neither.
    """
    if text is None or text == AUTO:
        return text
    if not (text.isdecimal() and int(text) > 0):
        raise ValueError(f"{flag} {text}: give a number of runs at a time on each device, or {AUTO}")
    return int(text)


def default(wanted: int | str | None, *, devices: tuple[str, ...], per_run: int = 1) -> int | str | None:
    """What was asked for; on GPUs otherwise as many as fit.

    A run of a small network leaves most of a GPU idle: eight at a time took a sixth of the time of eight in turn on an
    H100 (docs/speed.md).

    Args:
        wanted: what ``per_device`` has read.
        devices: CUDA devices; one that is named twice says how many runs it is to have.
        per_run: devices that a run takes.
    """
    measure = wanted is None and devices and per_run == 1 and len(set(devices)) == len(devices)
    return UNASKED if measure else wanted


def decided(wanted: int | str | None, run: RunSettings, *, devices: tuple[str, ...]) -> int | None:
    """The number that ``auto`` comes to on this machine; any other stays as it is.

    Args:
        wanted: what ``per_device`` has read.
        run: that needs most memory of those that are to come, its data prepared.
        devices: CUDA devices, all of a kind; none for the processor.

    Raises:
        ValueError: the run fails on its first batches, where ``auto`` was asked for, or does not fit at all.
    """
    if wanted is None or isinstance(wanted, int):
        return wanted
    with tempfile.TemporaryDirectory() as folder:
        file = run.with_run_dir(folder).save(Path(folder) / "settings.yaml")
        visible = {"CUDA_VISIBLE_DEVICES": devices[0] if devices else ""}
        done = subprocess.run(
            [sys.executable, "-m", "studies.memory", str(file)], cwd=TRAIN.parent, env=os.environ | visible,
            stdin=subprocess.DEVNULL, capture_output=True, text=True,
        )  # fmt: skip
    if done.returncode and wanted == UNASKED:
        print(
            f"\n   one run at a time on each device: how many fit could not be measured: {done.stderr.strip()}",
            flush=True,
        )
        return 1
    if done.returncode:
        raise ValueError(f"--runs_per_device auto: the run fails on its first batches: {done.stderr.strip()}")
    measured = json.loads(done.stdout.splitlines()[-1])
    shares = cores() // len(set(devices)) if devices else cores()
    found = that_fit(measured["run"], free=measured["free"], shares=shares)
    where = f"CUDA device {devices[0]}" if devices else "the machine"
    gigabytes = "one takes {run:.2f} of {free:.1f} GB that are free".format(
        **{name: size / 1e9 for name, size in measured.items()}
    )
    print(f"\n   {found} runs at a time on {where}: {gigabytes}, {shares} cores for them", flush=True)
    return found


def that_fit(size: float, *, free: float, shares: int) -> int:
    """How many runs of a size.

    Args:
        size: bytes of one.
        free: bytes that are free.
        shares: cores that they may use; more runs than cores only wait for each other.

    Raises:
        ValueError: not even one fits.
    """
    if size > free:
        raise ValueError(
            f"one run takes {size / 1e9:.2f} GB, and {free / 1e9:.2f} GB are free; lower --data.batch_size"
        )
    return max(1, min(shares, int(SHARE * free / max(size, 1.0))))


def main(argv: list[str]) -> None:
    """Try the run of a settings file and print what it took and what was free before, in bytes.

    Args:
        argv: the file.
    """
    import torch

    if torch.cuda.is_available():
        free, watched = _free_on_device(), _free_on_device
    else:
        import psutil

        free, watched = psutil.virtual_memory().available, None
    command = [sys.executable, str(TRAIN), "fit", f"--config={argv[0]}", f"--trainer.fast_dev_run={BATCHES}"]
    with tempfile.TemporaryFile("w+") as said:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=said, stderr=said)
        lowest = _lowest(process, watched)
        if process.returncode:
            said.seek(0)
            # What is wrong is the last line but for the one about the traceback.
            lines = [line for line in said.read().splitlines() if line.strip() and "VAXIS_DEBUG" not in line]
            raise SystemExit(lines[-1] if lines else f"train.py ended with {process.returncode} and said nothing")
    largest = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    own = largest * (1024 if sys.platform.startswith("linux") else 1)
    print(json.dumps({"run": free - lowest if watched else own, "free": free}))


def _free_on_device() -> int:
    import torch

    return torch.cuda.mem_get_info()[0]


def _lowest(process: subprocess.Popen, free: Callable[[], int] | None) -> int:
    """Wait for the end; the least that was free until then."""
    lowest = sys.maxsize
    while process.poll() is None:
        if free is not None:
            lowest = min(lowest, free())
        time.sleep(0.02)
    return lowest


if __name__ == "__main__":
    follow_parent()
    main(sys.argv[1:])
