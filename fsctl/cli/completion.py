"""``fsctl completion``: what a shell must know to complete fsctl's commands and options."""

from __future__ import annotations

import argparse

import shtab

_SHELLS = ("bash", "zsh", "tcsh")


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "completion",
        help="print what a shell must know to complete fsctl's commands",
        description="For bash: fsctl completion bash > /etc/bash_completion.d/fsctl",
    )
    parser.add_argument("shell", choices=_SHELLS)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Print it; 0."""
    from fsctl.cli import whole_parser

    print(shtab.complete(whole_parser(), arguments.shell))
    return 0
