"""As much of SIP as the bench's phones need, on bytes: what costs little, and no more."""

from __future__ import annotations

_END = b"\r\n\r\n"


class Message:
    """One message as it came; its headers are looked for when they are asked for.

    ``status``: of a response, 0 of a request. ``method``: of a request, or of the request that the
    response is about.
    """

    __slots__ = ("body", "head", "method", "status")

    def __init__(self, datagram: bytes) -> None:
        """Raises ValueError for what is no SIP message."""
        self.head, _, self.body = datagram.partition(_END)
        first, _, rest = self.head.partition(b" ")
        if first == b"SIP/2.0":
            self.status = int(rest[:3])
            self.method = self.header(b"CSeq").partition(b" ")[2]
        else:
            self.status = 0
            self.method = first

    def header(self, name: bytes) -> bytes:
        """The value of the first header of that name, as FreeSWITCH spells it; empty: none."""
        start = self.head.find(b"\r\n" + name + b": ")
        if start < 0:
            return b""
        start += len(name) + 4
        end = self.head.find(b"\r\n", start)
        return self.head[start : end if end >= 0 else None]

    def vias(self) -> bytes:
        """All its Via lines, which a response repeats."""
        lines = self.head.split(b"\r\n")
        return b"".join(line + b"\r\n" for line in lines if line.startswith(b"Via: "))


def uri(value: bytes) -> bytes:
    """The URI of a header like From or Contact."""
    _, found, rest = value.partition(b"<")
    return rest.partition(b">")[0] if found else value.partition(b";")[0]


def user(value: bytes) -> str:
    """The user part of the URI of such a header."""
    return uri(value).partition(b":")[2].partition(b"@")[0].decode()


def response(
    request: Message, line: bytes, tag: bytes, more: bytes = b"", body: bytes = b""
) -> bytes:
    """A response to it; ``tag`` is ours, for a request that has none in To; ``more`` are lines."""
    to = request.header(b"To")
    if tag and b";tag=" not in to:
        to += b";tag=" + tag
    return b"".join(
        (
            b"SIP/2.0 %b\r\n" % line,
            request.vias(),
            b"From: %b\r\nTo: %b\r\n" % (request.header(b"From"), to),
            b"Call-ID: %b\r\n" % request.header(b"Call-ID"),
            b"CSeq: %b\r\n" % request.header(b"CSeq"),
            more,
            b"Content-Length: %d\r\n\r\n" % len(body),
            body,
        )
    )


def sdp(port: int) -> bytes:
    """An offer, or an answer, of PCMU at that port."""
    return (
        b"v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
        b"m=audio %d RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\n" % port
    )
