"""Splitting arguments as FreeSWITCH does: quotes and backslashes are interpreted."""

from __future__ import annotations

import re
from functools import lru_cache

_LEADING_NUMBER = re.compile(r"\s*([+-]?\d+)")
_ESCAPES = {"'": "'", '"': '"', "\\": "\\", "n": "\n", "r": "\r", "t": "\t", "s": " "}


def separate(text: str, limit: int, delimiter: str = " ") -> list[str]:
    """``switch_separate_string``: at most ``limit`` words, the last one whole.

    Single quotes protect blanks, and ``\\' \\" \\\\ \\n \\r \\t \\s`` stand for one character each
    (``\\s`` for a blank); blanks around a word go.
    """
    return list(_separated(text, limit, delimiter))


@lru_cache(maxsize=8192)
def _separated(text: str, limit: int, delimiter: str) -> tuple[str, ...]:
    if delimiter != " ":
        return tuple(_clean(word, delimiter) for word in _parts(text, limit, delimiter))
    words: list[str] = []
    position = 0
    while position < len(text):
        if len(words) == limit - 1:
            words.append(text[position:])
            break
        end = _word_end(text, position)
        words.append(text[position:end])
        position = end
        while position < len(text) and text[position] == " ":
            position += 1
    return tuple(_clean(word) for word in words)


def leading_number(text: str) -> int:
    """``atoi``: the number that a text begins with, or 0."""
    match = _LEADING_NUMBER.match(text)
    return int(match.group(1)) if match else 0


def _parts(text: str, limit: int, delimiter: str) -> list[str]:
    """Cut at the delimiter, but not inside quotes nor behind a backslash."""
    parts: list[str] = []
    quoted, position, start = False, 0, 0
    while position < len(text) and len(parts) < limit - 1:
        char = text[position]
        if char == "\\":
            position += 1
        elif char == "'" and (quoted or "'" in text[position + 1 :]):
            quoted = not quoted
        elif char == delimiter and not quoted:
            parts.append(text[start:position])
            start = position + 1
        position += 1
    return [*parts, text[start:]]


def _word_end(text: str, position: int) -> int:
    quoted = False
    while position < len(text) and text[position] == " ":
        position += 1
    while position < len(text):
        char = text[position]
        if char == "\\":
            position += 1
        elif char == "'":
            quoted = not quoted
        elif char == " " and not quoted:
            break
        position += 1
    return min(position, len(text))


def _clean(word: str, delimiter: str = "") -> str:
    """``cleanup_separated_string``; ``end`` marks what trailing blanks are cut behind."""
    out: list[str] = []
    end = position = 0
    quoted = False
    word = word.lstrip(" ")
    if "\\" not in word and "'" not in word:
        return word.rstrip(" ")
    while position < len(word):
        char, following = word[position], word[position + 1 : position + 2]
        if char == "\\" and following and (following in _ESCAPES or following == delimiter):
            out.append(_ESCAPES.get(following, following))
            position += 1
            end = len(out)
        elif char == "'" and (quoted or "'" in word[position + 1 :]):
            quoted = not quoted
            if quoted:
                end = len(out)
        else:
            out.append(char)
            if char != " " or quoted:
                end = len(out)
        position += 1
    return "".join(out[:end]) if end else "".join(out)
