"""The parts of a self-contained HTML page: style, tables and pictures, with all text escaped."""

import base64
from collections.abc import Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING

from analysis.verdict_figures import png

if TYPE_CHECKING:
    from matplotlib.figure import Figure

CSS = """
:root { color-scheme: light dark; --ink: #1d2228; --soft: #5b6570; --paper: #fff; --line: #dde1e6; --tint: #f4f6f8;
  --helps: #00734f; --hurts: #a83f00; --unresolved: #47525e; }
@media (prefers-color-scheme: dark) { :root { --ink: #e8eaed; --soft: #a3adb8; --paper: #16191d; --line: #343a42;
  --tint: #1f242a; --helps: #4cc79a; --hurts: #ff9a5c; --unresolved: #b6c0cb; } }
body { margin: 0 auto; padding: 2rem 1.25rem 4rem; max-width: 64rem; background: var(--paper); color: var(--ink);
  font: 16px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; }
h1 { font-size: 1.7rem; line-height: 1.25; margin: .3rem 0 .6rem; border-left: .35rem solid; padding-left: .8rem; }
h1.helps { color: var(--helps) } h1.hurts { color: var(--hurts) } h1.unresolved { color: var(--unresolved) }
h2 { font-size: 1.15rem; margin: 2.4rem 0 .6rem; border-bottom: 1px solid var(--line); padding-bottom: .25rem; }
.soft, figcaption { color: var(--soft); font-size: .9em; }
.banner { background: #ffe08a; color: #3d2e00; padding: .6rem .9rem; font-weight: 600; border-radius: .3rem; }
.scroll { overflow-x: auto; margin-top: 1rem; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; font-size: .88rem; }
th, td { text-align: right; padding: .32rem .45rem; border-bottom: 1px solid var(--line); white-space: nowrap; }
th:first-child, td:first-child { text-align: left; }
thead th { color: var(--soft); font-weight: 600; } tbody tr:first-child td { font-weight: 600; }
table.plain td, table.plain tbody tr:first-child td { text-align: left; font-weight: 400; white-space: normal;
  overflow-wrap: anywhere; } table.plain td:first-child { color: var(--soft); width: 11rem; }
table.even tbody tr:first-child td { font-weight: 400; }
figure { margin: 1.2rem 0 1.8rem; } figure img { max-width: 100%; height: auto; display: block; background: #fff;
  border-radius: .3rem; padding: .5rem; box-sizing: border-box; }
figcaption { margin-top: .5rem; max-width: 52rem; }
pre { background: var(--tint); padding: .7rem .9rem; overflow-x: auto; border-radius: .3rem; white-space: pre-wrap;
  overflow-wrap: anywhere; font-size: .88rem; }
@media print { :root { color-scheme: light; --ink: #000; --soft: #444; --paper: #fff; --line: #ccc; --tint: #f4f4f4;
  --helps: #00734f; --hurts: #a83f00; --unresolved: #47525e; } body { max-width: none; padding: 0; font-size: 9.5pt; }
  h1 { font-size: 15pt } table { font-size: 7.5pt } th, td { padding: .15rem .25rem } .scroll { overflow: visible }
  figure img { max-width: 82%; padding: 0 }
  figure, tr { break-inside: avoid; } h2 { break-after: avoid; } .banner { border: 1px solid #999; } }
"""


def page(title: str, *, body: str) -> str:
    """A whole document that loads nothing from elsewhere; ``body`` is HTML."""
    head = f'<meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{escape(title)}</title>'
    return f'<!doctype html><html lang="en"><head>{head}<style>{CSS}</style></head><body>{body}</body></html>\n'


def facts(values: Mapping[str, str]) -> str:
    """Names and values below each other."""
    rows = "".join(f"<tr><td>{escape(name)}</td><td>{escape(value)}</td></tr>" for name, value in values.items())
    return f'<table class="plain"><tbody>{rows}</tbody></table>'


def table(rows: Sequence[Sequence[str]], *, head: Sequence[str], caption: str = "", kind: str = "") -> str:
    """A table of numbers that scrolls by itself on a narrow screen; its first row is bold unless ``kind`` is even."""
    top = "".join(f"<th>{escape(cell)}</th>" for cell in head)
    body = "".join("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    below = f'<p class="soft">{escape(caption)}</p>' if caption else ""
    content = f"<thead><tr>{top}</tr></thead><tbody>{body}</tbody>"
    return f'<div class="scroll"><table class="{kind}">{content}</table></div>{below}'


def picture(figure: "Figure", caption: str, *, alt: str) -> str:
    """A figure in the page itself, with a caption that says how to read it."""
    data = base64.b64encode(png(figure)).decode()
    image = f'<img alt="{escape(alt)}" width="{figure.get_figwidth() * 96:.0f}" src="data:image/png;base64,{data}">'
    return f"<figure>{image}<figcaption>{escape(caption)}</figcaption></figure>"
