"""The files of docker/ name each other rightly. What they do is shown in tests/live."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
import yaml

from fsctl import settings

REPOSITORY = Path(__file__).parents[2]
DOCKER = REPOSITORY / "docker"
TEXT = (DOCKER / "compose.yaml").read_text(encoding="utf-8")
COMPOSE = yaml.safe_load(TEXT)
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
MOUNTS = [
    mount.split(":")[0] for service in SERVICES.values() for mount in service.get("volumes", [])
]
XML = sorted(path.relative_to(DOCKER) for path in DOCKER.rglob("*.xml"))
PASSWORD = {"FSCTL_SWITCH_PASSWORD": "secret"}


def address(service: str) -> str:
    return str(SERVICES[service]["networks"]["lab"]["ipv4_address"])


def test_every_mounted_file_exists_and_every_volume_is_declared() -> None:
    files = [name for name in MOUNTS if name.startswith(".")]
    assert files and [name for name in files if not (DOCKER / name).exists()] == []
    assert {name for name in MOUNTS if not name.startswith(".")} == set(COMPOSE["volumes"])
    secrets = {name for service in SERVICES.values() for name in service.get("secrets", [])}
    assert secrets == set(COMPOSE["secrets"])
    ignored = (REPOSITORY / ".gitignore").read_text().splitlines()
    for secret in COMPOSE["secrets"].values():
        assert (Path("docker") / secret["file"]).as_posix() in ignored


def test_what_a_service_waits_for_can_be_waited_for() -> None:
    for service in SERVICES.values():
        for name, wait in service.get("depends_on", {}).items():
            assert name in SERVICES
            assert wait["condition"] != "service_healthy" or "healthcheck" in SERVICES[name]


@pytest.mark.skipif(not shutil.which("docker-compose"), reason="needs Debian's docker-compose")
def test_docker_compose_accepts_the_file(tmp_path: Path) -> None:
    """Debian's is of version 1, which does not know the line `name`."""
    file = tmp_path / "docker" / "compose.yaml"
    (file.parent / "phones").mkdir(parents=True)
    file.write_text(re.sub(r"^name:.*\n", "", TEXT, flags=re.MULTILINE))
    command = ["docker-compose", "-f", str(file), "config", "--quiet"]
    done = subprocess.run(
        command, env=os.environ | PASSWORD, capture_output=True, text=True, timeout=60
    )
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("phone", ["alice", "bob", "carol"])
def test_every_phone_plays_a_scenario_that_exists(phone: str) -> None:
    command = SERVICES[phone]["command"]
    assert (DOCKER / "phones" / command[command.index("-sf") + 1]).exists()
    assert command[command.index("-i") + 1] == address(phone)


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
    loaded = settings.load(DOCKER / "fsctl.toml", PASSWORD)
    listens_at = loaded.server.listen.rpartition(":")[2]
    assert loaded.server.home == f"{address('fsctl')}:{listens_at}"
    assert [switch.host for switch in loaded.switches] == [address("freeswitch")]
    directory = (DOCKER / "freeswitch/conf/directory/phones.xml").read_text()
    assert re.findall(r"@([\d.]+):5060", directory) == [address("bob"), address("carol")]
    sofia = (DOCKER / "freeswitch/conf/autoload_configs/sofia.conf.xml").read_text()
    assert re.findall(r'-ip" value="([\d.]+)"', sofia) == [address("freeswitch")] * 2


def test_prometheus_and_grafana_find_what_they_show() -> None:
    config = yaml.safe_load((DOCKER / "prometheus/prometheus.yaml").read_text())
    (scrape,) = config["scrape_configs"]
    environment = SERVICES["fsctl"]["environment"]
    port = environment["FSCTL_HTTP_LISTEN"].rpartition(":")[2]
    assert scrape["static_configs"] == [{"targets": [f"{address('fsctl')}:{port}"]}]
    token = scrape["authorization"]["credentials_file"]
    assert environment["FSCTL_HTTP_TOKEN_FILE"] == token
    assert token.rpartition("/")[2] in SERVICES["prometheus"]["secrets"]
    provisioning = DOCKER / "grafana/provisioning"
    (source,) = yaml.safe_load((provisioning / "datasources/prometheus.yaml").read_text())[
        "datasources"
    ]
    assert source["url"] == f"http://{address('prometheus')}:9090"
    (provider,) = yaml.safe_load((provisioning / "dashboards/fsctl.yaml").read_text())["providers"]
    home = SERVICES["grafana"]["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]
    assert home.startswith(provider["options"]["path"])
    assert f"./grafana/dashboard.json:{home}:ro" in SERVICES["grafana"]["volumes"]


def test_fsctl_may_write_nothing_but_its_state(tmp_path: Path) -> None:
    """As in the image: an unprivileged user, one folder, an end after that of the last call."""
    dockerfile = (DOCKER / "Dockerfile").read_text()
    service = SERVICES["fsctl"]
    volume = re.search(r"^VOLUME (\S+)$", dockerfile, re.MULTILINE)
    assert volume and f"STATE_DIRECTORY={volume[1]}" in dockerfile
    assert f"state:{volume[1]}" in service["volumes"] and service["read_only"]
    user = re.search(r"^USER (\d+):\d+$", dockerfile, re.MULTILINE)
    assert user and int(user[1]) > 1000
    (tmp_path / "token").write_text("0123456789abcdef")
    environment = service["environment"] | PASSWORD
    environment["FSCTL_HTTP_TOKEN_FILE"] = str(tmp_path / "token")
    loaded = settings.load(DOCKER / "fsctl.toml", environment)
    assert int(service["stop_grace_period"].rstrip("s")) > loaded.server.drain_timeout_s + 15
