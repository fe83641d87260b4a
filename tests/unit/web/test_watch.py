"""What is said of the page and the API is true."""

from __future__ import annotations

import re
from pathlib import Path

from tests.unit.web.desk import ToldDesk
from tests.unit.web.scene import workers

PAGE = Path(__file__).parents[3] / "docs" / "watch.md"


def test_every_metric_is_explained(tmp_path: Path) -> None:
    desk = ToldDesk(tmp_path)
    workers(desk)
    there = set(re.findall(r"^# TYPE (\w+)", desk.figures.text().decode(), re.MULTILINE))
    assert set(re.findall(r"`(fsctl_\w+)`", PAGE.read_text(encoding="utf-8"))) == there
