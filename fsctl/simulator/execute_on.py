"""What a channel's own variables have executed or obeyed at some moment of its life."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from fsctl.simulator.expand import expand

if TYPE_CHECKING:
    from fsctl.simulator.channel import Channel


def execute_on(channel: Channel, prefix: str) -> None:
    """``switch_channel_execute_on``: each variable whose name begins so, global ones, too, at once.

    ``APPLICATION ARGUMENT`` or ``APPLICATION:ARGUMENT``. What a leg that has hung up would still
    execute is not simulated.
    """
    known = {**channel.switch.global_variables, **channel.variables}
    for name, value in known.items():
        if name.startswith(prefix) and isinstance(value, str) and channel.up:
            application, *argument = re.split("[ :]", value, maxsplit=1)
            channel.switch.execute(channel, application, *(argument or [""]))


def api_on(channel: Channel, prefix: str) -> None:
    """``switch_channel_api_on``: each such variable is an API command, obeyed here and now."""
    for name, value in tuple(channel.variables.items()):
        if name.startswith(prefix) and isinstance(value, str):
            command, _, arguments = value.partition(" ")
            channel.switch.call_api(command, expand(channel, arguments))
