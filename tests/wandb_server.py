"""W&B servers on loopback: one that knows just enough to open runs, take rows and save views; one that is silent."""

import gzip
import json
import re
import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

KEY = "0" * 40


class FakeServer:
    """Context manager; ``views``, ``runs``, ``rows`` and ``artifacts`` hold what it was sent.

    Args:
        dies: answer until the first rows of a run, then leave every request unanswered.
    """

    def __init__(self, *, dies: bool = False) -> None:
        self.views: list[dict] = []
        self.runs: dict[str, dict] = {}
        self.rows: list[dict] = []
        self.artifacts: list[dict] = []
        self.asked: list[str] = []
        self.dies, self.over = dies, threading.Event()

    def __enter__(self) -> "FakeServer":
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.over.set()
        self._server.shutdown()
        self._server.server_close()

    @property
    def environment(self) -> dict[str, str]:
        return {"WANDB_BASE_URL": self.url, "WANDB_API_KEY": KEY, "WANDB_MODE": ""}

    def answer(self, path: str, content: dict) -> dict:
        if path != "/graphql":
            for line in content.get("files", {}).get("wandb-history.jsonl", {}).get("content", []):
                self.rows.append(json.loads(line))
            return {}
        name = re.match(r"\s*(?:query|mutation)\s+(\w+)", content["query"])[1]
        self.asked.append(name)
        given = content.get("variables") or {}
        if name == "UpsertBucket":
            run_id = given["name"]
            self.runs.setdefault(run_id, {}).update({k: v for k, v in given.items() if v is not None})
            project = {"id": "P", "name": given["project"], "entity": {"id": "E", "name": "someone"}}
            bucket = {"id": "B", "name": run_id, "displayName": run_id, "project": project, "historyLineCount": 0}
            return {"upsertBucket": {"bucket": bucket, "inserted": True}}
        if name == "UpsertView2":
            self.views.append(given)
            return {"upsertView": {"view": {"id": "V", "name": given["name"]}, "inserted": True}}
        if name == "CreateArtifact":  # there already, so that no file has to be sent
            self.artifacts.append(given)
            sequence = {"id": "S", "latestArtifact": None}
            return {"createArtifact": {"artifact": {"id": "A", "state": "COMMITTED", "artifactSequence": sequence}}}
        return {
            "Viewer": {"viewer": {"id": "U", "entity": "someone", "username": "someone", "flags": "{}"}},
            "ArtifactType": {"project": None},
            "CreateRunFiles": {"createRunFiles": {"runID": "B", "uploadHeaders": [], "files": []}},
        }.get(name, {})


def _handler(server: FakeServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self.send_response(200)
            self.end_headers()

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            body = gzip.decompress(body) if self.headers.get("Content-Encoding") == "gzip" else body
            if server.dies and server.rows:
                server.over.wait(120)
                return
            known = self.path == "/graphql" or self.path.endswith("file_stream")  # the rest is telemetry
            found = server.answer(self.path, json.loads(body)) if known else {}
            self._reply({"data": found} if self.path == "/graphql" else found)

        def do_GET(self) -> None:
            self._reply({})

        def _reply(self, content: dict) -> None:
            text = json.dumps(content).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, *_: object) -> None:
            pass

    return Handler


class SilentServer:
    """Accepts every connection and never says a word."""

    def __enter__(self) -> "SilentServer":
        self._socket = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()
