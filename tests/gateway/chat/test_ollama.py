"""Structured output through the served endpoint, with an Ollama behind it that can be made to call no tool."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import openai
import pytest
from pydantic import BaseModel

from daybook.providers import upstream
from daybook.providers.catalogue import Catalogue
from daybook.providers.registered.index import RegistryIndex
from tests.fakes.contracts import Contract
from tests.fakes.ollama_server import FakeOllama, Says
from tests.gateway.conftest import served, settings_in

ASKED = [{"role": "user", "content": "What is the weather in Oslo, in degrees?"}]


class Weather(BaseModel):
    """The sky over a city."""

    city: str
    degrees: int


TOOL = openai.pydantic_function_tool(Weather)
SAID = Says(chunks=('{"city": "Os', 'lo", "degrees": -3}'))


@pytest.fixture(scope="module")
def contract() -> Contract:
    return Contract.load("ollama.openapi.yaml")


@pytest.fixture
async def through_ollama(contract, tmp_path):
    """Runs `ask(client)` in a thread against an endpoint whose upstream is an Ollama that says this; also returns what
    Ollama was asked, and the calls in the book."""

    async def run(says: Says, ask: Any) -> tuple[Any, list[Any], list[dict[str, Any]]]:
        async with FakeOllama(contract) as fake:
            fake.script = [says]
            settings = settings_in(tmp_path)
            up = upstream.Upstream(name="ollama", kind="ollama", home=settings.home, base_url=fake.url, attempts=1)
            model = upstream.Model(name="llama", upstream="ollama", target="llama3.2")
            catalogue = Catalogue({"ollama": up}, {"llama": model}, registry=RegistryIndex(settings.home))
            with served(settings, catalogue) as endpoint:
                answer = await asyncio.to_thread(ask, endpoint.client())
                asked, calls = fake.asked("/api/chat"), await asyncio.to_thread(endpoint.book)
            assert fake.problems == []
        return answer, asked, calls

    return run


@pytest.mark.parametrize(
    "choice", ["required", {"type": "function", "function": {"name": "Weather"}}], ids=["required", "by name"]
)
async def test_a_forced_tool_is_parsed_by_the_official_client(through_ollama, choice):
    """Its arguments arrive as the object that they are; Ollama was asked for its schema, and offered no tool."""

    def ask(client: openai.OpenAI) -> Any:
        return client.chat.completions.parse(model="llama", messages=ASKED, tools=[TOOL], tool_choice=choice)

    answer, (asked,), (call,) = await through_ollama(SAID, ask)
    (made,) = answer.choices[0].message.tool_calls
    assert made.function.parsed_arguments == Weather(city="Oslo", degrees=-3)
    assert (made.function.name, answer.choices[0].finish_reason) == ("Weather", "tool_calls")
    assert answer.choices[0].message.content is None
    assert asked["format"] == TOOL["function"]["parameters"]
    assert "tools" not in asked
    assert (call["status"], call["finish_reason"], call["input_tokens"], call["output_tokens"]) == (
        "ok", "tool_calls", 26, 4,
    )  # fmt: skip


async def test_a_forced_tool_is_parsed_from_a_stream(through_ollama):
    """The client puts the pieces together: one call, its arguments whole."""

    def ask(client: openai.OpenAI) -> Any:
        with client.chat.completions.stream(
            model="llama", messages=ASKED, tools=[TOOL], tool_choice="required"
        ) as stream:
            return stream.get_final_completion()

    answer, _, (call,) = await through_ollama(SAID, ask)
    (made,) = answer.choices[0].message.tool_calls
    assert made.function.parsed_arguments == Weather(city="Oslo", degrees=-3)
    assert (call["stream"], call["status"], call["finish_reason"]) == (True, "ok", "tool_calls")


async def test_a_response_format_is_parsed_by_the_official_client(through_ollama):
    """The other way of structured output: the schema is the format, and the text is the object."""

    def ask(client: openai.OpenAI) -> Any:
        return client.chat.completions.parse(model="llama", messages=ASKED, response_format=Weather)

    answer, (asked,), _ = await through_ollama(SAID, ask)
    assert answer.choices[0].message.parsed == Weather(city="Oslo", degrees=-3)
    assert asked["format"]["properties"].keys() == {"city", "degrees"}


async def test_arguments_that_are_cut_off_are_no_finished_call(through_ollama):
    """The reason stays `length`, which the client raises; the book says so too."""

    def ask(client: openai.OpenAI) -> Any:
        with pytest.raises(openai.LengthFinishReasonError):
            client.chat.completions.parse(model="llama", messages=ASKED, tools=[TOOL], tool_choice="required")

    says = Says(chunks=('{"city": "Os',), done_reason="length")
    _, _, (call,) = await through_ollama(says, ask)
    assert (call["status"], call["finish_reason"]) == ("ok", "length")


async def test_a_tool_that_cannot_be_forced_is_refused_by_name(through_ollama):
    """Two tools and `required`: 400 on tool_choice, and Ollama is asked nothing."""
    other = {"type": "function", "function": {"name": "time"}}

    def ask(client: openai.OpenAI) -> Any:
        with pytest.raises(openai.BadRequestError) as caught:
            client.chat.completions.create(model="llama", messages=ASKED, tools=[TOOL, other], tool_choice="required")
        return caught.value

    error, asked, (call,) = await through_ollama(SAID, ask)
    assert (error.param, asked) == ("tool_choice", [])
    assert json.loads(error.response.content)["error"]["type"] == "invalid_request_error"
    assert (call["status"], call["http_status"]) == ("error", 400)
