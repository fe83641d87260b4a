"""FreeSWITCH's XML as text: where a line belongs, and what stands there already. Pure.

A file is never parsed and written again: a line goes in, and the same line comes out. Files are
read byte by byte as Latin-1, whatever their encoding is: all that counts here is ASCII in UTF-8
and in every ISO 8859.

FreeSWITCH's preprocessor (``preprocess`` in switch_xml.c) works line by line, before any XML is
parsed: of a line with ``<X-PRE-PROCESS`` everything else is lost, and a comment does not hide it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

_TOKEN = re.compile(
    r"""<!--.*?(?:-->|\Z)|<!\[CDATA\[.*?(?:\]\]>|\Z)|<\?.*?(?:\?>|\Z)
    |<(?P<close>/?)(?P<name>[A-Za-z_][\w.:-]*)(?P<rest>(?:[^<>"']|"[^"]*"|'[^']*')*)>""",
    re.DOTALL | re.VERBOSE,
)
_ATTRIBUTE = re.compile(r"""([\w.:-]+)\s*=\s*(?:"([^"]*)"|'([^']*)')""")
_INCLUDE = re.compile(
    r"""<X-pre-process\b[^\n]*?\bcmd\s*=\s*"include"[^\n]*?\bdata\s*=\s*"([^"\n]*)\"""",
    re.IGNORECASE,
)


def decoded(content: bytes) -> str:
    """A file's bytes as characters, one each."""
    return content.decode("latin-1")


def encoded(text: str) -> bytes:
    """The bytes again."""
    return text.encode("latin-1")


@dataclass(frozen=True, slots=True)
class Tag:
    """One tag of a text that is no comment: from ``start`` to ``end``."""

    name: str
    start: int
    end: int
    closes: bool
    empty: bool
    attributes: dict[str, str]


@dataclass(frozen=True, slots=True)
class Include:
    """A line that includes other files, as FreeSWITCH takes it: ``pattern`` as written there."""

    pattern: str
    start: int


@dataclass(frozen=True, slots=True)
class Place:
    """Where a line belongs. ``at``: in front of that character; None: nowhere, for ``problem``.

    ``there``: such a line is there already.
    """

    at: int | None
    there: bool = False
    problem: str = ""


def tags(text: str) -> Iterator[Tag]:
    """Return all tags, in their order."""
    for match in _TOKEN.finditer(text):
        if match["name"]:
            rest = match["rest"]
            found = {name: one or other for name, one, other in _ATTRIBUTE.findall(rest)}
            yield Tag(
                match["name"],
                match.start(),
                match.end(),
                bool(match["close"]),
                rest.rstrip().endswith("/"),
                found,
            )


def includes(text: str) -> list[Include]:
    """Return what FreeSWITCH includes, commented out or not."""
    return [Include(match[1], match.start()) for match in _INCLUDE.finditer(text)]


def line_including(file: str) -> str:
    """Return the line that includes ``file``."""
    return f'<X-PRE-PROCESS cmd="include" data="{file}"/>'


def profiles(text: str) -> list[str]:
    """Return the names of the sofia profiles that the text has."""
    return [
        tag.attributes.get("name", "")
        for tag, parents in _opened(text)
        if tag.name == "profile" and _of_sofia(parents)
    ]


def parameters(text: str, configuration: str) -> list[Tag]:
    """Return the tags of what the text says in ``<configuration name="…">``."""
    return [
        tag
        for tag, parents in _opened(text)
        if any(
            p.name == "configuration" and p.attributes.get("name") == configuration for p in parents
        )
    ]


def place_in_profile(text: str, profile: str, file: str) -> Place:
    """Return where a line that includes ``file`` belongs: last in the profile's ``<settings>``.

    FreeSWITCH reads the first ``<settings>`` of a profile (``switch_xml_child``) and, of profiles
    with the same name, the first.
    """
    try:
        for tag, parents in _opened(text):
            if tag.name != "settings" or not parents or not _of_sofia(parents[:-1]):
                continue
            owner = parents[-1]
            if owner.name == "profile" and owner.attributes.get("name") == profile:
                if tag.empty:
                    return Place(None, problem="<settings/> is empty there")
                return _before(text, tag.end, _end_of(text, tag), file)
    except ValueError as error:
        return Place(None, problem=str(error))
    return Place(None, problem="it has no <settings> there")


def _opened(text: str) -> Iterator[tuple[Tag, list[Tag]]]:
    """All tags that begin an element, with those around it. Raises ValueError: a wrong end."""
    parents: list[Tag] = []
    for tag in tags(text):
        if tag.name.lower() == "x-pre-process":
            continue
        if tag.closes:
            if not parents or parents.pop().name != tag.name:
                raise ValueError(f"</{tag.name}> has no beginning there")
            continue
        yield tag, [*parents]
        if not tag.empty:
            parents.append(tag)


def _of_sofia(parents: list[Tag]) -> bool:
    """Whether what has these parents is, or is included by, sofia's configuration."""
    names = [tag.attributes.get("name") for tag in parents if tag.name == "configuration"]
    return names in ([], ["sofia.conf"])


def _end_of(text: str, begun: Tag) -> int:
    depth = 0
    for tag in tags(text):
        if tag.start >= begun.start and tag.name == begun.name and not tag.empty:
            depth += -1 if tag.closes else 1
            if not depth:
                return tag.start
    raise ValueError(f"<{begun.name}> has no end there")


def place_in_document(text: str, file: str) -> Place:
    """Return where a line that includes ``file`` belongs: last in ``<document>``."""
    found = [tag for tag in tags(text) if tag.name == "document"]
    begun = [tag for tag in found if not tag.closes]
    ended = [tag for tag in found if tag.closes]
    if len(begun) != 1 or len(ended) != 1:
        return Place(None, problem="there is no <document> with an end")
    return _before(text, begun[0].end, ended[0].start, file)


def _before(text: str, first: int, last: int, file: str) -> Place:
    """``last``, if nothing between the two includes ``file`` yet."""
    name = file.rpartition("/")[2]
    for include in includes(text):
        if include.pattern.rpartition("/")[2] == name and first <= include.start < last:
            if _in_comment(text, include.start):
                return Place(None, problem=f"a comment holds a line that includes {file}")
            return Place(last, there=True)
    return Place(last)


def _in_comment(text: str, start: int) -> bool:
    """Whether a comment of several lines is around: FreeSWITCH reads the file into it."""
    for match in _TOKEN.finditer(text):
        if match.start() <= start < match.end() and match[0].startswith("<!--"):
            return "\n" in match[0]
    return False


def insertion(text: str, at: int, line: str) -> tuple[int, str]:
    """Return where to insert what, so that ``line`` stands alone in front of character ``at``."""
    begin = text.rfind("\n", 0, at) + 1
    prefix = text[begin:at]
    end = "\r\n" if _eol(text, begin) == "\r\n" else "\n"
    if prefix.strip():
        return at, end + line + end
    return begin, _indent_of_neighbour(text, begin, prefix) + line + end


def _eol(text: str, begin: int) -> str:
    at = text.rfind("\n", 0, begin)
    at = text.find("\n") if at < 0 else at
    return "\r\n" if at > 0 and text[at - 1] == "\r" else "\n"


def _indent_of_neighbour(text: str, begin: int, closing: str) -> str:
    """As deep as the line in front, if that is deeper than the closing tag."""
    lines = [line for line in text[:begin].splitlines()[-20:] if line.strip()]
    before = lines[-1] if lines else ""
    indent = before[: len(before) - len(before.lstrip(" \t"))]
    deeper = indent.startswith(closing) and len(indent) > len(closing)
    return indent if deeper else closing + ("\t" if closing.endswith("\t") else "  ")


def without_all(text: str, inserted: Sequence[str]) -> str:
    """Return the text without what was inserted, also where its neighbours have changed."""
    for each in inserted:
        if text.count(each) == 1:
            text = text.replace(each, "")
        else:
            line = r"^[ \t]*" + re.escape(each.strip()) + r"[ \t]*\r?(?:\n|\Z)"
            text = re.sub(line, "", text, count=1, flags=re.MULTILINE)
    return text
