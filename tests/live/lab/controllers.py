"""The controllers of one test: configured for the switch, installed, started, checked."""

from __future__ import annotations

from collections.abc import Mapping

from tests.live.lab.fsctl_process import Controller, Scalar, Section, Sections
from tests.live.lab.switch import Switch


class Controllers:
    """Makes running controllers for one switch, and ends them all."""

    def __init__(self, switch: Switch) -> None:
        self._switch = switch
        self._controllers: list[Controller] = []

    def __call__(
        self,
        sections: Sections | None = None,
        environment: Mapping[str, str] | None = None,
        install: bool = True,
        port: int = 0,
        scenario: str = "",
    ) -> Controller:
        """A running controller; its rendered dialplan is installed unless ``install`` is false.

        ``sections`` are settings of the test's own; those that tie the controller to this switch
        (event socket, context, profile) are filled in. The same ``port`` again takes the place of
        a controller that was killed.
        """
        switch = self._switch
        own = dict(sections or {})
        ties: dict[str, dict[str, Scalar]] = {
            "call": {"own_hosts": ["example.org"]},
            "switch": {"host": "127.0.0.1", "port": switch.esl_port},
            "dialplan": {"sofia_profile": switch.profile, **self._scope(own.get("dialplan", {}))},
        }
        for name, tie in ties.items():
            section = own.get(name, {})
            assert not isinstance(section, list), f"[{name}] is one table"
            own[name] = {**tie, **section}
        secrets = {"FSCTL_SWITCH_PASSWORD": switch.password, **(environment or {})}
        controller = Controller(own, secrets, port, scenario)
        self._controllers.append(controller)
        if install:
            switch.install(controller.render())
        return controller.start()

    def _scope(self, section: Section | list[Section]) -> dict[str, Scalar]:
        """Calls come to the controller from their start, unless the test says otherwise."""
        contexts: dict[str, Scalar] = {"inbound_contexts": [self._switch.context]}
        if isinstance(section, Mapping) and section.get("scope") == "transfers":
            return contexts
        return {"scope": "calls", "inbound_match": ".*", **contexts}

    def logs(self) -> str:
        """What all of them have printed."""
        return "\n".join(f"-- {item.address}\n{item.log_text()}" for item in self._controllers)

    def wait_no_growth(self) -> None:
        """Wait until none has more descriptors open than after its start."""
        for controller in self._controllers:
            controller.wait_no_growth()

    def finish(self) -> str:
        """End all; what they left behind or did wrong."""
        return "\n".join(filter(None, [controller.finish() for controller in self._controllers]))
