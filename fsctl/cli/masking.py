"""What must not leave the house is taken out of a text. Pure."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import fields, is_dataclass
from typing import Any, Final
from urllib.parse import quote, unquote, urlsplit
from xml.sax.saxutils import escape, quoteattr

HIDDEN: Final = "***"
_LEAST: Final = 4
"""A secret that is shorter would be found in anything."""
_PARTY: Final = 3
"""As that, of a number or a name."""
_NAMED: Final = re.compile(
    r"(?i)((?:password|passwd|secret|token|passphrase|api[-_]?key)"
    r"[\"']?\s*[:=]\s*)(\"[^\"\n]*\"|'[^'\n]*'|[^\s,;}\"']+)"
)
_PARAM: Final = re.compile(
    r"(?i)(name=[\"'][\w-]*(?:password|secret|token)[\"']\s+value=[\"'])[^\"'\n]*"
)
_SETTING: Final = re.compile(
    r"(?im)^[ \t]*[\w.-]*(?:password|secret|token|database)\w*\s*=\s*[\[\s]*[\"']([^\"'\n]*)"
)
_AUTHORIZATION: Final = re.compile(r"(?i)\b((?:proxy-)?authorization|cookie)(\s*[:=]\s*).*")
_BEARER: Final = re.compile(r"(?i)\b(bearer|basic)\s+[A-Za-z0-9+/=._~-]{8,}")
_USERINFO: Final = re.compile(r"([a-z0-9+.-]://)[^\s/@\"']*@")
_HOOK: Final = re.compile(r"whsec_[A-Za-z0-9+/=]+")
_KEYS: Final = re.compile(r"(a=crypto:|a=ice-pwd:|k=)[^\r\n]*")
_AUTH: Final = re.compile(r"(?m)^(auth )\S+")
_SIP_USER: Final = re.compile(r"(?i)\b(sips?:|tel:)([^@<>\s;?\"']+)(@|(?=[;>\s?\"',)]|$))")
_QUOTE: Final = re.compile(r"(?<!\\)(\\*)\"")
_NAME_ENDS: Final = re.compile(_QUOTE.pattern + r"(?=\s*<(?:sips?|tel):)", re.IGNORECASE)
_NAME: Final = 1024
"""Characters of a display name, at most."""
_UNQUOTED: Final = re.compile(r"([\"'])[^\"'\\\n<>]{1,128}(?=<(?:sips?|tel):)", re.IGNORECASE)
"""A display name without quotes of its own, at the beginning of a value."""
_LONG: Final = re.compile(r"(?<![\w.:/-])\+?[0-9]{7,15}(?![\w.:-])")
_OF_CALL: Final = re.compile(r"(<Call \S+ \w+ |> calls )([^\s>]+)")
_WORD: Final = r"(?<![0-9A-Za-z.:+-]){}(?![0-9A-Za-z:-])"
_PLAIN: Final = r"\+?[0-9A-Za-z*#_]+"
_ONE_WORD: Final = re.compile(_WORD.format(_PLAIN))


def secrets_of(settings: Any) -> Iterator[str]:
    """Yield all that settings hold and do not show, in each form in which it may be written."""
    if isinstance(settings, list | tuple):
        for each in settings:
            yield from secrets_of(each)
    elif is_dataclass(settings):
        for field in fields(settings):
            value = getattr(settings, field.name)
            if field.repr:
                yield from secrets_of(value)
            else:
                for each in value if isinstance(value, tuple) else (value,):
                    yield from forms(each)


def secrets_in(text: str) -> Iterator[str]:
    """Yield what looks as if it were one in a file of settings that cannot be read as such."""
    for found in _SETTING.finditer(text):
        yield from forms(found[1])


def forms(secret: str | bytes) -> Iterator[str]:
    """Yield each form in which a secret may be written."""
    if isinstance(secret, bytes):
        yield base64.b64encode(secret).decode()
        yield base64.urlsafe_b64encode(secret).decode()
        yield secret.hex()
        return
    yield from (secret, json.dumps(secret)[1:-1], repr(secret)[1:-1], escape(secret))
    yield secret.removeprefix("whsec_")
    yield from (quoteattr(secret)[1:-1], escape(secret, {'"': "&#34;", "'": "&#39;"}))
    if "://" in secret and (password := urlsplit(secret).password):
        yield from (password, unquote(password))
    yield quote(secret, safe="")


class Mask:
    """Hides what it was given, and what looks as if it were a secret; numbers and names besides,
    unless they are to be shown."""

    def __init__(self, secrets: Iterable[str], *, numbers: bool = False) -> None:
        """``numbers``: these, and names, are shown."""
        known = sorted({each for each in secrets if len(each) >= _LEAST}, key=len, reverse=True)
        self._secrets = re.compile("|".join(map(re.escape, known))) if known else None
        self._shows = numbers
        self._names: dict[str, str] = {}
        """By what each number and name is replaced: the same everywhere, to be followed."""

    def know(self, parties: Iterable[str]) -> None:
        """These are numbers or names of somebody."""
        for party in parties:
            if len(party) >= _PARTY and not self._shows:
                self._named(party)

    def __call__(self, text: str, *, code: bool = False) -> str:
        """Return the text without them; ``code``: what it has of SIP are patterns."""
        text = _NAMED.sub(lambda found: found[1] + HIDDEN, text)
        text = _PARAM.sub(rf"\1{HIDDEN}", text)
        text = _AUTHORIZATION.sub(rf"\1\2{HIDDEN}", text)
        text = _BEARER.sub(rf"\1 {HIDDEN}", text)
        text = _USERINFO.sub(rf"\1{HIDDEN}@", text)
        text = _HOOK.sub(HIDDEN, text)
        text = _KEYS.sub(rf"\1{HIDDEN}", text)
        text = _AUTH.sub(rf"\1{HIDDEN}", text)
        if self._secrets is not None:
            text = self._secrets.sub(HIDDEN, text)
        if self._shows:
            return text
        if not code:
            text = _UNQUOTED.sub(r"\1", _without_display_names(text))
            text = _SIP_USER.sub(self._of_uri, text)
            text = _OF_CALL.sub(lambda found: found[1] + self._named(found[2]), text)
        return self._without_parties(text)

    def _without_parties(self, text: str) -> str:
        text = _LONG.sub(lambda found: self._named(found[0]), text)
        text = _ONE_WORD.sub(lambda found: self._names.get(found[0], found[0]), text)
        for party in sorted(self._names, key=len, reverse=True):
            if party in text and not re.fullmatch(_PLAIN, party):
                text = re.sub(_WORD.format(re.escape(party)), self._names[party], text)
        return text

    def _of_uri(self, found: re.Match[str]) -> str:
        """One without a user has its host there."""
        _, user, at = found.groups()
        is_host = not at and re.search("[A-Za-z]", user) is not None
        return found[0] if is_host else found[1] + self._named(user) + at

    def _named(self, party: str) -> str:
        if party == "-" or re.fullmatch(r"n-[0-9]+", party):
            return party
        return self._names.setdefault(party, f"n-{len(self._names) + 1}")


def _without_display_names(text: str) -> str:
    """Return it without the quoted names before URIs, however often somebody has escaped them: the
    quotes within a name have more backslashes than the one at its end, the first one has not."""
    kept, at = [], 0
    for end in _NAME_ENDS.finditer(text):
        low = max(at, end.start() - _NAME)
        low = max(low, text.rfind("\n", low, end.start()) + 1)
        quotes = list(_QUOTE.finditer(text, low, end.start()))
        # Where there is no such one the name itself has what looks like an end: rather too much.
        first = [each for each in quotes if len(each[1]) <= len(end[1])][-1:] or quotes[:1]
        if first:
            kept.append(text[at : first[0].start()])
            at = end.end()
    return "".join(kept) + text[at:]
