"""One inbound link to a switch that many share, each as if it were its own.

An outbound link costs FreeSWITCH a thread that looks for commands fifty times a second for as long
as it is open (mod_event_socket.c, ``read_packet``): 1.5 ms of processor time. What waits for
nothing but a call's end needs none of its own. The kept link is subscribed once; which channels it
brings events of, a mark on these says, and an event goes to whoever has asked for its channel.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress

from fsctl.errors import LinkError, LinkLost
from fsctl.esl.commands import ApiCommand, Command, Execute, Filter, FilterDelete
from fsctl.esl.connection import DEFAULT_TIMEOUT_S, Connection
from fsctl.esl.events import Event, Reply
from fsctl.esl.loss import ToldOfLoss, ignore_event

_UNIQUE_ID = "Unique-ID"


class Common:
    """Those who share one connection; of a kept link each connection has its own."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self._users: dict[str, dict[str, list[CommonLink]]] = {}
        """Who has asked for the events with this value of this header (lower case)."""
        self._open: set[CommonLink] = set()

    def open(self, name: object) -> CommonLink:
        """Share it; ``name`` is what log lines call the part. Raises LinkLost."""
        made = CommonLink(self, name)
        if made.closed:
            raise LinkLost("the link to the switch is gone")
        self._open.add(made)
        return made

    def take(self, event: Event) -> None:
        """Give an event to whoever has asked for it; called by the hub."""
        told: list[CommonLink] = []
        for header, values in self._users.items():
            value = event.get(header)
            told += values.get(value.lower(), ()) if value else ()
        for user in dict.fromkeys(told):
            user.on_event(event)

    def lost(self) -> None:
        """The connection has ended: everybody is told."""
        for user in tuple(self._open):
            user.lose()

    def add(self, user: CommonLink, header: str, value: str) -> None:
        """From now on ``user`` gets such events, as far as FreeSWITCH sends them."""
        users = self._users.setdefault(header, {}).setdefault(value.lower(), [])
        if user not in users:
            users.append(user)

    def remove(self, user: CommonLink, header: str, value: str) -> bool:
        """It does not any more; returns whether somebody else does."""
        values = self._users.get(header, {})
        others = [each for each in values.get(value.lower(), ()) if each is not user]
        if others:
            values[value.lower()] = others
            return True
        values.pop(value.lower(), None)
        if not values:
            self._users.pop(header, None)
        return False

    def leave(self, user: CommonLink) -> None:
        """It is nobody's any more."""
        self._open.discard(user)


class CommonLink(ToldOfLoss):
    """One user's part of it: what a session needs of a `fsctl.esl.connection.Connection`.

    Applications are executed on the channel that the command names: the link has none.
    """

    channel_uuid: None = None
    hung_up = lingering = False

    def __init__(self, common: Common, name: object) -> None:
        self.log_id = name
        self.on_event: Callable[[Event], None] = ignore_event
        """Called by the hub with each event of its channels. Set by whoever wants them; taken
        back when it ends."""
        self._common = common
        self._closed = False
        self._marked: list[str] = []
        self._filters: dict[Filter, None] = {}

    @property
    def closed(self) -> bool:
        """Whether it has been given back, or the connection is gone."""
        return self._closed or self._common.connection.closed

    def hear(self, channel_uuid: str) -> None:
        """Events of that channel are its own: a mark on it has FreeSWITCH send them."""
        self._marked.append(channel_uuid)
        self._common.add(self, _UNIQUE_ID, channel_uuid)

    def lose(self) -> None:
        """The connection is gone."""
        self._forget()
        self._tell_loss()

    def retire(self) -> None:
        """Give it back; what was let through for it alone is not any more. Never raises."""
        if self._closed:
            return
        self._on_lost = None
        unwanted = [FilterDelete(each.header, each.value) for each in self._forget()]
        if unwanted and not self._common.connection.closed:
            with suppress(LinkError):
                self._common.connection.post(*unwanted)

    def close(self) -> None:
        """As `retire`: the connection stays, for the others."""
        self.retire()

    def _forget(self) -> list[Filter]:
        """Hear of nothing any more; returns the filters that nobody else has."""
        self._closed = True
        self.on_event = ignore_event
        for channel in self._marked:
            self._common.remove(self, _UNIQUE_ID, channel)
        self._common.leave(self)
        filters, self._filters = self._filters, {}
        return [each for each in filters if not self._common.remove(self, each.header, each.value)]

    # -- as a connection ----------------------------------------------------------------------

    def send(self, command: Command, timeout_s: float = DEFAULT_TIMEOUT_S) -> Reply:
        """See `Connection.send`."""
        return self.send_all((command,), timeout_s)[0]

    def send_all(
        self, commands: Sequence[Command], timeout_s: float = DEFAULT_TIMEOUT_S
    ) -> list[Reply]:
        """See `Connection.send_all`."""
        return self._noting(commands).send_all(commands, timeout_s)

    def post(self, *commands: Command) -> None:
        """See `Connection.post`."""
        self._noting(commands).post(*commands)

    def api(self, command: ApiCommand, timeout_s: float = DEFAULT_TIMEOUT_S) -> str:
        """See `Connection.api`."""
        return self._noting(()).api(command, timeout_s)

    def execute(self, command: Execute, timeout_s: float = DEFAULT_TIMEOUT_S) -> Event:
        """See `Connection.execute`; ``command`` must name a channel."""
        return self._noting(()).execute(command, timeout_s)

    def _noting(self, commands: Sequence[Command]) -> Connection:
        """The connection, when it is known whose the events of these commands' filters are."""
        if self.closed:
            raise LinkLost("given back, or the link to the switch is gone")
        for command in commands:
            if isinstance(command, Filter):
                self._filters[command] = None
                self._common.add(self, command.header, command.value)
        return self._common.connection
