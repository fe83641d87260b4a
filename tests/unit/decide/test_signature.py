"""Signatures of Standard Webhooks: the reference libraries' vectors, and what must not pass."""

from __future__ import annotations

import pytest

from fsctl.decide.signature import TOLERANCE_S, SignatureError, read_secret, sign, verify

SECRET = read_secret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
OTHER = read_secret("C2FVsBQIhrscChlQIMV+b5sSYspob7oD")
ID, TIME, BODY = "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}'
SIGNED = {
    "webhook-id": ID,
    "webhook-timestamp": str(TIME),
    "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
}
"""As the reference libraries of Standard Webhooks have it in their tests."""


def test_it_is_that_of_the_reference_libraries() -> None:
    assert sign([SECRET], ID, TIME, BODY) == SIGNED
    verify({name.title(): value for name, value in SIGNED.items()}, BODY, [SECRET], TIME)


def test_while_a_secret_changes_both_are_right() -> None:
    headers = sign([OTHER, SECRET], ID, TIME, BODY)
    assert headers["webhook-signature"].split()[1] == SIGNED["webhook-signature"]
    for known in ([SECRET], [OTHER], [SECRET, OTHER]):
        verify(headers, BODY, known, TIME)
    verify(SIGNED | {"webhook-signature": "v1a,x v1, " + headers["webhook-signature"]}, BODY,
           [SECRET], TIME)  # fmt: skip


@pytest.mark.parametrize("late", [-TOLERANCE_S, TOLERANCE_S, -TOLERANCE_S - 1, TOLERANCE_S + 1])
def test_five_minutes_of_difference_are_borne(late: int) -> None:
    if abs(late) <= TOLERANCE_S:
        verify(SIGNED, BODY, [SECRET], TIME + late)
        return
    with pytest.raises(SignatureError, match="too far"):
        verify(SIGNED, BODY, [SECRET], TIME + late)


@pytest.mark.parametrize(
    "changed",
    [
        {"webhook-id": "msg_other"},
        {"webhook-timestamp": str(TIME + 1)},
        {"webhook-timestamp": "soon"},
        {"webhook-timestamp": "9" * 5000},
        {"webhook-timestamp": "١٦١٤٢٦٥٣٣٠"},
        {"webhook-signature": ""},
        {"webhook-signature": "v1," + "A" * 43 + "="},
        {"webhook-signature": SIGNED["webhook-signature"].replace("v1,", "v2,")},
        {"webhook-signature": "v1,\udcff é"},
    ],
)
def test_what_has_been_changed_is_refused(changed: dict[str, str]) -> None:
    with pytest.raises(SignatureError):
        verify(SIGNED | changed, BODY, [SECRET], TIME)


@pytest.mark.parametrize("name", SIGNED)
def test_a_missing_header_is_named(name: str) -> None:
    headers = {each: value for each, value in SIGNED.items() if each != name}
    with pytest.raises(SignatureError, match=f"{name} is missing"):
        verify(headers, BODY, [SECRET], TIME)


def test_another_body_or_secret_is_refused() -> None:
    for body, secrets in ((BODY + b" ", [SECRET]), (BODY, [OTHER]), (BODY, [])):
        with pytest.raises(SignatureError, match="no signature is right"):
            verify(SIGNED, body, secrets, TIME)


@pytest.mark.parametrize("text", ["", "whsec_", "whsec_c2hvcnQ=", "whsec_!!!!", "A" * 92, "é"])
def test_a_secret_has_24_to_64_bytes(text: str) -> None:
    with pytest.raises(ValueError, match="must be"):
        read_secret(text)
