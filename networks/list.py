"""Every encoder with input, tokens, parameters, published scores, licences and weights: ``python -m networks list``."""

import argparse
import importlib
import inspect
import pkgutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
import yaml

import networks
from networks.base import Network
from networks.shapes import Dataset, trials_of

FACTS = Path(__file__).with_name("published.yaml")


def encoders() -> dict[str, type[Network]]:
    """The networks of this folder by the name that ``--network`` takes; a file that was dropped in is among them."""
    found: dict[str, type[Network]] = {}
    for module in pkgutil.iter_modules(networks.__path__):
        if module.name.startswith("_"):
            continue
        for kind in vars(importlib.import_module(f"networks.{module.name}")).values():
            if inspect.isclass(kind) and issubclass(kind, Network) and not inspect.isabstract(kind):
                found[kind.__module__.rpartition(".")[2]] = kind
    return dict(sorted(found.items()))


def sized(kind: type[Network], dataset: Dataset) -> tuple[str, int]:
    """Tokens and number of parameters of a network with its defaults, on the trials of a data set."""
    with torch.device("meta"):  # sizes alone: nothing is allocated or drawn
        network = kind()
        spec = trials_of(dataset, features="raw" if "raw" in kind.reads else "de")
        network.build(spec)
        grid = network.grid(spec)
    return f"{grid.rows} x {grid.columns} x {network.dim}", sum(p.numel() for p in network.parameters())


def reads(kind: type[Network]) -> str:
    """What a network takes, in a few words."""
    contract, words = kind.contract, "/".join(kind.reads)
    words += f", {contract.sampling_rate:g} Hz" if contract.sampling_rate else ""
    return words + (f", microvolt/{contract.scale:g}" if contract.scale else "")


def scores(facts: Mapping[str, Any]) -> list[str]:
    """Published scores, a line each."""
    return [
        f"{row['score']:.3f} {row['data']}, protocol {row['protocol']} ({row['by']})"
        for row in facts.get("published", [])
    ]


def entry(name: str, lines: list[tuple[str, str]]) -> str:
    """One network: its name and what is known of it."""
    return "\n".join([name, *(f"  {label:<11} {text}" for label, text in lines if text)])


def listing() -> str:
    """What the command prints."""
    facts = yaml.safe_load(FACTS.read_text(encoding="utf-8"))
    parts = []
    for name, kind in encoders().items():
        known = facts["networks"].get(name, {})
        about = (inspect.getdoc(kind) or "").split("\n")[0]
        if name == "braindecode":
            parts.append(entry(name, [("", about), ("input", reads(kind))]))
            continue
        (faced, count), (seedv, other) = sized(kind, "faced"), sized(kind, "seedv")
        lines = [("", about), ("input", reads(kind)), ("tokens", f"FACED {faced}, SEED-V {seedv}")]
        lines += [("parameters", f"FACED {count:,}, SEED-V {other:,}")]
        lines += [("published", line) for line in scores(known)]
        parts.append(entry(name, [*lines, ("code", known.get("code", "")), ("weights", known.get("weights", ""))]))
    for name, known in facts["braindecode"].items():
        lines = [("tokens", f"FACED {known['tokens']}"), ("parameters", known["parameters"])]
        lines += [("published", line) for line in scores(known)]
        parts.append(entry(f"braindecode:{name}", [*lines, ("weights", known["weights"])]))
    parts += [f"Protocol {name}: {text}." for name, text in facts["protocols"].items()]
    return "\n\n".join(parts)


def main() -> None:
    argparse.ArgumentParser(description=__doc__).parse_args()
    print(listing())


if __name__ == "__main__":
    main()
