"""``fsctl serve``: run the controller."""

from __future__ import annotations

import argparse
import logging
import os
from pathlib import Path

from fsctl import log, scenario, settings


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser("serve", help="run the controller that FreeSWITCH dials")
    parser.add_argument("--config", type=Path, metavar="FILE", help="settings (TOML)")
    parser.add_argument("--scenario", type=Path, metavar="FILE", help="a scenario (Python)")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Serve until SIGTERM; SIGHUP loads the scenarios anew. Raises SettingsError, OSError."""
    from fsctl.service.worker import Worker

    loaded = settings.load(arguments.config, os.environ)
    log.set_up(loaded.server.log_level, loaded.server.log_format)
    for warning in loaded.warnings:
        logging.getLogger("fsctl").warning("%s", warning)

    def load_scenarios() -> scenario.Scenarios:
        return scenario.load_all(loaded, arguments.scenario)

    Worker(loaded, load_scenarios(), load_scenarios=load_scenarios).run()
    return 0
