"""Loading scenario files."""

from __future__ import annotations

import sys
import traceback
from pathlib import Path
from types import ModuleType
from zlib import crc32

from fsctl.errors import SettingsError
from fsctl.scenario.scenario import Scenario
from fsctl.scenario.scenarios import Scenarios
from fsctl.settings import Settings


def load(path: Path) -> Scenario:
    """Run the file and return its ``scenario``.

    The file is read each time: a bytecode cache knows it by its second and size only, and would
    bring an older version back. Modules that it imports are loaded once, as everywhere.

    Raises :class:`fsctl.errors.SettingsError` naming file and line when it cannot be read, raises
    while it runs, or defines no ``scenario``.
    """
    module = ModuleType(f"fsctl_scenario_{path.stem}_{crc32(str(path.absolute()).encode()):08x}")
    module.__file__ = str(path)
    try:
        code = compile(path.read_bytes(), str(path), "exec", dont_inherit=True)
    except (OSError, SyntaxError, ValueError) as error:
        raise SettingsError(_at(path, error)) from error
    before = sys.modules.get(module.__name__)
    sys.modules[module.__name__] = module  # dataclasses and typing look their module up there
    try:
        exec(code, module.__dict__)
        scenario = _scenario_of(module, path)
    except (Exception, SystemExit) as error:
        _put_back(module.__name__, before)
        if isinstance(error, SettingsError) and error.__cause__ is None:
            raise
        raise SettingsError(_at(path, error)) from error
    scenario.name = scenario.name or path.stem
    return scenario


def load_all(settings: Settings, file: Path | None = None) -> Scenarios:
    """Load the scenario of the settings (or ``file`` instead), and those of the routes.

    Raises :class:`fsctl.errors.SettingsError`, naming the key, the file and the line.
    """
    loaded: dict[Path, Scenario] = {}

    def once(path: Path, key: str) -> Scenario:
        if path not in loaded:
            try:
                loaded[path] = load(path)
            except SettingsError as error:
                raise SettingsError(f"{key}: {error}") from error
        return loaded[path]

    default = file or settings.scenario.file
    routes = {
        route.name: once(route.scenario, f"[[route]] {route.name} scenario")
        for route in settings.routes
        if route.scenario
    }
    if default is None:
        return Scenarios(of_routes=routes)
    return Scenarios(once(default, "--scenario" if file else "[scenario] file"), routes)


def _scenario_of(module: ModuleType, path: Path) -> Scenario:
    scenario = getattr(module, "scenario", None)
    if not isinstance(scenario, Scenario):
        raise SettingsError(f"{path}: defines no `scenario = Scenario()`")
    return scenario


def _put_back(name: str, module: ModuleType | None) -> None:
    if module is None:
        del sys.modules[name]
    else:
        sys.modules[name] = module


def _at(path: Path, error: BaseException) -> str:
    """``FILE:LINE: what is wrong``; the line is that of the file itself, wherever it was raised."""
    if isinstance(error, SyntaxError) and error.filename == str(path):
        return f"{path}:{error.lineno}: {type(error).__name__}: {error.msg}"
    frames = traceback.extract_tb(error.__traceback__)
    lines = [frame.lineno for frame in frames if frame.filename == str(path)]
    where = f"{path}:{lines[-1]}" if lines else str(path)
    return f"{where}: {type(error).__name__}: {error}"
