"""fsctl.hep.masking: no secret is left, and nothing else is touched."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fsctl.hep.masking import mask
from tests.unit.hep.messages import sip

SECRET = "5ecre7"
DIGEST = f'Digest username="bob", nonce="n1", uri="sip:h", response="{SECRET}", algorithm=MD5'


def invite(*more: str, body: str = "", start: str = "INVITE sip:1002@h", cseq: str = "") -> bytes:
    return sip(start, body, more=more, cseq=cseq)


@pytest.mark.parametrize(
    "text",
    [
        invite(f"Authorization: {DIGEST}"),
        invite(f"PROXY-AUTHORIZATION :{DIGEST}"),
        invite(f'Authorization: Digest username="bob",\r\n response = "{SECRET}",\r\n\tcnonce=9'),
        invite(f'Authorization: Digest response="{SECRET}'),
        invite(f"Authorization: Basic {SECRET}"),
        invite(f"Authorization: Bearer {SECRET}, {SECRET}\r\n {SECRET}"),
        invite(f"Authorization: {SECRET}"),
        invite(f"Authentication-Info: nextnonce=1, rspauth={SECRET}"),
        invite(f"Contact: <sip:bob:{SECRET}@h>"),
        invite(f"Refer-To: <sip:1003@h?Proxy-Authorization=Digest%20{SECRET}>"),
        invite(start=f"INVITE sip:bob:{SECRET}@h"),
        invite(body=f"v=0\r\na=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:{SECRET}|2^20|1:4\r\n"),
        invite(body=f"v=0\r\na=crypto:1 A inline:a;inline:{SECRET}\r\nk=clear:{SECRET}"),
        invite(body=f"v=0\r\na=ice-pwd:{SECRET}\r\na=key-mgmt:mikey {SECRET}"),
        invite(body=f"--b\r\nContent-Type: application/sdp\r\n\r\na=crypto:1 A inline:{SECRET}"),
        sip("MESSAGE sip:1002@h", f"my PIN is {SECRET}"),
        sip("SIP/2.0 200 OK", SECRET, cseq="7 MESSAGE"),
        sip(
            "INFO sip:1002@h",
            f"Signal={SECRET}\r\n",
            more=("Content-Type: application/dtmf-relay",),
        ),
        sip("INFO sip:1002@h", SECRET, more=("c: application/dtmf",)),
        sip(
            "NOTIFY sip:1002@h",
            f'<kpml-response digits="{SECRET}"/>',
            more=("Content-Type: application/kpml-response+xml",),
        ),
    ],
)
def test_secrets_are_hidden_and_lengths_stay(text: bytes) -> None:
    masked = mask(text)
    assert SECRET.encode() in text and SECRET.encode() not in masked
    assert len(masked) == len(text) and masked.count(b"\r\n") == text.count(b"\r\n")
    assert mask(masked) == masked
    # However much of it has come.
    for at in range(0, len(text), 7):
        assert SECRET.encode() not in mask(text[:at])


@pytest.mark.parametrize(
    "text",
    [
        invite(body="v=0\r\nm=audio 4000 RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\n"),
        invite("Contact: <sip:bob@h:5060>", "Refer-To: <sip:1003@h?Replaces=a%3Bto-tag%3Db>"),
        invite('WWW-Authenticate: Digest realm="h", nonce="n"'),
        sip("NOTIFY sip:a@h", "SIP/2.0 486 Busy Here", more=("Content-Type: message/sipfrag",)),
        sip("INFO sip:a@h", "Signal=5\r\n", more=("Content-Type: text/plain",)),
        b"INVITE sip:10.0.0.1:5060 SIP/2.0\r\nContact: <sip:10.0.0.1:5060;x=y>\r\n\r\n",
        b"",
    ],
)
def test_all_else_is_left_as_it_is(text: bytes) -> None:
    assert mask(text) == text


def test_who_has_called_can_still_be_seen() -> None:
    masked = mask(invite(f"Authorization: {DIGEST}"))
    assert b'username="bob"' in masked and b"algorithm=MD5" in masked


@given(st.binary(max_size=400), st.integers(0, 400))
def test_whatever_comes_its_length_stays(noise: bytes, at: int) -> None:
    text = invite(f"Authorization: {DIGEST}", body="a=crypto:1 A inline:x")
    text = text[:at] + noise + text[at:]
    assert len(mask(text)) == len(text)
