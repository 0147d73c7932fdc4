"""OpenAI's files and fine-tuning endpoints, as far as they are used, holding both sides to the official document."""

from __future__ import annotations

import json
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

from tests.fakes.contracts import Contract

PAGE = 2
"""Rows of a page, whatever is asked for: so that every list has several."""


class FakeTuning:
    """`problems`: where a request or an answer broke the contract. `fail_after`: method and path of a request that is
    carried out and then not answered. `polls`: how often a job is looked at before it has succeeded."""

    def __init__(self, contract: Contract) -> None:
        self.contract = contract
        self.problems: list[str] = []
        self.files: dict[str, dict[str, Any]] = {}
        self.contents: dict[str, bytes] = {}
        self.jobs: dict[str, dict[str, Any]] = {}
        self.requests: list[str] = []
        self.fail_after: str | None = None
        self.polls = 2
        fake = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                fake._answer(self, "GET", b"")

            def do_DELETE(self) -> None:
                fake._answer(self, "DELETE", b"")

            def do_POST(self) -> None:
                fake._answer(self, "POST", self.rfile.read(int(self.headers.get("content-length") or 0)))

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/v1"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def _answer(self, handler: BaseHTTPRequestHandler, method: str, body: bytes) -> None:
        parts = urlsplit(handler.path)
        path = parts.path.removeprefix("/v1")
        query = {k: v[0] for k, v in parse_qs(parts.query).items()}
        self.requests.append(f"{method} {path}")
        if handler.headers["authorization"] != "Bearer sk-good":
            status, told = 401, {"error": {"message": "Incorrect API key", "type": "x", "param": None, "code": "x"}}
        else:
            status, told = self._do(method, path, query, body, handler.headers.get("content-type", ""))
        if self.fail_after == f"{method} {path}":
            self.fail_after = None
            handler.connection.close()
            return
        data = json.dumps(told).encode()
        handler.send_response(status)
        handler.send_header("content-type", "application/json")
        handler.send_header("content-length", str(len(data)))
        handler.end_headers()
        handler.wfile.write(data)

    def _do(self, method: str, path: str, query: dict[str, str], body: bytes, kind: str) -> tuple[int, Any]:
        match method, path.strip("/").split("/"):
            case "POST", ["files"]:
                return 200, self._upload(body, kind)
            case "GET", ["files"]:
                return 200, self._page("ListFilesResponse", list(self.files.values()), query)
            case "DELETE", ["files", id_]:
                if self.files.pop(id_, None) is None:
                    return self._none(id_)
                return 200, self._checked("DeleteFileResponse", {"id": id_, "object": "file", "deleted": True})
            case "POST", ["fine_tuning", "jobs"]:
                return self._create(json.loads(body))
            case "GET", ["fine_tuning", "jobs"]:
                jobs = [
                    j for j in self.jobs.values() if query.get("metadata[daybook]") in (None, j["metadata"]["daybook"])
                ]
                return 200, self._page("ListPaginatedFineTuningJobsResponse", jobs, query)
            case "GET", ["fine_tuning", "jobs", id_] if id_ in self.jobs:
                return 200, self._look(self.jobs[id_])
            case "POST", ["fine_tuning", "jobs", id_, "cancel"] if id_ in self.jobs:
                self.jobs[id_]["status"] = "cancelled"
                return 200, self._checked("FineTuningJob", self.jobs[id_])
            case "GET", ["fine_tuning", "jobs", id_, "events"] if id_ in self.jobs:
                rows = [
                    {"object": "fine_tuning.job.event", "id": f"ev-{n}", "created_at": 100 - n, "level": "info",
                     "message": f"step {n}", "type": "message"} for n in range(5)
                ]  # fmt: skip
                return 200, self._page("ListFineTuningJobEventsResponse", rows, query)
            case "GET", ["fine_tuning", "jobs", id_, "checkpoints"] if id_ in self.jobs:
                rows = [
                    {"object": "fine_tuning.job.checkpoint", "id": f"cp-{n}", "created_at": n, "metrics": {"step": n},
                     "step_number": 30 - n * 10, "fine_tuned_model_checkpoint": f"ft:m:{n}", "fine_tuning_job_id": id_}
                    for n in range(3)
                ]  # fmt: skip
                return 200, self._page("ListFineTuningJobCheckpointsResponse", rows, query)
        return self._none(path)

    def _none(self, what: str) -> tuple[int, Any]:
        return 404, {"error": {"message": f"No such thing: {what}", "type": "x", "param": None, "code": None}}

    def _checked(self, schema: str, told: Any) -> Any:
        self.problems += self.contract.problems(schema, told)
        return told

    def _upload(self, body: bytes, kind: str) -> Any:
        found = re.search(rb'name="file"; filename="([^"]+)".*?\r\n\r\n(.*?)\r\n--', body, re.S)
        purpose = re.search(rb'name="purpose"\r\n\r\n([^\r]+)', body)
        assert found is not None
        assert purpose is not None
        assert kind.startswith("multipart/form-data")
        id_ = f"file-{len(self.contents)}"
        self.contents[id_] = found[2]
        self.files[id_] = {
            "id": id_, "object": "file", "bytes": len(found[2]), "created_at": 1_700_000_000,
            "filename": found[1].decode(), "purpose": purpose[1].decode(), "status": "processed",
        }  # fmt: skip
        return self._checked("OpenAIFile", self.files[id_])

    def _create(self, body: Any) -> tuple[int, Any]:
        self._checked("CreateFineTuningJobRequest", body)
        if body["training_file"] not in self.files:
            return self._none(body["training_file"])
        id_ = f"ftjob-{len(self.jobs)}"
        self.jobs[id_] = {
            "id": id_, "object": "fine_tuning.job", "created_at": 1_700_000_000, "error": None, "finished_at": None,
            "fine_tuned_model": None, "hyperparameters": {"n_epochs": 3}, "model": body["model"],
            "organization_id": "org-1", "result_files": [], "status": "validating_files", "trained_tokens": None,
            "training_file": body["training_file"], "validation_file": body.get("validation_file"),
            "seed": body.get("seed", 0), "method": body["method"], "metadata": body["metadata"],
        }  # fmt: skip
        return 200, self._checked("FineTuningJob", self.jobs[id_])

    def _look(self, job: dict[str, Any]) -> Any:
        if job["status"] not in ("cancelled", "succeeded"):
            self.polls -= 1
            job["status"] = "running" if self.polls else "succeeded"
            if not self.polls:
                job |= {"fine_tuned_model": "ft:gpt-4o-mini:x", "trained_tokens": 1234, "finished_at": 1_700_000_100}
        return self._checked("FineTuningJob", job)

    def _page(self, schema: str, rows: list[dict[str, Any]], query: dict[str, str]) -> Any:
        ids = [row["id"] for row in rows]
        start = ids.index(query["after"]) + 1 if query.get("after") in ids else 0
        part = rows[start : start + PAGE]
        told: dict[str, Any] = {"object": "list", "data": part, "has_more": start + PAGE < len(rows)}
        if schema in ("ListFilesResponse", "ListFineTuningJobCheckpointsResponse"):
            told |= {"first_id": part[0]["id"] if part else "", "last_id": part[-1]["id"] if part else ""}
        return self._checked(schema, told)
