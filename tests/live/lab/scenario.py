"""SIPp scenarios for the laboratory's phones, generated.

A SIPp scenario is a straight script; a phone is not. So each scenario here is a few *hubs*: places
where every message that may come next is an optional ``<recv>`` with a branch of its own, which
leads back to a hub. Order therefore does not matter (a NOTIFY before or after a BYE, a re-INVITE at
any time), and a phone never gets stuck.

Tests drive a phone by *commands*: datagrams with the call's own Call-ID and a method that no SIP
peer uses (``LAB-refer``), which a hub receives like any other message. A command's body carries
what to send (the header lines of a REFER, a status line). The switch never sees a command.
"""

from __future__ import annotations

from collections.abc import Sequence

from fsctl.story import Headers
from tests.live.lab.sipp_script import PAYLOADS, Script
from tests.live.lab.steps import (
    REFUSALS,
    Answer,
    Early,
    Pause,
    PhoneIdentity,
    Refuse,
    Require,
    Ring,
    Step,
)

# every final failure that a switch sends in practice; SIPp has no wildcard for responses
_FAILURES = (
    *(300, 301, 302, 305, 380, 400, 401, 402, 403, 404, 405, 406, 407, 408, 410, 412, 413, 414),
    *(415, 416, 420, 421, 422, 423, 429, 480, 481, 482, 483, 484, 485, 486, 487, 488, 489, 491),
    *(493, 494, 500, 501, 502, 503, 504, 505, 513, 580, 600, 603, 604, 606, 607, 608),
)


def _match(header: str, variable: str, pattern: str = ".*") -> str:
    return f'<ereg regexp="{pattern}" search_in="hdr" header="{header}" assign_to="{variable}"/>'


def _body(variable: str, pattern: str = ".*") -> str:
    return f'<ereg regexp="{pattern}" search_in="body" assign_to="{variable}"/>'


def _set(variable: str, value: str) -> str:
    return f'<assignstr assign_to="{variable}" value="{value}"/>'


def _clear(variable: str) -> str:
    """A pattern that does not match leaves the variable as it was: unset it first."""
    return f'<assign assign_to="{variable}" value="0"/>'


_CONTACT = _match("Contact:", "whole,target", "&lt;([^&gt;]*)&gt;")
_ACKED = _match("CSeq:", "acked", "[0-9]+")
_OF_INVITE = (_ACKED, _clear("of_invite"), _match("CSeq:", "of_invite", "INVITE"))
_PEER_HOLDS = (_clear("peer_holds"), _body("peer_holds", "a=(sendonly|inactive)"))


# -- hubs


def _ringing_hub(script: Script, name: str, pause: Pause | None = None, then: str = "") -> None:
    """A callee before its final response. Its commands: ring, early, answer, a refusal's status."""
    script.label(name)
    start = len(script.lines)
    script.receive("CANCEL", f"{name}_cancel")
    if pause:
        timer = f' timeout="{pause.ms}" ontimeout="{then}">'
        script.lines[start] = script.lines[start].replace(">", timer, 1)
    script.receive("INVITE")
    script.receive("LAB-ring", f"{name}_ring")
    script.receive("LAB-early", f"{name}_early")
    script.receive("LAB-answer", "answer")
    script.receive("LAB-refer", f"{name}_refer", [_body("lines")])
    for method in ("NOTIFY", "ACK"):
        script.receive(method, f"{name}_ok" if method == "NOTIFY" else "")
    for status in ("100", "202", "403", "481", "500", "603"):
        script.receive(status)
    for status in REFUSALS:
        script.receive(f"LAB-{status}", f"refuse_{status}", [_body("lines")])
    script.close_hub()


def _ringing_blocks(script: Script, name: str) -> None:
    """What that hub branches to. They stand before it: SIPp takes a response for one to what it
    has sent only where it waits further down, and would repeat a request for ever."""
    for command in ("ring", "early"):
        script.label(f"{name}_{command}")
        _provisional(script, command == "early", name)
    script.label(f"{name}_refer")
    script.request("REFER", name, ("[$lines]",))
    script.label(f"{name}_ok")
    script.response("200 OK", name)
    script.label(f"{name}_cancel")
    script.response("200 OK")
    script.invite_response("487 Request Terminated", "ended")


def _refusals(script: Script) -> None:
    """One block a status, for SIPp wants to know the status; phrase and headers are free."""
    for status in REFUSALS:
        script.label(f"refuse_{status}")
        script.invite_response(f"{status} [$lines]", "ended")


def _provisional(script: Script, early: bool, then: str = "", at_once: bool = False) -> None:
    if early:
        script.invite_response("183 Session Progress", then, sdp="[$direction]", at_once=at_once)
    else:
        script.invite_response("180 Ringing", then, at_once=at_once)


def _talking_blocks(script: Script) -> None:
    """What the hub of an established call branches to."""
    script.label("ok")
    script.response("200 OK", "talking")
    script.label("bye_received")
    script.response("200 OK", "ended")
    script.label("reinvite_received")
    script.go("held_by_peer", test="peer_holds")
    script.response("200 OK", "talking", sdp="[$direction]")
    script.label("held_by_peer")
    script.response("200 OK", "talking", sdp="recvonly")
    script.label("refer")
    script.request("REFER", "talking", ("[$lines]",))
    script.label("referred")
    script.go("referred_and_refuses", test="refuse_refer")
    script.response("202 Accepted", "talking")
    script.label("referred_and_refuses")
    script.response("603 Decline", "talking")
    script.label("notified")
    script.go("notified_and_forgets", test="forget_refer")
    script.response("200 OK", "talking")
    script.label("notified_and_forgets")
    script.response("481 Subscription Does Not Exist", "talking")
    script.label("notify")
    script.notify("talking")
    script.label("bye")
    script.request("BYE", "ended")
    for command, direction in (("hold", "sendonly"), ("resume", "sendrecv")):
        script.label(command)
        script.request("INVITE", "talking", sdp=direction)
    script.label("ack")
    script.request("ACK", "talking")
    script.label("ack_failure")
    _ack_failure(script, "talking")


def _ack_failure(script: Script, then: str = "") -> None:
    """The ACK of a refused INVITE belongs to its transaction: same branch (RFC 3261 17.1.1.3)."""
    script.send(
        (
            "ACK [$target] SIP/2.0",
            "[last_Via:]",
            "[last_From:]",
            "[last_To:]",
            "Call-ID: [call_id]",
            "CSeq: [$acked] ACK",
            "Max-Forwards: 70",
            "Content-Length: 0",
        ),
        then,
    )


def _talking_hub(script: Script) -> None:
    """An established call. Its commands: refer, notify, refuse_refer, forget_refer, bye, hold,
    resume."""
    _talking_blocks(script)
    script.label("talking")
    script.receive("BYE", "bye_received")
    script.receive("INVITE", "reinvite_received", _PEER_HOLDS)
    script.receive("ACK")
    script.receive("NOTIFY", "notified")
    for method in ("OPTIONS", "INFO", "UPDATE", "MESSAGE", "CANCEL"):
        script.receive(method, "ok")
    script.receive("REFER", "referred")
    script.receive("LAB-forget_refer", actions=[_set("forget_refer", "1")])
    script.receive("LAB-refuse_refer", actions=[_set("refuse_refer", "1")])
    script.receive("LAB-notify", "notify", [_body("lines")])
    script.receive("LAB-refer", "refer", [_body("lines")])
    script.receive("LAB-bye", "bye")
    script.receive("LAB-hold", "hold", [_set("direction", "sendonly")])
    script.receive("LAB-resume", "resume", [_set("direction", "sendrecv")])
    for status in ("100", "180", "183", "202"):
        script.receive(status)
    script.receive("200", "ack", _OF_INVITE, test="of_invite")
    for failure in _FAILURES:
        script.receive(str(failure), "ack_failure", _OF_INVITE, test="of_invite")
    script.close_hub()


def _ended_hub(script: Script) -> None:
    """A call that is over: what still comes is answered as RFC 3261 12.2.2 says, by 481."""
    script.label("late_bye")
    script.response("200 OK", "ended")
    script.label("late")
    script.response("481 Call/Transaction Does Not Exist", "ended")
    script.label("ended")
    script.receive("BYE", "late_bye")
    for method in ("NOTIFY", "INVITE", "OPTIONS", "INFO", "UPDATE", "MESSAGE", "CANCEL", "REFER"):
        script.receive(method, "late")
    script.receive("ACK")
    for status in ("100", "180", "183", "200", "202"):
        script.receive(status)
    for failure in _FAILURES:
        script.receive(str(failure))
    script.close_hub()


# -- the two roles


def callee(phone: PhoneIdentity, steps: Sequence[Step]) -> str:
    """A phone that is called: ``steps`` first, then whatever the test commands."""
    script = Script(phone, f"[$inv_to];tag={phone.number}-[call_number]")
    stores = (
        _match("Via:", "inv_via"),
        _match("CSeq:", "inv_cseq"),
        _match("From:", "remote"),
        _match("To:", "inv_to"),
        _CONTACT,
        _set("direction", "sendrecv"),
    )
    offers = f"m=audio [0-9]+ [A-Z/]+( [0-9]+)* {PAYLOADS[phone.codec]}[^0-9]"
    stores = (*stores, _body("offers", offers))
    actions = "".join(f"\n      {store}" for store in stores)
    # what the switch tells a registered phone of its mailbox, in a dialog of its own
    script.receive("NOTIFY", "mailbox")
    script.add(
        f'  <recv request="INVITE" next="called" rrs="true"><action>{actions}\n    </action></recv>'
    )
    for number, step in enumerate(steps):
        if isinstance(step, Pause):
            _ringing_blocks(script, f"pause{number}")
    _ringing_blocks(script, "ringing")
    script.label("called")
    for number, step in enumerate(steps):
        at_once = not any(isinstance(before, Pause) for before in steps[:number])
        _callee_step(script, number, step, at_once)
    _ringing_hub(script, "ringing")
    _refusals(script)
    script.label("answer")
    script.invite_response("200 OK", "talking", sdp="[$direction]")
    _talking_hub(script)
    script.label("mailbox")
    script.response("200 OK", "ended")
    _ended_hub(script)
    return script.text()


def _callee_step(script: Script, number: int, step: Step, at_once: bool) -> None:
    match step:
        case Require():
            script.go("speaks", test="offers")
            script.invite_response("488 Not Acceptable Here", "ended", at_once=at_once)
            script.label("speaks")
        case Ring() | Early():
            _provisional(script, isinstance(step, Early), at_once=at_once)
        case Pause():
            _ringing_hub(script, f"pause{number}", step, f"resumed{number}")
            script.label(f"resumed{number}")
        case Answer(headers):
            lines = _lines(headers)
            script.invite_response("200 OK", "talking", lines, "[$direction]", at_once=at_once)
        case Refuse(status, phrase, headers):
            script.invite_response(f"{status} {phrase}", "ended", _lines(headers), at_once=at_once)


def caller(phone: PhoneIdentity) -> str:
    """A phone that calls ``phone.dial`` at once; then the test commands it."""
    script = Script(
        phone,
        f'"{phone.name}" <sip:{phone.number}@[local_ip]:[local_port]>'
        f";tag={phone.number}-[call_number]",
    )
    start = (("direction", "sendrecv"), ("target", phone.dial), ("remote", f"&lt;{phone.dial}&gt;"))
    actions = "".join(_set(variable, value) for variable, value in start)
    script.add(f"  <nop><action>{actions}</action></nop>")
    script.request("INVITE", "calling", _lines(phone.headers), "[$direction]", "invite")
    if phone.password:
        script.label("challenged")
        _ack_failure(script)
        credentials = f"[authentication username={phone.number} password={phone.password}]"
        again = (*_lines(phone.headers), credentials)
        script.request("INVITE", "calling", again, "[$direction]", "invite-again")
    script.label("cancel")
    last = "invite-again" if phone.password else "invite"
    script.request("CANCEL", "calling", branch=last)
    script.label("refused")
    _ack_failure(script, "ended")
    script.label("early_refer")
    script.request("REFER", "calling", ("[$lines]",))
    script.label("early_ok")
    script.response("200 OK", "calling")
    script.label("calling")
    for status in ("100", "181", "182", "202"):
        script.receive(status)
    for status in ("180", "183"):
        script.receive(status, actions=[_match("To:", "remote"), _CONTACT])
    for method in ("NOTIFY", "BYE"):
        script.receive(method, "early_ok")
    script.receive("LAB-refer", "early_refer", [_body("lines")])
    # a 200 to our CANCEL is no answer to the INVITE
    answered = [*_OF_INVITE, _match("To:", "remote"), _CONTACT]
    script.receive("200", "ack", answered, test="of_invite", routes=True)
    if phone.password:
        script.receive("407", "challenged", _OF_INVITE, test="of_invite", challenge=True)
    for failure in _FAILURES:
        script.receive(str(failure), "refused", _OF_INVITE, test="of_invite")
    script.receive("LAB-cancel", "cancel")
    script.close_hub()
    _talking_hub(script)
    _ended_hub(script)
    return script.text()


def _lines(headers: Headers) -> list[str]:
    return [f"{name}: {value}" for name, value in headers]
