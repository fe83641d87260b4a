"""For all tests: on a machine that is busy with something else nothing fails for being slow."""

from __future__ import annotations

from pathlib import Path

from hypothesis import HealthCheck, settings

import fsctl.settings

settings.register_profile("fsctl", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("fsctl")

fsctl.settings.DEFAULT_FILE = Path("/nonexistent/fsctl.toml")  # type: ignore[misc]
"""What this machine's own fsctl has there is none of a test's business."""
