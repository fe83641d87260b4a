"""What Prometheus and Grafana are given: alerts that come when they should, queries of metrics that
are there, and a scrape by Prometheus itself."""

from __future__ import annotations

import json
import re
import shutil
import socket
import subprocess
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from fsctl.desk.figures import Figures
from fsctl.desk.live import Live
from fsctl.journal import Entry
from tests.unit.service.supervised import Supervised, wait_for

REPOSITORY = Path(__file__).parents[2]
DOCKER = REPOSITORY / "docker"
ALERTS = DOCKER / "prometheus" / "alerts.yaml"
CONFIG = DOCKER / "prometheus" / "prometheus.yaml"
TESTS = REPOSITORY / "tests" / "data" / "prometheus" / "alerts.yaml"
DASHBOARD = json.loads((DOCKER / "grafana" / "dashboard.json").read_text(encoding="utf-8"))
PANELS = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]
TOKEN = "0123456789abcdef"
OTHERS = {"up"}
"""Prometheus's own."""

needs_prometheus = pytest.mark.skipif(
    not (shutil.which("promtool") and shutil.which("prometheus")),
    reason="needs Debian's package prometheus",
)


def queries() -> dict[str, list[str]]:
    """Each query, by whose it is."""
    rules = yaml.safe_load(ALERTS.read_text(encoding="utf-8"))["groups"][0]["rules"]
    found = {rule["alert"]: [rule["expr"]] for rule in rules}
    found |= {panel["title"]: [each["expr"] for each in panel["targets"]] for panel in PANELS}
    variables = DASHBOARD["templating"]["list"]
    found["variables"] = [each["definition"] for each in variables if each["type"] == "query"]
    return found


def metrics() -> dict[str, set[str]]:
    """The labels of each sample that the desk can show."""
    live = Live()
    figures = Figures(live, lambda: 0, lambda: True)
    record = {"id": "t", "outcome": "failed", "code": 486, "rule": "premium", "allowed": False}
    worker = {"pid": 7, "number": 1, "switches": {"pbx": True}}
    for what, fields in (("session", {"session": "s"}), ("worker", worker), ("record", record)):
        entry = Entry("1-7-1", 1, what, 0.0, dict(fields))
        live.take(entry)
        figures.take(entry)
    samples = re.findall(r"^(fsctl_\w+)(?:\{(.*)\})? ", figures.text().decode(), re.MULTILINE)
    found: dict[str, set[str]] = {}
    for name, labels in samples:
        found.setdefault(name, set()).update(re.findall(r'(\w+)="', labels))
    return found


def promtool_accepts(*arguments: str | Path) -> None:
    command = ["promtool", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_alert_is_tested_and_says_what_to_do() -> None:
    tests = TESTS.read_text(encoding="utf-8")
    for rule in yaml.safe_load(ALERTS.read_text(encoding="utf-8"))["groups"][0]["rules"]:
        assert f'ALERTS{{alertname="{rule["alert"]}"' in tests
        assert rule["labels"]["severity"] in ("page", "ticket")
        assert set(rule["annotations"]) == {"summary", "description"}


def test_every_metric_in_a_query_is_there() -> None:
    there = metrics()
    asked: set[str] = set()
    for whose, expressions in queries().items():
        for expression in expressions:
            for name, matchers in re.findall(r"\b(fsctl_\w+|up)\b(?:\{(.*?)\})?", expression):
                assert name in there or name in OTHERS, f"{whose}: there is no {name}"
                labels = set(re.findall(r"(\w+)\s*(?:=~|!=|!~|=)", matchers))
                known = there.get(name, set()) | {"instance", "job"}
                assert labels <= known, f"{whose}: {name} has no {labels - known}"
                asked.add(name)
            for by in re.findall(r"\bby \((.*?)\)", expression):
                names = set(re.findall(r"\bfsctl_\w+", expression))
                known = {"instance"}.union(*(there[name] for name in names))
                assert set(by.split(", ")) <= known, f"{whose}: {expression}"
    # And each is shown, but for what belongs to a histogram's buckets.
    shown = {name for name in there if not name.endswith(("_sum", "_count"))}
    assert shown <= asked


def test_the_dashboard_has_its_panels_apart() -> None:
    ids = [panel["id"] for panel in DASHBOARD["panels"]]
    assert len(ids) == len(set(ids)) and len(PANELS) > 15
    taken: dict[tuple[int, int], str] = {}
    for panel in DASHBOARD["panels"]:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24
        for x in range(place["x"], place["x"] + place["w"]):
            for y in range(place["y"], place["y"] + place["h"]):
                assert taken.setdefault((x, y), panel["title"]) == panel["title"]
    assert len({panel["title"] for panel in PANELS}) == len(PANELS)
    assert all(panel["description"].endswith(".") for panel in PANELS)


# -- Prometheus itself ----------------------------------------------------------------------------


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


class Prometheus:
    """The program, as it scrapes one desk."""

    def __init__(self, folder: Path, desk: int) -> None:
        self._folder, self._port = folder, free_port()
        config = yaml.safe_load(CONFIG.read_text(encoding="utf-8"))
        config["global"] = {"scrape_interval": "250ms", "evaluation_interval": "250ms"}
        (scrape,) = config["scrape_configs"]
        scrape["static_configs"] = [{"targets": [f"127.0.0.1:{desk}"]}]
        scrape["scrape_timeout"] = "250ms"
        (folder / "token").write_text(f"{TOKEN}\n")
        scrape["authorization"]["credentials_file"] = str(folder / "token")
        (folder / "prometheus.yaml").write_text(json.dumps(config))
        shutil.copy(ALERTS, folder)

    @contextmanager
    def running(self) -> Iterator[None]:
        """It answers, and ends afterwards."""
        command = [
            "prometheus",
            f"--config.file={self._folder}/prometheus.yaml",
            f"--storage.tsdb.path={self._folder}/data",
            f"--web.listen-address=127.0.0.1:{self._port}",
        ]
        with (self._folder / "prometheus.log").open("wb") as log:
            process = subprocess.Popen(command, stdout=log, stderr=log)
        try:
            wait_for(self._is_ready, self.log)
            yield
        finally:
            process.kill()
            process.wait()

    def log(self) -> str:
        """What it has printed."""
        return (self._folder / "prometheus.log").read_text()

    def _is_ready(self) -> bool:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self._port}/-/ready"):
                return True
        except OSError:
            return False

    def ask(self, path: str, **asked: str) -> Any:
        """What its API answers. Raises AssertionError where it refuses the question."""
        form = urllib.parse.urlencode(asked)
        url = f"http://127.0.0.1:{self._port}/api/v1/{path}?{form}"
        try:
            with urllib.request.urlopen(url) as answer:
                return json.load(answer)["data"]
        except urllib.error.HTTPError as error:
            raise AssertionError(f"{asked}: {error.read().decode()}") from error

    def values(self, query: str) -> list[float]:
        """The values that it finds now."""
        return [float(each["value"][1]) for each in self.ask("query", query=query)["result"]]


def as_grafana_asks(query: str) -> str:
    """A panel's query with its variables replaced."""
    for name, text in (("__rate_interval", "1m"), ("instance", ".*"), ("switch", ".*")):
        query = query.replace(f"${name}", text)
    return query


@needs_prometheus
def test_prometheus_scrapes_the_desk(tmp_path: Path) -> None:
    """With the configuration and the alerts of docker/; each panel's query is one. It finds whom to
    scrape after 5 s only: promtool tells meanwhile what it thinks of them."""
    http = free_port()
    (tmp_path / "desk").mkdir()
    rest = f'[http]\nlisten = "127.0.0.1:{http}"\ntoken = "{TOKEN}"\ntoken_reads = true\n'
    rest += '[switch]\nport = 1\npassword = "nobody is there"\n'
    records = f'[records]\nfolder = "{tmp_path}/desk"\n'
    controller = Supervised(tmp_path, f"{rest}{records}", workers=1)
    controller.environment = {"FSCTL_RECORDS_KEEP": "true"}
    prometheus = Prometheus(tmp_path, http)

    def told() -> str:
        return f"{controller.log()}\n{prometheus.log()}"

    def rules() -> list[Any]:
        return [*prometheus.ask("rules")["groups"][0]["rules"]]

    controller.start()
    try:
        with prometheus.running():
            promtool_accepts("check", "config", "--syntax-only", CONFIG)
            promtool_accepts("check", "rules", ALERTS)
            promtool_accepts("test", "rules", TESTS)
            wait_for(lambda: prometheus.values('up{job="fsctl"}') == [1.0], told)
            wait_for(lambda: prometheus.values("fsctl_workers") == [1.0], told)
            assert prometheus.values("fsctl_database_up") == [1.0]
            assert max(prometheus.values("fsctl_worker_resident_bytes")) > 1e6
            wait_for(lambda: prometheus.values("fsctl_switch_connected") == [0.0], told)
            # Before anything has happened each panel shows that there is nothing, not "No data".
            for panel in PANELS:
                for target in panel["targets"]:
                    query = as_grafana_asks(target["expr"])
                    wait_for(lambda query=query: prometheus.values(query), f"{query} {told()}")  # type: ignore[misc]
            wait_for(lambda: all(rule["health"] == "ok" for rule in rules()), told)
    finally:
        controller.finish()
