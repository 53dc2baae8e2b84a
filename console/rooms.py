"""``python -m ROOM``: the commands that lie in a folder, found by reading the source, listed and started."""

import ast
import runpy
import sys
from pathlib import Path

from console.arguments import no_such
from console.errors import one_line_errors
from console.fitting import fitted
from console.output import robust_output

ROOT = Path(__file__).resolve().parents[1]
GUARD = 'if __name__ == "__main__":'


def commands(room: str) -> dict[str, str]:
    """Name and first sentence of every file of a room that can be run; a new command is found by being there."""
    found = {}
    for path in sorted((ROOT / room).glob("[!_]*.py")):
        source = path.read_text(encoding="utf-8")
        if f"\n{GUARD}" in source:
            try:
                about = ast.get_docstring(ast.parse(source, filename=str(path))) or ""
            except SyntaxError as error:  # one bad file must not hide the others
                about = f"cannot be read: line {error.lineno}, {error.msg}"
            found[path.stem] = about.split("\n")[0].split(": ``")[0]
    return found


def listing(room: str) -> str:
    """What ``python -m ROOM`` prints."""
    known = commands(room)
    width = max(map(len, known), default=0)
    rows = [f"  python -m {room} {name:<{width}}  {about}" for name, about in known.items()]
    return fitted("\n".join([f"Commands of {room} (each takes --help):", "", *rows]))


def main(room: str) -> None:
    """Run the command that the first word names, or list them all.

    Args:
        room: the package; its commands are its files.

    Raises:
        SystemExit: there is no such command; lists those that there are.
    """
    robust_output()
    words = sys.argv[1:]
    if not words or words[0] in ("-h", "--help"):
        print(listing(room))
        return
    name, *rest = words
    if name not in commands(room):
        raise SystemExit(no_such(name, commands(room), what=f"command of {room}"))
    sys.argv[1:] = rest
    with one_line_errors():
        # As if the file itself had been named, so that python -m ROOM NAME and python -m ROOM.NAME are one thing.
        runpy.run_module(f"{room}.{name}", run_name="__main__", alter_sys=True)
