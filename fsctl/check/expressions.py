"""Regular expressions of a dialplan: whether a number matches, and numbers that do (pure).

FreeSWITCH's are PCRE; what Python might read otherwise, or take very long for, matches perhaps.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib import import_module
from itertools import islice, product
from typing import Any, Final

_parser: Final[Any] = import_module("re._parser")
_LONGEST: Final = 512
_OTHERWISE: Final = ("[[:", "(?R", "(?&", "\\K", "\\h", "(*")
"""What only PCRE knows."""
_SAMPLES: Final = 48
_SOME: Final = 6
_DIGITS: Final = "0123456789"


def compiled(expression: str) -> re.Pattern[str] | None:
    """Return the expression as FreeSWITCH takes it (switch_regex.c); None: it cannot be said."""
    flags = re.ASCII
    if expression.startswith("/"):
        expression, slash, options = expression[1:].rpartition("/")
        if not slash or options.strip("is"):
            return None
        flags |= (re.IGNORECASE if "i" in options else 0) | (re.DOTALL if "s" in options else 0)
    foreign = expression.startswith("_") or any(part in expression for part in _OTHERWISE)
    if foreign or len(expression) > _LONGEST:
        return None
    try:
        if _endless(_parser.parse(expression)):
            return None
        return re.compile(expression, flags)
    except (re.error, OverflowError, RecursionError):
        return None


def matches(expression: str, text: str) -> bool | None:
    """Whether it matches; None: it cannot be said."""
    pattern = compiled(expression)
    return None if pattern is None else pattern.search(text) is not None


def _endless(tree: Any, inside: bool = False) -> bool:
    """Whether a repetition without end holds another: that may take for ever."""
    for operator, argument in tree:
        repeats = str(operator) in ("MAX_REPEAT", "MIN_REPEAT", "POSSESSIVE_REPEAT")
        endless = repeats and int(argument[1]) > _LONGEST
        if endless and inside:
            return True
        if any(_endless(each, inside or endless) for each in _trees(argument)):
            return True
    return False


def _trees(argument: Any) -> Iterator[Any]:
    """The expressions that an operator's argument holds."""
    if isinstance(argument, _parser.SubPattern):
        yield argument
    elif isinstance(argument, tuple | list):
        for each in argument:
            yield from _trees(each)


def samples(expression: str) -> list[str]:
    """Return some texts that the whole expression matches, of different lengths; maybe none."""
    pattern = compiled(expression)
    if pattern is None:
        return []
    made = islice(_texts(_parser.parse(expression)), 8 * _SAMPLES)
    return [text for text in dict.fromkeys(made) if text and pattern.fullmatch(text)][:_SAMPLES]


def _texts(tree: Any) -> Iterator[str]:
    parts = [list(islice(_one(str(operator), argument), _SOME)) for operator, argument in tree]
    # The last part varies first; all parts vary together as well, so that no part is left out.
    for number in range(_SOME):
        yield "".join(each[min(number, len(each) - 1)] if each else "" for each in parts)
    for chosen in product(*(each or [""] for each in parts)):
        yield "".join(chosen)


def _one(operator: str, argument: Any) -> Iterator[str]:
    """Some texts for one operator of the expression; what has no text of its own has none."""
    if operator == "LITERAL":
        yield chr(argument)
    elif operator == "ANY":
        yield from "01"
    elif operator == "IN":
        yield from _of_set(argument)
    elif operator == "CATEGORY":
        yield from _DIGITS
    elif operator == "SUBPATTERN":
        yield from _texts(argument[-1])
    elif operator == "BRANCH":
        for branch in argument[1]:
            yield from islice(_texts(branch), 3)
    elif operator in ("MAX_REPEAT", "MIN_REPEAT"):
        least, most, inner = argument
        for count in sorted({least, min(least + 1, most), min(least + 3, most), min(4, most)}):
            if count >= least:
                yield from islice(_repeated(inner, int(count)), 3)


def _repeated(inner: Any, count: int) -> Iterator[str]:
    for text in islice(_texts(inner), _SOME):
        yield text * min(count, 64)


def _of_set(items: Any) -> Iterator[str]:
    for operator, argument in items:
        if str(operator) == "LITERAL":
            yield chr(argument)
        elif str(operator) == "RANGE":
            first, last = argument
            yield from (chr(first), chr(last), chr((first + last) // 2))
        elif str(operator) == "CATEGORY":
            yield from ("1", "0", "9")
