"""Which two events are one transfer that FreeSWITCH carries out."""

from __future__ import annotations

import pytest

from fsctl.esl.events import Event
from fsctl.service import observer
from fsctl.service.observer import Observer, _Transfer
from fsctl.session.calling.identity import Shown
from fsctl.session.calling.shadow import Party, Seen
from fsctl.session.transfers.record import transfer_id
from fsctl.settings import Switch

BOB, ALICE = "5e8a7a0e-0000-4000-8000-000000000001", "5e8a7a0e-0000-4000-8000-000000000002"


def transferor(kind: str = "blind", **more: str) -> Event:
    return _event("transferor", BOB, variable_transfer_to=f"{kind}:{ALICE}", **more)


def transferee() -> Event:
    return _event("transferee", ALICE)


def _event(name: str, channel: str, **more: str) -> Event:
    headers = {
        "Event-Name": "CUSTOM",
        "Event-Subclass": f"sofia::{name}",
        "Unique-ID": channel,
        **{each.replace("__", "-"): value for each, value in more.items()},
    }
    lines = "".join(f"{each}: {value}\n" for each, value in headers.items())
    return Event(f"{lines}\n".encode())


@pytest.fixture
def heard(monkeypatch: pytest.MonkeyPatch) -> tuple[Observer, list[str]]:
    """An observer, and the transferees of the transfers that it follows."""
    followed: list[str] = []
    made = Observer(None, Switch(name="pbx"), lambda: False)  # type: ignore[arg-type]
    monkeypatch.setattr(observer.gevent, "spawn", lambda _, uuid, *__: followed.append(uuid))
    return made, followed


@pytest.mark.parametrize("events", [(transferor, transferee), (transferee, transferor)])
def test_in_either_order_they_are_one(heard, events):
    made, followed = heard
    for event in events:
        made._hear(event())
    assert followed == [ALICE]
    made._hear(transferor())  # another REFER
    assert followed == [ALICE]
    made._hear(transferee())
    assert followed == [ALICE, ALICE]


def test_what_an_attended_transfer_has_left_belongs_to_no_other(heard, monkeypatch):
    made, followed = heard
    now = [100.0]
    monkeypatch.setattr(observer, "monotonic", lambda: now[0])
    made._hear(transferor("att"))
    made._hear(transferor(att_xfer_original_call_id=ALICE))
    made._hear(transferee())
    now[0] += 60.0
    made._hear(transferor())
    assert not followed
    made._hear(transferee())
    assert followed == [ALICE]


def test_two_transfers_of_one_leg_are_two_records(heard):
    """Where FreeSWITCH confirms transfers, and the first has failed."""
    made, _ = heard
    parties = (Party(each, Shown("", ""), "") for each in (BOB, ALICE))
    seen = Seen("", "pbx", *parties, "", "", None, "", "", ())
    names = set()
    for event in ("refer;id=2", "refer;id=3"):
        asked = transferor(variable_sip_blind_transfer_event=event)
        record = made._record(_Transfer(0.0, transferor=asked), seen, {})
        assert record.refer == event
        names.add(transfer_id(record.transferor, record.refer))
    assert len(names) == 2


@pytest.mark.parametrize(
    ("refer_to", "number"),
    [
        ("<sip:1002@pbx>", "1002"),
        ('"x" <tel:+49-30-123>', "+4930123"),
        ("<sip:pbx>", ""),
        ("${system(x)}", ""),
        ("<sip:1002@pbx;method=BYE>", ""),
    ],
)
def test_the_target_is_known_by_what_was_asked_for(heard, refer_to, number):
    made, _ = heard
    parties = (Party(each, Shown("", "2000"), "") for each in (BOB, ALICE))
    seen = Seen("", "pbx", *parties, refer_to, "", None, "", "", ())
    record = made._record(_Transfer(0.0, transferor=transferor()), seen, {})
    assert record.numbers.get("target", "") == number
