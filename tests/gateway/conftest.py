"""A real endpoint on a free port over a real (if small) upstream that misbehaves on request."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import pytest
from aiohttp import web
from openai import OpenAI

from daybook.access.keys import Issued, Keys
from daybook.book import Book
from daybook.gateway.components import Components, build
from daybook.gateway.http.listen import bind, url_of
from daybook.gateway.server import Server
from daybook.providers import upstream as upstreams
from daybook.providers.catalogue import Catalogue
from daybook.providers.registered.index import RegistryIndex
from daybook.settings import Settings
from tests.fakes.anthropic_server import FakeAnthropic
from tests.fakes.serving import Fake

WORDS = ("It ", "is ", "all ", "quite ", "well.")
MODELS = """\
upstreams:
  local: {{kind: echo}}   # no embedded model is started
  fake:
    kind: openai
    base_url: {url}
    api_key_env: FAKE_KEY
models:
{models}"""
BEHAVIOURS = (
    "good",
    "endless",
    "silent",
    "broken",
    "refuses",
    "busy",
    "bad",
    "down",
    "long",
    "uncounted",
    "gone",
    "raw",
    "flaky",
    "flood",
)
FLOOD = 1_000
"""Chunks of a flood."""


class Upstream:
    """An OpenAI-compatible server in a thread; the model's name says how it behaves. `seen`: bodies received;
    `cancelled`: models whose caller hung up on us."""

    def __init__(self) -> None:
        self.seen: list[dict[str, Any]] = []
        self.bytes: list[bytes] = []
        """The same bodies as they came."""
        self.cancelled: list[str] = []
        self.raw = b""
        """What the model `raw` answers, whether a stream was asked for or not."""
        self.refusal: tuple[int, dict[str, str]] | None = None
        """The status and headers of that answer, where it is a refusal."""
        self.flaked = 0
        """Requests for the model `flaky`, of which each fifth fails."""
        self.flooded = 0
        """Chunks of the flood under way that it got rid of."""
        self.limits: dict[str, str] = {}
        """Headers of the answers of the model `good`."""
        self.url = ""
        self._loop = asyncio.new_event_loop()
        self._up = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> None:
        self._thread.start()
        assert self._up.wait(10)

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        app = web.Application()
        app.router.add_post("/v1/chat/completions", self._chat)
        app.router.add_get("/v1/models", self._models)
        runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=0.1)
        self._loop.run_until_complete(runner.setup())
        self._loop.run_until_complete(web.TCPSite(runner, "127.0.0.1", 0).start())
        self.url = f"http://127.0.0.1:{runner.addresses[0][1]}/v1"
        self._up.set()
        self._loop.run_forever()
        self._loop.run_until_complete(runner.cleanup())
        self._loop.close()

    async def _models(self, request: web.Request) -> web.Response:
        return web.json_response({"object": "list", "data": [{"id": "good", "object": "model"}, {"id": "extra"}]})

    async def _chat(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        self.seen.append(body)
        self.bytes.append(await request.read())
        model = body["model"]
        try:
            return await self._behave(model, body, request)
        except (asyncio.CancelledError, ConnectionResetError):
            self.cancelled.append(model)
            raise

    async def _behave(self, model: str, body: dict[str, Any], request: web.Request) -> web.StreamResponse:
        refusals = {
            "refuses": (401, "Incorrect API key provided: sk-upstream-secret", "invalid_api_key", {}),
            "busy": (429, "Rate limit reached", "rate_limit_exceeded", {"retry-after": "0"}),
            "bad": (400, "Unsupported value: 'frobnicate'", "unsupported_value", {}),
            "down": (500, "Traceback: sk-upstream-secret", None, {"retry-after": "0"}),
            "long": (400, "maximum context length is 10 tokens", "context_length_exceeded", {}),
            "gone": (404, "The model `gone` does not exist", "model_not_found", {}),
        }
        if model == "flaky":
            self.flaked += 1
            model = "good" if self.flaked % 5 else "down"
        if model in refusals:
            status, message, code, headers = refusals[model]
            error = {"message": message, "type": "x", "param": None, "code": code}
            return web.json_response({"error": error}, status=status, headers=headers)
        if model == "silent":
            await asyncio.Event().wait()
        if model == "raw":
            kind = "text/event-stream" if body.get("stream") else "application/json"
            if self.refusal is not None:
                status, headers = self.refusal
                return web.Response(body=self.raw, content_type="application/json", status=status, headers=headers)
            return web.Response(body=self.raw, content_type=kind)
        usage = {"prompt_tokens": 12, "completion_tokens": 5, "total_tokens": 17}
        if not body.get("stream"):
            message = {"role": "assistant", "content": "".join(WORDS), "refusal": None}
            choice = {"index": 0, "message": message, "finish_reason": "stop", "logprobs": None}
            answer = {"id": "c1", "object": "chat.completion", "created": 1, "model": f"{model}-1", "choices": [choice]}
            counted = {} if model == "uncounted" else {"usage": usage}
            return web.json_response(answer | counted, headers=self.limits if model == "good" else {})
        return await self._stream(model, body, request, usage)

    async def _stream(self, model: str, body: dict[str, Any], request: web.Request, usage: Any) -> web.StreamResponse:
        limits = self.limits if model == "good" else {}
        response = web.StreamResponse(headers={"content-type": "text/event-stream", **limits})
        await response.prepare(request)

        async def say(choices: list[Any], **more: Any) -> None:
            head = {"id": "c1", "object": "chat.completion.chunk", "created": 1, "model": f"{model}-1"}
            await response.write(b"data: " + json.dumps(head | {"choices": choices} | more).encode() + b"\n\n")

        async def delta(content: dict[str, Any], finish: str | None = None) -> None:
            await say([{"index": 0, "delta": content, "finish_reason": finish}])

        await delta({"role": "assistant", "content": ""})
        if model == "endless":
            while True:
                await delta({"content": "on "})
                await asyncio.sleep(0.01)
        if model == "flood":
            for self.flooded in range(1, FLOOD + 1):
                await delta({"content": "x" * 65_536})
        for i, word in enumerate(WORDS):
            await delta({"content": word})
            if model == "broken" and i == 2:
                assert request.transport is not None
                await asyncio.sleep(0.05)
                request.transport.abort()
                await asyncio.sleep(0)
                return response
        await delta({}, "stop")
        if body.get("stream_options", {}).get("include_usage") and model != "uncounted":
            await say([], usage=usage)
        await response.write(b"data: [DONE]\n\n")
        return response


@dataclass
class Endpoint:
    """An endpoint served from a thread of the test's own process."""

    settings: Settings
    parts: Components
    server: Server
    url: str
    key: Issued
    lines: list[bytes]
    thread: threading.Thread = field(init=False)

    def client(self, key: str | None = None, **options: Any) -> OpenAI:
        return OpenAI(base_url=f"{self.url}/v1", api_key=key or self.key.secret, max_retries=0, timeout=20, **options)

    @property
    def keys(self) -> Keys:
        return Keys(self.settings.home / "keys.json")

    @property
    def log(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.lines]

    def book(self) -> list[dict[str, Any]]:
        """The calls in the book, oldest first, as they were said; drained by a reader of its own."""
        book = Book(self.settings.book_url, self.settings.home, vault=self.settings.vault)
        try:
            return book.content(book.rows("select * from calls order by time, id")).rows
        finally:
            book.close()

    def until(self, there: Callable[[], Any], seconds: float = 60.0) -> Any:
        """What `there()` returns as soon as that is something."""
        return wait_until(there, seconds)

    def stop(self) -> None:
        self.server.should_exit = True
        self.thread.join(15)
        assert not self.thread.is_alive()


def wait_until(there: Callable[[], Any], seconds: float = 60.0) -> Any:
    deadline = time.monotonic() + seconds
    while not (found := there()):
        assert time.monotonic() < deadline, f"not there after {seconds:g} s"
        time.sleep(0.01)
    return found


def settings_in(folder: Path, **changes: Any) -> Settings:
    env = {
        "DAYBOOK_HOME": str(folder / "home"),
        "DAYBOOK_REPORTS": str(folder / "reports"),
    } | {name: str(value) for name, value in changes.items()}
    return Settings.from_env(env, cwd=folder)


def catalogue_over(url: str, home: Path) -> Catalogue:
    """The fake upstream alone, with a model for each behaviour: no embedded model is started."""
    fake = upstreams.Upstream(name="fake", kind="openai", home=home, base_url=url, api_key="sk-ours", attempts=2)
    models = {name: upstreams.Model(name=name, upstream="fake", target=name) for name in BEHAVIOURS}
    return Catalogue({"fake": fake}, models, registry=RegistryIndex(home))


@contextlib.contextmanager
def served(
    settings: Settings,
    models: Catalogue,
    *,
    exposed: bool = False,
    drain_every: float = 3600,
    watch_every: float = 3600,
    grace: float = 5.0,
    env: Mapping[str, str] | None = None,
    **limits: Any,
) -> Iterator[Endpoint]:
    lines: list[bytes] = []
    key = Keys(settings.home / "keys.json").create("ada", actor="test")
    parts = build(
        settings,
        exposed=exposed,
        write=lines.append,
        catalogue=models,
        env=env,
        drain_every=drain_every,
        watch_every=watch_every,
    )
    up = threading.Event()
    sock = bind("127.0.0.1", 0)
    server = Server(parts, sock, ready=lambda _url: up.set(), grace=grace, **limits)
    endpoint = Endpoint(settings, parts, server, url_of(sock), key, lines)
    endpoint.thread = threading.Thread(target=server.serve_until_stopped, daemon=True)
    endpoint.thread.start()
    try:
        assert up.wait(15)
        yield endpoint
    finally:
        endpoint.stop()


@pytest.fixture(scope="session")
def upstream() -> Iterator[Upstream]:
    fake = Upstream()
    fake.start()
    yield fake
    fake.stop()


AnyFake = TypeVar("AnyFake", bound=Fake)


@contextlib.contextmanager
def in_a_thread(fake: AnyFake) -> Iterator[AnyFake]:
    """A fake upstream that serves from a thread of its own."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    asyncio.run_coroutine_threadsafe(fake.__aenter__(), loop).result(10)
    try:
        yield fake
    finally:
        asyncio.run_coroutine_threadsafe(fake.__aexit__(), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)


@pytest.fixture(scope="module")
def claude() -> Iterator[FakeAnthropic]:
    """A fake Anthropic in a thread of its own."""
    with in_a_thread(FakeAnthropic()) as fake:
        yield fake
    assert fake.problems == []


@pytest.fixture(scope="module")
def endpoint(upstream: Upstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Endpoint]:
    """One endpoint for the tests of a module: they look at their own request ids only."""
    settings = settings_in(tmp_path_factory.mktemp("endpoint"))
    with served(settings, catalogue_over(upstream.url, settings.home)) as running:
        yield running


@pytest.fixture
def fresh(upstream: Upstream, tmp_path: Path) -> Callable[..., contextlib.AbstractContextManager[Endpoint]]:
    """An endpoint of a test's own: `with fresh() as endpoint`."""

    def start(**options: Any) -> contextlib.AbstractContextManager[Endpoint]:
        settings = settings_in(tmp_path, **options.pop("env", {}))
        models = catalogue_over(options.pop("upstream_url", upstream.url), settings.home)
        return served(settings, models, **options)

    return start


@pytest.fixture
def own_process(upstream: Upstream, tmp_path: Path) -> Callable[..., Any]:
    """Environment for an endpoint in a process of its own, over the fake upstream."""
    settings = settings_in(tmp_path)
    settings.home.mkdir(parents=True, mode=0o700)
    models = "".join(f"  {name}: {{upstream: fake}}\n" for name in BEHAVIOURS)
    settings.models.write_text(MODELS.format(url=upstream.url, models=models))
    env = {name: value for name, value in os.environ.items() if not name.startswith("DAYBOOK_")}
    return lambda **more: (settings, env | {"DAYBOOK_HOME": str(settings.home), "FAKE_KEY": "sk-ours"} | more)
