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


@pytest.mark.parametrize(
    ("section", "asked", "allowed"),
    [
        ('inside = ["acl:proxy"]', "--by acl:proxy --leg caller", True),
        ('inside = ["acl:proxy"]', "--by acl:other --leg caller", False),
        ('inside = ["acl:proxy"]', "--by acl:proxy", False),
        ('inside = ["profile:lan"]', "--by profile:lan", True),
        ('inside = ["context:office"]', "--by +4930123456,context:office", True),
        ('inside = ["network:192.0.2.0/24"]', "--by network:192.0.2.7 --leg caller", True),
        ('inside = ["network:192.0.2.0/24"]', "--by network:198.51.100.7 --leg caller", False),
        ('inside = ["gateway:pbx2"]', "--by gateway:pbx2 --leg caller", True),
        ('outside = ["user:*@other"]', "--by 1001@other", False),
        ('outside = ["user:*@other"]', "--by 1001@pbx", True),
        ("", "--by unknown,context:office", True),  # to an internal number
        ("", "--by 1001 --to sip:1003@pbx.example", False),
        ("", "--by 1001 --to sip:1003@pbx.example --own-host pbx.example", True),
        ("", "--by 1001@pbx.example --to sip:1003@pbx.example", True),
        ("", "--by 1001 --of +4930123456 --to 030123456", False),
        ("", "--by 1001 --of outside --to 030123456", False),
        (
            '[[rule]]\nname = "house"\nto = ["context:house"]\nthen = "refuse"',
            "--by 1001 --of 1002,context:house",
            False,
        ),
    ],
)
def test_parties_are_known_by_what_freeswitch_would_say(
    tmp_path: Path, section: str, asked: str, allowed: bool
) -> None:
    file = tmp_path / "fsctl.toml"
    file.write_text(f'[policy]\ncountry = "DE"\n{section}', encoding="utf-8")
    parser = argparse.ArgumentParser()
    command.add_parser(parser.add_subparsers())
    words = asked.split() + ([] if "--of" in asked else ["--of", "1002"])
    words += [] if "--to" in asked else ["--to", "1003"]
    arguments = parser.parse_args(["policy", "explain", "--config", str(file), *words])
    assert arguments.run(arguments) == (0 if allowed else 1)


def test_of_a_party_that_was_called_no_address_is_known() -> None:
    parser = argparse.ArgumentParser()
    command.add_parser(parser.add_subparsers())
    words = ["--by", "network:192.0.2.7", "--of", "1002", "--to", "1003"]
    arguments = parser.parse_args(["policy", "explain", *words])
    with pytest.raises(command.Unanswerable, match="no address is known"):
        arguments.run(arguments)
