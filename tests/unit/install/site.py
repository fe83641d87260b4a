"""A FreeSWITCH's configuration on the disk, and fsctl's installation in it."""

from __future__ import annotations

import shutil
import stat
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from fsctl.install import work
from fsctl.install.plan import NewFile
from fsctl.settings import Settings, Switch
from tests.unit.install.fake_freeswitch import FakeFreeSwitch

VANILLA = Path(__file__).parents[2] / "live/vanilla/conf"
SETTINGS = Settings(switches=(Switch(password="secret", enabled=True),))


def tree_of(folder: Path) -> dict[str, tuple[str | bytes, int]]:
    """All that is below a folder: content (or where a link leads) and mode, by name."""
    found: dict[str, tuple[str | bytes, int]] = {}
    for path in sorted(folder.rglob("*")):
        content: str | bytes = b""
        if path.is_symlink():
            content = str(path.readlink())
        elif path.is_file():
            content = path.read_bytes()
        found[str(path.relative_to(folder))] = content, stat.S_IMODE(path.lstat().st_mode)
    return found


class Site:
    """``root`` has all of it: ``conf`` as FreeSWITCH is shipped, and ``etc`` for the settings."""

    def __init__(self, root: Path, source: Path = VANILLA) -> None:
        self.root = root
        self.conf = root / "conf"
        shutil.copytree(source, self.conf)
        self.etc = root / "etc/fsctl"
        (root / "etc").mkdir()
        self.switch: FakeFreeSwitch | None = FakeFreeSwitch(self.conf)
        self.settings = SETTINGS
        self.said: list[str] = []
        self.answer = True

    def tree(self) -> dict[str, tuple[str | bytes, int]]:
        return tree_of(self.root)

    def edit(self, name: str, old: str, new: str) -> None:
        path = self.conf / name
        before = path.read_bytes()
        after = before.replace(old.encode(), new.encode(), 1)
        assert after != before, f"{old} in {name}"
        path.write_bytes(after)

    def install(self, *profiles: str, dry_run: bool = False) -> int:
        return work.install(
            self._place(), self.settings, self._new(), profiles, self._talk(dry_run)
        )

    def uninstall(self, dry_run: bool = False) -> int:
        return work.uninstall(self._place(), self._talk(dry_run))

    @property
    def text(self) -> str:
        return "\n".join(self.said)

    def _place(self) -> work.Place:
        return work.Place(self.conf, self.switch, "" if self.switch else "it does not answer")

    def _new(self) -> Sequence[NewFile]:
        made = self.etc / "fsctl.toml"
        if made.exists():
            return ()
        return (
            NewFile(made, b"[switch]\npassword_file = 'pw'\n", 0o644),
            NewFile(self.etc / "pw", b"secret\n", 0o600, secret=True),
        )

    def _talk(self, dry_run: bool) -> work.Talk:
        return work.Talk(self.said.append, lambda question: self.answer, dry_run)

    def scope_calls(self) -> None:
        plan = replace(self.settings.dialplan, scope="calls", inbound_match="2[0-9]{3}")
        self.settings = replace(self.settings, dialplan=plan)
