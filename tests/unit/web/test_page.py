"""The page in a browser: what it shows, how it follows, and what can be done with it."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.unit.web import browser as browsers
from tests.unit.web import scene
from tests.unit.web.browser import Browser, Page
from tests.unit.web.desk import A, ToldDesk
from tests.unit.web.served import Served

pytestmark = pytest.mark.skipif(bool(browsers.missing()), reason=browsers.missing())

TOKEN = "0123456789abcdef"
PICTURES = Path(__file__).parents[3] / "docs" / "_static"
DESK = {"width": 1280, "height": 800, "deviceScaleFactor": 1, "mobile": False}
PARTIES = ("1005", "7", "1050")
PHONE = {"width": 390, "height": 844, "deviceScaleFactor": 1, "mobile": True}
ROWS = "[...document.querySelectorAll('#transfer-table tbody tr')]"
LADDER = b'<svg xmlns="http://www.w3.org/2000/svg" width="940" height="400"/>'
CALLS = "document.querySelectorAll('#call-table tbody tr').length"

Open = Callable[..., Page]


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    browser = Browser(tmp_path_factory.mktemp("chromium"))
    yield browser
    browser.end()


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    served = Served(tmp_path, TOKEN)
    yield served
    served.stop()


@pytest.fixture
def open_page(browser: Browser, served: Served) -> Iterator[Open]:
    """Open the page; what it has logged in the end is wrong."""
    pages: list[Page] = []

    def opened(fragment: str = "", metrics: dict[str, Any] = DESK, **emulated: Any) -> Page:
        emulated = {"setDeviceMetricsOverride": metrics, **emulated}
        page = browser.open(served.address + fragment, **emulated)
        pages.append(page)
        page.wait("document.body.dataset.link === 'live'")
        return page

    yield opened
    for page in pages:
        foreign = [each for each in page.asked if not each.startswith((served.address, "data:"))]
        wrong = [each for each in page.wrong if "/ladder.svg" not in each]
        page.close()
        assert not foreign, "another host was asked"
        assert not wrong


def words(page: Page) -> list[str]:
    """What has become of each transfer that is shown."""
    return page.js(f"{ROWS}.map((row) => row.cells[4].innerText)")


def test_what_goes_on_is_shown_and_followed(served: Served, open_page: Open) -> None:
    shown = served.do(scene.forenoon)
    page = open_page()
    page.wait(f"{CALLS} === 22")
    assert words(page) == [
        "being joined with 121",
        "calling 120",
        "486 Gone fishing: 1002 is busy",
        "connected to 1020",
        "403: the policy refused it, by rule premium",
        "connected to 1011",
        "480 Unavailable: 1040 did not answer, or is not there",
        "487: the party to be moved hung up",
        "603 After hours: the web service refused it",
        "connected to 1002",
    ]
    page.has("#switches", "pbx-2 connected")
    page.has("#worker-table", "1 (pid 4701)")

    page.js(f"{ROWS}.forEach((row) => (row.known = true))")
    name = served.do(lambda desk: scene.transfer(desk, 12, PARTIES, time.time()))
    page.wait(f"{ROWS}[0].dataset.id === '{name}' && {ROWS}[0].dataset.outcome === 'open'")
    ended = {"outcome": "failed", "code": 486, "reason": "Busy Here"}
    served.do(lambda desk: scene.transfer(desk, 12, PARTIES, time.time(), **ended))
    page.wait(f"{ROWS}[0].cells[4].innerText === '486: 1050 is busy'")
    assert page.js(f"{ROWS}.filter((row) => row.known).length") == 10, "only what changed is made"
    served.do(lambda desk: desk.note("session", session="s-5", over=True))
    page.wait(f"{CALLS} === 21")
    served.do(lambda desk: desk.wrong.append("no worker is connected to pbx-2"))
    page.has("#problems", "no worker is connected to pbx-2")

    page.click("[data-show=failed]")
    page.wait(f"{ROWS}.length === 5")
    assert "show=failed" in page.js("location.hash")
    row = f"{ROWS}.find((row) => row.dataset.id === '{shown}')"
    page.js(f"{row}.cells[1].click()")
    page.has("#detail", "the target fails")
    assert page.js("document.activeElement.id") == "detail-title"
    detail = page.text("#detail")
    for text in ("<sip:1002@pbx.example.com>", "allowed by rule inside", "+1.227 s", "pbx-2"):
        assert text in detail
    assert (
        f"transfer={shown}" in page.js("location.hash") and page.js(f"{row}.ariaCurrent") == "true"
    )
    # Nothing can become HTML, whoever forgets that.
    assert "TrustedHTML" in page.js(
        "(() => { try { document.body.innerHTML = '' } catch (error) { return String(error) } })()"
    )
    page.wrong[:] = [each for each in page.wrong if "TrustedHTML" not in each]


def test_what_was_kept_is_found(served: Served, open_page: Open) -> None:
    """By a new desk, which has seen nothing of it."""
    shown = served.do(scene.forenoon)
    odd = {"id": "odd", "kind": "blind", "outcome": "failed", "code": 480, "reason": "Gone"}
    odd |= {"numbers": {"transferor": "77"}, "call_ids": {"transferor": "Gx/Yz~1"}}
    served.do(lambda desk: desk.note("record", time.time() - 9000.0, **odd))
    served.stop()
    served.start()
    served.do(lambda desk: scene.call(desk, 7, "+4989123456", "1002", time.time()))
    page = open_page(f"#transfer={shown}")
    page.has("#detail", "486 Gone fishing: 1002 is busy")
    page.has("#detail", "the target fails")
    assert not page.js("document.querySelector('.ladder')"), "there is none of it"
    page.answer("*/ladder.svg", "image/svg+xml", LADDER)
    page.press("Escape")
    page.wait("document.querySelector('#detail').hidden")
    page.press("Enter")
    page.wait("document.querySelector('.ladder img')?.naturalWidth === 940")
    page.press("/")
    page.type("1002")
    page.wait(f"{ROWS}.length === 2 && {CALLS} === 1")
    page.has("#told", "2 transfers, 1 call found")
    assert words(page) == ["486 Gone fishing: 1002 is busy", "connected to 1002"]
    assert "number=1002" in page.js("location.hash"), "it can be sent to somebody"
    page.press("Escape")
    page.wait(f"{ROWS}.length === 11 && !location.hash.includes('number')")
    page.type("Gx/Yz~1")
    page.has("#told", "1 transfer, 0 calls found")
    page.press("Escape")
    page.wait(f"{ROWS}.length === 11")
    page.type(shown[:8])
    page.wait(f"{ROWS}.length === 1")
    page.press("Escape")
    page.type("nobody")
    page.has("#transfers .empty", "No such transfer for nobody.")


def test_a_lost_connection_is_said_and_nothing_is_missed(served: Served, open_page: Open) -> None:
    served.do(scene.forenoon)
    page = open_page()
    page.wait(f"{CALLS} === 22")
    page.js("document.querySelector('#call-table tr[data-id=s-3]').known = true")

    def cut(desk: ToldDesk) -> None:
        desk.live.listeners[0].close()  # type: ignore[attr-defined]
        desk.note("session", session="s-4", over=True)
        scene.call(desk, 30, "2000", "1030", time.time())

    served.do(cut)
    page.wait(
        "document.querySelector('tr[data-id=s-30]') && !document.querySelector('tr[data-id=s-4]')"
    )
    assert page.js(f"{CALLS}") == 22
    asked = [each for each in page.asked if "/calls?" in each]
    assert len(asked) == 1, "what was missed is told, and not fetched again"

    page.call("Page.setWebLifecycleState", state="frozen")  # a laptop sleeps
    served.do(lambda desk: scene.call(desk, 29, "2000", "1029", time.time()))
    page.call("Page.setWebLifecycleState", state="active")
    page.call("Emulation.setFocusEmulationEnabled", enabled=True)  # and is seen again
    page.wait("document.querySelector('tr[data-id=s-29]')")

    served.stop()
    page.wait("document.body.dataset.link === 'lost'")
    page.has("#lost", "Connection lost at")
    served.start()
    served.do(lambda desk: [scene.call(desk, n, "2000", f"1{n}", time.time()) for n in (3, 31)])
    page.click("#retry")
    page.wait("document.body.dataset.link === 'live'")
    page.wait(f"{CALLS} === 2 && {ROWS}.length === 10")
    assert page.js("document.querySelector('#lost').hidden")
    assert page.js("document.querySelector('tr[data-id=s-3]').known"), "the row is the same"
    served.do(lambda desk: scene.call(desk, 32, "2000", "1032", time.time()))
    page.wait(f"{CALLS} === 3")
    assert len(set(page.js(f"{ROWS}.map((row) => row.dataset.id)"))) == 10
    page.wrong.clear()  # that the connection was refused is said by the browser, too


def test_a_thousand_calls_and_fifty_changes_a_second(
    served: Served, open_page: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fsctl.records.store.keep", lambda engine, entries: None)
    now = time.time()
    served.do(
        lambda desk: [scene.call(desk, n, f"2{n:04}", f"3{n:04}", now - n) for n in range(1000)]
    )
    page = open_page()
    page.wait(f"{CALLS} === 150")
    page.has("#call-count", "1,000")
    page.js("""
        window.frames = []; window.nodes = 0;
        let before = performance.now();
        const tick = (at) => {
            frames.push(at - before);
            before = at;
            requestAnimationFrame(tick);
        };
        requestAnimationFrame(tick);
        new MutationObserver((seen) => {
            for (const each of seen) nodes += 1 + each.addedNodes.length + each.removedNodes.length;
        }).observe(document.querySelector('#side'), {subtree: true, childList: true});
    """)
    changes = 30
    for number in range(changes // 5):
        served.do(lambda desk, n=number: desk.note("session", session=f"s-{n}", over=True))
        served.do(lambda desk, n=2000 + number: scene.call(desk, n, "2000", f"3{n}", time.time()))
        time.sleep(0.1)
    page.wait(f"document.querySelector('tr[data-id=s-{1999 + changes // 5}]')")
    page.has("#call-count", "1,000")
    frames, nodes = page.js("frames"), page.js("nodes")
    # A table that is made anew would be 150 rows each time.
    assert nodes < 40 * changes, f"{nodes} nodes for {changes} changes"
    late = sum(frame > 200 for frame in frames) / len(frames)
    assert late < 0.5, f"{late:.0%} of {len(frames)} frames were late"
    page.js("document.querySelector('#calls .more').click()")
    page.wait(f"{CALLS} === 450")
    page.press("p")
    page.wait("document.querySelector('#pause').ariaPressed === 'true'")
    served.do(lambda desk: desk.note("session", session="s-999", over=True))
    page.has("#pause", "Paused (1)")
    page.has("#call-count", "1,000")
    page.press("p")
    page.has("#call-count", "999")


def test_what_strangers_write_is_text(served: Served, open_page: Open) -> None:
    bad = ("<script>alert(1)</script>", "<img src=//evil.example/x onerror=alert(1)>")
    turned, long = "1001\u202e2001\u0000\n", "9" * 5000

    def stories(desk: ToldDesk) -> None:
        now = time.time()
        scene.call(desk, 1, bad[0], long, now)
        scene.call(desk, 2, turned, bad[1], now)
        ended = {"outcome": "failed", "code": 486, "reason": bad[1], "rule": bad[0]}
        scene.transfer(desk, 1, (bad[0], turned, long), now, **ended)
        odd = {"step": bad[1], "state": f"{bad[0]}, reporting {long}"}
        desk.note("step", now, transfer=scene.uuid(1001), **odd)
        desk.note("worker", now, pid=9, number=bad[0], switches={bad[1]: True}, began=now)
        desk.wrong.append(bad[0])

    served.do(stories)
    page = open_page(f"#transfer={scene.uuid(1001)}")
    page.has("#detail .steps", bad[1])
    page.has("#problems", bad[0])
    shown = page.text("body")
    assert bad[0] in page.text("#transfer-table") and "1001\\u{202e}2001" in shown
    assert bad[1] in page.text("#switches")
    assert not page.js("document.querySelectorAll('body script, img[onerror]').length")
    assert page.js("document.documentElement.scrollWidth <= innerWidth")
    for fragment in ("#call=s-1", f"#number={bad[1]}", "#transfer=%00%ff&show=<b>&call=../x"):
        page.js(f"location.hash = {json.dumps(fragment)}")
    page.js("new Promise((done) => setTimeout(done, 300))")
    assert page.js("document.documentElement.scrollWidth <= innerWidth")
    page.wrong[:] = [each for each in page.wrong if "status of 404" not in each]


def test_by_keyboard_alone(served: Served, open_page: Open) -> None:
    shown = served.do(scene.forenoon)
    page = open_page()
    page.wait(f"{ROWS}.length === 10")
    focus = "document.activeElement"
    walked = []
    for _ in range(14):
        page.press("Tab")
        name = (
            f"{focus}.id || {focus}.dataset.show || {focus}.closest('table')?.id || {focus}.tagName"
        )
        walked.append(page.js(name))
    order = ["number", "pause", "operate", "keys", "BUTTON", "open", "succeeded", "failed"]
    assert [each for each in walked if each != "DIV"][:10] == [
        *order,
        "abandoned",
        "transfer-table",
    ]
    assert "call-table" in walked, "each table is one stop"
    page.press("t", "ArrowDown", "j")
    assert page.js(f"{focus}.closest('tr').dataset.id") == shown
    label = page.js(f"{focus}.ariaLabel")
    assert label.endswith("1001 → +4989123456 → 1002: 486 Gone fishing: 1002 is busy")
    page.press("Enter")
    page.wait(f"{focus}.id === 'detail-title'")
    page.press("Escape")
    page.wait(f"{focus}.closest('tr')?.dataset.id === '{shown}'")
    # What leaves takes the focus along to nobody.
    page.press("c")
    served.do(lambda desk: desk.note("session", session="s-21", over=True))
    page.wait(f"{CALLS} === 21 && {focus}.closest('table')?.id === 'call-table'")
    page.press("?")
    page.wait("document.querySelector('#help').open")
    page.press("Escape")
    page.wait("!document.querySelector('#help').open")


def test_what_can_be_done(served: Served, open_page: Open) -> None:
    served.do(lambda desk: desk.call())
    page = open_page("#call=s-1")
    page.wait("document.querySelector('[data-key^=hangup]')")
    page.click(f"[data-key='hangup {A}']")
    page.has("#ask", "Hang up 2000?")
    assert page.js("document.activeElement.id") == "ask-no"
    page.press("Escape")
    page.wait("!document.querySelector('#ask').open")
    # Asked again before it is told that the first question is over.
    again = f"document.querySelector(`[data-key='hangup {A}']`).click()"
    page.js(f"{again}; document.querySelector('#ask-no').click(); {again}")
    page.js("new Promise((done) => setTimeout(done, 50))")
    page.click("#ask-yes")
    for token, why in (("wrong" * 4, "the one in [http]"), (TOKEN, "That was not the token.")):
        page.has("#ask-text", why)
        page.type(token)
        page.press("Enter")
    page.has("#told", "2000 is hung up")
    assert page.js("[sessionStorage.length, localStorage.length]") == [1, 0]
    page.press("o")
    page.js("document.querySelector('#level').value = 'debug'")
    page.click("#set-level")
    page.has("#done", "The log's level is debug now")
    page.click("#drain")
    page.has("#ask", "Drain?")
    page.click("#ask-yes")
    page.has("#done", "It drains")
    assert served.desk.done == [("hang up", "pbx", A), ("log level", "debug"), ("drain",)]
    page.wrong[:] = [each for each in page.wrong if "status of 401" not in each]


def test_who_reads_from_another_host_is_asked_for_the_token(
    browser: Browser, tmp_path: Path
) -> None:
    served = Served(tmp_path, TOKEN, token_reads=True)
    served.do(lambda desk: desk.call())
    page = browser.open(served.address)
    page.wait("document.querySelector('#ask').open")
    assert not page.js(CALLS)
    page.type(TOKEN)
    page.press("Enter")
    page.wait(f"document.body.dataset.link === 'live' && {CALLS} === 1")
    served.do(lambda desk: desk.call("s-2"))
    page.wait(f"{CALLS} === 2")
    page.close()
    served.stop()


def test_everything_has_a_name_and_a_place(served: Served, open_page: Open) -> None:
    """As a screen reader is told, on a phone as well."""
    shown = served.do(scene.forenoon)
    page = open_page(f"#transfer={shown}")
    page.has("#detail", "the target fails")
    page.wait("document.querySelector('#detail .ladder img')?.complete")
    nodes = page.call("Accessibility.getFullAXTree")["nodes"]
    told = [
        (node["role"]["value"], node.get("name", {}).get("value", ""))
        for node in nodes
        if not node.get("ignored")
    ]
    roles = {role for role, _ in told}
    assert {"banner", "main", "search", "region", "table", "row", "columnheader", "cell"} <= roles
    names = {name for role, name in told if role == "region"}
    assert names == {"Transfers", "Blind transfer", "Ladder"}
    acts = ("button", "link", "textbox", "searchbox", "combobox", "checkbox", "image", "table")
    assert not [role for role, name in told if role in acts and not name]
    fields = "[...document.querySelectorAll('input, select')]"
    assert page.js(f"{fields}.every((field) => field.labels.length === 1)")
    lives = page.js("[...document.querySelectorAll('[aria-live], [role=status]')].map((e) => e.id)")
    assert lives == ["told", "done"], "only what is for everybody is spoken"

    phone = open_page(f"#transfer={shown}", PHONE)
    phone.has("#detail", "the target fails")
    assert phone.js("getComputedStyle(document.querySelector('#transfers')).display") == "none"
    phone.click("#close")
    phone.wait("getComputedStyle(document.querySelector('#transfers')).display !== 'none'")
    assert phone.js("document.documentElement.scrollWidth") == PHONE["width"]
    nodes = phone.call("Accessibility.getFullAXTree")["nodes"]
    rows = [node for node in nodes if node["role"]["value"] == "row"]
    assert len(rows) > 10, "it is a table, however it is laid out"


@pytest.mark.skipif("MAKE_PICTURES" not in os.environ, reason="set MAKE_PICTURES to make them")
def test_pictures_for_the_documentation(served: Served, open_page: Open) -> None:
    shown = served.do(lambda desk: scene.forenoon(desk, 2))
    for name, fragment, metrics, scheme in (
        ("page-light.png", "", DESK, "light"),
        ("page-dark.png", f"#transfer={shown}", DESK, "dark"),
        ("page-phone.png", "", PHONE, "light"),
    ):
        media = {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
        page = open_page(fragment, metrics, setEmulatedMedia=media)
        page.wait(f"{ROWS}.length === 18")
        page.js("new Promise((done) => setTimeout(done, 500))")
        (PICTURES / name).write_bytes(page.picture())
