"""``fsctl dialplan render``: writes the FreeSWITCH configuration that fsctl needs."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from fsctl import dialplan, settings
from fsctl.cli.options import add_config
from fsctl.errors import SettingsError

if TYPE_CHECKING:
    Subparsers = argparse._SubParsersAction[argparse.ArgumentParser]


def add_parser(subparsers: Subparsers) -> None:
    """Add the command; its namespace carries ``run``, to be called with the namespace."""
    command = subparsers.add_parser("dialplan", help="FreeSWITCH's side of the configuration")
    actions = command.add_subparsers(dest="action", required=True, metavar="ACTION")
    render = actions.add_parser(
        "render", help="write the dialplan and its neighbours, to be laid over FreeSWITCH's conf/"
    )
    add_config(render)
    render.add_argument("--output", type=Path, required=True, metavar="DIR", help="where to write")
    render.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Print the files written; 2 and a sentence on stderr when the settings are wrong."""
    try:
        loaded = settings.load(args.config, os.environ)
        for warning in loaded.warnings:
            print(f"fsctl: warning: {warning}", file=sys.stderr)
        written = dialplan.render(loaded, args.output)
        for path in written:
            print(path)
        for path in sorted(args.output.glob(f"dialplan/*/{dialplan.FIRST_FILE}")):
            if path not in written:
                print(f"fsctl: warning: {path} is of other settings: remove it", file=sys.stderr)
    except SettingsError as error:
        print(f"fsctl: {error}", file=sys.stderr)
        return 2
    return 0
