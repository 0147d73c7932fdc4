"""An OpenTelemetry collector: takes traces over OTLP/HTTP in its documented wire format, and keeps the spans."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span


class Collector:
    """`spans`: what came, each with the attributes of its resource; `headers`: of each request."""

    def __init__(self) -> None:
        self.spans: list[tuple[Span, dict[str, Any]]] = []
        self.headers: list[dict[str, str]] = []
        self.status = 200
        collector = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                data = self.rfile.read(int(self.headers["content-length"]))
                if self.headers.get("content-encoding") == "gzip":
                    data = gzip.decompress(data)
                if self.path == "/v1/traces" and collector.status == 200:
                    collector.take(data, dict(self.headers))
                self.send_response(collector.status if self.path == "/v1/traces" else 404)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def take(self, data: bytes, headers: dict[str, str]) -> None:
        self.headers.append(headers)
        for group in ExportTraceServiceRequest.FromString(data).resource_spans:
            resource = attributes(group.resource)
            self.spans += [(span, resource) for scope in group.scope_spans for span in scope.spans]

    def __enter__(self) -> Collector:
        self._thread = Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(10)


def attributes(holder: Any) -> dict[str, Any]:
    """The attributes of a span or a resource as plain values."""
    return dict(_plain(holder.attributes))


def _plain(pairs: Any) -> Iterator[tuple[str, Any]]:
    for pair in pairs:
        kind = pair.value.WhichOneof("value")
        value = getattr(pair.value, kind)
        yield pair.key, [item.string_value for item in value.values] if kind == "array_value" else value
