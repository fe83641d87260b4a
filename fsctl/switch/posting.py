"""Sending what may as well come too late: whoever it is about may have gone, or the link."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from fsctl.errors import ChannelGone, LinkError
from fsctl.esl.commands import Command
from fsctl.esl.connection import Connection

log = logging.getLogger(__name__)


def post_if_there(link: Connection, commands: Sequence[Command], undone: str) -> None:
    """Have these obeyed, unless nobody is there any more: then ``undone`` says in the log of whom
    what has not been done."""
    try:
        if commands:
            link.post(*commands)
    except (LinkError, ChannelGone) as error:
        log.info("%s: %s", undone, error)
