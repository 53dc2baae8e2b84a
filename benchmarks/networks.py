"""Efficiency of every encoder, beside braindecode's port of the same where that is installed: ``make bench-networks``.

``python -m benchmarks.networks [--data faced] [--batch 16] [--device cpu|cuda] [--out FILE.json]``. All rows are of
one run, one machine and one thread; the classifier is left out everywhere. Operations are those of one trial, a
multiply and an add counted apart, with attention written out so that none is missed. Speed is that of processor time,
or of the clock on a GPU. Memory is what a step of training adds to the weights at its highest: on a GPU by PyTorch's
own count, on a processor as growth of the resident set of a fresh process.
"""

import argparse
import ctypes
import functools
import json
import multiprocessing
import re
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from networks.base import Network
from networks.braindecode import Braindecode, installed
from networks.list import encoders
from networks.shapes import trials_of
from records.files import atomic

# Ours and the class of braindecode that is the same architecture.
PORTS = {"cbramod": "CBraMod", "eegnet": "EEGNet", "eeg_conformer": "EEGConformer"}
HEAD = f"{'encoder':<26} {'parameters':>11} {'MFLOP':>9} {'MiB a step':>10} {'forward/s':>10} {'step/s':>8}"


def encoders_here() -> dict[str, Callable[[], Network]]:
    """Every encoder by name, each port behind ours."""
    found: dict[str, Callable[[], Network]] = {}
    try:
        installed()
        ports = PORTS
    except ValueError as error:
        print(f"ports are left out: {error}", file=sys.stderr)
        ports = {}
    for name, kind in encoders().items():
        if kind is Braindecode:
            continue
        found[name] = kind
        if name in ports:
            found[f"braindecode:{ports[name]}"] = functools.partial(Braindecode, model=ports[name])
    return found


def measure(
    make: Callable[[], Network], *, dataset: Any, batch: int, device: str, seconds: float
) -> dict[str, float | str]:
    """The numbers of one encoder.

    Args:
        make: creates it.
        dataset: whose trials.
        batch: trials a step.
        device: where.
        seconds: to measure each speed for.
    """
    torch.set_num_threads(1)
    torch.manual_seed(0)
    network = make()
    spec = trials_of(dataset, features="raw" if "raw" in network.reads else "de")
    network.build(spec)
    network.to(device)
    x = torch.randn(batch, *spec.shape, device=device)

    def forward() -> None:
        with torch.inference_mode():
            network(x)

    def step() -> None:
        network.zero_grad()
        network(x).square().mean().backward()

    # With gradients: without them PyTorch takes a fused encoder layer that the counter does not look into.
    with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
        network.eval()(x[:1])
    network.train()
    memory = peak(step, device=device)
    steps = speed(step, seconds=seconds, device=device)
    network.eval()
    return {
        "parameters": sum(p.numel() for p in network.parameters()),
        "mflop": counter.get_total_flops() / 1e6,
        "mib": memory / 2**20,
        "forward": batch * speed(forward, seconds=seconds, device=device),
        "step": batch * steps,
    }


def speed(run: Callable[[], None], *, seconds: float, device: str) -> float:
    """Calls a second, the median of single calls after one to warm up."""
    # Processor time: what other processes do on the machine is not the encoder's.
    clock = time.perf_counter if device == "cuda" else time.process_time
    taken: list[float] = []
    while len(taken) < 4 or sum(taken) < seconds:
        before = clock()
        run()
        if device == "cuda":
            torch.cuda.synchronize()
        taken.append(clock() - before)
    return 1 / statistics.median(taken[1:])


def peak(run: Callable[[], None], *, device: str) -> float:
    """Bytes by which memory is higher during a call than before it."""
    if device == "cuda":
        before = torch.cuda.memory_allocated()
        torch.cuda.reset_peak_memory_stats()
        run()
        return torch.cuda.max_memory_allocated() - before
    run()  # kernels that are made at the first call are not the encoder's
    ctypes.CDLL(None).malloc_trim(0)  # what is free already would hide what is asked for
    Path("/proc/self/clear_refs").write_text("5")  # the kernel counts the peak anew
    before = _status("VmRSS")
    run()
    return _status("VmHWM") - before


def _status(field: str) -> int:
    found = re.search(rf"^{field}:\s+(\d+) kB$", Path("/proc/self/status").read_text(), re.M)
    assert found is not None
    return 1024 * int(found[1])


def apart(name: str, options: dict[str, Any], answer: Any) -> None:
    """Measure in a process of its own, whose memory nobody else has used."""
    try:
        answer.put(measure(rows_here[name], **options))
    except Exception as error:
        answer.put({"failed": " ".join(str(error).split())[:160]})


rows_here: dict[str, Callable[[], Network]] = {}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", choices=("faced", "seedv"), default="faced", help="whose trials")
    parser.add_argument("--batch", type=int, default=16, help="trials a step")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--seconds", type=float, default=4.0, help="to measure each speed for")
    parser.add_argument("--only", help="names to measure, separated by commas; all by default")
    parser.add_argument("--out", type=Path, metavar="FILE.json", help="also write the numbers there")
    args = parser.parse_args()
    rows_here.update(encoders_here())
    options = {"dataset": args.data, "batch": args.batch, "device": args.device, "seconds": args.seconds}
    where = torch.cuda.get_device_name() if args.device == "cuda" else "one thread of the processor"
    print(f"{args.data}, batch {args.batch}, {where}, torch {torch.__version__}\n{HEAD}")
    found: dict[str, Any] = {}
    context = multiprocessing.get_context("fork")
    for name in rows_here if args.only is None else args.only.split(","):
        if args.device == "cuda":  # a fork cannot use CUDA, whose own count of memory needs no fresh process
            found[name] = measure(rows_here[name], **options)
        else:
            answer = context.SimpleQueue()
            process = context.Process(target=apart, args=(name, options, answer))
            process.start()
            found[name] = answer.get()
            process.join()
        print(line(name, found[name]), flush=True)
    if args.out:
        with atomic(args.out) as partial:
            partial.write_text(
                json.dumps({**options, "torch": torch.__version__, "rows": found}, indent=1), encoding="utf-8"
            )


def line(name: str, found: dict[str, Any]) -> str:
    """One row of the table."""
    if "failed" in found:
        return f"{name:<26} {found['failed']}"
    numbers = f"{found['parameters']:>11,} {found['mflop']:>9.1f} {found['mib']:>10.1f}"
    return f"{name:<26} {numbers} {found['forward']:>10.1f} {found['step']:>8.1f}"


if __name__ == "__main__":
    main()
