"""A recording's file over a transfer: by whose names, and where there can be none."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import pytest

from fsctl.session.calling import recording
from fsctl.session.core.leg import Leg
from fsctl.settings import Recording, Settings

RUNS = "<media-bugs>\n <media-bug>\n  <function>session_record</function>\n </media-bug>\n"


def at_join(folder: str, own: str, others: str, wanted: Recording) -> dict[str, str]:
    texts = [own, others, folder]
    link = SimpleNamespace(send_all=lambda _: [SimpleNamespace(text=text) for text in texts])
    file = "{recordings_dir}/{transferor}/{transferee}-{target}-{what}-{session}.wav"
    transfer = replace(Settings().transfer, recording=wanted, recording_file=file)
    session: Any = SimpleNamespace(id="s-1", link=link, settings=Settings(transfer=transfer))
    transferee = cast(Leg, SimpleNamespace(channel_uuid="t", number="+49 30/1;$x", session=session))
    return recording.at_join(transferee, "o", "", "*99")


def test_it_is_named_by_safe_characters_only() -> None:
    first, second, third = at_join("/r", RUNS, "", "new").values()
    assert first == "stop_record_session all"
    assert second == "record_session /r/unknown/+49_30_1__x-_99-new-s-1.wav"
    assert third == "multiunset " + " ".join(recording.STEPS)


@pytest.mark.parametrize(
    ("own", "others", "wanted"),
    [(RUNS, RUNS, "follow"), ("", "", "follow"), ("", RUNS, "stop"), ("", "", "new")],
)
def test_nothing_is_to_be_done(own: str, others: str, wanted: Recording) -> None:
    assert set(at_join("/r", own, others, wanted).values()) == {""}


@pytest.mark.parametrize("folder", ["-ERR no reply", "/with blanks", "/r\nx", "relative"])
def test_where_there_can_be_no_file_the_recording_stays_as_it_is(folder: str) -> None:
    for own, wanted in ((RUNS, "new"), ("", "follow")):
        assert set(at_join(folder, own, RUNS, cast(Recording, wanted)).values()) == {""}
