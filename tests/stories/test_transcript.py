"""The golden transcripts are equal where fsctl does the same, and tell where it does not."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.stories import transcript
from tests.stories.simulated import SimulatedWorld


def _played(folder: Path, transcripts: Path, target: str) -> Path:
    """A transfer to this target, and the folder with its transcript."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(transcript.FOLDER, str(transcripts))
        patch.setattr(transcript, "_written", transcript.Counter())
        folder.mkdir()
        world = SimulatedWorld(folder)
        world.serve()
        alice, bob = world.party("2000", "Alice"), world.party("1001", "Bob").answers()
        carol = world.party(target, "Carol").answers()
        alice.calls("1001")
        alice.wait_talking()
        bob.refers(world.refer_to(target))
        bob.wait_over()
        assert alice.hears(carol)
        world.finish(passed=True)
    return transcripts


def test_the_same_story_has_the_same_transcript_and_another_has_not(tmp_path: Path) -> None:
    one, again = (_played(tmp_path / n, tmp_path / f"of {n}", "1002") for n in ("one", "again"))
    other = _played(tmp_path / "other", tmp_path / "of other", "1003")
    (text,) = [path.read_text() for path in one.glob("*.txt")]
    assert "execute-app-name: bridge" in text
    assert "<uuid 1>" in text
    assert transcript.main(str(one), str(again)) == 0
    changed = transcript.differences([one], other)
    assert any(
        "user/1003@" in line for lines in changed.values() for line in lines if line[0] == "+"
    )
    assert not transcript.differences([other, one], again)
    assert transcript.main(str(one), str(tmp_path / "nothing")) == 1
