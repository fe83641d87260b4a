"""The documentation names what is there, names all of it, and builds without a warning."""

from __future__ import annotations

import ast
import inspect
import os
import re
import subprocess
import sys
from dataclasses import fields
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

import fsctl.cli
import fsctl.scenario
from fsctl.dialplan import NativeRoute, _context
from fsctl.scenario import Call, Scenario, Session
from fsctl.session.core.clock import Timer
from fsctl.settings import Server, Settings

REPOSITORY = Path(__file__).parents[2]
DOCS = REPOSITORY / "docs"
PAGES = sorted(DOCS.glob("*.md"))
OWNERS: dict[str, type] = {"call": Call, "session": Session, "scenario": Scenario, "Timer": Timer}
NOT_VERBS = {"advance", "handlers"}
"""Public methods of a call that are fsctl's own business."""


def text(page: str) -> str:
    return (DOCS / page).read_text(encoding="utf-8")


def rows(page: str) -> list[list[str]]:
    """The cells of every row of a table of three columns."""
    lines = [line for line in text(page).splitlines() if line.startswith("| ")]
    cells = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]
    return [row for row in cells if len(row) == 3 and row[0] != "VoxEngine"]


NAMES = [name for row in rows("voxengine.md") for name in re.findall(r"`([^`]+)`", row[1])]


@cache
def attributes(owner: type) -> set[str]:
    """What its instances have: of the class, its fields, and what an ``__init__`` sets."""
    kinds = [kind for kind in owner.__mro__ if kind.__module__.startswith("fsctl.")]
    sources = "\n".join(inspect.getsource(kind) for kind in kinds)
    assigned = re.findall(r"^\s+self\.(\w+)\b[^=\n]*=", sources, re.MULTILINE)
    fields = [name for kind in kinds for name in inspect.get_annotations(kind)]
    return {*dir(owner), *assigned, *fields}


def resolve(name: ast.expr) -> Any:
    """The object that a dotted name means. Raises AssertionError when there is none."""
    if isinstance(name, ast.Name):
        found = OWNERS.get(name.id) or getattr(fsctl.scenario, name.id, None)
        assert found is not None, f"fsctl.scenario has no {name.id}"
        return found
    assert isinstance(name, ast.Attribute)
    owner = resolve(name.value)
    assert name.attr in attributes(owner), f"{owner.__name__} has no {name.attr}"
    return getattr(owner, name.attr, None)


def verbs() -> list[str]:
    """What a scenario may do with a call, and with a session (its section of verbs)."""
    of_call = [n for n, _ in inspect.getmembers(Call, inspect.isfunction) if not n.startswith("_")]
    source = inspect.getsource(Session)
    section = source.partition("# -- verbs --")[2].partition("    # -- ")[0]
    of_session = ["on", "wait", *re.findall(r"^    def ([a-z]\w+)", section, re.MULTILINE)]
    assert len(of_session) > 10
    return [f"call.{name}" for name in of_call if name not in NOT_VERBS] + [
        f"session.{name}" for name in of_session
    ]


# -- VoxEngine's names ----------------------------------------------------------------------------


@pytest.mark.parametrize("name", sorted(set(NAMES)))
def test_every_name_in_the_mapping_is_there(name: str) -> None:
    expression = ast.parse(name, mode="eval").body
    if not isinstance(expression, ast.Call):
        resolve(expression)
        return
    function = resolve(expression.func)
    receiver = [] if isinstance(expression.func, ast.Name) else [None]
    named = {each.arg: None for each in expression.keywords if each.arg}
    signature = inspect.signature(function)
    signature.bind_partial(*receiver, *expression.args, **named)


@pytest.mark.parametrize("name", [*fsctl.scenario.__all__, *verbs()])
def test_the_mapping_has_every_name(name: str) -> None:
    mapped = {re.sub(r"\(.*", "", each) for each in NAMES}
    assert name in mapped, f"docs/voxengine.md says nothing of {name}"


def test_every_row_says_what_differs() -> None:
    assert len(rows("voxengine.md")) > 100
    for theirs, ours, differs in rows("voxengine.md"):
        assert theirs and ours and differs
        assert "–" not in (theirs, ours) or differs != "–"


# -- the reference --------------------------------------------------------------------------------


def documented() -> set[str]:
    """What the reference's directives name, members included."""
    found: set[str] = set()
    for block in text("api.md").split(".. auto")[1:]:
        path = re.match(r"\w+:: ([\w.]+)", block)
        assert path is not None
        found.add(path[1])
        for option in re.findall(r":members: ((?:[\w, ]+\n?)+)", block):
            found |= {f"{path[1]}.{name}" for name in re.split(r"[,\s]+", option) if name}
    return found


@pytest.mark.parametrize("name", fsctl.scenario.__all__)
def test_the_reference_has_every_public_name(name: str) -> None:
    assert f"fsctl.scenario.{name}" in documented()


@pytest.mark.parametrize("name", verbs())
def test_the_reference_has_every_verb(name: str) -> None:
    owner, verb = name.split(".")
    assert f"fsctl.scenario.{owner.title()}.{verb}" in documented()


# -- examples -------------------------------------------------------------------------------------


def python_blocks(document: str) -> list[str]:
    return re.findall(r"^```python\n(.*?)^```$", document, re.MULTILINE | re.DOTALL)


def test_the_readme_shows_the_examples() -> None:
    readme = (REPOSITORY / "README.md").read_text(encoding="utf-8")
    examples = [path.read_text(encoding="utf-8") for path in (REPOSITORY / "examples").glob("*.py")]
    section = readme.partition("\n## A scenario\n")[2].partition("\n## ")[0]
    blocks = python_blocks(section)
    assert len(blocks) >= 3
    for block in blocks:
        assert any(block in example for example in examples), block


def test_scenarios_in_the_text_load(tmp_path: Path) -> None:
    blocks = [b for page in PAGES for b in python_blocks(page.read_text(encoding="utf-8"))]
    scenarios = [block for block in blocks if "scenario = Scenario()" in block]
    assert scenarios
    for number, block in enumerate(scenarios):
        path = tmp_path / f"block{number}.py"
        path.write_text(block, encoding="utf-8")
        fsctl.scenario.load(path)


def test_the_page_shows_the_policy_as_it_comes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "fsctl.toml").touch()
    assert fsctl.cli.main(["policy", "show", "--config", str(tmp_path / "fsctl.toml")]) == 0
    assert f"```text\n{capsys.readouterr().out}```" in text("policy.md")


@pytest.mark.parametrize(
    ("by", "rule", "status"), [("1001", "premium", 1), ("unknown", "outside-asks", 1)]
)
def test_the_pages_policy_explains_its_question(
    by: str, rule: str, status: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "fsctl.toml"
    page = text("policy.md")
    file.write_text(page.partition("```toml\n")[2].partition("```")[0], encoding="utf-8")
    question = re.search(r"\$ fsctl (policy explain .*)", page)
    assert question is not None
    asked = question[1].replace("fsctl.toml", str(file)).replace("--by 1001", f"--by {by}")
    assert fsctl.cli.main(asked.split()) == status
    assert f": rule {rule}: who asks is " in capsys.readouterr().out


def test_the_page_names_what_templates_have() -> None:
    page = (REPOSITORY / "dialplan" / "README.md").read_text(encoding="utf-8")
    listed = page.partition("In templates there are ")[2].partition("which makes")[0]
    routes = {field.name for field in fields(NativeRoute)}
    there = set(_context(Settings(server=Server(home="127.0.0.1:8084"))))
    assert set(re.findall(r"`(\w+)`", listed)) == there | routes


# -- what it can do -------------------------------------------------------------------------------


def names_in(path: str) -> set[str]:
    """The tests of a file of the repository; none where there is no such file."""
    file = REPOSITORY / path
    if not file.is_file():
        return set()
    nodes = ast.walk(ast.parse(file.read_text(encoding="utf-8")))
    names = {node.name for node in nodes if isinstance(node, ast.FunctionDef)}
    return {name for name in names if name.startswith("test_")}


def test_each_test_that_proves_a_feature_is_there() -> None:
    named = set(re.findall(r"`([\w/]+\.py)::(\w+)`", text("features.md")))
    assert text("features.md").count("::") == text("features.md").count(".py::test_")
    assert len(named) > 50
    tests = {path: names_in(path) for path, _ in named}
    assert [(path, name) for path, name in sorted(named) if name not in tests[path]] == []


def test_each_feature_has_its_word_and_a_test_or_a_reason() -> None:
    features = text("features.md").partition("## Awkward moments")[0]
    lines = [line for line in features.splitlines() if re.match(r"\| [^|]*\w", line)]
    assert len(lines) > 50
    for line in lines:
        _, what, word, proof, _ = re.split(r" ?\| ?", line)
        assert what and word in ("yes", "part", "no"), line
        assert ("::test_" in proof) if word == "yes" else len(proof) > 20, line


# -- the site -------------------------------------------------------------------------------------


@pytest.mark.skipif(
    any(find_spec(module) is None for module in ("sphinx", "myst_parser", "furo")),
    reason="what builds the documentation is not installed: pip install -e '.[docs]'",
)
def test_the_site_builds_without_a_warning(tmp_path: Path) -> None:
    site, cache = tmp_path / "site", tmp_path / "cache"
    command = [sys.executable, "-B", "-m", "sphinx", "-W", "--keep-going", "-q", "-b", "html"]
    built = subprocess.run(
        [*command, "-d", str(cache), str(DOCS), str(site)],
        env={**os.environ, "PYTHONPYCACHEPREFIX": ""},  # Sphinx itself has been compiled
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert built.returncode == 0, built.stderr
    pages = [path.read_text(encoding="utf-8") for path in site.glob("*.html")]
    assert len(pages) > len(PAGES)
    for page in pages:
        fetched = re.findall(r"<(?:script|img|link)[^>]+(?:src|href)=\"(?:https?:)?//[^\"]+", page)
        assert not fetched
    assert '<svg class="states"' in (site / "transfer.html").read_text(encoding="utf-8")
    reference = (site / "api.html").read_text(encoding="utf-8")
    for name in fsctl.scenario.__all__:
        assert f'id="fsctl.scenario.{name}"' in reference
    assert ":class:" not in reference and ":meth:" not in reference and "``" not in reference
