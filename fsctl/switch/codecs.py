"""The codecs of a leg, as an application passes them from one leg to another: a *scheme*.

A scheme is a list of FreeSWITCH's names of codecs, separated by commas, the preferred first. What
it is made of comes from a phone's SDP: nothing but such names is taken.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from fsctl.esl.events import Event

_ENTRY = re.compile(r"(?:\w+\.)?([0-9A-Za-z][0-9A-Za-z_-]{0,31})((?:@[0-9]{1,6}[a-z])*)(?:~.*)?")
"""``MODULE.NAME@8000h@20i@64000b~FMTP`` in ``ep_codec_string``, or just a name."""


@dataclass(slots=True)
class Codecs:
    """What is known of one leg; :meth:`learn` is called with every event of it."""

    offered: str = ""
    """Those of its offer that its profile takes, as FreeSWITCH lists them (``ep_codec_string``,
    switch_core_media.c)."""
    agreed: str = ""
    """The one that it uses."""

    def learn(self, event: Event) -> None:
        """Take what an event or a snapshot of the leg says."""
        self.offered = event.variable("ep_codec_string") or self.offered
        self.agreed = event.get("Channel-Read-Codec-Name") or self.agreed

    def scheme(self, *, answered: bool) -> str:
        """The one that an answered leg uses; before that, those that it has offered."""
        offered = ",".join(dict.fromkeys(name for name, _ in _entries(self.offered)))
        agreed = ",".join(name for name, _ in _entries(self.agreed))
        return (agreed or offered) if answered else (offered or agreed)

    def wanted(self, scheme: str) -> str:
        """Of the leg's own offer what ``scheme`` names, in its order; nothing: none of them.

        For ``absolute_codec_string``: with it the leg's answer holds these only.
        """
        own = {name.lower(): name + rest for name, rest in reversed(_entries(self.offered))}
        names = dict.fromkeys(name.lower() for name, _ in _entries(scheme))
        return ",".join(own[name] for name in names if name in own)


def preferred(scheme: str) -> dict[str, str]:
    """Return the variables with which a party is offered these codecs first, then its profile's.

    Source: switch_core_media.c, ``switch_core_media_prepare_codecs``.
    """
    names = ",".join(dict.fromkeys(name for name, _ in _entries(scheme)))
    if not names:
        return {}
    return {"originator_codec": names, "media_mix_inbound_outbound_codecs": "true"}


def _entries(text: str) -> list[tuple[str, str]]:
    """Names and what follows them (rate, packet time); what is no such entry is left out."""
    found = (_ENTRY.fullmatch(each.strip()) for each in text.split(","))
    return [(match[1], match[2]) for match in found if match]
