"""The command: trains one run, or, without a subcommand, gives the verdict on an alignment loss."""

import sys

from command_line.explain import explain
from command_line.help import short_help
from command_line.lean import import_torchmetrics, kept
from command_line.words import SUBCOMMANDS, normalise
from console.allocator import keep_freed_memory
from console.arguments import no_such
from console.errors import one_line_errors
from console.output import robust_output
from studies.flags import told
from studies.processes import follow_parent


def main(args: list[str] | None = None) -> None:
    """Run a command line; without arguments the main job on the embedded default.

    Args:
        args: words after ``train.py``; by default those of the process.
    """
    robust_output()
    argv = sys.argv[1:] if args is None else list(args)
    if argv[:1] in (["-h"], ["--help"]):
        print(short_help(told()))
        return
    known = (*SUBCOMMANDS, "pretrain")
    if argv and not argv[0].startswith("-") and argv[0] not in known:
        raise SystemExit(f"{no_such(argv[0], known, what='subcommand')}; without one it is the verdict")
    with one_line_errors(explain):
        if argv[:1] in (["fit"], ["pretrain"]):
            keep_freed_memory()
        if argv[:1] == ["fit"]:
            with kept():
                import_torchmetrics()
                from command_line.parser import run

            run(normalise(argv))
        elif argv[:1] == ["pretrain"]:
            from command_line.pretrain import main as pretrain

            pretrain(argv[1:])
        elif argv and argv[0] in SUBCOMMANDS:
            with kept():
                import_torchmetrics()
                from command_line.evaluate import evaluate

            evaluate(argv)
        else:
            from studies.head_to_head import main as head_to_head

            head_to_head(argv)


if __name__ == "__main__":
    follow_parent()
    main()
