"""A stateless SIP proxy in front of the switch: Debian's Kamailio, as it is often found there."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path

from tests.live.lab.mortal import mortal
from tests.live.lab.ports import LOCALHOST, kept_port
from tests.live.lab.waiting import wait_for

HOST = "127.0.0.2"
"""Another name than the switch's: what is addressed there is not addressed to the switch."""
START_DEADLINE_S = 10.0
# RFC 3261 16.11 without state, 16.6 step 4 (Record-Route), RFC 3327 (Path)
_CONFIGURATION = """
debug=1
log_stderror=yes
fork=yes
# one, or a response may be overtaken by the request behind it, which SIPp does not take
children=1
disable_tcp=yes
auto_aliases=no
listen=udp:{host}:{port}
loadmodule "sl.so"
loadmodule "pv.so"
loadmodule "maxfwd.so"
loadmodule "rr.so"
loadmodule "path.so"
loadmodule "siputils.so"
modparam("path", "use_received", 0)

request_route {{
    if (!mf_process_maxfwd_header("10")) {{
        sl_send_reply("483", "Too Many Hops");
        exit;
    }}
    loose_route();
    if (method == "INVITE" && !has_totag()) {{
        record_route();
    }}
    if (method == "REGISTER") {{
        add_path();
    }}
    if (uri == myself) {{
        $du = "sip:{switch}";
    }}
    forward();
}}
"""


class Kamailio:
    """One Kamailio on UDP ``port`` of `HOST`; what is sent to it goes to ``switch_port``.

    It stays in every dialog (Record-Route), and in the way to each phone that has registered
    through it (Path).
    """

    def __init__(self, switch_port: int) -> None:
        """Write the configuration; nothing runs yet."""
        self.port = kept_port()
        self._folder = Path(tempfile.mkdtemp(prefix="lab-kamailio-"))
        self._log = self._folder / "log"
        text = _CONFIGURATION.format(host=HOST, port=self.port, switch=f"{LOCALHOST}:{switch_port}")
        (self._folder / "kamailio.cfg").write_text(text, encoding="utf-8")
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> Kamailio:
        """Start, and return when it listens. Raises NotInTime with its log otherwise."""
        places = ("-w", str(self._folder), "-Y", str(self._folder), "-P", str(self._folder / "pid"))
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                mortal(
                    ["kamailio", "-DD", "-E", *places, "-f", str(self._folder / "kamailio.cfg")]
                ),
                cwd=self._folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        wait_for(self._listens, START_DEADLINE_S, lambda: f"Kamailio listens\n{self.log_text()}")
        return self

    def stop(self) -> None:
        """End it, and remove its files."""
        if self._process:
            self._process.terminate()
            self._process.wait(START_DEADLINE_S)
        shutil.rmtree(self._folder, ignore_errors=True)

    def uri(self, number: str) -> str:
        """The SIP URI of ``number`` as phones behind it know it."""
        return f"sip:{number}@{HOST}:{self.port}"

    def log_text(self) -> str:
        """What it has printed."""
        return self._log.read_text(errors="replace")

    def _listens(self) -> bool:
        wanted = f"0200007F:{self.port:04X}"
        sockets = Path("/proc/net/udp").read_text().splitlines()[1:]
        return any(line.split()[1] == wanted for line in sockets)
