"""fsctl.service.ports: the shared address and the private ones."""

from __future__ import annotations

import pytest
from gevent import socket

from fsctl.errors import SettingsError
from fsctl.esl.sockets import address_of
from fsctl.service.ports import dialled_host, private_port, public_listener, split
from fsctl.settings import Server


@pytest.mark.parametrize(
    ("address", "parts"),
    [("127.0.0.1:8084", ("127.0.0.1", 8084)), ("[::1]:0", ("::1", 0)), ("h:1", ("h", 1))],
)
def test_split(address, parts) -> None:
    assert split(address) == parts


def test_freeswitch_dials_the_host_of_home() -> None:
    assert dialled_host(Server(listen="0.0.0.0:8084", home="pbx:8084")) == "pbx"
    assert dialled_host(Server(listen="127.0.0.2:0", home="")) == "127.0.0.2"


def test_a_free_port_at_the_host_of_listen() -> None:
    server = Server(listen="127.0.0.1:0", home="pbx:8084")
    one, other = private_port(server), private_port(server)
    assert one.home == f"pbx:{address_of(one.listener)[1]}" != other.home
    for each in (one, other):
        assert address_of(each.listener)[0] == "127.0.0.1"
        each.close()


def test_none_of_the_configured_ones_is_free() -> None:
    with public_listener(Server(listen="127.0.0.1:0", home="")) as taken:
        port = address_of(taken)[1]
        server = Server(listen="127.0.0.1:0", home="", home_ports=(port, port))
        with pytest.raises(SettingsError, match=f"none of {port}-{port} is free at 127.0.0.1"):
            private_port(server)


def test_a_taken_address_is_an_error() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(OSError):
        public_listener(Server(listen=f"127.0.0.1:{taken.getsockname()[1]}"))
