"""Whatever fails, and wherever the process is killed: all of it, or nothing."""

from __future__ import annotations

import copy
import errno
import os
import re
import signal
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from fsctl import files
from fsctl.dialplan import Rendered
from fsctl.errors import InstallError
from fsctl.install import work
from fsctl.install.disk import Disk
from tests.unit.install.site import Site

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
EACH = 0
MANY = range(1, 60)
WRITES = ("replace", "remove", "make_folder", "remove_folder")
SMALL = """<document><section name="configuration"><configuration name="sofia.conf"><profiles>
<profile name="internal">
  <settings>
    <param name="rtp-timer-name" value="soft"/>
  </settings>
</profile>
</profiles></configuration></section>
  <section name="dialplan">
    <X-PRE-PROCESS cmd="include" data="dialplan/*.xml"/>
  </section>
</document>
"""


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Site:
    """The smallest that has all kinds of changes; one file of ours is there already."""
    source, root = tmp_path / "source", tmp_path / "root"
    root.mkdir()
    (source / "sip_profiles").mkdir(parents=True)
    (source / "freeswitch.xml").write_text(SMALL)
    (source / "dialplan").mkdir()
    (source / "dialplan/fsctl.xml").write_text("<include>\n</include>\n")
    monkeypatch.setattr("fsctl.install.work.dialplan.rendered", rendered)
    monkeypatch.setattr("os.fsync", lambda handle: None)
    return Site(root, source)


def rendered(settings: object) -> list[Rendered]:
    """As the real ones, as far as an installation looks into them."""
    text = "<include>\n{}\n</include>\n"
    contexts = text.format('<context name="fsctl_refer"></context>')
    channels = text.format('<section name="channels"><params/></section>')
    params = text.format('<param name="fire-transfer-events" value="true"/>')
    return [
        Rendered("dialplan/fsctl.xml", contexts, 0o644),
        Rendered("sip_profiles/fsctl_params.xml", params, 0o644),
        Rendered("fsctl_channels.xml", channels, 0o644),
    ]


def rendered_later(settings: object) -> list[Rendered]:
    """What other settings make of it: one file is new, one is another."""
    contexts, params, channels = rendered(settings)
    params = Rendered(params.path, params.text.replace("true", "false"), 0o644)
    return [contexts, params, channels, Rendered("dialplan/new/00_fsctl.xml", "<include/>", 0o644)]


class Fault:
    """What happens at the ``number``-th write, or at each, before it, after it, or half-way."""

    def __init__(
        self,
        monkeypatch: pytest.MonkeyPatch,
        number: int,
        when: str,
        owner: Any = files,
        names: Sequence[str] = WRITES,
    ) -> None:
        self.number, self.when, self.count = number, when, 0
        self.happen: Callable[[], None] = lambda: None
        for name in names:
            monkeypatch.setattr(owner, name, self._wrapped(name, getattr(owner, name)))

    def _wrapped(self, name: str, real: Callable[..., None]) -> Callable[..., None]:
        def write(*arguments: Any) -> None:
            self.count += 1
            here = self.number in (EACH, self.count)
            if here and self.when == "half-way" and name == "replace":
                files.unfinished(arguments[0]).write_bytes(b"<incl")
            if here and self.when != "after":
                self.happen()
            real(*arguments)
            if here and self.when == "after":
                self.happen()

        return write


class Moment:
    """All that outlives the process as it is now: the disk, and what FreeSWITCH has read of it."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._tree = site.tree()
        self._folders = {name for name in self._tree if (site.root / name).is_dir()}
        self._switch = copy.deepcopy(site.switch)

    def come_back(self) -> None:
        """Let it be so again, as often as it is wanted."""
        root, now = self._site.root, self._site.tree()
        for name in sorted(now.keys() - self._tree.keys(), reverse=True):
            path = root / name
            (path.rmdir if path.is_dir() else path.unlink)()
        for name in sorted(self._tree.keys() - now.keys()):
            path = root / name
            (path.mkdir if name in self._folders else path.touch)()
        for name, (content, mode) in self._tree.items():
            if now.get(name) != (content, mode):
                if name not in self._folders:
                    (root / name).write_bytes(content)
                (root / name).chmod(mode)
        self._site.switch = copy.deepcopy(self._switch)


def moments(
    act: Callable[[], object],
    site: Site,
    when: str,
    monkeypatch: pytest.MonkeyPatch,
    number: int = EACH,
) -> list[Moment]:
    """Do it; what a process leaves behind that is killed at its first write, its second, ..."""
    found: list[Moment] = []
    with monkeypatch.context() as patched:
        fault = Fault(patched, number, when)
        fault.happen = lambda: found.append(Moment(site))
        act()
    return found


def kill(act: Callable[[], object], fault: Fault) -> None:
    """Do it in a process that is killed by the fault."""
    fault.happen = lambda: os._exit(9)
    child = os.fork()
    if not child:
        try:
            act()
        finally:
            os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9


_MOMENTS = ("before", "half-way")


@pytest.mark.parametrize(
    ("act", "when"),
    [
        # What is there half-way is there before, too, but for a part of the file beside it.
        *((act, "half-way") for act in ("install", "upgrade", "uninstall")),
        ("install", "before"),
        ("install", "after"),  # on the disk that is "before" the next write, but for the last one
    ],
)
def test_killed_between_any_two_writes_the_next_one_finishes_the_roll_back(
    site: Site, act: str, when: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = site.tree()
    if act != "install":
        assert site.install() == work.DONE
    with monkeypatch.context() as patched:
        if act == "upgrade":
            patched.setattr("fsctl.install.work.dialplan.rendered", rendered_later)
        do = site.uninstall if act == "uninstall" else site.install
        points = moments(do, site, when, monkeypatch)
    assert len(points) > 15, "there are so many writes"
    for number, point in enumerate(points, 1):
        point.come_back()
        for again in moments(site.uninstall, site, when, monkeypatch, number % 7 + 1):
            again.come_back()  # whoever rolls back is killed as well
        assert site.uninstall() == work.DONE
        assert site.tree() == before, f"killed {when} write {number}"


@pytest.mark.parametrize("when", [*_MOMENTS, "after"])
def test_a_process_that_is_really_killed_leaves_the_disk_of_that_moment(
    site: Site, when: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    untouched = Moment(site)
    for number, point in list(enumerate(moments(site.install, site, when, monkeypatch), 1))[::5]:
        point.come_back()
        wanted = site.tree()
        untouched.come_back()
        with monkeypatch.context() as patched:
            kill(site.install, Fault(patched, number, when))
        assert site.tree() == wanted, f"killed {when} write {number}"


@pytest.mark.parametrize("act", ["install", "uninstall"])
@pytest.mark.parametrize(
    ("kind", "said"),
    [
        (errno.ENOSPC, "^some/file: No space left on device. Everything is as it was before$"),
        (errno.EACCES, r"^some/file: Permission denied \(run it with sudo\)"),
        ("bug", "^a fault of ours"),
        ("SIGTERM", "^interrupted by SIGTERM"),
        ("SIGHUP", "^interrupted by SIGHUP"),
        ("SIGINT", "^interrupted by SIGINT"),
    ],
)
def test_what_fails_at_any_change_leaves_all_as_it_was(
    site: Site, act: str, kind: str | int, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail() -> None:
        if isinstance(kind, int):
            raise OSError(kind, os.strerror(kind), "some/file")
        if kind.startswith("SIG"):
            os.kill(os.getpid(), getattr(signal, kind))
        raise ZeroDivisionError("a fault of ours")

    if act == "uninstall":
        site.install()
    there, handlers = site.tree(), [signal.getsignal(number) for number in SIGNALS]
    for number in MANY:
        with monkeypatch.context() as patched:
            fault = Fault(patched, number, "before", Disk, ("make", "pass_through"))
            fault.happen = fail
            try:
                getattr(site, act)()
            except InstallError as error:
                assert re.search(said, str(error)), error
            else:
                break
        assert site.tree() == there, f"failed at change {number}"
        wanted = "true" if act == "uninstall" else "false"
        did = site.switch.parameters["internal"]
        assert did.get("fire-transfer-events", "false") == wanted
    assert number > 8, "there are so many changes"
    assert [signal.getsignal(number) for number in SIGNALS] == handlers
