"""Loading a scenario file."""

from __future__ import annotations

import importlib.util
from pathlib import Path

from fsctl.errors import SettingsError
from fsctl.scenario.scenario import Scenario
from fsctl.session.scenarios import Scenarios
from fsctl.settings import Settings


def load(path: Path) -> Scenario:
    """Import the file and return its ``scenario``.

    Raises :class:`fsctl.errors.SettingsError` naming the file when it cannot be read, raises on
    import, or defines no ``scenario``.
    """
    spec = importlib.util.spec_from_file_location(f"fsctl_scenario_{path.stem}", path)
    if spec is None or spec.loader is None:
        raise SettingsError(f"{path}: not a Python file")
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        raise SettingsError(f"{path}: {type(error).__name__}: {error}") from error
    scenario = getattr(module, "scenario", None)
    if not isinstance(scenario, Scenario):
        raise SettingsError(f"{path}: defines no `scenario = Scenario()`")
    scenario.name = scenario.name or path.stem
    return scenario


def load_all(settings: Settings, file: Path | None = None) -> Scenarios:
    """Load the scenario of the settings (or ``file`` instead), and those of the routes.

    Raises :class:`fsctl.errors.SettingsError`.
    """
    loaded: dict[Path, Scenario] = {}

    def once(path: Path) -> Scenario:
        if path not in loaded:
            loaded[path] = load(path)
        return loaded[path]

    default = file or settings.scenario.file
    routes = {route.name: once(route.scenario) for route in settings.routes if route.scenario}
    return Scenarios(once(default), routes) if default else Scenarios(of_routes=routes)
