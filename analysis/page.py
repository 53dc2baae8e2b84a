"""The parts of a self-contained HTML page and its template; all text is escaped where it enters the page."""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from analysis.canvas import DPI, png

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TEMPLATE = Path(__file__).with_name("report.html.j2")


@dataclass(frozen=True, kw_only=True)
class Table:
    """Numbers; the first row is bold unless ``kind`` is ``even``.

    On a narrow screen a table of more than four columns becomes a card a row, so that no null lies out of sight, and a
    smaller one scrolls by itself, with a shadow where there is more. ``numbers`` breaks long names in its first column;
    ``prose`` is for rows of words, which break and stand below each other on a narrow screen. A ``folded`` table shows
    this line until it is opened.
    """

    shape: ClassVar[str] = "table"
    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    caption: str = ""
    kind: str = ""
    folded: str = ""


@dataclass(frozen=True, kw_only=True)
class Facts:
    """Names and values below each other."""

    shape: ClassVar[str] = "facts"
    facts: Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class Text:
    """A paragraph, small where ``soft``, or a command to copy; a ``folded`` one shows this line until it is opened."""

    shape: ClassVar[str] = "text"
    text: str
    soft: bool = False
    command: bool = False
    folded: str = ""


@dataclass(frozen=True, kw_only=True)
class Picture:
    """A figure in the page itself, with a caption that says how to read it.

    Attributes:
        data: PNG in base64.
        width: in CSS pixels, the size at which its text was set.
        caption: below it.
        alt: for readers who do not see it.
    """

    shape: ClassVar[str] = "picture"
    data: str
    width: int
    caption: str
    alt: str

    @classmethod
    def of(cls, figure: "Figure", caption: str, *, alt: str) -> "Picture":
        data = base64.b64encode(png(figure)).decode()
        return cls(data=data, width=round(figure.get_figwidth() * 96), caption=caption, alt=alt)

    @classmethod
    def read(cls, content: bytes, caption: str, *, alt: str) -> "Picture":
        """From a PNG that ``analysis.canvas.png`` made.

        Raises:
            ValueError: it is no PNG.
        """
        if content[:8] != b"\x89PNG\r\n\x1a\n":
            raise ValueError(f"{alt} is not a PNG; make it again")
        pixels = int.from_bytes(content[16:20], "big")  # width, in the header
        return cls(
            data=base64.b64encode(content).decode(), width=round(pixels * 96 / DPI), caption=caption, alt=alt
        )  # fmt: skip


Block = Table | Facts | Text | Picture


@dataclass(frozen=True, kw_only=True)
class Section:
    """A heading and what stands below it."""

    title: str
    blocks: Sequence[Block] = field(default_factory=tuple)


def render(*, contents: bool = False, lead: Picture | None = None, **context: object) -> str:
    """The page; a name that the template needs and nobody gave is an error.

    Args:
        contents: with a list of its sections.
        lead: the picture that stands beside the first paragraphs.
        context: the other names of the template.
    """
    import jinja2

    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined, keep_trailing_newline=True)
    template = environment.from_string(TEMPLATE.read_text(encoding="utf-8"))
    return template.render(context | {"contents": contents, "lead": lead})
