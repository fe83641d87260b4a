"""Changes that are made completely or not at all, also when the power fails in between.

Before the first change ``.fsctl/journal.json`` says what is to change and how to undo it, and
``.fsctl/undo`` holds what was there. When the journal has gone the changes are there to stay.
"""

from __future__ import annotations

import fcntl
import json
import os
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from fsctl import files
from fsctl.errors import InstallError
from fsctl.install import answers, xml_text
from fsctl.install.changes import Change, missing_folders
from fsctl.install.manifest import FOLDER, hash_of


class Disk:
    """The files of one FreeSWITCH's ``conf``, and those elsewhere that go with them."""

    def __init__(self, conf: Path) -> None:
        """Nothing is read yet."""
        self.folder = conf / FOLDER
        self._conf = conf
        self._journal = self.folder / "journal.json"
        self._undo = self.folder / "undo"

    # -- reading

    def read(self, path: Path) -> bytes | None:
        """See `changes.Reader`."""
        try:
            return path.read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            return None

    def is_folder(self, path: Path) -> bool:
        """See `changes.Reader`."""
        return path.is_dir()

    @property
    def interrupted(self) -> bool:
        """Whether a change has begun and not ended."""
        return self._journal.exists()

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Nobody else changes this configuration meanwhile. Raises InstallError."""
        handle = os.open(self._conf, os.O_RDONLY | os.O_DIRECTORY)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            yield
        except BlockingIOError:
            raise InstallError(f"{self._conf}: another fsctl is changing it") from None
        finally:
            os.close(handle)

    # -- changing

    def begin(self, changes: Sequence[Change]) -> None:
        """Write the journal. Raises InstallError where a file is not as the plan has seen it."""
        for change in changes:
            if self.read(change.path) != change.before:
                raise InstallError(f"{change.path}: has changed just now; begin again")
        self.sweep()
        folders = missing_folders([change.path for change in changes], self.is_folder)
        self._make(self.folder, self._undo)
        rows = []
        for number, change in enumerate(changes):
            if change.before is not None:
                files.replace(self._undo / str(number), change.before, 0o600)
            rows.append(
                {
                    "path": str(change.path),
                    "undo": None if change.before is None else str(number),
                    "before": hash_of(change.before),
                    "ours": [hash_of(each) for each in (change.after, change.passing)],
                    "inserted": list(change.inserted),
                    "mode": _mode_of(change.path, change.mode),
                    "owner": _owner_of(change.path),
                }
            )
        made = [str(folder) for folder in folders if self.folder not in (folder, *folder.parents)]
        content = json.dumps({"changes": rows, "folders": made}, indent=1).encode()
        files.replace(self._journal, content, 0o600)
        private = {folder for folder in folders if self.folder in folder.parents}
        for folder in folders:
            if not folder.is_dir():
                files.make_folder(folder, 0o700 if folder in private else 0o755)

    def make(self, change: Change) -> None:
        """Make one of the changes of `begin`. Raises OSError."""
        if change.after is None:
            files.remove(change.path)
        else:
            files.replace(change.path, change.after, change.mode)

    def pass_through(self, change: Change) -> None:
        """Let the file hold for a moment what is to pass. Raises OSError."""
        assert change.passing is not None, "there is something to pass"
        files.replace(change.path, change.passing, change.mode)

    def commit(self, folders: Sequence[Path] = ()) -> None:
        """The changes are there to stay; ``folders`` go where they are empty. Raises OSError."""
        for folder in sorted(folders, key=lambda each: len(each.parts), reverse=True):
            files.remove_folder(folder)
        files.remove(self._journal)
        self.sweep()

    def roll_back(self) -> list[str]:
        """Undo what the journal says, all or in part; what could not be, in sentences.

        Raises OSError or InstallError: then the journal stays, and it can be tried again.
        """
        journal = self._read_journal()
        remarks = []
        for row in reversed(journal["changes"]):
            remarks += self._undo_one(row)
        for folder in reversed(journal["folders"]):
            files.remove_folder(Path(folder))
        files.remove(self._journal)
        self.sweep()
        return remarks

    def forget_parameters(self, path: Path) -> bool:
        """Let a sofia profile's parameters hold sofia's own values, if they are to be taken back.

        Whether that was so. Raises OSError, InstallError.
        """
        now = self.read(path)
        for row in self._read_journal()["changes"]:
            if row["path"] == str(path) and row["undo"] is None and hash_of(now) in row["ours"]:
                assert now is not None, "it has a hash"
                passing, _ = answers.defaults_for(now.decode())
                files.replace(path, passing, 0o644)
                return True
        return False

    def _undo_one(self, row: dict[str, Any]) -> list[str]:
        path = Path(row["path"])
        files.unfinished(Path(os.path.realpath(path))).unlink(missing_ok=True)
        now = self.read(path)
        if hash_of(now) == row["before"]:
            return []
        if hash_of(now) in row["ours"]:
            if row["undo"] is None:
                files.remove(path)
            else:
                self._put_back(path, row)
            return []
        if now is not None and row["inserted"]:
            text = xml_text.without_all(xml_text.decoded(now), row["inserted"])
            files.replace(path, xml_text.encoded(text), 0o600)
            return [f"{path}: has been edited meanwhile: only fsctl's line was taken out"]
        return [f"{path}: has been edited meanwhile, and is kept as it is"]

    def _put_back(self, path: Path, row: dict[str, Any]) -> None:
        for folder in missing_folders([path], self.is_folder):
            files.make_folder(folder, 0o755)
        files.replace(path, (self._undo / row["undo"]).read_bytes(), row["mode"], row["owner"])

    def _read_journal(self) -> dict[str, Any]:
        try:
            journal: dict[str, Any] = json.loads(self._journal.read_bytes())
            assert isinstance(journal["changes"], list) and isinstance(journal["folders"], list)
        except (ValueError, KeyError, TypeError, AssertionError) as error:
            raise InstallError(f"{self._journal}: is damaged: {error}") from error
        return journal

    def _make(self, *folders: Path) -> None:
        for folder in folders:
            if not folder.is_dir():
                files.make_folder(folder, 0o700)

    def sweep(self) -> None:
        """Remove what belongs to no journal, and our folder when nothing is left in it."""
        if not self.interrupted and self.folder.is_dir():
            with suppress(FileNotFoundError):
                for each in sorted(self._undo.iterdir()):
                    files.remove(each)
            for each in self.folder.glob(f".*{files.UNFINISHED}"):
                files.remove(each)
            for folder in (self._undo, self.folder / "backup", self.folder):
                files.remove_folder(folder)


def _mode_of(path: Path, new: int) -> int:
    return stat.S_IMODE(path.stat().st_mode) if path.exists() else new


def _owner_of(path: Path) -> list[int] | None:
    """Who is to own the file when it is put back."""
    if not path.exists():
        return None
    state = path.stat()
    return [state.st_uid, state.st_gid]
