"""The flags of a verdict beside those of its runs, with what each means; read before any heavy import."""

from console.arguments import Arguments, Help
from console.fitting import width

MARGIN = 0.01  # measures.outcome has it, too, and is not imported for a help; a test compares them


def parser() -> Arguments:
    """Reads them and leaves every other word for the runs."""
    found = Arguments("python train.py", add_help=False, formatter_class=_formatter, usage="")
    flags = found.add_argument_group("Flags of the verdict")
    flags.add_argument(
        "--seeds", metavar="42,123,...",
        help="paired seeds, or auto: 5 and more until there is an answer, 20 at most (default 42,123,456,789,2025)",
    )  # fmt: skip
    flags.add_argument(
        "--controls", metavar="A,B",
        help="targets in the place of the axis: random, arousal, an axis file, or none (default random)",
    )  # fmt: skip
    flags.add_argument("--lengths", metavar="10,20,...", help="both arms also at these numbers of epochs (none)")
    flags.add_argument("--new_clips", action="store_true", help="both arms also on folds whose clips no training saw")
    flags.add_argument("--new_clips_seeds", type=int, default=2, metavar="N", help="seeds on each of those folds")
    flags.add_argument("--margin", type=float, default=MARGIN, metavar="X", help="smaller differences do not matter")
    flags.add_argument(
        "--devices",
        metavar="0,1,...",
        help="CUDA devices, a run each (default all; the processor if there is none)",
    )
    flags.add_argument("--devices_per_run", default="1", metavar="N", help="more than one: DDP")
    flags.add_argument(
        "--runs_per_device",
        metavar="N",
        help="so many share a device (default auto: as many as fit; of a processor one a core)",
    )
    flags.add_argument("--planted", action="store_true", help="a simulated cohort draws an axis: no language model")
    flags.add_argument("-v", "--verbose", action="store_true", help="the whole axis, and where the gradients point")
    return found


def told() -> str:
    """The flags as the help of ``train.py`` shows them."""
    return parser().format_help().partition("\n\n")[2].rstrip()


def _formatter(prog: str) -> Help:
    return Help(prog, max_help_position=24, width=width())
