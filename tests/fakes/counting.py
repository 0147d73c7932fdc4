"""A chat endpoint, in threads of the test's own process, that counts what it answered and can be made to hold still.

From the `hold`-th question on, nothing is answered (the connection is dropped once `dropped` is set): whoever asks can
be killed at that moment, and what it had been answered by then is known exactly.
"""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any


class Counting:
    """`reply(model, text)` is what is said to the last message."""

    def __init__(self, reply: Callable[[str, str], str]) -> None:
        self.answered: Counter[tuple[str, str]] = Counter()
        self.asked = 0
        self.hold: int | None = None
        self.held = threading.Event()
        """Set when a question is held back."""
        self.dropped = threading.Event()
        self._lock = threading.Lock()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["content-length"])))
                model, text = body["model"], body["messages"][-1]["content"]
                with outer._lock:
                    outer.asked += 1
                    held = outer.hold is not None and outer.asked > outer.hold
                if held:
                    outer.held.set()
                    outer.dropped.wait(60)
                    self.close_connection = True
                    return
                answer = json.dumps(_answer(model, reply(model, text))).encode()
                with outer._lock:
                    outer.answered[(model, text)] += 1
                self.send_response(200)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def do_GET(self) -> None:
                self.send_error(404)

            def log_message(self, *_: Any) -> None: ...

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def models_file(self, path: Path) -> Path:
        """A models.yml that leads here: models are called `up/<name>`."""
        url = f"http://127.0.0.1:{self._server.server_port}/v1"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"upstreams:\n  up:\n    kind: openai\n    base_url: {url}\n")
        return path

    def resume(self) -> None:
        """Drop what is held and answer from now on."""
        self.hold = None
        self.dropped.set()

    def close(self) -> None:
        self.dropped.set()
        self._server.shutdown()
        self._server.server_close()


def _answer(model: str, text: str) -> dict[str, Any]:
    message = {"role": "assistant", "content": text, "refusal": None}
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1_700_000_000,
        "model": model,
        "choices": [{"index": 0, "message": message, "logprobs": None, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 10, "completion_tokens": 2, "total_tokens": 12},
    }
