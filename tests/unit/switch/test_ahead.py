"""What is asked of a transfer with its claim, and what a fresh leg need not be told."""

from __future__ import annotations

import json

import gevent
import pytest

from fsctl.esl.commands import UuidGetvar
from fsctl.esl.events import Event
from fsctl.session.calling.arming import changed
from fsctl.switch.ahead import Ahead
from fsctl.switch.marks import Mark
from fsctl.switch.timers import timed
from fsctl.switch.variables import is_gone, read_several
from tests.unit.esl.peer import api, event, linked, reply, snapshot

TE, TR = "te", "tr"
KNOWN = {
    "Call-Direction": "outbound",
    "variable_direction": "inbound",
    "variable_sip_from_user": "a%41${x}",
    "variable_transfer_history": ["1", "2"],
}
ASKED = ("linger", "filter Unique-ID te", "filter Unique-ID tr", "event plain")


def asked_of(transferor: str) -> tuple[Ahead, list[str], list[str | None], list[str]]:
    """Claim a leg whose transferor is so known; what was read, and heard, afterwards."""
    heard: list[str] = []
    with linked() as (link, peer):
        ahead = Ahead(link, _snapshot())
        claimed = gevent.spawn(ahead.claim, stranger=True)
        peer.expect("api sched_del claim-te", api("+OK Deleted: 1"))
        for command in ASKED:
            assert peer.command().startswith(command)
            peer.send(reply(), event("CHANNEL_HANGUP", Unique_ID=command))
        peer.expect("api uuid_dump tr json", api(transferor))
        peer.expect("api uuid_getvar te sip_refer_to", api("<sip:%41@b>"))
        assert claimed.get()
        ahead.replay(lambda told: heard.append(told.channel_uuid or ""))
        names = ("direction", "sip_from_user", "transfer_history", "fsctl_kept")
        values = read_several(ahead, TR, *names)
        values += read_several(ahead, TE, "sip_refer_to", "sip_h_Referred-By")
        gone = is_gone(ahead.send_all([UuidGetvar(TR, "x")])[0])
        return ahead, [str(gone)], values, heard


def _snapshot() -> Event:
    """With a Refer-To, and without a Referred-By, which is not asked for."""
    of_refer = {"variable_blind_transfer_uuid": TR, "variable_sip_refer_to": "<sip:A@b>"}
    told = snapshot(TE, variable_fsctl_claimable="true", **of_refer)
    return Event(told.partition(b"\n\n")[0])


def test_all_of_it_goes_out_at_once_and_is_known_exactly() -> None:
    ahead, gone, values, heard = asked_of(json.dumps(KNOWN))
    assert values == ["outbound", "a%41${x}", "ARRAY::1|:2", None, "<sip:%41@b>", None]
    assert gone == ["False"]
    assert heard == list(ASKED), "what has come meanwhile"
    assert [each.value for each in ahead.filters] == [TE, TR]


def test_a_transferor_that_has_gone_is_asked_nothing_more() -> None:
    _, gone, values, _ = asked_of("-ERR No such channel!\n")
    assert gone == ["True"]
    assert values[:4] == [None] * 4


@pytest.mark.parametrize(
    ("wanted", "has", "told"),
    [
        ({"a": "x", "b": ""}, {}, {"a": "x"}),
        ({"a": "x", "b": ""}, {"a": "x", "b": "y"}, {"b": ""}),
        ({"a": "x"}, {"a": "y"}, {"a": "x"}),
        # of text from outside a snapshot is not exact
        ({Mark.NAME: "A", Mark.TRANSFEROR_NAME: ""}, {Mark.NAME: "A"}, {Mark.NAME: "A"}),
    ],
)
def test_a_fresh_leg_is_told_what_it_has_not_got(wanted, has, told) -> None:
    lines = "".join(f"variable_{name}: {value}\n" for name, value in has.items())
    assert changed(wanted, Event(lines.encode())) == told


@pytest.mark.parametrize(("text", "seconds"), [("80", 79.0), ("", None), ("soon", None)])
def test_an_older_dialplan_has_armed_no_timers(text: str, seconds: float | None) -> None:
    assert timed(Event(f"variable_fsctl_timed: {text}\n".encode())) == seconds


@pytest.mark.parametrize("text", ["[" * 100_000, '{"x": '])
def test_an_answer_that_cannot_be_read_is_asked_for(text: str) -> None:
    with linked() as (link, peer):
        ahead = Ahead(link, _snapshot())
        claimed = gevent.spawn(ahead.claim, stranger=True)
        for answer in (*[reply()] * 5, api(text), api("_undef_")):
            peer.command()
            peer.send(answer)
        assert claimed.get()
        asked = gevent.spawn(read_several, ahead, TR, "x")
        peer.expect("api uuid_getvar tr x", api("y"))
        assert asked.get() == ["y"]
