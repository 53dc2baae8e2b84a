"""What the page of messages quotes is what the source says; every pinned package has its licence on its page."""

import ast
import re
from functools import cache

import pytest

from docs.licences import licences, of, pinned
from tests.conftest import ROOT

PAGE = ROOT / "docs" / "troubleshooting.md"
HOLE = "\0"  # what an f-string fills in


@cache
def messages() -> tuple[str, ...]:
    """Every text in the source of the project, its holes marked."""
    found = []
    for path in [ROOT / "train.py", *ROOT.glob("[a-z]*/**/*.py")]:
        if path.relative_to(ROOT).parts[0] in ("tests", "docs", "site"):
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.JoinedStr):
                parts = [part.value if isinstance(part, ast.Constant) else HOLE for part in node.values]
                found.append("".join(map(str, parts)))
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                found.append(node.value)
    return tuple(found)


def quoted() -> list[str]:
    """First cells of the tables, but those of the last section, which are no messages."""
    text = PAGE.read_text(encoding="utf-8").partition("## It is slow")[0]
    return re.findall(r"^\| `(.+?)` \|", text, re.M)


def test_the_page_quotes_messages():
    assert len(quoted()) > 35


@pytest.mark.parametrize("message", quoted())
def test_a_quoted_message_is_one_of_the_source(message):
    fixed = message.replace("…", HOLE)
    assert any(fixed in text for text in messages()), "no command says this any more; mend docs/troubleshooting.md"


def test_a_message_that_nobody_says_is_found():
    assert not any("the moon is not there" in text for text in messages())


def test_every_pinned_package_has_its_licence():
    names = pinned()
    assert {"torch", "jsonargparse", "PyYAML", "psycopg2-binary"} <= set(names)
    text = licences()
    for name in names:
        version, licence = of(name)
        assert f"/{name}/) | {version} | {licence} |" in text
    for network in ("cbramod", "emod"):
        assert f"| {network} |" in text


def test_a_package_that_is_not_there_is_named():
    with pytest.raises(LookupError, match="no-such-package is not installed"):
        of("no-such-package")
