"""What was judged of a legacy transfer, on its transferee: another session writes the record."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from fsctl.policy.judge import Asking
from fsctl.switch.marks import Mark


def judgement(asking: Asking | None, shadow: Mapping[str, Any]) -> dict[str, str]:
    """Return the variables of a transferee that tell who writes the record what was judged, and
    what would have been done. Nothing in them is ever expanded or dialled."""
    verdict = asking.verdict if asking is not None else None
    word = "allow" if verdict is not None and verdict.allowed else "refuse"
    text = base64.urlsafe_b64encode(json.dumps(dict(shadow)).encode()).decode()
    return {
        Mark.JUDGED: f"{word} {verdict.rule}" if verdict is not None else "",
        Mark.SHADOW: text if shadow else "",
    }


def judged(mark: str | None, shadow: str | None) -> dict[str, Any]:
    """Return the fields of a record that `judgement` has left on the transferee."""
    word, _, rule = (mark or "").partition(" ")
    fields: dict[str, Any] = {"rule": rule, "allowed": word == "allow"} if rule else {}
    with suppress(ValueError):  # cut short, or somebody else's
        said = json.loads(base64.urlsafe_b64decode(shadow or ""))
        fields |= {"shadow": said} if isinstance(said, dict) else {}
    return fields
