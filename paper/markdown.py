"""The sections of a page as Markdown, for a repository or a review; pictures become files beside it."""

import base64
import re
from collections.abc import Mapping, Sequence

from analysis.page import Block, Facts, Picture, Section, Table, Text


def markdown(head: Mapping[str, object], sections: Sequence[Section]) -> tuple[str, dict[str, bytes]]:
    """The text, and the PNG files by name that it shows from ``pictures/``.

    Args:
        head: what stands above the sections, as the template of the page takes it.
        sections: of the page.
    """
    files: dict[str, bytes] = {}
    lines = [f"# {head['sentence']}", ""]
    lines += [f"**{head['banner']}**", ""] if head["banner"] else []
    for name in ("paragraphs", "warnings"):
        for text in _texts(head[name]):
            lines += [f"Warning: {text}" if name == "warnings" else text, ""]
    for section in sections:
        lines += [f"## {section.title}", ""]
        for block in section.blocks:
            lines += [*_block(block, files), ""]
    return "\n".join(lines).rstrip() + "\n", files


def _block(block: Block, files: dict[str, bytes]) -> list[str]:
    if isinstance(block, Table):
        rows = [f"| {' | '.join(map(_cell, row))} |" for row in (block.head, *block.rows)]
        return [rows[0], "|" + "---|" * len(block.head), *rows[1:], *(["", block.caption] if block.caption else [])]
    if isinstance(block, Facts):
        return ["| | |", "|---|---|", *(f"| {_cell(name)} | {_cell(value)} |" for name, value in block.facts.items())]
    if isinstance(block, Picture):
        content = base64.b64decode(block.data)
        name = re.sub(r"\W+", "-", block.alt).strip("-")
        name = name if f"{name}.png" not in files else f"{name}-{len(files)}"
        files[f"{name}.png"] = content
        return [f"![{block.alt}](pictures/{name}.png)", "", block.caption]
    assert isinstance(block, Text)
    return ["```", block.text, "```"] if block.command else [block.text]


def _cell(text: str) -> str:
    """A bar would end the cell, a line break the row."""
    return " ".join(str(text).split()).replace("|", "\\|")


def _texts(value: object) -> list[str]:
    return [str(text) for text in value] if isinstance(value, (list, tuple)) else []
