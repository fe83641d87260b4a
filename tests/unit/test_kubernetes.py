"""The files of docker/kubernetes/: Kubernetes takes them, and they agree with fsctl."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from fsctl import settings
from fsctl.settings import Settings
from fsctl.web.guard import _OPEN

kubernetes_validate = pytest.importorskip(
    "kubernetes_validate", reason="needs the extra test: pip install -e '.[test]'"
)

FOLDER = Path(__file__).parents[2] / "docker" / "kubernetes"
FILES = sorted(FOLDER.rglob("*.yaml"))
OBJECTS: dict[tuple[str, str], dict[str, Any]] = {
    (each["kind"], each["metadata"]["name"]): each
    for path in FILES
    for each in yaml.safe_load_all(path.read_text(encoding="utf-8"))
}
OLDEST = "1.28"
"""Of the label with the number of a pod."""
CONTROLLERS = OBJECTS["StatefulSet", "fsctl"]["spec"]
POD = CONTROLLERS["template"]["spec"]
(CONTAINER,) = POD["containers"]
NUMBERS = range(CONTROLLERS["replicas"])
LABELS = CONTROLLERS["template"]["metadata"]["labels"]


def loaded(number: int, folder: Path) -> Settings:
    """The settings of one pod, by its environment and what is mounted."""
    secret = OBJECTS["Secret", "fsctl"]["stringData"]
    mounts = {each["name"]: each["mountPath"] for each in CONTAINER["volumeMounts"]}
    (volume,) = (each["secret"] for each in POD["volumes"] if "secret" in each)
    for item in volume["items"]:
        (folder / item["path"]).write_text(secret[item["key"]])
    environment: dict[str, str] = {}
    for each in CONTAINER["env"]:
        source = each.get("valueFrom", {})
        if "secretKeyRef" in source:
            value = secret[source["secretKeyRef"]["key"]]
        elif "fieldRef" in source:
            value = str(number)
        else:
            value = re.sub(r"\$\((\w+)\)", lambda found: environment[found[1]], each["value"])
            value = value.replace(mounts["secrets"], str(folder))
        environment[each["name"]] = value
    file = folder / Path(CONTAINER["args"][-1]).name
    assert f"{mounts['settings']}/{file.name}" == CONTAINER["args"][-1]
    file.write_text(OBJECTS["ConfigMap", "fsctl"]["data"][file.name])
    return settings.load(file, environment)


@pytest.mark.parametrize("version", [OLDEST, kubernetes_validate.latest_version()])
def test_kubernetes_knows_every_field(version: str, monkeypatch: pytest.MonkeyPatch) -> None:
    read = cache(kubernetes_validate.utils.schema_contents)  # megabytes, for each object
    monkeypatch.setattr(kubernetes_validate.utils, "schema_contents", read)
    for each in OBJECTS.values():
        if each["kind"] != "ServiceMonitor":  # is the operator's
            kubernetes_validate.validate(each, version, strict=True)


def test_every_object_is_where_the_others_are() -> None:
    for (kind, name), each in OBJECTS.items():
        assert kind == "Namespace" or each["metadata"]["namespace"] == "fsctl", name
    for kind in ("PodDisruptionBudget", "StatefulSet"):
        assert OBJECTS[kind, "fsctl"]["spec"]["selector"] == {"matchLabels": LABELS}


@pytest.mark.parametrize("number", NUMBERS)
def test_freeswitch_reaches_each_controller(number: int, tmp_path: Path) -> None:
    """By an address of its own, at the port of all workers and at each one's."""
    found = loaded(number, tmp_path)
    service = OBJECTS["Service", f"fsctl-{number}"]["spec"]
    host, _, port = found.server.home.rpartition(":")
    assert service["clusterIP"] == host and found.server.listen == f"0.0.0.0:{port}"
    assert found.dialplan.controllers[number] == found.server.home
    assert len(found.dialplan.controllers) == len(NUMBERS)
    first, last = found.server.home_ports or (0, 0)
    assert last - first + 1 == 2 * found.server.workers
    dialled = {int(port), *range(first, last + 1)}
    assert {each["port"] for each in service["ports"]} == dialled
    assert service["publishNotReadyAddresses"]
    ports = {each["containerPort"] for each in CONTAINER["ports"]}
    assert ports == dialled | {int(found.http.listen.rpartition(":")[2])}


def test_every_secret_arrives(tmp_path: Path) -> None:
    found = loaded(0, tmp_path)
    secret = OBJECTS["Secret", "fsctl"]["stringData"]
    assert [switch.password for switch in found.switches] == [
        secret[f"{switch.name}.password"] for switch in found.switches
    ]
    assert found.http.token == secret["http.token"] and found.http.guards_reading
    assert found.records.database == secret["database.url"]
    assert found.warnings == ()


def test_a_pod_may_do_little_and_ends_after_its_drain(tmp_path: Path) -> None:
    image = (FOLDER.parent / "Dockerfile").read_text()
    context = POD["securityContext"]
    assert f"USER {context['runAsUser']}:{context['runAsGroup']}\n" in image
    assert context["runAsNonRoot"] and context["fsGroup"] == context["runAsGroup"]
    assert CONTAINER["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    (state,) = CONTROLLERS["volumeClaimTemplates"]
    mounts = {each["name"]: each["mountPath"] for each in CONTAINER["volumeMounts"]}
    assert f"VOLUME {mounts[state['metadata']['name']]}\n" in image
    assert POD["enableServiceLinks"] is False  # FSCTL_0_PORT would be no setting of ours
    server = loaded(0, tmp_path).server
    assert POD["terminationGracePeriodSeconds"] > server.drain_timeout_s + 15
    assert "lifecycle" not in CONTAINER  # a drain before SIGTERM makes that the second order
    probes = {CONTAINER[f"{name}Probe"]["httpGet"]["path"] for name in ("liveness", "readiness")}
    assert probes == set(_OPEN)


def test_prometheus_finds_the_controllers() -> None:
    monitor = OBJECTS["ServiceMonitor", "fsctl"]["spec"]
    service = OBJECTS["Service", "fsctl"]
    assert monitor["selector"]["matchLabels"].items() <= service["metadata"]["labels"].items()
    assert service["spec"]["selector"] == LABELS and CONTROLLERS["serviceName"] == "fsctl"
    (endpoint,) = monitor["endpoints"]
    assert endpoint["port"] in {each["name"] for each in service["spec"]["ports"]}
    token = endpoint["authorization"]["credentials"]
    assert token["key"] in OBJECTS["Secret", token["name"]]["stringData"]
    assert service["metadata"]["labels"][monitor["jobLabel"]] == "fsctl"
