"""A private FreeSWITCH with the configuration of this folder."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from tests.live.lab import ports
from tests.live.lab.registration import Registration
from tests.live.lab.switch import PASSWORD, Switch

CONF = Path(__file__).parent / "conf"
USER_PASSWORD = "not-the-default"
"""``default_password`` of vars.xml."""
INCLUDES = {
    "sip_profiles/internal.xml": ("  </settings>", "fsctl_params.xml"),
    "freeswitch.xml": ("</document>", "fsctl_channels.xml"),
}
"""By the operator's hand: a line in that file, in front of that, includes this."""
USERS = tuple(str(number) for number in range(1000, 1020))


@cache
def _tree() -> dict[str, str]:
    return {
        str(path.relative_to(CONF)): path.read_text(encoding="utf-8")
        for path in sorted(CONF.rglob("*.xml"))
    }


def _including(before: str, file: str, text: str) -> str:
    start, marker, end = text.partition(before)
    assert marker, f"{before} in\n{text}"
    return f'{start}  <X-PRE-PROCESS cmd="include" data="{file}"/>\n{marker}{end}'


def _user(number: str) -> str:
    """A user of the directory. The last five may not call abroad."""
    abroad = "" if number >= "1015" else "international,"
    group = "techsupport" if number < "1010" else "billing"
    variables = {
        "toll_allow": f"domestic,{abroad}local",
        "accountcode": number,
        "user_context": "default",
        "effective_caller_id_name": f"Extension {number}",
        "effective_caller_id_number": number,
        "outbound_caller_id_name": "$${outbound_caller_name}",
        "outbound_caller_id_number": "$${outbound_caller_id}",
        "callgroup": group,
    }
    lines = "\n".join(
        f'      <variable name="{name}" value="{value}"/>' for name, value in variables.items()
    )
    return f"""<include>
  <user id="{number}">
    <params>
      <param name="password" value="$${{default_password}}"/>
      <param name="vm-password" value="{number}"/>
    </params>
    <variables>
{lines}
    </variables>
  </user>
</include>
"""


class VanillaSwitch(Switch):
    """FreeSWITCH with users 1000 to 1019 who authenticate, and a provider.

    Attributes, besides those of `Switch`: ``external_port`` (where the provider's calls come in),
    ``provider_port`` (where it is called).
    """

    def __init__(self) -> None:
        """Choose ports; nothing runs yet."""
        super().__init__(profile="internal", context="default")
        self.external_port, self.provider_port = ports.kept_port(), ports.kept_port()
        self._registered: dict[str, Registration] = {}

    def external_uri(self, number: str) -> str:
        """The SIP URI at which a call for ``number`` comes in from outside."""
        return f"sip:{number}@{self.domain}:{self.external_port}"

    def password_of(self, number: str) -> str:
        """The password of a user of the directory; empty for anybody else."""
        return USER_PASSWORD if number in USERS else ""

    def add_user(self, number: str, port: int, joined_by: str = "", transport: str = "udp") -> None:
        """Register a phone as that user, in place of the one before. The port must be free yet."""
        assert not joined_by and transport == "udp", "a user has one phone here, on UDP"
        registration = Registration(number, USER_PASSWORD, self.domain, port, self.sip_port)
        registration.add()
        self._registered[number] = registration
        self._wait_contact(number, f":{port}")

    def remove_user(self, number: str) -> None:
        """Take the registration back, if there is one. The phone must have ended."""
        if registration := self._registered.pop(number, None):
            registration.remove()
            self._wait_contact(number, "error/user_not_registered")

    def install(self, directory: Path) -> None:
        """Lay rendered files over the configuration, and include by hand what must be."""
        rendered = {
            str(path.relative_to(directory)): path.read_text(encoding="utf-8")
            for path in sorted(directory.rglob("*.xml"))
        }
        changed = {name: _including(*include, _tree()[name]) for name, include in INCLUDES.items()}
        self.reload_dialplan({**rendered, **changed})

    def _wait_contact(self, number: str, text: str) -> None:
        """The registrar responds first, and writes its table when it gets to it."""
        contact = f"sofia_contact {number}@{self.domain}"
        self.wait(lambda: text in self.esl(contact), what=f"{text} in {contact}")

    def _own_files(self) -> dict[str, str]:
        first, last = ports.rtp_range()
        machine = {
            "local_ip_v4": self.domain,
            "internal_sip_port": self.sip_port,
            "external_sip_port": self.external_port,
            "provider_port": self.provider_port,
            "event_socket_port": self.esl_port,
            "event_socket_password": PASSWORD,
            "rtp_start_port": first,
            "rtp_end_port": last,
        }
        lines = "\n".join(
            f'  <X-PRE-PROCESS cmd="set" data="{name}={value}"/>' for name, value in machine.items()
        )
        users = {f"directory/default/{number}.xml": _user(number) for number in USERS}
        return {**_tree(), **users, "machine.xml": f"<include>\n{lines}\n</include>\n"}

    def _profile_is_running(self) -> bool:
        running = [row for row in self.esl("sofia status").splitlines() if "RUNNING" in row]
        return {row.split()[0] for row in running} >= {"internal", "external"}
