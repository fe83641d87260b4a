"""Which files FreeSWITCH reads, beginning with ``freeswitch.xml``, and by which lines."""

from __future__ import annotations

import fnmatch
import glob
import os
import re
from dataclasses import dataclass, field
from pathlib import Path

from fsctl.install import xml_text

FIRST = "freeswitch.xml"
_MANY = 5000
"""No configuration includes more: a loop may."""
_SET = re.compile(
    r"""<X-pre-process\b[^\n]*?\bcmd="set"[^\n]*?\bdata="([^"=\n]+)=([^"\n]*)\"""", re.I
)


@dataclass(slots=True)
class Tree:
    """The files that FreeSWITCH reads, in the order of their first use.

    ``patterns`` are all globs, absolute, with the file in which they stand; ``variables`` what is
    ``set`` there; ``included`` are the files that a file includes.
    """

    conf: Path
    texts: dict[Path, str] = field(default_factory=dict)
    patterns: list[tuple[str, Path]] = field(default_factory=list)
    included: dict[Path, list[Path]] = field(default_factory=dict)
    variables: dict[str, str] = field(default_factory=dict)

    def reaches(self, path: Path) -> bool:
        """Whether a file of that name would be read."""
        folder, name = os.path.split(os.path.normpath(path))
        for pattern, _ in self.patterns:
            where, what = os.path.split(os.path.normpath(pattern))
            if fnmatch.fnmatch(folder, where) and fnmatch.fnmatchcase(name, what):
                return True
        return False

    def below(self, path: Path) -> list[Path]:
        """The file and all that it includes, directly or not."""
        found = [path]
        for each in found:
            found += [more for more in self.included.get(each, []) if more not in found]
        return [each for each in found if each in self.texts]

    def configuring(self, name: str) -> list[Path]:
        """The files that make up ``<configuration name="…">``."""
        for path, text in self.texts.items():
            if f'name="{name}"' in text and any(
                tag.name == "configuration" and tag.attributes.get("name") == name
                for tag in xml_text.tags(text)
            ):
                return self.below(path)
        return []

    def expanded(self, text: str) -> str:
        """The text with the values of ``$${…}``, where they are set in these files."""
        for _ in range(5):
            text = re.sub(r"\$\$\{(\w+)\}", lambda m: self.variables.get(m[1], m[0]), text)
        return text


def read(conf: Path) -> Tree:
    """Read all files that FreeSWITCH would read. Raises OSError for ``freeswitch.xml`` only."""
    tree = Tree(conf, variables={"conf_dir": str(conf), "base_dir": str(conf.parent)})
    tree.texts[conf / FIRST] = xml_text.decoded((conf / FIRST).read_bytes())
    _follow(tree, conf / FIRST)
    return tree


def _follow(tree: Tree, path: Path) -> None:
    text = tree.texts[path]
    for name, value in _SET.findall(text):
        tree.variables.setdefault(name.strip(), value.strip())
    for include in xml_text.includes(text):
        pattern = os.path.join(path.parent, tree.expanded(include.pattern))
        tree.patterns.append((pattern, path))
        for found in sorted(glob.glob(pattern)):
            each = Path(os.path.normpath(found))
            tree.included.setdefault(path, []).append(each)
            if each in tree.texts or len(tree.texts) > _MANY:
                continue
            try:
                tree.texts[each] = xml_text.decoded(each.read_bytes())
            except OSError:
                continue
            _follow(tree, each)
