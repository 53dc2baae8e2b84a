"""What the file of a strategy says about it: formula, source, published value, our reading, and a command that runs."""

import re
import shlex

import pytest
import yaml

from command_line.catalogue import plugins
from command_line.parser import parse
from command_line.words import normalise
from tests.conftest import ROOT
from tests.loss_cases import strategy

NAMES = [plugin.name for plugin in plugins("loss")]
SECTIONS = ("Formula", "Source", "Published", "Ours", "Example")
REFERENCE = r"arXiv \d{4}\.\d{4,5}|doi 10\.\d{4,}/\S+|https?://\S+"


def sections(docstring: str) -> dict[str, str]:
    """The text of each section of a class docstring; the first line, which is the help, has the key ``""``."""
    found, key = {"": ""}, ""
    for line in docstring.splitlines():
        if title := re.fullmatch(r"    (\w+):", line):
            key, found[title[1]] = title[1], ""
        else:
            found[key] += line.strip() + "\n"
    return {name: text.strip() for name, text in found.items()}


@pytest.mark.parametrize("name", NAMES)
class TestDocstring:
    def test_has_every_section_in_order(self, name):
        found = sections(type(strategy(name)).__doc__)
        assert [key for key in found if key in SECTIONS] == list(SECTIONS)
        assert all(found[key] for key in SECTIONS)
        assert found[""].count("\n") == 0, "the first line stands alone: it is the help"

    def test_formula_source_and_published_value_are_what_they_say(self, name):
        found = sections(type(strategy(name)).__doc__)
        assert "=" in found["Formula"]
        assert re.search(REFERENCE, found["Source"])
        assert re.search(r"\bp\b", found["Published"]), "how sure the paper is, or that it does not say"
        assert re.search(r"[-+]?0\.\d+|no number", found["Published"])

    def test_example_is_a_command_of_this_strategy(self, name):
        """Parsed as a run is, up to the files that its paths name."""
        program, script, *words = shlex.split(sections(type(strategy(name)).__doc__)["Example"])
        assert (program, script) == ("python", "train.py")
        assert words[words.index("--loss") + 1] == name
        words = words[1:] if words[0] == "fit" else words
        parsed = parse(normalise(words))
        assert parsed.config.loss.class_path == type(strategy(name)).__module__ + "." + type(strategy(name)).__name__


def test_published_rows_are_those_of_the_table():
    """Every row of the paper's table stands in the file of its strategy, with the change and the p that we render."""
    claimed = {}
    for name in NAMES:
        text = " ".join(sections(type(strategy(name)).__doc__)["Published"].split())
        for row, change, sign, p in re.findall(r"[Rr]ow (\d+)[^:]*: ([-+][\d.]+) \(p ([=<]) ([\de.-]*\d)", text):
            claimed[int(row)] = (name, float(change), sign == "<", float(p))
    table = yaml.safe_load((ROOT / "paper" / "interventions.yaml").read_text())["paper"]
    expected = {}
    for row in (row for row in table if isinstance(row["id"], int)):
        p = str(row["p"])
        expected[row["id"]] = (row["loss"].split()[0], row["delta"], p[0] == "<", float(p.lstrip("<")))
    assert len(expected) == 25
    assert claimed == expected
