"""Loading scenario files, good and bad."""

from __future__ import annotations

import pytest

from fsctl.errors import SettingsError
from fsctl.scenario import CallAlerting, Scenario, load


def test_a_good_file(tmp_path):
    path = tmp_path / "good.py"
    path.write_text(
        "from fsctl.scenario import CallAlerting, Scenario\n"
        "scenario = Scenario()\n"
        "@scenario.on(CallAlerting)\n"
        "def alerting(event): pass\n"
    )
    scenario = load(path)
    assert isinstance(scenario, Scenario)
    assert [handler.__name__ for handler in scenario.handlers(CallAlerting)] == ["alerting"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1 +", "SyntaxError"),
        ("raise ValueError('no')", "ValueError: no"),
        ("import sys\nsys.exit(3)", "SystemExit: 3"),
        ("x = 1", "defines no `scenario = Scenario()`"),
        ("scenario = 1", "defines no `scenario = Scenario()`"),
    ],
)
def test_a_bad_file_is_named(tmp_path, text, message):
    path = tmp_path / "bad.py"
    path.write_text(text)
    with pytest.raises(SettingsError, match=r"bad\.py") as refusal:
        load(path)
    assert message in str(refusal.value)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(SettingsError, match=r"none\.py"):
        load(tmp_path / "none.py")
