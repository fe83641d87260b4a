"""For all tests: on a machine that is busy with something else nothing fails for being slow."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

settings.register_profile("fsctl", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("fsctl")
