"""``fsctl policy explain`` says what a living controller would decide."""

from __future__ import annotations

import argparse
from pathlib import Path

import pytest

from fsctl.cli import policy as command


@pytest.mark.parametrize(
    ("section", "by", "allowed"),
    [
        ('inside = ["gateway:pbx2"]', "gateway:pbx2", True),
        ('inside = ["gateway:pbx2"]', "gateway:carrier", False),
        ('outside = ["user:19*"]', "1901", False),
        ('outside = ["user:19*"]', "1001", True),
        ('inside = ["context:office"]', "outside", True),
    ],
)
def test_the_settings_name_the_sides(tmp_path: Path, section: str, by: str, allowed: bool) -> None:
    file = tmp_path / "fsctl.toml"
    file.write_text(f"[policy]\n{section}", encoding="utf-8")
    parser = argparse.ArgumentParser()
    command.add_parser(parser.add_subparsers())
    asked = ["policy", "explain", "--config", str(file), "--by", by, "--of", "1002"]
    arguments = parser.parse_args([*asked, "--to", "1003", "--context", "office"])
    assert arguments.run(arguments) == (0 if allowed else 1)
