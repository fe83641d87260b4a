"""The way to FreeSWITCH: its event socket, from the connection to the password."""

from __future__ import annotations

import gevent
from gevent import socket

from fsctl.check.findings import Finding
from fsctl.check.ground import problem, unknown
from fsctl.errors import AuthError, CommandTimeout, LinkError
from fsctl.esl.connection import Connection
from fsctl.esl.frames import Limits
from fsctl.esl.sockets import tune
from fsctl.esl.waiting import Deadline
from fsctl.settings import Switch

CONNECT_S = 3.0
GREETING_S = 3.0
_LIMITS = Limits(body_bytes=16 << 20)
"""``sofia.conf`` may hold thousands of gateways."""
_NO_SWITCH = "FreeSWITCH is not told who is there: it sends us nothing and transfers by itself"
_SEE_FILE = "see autoload_configs/event_socket.conf.xml on FreeSWITCH's host"


def open_link(switch: Switch, deadline: Deadline) -> Connection | Finding:
    """Return an authenticated link, which the caller closes, or the one finding that explains all.

    Never raises; takes at most as long as `deadline` has left.
    """
    where = f"{switch.host}:{switch.port}"
    try:
        link = connected(switch.host, switch.port, min(CONNECT_S, deadline.left_s()))
    except OSError as error:
        return problem(
            "FSC101",
            f"FreeSWITCH's event socket at {where} cannot be reached",
            _NO_SWITCH,
            f"systemctl status freeswitch ([switch] host and port name {where})",
            getattr(error, "strerror", None) or str(error) or type(error).__name__,
        )
    try:
        link.authenticate(switch.password, min(GREETING_S, deadline.left_s()))
    except LinkError as error:
        link.close()
        return _refused(where, error)
    return link


def connected(host: str, port: int, timeout_s: float) -> Connection:
    """Return a link on which nothing was said yet; the caller closes it.

    Raises OSError. The resolver has no deadline of its own.
    """
    try:
        host.encode("idna")  # in gevent's resolver it would be told with a traceback
    except UnicodeError as error:
        raise OSError(f"{host} is no name of a host") from error
    with gevent.Timeout(timeout_s, TimeoutError(f"no connection within {timeout_s:g} s")):
        sock = socket.create_connection((host.strip("[]"), port))
    sock.settimeout(None)
    tune(sock)
    link = Connection(sock, (host, port), log_id=f"{host}:{port}", limits=_LIMITS)
    link.start()
    return link


def _refused(where: str, error: LinkError) -> Finding:
    if isinstance(error, AuthError):
        return _not_admitted(where) if str(error).startswith("refused") else _wrong_password(where)
    if isinstance(error, CommandTimeout):
        return unknown(
            "FSC102",
            f"whoever listens at {where} is silent",
            "connected, but no word came: FreeSWITCH hangs, or it is another program",
            "systemctl status freeswitch",
            _NO_SWITCH,
        )
    return problem(
        "FSC102",
        f"what listens at {where} is not FreeSWITCH's event socket",
        _NO_SWITCH,
        f"set [switch] host and port; {_SEE_FILE}",
        str(error),
    )


def _wrong_password(where: str) -> Finding:
    return problem(
        "FSC103",
        f"FreeSWITCH at {where} refuses the password",
        _NO_SWITCH,
        f"set [switch] password or password_file; {_SEE_FILE}",
    )


def _not_admitted(where: str) -> Finding:
    return problem(
        "FSC104",
        f"FreeSWITCH at {where} does not admit the address that we come from",
        _NO_SWITCH,
        f"apply-inbound-acl; {_SEE_FILE}, then: fs_cli -x 'reload mod_event_socket'",
    )
