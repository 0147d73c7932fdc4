"""Ports are looked at before anything is started on them."""

import socket

import pytest

from daybook.errors import PortInUse
from daybook.press.schedule.keep_up import free_port


def test_a_port_that_is_held_is_refused_with_the_way_out():
    """With what is wrong and what to do; a free one is given as it was wanted."""
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        held = holder.getsockname()[1]
        with pytest.raises(PortInUse, match=f"Port {held} can't be listened on: .*--port 0 takes a free one"):
            free_port(held)
    assert free_port(held) == held


def test_any_port_is_one_that_no_other_socket_is_given_meanwhile():
    """Below those that the kernel hands out: what asks for no port by name never takes it before it is listened on."""
    ports = {free_port() for _ in range(50)}
    assert all(20_000 <= port < 32_768 for port in ports)
    assert len(ports) > 40
