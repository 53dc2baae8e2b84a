"""Promises about the project itself: pins, sizes, and a README whose files and flags exist."""

import ast
import re
import sys
import tomllib
from importlib import metadata
from pathlib import Path

import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from command_line.catalogue import plugins
from records import layout
from tests.conftest import ROOT

PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
PACKAGES = [path.parent.name for path in ROOT.glob("*/__init__.py")]
MODULES = [path for name in PACKAGES for path in (ROOT / name).rglob("*.py")] + [ROOT / "train.py"]
ROOMS = set(PACKAGES) - {"benchmarks", "tests"}
PIN = r"([\w.-]+)(?:\[\w+\])?==([\w.]+)"  # a local version such as 2.13.0+cpu would force a build of torch
IMPORT_NAMES = {
    "yaml": "pyyaml",
    "psycopg2": "psycopg2-binary",
    "sklearn": "scikit-learn",
    "backports": "backports-zstd",
}


def pins(name: str) -> dict[str, str]:
    """Package and version of every line of a requirements file; any other kind of line fails."""
    lines = [line for line in (ROOT / name).read_text().splitlines() if line and line[0] not in "#-"]
    return {canonicalize_name(r[1]): r[2] for r in (re.fullmatch(PIN, line) for line in lines)}


RUNTIME, DEVELOPMENT = pins("requirements.txt"), pins("requirements-dev.txt")


def stated(lines: list[str]) -> dict[str, Requirement]:
    """Requirements of pyproject by package, extras of the project itself resolved."""
    parsed = {canonicalize_name(r.name): r for r in map(Requirement, lines)}
    own = parsed.pop(PYPROJECT["project"]["name"], None)
    extras = PYPROJECT["project"]["optional-dependencies"]
    return {name: r for extra in (own.extras if own else ()) for name, r in stated(extras[extra]).items()} | parsed


def imported(path: Path) -> set[str]:
    """Top-level packages that a file imports."""
    nodes = list(ast.walk(ast.parse(path.read_text())))
    names = [alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names]
    names += [node.module for node in nodes if isinstance(node, ast.ImportFrom) and node.level == 0]
    return (
        {name.split(".")[0] for name in names}
        - set(sys.stdlib_module_names)
        - set(PACKAGES)
        - {"tests", "train", "docs"}
    )


def test_conda_takes_the_same_pins():
    dependencies = yaml.safe_load((ROOT / "environment.yml").read_text())["dependencies"]
    assert {"pip": ["-r requirements-dev.txt"]} in dependencies
    (python,) = [d.removeprefix("python") for d in dependencies if isinstance(d, str) and d.startswith("python")]
    assert python == PYPROJECT["project"]["requires-python"]


def test_the_development_pins_add_to_those_of_a_run():
    assert "-r requirements.txt" in (ROOT / "requirements-dev.txt").read_text().splitlines()
    assert not RUNTIME.keys() & DEVELOPMENT.keys()


def test_the_compromised_wheels_are_not_pinned_and_no_build_of_torch_is():
    assert RUNTIME["torch"] == "2.13.0"
    assert RUNTIME["lightning"] not in ("2.6.2", "2.6.3")
    assert not {"torchvision", "torchaudio", "braindecode"} & (RUNTIME.keys() | DEVELOPMENT.keys())
    lightning = stated(PYPROJECT["project"]["dependencies"])["lightning"].specifier
    assert not list(lightning.filter(["2.6.2", "2.6.3"]))
    assert "2.6.6" in lightning


def test_every_pin_lies_in_its_stated_range():
    run = stated(PYPROJECT["project"]["dependencies"]) | stated(["vaxis-align[cluster]"])
    develop = stated(["vaxis-align[dev]"])
    for name, requirement in run.items():
        assert RUNTIME[name] in requirement.specifier, requirement
    for name, requirement in develop.items():
        assert (RUNTIME | DEVELOPMENT)[name] in requirement.specifier, requirement


def test_what_a_pinned_package_brings_along_is_pinned_beside_it():
    for names, known in ((RUNTIME, RUNTIME), (DEVELOPMENT, RUNTIME | DEVELOPMENT)):
        for name in names:
            for needed in map(Requirement, metadata.requires(name) or []):
                # torch's wheels for CUDA bring their libraries, which are tied to it and differ from build to build.
                extra = name == "torch" and needed.name.startswith(("nvidia", "cuda", "triton"))
                if not extra and (needed.marker is None or needed.marker.evaluate({"extra": ""})):
                    assert canonicalize_name(needed.name) in known, f"{name} needs {needed}"


def test_every_imported_package_is_stated():
    optional = {"datasets", "braindecode"}  # used where the user has them; offline nothing needs them
    run = stated(PYPROJECT["project"]["dependencies"]).keys() | stated(["vaxis-align[cluster,zstd]"]).keys()
    develop = run | stated(["vaxis-align[dev]"]).keys()
    for path in [*MODULES, *(ROOT / "tests").glob("*.py")]:
        known = run if path.relative_to(ROOT).parts[0] in {*ROOMS, "train.py"} else develop
        for name in imported(path) - optional:
            package = canonicalize_name(IMPORT_NAMES.get(name, name))
            assert package in known, f"{path.relative_to(ROOT)} imports {name}"


def test_an_installation_takes_every_room_with_its_data_files():
    chosen = PYPROJECT["tool"]["setuptools"]
    assert {name.rstrip("*") for name in chosen["packages"]["find"]["include"]} == ROOMS
    assert set(PYPROJECT["tool"]["coverage"]["run"]["source"]) == ROOMS
    assert set(PYPROJECT["tool"]["mypy"]["packages"]) == ROOMS | {"benchmarks"}
    packages = {path.parent for room in ROOMS for path in (ROOT / room).rglob("__init__.py")}
    for room in ROOMS:
        for path in (ROOT / room).rglob("*"):
            if path.is_file() and path.suffix not in (".py", ".pyc"):
                assert any(path.match(pattern) for pattern in chosen["package-data"]["*"]), path
                assert path.parent in packages, path


def test_no_file_is_longer_than_a_few_screens():
    for path in [*MODULES, *(ROOT / "tests").glob("*.py")]:
        lines = len(path.read_text().splitlines())
        assert lines <= 300, f"{path.relative_to(ROOT)} has {lines} lines"


def test_no_run_was_written_beside_the_code():
    """A run of a test or a trial command without a folder of its own would be committed with the next change."""
    files = {layout.RESULT, layout.SUMS, layout.CONFIG, layout.METRICS, layout.PREDICTIONS, layout.CHECKPOINTS}
    assert not files & {path.name for path in ROOT.iterdir()}


def test_checkpoints_and_pickles_are_loaded_safely():
    for path in MODULES:
        if path.parent.name == "benchmarks":  # measures the pickles of others beside our store
            continue
        text = path.read_text()
        for call in re.findall(r"torch\.load\([^)]*\)", text):
            assert "weights_only=True" in call, f"{path.relative_to(ROOT)}: {call}"
        assert not re.search(r"pickle\.loads?\(|allow_pickle=True", text), path.relative_to(ROOT)


def test_readme_names_files_and_plugins_that_exist():
    text = (ROOT / "README.md").read_text()
    for name in re.findall(r"--config (configs/\S+\.yaml)", text):
        assert (ROOT / name).is_file(), name
    for picture in re.findall(r"!\[.*?\]\((\S+?)\)", text, re.S):
        assert (ROOT / picture).is_file(), picture
    for page in re.findall(r"\]\(((?!http)[^)#]+)\)", text):
        assert (ROOT / page).is_file(), page
    losses = {plugin.name for plugin in plugins("loss")}
    assert set(re.findall(r"--loss (\w+)", text)) - {"pull_to_axis", "NAME"} <= losses


def test_every_page_of_the_documentation_is_in_its_menu():
    menu = (ROOT / "mkdocs.yml").read_text().split("\nnav:")[1]
    pages = {str(path.relative_to(ROOT / "docs")) for path in (ROOT / "docs").rglob("*.md")}
    listed = set(re.findall(r"[\w/]+\.md", menu))
    made = {"index.md", "losses.md", "commands.md", "licences.md"}  # by docs/generate.py
    made |= {f"notebooks/{path.stem}.md" for path in (ROOT / "docs" / "notebooks").glob("*.ipynb")}
    assert listed - made == pages


def test_text_files_are_utf_8_whatever_the_locale():
    for path in MODULES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "attr", "") in ("read_text", "write_text"):
                told = any(keyword.arg == "encoding" for keyword in node.keywords) or "'/proc/" in ast.unparse(node)
                told = told or bool(node.args and node.func.attr == "read_text")  # importlib.metadata's
                assert told, f"{path.relative_to(ROOT)}:{node.lineno}: say encoding='utf-8'"
