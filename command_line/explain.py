"""What the parser says to a mistake, made short: a wrong name and a wrong value are what every user meets."""

import difflib
import importlib
import inspect
import re

from command_line.config_files import with_files

LINES = 12  # of a message of the parser; what it says comes first, what it was given last


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
    if found := re.search(r'key "(\w+)":.*?(\w+)\':\s+the following arguments are required: (\w+)', message, re.S):
        kind, cls, argument = found.groups()
        return f"{cls} needs --{kind}.{argument}"
    if value := _wrong_value(message):
        return value
    if found := re.search(r"Errors:\s+- (.+?)\s+- Expected a <class 'NoneType'>", message, re.S):
        return _short(found[1])
    if found := re.search(r"(-?\d+) is not in bounds, numpy accepts from 0 to (\d+)", message):
        return f"--seed {found[1]}: a seed is a whole number from 0 to {found[2]}"
    if found := re.search(r"[Uu]nrecognized arguments?: (--[\w.]+)", message):
        return f"unknown flag {found[1]}; every flag: python train.py fit --help, short help: python train.py --help"
    return _short(message)


def _wrong_value(message: str) -> str | None:
    """Of a flag or argument that takes one of several types, or one: all of them, and what it was given."""
    key, errors = r'(?:class_path \'[\w.]+\.(\w+)\':\s+)?Parser key "([\w.]+)":\s+', r"((?:- Expected an? .+\s+)+)"
    union = rf"{key}Does not validate .+\s+Subtypes: .+\s+Errors:\s+{errors}Given .+\s+Given value: (.*)"
    if not (found := re.search(union, message) or re.search(rf"{key}(Expected an? .+)\. Got value: (.*)", message)):
        return None
    cls, name, expected, value = found.groups()
    kinds = re.findall(r"Expected an? (?:<class '([\w.]+)'>|typing\.Literal\[(.+)\]|(\S.*))", expected)
    known = [kind or other or f"one of {values}" for kind, values, other in kinds if kind != "NoneType"]
    if value.startswith("NestedArg"):  # an argument of a class that was not chosen
        return None
    return f"{f'{cls}.' if cls else '--'}{name} must be {' or '.join(known)}, not '{value}'"


def _short(message: str) -> str:
    """Without all but the first lines: a value that is a whole file comes last."""
    lines = message.splitlines()
    return message if len(lines) <= LINES else "\n".join([*lines[:LINES], "..."])
