"""The laboratory's switch, which reports every SIP message, and takes browsers' calls."""

from __future__ import annotations

from tests.live.lab import ports, switch_conf
from tests.live.lab.switch import Switch
from tests.live.phones.capture import Capture

SOFIA = "autoload_configs/sofia.conf.xml"
HANGS_UP_AFTER = "9"
"""Before a user's number: the dialplan sets ``hangup_after_bridge``, as FreeSWITCH's own does."""
_HANGUP = '      <action application="set" data="hangup_after_bridge=true"/>\n'


class PhonesSwitch(Switch):
    """Attributes, besides those of `Switch`: ``capture``, ``ws_port`` (SIP over WebSocket)."""

    def __init__(self) -> None:
        """Choose ports; nothing runs yet."""
        super().__init__()
        self.capture = Capture(ports.kept_port())
        self.ws_port = ports.kept_port()

    def stop(self) -> None:
        super().stop()
        self.capture.close()

    def add_browser(self, number: str, port: int) -> None:
        """As `add_user`, of a phone whose WebSocket comes from that port."""
        way = f"sip%3A127.0.0.1%3A{port}%3Btransport%3Dws"
        uri = f"sip:{number}@127.0.0.1:{port};transport=ws;fs_path={way}"
        self.add_dialled(number, f"sofia/{self.profile}/{uri}")

    def _own_files(self) -> dict[str, str]:
        files = super()._own_files()
        server = f"udp:{self.domain}:{self.capture.port};hep=3;capture_id=100"
        for before, name, value in (
            ("</global_settings>", "capture-server", server),
            ("</settings>", "sip-capture", "yes"),
            ("</settings>", "ws-binding", f":{self.ws_port}"),
            ("</settings>", "apply-candidate-acl", "any_v4.auto"),
            # a browser takes a tone for noise, and would send comfort noise in its place
            ("</settings>", "suppress-cng", "true"),
        ):
            param = f'<param name="{name}" value="{value}"/>\n{before}'
            assert files[SOFIA].count(before) == 1
            files[SOFIA] = files[SOFIA].replace(before, param)
        for name in (f"dialplan/{context}.xml" for context in switch_conf.CONTEXTS):
            files[name] = _hanging_up_only_there(files[name])
        return files


def _hanging_up_only_there(context: str) -> str:
    before, start, rest = context.partition('  <extension name="lab_native">')
    native, end, after = (start + rest).partition("  </extension>\n")
    assert _HANGUP in native and "^(" in native
    there = native.replace("lab_native", "lab_hangs_up").replace("^(", f"^{HANGS_UP_AFTER}(")
    return before + there + end + native.replace(_HANGUP, "") + end + after
