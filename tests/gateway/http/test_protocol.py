"""What an answer writes to its connection."""

from daybook.gateway.http.protocol import HeadWithBody

HEAD = b"HTTP/1.1 200 OK\r\n\r\n"


class Transport:
    """Notes what is written, and whether it was closed."""

    def __init__(self):
        self.done = []
        self.closed = False

    def write(self, data):
        self.done.append(data)

    def is_closing(self):
        return self.closed

    def close(self):
        self.closed = True


def test_the_head_goes_out_with_the_first_of_the_body_and_the_rest_as_it_comes():
    """Two writes become one; an empty body does not hold the head back."""
    for first in (b"body", b""):
        connection = Transport()
        answer = HeadWithBody(connection)
        answer.write(HEAD)
        assert connection.done == []
        answer.write(first)
        answer.write(b"more")
        assert connection.done == [HEAD + first, b"more"]


def test_an_interim_response_waits_for_nothing():
    """A client that waits for 100 Continue sends no body before it has it."""
    connection = Transport()
    answer = HeadWithBody(connection)
    answer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
    assert connection.done == [b"HTTP/1.1 100 Continue\r\n\r\n"]
    answer.write(HEAD)
    answer.write(b"body")
    assert connection.done[1:] == [HEAD + b"body"]


def test_a_head_whose_body_never_came_is_written_before_the_connection_closes():
    """Once, and never what was written already; whether it closes is the connection's word."""
    connection = Transport()
    answer = HeadWithBody(connection)
    answer.write(HEAD)
    assert not answer.is_closing()
    answer.close()
    answer.close()
    assert (connection.done, connection.closed, answer.is_closing()) == ([HEAD], True, True)
    other = Transport()
    answer = HeadWithBody(other)
    answer.write(HEAD)
    answer.write(b"body")
    answer.close()
    assert other.done == [HEAD + b"body"]
