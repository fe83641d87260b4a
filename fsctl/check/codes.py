"""Every code of a finding, in words; ``docs/check.md`` has its table from here (``python -m
fsctl.check.codes``). A code is never given to another thing."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final


@dataclass(frozen=True, slots=True)
class Code:
    """What is the case when it is ``ok``, what it means as a ``problem``, and when it is
    ``unknown`` (empty: never)."""

    ok: str
    problem: str
    unknown: str = ""


CODES: Final[dict[str, Code]] = {
    "FSC000": Code("the command line is understood", "nothing was looked at"),
    "FSC001": Code("the settings can be used", "fsctl does not start with them"),
    "FSC002": Code(
        "the settings say how FreeSWITCH is asked", "", "there is no `[switch]`: nothing is asked"
    ),
    "FSC003": Code("`[check] ignore` names codes that exist", "it ignores nothing"),
    "FSC004": Code(
        "only its owner can read a file with a password",
        "whoever reads it can do anything with the switch",
    ),
    "FSC005": Code(
        "FreeSWITCH's files can be rendered from the settings",
        "FreeSWITCH and fsctl may not be set up alike; what the files should hold is not looked at",
    ),
    "FSC101": Code(
        "FreeSWITCH's event socket can be reached",
        "FreeSWITCH has ended or is starting, or host and port are wrong: it is not told who is "
        "there, sends nothing, and transfers by itself",
    ),
    "FSC102": Code(
        "it is an event socket, and answers in time",
        "another program listens there",
        "whoever listens is silent, or answers too slowly",
    ),
    "FSC103": Code("FreeSWITCH accepts the password", "as FSC101"),
    "FSC104": Code("FreeSWITCH admits the address that we come from", "as FSC101"),
    "FSC105": Code(
        "the event socket's password is not the shipped one, or only its own host is let in",
        "whoever reaches the port can do anything with the switch",
        "the event socket's configuration is not in what is loaded",
    ),
    "FSC106": Code(
        "the event socket does not admit every address", "only its password keeps strangers out"
    ),
    "FSC201": Code(
        "fsctl was tried with this version of FreeSWITCH: 1.10.12 or newer of 1.10, and 1.11",
        "older: transfers may fail in ways that were never tried",
        "newer, or it calls itself otherwise",
    ),
    "FSC202": Code(
        "the modules are loaded that fsctl's dialplan uses", "what the module does is missing"
    ),
    "FSC203": Code(
        "FreeSWITCH's clock and ours agree within 2 s",
        "times in records and logs of the two cannot be compared",
    ),
    "FSC204": Code(
        "FreeSWITCH's host does not wait for minutes for a controller's that has vanished",
        "a call may wait for two minutes",
        "FreeSWITCH is on another host",
    ),
    "FSC301": Code(
        "the sofia profile of `[dialplan] sofia_profile` runs",
        "no phone can call there",
        "FreeSWITCH has begun less than 30 s ago",
    ),
    "FSC302": Code(
        "it is configured with the parameters of `fsctl_params.xml`",
        "transfers are refused, go past fsctl, or are told wrongly",
        "the profile is not in what is loaded (an alias)",
    ),
    "FSC303": Code(
        "it has read its parameters since they were changed",
        "a parameter in force is another one than is loaded",
        "FreeSWITCH shows few of the parameters in force (see below)",
    ),
    "FSC304": Code(
        "no other profile that runs refuses transfers", "transfers of its phones get 403"
    ),
    "FSC305": Code(
        "media passes FreeSWITCH on every profile that runs",
        "a REFER in a call without media hangs its sender up",
    ),
    "FSC306": Code(
        "the section channels is loaded, where FreeSWITCH reads what a REFER with Replaces dials",
        "attended transfers go past fsctl, or dial a host that a phone names",
    ),
    "FSC401": Code(
        "fsctl's contexts are loaded",
        "nothing comes to fsctl; while legs are armed, transfers get 403",
    ),
    "FSC402": Code(
        "they are what the present settings render",
        "FreeSWITCH goes by other settings, or another version, than fsctl",
        "a template of yours is changed by FreeSWITCH's preprocessor (`$${...}`)",
    ),
    "FSC403": Code(
        "fsctl's extensions stand where calls enter, and no others of ours",
        "calls do not come to fsctl, or some that should not",
    ),
    "FSC501": Code(
        "in scope calls: the numbers of `inbound_match` come to fsctl before any other extension",
        "these calls never come to fsctl",
        "the extension in front of ours depends on what only a call knows, no number could be made "
        "of the expression, or `mod_xml_curl` makes the dialplan",
    ),
    "FSC502": Code(
        "an extension takes the number of `--number`",
        "none does: such a call ends at once",
        "it depends on what only a call knows: its variables, the time",
    ),
    "FSC601": Code(
        "the controllers that FreeSWITCH is to call show signs of life",
        "FreeSWITCH transfers by itself; in scope calls it connects calls by the routes",
    ),
    "FSC602": Code(
        "while a controller lives, all legs are armed as the settings say",
        "FreeSWITCH transfers by itself, or sends transfers where nobody expects them",
    ),
    "FSC603": Code(
        "no legs stay armed without a controller (it may take 5 s)",
        "every transfer is refused with 403",
        "with `--quick`: one look does not tell",
    ),
    "FSC604": Code(
        "FreeSWITCH can mean us by the controllers' addresses",
        "127.0.0.1 is FreeSWITCH's own host: nothing comes to fsctl",
    ),
    "FSC701": Code(
        "the gateways of the routes are there",
        "calls and transfers along the route fail",
        "FreeSWITCH's answer is not understood",
    ),
    "FSC702": Code("the sofia profiles of the routes run", "as FSC701"),
    "FSC703": Code("the domains of the routes are in the directory", "their users are not called"),
    "FSC704": Code(
        "FreeSWITCH can see the sounds of the settings",
        "who waits hears nothing",
        "it is not named by its whole path",
    ),
    "FSC705": Code("the contexts of the routes are in the dialplan", "as FSC701"),
    "FSC801": Code(
        "`[hep] listen` is FreeSWITCH's capture server, or gets its copies from whoever is",
        "there is none, it is another one, or sofia-sip does not take its URL: no copies come",
    ),
    "FSC802": Code(
        "every sofia profile that runs has `sip-capture`",
        "there are no copies of SIP messages there, or none after FreeSWITCH's next start",
    ),
    "FSC803": Code(
        "copies of SIP messages come to `[hep] listen`: of an OPTIONS, one has come",
        "none has come",
        "somebody else listens there already, no profile is on UDP, or none answers our OPTIONS",
    ),
}

PAGE: Final = Path(__file__).parents[2] / "docs" / "check.md"
_BEGIN, _END = "<!-- codes -->\n", "<!-- end of codes -->"


def with_table(text: str) -> str:
    """Return the page ``text`` with its table made anew, between the markers."""
    before, _, rest = text.partition(_BEGIN)
    rows = ["| code | ok | problem | unknown |", "|---|---|---|---|"]
    rows += [f"| {code} | {it.ok} | {it.problem} | {it.unknown} |" for code, it in CODES.items()]
    return f"{before}{_BEGIN}" + "\n".join(rows) + f"\n{_END}{rest.partition(_END)[2]}"


if __name__ == "__main__":
    PAGE.write_text(with_table(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
