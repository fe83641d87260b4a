"""What is noted becomes rows, once, in either database."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import permutations
from typing import Any

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from sqlalchemy import Engine, select

from fsctl import moments
from fsctl.journal import Entry
from fsctl.records import find, store
from fsctl.records.schema import CALLS, LEGS, METADATA, TRANSFERS

A, B, C = "a-leg", "b-leg", "c-leg"
AT = 1_800_000_000.0
BEGUN: dict[str, Any] = {
    "id": "t-1",
    "session": "s-1",
    "switch": "pbx",
    "kind": "blind",
    "refer_to": "<sip:1003@pbx>",
    "transferor": B,
    "transferee": A,
    "numbers": {"transferor": "1002", "transferee": "1001"},
    "call_ids": {"transferor": "cid-b"},
}
ENDED = BEGUN | {
    "target": C,
    "refer": "refer;id=2",
    "outcome": "failed",
    "code": 486,
    "reason": "Gone fishing",
    "numbers": {"transferor": "1002", "transferee": "1001", "target": "1003"},
    "rule": "inside",
    "allowed": True,
}
del ENDED["refer_to"]


class Notes:
    """Entries of one file, in their order."""

    def __init__(self, file: str = "1-7-1.jsonl") -> None:
        self._file, self.end = file, 0

    def __call__(self, what: str, at: float = AT, **fields: Any) -> Entry:
        self.end += 100
        return Entry(self._file, self.end, what, at, fields)


def only(engine: Engine, table: Any) -> dict[str, Any]:
    with engine.connect() as connection:
        (row,) = connection.execute(select(table))
    return dict(row._mapping)


def test_the_migrations_lead_to_the_tables_as_they_are(url: str) -> None:
    engine = store.open_engine(url)
    store.upgrade(engine)
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, METADATA) == []
    store.upgrade(engine)
    engine.dispose()


@pytest.mark.parametrize("version", ["0001", "0002", "0003"])
def test_what_an_older_fsctl_has_kept_is_led_on(url: str, version: str) -> None:
    engine = store.open_engine(url)
    config = Config()
    config.set_main_option("script_location", "fsctl.records:migrations")
    config.set_main_option("path_separator", "os")
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, version)
        old = {"id": "old", "began": moments.at(AT - 1), "outcome": "failed", "details": {"x": 1}}
        connection.execute(TRANSFERS.insert().values(old))
    store.upgrade(engine)
    store.keep(engine, [Notes()("record", **ENDED)], news=True)
    new, kept = find.transfers(engine, find.Wanted())
    assert (new["id"], kept["id"], kept["began"]) == ("t-1", "old", moments.at(AT - 1))
    assert kept["details"] == {"x": 1} and find.in_full(engine, "old")[0]["steps"] == []
    engine.dispose()


def test_a_leg_is_one_row_however_its_news_is_divided(engine: Engine) -> None:
    note = Notes()
    leg = {"leg": A, "channel": A, "session": "s-1", "began": AT, "number": "1001"}
    news = [
        note("leg", AT, **leg, state="alerting"),
        note("leg", AT + 1, **leg, call_id="cid", state="connected"),
        note("leg", AT + 2, **leg, state="connected"),
        note("leg", AT + 9, **leg, call_id=None, state="disconnected"),
    ]
    store.keep(engine, news[:3])
    store.keep(engine, news[3:])
    row = only(engine, LEGS)
    assert (row["number"], row["call_id"], row["call"]) == ("1001", "cid", "s-1")
    times = [row[name].timestamp() - AT for name in ("began", "answered", "ended")]
    assert times == [0, 1, 9]


@pytest.mark.parametrize("order", list(permutations(range(3))), ids=str)
def test_a_transfer_is_one_row_in_whatever_order_it_is_told(
    engine: Engine, order: tuple[int, ...]
) -> None:
    """A takeover's news lie in files of several processes."""
    note, *notes = (Notes(f"1-{process}-1.jsonl") for process in range(4))
    later = ENDED | {"outcome": "succeeded", "code": 200, "reason": "OK"}
    told = [
        [notes[0]("transfer", AT, **BEGUN)],
        [notes[1]("record", AT + 5, **ENDED)],
        [notes[2]("step", AT + 1, transfer="t-1", step="target called", state="calling")],
    ]
    for index in order:
        store.keep(engine, told[index])
    store.keep(engine, [note("record", AT + 7, **later)])  # a second one does not count
    row = only(engine, TRANSFERS)
    assert (row["outcome"], row["code"], row["reason"]) == ("failed", 486, "Gone fishing")
    assert (row["transferor_number"], row["target_number"]) == ("1002", "1003")
    assert (row["refer_to"], row["transferor_call_id"]) == ("<sip:1003@pbx>", "cid-b")
    assert row["details"] == {"refer": "refer;id=2", "rule": "inside", "allowed": True}
    assert row["ended"] == datetime.fromtimestamp(AT + 5, UTC)
    assert [step["what"] for step in find.steps(engine, "t-1")] == ["target called"]


def test_an_attended_one_has_the_legs_of_both_calls(engine: Engine) -> None:
    """The transferor's second leg is of another session."""
    note = Notes()
    entries = [
        note("leg", session=session, leg=leg, channel=leg, number=number)
        for session, leg, number in (
            *(("s-1", A, "1001"), ("s-1", B, "1002")),
            *(("s-2", "b-second", "1002"), ("s-2", C, "1003"), ("s-3", "another", "1002")),
        )
    ]
    ended = ENDED | {"kind": "attended", "consultation": "b-second"}
    store.keep(engine, [*entries, note("record", **ended)])
    (found,) = find.in_full(engine, "t-1")
    assert {leg["id"] for leg in found["legs"]} == {A, B, C, "b-second"}
    # The worker that has had the target until then knows its Call-ID, and the one with the record
    # does not.
    store.keep(engine, [note("leg", session="s-2", leg=C, channel=C, call_id="cid-c")])
    (found,) = find.in_full(engine, "cid-c")
    assert (found["id"], found["target_call_id"]) == ("t-1", "cid-c")


def test_a_session_that_goes_on_is_open(engine: Engine) -> None:
    note = Notes()
    store.keep(engine, [note("session", session="s-1", switch="pbx")])
    assert only(engine, CALLS)["ended"] is None
    store.keep(engine, [note("session", AT + 3, session="s-1", over=True)])
    row = only(engine, CALLS)
    assert (row["switch"], row["ended"].timestamp()) == ("pbx", AT + 3)


@pytest.mark.parametrize("text", ["x" * 5000, "a\0b", "\ud800", "'; DROP TABLE calls; --", "é\n"])
def test_what_a_network_has_sent_is_kept(engine: Engine, text: str) -> None:
    note = Notes()
    hostile = ENDED | {"reason": text, "exchange": {text: [text]}, "switch": text}
    hostile["numbers"] = {"transferee": text}
    store.keep(engine, [note("record", **hostile)])
    row = only(engine, TRANSFERS)
    kept = text[:256].replace("\0", "�").replace("\ud800", "?")
    assert row["transferee_number"] == row["reason"] == kept
    assert find.transfers(engine, find.Wanted(number=kept[-3:]))


def test_what_has_another_type_than_its_column_holds_nothing_up(engine: Engine) -> None:
    note = Notes()
    odd = {"number": {"a": 1}, "name": 7, "call_id": ["x"], "dialled": True}
    store.keep(engine, [note("leg", leg=A, session={"odd": [1 << 80]}, **odd)])
    store.keep(engine, [note("record", **ENDED | {"code": 1 << 40, "reason": 5, "outcome": []})])
    leg = only(engine, LEGS)
    assert (leg["number"], leg["name"], leg["call_id"]) == ('{"a": 1}', "7", '["x"]')
    assert leg["dialled"] == "true"
    transfer = only(engine, TRANSFERS)
    assert (transfer["code"], transfer["reason"], transfer["outcome"]) == (None, "5", "[]")


def test_all_of_it_is_kept_or_none(engine: Engine) -> None:
    note = Notes()
    wrong = note("leg", leg=A, session="s-1", outgoing="perhaps")
    with pytest.raises(Exception, match=r"(?i)boolean|not none|type"):
        store.keep(engine, [note("session", session="s-1"), wrong])
    with engine.connect() as connection:
        assert not connection.execute(select(CALLS)).all()
    assert store.places(engine) == {}


def test_two_who_read_the_same_keep_it_once(engine: Engine) -> None:
    """A desk that ends, and its successor; each begins where it has found the file."""
    steps = [
        Entry("1-7-1", end, "step", AT, {"transfer": "t-1", "step": str(end), "state": "s"})
        for end in (100, 200, 300)
    ]
    store.keep(engine, steps[:2])
    store.keep(engine, steps)
    store.keep(engine, steps[:1])
    assert [step["what"] for step in find.steps(engine, "t-1")] == ["100", "200", "300"]
    assert store.places(engine) == {"1-7-1": 300}


def test_how_far_a_file_was_read_is_kept_with_it(engine: Engine) -> None:
    note = Notes()
    store.keep(engine, [note("session", session="s-1"), note("damaged")])
    assert store.places(engine) == {"1-7-1.jsonl": note.end}
    store.forget_file(engine, "1-7-1.jsonl")
    assert store.places(engine) == {}


def test_what_is_old_is_forgotten(engine: Engine) -> None:
    note, day = Notes(), 86_400
    for age, name in ((1, "young"), (9, "old")):
        at = AT - age * day
        told = BEGUN | {"id": name, "session": name}
        store.keep(engine, [note("transfer", at, **told), note("session", at, session=name)])
        store.keep(engine, [note("step", at, transfer=name, step="x", state="y")])
        store.keep(engine, [note("leg", at, leg=name, began=at)])
    assert store.forget_old(engine, 7, datetime.fromtimestamp(AT, UTC)) == 3
    assert [row["id"] for row in find.transfers(engine, find.Wanted())] == ["young"]
    assert (only(engine, CALLS)["id"], only(engine, LEGS)["id"]) == ("young", "young")
    assert (len(find.steps(engine, "young")), find.steps(engine, "old")) == (1, [])


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        (find.Wanted(), ["t-3", "t-2", "t-1"]),
        (find.Wanted(most=1), ["t-3"]),
        (find.Wanted(number="003"), ["t-1"]),
        (find.Wanted(number="0_3"), []),
        (find.Wanted(number="%"), []),
        (find.Wanted(outcome="failed"), ["t-1"]),
        (find.Wanted(outcome="open"), ["t-3", "t-2"]),
        (find.Wanted(switch="other"), ["t-3"]),
        (find.Wanted(since=datetime.fromtimestamp(AT + 10, UTC)), ["t-3", "t-2"]),
        (find.Wanted(until=datetime.fromtimestamp(AT + 10, UTC)), ["t-2", "t-1"]),
    ],
)
def test_transfers_are_found(engine: Engine, wanted: find.Wanted, found: list[str]) -> None:
    note = Notes()
    other = {"id": "t-3", "session": "s-3", "switch": "other"}
    other |= {"refer_to": "<sip:77@x>", "numbers": {}, "call_ids": {}}
    second = BEGUN | {"id": "t-2", "session": "s-2", "refer_to": "<sip:99@x>"}
    store.keep(engine, [note("transfer", AT, **BEGUN), note("record", AT + 5, **ENDED)])
    store.keep(engine, [note("transfer", AT + 10, **second)])
    store.keep(engine, [note("transfer", AT + 20, **(BEGUN | other))])
    assert [row["id"] for row in find.transfers(engine, wanted)] == found


@pytest.mark.parametrize("name", ["t-1", "t-", "s-1", A, "cid-b"])
def test_one_transfer_is_found_by_whatever_names_it(engine: Engine, name: str) -> None:
    note = Notes()
    leg = note("leg", leg=C, channel=C, session="s-9", number="1003", began=AT)
    store.keep(engine, [note("transfer", AT, **BEGUN), note("record", AT + 5, **ENDED), leg])
    (row,) = find.one_transfer(engine, name)
    assert row["id"] == "t-1"
    assert [leg["number"] for leg in find.legs(engine, row)] == ["1003"]
    assert find.one_transfer(engine, "nothing") == []
