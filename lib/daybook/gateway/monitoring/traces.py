"""Calls as OpenTelemetry traces, for teams that have a place for these: sent over OTLP where an address is set.

A request is a server span, each of its rows in the book a client span below it, by the conventions for generative AI.
No span holds content. Spans are made of what is entered anyway, when it is over, and sent from a thread of the SDK's
own, so that a call waits for nobody; where the collector is away they are dropped, and the book has the calls.

The id of a trace is that of the request, as in `x-request-id`, unless the caller sent a `traceparent`: then the spans
join its trace, or are not made where it was not sampled.

Source: opentelemetry.io/docs/specs/semconv/gen-ai, w3.org/TR/trace-context.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextvars import ContextVar
from importlib.metadata import version
from typing import Any

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_NAME, SERVICE_VERSION, OTELResourceDetector, Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import SpanContext, SpanKind, Status, StatusCode, TraceFlags, get_current_span
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from daybook.clock import Clock
from daybook.gateway.http.asgi import App, Receive, RequestState, Scope, Send
from daybook.inference.ports import Observer
from daybook.records import Call

_HALF = (1 << 64) - 1
_OPERATIONS = {
    "/v1/embeddings": "embeddings",
    "/ml/embed/batch": "embeddings",
    "/ml/ollama/generate": "text_completion",
    "/v1/moderations": "moderation",
    "/safety/moderate": "moderation",
}
_PARAMETERS = {
    "temperature": "gen_ai.request.temperature",
    "top_p": "gen_ai.request.top_p",
    "top_k": "gen_ai.request.top_k",
    "seed": "gen_ai.request.seed",
    "n": "gen_ai.request.choice.count",
    "max_tokens": "gen_ai.request.max_tokens",
    "max_completion_tokens": "gen_ai.request.max_tokens",
    "frequency_penalty": "gen_ai.request.frequency_penalty",
    "presence_penalty": "gen_ai.request.presence_penalty",
}


class Traces(Observer):
    """Sends what is entered to `url`, the address of an OTLP collector over HTTP.

    Headers, certificates, the time limit and the name of the service are read by the SDK from its own variables
    (OTEL_EXPORTER_OTLP_HEADERS, …, OTEL_SERVICE_NAME)."""

    def __init__(self, url: str, clock: Clock) -> None:
        self._clock = clock
        self._processor = BatchSpanProcessor(OTLPSpanExporter(endpoint=url))
        release = version("daybook")
        self._scope = InstrumentationScope("daybook", release)
        self._resource = Resource({SERVICE_NAME: "daybook", SERVICE_VERSION: release}).merge(
            OTELResourceDetector().detect()
        )
        self._caller: ContextVar[SpanContext] = ContextVar("caller")
        """The caller's own span, of the request under way."""

    def follow(self, app: App) -> App:
        """`app`, each of whose requests is a span. Inside the layer that gives requests their ids."""
        propagator = TraceContextTextMapPropagator()

        async def followed(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["type"] != "http":
                await app(scope, receive, send)
                return
            headers = {n.decode("latin-1"): v.decode("latin-1") for n, v in scope["headers"] if n.startswith(b"trace")}
            caller = get_current_span(propagator.extract(headers)).get_span_context()
            before = self._caller.set(caller)
            try:
                await app(scope, receive, send)
            finally:
                self._caller.reset(before)
                self._end_request(scope["method"], scope["visit"], caller)

        return followed

    def entered(self, call: Call) -> None:
        """A row of the book as a span: an answered call, a failed one, an attempt, a copy to a shadow."""
        caller = self._caller.get(None) or SpanContext(0, 0, is_remote=False)
        request = _request_span(call.request_id, caller)
        operation = _OPERATIONS.get(call.endpoint, "chat")
        failed = call.status in ("error", "retried")
        self._end(
            f"{operation} {call.requested_model or 'unknown'}",
            SpanContext(request.trace_id, int(call.id, 16) & _HALF, is_remote=False, trace_flags=request.trace_flags),
            parent=request,
            kind=SpanKind.CLIENT,
            attributes=_call_attributes(call, operation),
            failed=call.error_kind or call.status if failed else None,
            seconds=call.latency or 0.0,
        )

    def close(self) -> None:
        """Send what is left; at most a few seconds."""
        self._processor.shutdown()  # type: ignore[no-untyped-call]  # the SDK leaves it untyped

    def _end_request(self, method: str, visit: RequestState, caller: SpanContext) -> None:
        status = visit.status
        self._end(
            f"{method} {visit.route}",
            _request_span(visit.request_id, caller),
            parent=caller if caller.is_valid else None,
            kind=SpanKind.SERVER,
            attributes={
                "http.request.method": method,
                "http.route": visit.route,
                "http.response.status_code": status,
                "daybook.request_id": visit.request_id,
            },
            failed=str(status) if status is not None and status >= 500 else None,
            seconds=self._clock.monotonic() - visit.started,
        )

    def _end(
        self,
        name: str,
        span: SpanContext,
        *,
        parent: SpanContext | None,
        kind: SpanKind,
        attributes: Mapping[str, Any],
        failed: str | None,
        seconds: float,
    ) -> None:
        """Hand over a span that ends now. One of a trace that the caller did not sample is dropped by the SDK."""
        end = int(self._clock.now().timestamp() * 1e9)
        known = {name: value for name, value in attributes.items() if value is not None}
        if failed is not None:
            known["error.type"] = failed
        self._processor.on_end(
            ReadableSpan(
                name,
                context=span,
                parent=parent,
                resource=self._resource,
                attributes=known,
                kind=kind,
                status=Status(StatusCode.UNSET if failed is None else StatusCode.ERROR),
                start_time=end - int(seconds * 1e9),
                end_time=end,
                instrumentation_scope=self._scope,
            )
        )


def _request_span(request_id: str, caller: SpanContext) -> SpanContext:
    """The request's own span: in the caller's trace, or in one that has the request's id."""
    number = int(request_id, 16)
    if caller.is_valid:
        return SpanContext(caller.trace_id, number & _HALF, is_remote=False, trace_flags=caller.trace_flags)
    return SpanContext(number, number & _HALF, is_remote=False, trace_flags=TraceFlags(TraceFlags.SAMPLED))


def _call_attributes(call: Call, operation: str) -> dict[str, Any]:
    """What the conventions have a name for, under that name; the rest as `daybook.…`. None: not known."""
    named = {_PARAMETERS[name]: value for name, value in call.parameters.items() if name in _PARAMETERS}
    return named | {
        "gen_ai.operation.name": operation,
        "gen_ai.provider.name": call.provider,
        "gen_ai.request.model": call.requested_model,
        "gen_ai.request.stream": call.stream,
        "gen_ai.response.model": call.served_model,
        "gen_ai.response.finish_reasons": None if call.finish_reason is None else [call.finish_reason],
        "gen_ai.response.time_to_first_chunk": call.first_token,
        "gen_ai.usage.input_tokens": call.input_tokens,
        "gen_ai.usage.output_tokens": call.output_tokens,
        "gen_ai.usage.cache_read.input_tokens": call.cached_tokens,
        "gen_ai.usage.cache_creation.input_tokens": call.cache_write_tokens,
        "gen_ai.usage.reasoning.output_tokens": call.reasoning_tokens,
        "daybook.call_id": call.id,
        "daybook.status": call.status,
        "daybook.cost_usd": None if call.cost is None else float(call.cost),
        "daybook.usage_reported": call.usage_reported,
        "daybook.variant": call.variant,
        "daybook.fallback_from": call.fallback_from,
    }
