"""The files of docker/ name each other rightly. What they do is shown in tests/live."""

from __future__ import annotations

import json
import re
from pathlib import Path
from xml.etree import ElementTree

import pytest

from fsctl import settings

REPOSITORY = Path(__file__).parents[2]
DOCKER = REPOSITORY / "docker"
COMPOSE = (DOCKER / "compose.yaml").read_text(encoding="utf-8")
XML = sorted(path.relative_to(DOCKER) for path in DOCKER.rglob("*.xml"))


def test_every_mounted_file_exists() -> None:
    sources = re.findall(r"^\s+- (\.[^:]*):/", COMPOSE, re.MULTILINE)
    assert sources
    assert [name for name in sources if not (DOCKER / name).exists()] == []


def test_every_named_volume_is_declared() -> None:
    used = set(re.findall(r"^\s+- ([a-z]+):/", COMPOSE, re.MULTILINE))
    declared = COMPOSE.partition("\nvolumes:\n")[2].partition("\nnetworks:")[0]
    assert used == set(re.findall(r"^  (\w+):", declared, re.MULTILINE))


def test_every_service_that_is_waited_for_exists() -> None:
    services = set(re.findall(r"^  (\w+):$", COMPOSE.partition("\nvolumes:")[0], re.MULTILINE))
    waited = set(re.findall(r"^      (\w+):\n        condition:", COMPOSE, re.MULTILINE))
    assert waited <= services


@pytest.mark.parametrize("phone", ["alice", "bob", "carol"])
def test_every_phone_plays_a_scenario_that_exists(phone: str) -> None:
    service = COMPOSE.partition(f"\n  {phone}:\n")[2]
    found = re.search(r"command:\s*(\[.*?\])", service, re.DOTALL)
    assert found
    command = json.loads(found[1])
    assert (DOCKER / "phones" / command[command.index("-sf") + 1]).exists()
    own = re.search(r"ipv4_address: (\S+)", service)
    assert own and command[command.index("-i") + 1] == own[1]


@pytest.mark.parametrize(
    ("dockerfile", "context"),
    [("Dockerfile", REPOSITORY), ("phones/Dockerfile", DOCKER / "phones")],
)
def test_everything_copied_into_an_image_exists(dockerfile: str, context: Path) -> None:
    lines = re.findall(r"^COPY (?!--from)(.*)$", (DOCKER / dockerfile).read_text(), re.MULTILINE)
    names = [name for line in lines for name in line.split()[:-1]]
    assert names
    assert [name for name in names if not list(context.glob(name))] == []


def test_what_the_image_needs_is_not_ignored() -> None:
    ignore = (DOCKER / "Dockerfile.dockerignore").read_text().splitlines()
    lines = re.findall(r"^COPY (?!--from)(.*)$", (DOCKER / "Dockerfile").read_text(), re.MULTILINE)
    copied = {name for line in lines for name in line.split()[:-1]}
    assert copied <= {line[1:] for line in ignore if line.startswith("!")}


@pytest.mark.parametrize("path", XML, ids=str)
def test_xml_is_well_formed(path: Path) -> None:
    ElementTree.parse(DOCKER / path)


def test_addresses_agree() -> None:
    """The settings, FreeSWITCH's configuration and compose.yaml mean the same machines."""
    loaded = settings.load(DOCKER / "fsctl.toml", {"FSCTL_SWITCH_PASSWORD": "secret"})
    given = dict(
        re.findall(
            r"^  (\w+):\n(?:    .*\n|\n)*?        ipv4_address: (\S+)", COMPOSE, re.MULTILINE
        )
    )
    listens_at = loaded.server.listen.rpartition(":")[2]
    assert loaded.server.home == f"{given['fsctl']}:{listens_at}"
    assert [switch.host for switch in loaded.switches] == [given["freeswitch"]]
    directory = (DOCKER / "freeswitch/conf/directory/phones.xml").read_text()
    assert re.findall(r"@([\d.]+):5060", directory) == [given["bob"], given["carol"]]
    sofia = (DOCKER / "freeswitch/conf/autoload_configs/sofia.conf.xml").read_text()
    assert re.findall(r'-ip" value="([\d.]+)"', sofia) == [given["freeswitch"]] * 2
