"""The command: trains one run, or, without a subcommand, gives the verdict on an alignment loss."""

import os
import sys

from lightning_modules.command_line import SUBCOMMANDS, normalise, short_help


def main(args: list[str] | None = None) -> None:
    """Run a command line; without arguments the main job on the embedded default.

    Args:
        args: words after ``train.py``; by default those of the process.
    """
    argv = sys.argv[1:] if args is None else list(args)
    if argv[:1] in (["-h"], ["--help"]):
        print(short_help())
        return
    argv = normalise(argv)
    try:
        if argv and argv[0] in SUBCOMMANDS:
            from lightning_modules.cli import run

            run(argv)
        else:
            from paper.head_to_head import main as head_to_head

            head_to_head(argv)
    except (ValueError, OSError, RuntimeError) as error:
        if "VAXIS_DEBUG" in os.environ:
            raise
        from lightning_modules.cli import explain

        raise SystemExit(f"error: {explain(str(error))}\n(VAXIS_DEBUG=1 shows where)") from None
    except KeyboardInterrupt:
        raise SystemExit("stopped; the same command goes on where it was") from None


if __name__ == "__main__":
    main()
