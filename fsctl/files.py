"""Files as others see them: the old one or the new one, never a part."""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

UNFINISHED = ".fsctl-new"
"""Ends the name of what stands beside a file while it is written; a crash may leave it there."""


def unfinished(path: Path) -> Path:
    """Return what stands beside ``path`` while it is written."""
    return path.with_name(f".{path.name}{UNFINISHED}")


def replace(path: Path, content: bytes, mode: int, owner: Sequence[int] | None = None) -> None:
    """Make ``content`` what ``path`` holds, on the disk as well. Raises OSError.

    Of a symbolic link the file is replaced to which it leads. A file that is there keeps its
    owner, mode and extended attributes; a new one has ``mode`` and that ``owner`` (uid, gid), by
    default its folder's, where we may give it away: FreeSWITCH may run as somebody else.
    """
    path = Path(os.path.realpath(path))
    temporary = unfinished(path)
    try:
        temporary.unlink(missing_ok=True)
        _write(temporary, path, content, mode, owner)
        temporary.replace(path)
        sync_folder(path.parent)
    except OSError as error:
        error.filename, error.filename2 = str(path), None
        raise


def _write(
    temporary: Path, path: Path, content: bytes, mode: int, owner: Sequence[int] | None
) -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
    handle = os.open(temporary, flags, 0o600)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            _make_alike(file.fileno(), path, mode, owner)
            file.flush()
            os.fsync(file.fileno())
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def sync_folder(folder: Path) -> None:
    """What has been renamed or removed in ``folder`` is so on the disk, too."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _make_alike(handle: int, path: Path, mode: int, owner: Sequence[int] | None) -> None:
    try:
        model = path.stat()
    except FileNotFoundError:
        folder = path.parent.stat()
        user, group = owner or (folder.st_uid, folder.st_gid)
        with suppress(PermissionError):
            os.fchown(handle, user, group)
        os.fchmod(handle, mode)
        return
    own = os.fstat(handle)
    if (own.st_uid, own.st_gid) != (model.st_uid, model.st_gid):
        os.fchown(handle, model.st_uid, model.st_gid)
    os.fchmod(handle, stat.S_IMODE(model.st_mode))
    with suppress(OSError):  # a file system may have none
        for name in os.listxattr(path):
            with suppress(OSError):
                os.setxattr(handle, name, os.getxattr(path, name))


def remove(path: Path) -> None:
    """Remove a file, if it is there, on the disk as well. Raises OSError."""
    path = Path(os.path.realpath(path))
    path.unlink(missing_ok=True)
    if path.parent.is_dir():
        sync_folder(path.parent)


def make_folder(path: Path, mode: int) -> None:
    """Make a folder, with the owner of the one in which it stands. Raises OSError."""
    path.mkdir(mode=mode)
    owner = path.parent.stat()
    with suppress(PermissionError):
        os.chown(path, owner.st_uid, owner.st_gid)
    sync_folder(path.parent)


def remove_folder(path: Path) -> None:
    """Remove a folder that is empty; any other one stays."""
    with suppress(OSError):
        path.rmdir()
        sync_folder(path.parent)
