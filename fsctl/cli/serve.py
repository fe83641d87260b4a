"""``fsctl serve``: run the controller, in one process or in several."""

from __future__ import annotations

import argparse
import logging
import os
from dataclasses import replace
from pathlib import Path

import gevent

from fsctl import log, settings
from fsctl.cli.options import add_config, whole


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser("serve", help="run the controller that FreeSWITCH dials")
    add_config(parser)
    parser.add_argument("--scenario", type=Path, metavar="FILE", help="a scenario (Python)")
    parser.add_argument(
        "--workers", type=whole(1, 256), metavar="N", help="processes (default: [server] workers)"
    )
    # One of these processes; its supervisor talks to it by this descriptor.
    parser.add_argument("--worker", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--desk", type=int, help=argparse.SUPPRESS)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Serve until SIGTERM; SIGHUP reloads. Raises FsctlError, OSError."""
    _own_output()
    if arguments.worker is not None:
        from fsctl.service import worker_main

        return worker_main.run(arguments.worker)
    if arguments.desk is not None:
        from fsctl.service import desk_main

        return desk_main.run(arguments.desk)
    from fsctl.service.supervisor import Supervisor, worker_count

    loaded = _load(arguments)
    log.set_up(loaded.server.log_level, loaded.server.log_format)
    _warn(loaded)
    if worker_count(loaded) > 1:
        return Supervisor(loaded, lambda: _warn(_load(arguments)), arguments.scenario).run()
    from fsctl.service import alone

    alone.run(loaded, arguments.scenario)
    return 0


def _own_output() -> None:
    """Nothing that is printed here waits for a reader: also what gevent tells of its greenlets."""
    log.take_over()
    gevent.get_hub().print_exception = lambda context, kind, error, trace: log.uncaught(
        context, error if isinstance(error, BaseException) else kind(error)
    )


def _load(arguments: argparse.Namespace) -> settings.Settings:
    loaded = settings.load(arguments.config, os.environ)
    if loaded.decide.url:
        from fsctl.decide.client import Client

        Client(loaded.decide)  # what it cannot use is said now, and not at the first transfer
    if arguments.workers is None:
        return loaded
    return replace(loaded, server=replace(loaded.server, workers=arguments.workers))


def _warn(loaded: settings.Settings) -> settings.Settings:
    for warning in loaded.warnings:
        logging.getLogger("fsctl").warning("%s", warning)
    return loaded
