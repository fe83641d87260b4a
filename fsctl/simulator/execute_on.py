"""Applications that a channel's own variables have executed at some moment of its life."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fsctl.simulator.channel import Channel


def execute_on(channel: Channel, prefix: str) -> None:
    """``switch_channel_execute_on``: each variable whose name begins so, here and now.

    ``APPLICATION ARGUMENT`` or ``APPLICATION:ARGUMENT``. What a leg that has hung up would still
    execute is not simulated.
    """
    for name, value in tuple(channel.variables.items()):
        if name.startswith(prefix) and isinstance(value, str) and channel.up:
            application, *argument = re.split("[ :]", value, maxsplit=1)
            channel.switch.execute(channel, application, *(argument or [""]))
