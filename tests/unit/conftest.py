"""For all unit tests."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest

from tests.unit.records import Records


@pytest.fixture
def records() -> Iterator[Records]:
    """The records of transfers that are logged from now on."""
    logger, handler = logging.getLogger("fsctl.session.record"), Records()
    before = logger.level
    logger.setLevel(logging.INFO)
    logger.addHandler(handler)
    yield handler
    logger.removeHandler(handler)
    logger.setLevel(before)
