"""Whose a leg is that has dialled us: a late controller lets go of what has been sent on."""

from __future__ import annotations

import gevent
import pytest
from gevent import socket

from fsctl.esl.server import EslServer
from fsctl.scenario.session import Sessions
from fsctl.session.arrivals.switchboard import Switchboard
from fsctl.settings import Settings
from tests.unit.esl.peer import Peer, api, reply, snapshot

HOME = "127.0.0.1:{}"
REFERRED = {"Caller_Context": "fsctl_refer", "Caller_Destination_Number": "1002"}
SENT_ON = {"Caller_Context": "fsctl_rescue", "Caller_Destination_Number": "unclaimed"}


@pytest.fixture
def dial():
    """FreeSWITCH dials; the board's home is the server's own address."""
    boards: list[Switchboard] = []
    server = EslServer(("127.0.0.1", 0), lambda link, it: boards[0].handle(link, it))
    boards.append(Switchboard(Settings(), HOME.format(server.address[1]), Sessions()))
    server.start()

    def open_link(**variables: str) -> Peer:
        peer = Peer(socket.create_connection(server.address))
        home = HOME.format(server.address[1])
        texts = {name: text.replace("HOME", home) for name, text in variables.items()}
        peer.expect("connect", snapshot("u1", variable_fsctl_claimable="true", **texts))
        return peer

    yield open_link
    server.stop()
    assert not boards[0].sessions


def expect_kept(peer: Peer) -> None:
    """The link is silenced and stays open: its end would end what holds the leg by now."""
    peer.expect("noevents", reply())
    peer.expect("nolinger", reply())
    with pytest.raises(TimeoutError), gevent.Timeout(0.02, TimeoutError()):
        peer.command()


def test_what_its_timer_has_sent_on_is_let_be(dial) -> None:
    peer = dial(**REFERRED)
    peer.expect("api sched_del claim-u1", api("+OK Deleted: 0"))
    for asked in ("linger", "filter Unique-ID u1", "event plain"):
        assert peer.command().startswith(asked)
        peer.send(reply())
    expect_kept(peer)
    peer.close()


@pytest.mark.parametrize(
    "late",
    [
        {"variable_fsctl_unclaimed": "HOME", "Caller_RDNIS": "1002"},
        {"variable_fsctl_unclaimed": "10.0.0.9:8084", "Caller_RDNIS": "any"},
        {"Caller_RDNIS": "rescue", "variable_sip_refer_to": "<sip:1002@example.org>"},
    ],
    ids=["its time was up", "sent on again", "sent on from the rescue"],
)
def test_the_timer_of_who_was_asked_next_is_not_deleted(dial, late) -> None:
    peer = dial(**SENT_ON, **late)
    expect_kept(peer)
    peer.close()


@pytest.mark.parametrize(
    "ours",
    [
        {"variable_fsctl_unclaimed": "10.0.0.9:8084", "Caller_RDNIS": "1002"},
        {"Caller_RDNIS": "any", "variable_sip_refer_to": "<sip:any@example.org>"},
    ],
    ids=["another's time was up", "a user of that name"],
)
def test_who_is_asked_next_claims_it(dial, ours) -> None:
    peer = dial(**SENT_ON, **ours)
    peer.expect("api sched_del claim-u1", api("+OK Deleted: 1"))
    assert peer.command().startswith("linger")
    peer.close()
