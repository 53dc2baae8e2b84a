"""``python -m datamodules fetch``: against servers of our own that break off, resume and lie."""

import hashlib
import io
import json
import os
import subprocess
import sys
import tarfile
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from datamodules import nemar
from datamodules.downloads import HUB_FACED
from tests.conftest import ROOT
from tests.mirror_files import write_faced_bids, write_hub

SMALL = {0: [(11, 1), (8, 1)], 80: [(28, 1)], 100: [(5, 1)]}


class Files(BaseHTTPRequestHandler):
    """Serves ``server.files``, each with ranges; those in ``server.breaking`` break off half-way, once."""

    def do_GET(self) -> None:
        self.server.asked.append((self.path, self.headers.get("Range")))
        content = self.server.files.get(self.path)
        if content is None:
            self.send_error(404)
            return
        first = int((self.headers.get("Range") or "bytes=0-").removeprefix("bytes=").split("-")[0])
        self.send_response(206 if first else 200)
        rest = content[first:]
        self.send_header("Content-Length", str(len(rest)))
        for name, value in self.server.headers(self.path, content).items():
            self.send_header(name, value)
        self.end_headers()
        if self.command == "HEAD":
            return
        if self.path in self.server.breaking:
            self.server.breaking.discard(self.path)
            self.wfile.write(rest[: len(rest) // 2])
            self.close_connection = True
            self.connection.close()
            return
        self.wfile.write(rest)

    do_HEAD = do_GET

    def log_message(self, *args) -> None:
        pass


@pytest.fixture
def server():
    """Running, with nothing to serve yet."""
    http = ThreadingHTTPServer(("127.0.0.1", 0), Files)
    http.files, http.asked, http.breaking = {}, [], set()
    http.headers = lambda path, content: {}
    thread = threading.Thread(target=http.serve_forever, daemon=True)
    thread.start()
    yield http
    http.shutdown()
    http.server_close()


def address(server: ThreadingHTTPServer) -> str:
    return f"http://127.0.0.1:{server.server_port}"


# --- NEMAR


@pytest.fixture
def bids(server, tmp_path, monkeypatch) -> Path:
    """A data set whose signals lie in an object store, as NEMAR's git repository has it; returns its original."""
    original = write_faced_bids(
        tmp_path / "original",
        {"000": [11], "061": [28]},
        lambda t, names: t[None].repeat(len(names), 0),
        seconds=1,
        gap=1,
    )
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w:gz") as tar:
        for path in sorted(p for p in original.rglob("*") if p.is_file()):
            content = path.read_bytes()
            if path.suffix == ".bdf":
                key = f"SHA256E-s{len(content)}--{hashlib.sha256(content).hexdigest()}.bdf"
                server.files[f"/objects/{key}"] = content
                content = f"/annex/objects/{key}\n".encode()
            member = tarfile.TarInfo(f"nm000112-e6fabfd/{path.relative_to(original)}")
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
        member = tarfile.TarInfo("nm000112-e6fabfd/../../outside.txt")
        tar.addfile(member, io.BytesIO())
    server.files["/tree"] = archive.getvalue()
    monkeypatch.setattr(nemar, "TREE", f"{address(server)}/tree")
    monkeypatch.setattr(nemar, "OBJECTS", f"{address(server)}/objects/")
    monkeypatch.setattr(nemar.time, "sleep", lambda seconds: None)
    return original


def same(a: Path, b: Path) -> bool:
    files = [{p.relative_to(r): p.read_bytes() for p in r.rglob("*") if p.is_file()} for r in (a, b)]
    return files[0] == files[1]


def test_a_transfer_that_breaks_off_goes_on_where_it_was(bids, server, tmp_path, monkeypatch):
    monkeypatch.setattr(nemar, "CHUNK", 1000)
    broken = next(path for path in server.files if path.startswith("/objects"))
    server.breaking = {broken}
    nemar.fetch(tmp_path / "copy")
    assert same(bids, tmp_path / "copy")
    whole_chunks = len(server.files[broken]) // 2 // 1000 * 1000
    assert [asked for path, asked in server.asked if path == broken] == ["bytes=0-", f"bytes={whole_chunks}-"]
    assert not (tmp_path / "outside.txt").exists()


def test_what_is_there_is_checked_and_not_fetched_again(bids, server, tmp_path):
    nemar.fetch(tmp_path / "copy")
    server.asked.clear()
    nemar.fetch(tmp_path / "copy")
    assert [path for path, _ in server.asked] == ["/tree"]
    path = next((tmp_path / "copy").rglob("*.bdf"))
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(ValueError, match=rf"{path}: SHA-256 is \w+, not \w+; it was deleted, run the command again"):
        nemar.fetch(tmp_path / "copy")
    nemar.fetch(tmp_path / "copy")
    assert same(bids, tmp_path / "copy")


def test_people_that_are_wanted_alone(bids, tmp_path):
    nemar.fetch(tmp_path / "copy", subjects=("061",))
    assert [p.name[:7] for p in (tmp_path / "copy").rglob("*.bdf")] == ["sub-061"]
    with pytest.raises(ValueError, match="not all of 061, 500 are among them"):
        nemar.fetch(tmp_path / "copy", subjects=("061", "500"))


def test_a_disk_that_is_too_small(bids, tmp_path, monkeypatch):
    monkeypatch.setattr(nemar.shutil, "disk_usage", lambda folder: type("Usage", (), {"free": 10}))
    with pytest.raises(OSError, match=r"copy needs [\d,]+ more bytes and has 10 free"):
        nemar.fetch(tmp_path / "copy")


@pytest.mark.parametrize("mirror", ["hub", "bids"])
def test_without_a_network_one_line_says_what_to_do_within_seconds(tmp_path, mirror):
    # Nothing listens at the ends of these proxies, so no name is looked up and nothing leaves the machine.
    nowhere = dict.fromkeys(
        ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "HTTP_PROXY", "http_proxy"), "http://127.0.0.1:9"
    )
    environment = os.environ | nowhere | {"HF_HOME": str(tmp_path), "HF_HUB_OFFLINE": "0"}
    started = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-m", "datamodules", "fetch", "faced", "--mirror", mirror, str(tmp_path / "copy")],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
    )
    line = done.stderr.split("\n(VAXIS_DEBUG")[0]
    assert done.returncode == 1
    assert "\n" not in line
    assert line.startswith("error: ")
    assert "where there is a network: " + {"hub": "hf download", "bids": "git clone"}[mirror] in line
    assert line.endswith("name it with --data.root")
    assert time.monotonic() - started < 60  # of which most is the start of Python on a busy machine


def test_words_that_do_not_go_together():
    from datamodules.fetch import main

    for words, message in (
        (["faced", "--mirror", "bids"], "name a folder"),
        (["faced", "--subjects", "000"], "--subjects goes with --mirror bids"),
    ):
        with pytest.raises(ValueError, match=message):
            main(words)


# --- the hub


@pytest.fixture
def hub(server, tmp_path) -> ThreadingHTTPServer:
    """What the Hugging Face Hub says and gives of one commit."""
    original, name, revision = write_hub(tmp_path / "original", SMALL), HUB_FACED.name, HUB_FACED.revision
    files = {str(p.relative_to(original)): p.read_bytes() for p in original.rglob("*") if p.is_file()}
    about = {"id": name, "sha": revision, "siblings": [{"rfilename": path} for path in files], "tags": []}
    tree = [{"type": "file", "path": path, "size": len(c), "oid": blob(c)} for path, c in files.items()]
    server.files[f"/api/datasets/{name}/revision/{revision}"] = json.dumps(about).encode()
    server.files[f"/api/datasets/{name}/tree/{revision}?expand=false&recursive=true"] = json.dumps(tree).encode()
    for query in ("?recursive=true&expand=false", "?recursive=True&expand=False", "?expand=False&recursive=True"):
        server.files[f"/api/datasets/{name}/tree/{revision}{query}"] = json.dumps(tree).encode()
    for path, content in files.items():
        server.files[f"/datasets/{name}/resolve/{revision}/{path}"] = content
    server.headers = lambda path, content: {"ETag": f'"{blob(content)}"', "X-Repo-Commit": revision}
    return server


def blob(content: bytes) -> str:
    """What git calls a file of this content."""
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


def fetch(server: ThreadingHTTPServer, home: Path, *words: str) -> subprocess.CompletedProcess:
    environment = os.environ | {"HF_ENDPOINT": address(server), "HF_HOME": str(home), "HF_HUB_OFFLINE": "0"}
    environment |= {"HF_HUB_DISABLE_XET": "1", "HF_HUB_DISABLE_TELEMETRY": "1"}
    return subprocess.run(
        [sys.executable, "-m", "datamodules", "fetch", "faced", *words],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
    )


@pytest.mark.parametrize("into", ["cache", "folder"])
def test_the_hubs_copy_comes_whole_is_compared_and_mended(hub, tmp_path, into):
    folder = [str(tmp_path / "copy")] if into == "folder" else []
    done = fetch(hub, tmp_path / "home", *folder)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "fetching braindecode/faced at 18c7335, about 4 GB" in done.stdout
    assert "files have the checksums of braindecode/faced at 18c7335" in done.stdout
    assert "3 people, 4 pieces of 10 s: anger 0, disgust 1, fear 1, sadness 1" in done.stdout
    root = Path(done.stdout.strip().rsplit("--data.root ", 1)[1])
    block = next(root.glob("sourcedata/braindecode/dataset.zarr/*/data/c/0/0/0"))
    content = block.read_bytes()
    block.resolve().write_bytes(content[:-9])
    hub.asked.clear()
    mended = fetch(hub, tmp_path / "home", *folder)
    assert mended.returncode == 0, mended.stdout + mended.stderr
    assert "1 files are damaged or missing" in mended.stdout
    assert block.read_bytes() == content
    fetched = {path for path, _ in hub.asked if "/resolve/" in path and path.endswith("/c/0/0/0")}
    assert len(fetched) >= 1
