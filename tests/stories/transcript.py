"""Golden transcripts: what fsctl commanded in each story, before and after a change.

A change of the code that is not to change what fsctl does leaves these equal, byte for byte::

    export TRANSCRIPTS_OF_STORIES=/tmp/before
    .venv/bin/pytest -n 2 -m "not live" tests/stories tests/properties
    # change the code, then the same into /tmp/after, and
    .venv/bin/python -m tests.stories.transcript /tmp/before /tmp/after

One file for each story, one paragraph for each link, in the order in which the links were opened;
those of no leg, which a controller opens all at once, come last, in the order of what they say.
What no two runs share (UUIDs, ports, folders, hashes, tags) is numbered in the order of its
appearance. Equal code gives equal transcripts, however busy the machine is; where it does not after
all, give several folders of before: a story has changed when it is like none of them.
"""

from __future__ import annotations

import difflib
import os
import re
import sys
from base64 import b64decode
from collections import Counter
from pathlib import Path

from fsctl.simulator import SimulatedSwitch

FOLDER = "TRANSCRIPTS_OF_STORIES"
"""The environment variable that names the folder; without it nothing is written."""

_VARYING = re.compile(
    r"(?P<uuid>[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})"
    r"|(?<=127\.0\.0\.1[:-])(?P<port>\d+)"
    r"|(?P<folder>/(?:tmp|dev/shm)/[\w./-]+)"
    r"|(?P<hash>(?<=_)[0-9a-f]{32}\b)"
    r"|(?P<tag>(?<=-tag%3D)\w+)"
    r"|(?P<epoch>fsctl_cdr_epoch\\*=\\*'?[0-9]{10})"  # a dial string escapes what it carries
    r'|(?P<ms>(?<="ms": )[0-9]+)'
)
_CODED = re.compile(r"(?<=fsctl_shadow=')[\w+/]+=*(?=')")
_written: Counter[str] = Counter()
"""How many transcripts each test has written: a property plays many stories."""


def transcript(switch: SimulatedSwitch) -> str:
    """What each link of this switch was told, with its varying parts numbered as they appear."""
    seen: dict[str, str] = {}
    counts: Counter[str] = Counter()

    def numbered(match: re.Match[str]) -> str:
        kind, text = match.lastgroup or "", match.group()
        if kind in ("epoch", "ms"):  # of two they are the same or others, as it happens
            return f"<{kind}>"
        if text not in seen:
            counts[kind] += 1
            seen[text] = f"<{kind} {counts[kind]}>"
        return seen[text]

    of_legs, others = [], []
    for link in switch.links_made:
        whose = link.channel.uuid if link.channel else "no leg"
        said = "\n".join(_written_out(command) for command in link.obeyed)
        (of_legs if link.channel else others).append(f"== link of {whose}\n{said}\n")
    others.sort(key=lambda paragraph: _VARYING.sub("", paragraph))
    text = _CODED.sub(lambda code: b64decode(code[0]).decode(), "\n".join([*of_legs, *others]))
    return _VARYING.sub(numbered, text)


def _written_out(command: dict[str, str]) -> str:
    headers = [f"  {k}: {v}" for k, v in command.items() if k not in {"command", "_body"}]
    body = [f"  | {line}" for line in command.get("_body", "").splitlines()]
    return "\n".join([command["command"], *headers, *body])


def keep(switch: SimulatedSwitch) -> None:
    """Write the transcript of the story that ends, where somebody wants it."""
    folder = os.environ.get(FOLDER)
    if not folder:
        return
    test = os.environ.get("PYTEST_CURRENT_TEST", "no test").rsplit(" ", 1)[0]
    _written[test] += 1
    name = re.sub(r"[^\w.\[\]-]+", "_", f"{test}-{_written[test]}")[-200:]
    Path(folder).mkdir(parents=True, exist_ok=True)
    (Path(folder) / f"{name}.txt").write_text(transcript(switch), encoding="utf-8")


def differences(befores: list[Path], after: Path) -> dict[str, list[str]]:
    """By story, how it differs from the first of ``befores``, where it is like none of them."""
    names = {path.name for folder in (*befores, after) for path in folder.glob("*.txt")}
    found: dict[str, list[str]] = {}
    for name in sorted(names):
        new, *olds = (_lines(folder / name) for folder in (after, *befores))
        if new not in olds:
            diff = difflib.unified_diff(
                olds[0], new, f"before/{name}", f"after/{name}", lineterm=""
            )
            found[name] = list(diff)
    return found


def _lines(path: Path) -> list[str]:
    """Of a story that was not played: a line that no transcript has."""
    return path.read_text(encoding="utf-8").splitlines() if path.exists() else ["(not played)"]


def main(*folders: str) -> int:
    """Compare the last folder with those before it; 1 where stories differ, or there are none."""
    *befores, after = (Path(folder) for folder in folders)
    changed = differences(befores, after)
    for lines in changed.values():
        print("\n".join(lines))
    played = len(list(after.glob("*.txt")))
    print(f"{played} stories, {len(changed)} of them otherwise than before")
    return 1 if changed or not played else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
