"""What the flags of a verdict ask for, beside those of its runs."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from command_line.settings import RunSettings
from measures.outcome import MARGIN
from studies.devices import chosen, named
from studies.flags import parser
from studies.memory import AUTO, decided, default, per_device
from studies.seeds import looks_of, numbers, one_number, seeds_of
from studies.slots import Slot, slots

NONE = "none"
DEFAULT_CONTROLS = ("random",)


@dataclass(frozen=True, kw_only=True)
class Plan:
    """How a comparison is run and judged.

    Attributes:
        seeds: one run of each arm a seed; where they are added as needed, all that the budget allows.
        looks: numbers of pairs after which the answer is looked at; None where the seeds are fixed.
        margin: largest difference that is of no consequence.
        controls: ``random``, ``arousal`` or paths of artifacts that the loss is given in the place of the axis.
        lengths: further numbers of epochs.
        new_clips: seeds on each fold of the split that holds clips back; 0 for none.
        planted: a simulated cohort draws its own axis.
        devices: CUDA devices.
        per_run: how many of them a run takes.
        verbose: print the whole axis, and where the gradients of the losses point.
        per_device: runs at a time on each of them, or on the processor; ``auto`` until it is measured.
    """

    seeds: tuple[int, ...]
    looks: tuple[int, ...] | None = None
    margin: float = MARGIN
    controls: tuple[str, ...] = ()
    lengths: tuple[int, ...] = ()
    new_clips: int = 0
    planted: bool = False
    devices: tuple[str, ...] = ()
    per_run: int = 1
    verbose: bool = False
    per_device: int | str | None = None

    @classmethod
    def parse(cls, argv: Sequence[str]) -> tuple["Plan", list[str]]:
        """The plan, and the words that it leaves for the runs.

        Raises:
            ValueError: a flag is refused, or the devices do not fit.
        """
        args, words = parser().parse_known_args(list(argv))
        devices = named(args.devices)
        per_run = one_number(args.devices_per_run, flag="--devices_per_run")
        at_once = per_device(args.runs_per_device)
        if devices or per_run < 1:
            slots(devices=devices, per_run=per_run)  # refuses what does not fit before anything is made
        if at_once == AUTO and per_run > 1:
            raise ValueError(f"--runs_per_device {AUTO} is for runs of one device; give a number")
        controls = tuple(dict.fromkeys(args.controls.split(","))) if args.controls else DEFAULT_CONTROLS
        if not args.margin > 0:
            raise ValueError(f"--margin must be above 0, got {args.margin:g}")
        lengths = numbers(args.lengths, flag="--lengths") if args.lengths else ()
        if any(epochs < 1 for epochs in lengths):
            raise ValueError(f"--lengths {args.lengths}: a run has one epoch or more")
        if args.new_clips_seeds < 1:
            raise ValueError(f"--new_clips_seeds must be 1 or more, got {args.new_clips_seeds}")
        seeds = seeds_of(args.seeds)
        plan = cls(
            seeds=seeds,
            looks=looks_of(args.seeds),
            margin=args.margin,
            controls=() if controls == (NONE,) else controls,
            lengths=lengths,
            new_clips=min(args.new_clips_seeds, len(seeds)) if args.new_clips else 0,
            planted=args.planted,
            devices=devices,
            per_run=per_run,
            verbose=args.verbose,
            per_device=at_once,
        )
        return plan, words

    def on_this_machine(self, run: RunSettings) -> "Plan":
        """The same on all CUDA devices of the machine, where none were named and the run is not for the processor.

        How many runs share a device is then to be measured, unless it was said.

        Raises:
            ValueError: a run takes more devices than there are.
        """
        devices = chosen(self.devices, run)
        found = replace(
            self, devices=devices, per_device=default(self.per_device, devices=devices, per_run=self.per_run)
        )
        found.slots(jobs=1)
        return found

    def measured(self, run: RunSettings) -> "Plan":
        """The same with as many runs a device as fit, where that was left to be measured.

        Args:
            run: that needs most memory, its data prepared.
        """
        return replace(self, per_device=decided(self.per_device, run, devices=self.devices))

    def slots(self, *, jobs: int) -> list[Slot]:
        """Where that many runs compute."""
        number = self.per_device if isinstance(self.per_device, int) else None
        return slots(devices=self.devices, per_run=self.per_run, jobs=jobs, per_device=number)
