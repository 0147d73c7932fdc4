"""Answers, chunks, lists and errors are what OpenAI's own OpenAPI document says they are."""

import json
import os
import urllib.error
import urllib.request
from pathlib import Path

import jsonschema
import pytest
import yaml

DATA = Path(os.environ.get("DAYBOOK_DATA") or Path(__file__).parents[3] / "shared" / "data")
CONTRACT = DATA / "contracts" / "openai.openapi.yaml"
HELLO = [{"role": "user", "content": "How are you?"}]

pytestmark = pytest.mark.skipif(not CONTRACT.is_file(), reason=f"no {CONTRACT}")


@pytest.fixture(scope="module")
def valid():
    """`valid(name, value)`: raises if `value` is not what the document calls `name`."""
    document = yaml.load(CONTRACT.read_bytes(), Loader=yaml.CSafeLoader)
    chunk = document["components"]["schemas"]["CreateChatCompletionStreamResponse"]
    reason = chunk["properties"]["choices"]["items"]["properties"]["finish_reason"]
    reason["type"] = [
        "string",
        "null",
    ]  # null until the last one: the document's own examples say so, its type does not
    reason["enum"].append(None)

    def check(name, value):
        schema = {"$ref": f"#/components/schemas/{name}", "components": document["components"]}
        jsonschema.Draft202012Validator(schema).validate(value)

    return check


def ask(endpoint, path, body=None):
    head = {"authorization": f"Bearer {endpoint.key.secret}", "content-type": "application/json"}
    data = None if body is None else json.dumps(body).encode()
    try:
        with urllib.request.urlopen(urllib.request.Request(endpoint.url + path, data, head), timeout=10) as answer:
            return answer.read()
    except urllib.error.HTTPError as error:
        return error.read()


def test_a_whole_answer_is_a_chat_completion(endpoint, valid):
    """CreateChatCompletionResponse."""
    valid(
        "CreateChatCompletionResponse",
        json.loads(ask(endpoint, "/v1/chat/completions", {"model": "good", "messages": HELLO})),
    )


@pytest.mark.parametrize("options", [{}, {"stream_options": {"include_usage": True}}])
def test_every_chunk_of_a_stream_is_a_chat_completion_chunk(endpoint, valid, options):
    """CreateChatCompletionStreamResponse, and [DONE] once, at the end."""
    body = {"model": "good", "messages": HELLO, "stream": True} | options
    events = ask(endpoint, "/v1/chat/completions", body).decode().removesuffix("\n\n").split("\n\n")
    assert events.pop() == "data: [DONE]"
    assert len(events) == 7 + len(options)
    for event in events:
        valid("CreateChatCompletionStreamResponse", json.loads(event.removeprefix("data: ")))


def test_the_list_of_models_is_a_list_of_models(endpoint, valid):
    """ListModelsResponse, and each one a Model."""
    valid("ListModelsResponse", json.loads(ask(endpoint, "/v1/models")))
    valid("Model", json.loads(ask(endpoint, "/v1/models/good")))


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/chat/completions", {}),
        ("/v1/chat/completions", {"model": "nobody", "messages": HELLO}),
        ("/v1/chat/completions", {"model": "busy", "messages": HELLO}),
        ("/v1/chat/completions", {"model": "down", "messages": HELLO, "stream": True}),
        ("/v1/models/nobody", None),
        ("/nowhere", None),
    ],
)
def test_every_refusal_is_an_error(endpoint, valid, path, body):
    """ErrorResponse."""
    valid("ErrorResponse", json.loads(ask(endpoint, path, body)))
