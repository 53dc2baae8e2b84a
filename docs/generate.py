"""Pages of the site that are made from the code when it is built: a hook of mkdocs (``hooks`` in mkdocs.yml).

What a docstring, a parser or the README says once is not written a second time.
"""

import ast
import json
import os
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))  # mkdocs is started as a program of its own
SECTIONS = ("Formula", "Source", "Published", "Ours", "Example", "Args")


def on_files(files: Files, *, config: Any) -> Files:
    """Add the pages that are made here."""
    from docs.licences import licences

    pages = {
        "index.md": front_page(), "losses.md": losses(), "commands.md": commands(), "licences.md": licences(),
    }  # fmt: skip
    for path in sorted((ROOT / "docs" / "notebooks").glob("*.ipynb")):
        pages[f"notebooks/{path.stem}.md"] = notebook(path)
    for name, content in pages.items():
        files.append(File.generated(config, name, content=content))
    return files


def on_page_content(html: str, **_: Any) -> str:
    """Long names in tables may break after a dot, an underscore or a slash, and nowhere else: see style.css."""

    def breakable(cell: re.Match[str]) -> str:
        return re.sub(r"(?<=<code>)[^<]{12,}(?=</code>)", _with_breaks, cell[0])

    return re.sub(r"<td\b.*?</td>", breakable, html, flags=re.DOTALL)


def _with_breaks(name: re.Match[str]) -> str:
    return re.sub(r"([._/])\b", r"\1<wbr>", name[0])


def front_page() -> str:
    """The README, its links as seen from this folder; files of the repository itself are named, not linked."""
    text = (ROOT / "README.md").read_text(encoding="utf-8").replace("](docs/", "](")
    text = text.replace(".ipynb)", ".md)")
    return re.sub(r"\[([^\]]+)\]\((?:CITATION\.cff|CONTRIBUTING\.md|LICENSE)\)", r"`\1`", text)


def notebook(path: Path) -> str:
    """The cells of a notebook as a page; a slow test runs them."""
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    texts = [("".join(cell["source"]), cell["cell_type"] == "code") for cell in cells]
    return "\n\n".join(f"```python\n{text}\n```" if code else text for text, code in texts) + "\n"


def losses() -> str:
    """A section a loss, from its docstring."""
    parts = [
        "# The alignment losses\n\nFrom their docstrings. `python train.py fit --loss.help NAME` shows the same; "
        "`python train.py --loss NAME` is the verdict. A = the unweighted loss, h = features before the classifier, "
        "v = positions on the axis.\n"
    ]
    for path in sorted((ROOT / "losses").glob("[a-z]*.py")):
        doc = path.stem not in ("base", "none") and _plugin_doc(path)
        if doc:
            parts.append(f"## {path.stem}\n\n{_as_markdown(doc)}")
    return "\n".join(parts)


def commands() -> str:
    """Every command with the text of its ``--help``, as many at a time as there are cores."""
    from docs.every_command import every_command

    every = every_command()
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        texts = list(pool.map(_help, every))
    parts = [f"## python {words}\n\n```text\n{text.rstrip()}\n```\n" for words, text in zip(every, texts)]
    return "\n".join(["# Commands\n\nWhat each prints with `--help`.\n", *parts])


def _help(words: str) -> str:
    done = subprocess.run(
        [sys.executable, *words.split(), "--help"], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        text=True, env=os.environ | {"COLUMNS": "80"}, timeout=600,
    )  # fmt: skip
    if done.returncode:
        raise RuntimeError(f"python {words} --help ended with {done.returncode}:\n{done.stdout}")
    return done.stdout


def _plugin_doc(path: Path) -> str | None:
    """Docstring of the class whose name is that of the file without underscores."""
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.ClassDef) and node.name.lower() == path.stem.replace("_", ""):
            return ast.get_docstring(node)
    raise LookupError(f"{path} has no class named after it, so its loss would be missing in the documentation")


def _as_markdown(doc: str) -> str:
    """A docstring whose sections are indented blocks, as paragraphs and lists."""
    lines, section = [], ""
    for line in doc.splitlines():
        head = line.rstrip(":")
        if line.endswith(":") and head in SECTIONS:
            section = head
            lines += ["", f"**{ {'Args': 'Flags'}.get(head, head) }**", ""]
        elif section == "Args" and (flag := re.match(r"    (\w+): (.*)", line)):
            lines.append(f"- `{flag[1]}`: {flag[2]}")
        elif section in ("Formula", "Example") and line.strip():
            lines.append(f"    {line.strip()}")
        else:
            lines.append(("  " if section == "Args" and line.strip() else "") + line.strip())
    return "\n".join(lines) + "\n"
