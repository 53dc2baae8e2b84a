"""What the parser says to a mistake, made short: a wrong name and a wrong value are what every user meets."""

import difflib
import importlib
import inspect
import re

from command_line.config_files import with_files


def explain(message: str) -> str:
    """The parser's message, or a shorter one where a name or an argument of a plug-in is wrong."""
    return with_files(_shorter(message))


def _shorter(message: str) -> str:
    # The last class named before it: a composition wraps the message of its part.
    wrong_argument = r".*class_path '([\w.]+)\.(\w+)'.*?(?:Option|Key) '([\w.]+)' is not (?:accepted|expected)"
    if found := re.search(wrong_argument, message, re.S):
        module, cls, argument = found.groups()
        signature = inspect.signature(getattr(importlib.import_module(module), cls).__init__)
        known = [name for name in signature.parameters if name != "self"]
        near = difflib.get_close_matches(argument, known, n=1, cutoff=0.5)
        hint = f" Did you mean '{near[0]}'?" if near else ""
        return f"{cls} has no argument '{argument}'.{hint} It has: {', '.join(known) or 'none'}"
    wrong_value = r"class_path '[\w.]+\.(\w+)':\s+Parser key \"([\w.]+)\":\s+Expected an? (.+?)\. Got value: (.+)"
    if found := re.search(wrong_value, message):
        cls, argument, expected, value = found.groups()
        expected = re.sub(r"<class '([\w.]+)'>|typing\.Literal", r"\1", expected).strip("[]")
        return f"{cls}.{argument} must be {'one of ' if ',' in expected else 'a '}{expected}, not '{value}'"
    if found := re.search(r'key "(\w+)":.*?(\w+)\':\s+the following arguments are required: (\w+)', message, re.S):
        kind, cls, argument = found.groups()
        return f"{cls} needs --{kind}.{argument}"
    if found := re.search(r"Errors:\s+- (.+?)\s+- Expected a <class 'NoneType'>", message, re.S):
        return found[1]
    if found := re.search(r"[Uu]nrecognized arguments?: (--[\w.]+)", message):
        return f"unknown flag {found[1]}; every flag: python train.py fit --help, short help: python train.py --help"
    return message
