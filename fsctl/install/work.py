"""``fsctl install`` and ``uninstall``: one step after the other, and all of them back."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from types import FrameType
from typing import Final

import gevent

from fsctl import dialplan
from fsctl.dialplan import PARAMETERS, Rendered
from fsctl.errors import FsctlError, InstallError, LinkError
from fsctl.install import answers, changes, elsewhere, includes, plan
from fsctl.install.changes import Change
from fsctl.install.disk import Disk
from fsctl.install.freeswitch import FreeSwitch
from fsctl.install.manifest import FOLDER, Manifest, loaded
from fsctl.install.plan import MANIFEST, NewFile, Plan, Planner
from fsctl.settings import Settings
from fsctl.switch.global_variables import living

DONE: Final = 0
BY_HAND: Final = 1
NOT_DONE: Final = 2
_LIVING_S: Final = 6.0
"""As long as FreeSWITCH takes a controller for living that has died."""
_SEEN_S: Final = 0.5
_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@dataclass(frozen=True, slots=True)
class Talk:
    """With whoever has given the command: ``say`` prints a text, ``ask`` whether to go on.

    With ``dry_run`` nothing is asked and nothing is written.
    """

    say: Callable[[str], None]
    ask: Callable[[str], bool]
    dry_run: bool = False


@dataclass(frozen=True, slots=True)
class Place:
    """A FreeSWITCH: where its configuration is, and how to ask it (None: ``silent`` says why)."""

    conf: Path
    switch: FreeSwitch | None
    silent: str = ""


def install(
    place: Place,
    settings: Settings,
    new: Sequence[NewFile],
    profiles: Sequence[str],
    talk: Talk,
) -> int:
    """Lay fsctl into FreeSWITCH; ``profiles``: which of sofia's, by default all that run.

    Returns `DONE`, `BY_HAND` or `NOT_DONE`. Raises FsctlError or OSError, and then all is as it
    was before.
    """
    disk = Disk(place.conf)
    with disk.alone():
        _recover(disk, place, talk)
        tree = includes.read(place.conf)
        has_module = place.switch.has_module if place.switch else elsewhere.loaded_by(tree)
        if lines := elsewhere.advice(tree, has_module):
            talk.say("\n".join(lines))
            return BY_HAND
        rendered = [each for each in dialplan.rendered(settings) if not _is_event_socket(each)]
        before = _manifest(disk, place.conf)
        _refuse_unknown(profiles, place, tree)
        chosen = profiles or _usual_profiles(place, tree, before)
        made = Planner(tree, disk, before).install(rendered, chosen, new)
        return _Change(disk, place, talk).install(made, rendered)


def uninstall(place: Place, talk: Talk) -> int:
    """Take it out again; see `install`."""
    disk = Disk(place.conf)
    with disk.alone():
        _recover(disk, place, talk)
        manifest = _manifest(disk, place.conf)
        if manifest == Manifest():
            talk.say(f"fsctl is not installed in {place.conf}: nothing to do.")
            return DONE
        now = disk.read(place.conf / PARAMETERS)
        passing, unknown = answers.defaults_for(now.decode()) if now else (None, [])
        made = plan.removal(manifest, place.conf, disk, passing)
        return _Change(disk, place, talk).uninstall(made, unknown)


def _is_event_socket(each: Rendered) -> bool:
    """It replaces a file of the operator's: for containers, not for a switch that has its own."""
    return each.path.startswith("autoload_configs/")


def _manifest(disk: Disk, conf: Path) -> Manifest:
    path = conf / FOLDER / MANIFEST
    content = disk.read(path)
    return Manifest() if content is None else loaded(content, path)


def _usual_profiles(place: Place, tree: includes.Tree, before: Manifest) -> list[str]:
    """All that run, or that there are, and those that were chosen before."""
    there = place.switch.running_profiles() if place.switch else plan.profiles_of(tree)
    if not there:
        raise InstallError("no sofia profile runs: transfers need mod_sofia and a profile")
    return list(dict.fromkeys((*there, *before.profiles)))


def _refuse_unknown(profiles: Sequence[str], place: Place, tree: includes.Tree) -> None:
    known = {*plan.profiles_of(tree), *(place.switch.running_profiles() if place.switch else [])}
    for profile in profiles:
        if profile not in known:
            raise InstallError(f"--profile {profile}: there are {', '.join(sorted(known))}")


def _recover(disk: Disk, place: Place, talk: Talk) -> None:
    """Undo what a killed process has left half done."""
    if not disk.interrupted:
        if not talk.dry_run:
            disk.sweep()
        return
    if talk.dry_run:
        raise InstallError(
            f"{disk.folder}: an earlier change was interrupted; without --dry-run it is undone"
        )
    talk.say("An earlier change was interrupted: it is undone first.")
    for remark in _undo(disk, place, reloaded=True, rescanned=True):
        talk.say(remark)


def _undo(disk: Disk, place: Place, reloaded: bool, rescanned: bool) -> list[str]:
    """Roll back, and have FreeSWITCH read what is there then; what is left to know."""
    switch = place.switch
    if switch:
        switch.hurry()
    if switch and rescanned and disk.forget_parameters(place.conf / PARAMETERS):
        _read_anew(switch, rescanned)
    remarks = disk.roll_back()
    return [*remarks, *(_read_anew(switch, rescanned) if switch and reloaded else [])]


def _read_anew(switch: FreeSwitch, rescan: bool) -> list[str]:
    try:
        if reason := switch.reload():
            return [f"FreeSWITCH has not reloaded its configuration: {reason}"]
        profiles = switch.running_profiles() if rescan else []
        refused = [switch.rescan(profile) for profile in profiles]
        return [f"sofia rescan: {reason}" for reason in refused if reason]
    except LinkError as error:
        return [f"FreeSWITCH could not be told: {error}. Type in fs_cli: reloadxml"]


class _Change:
    """One change of a configuration, shown, made, and verified."""

    def __init__(self, disk: Disk, place: Place, talk: Talk) -> None:
        self._disk, self._place, self._talk = disk, place, talk
        self._switch = place.switch
        self._reloaded = False
        self._rescanned = False

    # -- both ways

    def install(self, made: Plan, rendered: Sequence[Rendered]) -> int:
        made = _with_way_back(made, rendered)
        self._tell(made)
        if not made.changes:
            return self._nothing_to_write(made, rendered)
        if (answer := self._may(made, "Write this?")) is not None:
            return answer
        with self._all_or_nothing(made):
            self._check_before()
            self._write(made.changes)
            self._reload(made.profiles)
            missing = self._missing(made, rendered)
            if missing and not made.by_hand:
                raise InstallError(
                    f"FreeSWITCH does not run what was written: {'; '.join(missing)}"
                )
        self._say_verified("FreeSWITCH runs it" if not missing else "")
        for each in (*missing, *made.by_hand):
            self._talk.say(f"By hand: {each}")
        return BY_HAND if made.by_hand else DONE

    def uninstall(self, made: Plan, unknown: Sequence[str]) -> int:
        self._refuse_while_controlled()
        self._tell(made)
        if (answer := self._may(made, "Take fsctl out?")) is not None:
            return answer
        with self._all_or_nothing(made):
            self._check_before()
            parameters = made.parameters
            if self._switch and parameters and parameters.passing is not None:
                self._disk.pass_through(parameters)
                self._reload(made.profiles)
                passed = replace(parameters, before=parameters.passing)
                made = replace(
                    made, changes=tuple(passed if c is parameters else c for c in made.changes)
                )
            self._write(made.changes)
            self._reload(made.profiles)
        return self._after_uninstall(made, unknown)

    def _after_uninstall(self, made: Plan, unknown: Sequence[str]) -> int:
        left: list[str] = []
        if self._switch:
            self._switch.disarm(answers.armed_by_us(self._switch.global_variables()))
            left = answers.still_in_force(made.profiles, self._switch.locate)
            left += [
                f"{name}, which your template has set, until its profile restarts"
                for name in unknown
            ]
        self._say_verified("FreeSWITCH runs nothing of fsctl" if not left else "")
        for each in left:
            self._talk.say(f"By hand: FreeSWITCH still has {each}")
        return BY_HAND if left else DONE

    # -- the steps

    def _tell(self, made: Plan) -> None:
        say = self._talk.say
        if text := changes.shown(made.changes):
            say(text.rstrip("\n"))
        for remark in made.remarks:
            say(f"Note: {remark}")
        for path in [change.path for change in made.changes if not change.hidden]:
            say(f"  {path}")

    def _may(self, made: Plan, question: str) -> int | None:
        """None: go on; else how it ends."""
        if self._talk.dry_run:
            for each in made.by_hand:
                self._talk.say(f"By hand: {each}")
            self._talk.say("Nothing was written (--dry-run).")
            return BY_HAND if made.by_hand else DONE
        if not self._talk.ask(question):
            self._talk.say("Nothing was written.")
            return NOT_DONE
        return None

    def _nothing_to_write(self, made: Plan, rendered: Sequence[Rendered]) -> int:
        missing = self._missing(made, rendered)
        if missing and not self._talk.dry_run:
            self._check_before()
            self._reload(made.profiles)
            missing = self._missing(made, rendered)
        for each in (*missing, *made.by_hand):
            self._talk.say(f"By hand: {each}")
        self._talk.say(f"fsctl is installed in {self._place.conf} already: nothing to change.")
        self._say_verified("FreeSWITCH runs it" if not missing else "")
        return BY_HAND if missing or made.by_hand else DONE

    def _check_before(self) -> None:
        if self._switch and (reason := self._switch.reload()):
            raise InstallError(
                f"FreeSWITCH refuses its configuration as it is, without fsctl: {reason}"
            )

    def _write(self, made: Sequence[Change]) -> None:
        for change in made:
            self._disk.make(change)

    def _reload(self, profiles: Sequence[str]) -> None:
        if not self._switch:
            return
        self._reloaded = True
        if reason := self._switch.reload():
            raise InstallError(f"FreeSWITCH refuses the new configuration: {reason}")
        running = self._switch.running_profiles()
        self._rescanned = True
        for profile in profiles:
            if profile in running and (reason := self._switch.rescan(profile)):
                raise InstallError(f"sofia profile {profile} rescan: {reason}")

    def _missing(self, made: Plan, rendered: Sequence[Rendered]) -> list[str]:
        if not self._switch:
            return []
        running = self._switch.running_profiles()
        profiles = [profile for profile in made.profiles if profile in running]
        return answers.not_in_force(rendered, profiles, self._switch.locate)

    def _say_verified(self, fact: str) -> None:
        if self._switch is None:
            self._talk.say(
                f"Not verified: {self._place.silent}. It reads its configuration when it starts, "
                "or by reloadxml"
            )
        elif fact:
            self._talk.say(f"Verified: {fact}.")

    def _refuse_while_controlled(self) -> None:
        """Controllers arm the switch anew every second, into contexts that would be gone."""
        deadline_s = time.monotonic() + _LIVING_S
        while there := self._living():
            if time.monotonic() > deadline_s:
                raise InstallError(
                    f"a controller is running ({', '.join(there)}), and would lose its transfers: "
                    "stop `fsctl serve` first, then take fsctl out"
                )
            time.sleep(0.2)

    def _living(self) -> list[str]:
        asked = self._switch if not self._talk.dry_run else None
        return living(asked.global_variables()) if asked else []

    @contextmanager
    def _all_or_nothing(self, made: Plan) -> Iterator[None]:
        with _interruptible() as ignore:
            try:
                self._disk.begin(made.changes)
                yield
                self._disk.commit(made.folders)
            except BaseException as error:
                ignore()
                raise self._undone(error) from error

    def _undone(self, error: BaseException) -> BaseException:
        reason = _sentence(error)
        if not self._disk.interrupted:  # nothing was begun
            self._disk.sweep()
            return error if isinstance(error, FsctlError) else InstallError(reason)
        try:
            remarks = _undo(self._disk, self._place, self._reloaded, self._rescanned)
        except (FsctlError, OSError) as another:
            return InstallError(
                f"{reason}. It could not all be undone: {_sentence(another)}. `fsctl uninstall` "
                "finishes that"
            )
        return InstallError(". ".join([reason, "Everything is as it was before", *remarks]))


def _with_way_back(made: Plan, rendered: Sequence[Rendered]) -> Plan:
    """The parameters' file knows what it is to hold should it be taken back."""
    text = next(each.text for each in rendered if each.path == PARAMETERS)
    passing, _ = answers.defaults_for(text)
    return replace(
        made,
        changes=tuple(
            replace(change, passing=passing)
            if change is made.parameters and change.before is None
            else change
            for change in made.changes
        ),
    )


def _sentence(error: BaseException) -> str:
    if isinstance(error, KeyboardInterrupt):
        return str(error) or "interrupted"
    if isinstance(error, PermissionError):
        return f"{error.filename}: {error.strerror} (run it with sudo)"
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    return str(error) or repr(error)


@contextmanager
def _interruptible() -> Iterator[Callable[[], None]]:
    """SIGTERM and SIGHUP end what goes on as SIGINT does; what is given ends all three."""

    def interrupt(number: int, _: FrameType | None) -> None:
        raise KeyboardInterrupt(f"interrupted by {signal.Signals(number).name}")

    def ignore() -> None:
        for number in _SIGNALS:
            signal.signal(number, signal.SIG_IGN)

    before = [(number, signal.signal(number, interrupt)) for number in _SIGNALS]
    # A signal that comes just before the hub waits is seen when it wakes up: not after the 90 s
    # that a reload may take.
    wakes = gevent.get_hub().loop.timer(_SEEN_S, _SEEN_S)
    wakes.start(lambda: None)
    try:
        yield ignore
    finally:
        wakes.stop()
        wakes.close()
        for number, handler in before:
            signal.signal(number, handler)
