"""Imports go downwards only: the folders are the layers, and this test reads the imports."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2] / "fsctl"
LAYERS = [
    {"errors", "files", "log_writer", "__init__"},
    {"sip", "hep", "log", "moments", "setting_regex", "setting_tones"},
    {"journal", "ladder"},
    {"transfer", "setting_kinds"},
    {"setting_switches", "setting_policy", "setting_devices", "setting_decide", "setting_groups"}
    | {"setting_keys", "setting_records", "setting_hep", "setting_http", "setting_transfer"},
    {"setting_news", "setting_routes"},
    {"settings", "simulator"},
    {"control"},
    {"records"},
    {"policy"},
    {"decide"},
    {"esl"},
    {"switch"},
    {"session.core"},
    {"session.calling"},
    {"session.transfers"},
    {"session.arrivals"},
    {"scenario"},
    {"dialplan", "story"},
    {"check"},
    {"desk"},
    {"web"},
    {"install", "service"},
    {"stage"},
    {"demo", "rehearsal", "testing"},
    {"cli"},
    {"__main__"},
]
"""From the bottom up; a module may import from layers below its own and from its own folder, and
what it imports for its types only counts as well."""

PURE = ["sip", "hep", "ladder", "transfer", "errors.py", "settings.py"]
_SETTINGS = (
    *("decide", "devices", "groups", "hep", "http", "keys", "kinds", "news", "policy", "records"),
    *("regex", "routes", "switches", "tones", "transfer"),
)
PURE += [f"setting_{name}.py" for name in _SETTINGS]
PURE += [f"decide/{name}.py" for name in ("request", "answer", "signature")]
_ESL = ("frames", "events", "fields", "commands", "apis", "questions")
PURE += [f"esl/{name}.py" for name in _ESL]
IMPURE = {"gevent", "greenswitch", "socket", "time", "datetime", "random", "subprocess", "asyncio"}


@cache
def imports(path: Path) -> list[str]:
    found: list[str] = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            module = node.module or ""
            found += [f"{module}.{a.name}" for a in node.names] if module == "fsctl" else [module]
    return found


def layer_of(name: str) -> int:
    return next(height for height, names in enumerate(LAYERS) if name in names)


def floor_of(parts: Sequence[str]) -> str:
    """The floor of a module, given by the parts of its name below the package."""
    return ".".join(parts[:2]) if parts[0] == "session" else parts[0]


def modules() -> list[Path]:
    return sorted(ROOT.rglob("*.py"))


def top(path: Path) -> str:
    return floor_of(path.relative_to(ROOT).with_suffix("").parts)


def ours(path: Path) -> list[str]:
    """The modules of fsctl that it imports."""
    named = (name for name in imports(path) if name != "fsctl.__version__")
    return [name for name in named if name.startswith("fsctl.")]


def goes_down(own: str, name: str) -> bool:
    imported = floor_of(name.split(".")[1:])
    return imported == own or layer_of(imported) < layer_of(own)


def test_imports_go_down():
    assert not imports(ROOT / "session" / "__init__.py")
    wrong = [
        f"{path.relative_to(ROOT)} imports {name}"
        for path in modules()
        for name in ours(path)
        if not goes_down(top(path), name)
    ]
    assert not wrong


@pytest.mark.parametrize("pattern", PURE)
def test_pure_layers_touch_nothing(pattern):
    place = ROOT / pattern
    paths = sorted(place.rglob("*.py")) if place.is_dir() else [place]
    assert paths and all(path.exists() for path in paths)
    for path in paths:
        assert not {name.split(".")[0] for name in imports(path)} & IMPURE, path


def test_only_one_file_imports_greenswitch():
    users = [p for p in modules() if any(n.split(".")[0] == "greenswitch" for n in imports(p))]
    assert [str(p.relative_to(ROOT)) for p in users] == ["esl/connection.py"]


def test_simulator_knows_nothing_of_fsctl_but_its_errors():
    for path in (ROOT / "simulator").rglob("*.py"):
        for name in imports(path):
            if name.startswith("fsctl"):
                assert name.startswith(("fsctl.errors", "fsctl.simulator")), f"{path}: {name}"
