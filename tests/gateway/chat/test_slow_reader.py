"""A client that reads slowly, or not at all: nothing piles up for it, and nothing of its answer is lost."""

import http.client
import json
import urllib.parse

import openai
import pytest

from tests.gateway.conftest import FLOOD

HELLO = [{"role": "user", "content": "How are you?"}]


def settled(endpoint, upstream):
    """How many chunks the upstream got rid of, once they do not become more."""
    counts = [upstream.flooded]

    def stands():
        counts.append(upstream.flooded)
        return len(counts) > 100 and len(set(counts[-100:])) == 1

    endpoint.until(stands)
    return counts[-1]


def test_what_is_not_read_is_not_fetched(endpoint, upstream):
    """64 MB are streamed to a client that does not read: the upstream is held back while less than a half has come;
    others are answered meanwhile; read at last, every chunk is there, and the call is entered whole."""
    connection = http.client.HTTPConnection(urllib.parse.urlsplit(endpoint.url).netloc, timeout=60)
    body = json.dumps({"model": "flood", "messages": HELLO, "stream": True})
    headers = {"authorization": f"Bearer {endpoint.key.secret}", "content-type": "application/json"}
    connection.request("POST", "/v1/chat/completions", body, headers)
    answer = connection.getresponse()
    assert 0 < settled(endpoint, upstream) < FLOOD / 2
    assert endpoint.client().chat.completions.create(model="good", messages=HELLO).choices
    data = answer.read()
    connection.close()
    events = [json.loads(line[6:]) for line in data.splitlines() if line.startswith(b"data: {")]
    texts = [choice["delta"].get("content") or "" for event in events for choice in event["choices"]]
    assert sum(map(len, texts)) == FLOOD * 65_536 + len("It is all quite well.")
    assert data.endswith(b"data: [DONE]\n\n")
    (row,) = endpoint.until(
        lambda: [row for row in endpoint.book() if row["request_id"] == answer.headers["x-request-id"]]
    )
    assert (row["status"], row["finish_reason"], row["usage_reported"]) == ("ok", "stop", True)


def test_a_key_that_is_revoked_under_way_ends_no_answer_and_begins_none(endpoint):
    """The stream that it began is answered whole and booked on it; the next request is refused."""
    issued = endpoint.keys.create("leaver", actor="test")
    client = endpoint.client(issued.secret)
    stream = client.chat.completions.create(model="good", messages=HELLO, stream=True)
    chunks = iter(stream)
    first = next(chunks)
    endpoint.keys.revoke(issued.key.id, actor="test")
    text = "".join(chunk.choices[0].delta.content or "" for chunk in [first, *chunks] if chunk.choices)
    assert text == "It is all quite well."
    with pytest.raises(openai.AuthenticationError):
        client.chat.completions.create(model="good", messages=HELLO)
    rows = endpoint.until(lambda: [row for row in endpoint.book() if row["key_id"] == issued.key.id])
    assert [(row["status"], row["caller"]) for row in rows] == [("ok", "leaver")]
