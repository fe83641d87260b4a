"""Every error that fsctl raises, in one tree.

FsctlError
├── SettingsError        a configuration file, variable or template is wrong: names the place
├── InstallError         FreeSWITCH's configuration cannot be changed, or not be left so
├── HepError             a packet is not HEP 3, or not to be understood (also a ValueError)
├── CommandError         we built a bad ESL command (also a ValueError): our fault
├── LinkError            one ESL connection
│   ├── LinkLost         it is closed, or was closed while we waited
│   ├── CommandTimeout   no reply before the deadline
│   ├── ProtocolError    the peer does not speak the protocol: its fault
│   ├── CommandFailed    FreeSWITCH answered -ERR
│   └── AuthError        FreeSWITCH refused the password or our address
├── ChannelGone          the channel that a verb was meant for has hung up
├── CallFailed           a call that a scenario waits for was not answered: code and reason
└── WaitExpired          what a scenario waited for did not come in time
"""

from __future__ import annotations


class FsctlError(Exception):
    """Base of all errors of this package."""


class SettingsError(FsctlError):
    """A configuration file, environment variable or template is wrong."""


class InstallError(FsctlError):
    """FreeSWITCH's configuration cannot be changed, or FreeSWITCH does not take the change."""


class HepError(FsctlError, ValueError):
    """A packet is not a copy of a SIP message in HEP 3, or not to be understood."""


class CommandError(FsctlError, ValueError):
    """An ESL command cannot be built from these values."""


class LinkError(FsctlError):
    """Something went wrong on one ESL connection."""


class LinkLost(LinkError):
    """The connection is closed."""


class CommandTimeout(LinkError):
    """FreeSWITCH did not reply before the deadline."""


class ProtocolError(LinkError):
    """The peer sent something that is not the event-socket protocol."""


class CommandFailed(LinkError):
    """FreeSWITCH answered a command with ``-ERR``; the text is the reply's."""


class AuthError(LinkError):
    """FreeSWITCH refused the password or the address we come from."""


class ChannelGone(FsctlError):
    """The channel has hung up; every verb on it raises this."""


class CallFailed(FsctlError):
    """The called party did not answer: its own code and reason, or the nearest true ones."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(f"{code} {reason}")
        self.code = code
        self.reason = reason


class WaitExpired(FsctlError):
    """What a scenario waited for did not come in time."""
