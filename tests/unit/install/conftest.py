"""For the tests of installing."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.install.site import Site


@pytest.fixture
def site(tmp_path: Path) -> Site:
    """A FreeSWITCH as it is shipped, which runs."""
    return Site(tmp_path)
