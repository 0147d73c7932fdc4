"""Idle, slow and half-closed clients: none of them keeps anybody else out, and who can still read is answered."""

import asyncio
import http.client
import json
import resource
import socket
import subprocess
import sys
import urllib.parse
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime

import pytest

from daybook.clock import FixedClock
from daybook.gateway.http.connections import MOST, Connections, capacity
from daybook.gateway.http.protocol import MOST_HEAD
from daybook.gateway.logs import Log


class Client:
    """A connection that notes how it was closed."""

    def __init__(self):
        self.ends = []

    def let_go(self):
        self.ends.append("let go")

    def head_timed_out(self):
        self.ends.append("timed out")


@pytest.fixture
def lines():
    return []


@pytest.fixture
def connections(lines):
    clock = FixedClock(datetime(2026, 11, 20, 12, tzinfo=UTC))
    return Connections(Log(clock, lambda line: lines.append(json.loads(line))), most=3, patience=15.0)


def opened(connections, n, now=0.0):
    clients = [Client() for _ in range(n)]
    assert all(connections.opened(client, now) for client in clients)
    return clients


# ── who is let go ─────────────────────────────────────────────────────────────────────────────────────


def test_without_room_the_one_that_has_been_idle_longest_is_let_go(connections):
    """Idle counts from the end of the last answer, not from the opening."""
    first, second, third = opened(connections, 3)
    for client in (first, second, third):
        connections.busy(client)
    for client in (second, first):
        connections.idle(client)
    assert connections.opened(Client(), 1.0)
    assert (first.ends, second.ends, third.ends) == ([], ["let go"], [])
    assert len(connections) == 3


def test_who_has_sent_no_request_is_let_go_after_those_that_are_idle(connections):
    """First the idle ones, then the oldest whose head is awaited, never one with a request under way."""
    answered, silent, busy = opened(connections, 3)
    connections.busy(answered)
    connections.idle(answered)
    connections.busy(busy)
    assert connections.opened(Client(), 1.0)
    assert (answered.ends, silent.ends) == (["let go"], [])
    assert connections.opened(Client(), 1.0)
    assert (silent.ends, busy.ends) == (["let go"], [])


def test_where_every_connection_is_at_work_the_next_is_refused(connections, lines):
    """Nobody's request is cut off for a newcomer; the log says how many and out of how many, without an address."""
    clients = opened(connections, 3)
    for client in clients:
        connections.busy(client)
    assert not connections.opened(Client(), 1.0)
    assert [client.ends for client in clients] == [[], [], []]
    (line,) = lines
    assert (line["event"], line["level"]) == ("connections_exhausted", "warning")
    assert (line["open"], line["most"], line["let_go"], line["refused"]) == (3, 3, 0, 1)


def test_who_is_at_work_again_is_idle_no_more(connections):
    """A next request under way is not cut off for a newcomer, although its connection has rested before."""
    clients = opened(connections, 3)
    for client in clients:
        connections.busy(client)
        connections.idle(client)
        connections.busy(client)
    assert not connections.opened(Client(), 1.0)
    assert [client.ends for client in clients] == [[], [], []]


def test_exhaustion_is_logged_at_once_and_then_counted(connections, lines):
    """A flood writes a line each ten seconds, and every one that was let go is in one of them."""
    opened(connections, 3)
    for second in range(25):
        connections.opened(Client(), float(second))
    assert [line["let_go"] for line in lines] == [1, 10, 10]


def test_a_connection_that_closed_leaves_room(connections):
    """Whatever it was doing, and twice does no harm."""
    clients = opened(connections, 3)
    connections.busy(clients[0])
    connections.closed(clients[0])
    connections.closed(clients[0])
    connections.idle(clients[0])
    assert connections.opened(Client(), 1.0)
    assert [client.ends for client in clients] == [[], [], []]
    assert len(connections) == 3


# ── how long a head may take ──────────────────────────────────────────────────────────────────────────


def test_a_head_has_its_deadline_from_its_first_byte_on(connections, lines):
    """At the deadline it is over, a moment before it is not; more bytes do not postpone it."""
    (slow,) = opened(connections, 1)
    connections.head_begun(slow, 14.0)
    assert connections.expire(14.999) == 0
    assert slow.ends == []
    assert connections.expire(15.0) == 1
    assert slow.ends == ["timed out"]
    assert len(connections) == 0
    assert [(line["event"], line["connections"], line["seconds"]) for line in lines] == [("heads_timed_out", 1, 15.0)]


def test_who_is_idle_or_at_work_has_no_deadline(connections):
    """Only an awaited head has one; the next head of a kept connection has its own."""
    busy, idle = opened(connections, 2)
    connections.busy(busy)
    connections.busy(idle)
    connections.idle(idle)
    assert connections.expire(1_000.0) == 0
    connections.head_begun(idle, 1_000.0)
    assert connections.expire(1_014.0) == 0
    assert connections.expire(1_015.0) == 1
    assert (busy.ends, idle.ends) == ([], ["timed out"])


class Loop:
    """The two methods of an event loop that a watch uses, with a clock that is set by hand."""

    def __init__(self):
        self.now = 0.0
        self.timers = []

    def time(self):
        return self.now

    def call_later(self, delay, callback, *arguments):
        self.timers.append(asyncio.TimerHandle(self.now + delay, callback, arguments, self))
        return self.timers[-1]

    def get_debug(self):
        return False

    def _timer_handle_cancelled(self, handle):
        pass

    def turn(self):
        """Let the latest timer run out."""
        self.now = self.timers[-1].when()
        self.timers[-1]._run()


@pytest.mark.parametrize(("patience", "turn"), [(15.0, 1.0), (1.0, 1.0), (0.5, 0.5)])
def test_the_deadlines_are_looked_at_until_nobody_watches(patience, turn):
    """Once a second, or more often where the patience is short; who is overdue at a look is closed by it."""
    loop, client = Loop(), Client()
    connections = Connections(Log(FixedClock(datetime(2026, 11, 20, tzinfo=UTC)), lambda _: None), most=3)
    connections.unwatch()  # before it was watched: nothing to stop
    connections.patience = patience
    assert connections.opened(client, 0.0)
    connections.watch(loop)
    turns = round(patience / turn)
    for n in range(1, turns + 1):
        assert loop.timers[-1].when() == pytest.approx(n * turn)
        assert client.ends == []
        loop.turn()
    assert client.ends == ["timed out"]
    assert [timer.cancelled() for timer in loop.timers] == [False] * (turns + 1)
    connections.unwatch()
    assert loop.timers[-1].cancelled()


def test_a_head_has_fifteen_seconds_by_default(lines):
    """Unless told otherwise."""
    clock = FixedClock(datetime(2026, 11, 20, tzinfo=UTC))
    connections = Connections(Log(clock, lambda line: lines.append(json.loads(line))), most=1)
    assert connections.patience == 15.0
    assert connections.opened(Client(), 0.0)
    assert (connections.expire(14.999), connections.expire(15.0), connections.expire(15.0)) == (0, 1, 0)
    assert [line["event"] for line in lines] == ["heads_timed_out"]


def test_an_endpoint_without_room_logs_who_was_let_go_and_who_was_refused(connections, lines):
    """Each once, in the line in which it is counted, at ten seconds and not before."""
    first, second, third = opened(connections, 3)
    assert connections.opened(Client(), 0.0)
    for client in (second, third):
        connections.busy(client)
    newest = Client()
    assert connections.opened(newest, 1.0)  # in the place of the one that had come just before
    connections.busy(newest)
    assert not connections.opened(Client(), 9.999)
    assert not connections.opened(Client(), 10.0)
    assert [(line["open"], line["let_go"], line["refused"]) for line in lines] == [(3, 1, 0), (3, 1, 2)]
    assert first.ends == ["let go"]


def test_the_capacity_leaves_each_request_a_file_for_its_upstream():
    """Half of what is left of the files after those that are no connections; at least one, at most ten thousand."""
    assert capacity(1_024) == (1_024 - 64) // 2 == 480
    assert capacity(1_048_576) == MOST == 10_000
    assert capacity(20_064) == 10_000
    assert capacity(20_062) == 9_999
    assert capacity(64) == capacity(3) == 1


def test_the_endpoint_raises_its_file_limit_to_the_hard_one():
    """A soft limit of 256 becomes the hard limit."""
    program = (
        "import resource\nfrom daybook.gateway.http.connections import raise_file_limit\n"
        "hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]\n"
        "resource.setrlimit(resource.RLIMIT_NOFILE, (256, hard))\n"
        "expected = 40_000 if hard == resource.RLIM_INFINITY else hard\n"
        "print(raise_file_limit() == expected, resource.getrlimit(resource.RLIMIT_NOFILE) == (hard, hard))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["True", "True"]
    assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] > 0


# ── on the wire ───────────────────────────────────────────────────────────────────────────────────────


def connect(endpoint):
    where = urllib.parse.urlsplit(endpoint.url)
    return socket.create_connection((where.hostname, where.port), timeout=10)


def answer_of(connection, method="POST"):
    answer = http.client.HTTPResponse(connection, method=method)
    answer.begin()
    return answer.status, json.loads(answer.read())


def chat(endpoint, model="good", **more):
    body = json.dumps({"model": model, "messages": [{"role": "user", "content": "Hi"}], **more}).encode()
    head = (
        f"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n"
        f"authorization: Bearer {endpoint.key.secret}\r\ncontent-length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


@contextmanager
def many(endpoint, n, said=b""):
    with ExitStack() as stack:
        connections = [stack.enter_context(connect(endpoint)) for _ in range(n)]
        for connection in connections:
            connection.sendall(said)
        yield connections


@pytest.mark.parametrize("beginning", [b"", b"GET / HTT", b"GET /health HTTP/1.1\r\nhost: x\r\nx-slow: "])
def test_idle_and_dribbling_clients_shut_nobody_out(fresh, beginning):
    """Ten times as many as there is room for, without a key: the eleventh's call is answered, and a line says so."""
    with fresh(most=4) as endpoint, many(endpoint, 40, beginning):
        answer = endpoint.client().chat.completions.create(model="good", messages=[{"role": "user", "content": "Hi"}])
        assert answer.choices[0].message.content == "It is all quite well."
        line = next(line for line in endpoint.log if line["event"] == "connections_exhausted")
        assert line["most"] == 4


@pytest.mark.parametrize(
    "beginning", [b"G", b"POST /v1/chat/completions HTTP/1.1\r\n", b"GET / HTTP/1.1\r\nhost: x\r\na: b"]
)
def test_a_head_that_does_not_end_in_time_is_answered_408(fresh, beginning):
    """Wherever it stops."""
    with fresh(patience=0.1) as endpoint, connect(endpoint) as connection:
        connection.sendall(beginning)
        status, body = answer_of(connection)
        assert (status, body["error"]["code"]) == (408, "head_timeout")
        assert connection.recv(1) == b""


def test_a_connection_that_never_says_anything_is_closed_without_a_word(fresh):
    """There is no request to answer."""
    with fresh(patience=0.1) as endpoint, connect(endpoint) as connection:
        assert connection.recv(1) == b""


def test_a_kept_connection_may_rest_longer_than_a_head_may_take(fresh):
    """Two requests on one connection, with a head's whole patience between them."""
    with fresh(patience=0.1) as endpoint, connect(endpoint) as connection:
        connection.sendall(chat(endpoint))
        assert answer_of(connection)[0] == 200
        with connect(endpoint) as silent:
            assert silent.recv(1) == b""  # opened later than the answer came, and its patience is over
        connection.sendall(chat(endpoint))
        assert answer_of(connection)[0] == 200


@pytest.mark.parametrize("stream", [False, True])
def test_a_half_closed_client_gets_its_answer(endpoint, stream):
    """It has said all it will say, which is not hanging up: whole, and as a stream to its end."""
    with connect(endpoint) as connection:
        connection.sendall(chat(endpoint, stream=stream))
        connection.shutdown(socket.SHUT_WR)
        answer = http.client.HTTPResponse(connection, method="POST")
        answer.begin()
        text = answer.read().decode()
        assert answer.status == 200
        assert text.endswith("data: [DONE]\n\n") if stream else "It is all quite well." in text


def test_a_client_that_half_closes_before_its_request_is_whole_is_let_go(endpoint):
    """Nothing more can come: half a head and half a body."""
    for part in (b"POST /v1/chat", chat(endpoint)[:-5]):
        with connect(endpoint) as connection:
            connection.sendall(part)
            connection.shutdown(socket.SHUT_WR)
            assert connection.recv(1) == b""


@pytest.mark.parametrize(
    ("hosts", "says"),
    [("", "no Host"), ("host: a\r\nhost: b\r\n", "more than one"), ("Host: a\r\nHOST: a\r\n", "more")],
)
def test_a_request_names_one_host(endpoint, hosts, says):
    """HTTP/1.1 without one or with two is a 400 in OpenAI's shape, and nothing of it is carried out."""
    with connect(endpoint) as connection:
        connection.sendall(f"GET /health/live HTTP/1.1\r\n{hosts}x: y\r\n\r\n".encode() * 2)
        status, body = answer_of(connection)
        assert (status, body["error"]["code"]) == (400, "invalid_host")
        assert says in body["error"]["message"]
        assert connection.recv(1) == b""


def test_http_1_0_needs_no_host(endpoint):
    """It had none."""
    with connect(endpoint) as connection:
        connection.sendall(b"GET /health/live HTTP/1.0\r\n\r\n")
        assert answer_of(connection, "GET")[0] == 200


@pytest.mark.parametrize("extra", [0, 1, 100_000])
def test_the_head_limit_holds_in_one_write(endpoint, extra):
    """A head as long as the limit is served, one byte more is a 431, however it arrives."""
    head = b"GET /health/live HTTP/1.1\r\nhost: x\r\nx: "
    counted = len(b"/health/live") + len(b"hostx") + 4 + len(b"x") + 4
    with connect(endpoint) as connection:
        connection.sendall(head + b"a" * (MOST_HEAD - counted + extra) + b"\r\n\r\n")
        status, body = answer_of(connection, "GET")
        assert status == (431 if extra else 200), body


def test_a_head_may_be_as_long_as_the_limit_before_it_ends(endpoint):
    """One that comes in pieces is served when its end comes; a byte more without an end is a 431."""
    head = b"GET /health/live HTTP/1.1\r\nhost: x\r\nx: ".ljust(MOST_HEAD, b"a")
    for more, expected in ((b"\r\n\r\n", 200), (b"a", 431)):
        with connect(endpoint) as connection:
            connection.sendall(head)
            with connect(endpoint) as other:  # answered after what was sent before it was read
                other.sendall(b"GET /health/live HTTP/1.1\r\nhost: x\r\n\r\n")
                assert answer_of(other, "GET")[0] == 200
            connection.sendall(more)
            assert answer_of(connection, "GET")[0] == expected


def test_a_kept_connection_makes_room_for_the_next_client(fresh):
    """Once its answer is out it is idle: whoever comes has its place, and is served."""
    with fresh(most=1) as endpoint, connect(endpoint) as first:
        first.sendall(chat(endpoint))
        assert answer_of(first)[0] == 200
        with connect(endpoint) as second:
            second.sendall(chat(endpoint))
            assert answer_of(second)[0] == 200
            assert first.recv(1) == b""


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("half", [False, True])
def test_a_client_that_half_closed_and_then_hangs_up_is_noticed(endpoint, upstream, half, stream):
    """Nothing more is to be read from it, and still nobody goes on to work for it: the upstream is let go, and the
    call is in the book as closed by the client, once."""
    before, n = len(endpoint.book()), upstream.cancelled.count("silent")
    asked = len(upstream.seen)
    with connect(endpoint) as connection:
        connection.sendall(chat(endpoint, model="silent", stream=stream))
        if half:
            connection.shutdown(socket.SHUT_WR)
        endpoint.until(lambda: len(upstream.seen) > asked)
    endpoint.until(lambda: upstream.cancelled.count("silent") == n + 1)
    endpoint.until(lambda: len(endpoint.book()) > before)
    (row,) = endpoint.book()[before:]
    assert (row["status"], row["requested_model"], row["http_status"]) == ("client_closed", "silent", None)
