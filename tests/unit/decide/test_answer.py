"""What a web service says is a decision or an error, never anything else."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from fsctl.decide.answer import (
    MAX_TARGETS,
    AnswerError,
    Connect,
    Leave,
    Refuse,
    read,
)
from fsctl.decide.request import Opinion, Person, Question
from fsctl.sip.uri import Uri, parse_uri


def said(**fields: Any) -> bytes:
    return json.dumps(fields).encode()


@pytest.mark.parametrize(
    ("body", "decision"),
    [
        (said(decision="settings", more=[1]), Leave()),
        (said(decision="refuse"), Refuse(603)),
        (said(decision="refuse", code=486, phrase="Nö"), Refuse(486, "Nö")),
        (said(decision="connect", targets=["1002"], headers=None), Connect(("1002",))),
        (
            said(
                decision="connect",
                targets=["*97", "SIP:bob@example.com;transport=tcp?X-A=1", "tel:+4930-123"],
                mode="at-once",
                caller_id="+4930123",
                display_name="Zoë",
                headers={"X-Reason": "on leave", "User-to-User": "00"},
                ring_timeout_s=20,
                note={"any": "thing"},
            ),
            Connect(
                (
                    "*97",
                    parse_uri("sip:bob@example.com;transport=tcp"),
                    parse_uri("tel:+4930123"),
                ),
                "at-once",
                "+4930123",
                "Zoë",
                (("X-Reason", "on leave"), ("User-to-User", "00")),
                20,
            ),
        ),
    ],
)
def test_a_decision(body: bytes, decision: object) -> None:
    assert read(body) == decision


CONNECT = {"decision": "connect", "targets": ["1002"]}


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"", "no JSON"),
        (b"\xff\xfe{\x00}\x00", "no JSON"),
        (b"[" * 60_000, "no JSON"),
        (b'{"decision":' + b"9" * 60_000 + b"}", "no JSON"),
        (b"[]", "not a JSON object"),
        (said(), "decision: must be"),
        (said(decision=["connect"]), "decision: must be"),
        (said(decision="Refuse"), "decision: must be"),
        *((said(decision="refuse", code=code), "code: must be 400..699")
          for code in (200, 302, 399, 700, 486.0, True, "486")),
        (said(decision="refuse", phrase="a\r\nX-Evil: 1"), "phrase: has control characters"),
        (said(decision="refuse", phrase="x" * 201), "phrase: must be up to"),
        (said(decision="connect"), "targets: must be a list"),
        (said(decision="connect", targets=[]), "targets: must be a list"),
        (said(decision="connect", targets="1002"), "targets: must be a list"),
        (said(decision="connect", targets=["1"] * (MAX_TARGETS + 1)), "targets: must be a list"),
        *((said(decision="connect", targets=[target]), "targets: ")
          for target in ("", 1002, None, "1002}", "${x}", "a b", "1\n2", "1,2", "[a]1", "\ud800",
                         "sip:", "sip:a@b${c}", "sip:a@b\r\nX: 1", "sip:a b@c", "http://x")),
        *((said(**CONNECT, mode=mode), "mode: must be") for mode in ("all", 1, [])),
        *((said(**CONNECT, caller_id=caller), "caller_id: ")
          for caller in ("1 2", "1}", "${x}", 1, "<sip:a@b>", "1" * 65)),
        *((said(**CONNECT, display_name=name), "display_name: ")
          for name in ('a"b', "a,b", "${x}", "a\nb", "\x7f", "\udc00", "x" * 65)),
        *((said(**CONNECT, ring_timeout_s=value), "ring_timeout_s: ")
          for value in (0, 601, "20", 1.5, True)),
        *((said(**CONNECT, headers=headers), "headers: ")
          for headers in ([], {"From": "x"}, {"P-Asserted-Identity": "<sip:1@x>"}, {"X A": "1"},
                          {"X-A": "1\r\nX-B: 2"}, {"X-A": 1}, {"X-A": "${x}"}, {"X-A": "\ud800"},
                          {"X-FS-Refer-From": "1"}, {f"X-{n}": "1" for n in range(17)})),
    ],
)  # fmt: skip
def test_nonsense(body: bytes, why: str) -> None:
    with pytest.raises(AnswerError) as caught:
        read(body)
    assert str(caught.value).startswith(why)
    assert str(caught.value).isprintable() and len(str(caught.value)) < 300


_ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.sampled_from(
        ["connect", "refuse", "settings", "1002", "sip:a@b", "${x}", "at-once"]
    ),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)  # fmt: skip
_KEYS = ("targets", "mode", "caller_id", "display_name", "headers", "ring_timeout_s", "code")
_ANSWERS = st.fixed_dictionaries(
    {"decision": st.sampled_from(["connect", "refuse", "settings"]) | _ANY},
    optional={name: _ANY for name in (*_KEYS, "phrase")} | {"targets": st.lists(_ANY, max_size=3)},
)


@given(st.binary(max_size=200) | st.builds(lambda fields: json.dumps(fields).encode(), _ANSWERS))
@example(b'{"decision": "connect", "targets": ["sip:1002@h"], "headers": {"X-A": "\\u0085"}}')
def test_whatever_it_says_it_is_a_decision_or_an_error(body: bytes) -> None:
    try:
        decision = read(body)
    except AnswerError as error:
        assert str(error).isprintable()
        return
    assert str(decision).isprintable()
    if isinstance(decision, Refuse):
        assert 400 <= decision.code <= 699
    if isinstance(decision, Connect):
        assert decision.targets
        for text in (*decision.targets, decision.caller_id, decision.display_name):
            written = text.format() if isinstance(text, Uri) else text or ""
            assert "${" not in written and "\n" not in written


def test_a_question_is_one_line_of_json() -> None:
    who = Person("uuid", "1001", "Zo\udcff\n", "call@id", "inside", "1001@pbx", "it has")
    opinion = Opinion(False, "abroad", "because")
    question = Question(
        "q1", "s1", "pbx", "blind", who, who, "<sip:1@x>", "1", "x", {"X-A": "1"}, "", opinion
    )
    body = question.body()
    assert b"\n" not in body and body.isascii()
    read_again = json.loads(body)
    assert read_again["type"] == "transfer.requested"
    assert read_again["transferor"]["number"] == "1001"
    assert read_again["policy"] == {"allowed": False, "rule": "abroad", "why": "because"}
    assert read_again["headers"] == {"X-A": "1"}
