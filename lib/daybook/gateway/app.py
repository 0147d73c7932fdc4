"""The endpoint as one ASGI application: the hot path in front, everything else behind it in FastAPI.

Access ─ request id, log line
  ├─ POST /v1/chat/completions   Chat (plain ASGI)
  ├─ POST /v1/messages           the same, in Anthropic's words
  ├─ POST /v1/responses          passed through to OpenAI, translated for others
  ├─ POST /v1/embeddings         texts to vectors; /ml/embed/batch: each by itself
  ├─ POST /v1/moderations        by OpenAI, or on this machine; /safety/moderate, too
  ├─ POST /ml/ollama/generate    and /ml/ollama/chat: the same hot path, in Ollama's words
  └─ FastAPI                     /v1/models · /health/… · /metrics · /ml/hf/… · /ml/metrics · /ml/alerts · /ml/cost/… ·
                                 /ml/ollama/models|pull · /docs · /openapi.json · / ·
                                 /ml/finetune/… · /ml/deploy/… (admin keys) · /compliance/… (privacy keys)
"""

from __future__ import annotations

from typing import Any

import orjson
from fastapi import Depends, FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from daybook.errors import DaybookError
from daybook.gateway.chat.route import PATH, ChatRoute
from daybook.gateway.components import Components
from daybook.gateway.dashboard import routes as dashboard
from daybook.gateway.embeddings.batch import PATH as BATCH_PATH
from daybook.gateway.embeddings.batch import batch_route
from daybook.gateway.embeddings.route import PATH as EMBEDDINGS_PATH
from daybook.gateway.embeddings.route import embeddings_route
from daybook.gateway.http.asgi import App, Receive, Scope, Send
from daybook.gateway.http.cors import allow_origins
from daybook.gateway.http.errors import Refusal, bad_request, error_response, reason_to_mend
from daybook.gateway.http.request_log import RequestLog
from daybook.gateway.messages.dialect import PATH as MESSAGES_PATH
from daybook.gateway.messages.dialect import Messages
from daybook.gateway.moderations import PATH as MODERATIONS_PATH
from daybook.gateway.moderations import SAFETY_PATH, moderations_route
from daybook.gateway.monitoring.metrics import CONTENT_TYPE
from daybook.gateway.ollama.dialect import CHAT as OLLAMA_CHAT
from daybook.gateway.ollama.dialect import GENERATE, OllamaWords
from daybook.gateway.responses.route import PATH as RESPONSES_PATH
from daybook.gateway.responses.route import responses_route
from daybook.gateway.routes import (
    alerts,
    costs,
    count_tokens,
    deploy,
    finetune,
    ml,
    ollama,
    traffic,
)
from daybook.gateway.routes.compliance import safety, subjects, trail
from daybook.gateway.routes.docs import page
from daybook.gateway.routes.openapi import describe
from daybook.providers.upstream import MODERATOR


def hot_routes(parts: Components) -> dict[str, App]:
    """The routes that ask a model, by path."""
    chat = ChatRoute(answerer=parts.answerer, auth=parts.auth, admission=parts.admission, log=parts.log)
    messages = ChatRoute(
        answerer=parts.answerer,
        auth=parts.auth,
        admission=parts.admission,
        log=parts.log,
        dialect=Messages(lambda model: parts.catalogue.kind(model) == "anthropic"),
    )
    embeddings = embeddings_route(answerer=parts.answerer, auth=parts.auth, admission=parts.admission, log=parts.log)
    hot: dict[str, App] = {PATH: chat, MESSAGES_PATH: messages, EMBEDDINGS_PATH: embeddings}
    for path, default in ((MODERATIONS_PATH, parts.default_moderator), (SAFETY_PATH, lambda: MODERATOR)):
        hot[path] = moderations_route(
            path, default=default, answerer=parts.answerer, auth=parts.auth, admission=parts.admission, log=parts.log
        )
    hot[RESPONSES_PATH] = responses_route(
        answerer=parts.answerer, auth=parts.auth, admission=parts.admission, log=parts.log
    )
    hot[BATCH_PATH] = batch_route(answerer=parts.answerer, auth=parts.auth, admission=parts.admission, log=parts.log)
    for path in (GENERATE, OLLAMA_CHAT):
        words = OllamaWords(path, lambda model: ollama.ollama_model(parts, model))
        hot[path] = ChatRoute(
            answerer=parts.answerer, auth=parts.auth, admission=parts.admission, log=parts.log, dialect=words
        )
    return hot


def build_app(parts: Components) -> App:
    """The application over `parts`."""
    hot, rest = hot_routes(parts), _rest(parts)

    async def dispatch(scope: Scope, receive: Receive, send: Send) -> None:
        route = hot.get(scope["path"]) if scope["type"] == "http" else None
        await (route or rest)(scope, receive, send)

    app = dispatch if parts.traces is None else parts.traces.follow(dispatch)
    app = allow_origins(app, parts.settings.origins)
    return RequestLog(app, clock=parts.clock, log=parts.log, count=parts.metrics.visited)


def _rest(parts: Components) -> FastAPI:
    app = FastAPI(
        title="Daybook", summary="An OpenAI-compatible endpoint that keeps a book.", docs_url=None, redoc_url=None
    )
    app.openapi = lambda: describe(app)  # type: ignore[method-assign]  # FastAPI's documented way to extend the schema

    async def admitted(request: Request) -> None:
        parts.auth.admit(dict(request.scope["headers"]))

    async def admitted_if_exposed(request: Request) -> None:
        if parts.auth.exposed:
            await admitted(request)

    key = Depends(admitted)

    @app.get("/v1/models", dependencies=[key])
    async def models() -> Response:
        """What can be asked for: the catalogue's models, and those that the upstreams serve now as `upstream/name`."""
        return _json(200, {"object": "list", "data": await parts.models.all()})

    @app.get("/v1/models/{model:path}", dependencies=[key])
    async def model(model: str) -> Response:
        """One model. 404 for one that nobody serves."""
        return _json(200, await parts.models.get(model))

    @app.head("/health/live", include_in_schema=False)
    @app.get("/health/live")
    async def live() -> Response:
        """The process answers."""
        return _json(200, {"status": "alive"})

    @app.head("/health/ready", include_in_schema=False)
    @app.get("/health/ready")
    async def ready() -> Response:
        """Calls can be answered and entered: 200, else 503. Each part with its state."""
        verdict = await parts.health.ready()
        return _json(503 if verdict.status == "unusable" else 200, {"status": verdict.status, "checks": verdict.checks})

    @app.get("/metrics", dependencies=[Depends(admitted_if_exposed)])
    def metrics() -> Response:
        """Figures for Prometheus. On an address that other machines can reach, with a key."""
        return Response(parts.metrics.text(), headers={"content-type": CONTENT_TYPE})

    app.include_router(ml.routes(parts))
    app.include_router(traffic.routes(parts), dependencies=[key])
    app.include_router(alerts.routes(parts), dependencies=[key])
    app.include_router(costs.routes(parts), dependencies=[key])
    app.include_router(ollama.routes(parts), dependencies=[key])
    app.include_router(count_tokens.routes(parts))

    @app.get("/docs", include_in_schema=False)
    def docs() -> Response:
        """What is answered here, for people."""
        return Response(page(describe(app)), media_type="text/html")

    app.include_router(dashboard.routes(parts))
    app.include_router(finetune.routes(parts.settings, parts.auth, parts.clock))
    app.include_router(deploy.routes(parts))
    app.include_router(trail.routes(parts))
    app.include_router(subjects.routes(parts))
    app.include_router(safety.routes(parts))

    @app.exception_handler(DaybookError)
    async def refused(request: Request, error: DaybookError) -> Response:
        if (reason := reason_to_mend(error)) is not None:
            parts.log.failed(reason, request_id=request.scope["visit"].request_id)
        return _error(request, error)

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> Response:
        first = error.errors()[0]
        param = str(first["loc"][-1])[:40]
        return _error(request, bad_request(f"{param}: {first['msg']}.", remedy="See /docs.", param=param))

    @app.exception_handler(HTTPException)
    async def http(request: Request, error: HTTPException) -> Response:
        return _error(request, _http_refusal(error))

    return app


def _http_refusal(error: HTTPException) -> Refusal:
    headers = [(name.lower().encode(), value.encode()) for name, value in (error.headers or {}).items()]
    if error.status_code == 404:
        return Refusal(404, "unknown_url", "Nothing is served at this URL.", remedy="See /docs for what is.")
    if error.status_code == 405:
        return Refusal(
            405, "method_not_allowed", "This URL does not take this method.", remedy="See /docs.", headers=headers
        )
    return Refusal(
        error.status_code, "http_error", "The request cannot be served.", remedy="See /docs.", headers=headers
    )


def _json(status: int, content: Any) -> Response:
    return Response(orjson.dumps(content), status_code=status, media_type="application/json")


def _error(request: Request, error: DaybookError) -> Response:
    response = error_response(error, request.scope["visit"].request_id)
    headers = {name.decode(): value.decode() for name, value in response.headers}
    return Response(response.body, status_code=response.status, headers=headers, media_type="application/json")
