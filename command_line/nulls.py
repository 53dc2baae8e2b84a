"""``null`` where a plug-in takes a value: the parser lets it pass, and the plug-in fails over it in words of Python."""

import importlib
import inspect
import typing
from collections.abc import Iterator
from typing import Any

KINDS = ("loss", "network", "data", "source")


def check_nulls(config: Any) -> None:
    """Refuse an argument of a plug-in that is ``null`` and may not be.

    Args:
        config: of a run, as the parser or a dictionary has it.

    Raises:
        ValueError: names the class, the argument and what it may be.
    """
    for choice in (part for kind in KINDS for part in _parts(config.get(kind))):
        arguments = choice.get("init_args") or {}
        module, name = choice["class_path"].rsplit(".", 1)
        for argument in (key for key, value in arguments.items() if value is None):
            hint = _hint(getattr(importlib.import_module(module), name), argument)
            if hint is not None:
                raise ValueError(f"{name}.{argument} must be {getattr(hint, '__name__', hint)}, not null")


def _parts(choice: Any) -> Iterator[Any]:
    """A chosen plug-in, and those that it is composed of."""
    if choice is not None:
        yield choice
        yield from (choice.get("init_args") or {}).get("parts") or ()


def _hint(cls: Any, argument: str) -> Any:
    """What an argument must be; None where it is not known or may be None."""
    for base in inspect.getmro(cls):  # arguments that are handed on stand in the constructor of a base
        constructor = vars(base).get("__init__")
        if constructor and argument in inspect.signature(constructor).parameters:
            hint = typing.get_type_hints(constructor).get(argument, Any)
            return None if hint is Any or type(None) in typing.get_args(hint) else hint
    return None
