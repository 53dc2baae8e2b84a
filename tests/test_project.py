"""Promises about the project itself: pins, sizes, and a README whose files and flags exist."""

import ast
import re
import sys
import tomllib

import yaml

from command_line.catalogue import plugins
from tests.conftest import ROOT

PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
PINS = dict(
    re.match(r"([\w.-]+)(?:\[\w+\])?==(\S+)", line).groups()
    for line in (ROOT / "requirements.txt").read_text().splitlines()
    if line and not line.startswith("#")
)
PACKAGES = [path.parent.name for path in ROOT.glob("*/__init__.py")]
MODULES = [path for name in PACKAGES for path in (ROOT / name).rglob("*.py")] + [ROOT / "train.py"]


def test_conda_takes_the_same_pins():
    dependencies = yaml.safe_load((ROOT / "environment.yml").read_text())["dependencies"]
    assert {"pip": ["-r requirements.txt"]} in dependencies
    (python,) = [d.removeprefix("python") for d in dependencies if isinstance(d, str) and d.startswith("python")]
    assert python == PYPROJECT["project"]["requires-python"]


def test_every_requirement_is_pinned_and_the_compromised_wheels_are_not():
    lines = [line for line in (ROOT / "requirements.txt").read_text().splitlines() if line and line[0] != "#"]
    assert all("==" in line for line in lines)
    assert PINS["torch"] == "2.13.0"
    assert PINS["lightning"] not in ("2.6.2", "2.6.3")
    assert not {"torchvision", "torchaudio", "braindecode"} & PINS.keys()


def test_every_imported_package_is_pinned():
    names = {"yaml": "PyYAML", "psycopg2": "psycopg2_binary", "sklearn": "scikit_learn"}
    optional = {"datasets"}  # used where the user has it; offline nothing needs it
    known = {name.lower().replace("-", "_") for name in PINS} | set(sys.stdlib_module_names) | set(PACKAGES)
    for path in [*MODULES, *(ROOT / "tests").glob("*.py")]:
        for node in ast.walk(ast.parse(path.read_text())):
            found = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and node.level == 0:
                found = [node.module]
            for top in {name.split(".")[0] for name in found} - {"tests", "train"} - optional:
                assert names.get(top, top).lower() in known, f"{path.relative_to(ROOT)} imports {top}"


def test_no_file_is_longer_than_a_few_screens():
    for path in [*MODULES, *(ROOT / "tests").glob("*.py")]:
        lines = len(path.read_text().splitlines())
        assert lines <= 300, f"{path.relative_to(ROOT)} has {lines} lines"


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
    losses = {plugin.name for plugin in plugins("loss")}
    assert set(re.findall(r"--loss (\w+)", text)) - {"pull_to_axis", "NAME"} <= losses
