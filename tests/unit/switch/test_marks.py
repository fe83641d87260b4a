"""Controllers and dialplan use the same words, and each of them is used."""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree

import pytest

from fsctl import dialplan
from fsctl.settings import Dialplan, Keys, Route, Settings, Switch, Transfer
from fsctl.switch.marks import Context, Extension, Mark, Stage, one_of
from fsctl.switch.marks_tables import README, with_tables

ROOT = Path(__file__).parents[3]
ROUTES = (
    Route(name="a", match=r"1\d{3}", kind="user"),
    Route(name="b", match=".+", kind="gateway", gateway="g"),
)
SETTINGS = [
    Settings(
        routes=ROUTES,
        switches=(Switch(password="x"),) if plan.only_living else (),
        dialplan=plan,
        keys=Keys(blind="*1", attended="*2"),
        transfer=Transfer(recall=True, fallback=fallback, fallback_number="1000"),
    )
    for plan in (
        Dialplan(scope="calls", inbound_match=".*", only_living=True),
        Dialplan(scope="calls", inbound_match=".*"),
        Dialplan(only_living=True),
        Dialplan(),
    )
    for fallback in ("voicemail", "number")
]


@pytest.fixture(scope="module")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> list[ElementTree.Element]:
    """All that is rendered, of several settings."""
    folders = [tmp_path_factory.mktemp("rendered") for _ in SETTINGS]
    made = zip(SETTINGS, folders, strict=True)
    paths = [path for settings, folder in made for path in dialplan.render(settings, folder)]
    return [ElementTree.parse(path).getroot() for path in paths]


@pytest.fixture(scope="module")
def code() -> str:
    """What controllers say, but for the words themselves."""
    folders = ("session", "switch", "check", "service", "esl")
    files = [path for folder in folders for path in (ROOT / "fsctl" / folder).rglob("*.py")]
    files.append(ROOT / "fsctl" / "dialplan.py")
    return "\n".join(path.read_text(encoding="utf-8") for path in files if path.name != "marks.py")


def _texts(rendered: list[ElementTree.Element]) -> list[str]:
    return [text for root in rendered for node in root.iter() for text in node.attrib.values()]


def test_every_variable_of_the_dialplan_is_a_mark(rendered: list[ElementTree.Element]) -> None:
    known = set(Mark) | set(Context) | set(Extension)
    for root in rendered:
        for node in root.iter():
            texts = [text for key, text in node.attrib.items() if key != "name"]
            for word in re.findall(r"(?<![a-z_])fsctl_[a-z][a-z_]*", " ".join(texts)):
                assert word in known, texts


def test_every_mark_is_used(rendered: list[ElementTree.Element], code: str) -> None:
    texts = " ".join(_texts(rendered))
    unused = [
        m for m in Mark if not re.search(rf"\b{m}(?![a-z])", texts) and f"Mark.{m.name}" not in code
    ]
    assert not unused


def test_every_stage_is_set_and_judged_only_if_it_is(
    rendered: list[ElementTree.Element], code: str
) -> None:
    texts = _texts(rendered)
    by_dialplan = {
        stage for text in texts for stage in re.findall(r"(?<![\w$])fsctl_stage=(\w+)", text)
    }
    by_controllers = {stage for stage in Stage if f"Stage.{stage.name}" in code}
    assert by_dialplan <= set(Stage)
    assert by_dialplan | by_controllers == set(Stage)


def test_a_leg_is_sent_only_where_something_takes_it(
    rendered: list[ElementTree.Element],
) -> None:
    contexts = {node.attrib["name"]: node for root in rendered for node in root.iter("context")}
    assert set(contexts) == set(Context)
    sent = {
        (word, context)
        for text in _texts(rendered)
        for word, context in re.findall(r"(?<![$\w])(\w+)[ :]XML[ :](fsctl_[a-z]+)", text)
    }
    assert len(sent) >= 12
    for word, context in sent:
        assert word in set(Extension), word
        assert _is_taken(contexts[context], word), f"{word} in {context}"


def _is_taken(context: ElementTree.Element, extension: str) -> bool:
    for node in context.iter("extension"):
        numbers = [
            condition.attrib["expression"]
            for condition in node.iter("condition")
            if condition.attrib.get("field") == "destination_number"
        ]
        if all(re.search(number, extension) for number in numbers):
            return True
    return False


def test_a_slip_in_a_template_is_an_error(tmp_path: Path) -> None:
    overrides = tmp_path / "overrides"
    overrides.mkdir()
    block = "{% block prepare %}<condition>{{ stage.LOST }}</condition>{% endblock %}"
    slip = '{% extends "fsctl/return.xml.j2" %}' + block
    (overrides / "return.xml.j2").write_text(slip)
    with pytest.raises(Exception, match=r"LOST"):
        dialplan.render(Settings(dialplan=Dialplan(overrides=overrides)), tmp_path / "out")


def test_one_of_matches_these_words_and_no_others() -> None:
    for words in (("new",), ("new", "legacy")):
        assert [w for w in (*Stage, "newer", "", "new legacy") if re.search(one_of(*words), w)] == [
            *words
        ]


def test_the_tables_of_the_readme_are_made_from_the_words() -> None:
    text = README.read_text(encoding="utf-8")
    assert text == with_tables(text), "run python -m fsctl.switch.marks_tables"
    assert all(f"| `{word}` | {word.set_by} |" in text for word in (*Stage, *Mark))
