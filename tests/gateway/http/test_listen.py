"""The address is taken first, and what is wrong with it is said at once."""

import os
import socket

import pytest

from daybook.errors import BadParameter, PortInUse
from daybook.gateway.http.listen import bind, is_loopback, url_of


def test_a_port_in_use_names_the_port_the_holder_and_another():
    """The message has the number, the process that holds it, and a command that will do."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(PortInUse) as caught:
            bind("127.0.0.1", port)
    assert f"Port {port} on 127.0.0.1 is in use by process {os.getpid()}" in str(caught.value)
    assert f"--port {port + 1}" in str(caught.value)


def test_port_nought_takes_a_free_one():
    """The URL names the port that was taken."""
    with bind("127.0.0.1", 0) as sock:
        port = sock.getsockname()[1]
        assert port > 0
        assert url_of(sock) == f"http://127.0.0.1:{port}"


@pytest.mark.parametrize(("host", "port"), [("no-such-host.invalid", 0), ("192.0.2.1", 0), ("127.0.0.1", 70000)])
def test_an_address_that_is_not_ours_is_refused(host, port):
    """A name nobody knows, an address of another machine, a port beyond the last: usage errors."""
    with pytest.raises(BadParameter):
        bind(host, port)


@pytest.mark.parametrize(
    ("host", "only_here"),
    [("127.0.0.1", True), ("127.8.8.8", True), ("localhost", True), ("::1", True), ("0.0.0.0", False), ("::", False)],
)
def test_loopback_is_told_from_what_others_can_reach(host, only_here):
    """0.0.0.0 and :: are every interface, so they are exposed."""
    assert is_loopback(host) is only_here
