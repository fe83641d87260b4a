"""What is secret in a SIP message, replaced before anybody keeps it; its length stays as it was.

Answers to a digest challenge and other credentials, the text of MESSAGE, keys of SRTP (RFC 4568),
passwords in URIs and of ICE, and digits that are sent as INFO or KPML: those are PINs.
"""

from __future__ import annotations

import re
from typing import Final

_END_OF_HEAD: Final = re.compile(rb"\r?\n\r?\n")
_CREDENTIALS: Final = re.compile(
    rb"(\n(?:proxy-)?authorization[ \t]*:[ \t]*(?:\r?\n[ \t]+)?)([^\r\n]*(?:\r?\n[ \t][^\r\n]*)*)",
    re.IGNORECASE,
)
_DIGEST: Final = re.compile(rb"digest\b", re.IGNORECASE)
_SCHEME: Final = re.compile(rb"[^\s,=]+[ \t\r\n]+")
_ANSWERS: Final = re.compile(
    rb"(\b(?:response|cnonce|rspauth)[ \t\r\n]*=[ \t\r\n]*)(\"[^\"]*\"?|[^\s,;]+)", re.IGNORECASE
)
_ANSWERED: Final = re.compile(
    rb"(\n(?:proxy-)?authentication-info[ \t]*:)([^\r\n]*(?:\r?\n[ \t][^\r\n]*)*)", re.IGNORECASE
)
_IN_URI: Final = re.compile(rb"(sips?:[^@:>\s\"]{1,256}:)([^@>\s\"]{1,256})(?=@|\Z)", re.IGNORECASE)
_EMBEDDED: Final = re.compile(rb"([?&](?:proxy-)?authorization=)([^&>\s\"]+)", re.IGNORECASE)
_CRYPTO: Final = re.compile(rb"^a=crypto:[^\r\n]+", re.IGNORECASE | re.MULTILINE)
_INLINE: Final = re.compile(rb"(inline:)([^\s;]+)", re.IGNORECASE)
_KEYS: Final = re.compile(rb"^(a=ice-pwd:|a=key-mgmt:|k=)([^\r\n]+)", re.IGNORECASE | re.MULTILINE)
_METHOD: Final = re.compile(rb"\ncseq[ \t]*:[ \t]*[0-9]+[ \t]+([^\s]+)", re.IGNORECASE)
_CONTENT_TYPE: Final = re.compile(rb"\n(?:content-type|c)[ \t]*:[ \t]*([^\r\n]*)", re.IGNORECASE)
_SIGNAL: Final = re.compile(rb"^([ \t]*(?:signal|d|digits?)[ \t]*=[ \t]*)([^\r\n]+)", re.I | re.M)
_PRESSED: Final = re.compile(rb"(\bdigits[ \t]*=[ \t]*)(\"[^\"]*\"?|'[^']*'?)", re.IGNORECASE)
_HIDDEN: Final = bytes(each if each in b'\r\n"' else ord("x") for each in range(256))


def mask(text: bytes) -> bytes:
    """Return the message without its secrets, however much there is of it. Never raises."""
    end = _END_OF_HEAD.search(text)
    head, body = (text[: end.end()], text[end.end() :]) if end else (text, b"")
    head = _CREDENTIALS.sub(_credentials, head)
    head = _ANSWERED.sub(lambda found: found[1] + _ANSWERS.sub(_second, found[2]), head)
    head = _IN_URI.sub(_second, _EMBEDDED.sub(_second, head))
    if not body:
        return head
    method = _found(_METHOD, head) or head.partition(b" ")[0].lower()
    if method == b"message" or head[:8].lower() == b"message ":
        return head + _hidden(body)
    body = _CRYPTO.sub(lambda found: _INLINE.sub(_second, found[0]), body)
    body = _KEYS.sub(_second, body)
    body = _IN_URI.sub(_second, body)
    kind = _found(_CONTENT_TYPE, head)
    if b"dtmf" in kind or b"digits" in kind or b"telephone-event" in kind:
        body = _SIGNAL.sub(_second, body) if _SIGNAL.search(body) else _hidden(body)
    elif b"kpml" in kind:
        body = _PRESSED.sub(_second, body)
    return head + body


def _credentials(found: re.Match[bytes]) -> bytes:
    before, value = found[1], found[2]
    if _DIGEST.match(value):
        return before + _ANSWERS.sub(_second, value)
    scheme = _SCHEME.match(value)
    at = scheme.end() if scheme else 0
    return before + value[:at] + _hidden(value[at:])


def _second(found: re.Match[bytes]) -> bytes:
    return found[1] + _hidden(found[2])


def _hidden(secret: bytes) -> bytes:
    return secret.translate(_HIDDEN)


def _found(pattern: re.Pattern[bytes], text: bytes) -> bytes:
    found = pattern.search(text)
    return found[1].lower() if found else b""
