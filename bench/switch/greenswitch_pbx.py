"""A controller as greenswitch's README shows one: bridge the callee, and the target of a REFER.

``python -m bench.switch.greenswitch_pbx PORT``. It knows nothing of failures, and takes what the
event socket brings: that is what most installations begin with.
"""

from __future__ import annotations

import logging
import sys

from greenswitch import esl

CONTEXT = "bench_refer"
ARMED = f"confirm_blind_transfer=true,force_transfer_context={CONTEXT}"


class Application:
    """One leg that FreeSWITCH has brought: a new call, or the transferee of a REFER."""

    def __init__(self, session: esl.OutboundSession) -> None:
        self.session = session

    def run(self) -> None:
        """Dial, and wait for the end."""
        session = self.session
        session.myevents()
        session.linger(5)
        number = session.session_data["Caller-Destination-Number"]
        if session.session_data.get("Caller-Context") != CONTEXT:
            session.call_command("set", f"force_transfer_context={CONTEXT}")
        session.call_command("set", "hangup_after_bridge=true")
        try:
            session.bridge(f"{{{ARMED}}}user/{number}@127.0.0.1")
        except esl.OutboundSessionHasGoneAway:
            logging.info("the caller has left")


def main() -> None:
    """Serve until killed."""
    server = esl.OutboundESLServer(
        bind_address="127.0.0.1",
        bind_port=int(sys.argv[1]),
        application=Application,
        max_connections=100000,
    )
    server.listen()


if __name__ == "__main__":
    main()
