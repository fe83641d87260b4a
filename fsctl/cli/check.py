"""``fsctl check``: what is wrong between FreeSWITCH and fsctl, and what mends it."""

from __future__ import annotations

import argparse
import json
import logging
import os
import sys

from fsctl import __version__, settings
from fsctl.check import Finding, Report, State, Wanted, examine
from fsctl.check.text import lines
from fsctl.cli.options import add_config


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser("check", help="say what is wrong with FreeSWITCH and fsctl")
    add_config(parser)
    parser.add_argument("--json", action="store_true", help="one JSON document, and nothing else")
    parser.add_argument("--quick", action="store_true", help="only what decides, within 3 s")
    parser.add_argument("--number", default="", help="which extension it would take, too")
    parser.add_argument("--context", default="", help="where (default: the first that calls enter)")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Print the report; 0 all is well, 1 there is a problem, 2 something could not be told."""
    logging.getLogger("fsctl").addHandler(logging.NullHandler())  # the findings say it all
    report = _report(arguments)
    if arguments.json:
        _print_json(report, arguments.quick)
    else:
        for line in lines(report, colour=sys.stdout.isatty() and "NO_COLOR" not in os.environ):
            print(line)
    return report.exit_status


def tell_usage() -> None:
    """The command line is wrong, as stderr says already: here as JSON."""
    _print_json(
        Report(
            (
                Finding(
                    "FSC000",
                    State.PROBLEM,
                    "the command line is wrong",
                    "nothing was looked at",
                    "fsctl check --help",
                ),
            )
        ),
        False,
    )


def _print_json(report: Report, quick: bool) -> None:
    print(json.dumps({"version": __version__, "quick": quick} | report.as_json()))


def _report(arguments: argparse.Namespace) -> Report:
    try:
        loaded = settings.load(arguments.config, os.environ)
    except Exception as error:  # whatever is wrong with a file: one document all the same
        return Report((_unreadable(error),))
    wanted = Wanted(arguments.number, arguments.context, arguments.config)
    return examine(loaded, quick=arguments.quick, wanted=wanted)


def _unreadable(error: Exception) -> Finding:
    return Finding(
        "FSC001",
        State.PROBLEM,
        "the settings cannot be used",
        "fsctl does not start",
        "mend what the cause names",
        str(error),
    )
