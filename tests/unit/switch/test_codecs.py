"""The codecs that one leg's calls and answers take from another: VoxEngine's ``scheme``."""

from __future__ import annotations

import pytest

from fsctl.scenario import CallAlerting, Connected, Scenario
from fsctl.switch.codecs import Codecs, preferred

OFFERED = (
    "mod_opus.opus@48000h@20i@2c~useinbandfec=1; x=${system(reboot)},"
    "CORE_PCM_MODULE.PCMU@8000h@20i@64000b,"
    "CORE_PCM_MODULE.PCMA@8000h@20i@64000b,CORE_PCM_MODULE.PCMA@8000h@30i@64000b"
)


def test_a_scheme_is_what_was_offered_and_then_what_is_used() -> None:
    codecs = Codecs(OFFERED, "PCMA")
    assert codecs.scheme(answered=False) == "opus,PCMU,PCMA"
    assert codecs.scheme(answered=True) == "PCMA"
    assert Codecs("", "PCMU").scheme(answered=False) == "PCMU"
    assert Codecs(OFFERED).scheme(answered=True) == "opus,PCMU,PCMA"


@pytest.mark.parametrize(
    ("scheme", "wanted"),
    [
        ("PCMA", "PCMA@8000h@20i@64000b"),
        ("G722,pcma,opus", "PCMA@8000h@20i@64000b,opus@48000h@20i@2c"),
        ("G722", ""),
        ("", ""),
        ("PCMA PCMU,a=b,${x}", ""),
    ],
)
def test_only_what_the_leg_has_offered_is_agreed_on(scheme: str, wanted: str) -> None:
    assert Codecs(OFFERED).wanted(scheme) == wanted


def test_a_scheme_is_preferred_and_not_imposed() -> None:
    assert preferred("PCMA,PCMU@8000h") == {
        "originator_codec": "PCMA,PCMU",
        "media_mix_inbound_outbound_codecs": "true",
    }
    assert preferred("") == preferred("x y, {z}") == {}


def test_what_the_switch_is_told(stage) -> None:
    scenario, seen = Scenario(), []

    @scenario.on(CallAlerting)
    def alerting(inc: CallAlerting) -> None:
        seen.append(inc.scheme)
        callee = inc.session.call_user("1001", scheme=inc.scheme)

        @callee.on(Connected)
        def connected(out: Connected) -> None:
            seen.append(out.scheme)
            inc.call.answer(scheme="G722,PCMA")
            inc.session.send_media_between(inc.call, out.call)

    switch = stage(scenario)
    alice, bob = switch.phone("1000"), switch.phone("1001")
    alice.calls("1001")
    switch.until(lambda: alice.hears == "1001")
    assert seen == ["PCMU,PCMA", "PCMU"]
    called = bob.dialog.channel.variables
    assert called["originator_codec"] == "PCMU,PCMA"
    assert "absolute_codec_string" not in called
    assert alice.dialog.channel.variables["absolute_codec_string"] == "PCMA@8000h@20i@64000b"
