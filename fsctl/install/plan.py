"""What is to be changed: all files at once, before any is touched. Pure but for the reader."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from fsctl.dialplan import CHANNELS, CONTEXTS, FIRST_FILE, PARAMETERS, Rendered
from fsctl.errors import InstallError
from fsctl.install import xml_text
from fsctl.install.changes import Change, Reader, missing_folders
from fsctl.install.includes import FIRST, Tree
from fsctl.install.manifest import FOLDER, Entry, Kind, Manifest, hash_of, name_of

SOFIA = "sofia.conf"
MANIFEST = "manifest.json"


@dataclass(frozen=True, slots=True)
class NewFile:
    """A file that belongs to the settings which an installation begins with."""

    path: Path
    content: bytes
    mode: int
    secret: bool = False


@dataclass(frozen=True, slots=True)
class Plan:
    """``changes`` in their order; ``by_hand``: what fsctl cannot do, each a sentence that ends with
    what to write; ``remarks``: what else is to be known; ``folders``: to go where they are empty.
    """

    changes: tuple[Change, ...] = ()
    by_hand: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()
    folders: tuple[Path, ...] = ()
    profiles: tuple[str, ...] = ()

    @property
    def parameters(self) -> Change | None:
        """The change of the profiles' parameters, if there is one."""
        return next((each for each in self.changes if each.path.match(PARAMETERS)), None)


@dataclass(slots=True)
class Planner:
    """Gathers the changes of one installation in ``tree``, on top of ``before``."""

    tree: Tree
    reader: Reader
    before: Manifest
    changes: list[Change] = field(default_factory=list)
    by_hand: list[str] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    entries: dict[str, Entry] = field(default_factory=dict)
    kept: set[str] = field(default_factory=set)

    def install(
        self, rendered: Sequence[Rendered], profiles: Sequence[str], settings: Sequence[NewFile]
    ) -> Plan:
        """Return what makes FreeSWITCH read ``rendered``, its parameters in these profiles."""
        conf = self.tree.conf
        for new in settings:
            self._own(new.path, new.content, "settings", new.mode, new.secret)
        for each in rendered:
            self._own(conf / each.path, each.text.encode(), "file", each.mode)
            self._reached(each.path)
        included = self._parameters(profiles)
        self._channels()
        self._drop_others()
        return self._finish(included)

    # -- files of ours

    def _own(self, path: Path, after: bytes, kind: Kind, mode: int, secret: bool = False) -> None:
        now, name = self.reader.read(path), name_of(path, self.tree.conf)
        old = self._entry(name)
        if old is None and now == after:
            self.remarks.append(f"{path}: is there already, and not by this installation")
            return
        if old and now is not None and hash_of(now) not in (old.after, hash_of(after)):
            self._keep(path, old)
            return
        backup = old.backup if old else self._back_up(path, now)
        self.entries[name] = Entry(name, kind, hash_of(after), backup)
        if now != after:
            self.changes.append(Change(path, now, after, mode, secret=secret))

    def _keep(self, path: Path, old: Entry) -> None:
        self.entries[old.path] = old
        self.by_hand.append(
            f"{path}: has been edited since fsctl wrote it, and is kept as it is. Move it away and "
            "install again; what is to be different belongs into [dialplan] overrides"
        )

    def _back_up(self, path: Path, now: bytes | None) -> str:
        if now is None:
            return ""
        kept = self._backup_for(path)
        self.changes.append(Change(kept, self.reader.read(kept), now, 0o600, hidden=True))
        return kept.name

    def _backup_for(self, path: Path) -> Path:
        name = name_of(path, self.tree.conf).strip("/").replace("/", "__")
        return self.tree.conf / FOLDER / "backup" / name

    def _drop_others(self) -> None:
        """What an earlier installation has written and this one has not."""
        for old in self.before.entries:
            if old.path in self.entries:
                continue
            if old.kind == "file":
                self._drop(old)
            else:
                self.entries[old.path] = old

    def _drop(self, old: Entry) -> None:
        path = self.tree.conf / old.path
        now = self.reader.read(path)
        if hash_of(now) in ("", old.after):
            self.changes += undone(old, path, now, self._backup_of(old))
        else:
            self.remarks.append(f"{path}: is not needed any more, but was edited: it is kept")

    def _backup_of(self, entry: Entry) -> Change | None:
        return backup_of(entry, self.tree.conf, self.reader)

    # -- lines in the operator's files

    def _parameters(self, profiles: Sequence[str]) -> list[str]:
        """Include the parameters; in which profiles they are, now or already."""
        files = self.tree.configuring(SOFIA)
        included = []
        for profile in profiles:
            path = next((each for each in files if profile in _profiles(self.tree, each)), None)
            if path is None:
                target = self.tree.conf / "sip_profiles" / f"{profile}.xml"
                self._line_by_hand(
                    f"the file of sofia's profile {profile} was not found", target, profile
                )
                continue
            text = self.tree.texts[path]
            place = xml_text.place_in_profile(text, profile, PARAMETERS)
            if place.at is None:
                self._line_by_hand(f"{path}: {place.problem}", path, profile)
                continue
            included.append(profile)
            if not place.there:
                self._insert(path, place.at, _line_for(path, self.tree.conf, PARAMETERS))
        return included

    def _line_by_hand(self, why: str, path: Path, profile: str) -> None:
        line = _line_for(path, self.tree.conf, PARAMETERS)
        self.by_hand.append(
            f"{why}. Add, as the last line inside <settings> of the profile {profile}: {line}"
        )

    def _channels(self) -> None:
        path = self.tree.conf / FIRST
        place = xml_text.place_in_document(self.tree.texts[path], CHANNELS)
        line = xml_text.line_including(CHANNELS)
        if place.at is None:
            self.by_hand.append(f"{path}: {place.problem}. Add, beside the sections: {line}")
        elif not place.there:
            self._insert(path, place.at, line)

    def _insert(self, path: Path, at: int, line: str) -> None:
        text = self.tree.texts[path]
        where, inserted = xml_text.insertion(text, at, line)
        self.tree.texts[path] = text[:where] + inserted + text[where:]
        name = name_of(path, self.tree.conf)
        entry = self.entries.get(name) or self._entry(name)
        so_far = entry.inserted if entry else ()
        self.entries[name] = Entry(name, "line", "", "", (*so_far, inserted))

    def _finish_lines(self) -> None:
        """One change for each file, however many lines go in."""
        for name, entry in list(self.entries.items()):
            path = self.tree.conf / name
            if entry.kind != "line" or entry.after:
                continue
            now = self.reader.read(path)
            assert now is not None, "it was read before"
            old = self._entry(name)
            clean = now
            if old and hash_of(now) != old.after:
                clean = xml_text.encoded(xml_text.without_all(xml_text.decoded(now), old.inserted))
            elif old:
                clean = self._before_line(old, now)
            after = xml_text.encoded(self.tree.texts[path])
            backup = self._back_up_line(path, clean)
            self.entries[name] = Entry(name, "line", hash_of(after), backup, entry.inserted)
            self.changes.append(Change(path, now, after, inserted=entry.inserted))

    def _before_line(self, old: Entry, now: bytes) -> bytes:
        kept = self._backup_of(old)
        return kept.before if kept and kept.before is not None else now

    def _back_up_line(self, path: Path, clean: bytes) -> str:
        kept = self._backup_for(path)
        there = self.reader.read(kept)
        if there != clean:
            self.changes.append(Change(kept, there, clean, 0o600, hidden=True))
        return kept.name

    # -- whether FreeSWITCH reads them

    def _reached(self, name: str) -> None:
        path = self.tree.conf / name
        if name == CONTEXTS and not self.tree.reaches(path):
            line = xml_text.line_including(name)
            where = self.tree.conf / FIRST
            self.by_hand.append(
                f"FreeSWITCH does not read {path}. Add in {where}, inside "
                f'<section name="dialplan">: {line}'
            )
        if name.endswith(FIRST_FILE) and not self.tree.reaches(path):
            context = path.parent.name
            line = xml_text.line_including(f"{context}/*.xml")
            where = path.parent.parent / f"{context}.xml"
            self.by_hand.append(
                f"FreeSWITCH does not read {path}. Add in {where}, as the first line inside "
                f'<context name="{context}">: {line}'
            )

    # -- all together

    def _entry(self, name: str) -> Entry | None:
        return next((each for each in self.before.entries if each.path == name), None)

    def _finish(self, included: Sequence[str]) -> Plan:
        self._finish_lines()
        conf = self.tree.conf
        path = conf / FOLDER / MANIFEST
        made = missing_folders([change.path for change in self.changes], self.reader.is_folder)
        ours = [name_of(folder, conf) for folder in made if FOLDER not in folder.parts]
        folders = tuple(dict.fromkeys((*self.before.folders, *ours)))
        entries = tuple(sorted(self.entries.values(), key=lambda entry: entry.path))
        manifest = Manifest(entries, folders, tuple(included))
        now, after = self.reader.read(path), manifest.dumped()
        if now != after and (self.entries or now is not None):
            self.changes.append(Change(path, now, after, 0o600, hidden=True))
        return Plan(
            tuple(self.changes), tuple(self.by_hand), tuple(self.remarks), (), tuple(included)
        )


def profiles_of(tree: Tree) -> list[str]:
    """Return the sofia profiles that the files describe."""
    return [name for path in tree.configuring(SOFIA) for name in _profiles(tree, path)]


def removal(manifest: Manifest, conf: Path, reader: Reader, passing: bytes | None) -> Plan:
    """Return what undoes an installation; ``passing``: what the parameters' file is to hold until
    FreeSWITCH has read it."""
    changes: list[Change] = []
    remarks: list[str] = []
    own_settings = _edited_settings(manifest, conf, reader)
    for entry in reversed(manifest.entries):
        path = conf / entry.path
        now = reader.read(path)
        kept_before = backup_of(entry, conf, reader)
        if own_settings and entry.kind == "settings":
            remarks.append(f"{path}: is kept, for {own_settings} has been edited since")
        elif now is not None and hash_of(now) != entry.after:
            if entry.kind == "line":
                text = xml_text.without_all(xml_text.decoded(now), entry.inserted)
                after = xml_text.encoded(text)
                if after != now:
                    changes.append(Change(path, now, after, inserted=entry.inserted))
                    remarks.append(f"{path}: has been edited since: only fsctl's line is taken out")
            else:
                remarks.append(f"{path}: has been edited since fsctl wrote it: it is kept")
            if kept_before:
                changes.append(kept_before)
        else:
            through = passing if entry.path == PARAMETERS else None
            changes += undone(entry, path, now, kept_before, through)
    record = conf / FOLDER / MANIFEST
    changes.append(Change(record, reader.read(record), None, hidden=True))
    folders = tuple(conf / folder for folder in manifest.folders)
    return Plan(tuple(changes), (), tuple(remarks), folders, manifest.profiles)


def _edited_settings(manifest: Manifest, conf: Path, reader: Reader) -> Path | None:
    """The settings that somebody has made his own: what they name stays as well."""
    for entry in manifest.entries:
        now = reader.read(conf / entry.path) if entry.kind == "settings" else None
        if now is not None and hash_of(now) != entry.after:
            return conf / entry.path
    return None


def undone(
    entry: Entry, path: Path, now: bytes | None, kept: Change | None, passing: bytes | None = None
) -> list[Change]:
    """Return the changes that put back what was there before, and remove its backup."""
    before = kept.before if kept else None
    if entry.backup and before is None:
        raise InstallError(f"{path}: its backup {entry.backup} is missing")
    secret = entry.kind == "settings"
    changes = [Change(path, now, before, 0o644, entry.inserted, passing, secret=secret)]
    return [*(changes if now != before else []), *([kept] if kept else [])]


def backup_of(entry: Entry, conf: Path, reader: Reader) -> Change | None:
    """Return the removal of an entry's backup; None: it has none."""
    path = conf / FOLDER / "backup" / entry.backup
    content = reader.read(path) if entry.backup else None
    return None if content is None else Change(path, content, None, 0o600, hidden=True)


def _profiles(tree: Tree, path: Path) -> list[str]:
    try:
        return [tree.expanded(name) for name in xml_text.profiles(tree.texts[path])]
    except ValueError:
        return []


def _line_for(path: Path, conf: Path, file: str) -> str:
    """The line that includes ``conf``'s ``file`` from ``path``: FreeSWITCH takes a name that is not
    absolute from the including file's own folder (``preprocess_glob``)."""
    folder, _, name = file.rpartition("/")
    near = path.parent == conf / folder
    return xml_text.line_including(
        name if near else f"../{file}" if path.parent.parent == conf else str(conf / file)
    )
