"""The records of transfers, as a collector of logs reads them."""

from __future__ import annotations

import json
import logging
from typing import Any


class Records(logging.Handler):
    """All that are logged."""

    def __init__(self) -> None:
        super().__init__(logging.INFO)
        self.all: list[dict[str, Any]] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.all.append(json.loads(record.getMessage()))

    def results(self) -> list[tuple[str, str, int]]:
        """Kind, outcome and code of each."""
        return [(each["kind"], each["outcome"], each["code"]) for each in self.all]
