"""Which plug-ins lie in the folders, found by reading the source: names and help without importing torch."""

import ast
import difflib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
BASES = {
    "loss": "AlignmentLoss",
    "network": "Network",
    "data": "EEGDataModule",
    "callback": "Callback",
    "objective": "Objective",
}
FOLDERS = {
    "loss": "losses",
    "network": "networks",
    "data": "datamodules",
    "callback": "callbacks",
    "objective": "lightning_modules/objectives",
}


@dataclass(frozen=True, kw_only=True)
class Plugin:
    """One class that a flag can name.

    Attributes:
        name: what the flag takes: the file's name for losses, networks and callbacks, the class for data.
        class_path: import path.
        summary: first line of its docstring.
    """

    name: str
    class_path: str
    summary: str


def plugins(kind: str) -> list[Plugin]:
    """Plug-ins of a kind (a key of ``FOLDERS``), sorted by name."""
    bases: dict[str, list[str]] = {}
    found: list[tuple[Path, ast.ClassDef]] = []
    for path in sorted((ROOT / FOLDERS[kind]).glob("*.py")):
        for node in _statements(path):
            if isinstance(node, ast.ClassDef):
                bases[node.name] = [getattr(base, "id", getattr(base, "attr", "")) for base in node.bases]
                if not path.stem.startswith("_"):
                    found.append((path, node))
    return sorted(
        (_plugin(kind, path, node) for path, node in found if _is_plugin(node.name, BASES[kind], bases)),
        key=lambda plugin: plugin.name,
    )


def _statements(path: Path) -> list[ast.stmt]:
    """Of a file; none where it is no Python, which ``broken`` tells: one bad file must not hide the others."""
    read = _read(path)
    return [] if isinstance(read, str) else read


def broken(kind: str) -> dict[str, str]:
    """Files of a folder that cannot be read as Python: name of the plug-in to the place and what is wrong there."""
    read = {path.stem: _read(path) for path in sorted((ROOT / FOLDERS[kind]).glob("*.py"))}
    return {name: problem for name, problem in read.items() if isinstance(problem, str)}


def _read(path: Path) -> list[ast.stmt] | str:
    """Statements of a file, or the place and what is wrong there."""
    status = path.stat()
    return _parsed(path, status.st_mtime_ns, status.st_size)


@cache
def _parsed(path: Path, changed: int, size: int) -> list[ast.stmt] | str:
    """Once a process and state of the file: a command asks for the same folders several times, and a fork once more."""
    try:
        return ast.parse(path.read_bytes(), filename=str(path)).body
    except (SyntaxError, ValueError) as error:
        line = f":{error.lineno}" if isinstance(error, SyntaxError) and error.lineno else ""
        said = error.msg if isinstance(error, SyntaxError) else str(error)
        return f"{path.relative_to(ROOT)}{line}: {said}"


def _is_plugin(name: str, root: str, bases: dict[str, list[str]]) -> bool:
    def descends(cls: str) -> bool:
        return any(base == root or descends(base) for base in bases.get(cls, []))

    abstract = name.startswith("_") or "ABC" in bases[name]
    return not abstract and descends(name)


def _plugin(kind: str, path: Path, node: ast.ClassDef) -> Plugin:
    summary = (ast.get_docstring(node) or "").split("\n")[0]
    name = node.name if kind == "data" else path.stem
    return Plugin(name=name, class_path=f"{FOLDERS[kind].replace('/', '.')}.{path.stem}.{node.name}", summary=summary)


def class_path(kind: str, name: str) -> str:
    """Import path of the plug-in that a user named by file or by class, in any case; a dotted path is left as it is.

    Raises:
        SystemExit: no such plug-in, or its file is no Python; lists the names and the nearest ones.
    """
    file = "/" in name and not name.endswith((".yaml", ".yml", ".json"))  # the parser would read it, whatever it is
    if ("." in name and not file) or name.startswith("{"):
        return name
    known = plugins(kind)
    for plugin in known:
        if name.lower() in (plugin.name.lower(), plugin.class_path.rsplit(".", 1)[1].lower()):
            return plugin.class_path
    if name.lower() in (unread := broken(kind)):
        raise SystemExit(f"error: {unread[name.lower()]}; mend the file, or name another {kind}")
    names = [plugin.name for plugin in known]
    near = difflib.get_close_matches(name.lower(), [n.lower() for n in names], n=1, cutoff=0.5)
    hint = f" Did you mean '{next(n for n in names if n.lower() == near[0])}'?" if near else ""
    raise SystemExit(f"error: unknown {kind} '{name}'.{hint} Known: {', '.join(names)}")
