"""Text that fits the terminal: docstrings and lists of commands, broken where they are too wide."""

import re
import shutil
from textwrap import wrap

COLUMNS = re.compile(r"^(\s+\S.*?\s{2,})(\S.*)$")  # what is explained, a gap, what explains it


def width() -> int:
    """Of the terminal; 80 where there is none, and never so wide that lines are hard to read."""
    return min(shutil.get_terminal_size().columns, 120)


def fitted(text: str, *, columns: int | None = None) -> str:
    """A text with its paragraphs filled anew; indented lines stay lines, broken below their second column.

    Args:
        text: as in a docstring; double backticks, which are for readers of the source, are left out.
        columns: to fit; by default those of the terminal.
    """
    limit, lines, paragraph = columns or width(), list[str](), list[str]()

    def flush() -> None:
        lines.extend(wrap(" ".join(paragraph), limit, break_long_words=False, break_on_hyphens=False))
        paragraph.clear()

    for line in text.replace("``", "").splitlines():
        if line.strip() and not line[0].isspace():
            paragraph.append(line.strip())
            continue
        flush()
        lines.extend(_row(line.rstrip(), limit))
    flush()
    return "\n".join(lines)


def _row(line: str, limit: int) -> list[str]:
    if len(line) <= limit:
        return [line]
    indent = len(line) - len(line.lstrip())
    columns = COLUMNS.match(line)
    if columns and len(columns[1]) <= limit // 2:
        first, rest, hang = columns[1], columns[2], len(columns[1])
    elif columns:  # what is explained takes the line for itself
        return [*_row(columns[1].rstrip(), limit), *_row(" " * (indent + 4) + columns[2], limit)]
    else:
        first, rest, hang = line[:indent], line[indent:], indent + 4
    words = wrap(
        rest, limit, initial_indent=first, subsequent_indent=" " * hang, break_long_words=False, break_on_hyphens=False
    )  # fmt: skip
    return words or [line]
