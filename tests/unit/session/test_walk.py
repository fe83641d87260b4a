"""The way of a REFER that ``fsctl.session`` describes is the one that it takes."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from types import FrameType

import fsctl
import fsctl.session

HERE = str(Path(fsctl.__file__).parent)


def test_a_refer_takes_the_way_that_is_described(stage) -> None:
    described = re.findall(r"``(\w+\.\w+)``", fsctl.session.__doc__ or "")
    taken: list[str] = []

    def called(frame: FrameType, event: str, arg: object) -> None:
        code = frame.f_code
        if event == "call" and code.co_filename.startswith(HERE):
            taken.append(f"{Path(code.co_filename).stem}.{code.co_name}")

    playing = stage()
    alice, bob = playing.phone("1000"), playing.phone("1001")
    playing.phone("1002").refuses(486, "Busy Here")
    alice.calls("1001")
    playing.until(lambda: alice.hears == "1001" and bob.hears == "1000")
    before = sys.getprofile()
    sys.setprofile(called)
    try:
        bob.refers("<sip:1002@example.org>")
        playing.until(lambda: bob.notifies and described[-1] in taken)
    finally:
        sys.setprofile(before)
    assert [body for _, body in bob.notifies] == ["SIP/2.0 486 Busy Here"]
    assert len(described) > 30
    left = iter(taken)
    for step in described:
        assert step in left, f"{step} is not called, or not then"
