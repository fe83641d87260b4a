"""The scheme of one leg in the answer of another: what the phones' SDP says.

The laboratory's profile knows PCMU only and negotiates at once; this file has a switch of its own.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from tests.live.lab import Controllers, Phones, Switch, sipp_script, switch_conf
from tests.live.lab.settings import sections

SCENARIO = """
from fsctl.scenario import *
scenario = Scenario()

@scenario.on(CallAlerting)
def alerting(inc):
    print("OFFERED", inc.scheme, flush=True)
    out_call = inc.session.call_user("1001", scheme=inc.scheme)

    @out_call.on(Connected)
    def connected(out):
        print("AGREED", out.scheme, flush=True)
        inc.call.answer(scheme={answer})
        inc.session.send_media_between(inc.call, out.call)
"""
CODECS = {"2000": (0, 8), "1001": (8,)}
"""Alice offers PCMU and PCMA, Bob answers with PCMA alone."""


@pytest.fixture(scope="module")
def late_switch() -> Iterator[Switch]:
    """It negotiates when it answers, as FreeSWITCH's own configuration has it."""
    made = switch_conf._sofia
    at_once = '<param name="inbound-late-negotiation" value="false"/>'
    late = at_once.replace("false", "true")

    def sofia(plan: switch_conf.SwitchPlan) -> str:
        text = made(plan).replace('value="PCMU"', 'value="PCMU,PCMA"')
        assert at_once in text
        return text.replace(at_once, late)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(switch_conf, "_sofia", sofia)
        switch = Switch()
        try:
            yield switch.start()
        finally:
            switch.stop()


@pytest.fixture
def phones(late_switch: Switch, monkeypatch: pytest.MonkeyPatch) -> Iterator[Phones]:
    made = sipp_script.sdp_lines

    def sdp_lines(script: sipp_script.Script, direction: str) -> tuple[str, ...]:
        codecs = CODECS[script.phone.number]
        lines = "\n".join(made(script, direction))
        lines = lines.replace("RTP/AVP 0", "RTP/AVP " + " ".join(map(str, codecs)))
        maps = [f"a=rtpmap:{each} {'PCMU' if each == 0 else 'PCMA'}/8000" for each in codecs]
        return tuple(lines.replace("a=rtpmap:0 PCMU/8000", "\n".join(maps)).split("\n"))

    monkeypatch.setattr(sipp_script, "sdp_lines", sdp_lines)
    phones = Phones(late_switch)
    yield phones
    phones.hang_up()
    assert not phones.finish()


@pytest.fixture
def serve(late_switch: Switch) -> Iterator[Controllers]:
    made = Controllers(late_switch)
    yield made
    assert not made.finish()


def audio(message: object) -> list[str]:
    """The payload types of a message's SDP, without that of keys."""
    (found,) = re.findall(r"^m=audio \d+ RTP/AVP ([\d ]+)", message.body, re.MULTILINE)
    return [each for each in found.split() if each != "101"]


@pytest.mark.parametrize(("answer", "agreed"), [("out.scheme", ["8"]), ('""', ["0"])])
def test_the_caller_is_answered_with_the_codec_of_the_called_party(
    serve, late_switch, phones, answer, agreed
):
    served = serve(sections(late_switch), scenario=SCENARIO.format(answer=answer))
    bob = phones.party("1001").answers()
    alice = phones.caller("2000", "1001")
    alice.wait_talking()
    bob.wait_talking()
    assert audio(bob.received("INVITE")[0])[:2] == ["0", "8"]
    assert audio(alice.received(200)[0])[:1] == agreed
    served.wait_log("OFFERED PCMU,PCMA")
    served.wait_log("AGREED PCMA")
    alice.hangs_up()
    bob.wait_over()  # she may have left in the very moment of the join
