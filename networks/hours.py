"""How long real FACED would take on one GPU: an estimate from operations and a stated rate, not a measurement.

Seconds = steps x --step_ms + operations / (--tflops x 1e12). Operations of a run = epochs x (3 x training trials + 1 x
validation trials) x those of one forward pass; a backward pass counts as two. Classifiers are left out: the largest,
CBraMod's of 128 million parameters, adds 8 %; EMOD's own 250 Hz cost a quarter more. Starting a run and its measures
take seconds on top. To measure instead: python -m benchmarks.networks --device cuda.
"""

import argparse
from collections.abc import Sequence

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from networks.base import Network
from networks.list import encoders
from networks.shapes import trials_of

SHARES = (80 / 123, 20 / 123)  # of the people in training and validation, split subject_80_20_23
PIECES = 3  # trials a clip
PUBLISHED = {"cbramod": (50, 64), "emod": (100, 64)}  # epochs and trials a step of their recipes (configs/)
USUAL = (30, 128)


def forward_gflop(kind: type[Network]) -> float:
    """Billions of operations of one trial of FACED, multiply and add apart, attention written out so none is missed."""
    network = kind()
    spec = trials_of("faced", features="raw" if "raw" in network.reads else "de")
    network.build(spec)
    with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
        network.eval()(torch.zeros(1, *spec.shape))
    return counter.get_total_flops() / 1e9


def run_hours(
    gflop: float, *, people: int, clips: int, epochs: int, batch: int, tflops: float, step_ms: float
) -> float:
    """Hours of one run.

    Args:
        gflop: of a forward pass of one trial.
        people: in the cohort.
        clips: each of them watched.
        epochs: of the run.
        batch: trials a step.
        tflops: operations a second that the GPU sustains, in 1e12.
        step_ms: what a step costs whatever its size.
    """
    train, validation = (share * people * clips * PIECES for share in SHARES)
    operations = epochs * (3 * train + validation) * gflop * 1e9
    return (operations / (tflops * 1e12) + epochs * train / batch * step_ms / 1000) / 3600


def main(argv: Sequence[str] | None = None) -> None:
    """Print the table.

    Args:
        argv: words of the command; by default those of the process.
    """
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=10, help="a verdict is five seeds of two arms (default: 10)")
    parser.add_argument("--epochs", type=int, help="of every run; by default 50 for cbramod, 100 for emod, else 30")
    parser.add_argument("--people", type=int, default=123)
    parser.add_argument("--clips", type=int, default=28, help="24 on the hub's mirror, which lacks the neutral ones")
    parser.add_argument(
        "--tflops", type=float, default=4.0, help="sustained; 4 is a fifth of an A100's 19.5 in float32"
    )
    parser.add_argument("--step_ms", type=float, default=10.0, help="of every step, for starting kernels and Python")
    args = parser.parse_args(argv)
    for name in ("runs", "people", "clips", "tflops", "step_ms"):
        if not getattr(args, name) > 0:
            raise ValueError(f"--{name} must be above 0, got {getattr(args, name)}")
    print(
        f"ESTIMATE, not measured: {args.people} people x {args.clips} clips x {PIECES} pieces of 10 s at 200 Hz, "
        f"{args.tflops:g} TFLOP/s sustained, {args.step_ms:g} ms a step\n"
        f"{'encoder':<20}{'GFLOP a trial':>14}{'epochs':>8}{'minutes a run':>15}{f'hours, {args.runs} runs':>16}"
    )
    for name, kind in encoders().items():
        if name == "braindecode":  # a class of it is chosen by name, and the extra may be absent
            continue
        gflop = forward_gflop(kind)
        epochs, batch = PUBLISHED.get(name, USUAL)
        hours = run_hours(
            gflop, people=args.people, clips=args.clips, epochs=args.epochs or epochs, batch=batch, tflops=args.tflops,
            step_ms=args.step_ms,
        )  # fmt: skip
        print(f"{name:<20}{gflop:>14.3f}{args.epochs or epochs:>8}{60 * hours:>15.1f}{args.runs * hours:>16.1f}")


if __name__ == "__main__":
    main()
