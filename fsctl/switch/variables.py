"""Reading a channel's variables, exactly: by ``uuid_getvar``, never from a plain event.

A plain event blurs values: FreeSWITCH leaves ``%0D%0A`` as it is there, and a client that decodes
it sees line breaks that were never sent.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol

from fsctl.errors import LinkError
from fsctl.esl.commands import Command, UuidGetvar
from fsctl.esl.events import Reply

_AT_ONCE = 500
"""Questions in one write: FreeSWITCH answers them in order."""


class Asked(Protocol):
    """A link to FreeSWITCH, of whatever kind."""

    def send_all(self, commands: Sequence[Command]) -> list[Reply]:
        """Send several commands in one write, and return their replies."""


def read(link: Asked, channel_uuid: str, name: str) -> str | None:
    """Return one variable of a channel; None when it is unset, or the channel has gone.

    Raises :class:`fsctl.errors.LinkError`.
    """
    return read_all(link, [(channel_uuid, name)])[0]


def read_if_there(link: Asked, channel_uuid: str, name: str) -> str | None:
    """As :func:`read`, and None as well when the link is lost, or there is no channel (empty).

    For whoever looks at calls that are not its own, and looks again.
    """
    try:
        return read(link, channel_uuid, name) if channel_uuid else None
    except LinkError:
        return None


def read_several(link: Asked, channel_uuid: str, *names: str) -> list[str | None]:
    """Return several variables of one channel, as :func:`read`."""
    return read_all(link, [(channel_uuid, name) for name in names])


def read_all(link: Asked, wanted: Iterable[tuple[str, str]]) -> list[str | None]:
    """Return variables of several channels, given as channel and name; as :func:`read`."""
    commands = [UuidGetvar(channel, name) for channel, name in wanted]
    values: list[str | None] = []
    for start in range(0, len(commands), _AT_ONCE):
        replies = link.send_all(commands[start : start + _AT_ONCE])
        values += [value_of(reply.text) for reply in replies]
    return values


def is_gone(reply: Reply) -> bool:
    """Whether a question about a channel was answered so: it has hung up."""
    return reply.no_channel


def value_of(text: str) -> str | None:
    """Return the value in a reply to ``uuid_getvar``; None when unset or the channel is gone."""
    text = text.strip("\r\n")
    return None if not text or text == "_undef_" or text.startswith("-ERR") else text
