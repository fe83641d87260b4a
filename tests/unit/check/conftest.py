"""For the tests of ``fsctl check``: each of them looks at the same few configurations."""

from __future__ import annotations

from dataclasses import replace

import pytest

from fsctl import dialplan
from fsctl.dialplan import Rendered
from fsctl.settings import Settings

_RENDERED: dict[str, list[Rendered]] = {}


@pytest.fixture(autouse=True)
def rendered_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is written nowhere in it, the port at which FreeSWITCH is asked, makes no other one."""
    render = dialplan.rendered

    def rendered(settings: Settings) -> list[Rendered]:
        if settings.dialplan.overrides:
            return render(settings)
        anywhere = tuple(replace(each, port=1) for each in settings.switches)
        key = repr(replace(settings, switches=anywhere))
        if key not in _RENDERED:
            _RENDERED[key] = render(settings)
        return _RENDERED[key]

    monkeypatch.setattr(dialplan, "rendered", rendered)
