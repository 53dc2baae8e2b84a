"""Is there a W&B server to talk to? Answered within seconds, without a question to the user."""

import netrc
import os
import threading
from pathlib import Path
from urllib.parse import urlparse

ANSWER_SECONDS = 5.0  # for a server to say anything at all


def prepare_environment() -> None:
    """Settings that W&B reads from the environment alone; to be made before it is imported."""
    # Without a network its own crash reports keep a process alive for 23 s after its end.
    os.environ.setdefault("WANDB_ERROR_REPORTING", "false")
    if not os.environ.get("WANDB_MODE"):
        os.environ.pop("WANDB_MODE", None)  # set but empty is an error to it


def why_offline() -> str | None:
    """Reason not to talk to the W&B server, or None; takes a few seconds at most and never asks anything.

    The key is looked up here because ``wandb.login(prompt=False)`` without one makes a later offline run fail.
    """
    server = os.environ.get("WANDB_BASE_URL") or "https://api.wandb.ai"
    host = urlparse(server).hostname or server
    if not (os.environ.get("WANDB_API_KEY") or _netrc_has(host)):
        return "no API key (run: wandb login)"
    found = [f"no answer from {host} within {ANSWER_SECONDS:g} s"]

    def ask() -> None:
        import requests

        try:
            status = requests.head(server, timeout=ANSWER_SECONDS).status_code
            found.append(f"{host} answers {status}" if status >= 500 and status != 501 else "")
        except requests.Timeout:
            pass
        except (requests.RequestException, ValueError) as error:
            found.append(f"no connection to {host} ({type(error).__name__})")

    # In a thread, for looking a name up can take longer than any timeout.
    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join(ANSWER_SECONDS + 1)
    return found[-1] or None


def stays_offline(run_dir: Path, reason: str) -> str:
    """What a user is told, with the command that uploads the record."""
    return f"W&B stays offline: {reason}; upload later with: wandb sync {run_dir}/wandb/*run-*"


def _netrc_has(host: str) -> bool:
    """True when ``wandb login`` has left a key for the host."""
    for name in filter(None, (os.environ.get("NETRC"), "~/.netrc", "~/_netrc")):
        try:
            if netrc.netrc(os.path.expanduser(name)).authenticators(host):
                return True
        except (OSError, netrc.NetrcParseError):
            continue
    return False
