"""Renders the FreeSWITCH configuration that fsctl needs, from the templates of ``dialplan/``.

Strict in every direction: a setting that does not exist, an override with an unknown name or an
unknown block, and a result that is not well-formed XML are errors, and then nothing is written.
"""

from __future__ import annotations

import difflib
import fnmatch
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cache
from importlib import resources
from pathlib import Path
from types import CodeType
from typing import Any, Final
from xml.etree import ElementTree

import jinja2
from jinja2.bccache import Bucket

from fsctl import files
from fsctl.errors import SettingsError
from fsctl.esl.fields import no_sooner
from fsctl.policy.parties import FACTS, FACTS_OF
from fsctl.policy.vouched import inside_expression
from fsctl.session.calling import recording
from fsctl.session.calling.arming import WAITING
from fsctl.session.calling.identity import CID_TYPES, asserted_by
from fsctl.session.calling.routing import NoRoute, Router, of_loopback
from fsctl.settings import OWN_HOSTS, SAFE_NUMBER, Group, ReferredBy, Route, Settings
from fsctl.sip.refer import NEVER_PASSED
from fsctl.sip.status import HANGUP_CAUSES
from fsctl.switch.armed import CONFIRM, CONTEXT, armed
from fsctl.switch.dialstring import carried_caller_name
from fsctl.switch.marks import Context, Stage, one_of
from fsctl.switch.timers import claimed_s, head_start_s, released_s

CONTEXTS: Final = "dialplan/fsctl.xml"
PARAMETERS: Final = "sip_profiles/fsctl_params.xml"
CHANNELS: Final = "fsctl_channels.xml"
FIRST_FILE: Final = "00_fsctl.xml"
"""In a context of the operator's own: stands before all else there."""
LONGEST_KEYS_S: Final = 7200
"""How long a loopback of `[keys]` waits for its controller: a consultation is watched so long."""
_SUFFIX: Final = ".xml.j2"
_NO_DOMAIN: Final = "domain.invalid"
"""Stands for a call's domain where only the route of a number is asked for."""
_SAFE_HOST: Final = "[0-9A-Za-z.-]{1,253}"
_RIGHTS: Final = (
    "toll_allow",
    "user_context",
    "default_gateway",
    "default_areacode",
    "callgroup",
    "accountcode",
    "effective_caller_id_name",
    "effective_caller_id_number",
    "outbound_caller_id_name",
    "outbound_caller_id_number",
)
"""What a directory says of its users that their calls go by (conf/vanilla/directory)."""
_FOREIGN_CONTEXT: Final = "(?!fsctl_|_undef_)[0-9A-Za-z._-]{1,64}"
"""A context that is not ours; what `uuid_getvar` says of a variable that is not there is none."""
_OWN_NUMBER: Final = r"(?!-)[0-9A-Za-z+*#._~%@;:=&!?/,()-]{1,128}"
"""What the application `transfer` takes as it is: it reads blanks, quotes, ``$`` and options."""
_BESIDE_NUMBER: Final = r"(?:;[^@]*)?(?:@[][0-9A-Za-z.:-]+)?"
"""What may follow a number: a telephone-subscriber's parameters (RFC 3966), and the host where the
profile has ``full-id-in-dialplan``."""


@dataclass(frozen=True, slots=True)
class NativeRoute:
    """A route as FreeSWITCH itself takes it when no controller answers.

    ``number`` and ``host`` are expressions for ``${fsctl_dialled_number}`` and
    ``${fsctl_own_host}@${fsctl_dialled_host}``, ``dial_string`` is the argument of the ``bridge``
    application; ``transfer_context`` and ``confirm`` govern later transfers by either party.
    """

    name: str
    number: str
    host: str
    dial_string: str
    transfer_context: str
    confirm: bool


@dataclass(frozen=True, slots=True)
class Rendered:
    """A file of the configuration: its path below FreeSWITCH's ``conf/``, and what it holds."""

    path: str
    text: str
    mode: int


def render(settings: Settings, output: Path) -> list[Path]:
    """Write the configuration below ``output`` (to be laid over FreeSWITCH's ``conf/``).

    Returns the paths written, in a fixed order; other files there are left alone. Raises
    SettingsError, and then has written nothing, unless the disk itself failed.
    """
    made = rendered(settings)
    try:
        for each in made:
            path = output / each.path
            path.parent.mkdir(parents=True, exist_ok=True)
            files.replace(path, each.text.encode(), each.mode)
    except OSError as error:
        raise SettingsError(f"{error.filename or output}: {error.strerror}") from error
    return [output / each.path for each in made]


def rendered(settings: Settings) -> list[Rendered]:
    """The configuration, in the order in which `render` writes it. Raises SettingsError."""
    environment = _environment(settings.dialplan.overrides)
    context = _context(settings)
    return [
        Rendered(path, _render_one(environment, template, context), mode)
        for template, path, mode in _layout(settings)
    ]


def native_route(route: Route, settings: Settings) -> NativeRoute:
    """How FreeSWITCH dials ``route`` by itself, with what a safe condition has copied."""
    variables = armed(settings.mode(route.transfer_mode), settings)
    longer_than_strip = f"(?=.{{{route.strip + 1}}})" if route.strip else ""
    return NativeRoute(
        name=route.name,
        number=f"^{longer_than_strip}(?:{route.match})$",
        host=_host_expression(route),
        dial_string=f"{{{_variables(route, settings)}}}{_endpoint(route)}",
        transfer_context=variables[CONTEXT],
        confirm=variables[CONFIRM] == "true",
    )


def native_group(group: Group, settings: Settings) -> NativeRoute | None:
    """How FreeSWITCH dials a group's members by itself, as if that were a route; None: it has none.

    All that a route dials for each, at once; in turn each begins when the time of those before it
    is over, or a bit later (``originate_delay_start`` counts turns of FreeSWITCH's clock), however
    soon they have failed. Nobody is called after them.
    """
    router, called, before_s = Router(settings), list[tuple[Route, str]](), 0
    for member in group.members:
        try:
            routed = router.route(member, _NO_DOMAIN)
        except NoRoute:
            continue
        rings_s = group.ring_timeout_s or routed.route.ring_timeout_s
        route = replace(routed.route, ring_timeout_s=rings_s or settings.call.ring_timeout_s)
        text = f"{{{_variables(route, settings)}{_delay(group, before_s)}}}{_endpoint(route)}"
        text = text.replace(_number(route), routed.number)
        called.append((route, text.replace("${fsctl_dialled_number}", member)))
        before_s += route.ring_timeout_s or 0
    if not called:
        return None
    first = replace(called[0][0], name=f"group_{group.name}", match=group.match, strip=0)
    native = native_route(replace(first, hosts=group.hosts), settings)
    return replace(native, dial_string=":_:".join(text for _, text in called))


def _delay(group: Group, before_s: int) -> str:
    late = group.ring == "in-turn" and before_s
    return f",originate_delay_start={before_s * 1000}" if late else ""


def _number(route: Route) -> str:
    cut = f"${{fsctl_dialled_number:{route.strip}}}" if route.strip else "${fsctl_dialled_number}"
    return route.prefix + cut


def _endpoint(route: Route) -> str:
    number = _number(route)
    if route.kind == "gateway":
        return f"sofia/gateway/{route.gateway}/{number}"
    if route.in_dialplan:
        return f"loopback/{number}/{Context.TARGET}/XML"
    if route.kind == "user":
        return f"user/{number}@{route.domain or '${fsctl_domain}'}"
    host = "${fsctl_dialled_host}" if route.kind == "uri" else route.host
    port = f":{route.port}" if route.port else ""
    transport = f";transport={route.transport}" if route.transport else ""
    return f"sofia/{route.profile}/sip:{number}@{host}{port}{transport}"


def _variables(route: Route, settings: Settings) -> str:
    """The caller's own ``call_timeout`` would outlive this call; a redirect is never followed."""
    timeout = route.ring_timeout_s or settings.call.ring_timeout_s
    variables = [f"originate_timeout={timeout}", "outbound_redirect_fatal=true"]
    variables.append(f"exclude_outgoing_extra_header={_held_back(route, settings)}")
    # As soon as it talks: that of a later REFER would stand in the same variable (sofia.c).
    variables.append("execute_on_pre_bridge_fsctl=unset sip_h_Referred-By")
    variables.append("fsctl_number=${fsctl_dialled_number}")
    # What phones that show it see of the party (UPDATE): FreeSWITCH says "Outbound Call".
    variables += [f"origination_callee_id_{part}={_number(route)}" for part in ("name", "number")]
    asserted = asserted_by(settings, route, moves=False)
    variables += [f"sip_cid_type={CID_TYPES[asserted]}"] if asserted else []
    if route.kind != "gateway" or asserted == "none":
        # Empty for most, and then not there at all (switch_event.c).
        anonymous = "${fsctl_anonymous}"
        variables += [f"origination_caller_id_{part}={anonymous}" for part in ("number", "name")]
    if route.in_dialplan:
        variables.append("fsctl_for=${uuid}")
        variables += [f"{name}={value}" for name, value in of_loopback(route).items() if value]
    if route.kind == "user":
        # Of several phones the first to send 183 with media would be taken.
        variables.append("bridge_early_media=true")
    variables.append("origination_audio_mode=sendrecv")  # see session.calling.invite
    if not settings.call.codecs:
        variables.append("media_mix_inbound_outbound_codecs=true")
    else:
        variables.append("absolute_codec_string=^^:" + settings.call.codecs.replace(",", ":"))
    return ",".join(variables)


def _held_back(route: Route, settings: Settings) -> str:
    """Which variables of the waiting leg, copied by ``bridge``, are not sent (sofia_glue.c).

    ``${fsctl_never}`` is empty for a leg that has called: its own headers go by the allow-list; for
    one that was called it matches nothing: what it carries was sent to *it*. ``(?!.)`` is an end
    without a dollar sign, which FreeSWITCH would read.
    """
    allow = settings.call.pass_headers if route.pass_headers is None else route.pass_headers
    names = "|".join(name.replace("*", ".*") for name in allow)
    kept = [f"${{fsctl_never}}(?!{NEVER_PASSED})(?:{names})"] if names else []
    kept += ["Referred-By"] if _referred_by(route, settings) == "keep" else []
    rest = f"(?!(?:{'|'.join(kept)})(?!.))" if kept else ""
    return f"(?i)^sip_h_{rest}"


def _referred_by(route: Route, settings: Settings) -> ReferredBy:
    """FreeSWITCH alone cannot rewrite one: it is dropped then."""
    return route.referred_by or settings.transfer.referred_by


def _host_expression(route: Route) -> str:
    """For ``OWN@HOST[:PORT]``: OWN is "own" where HOST names this switch, else empty.

    A new call has no host, and any will do; "?" is one that cannot be read, and never will do.
    """
    globs = [_glob_expression(glob) for glob in route.hosts if glob != OWN_HOSTS]
    admitted = [f"[a-z]*@(?:{'|'.join(globs)})(?::[0-9]+)?"] if globs else []
    admitted += ["own@.*"] if OWN_HOSTS in route.hosts else []
    admitted += ["@"] if route.kind != "uri" else []
    return f"(?i)^(?:{'|'.join(admitted)})$"


def _own_hosts_expression(settings: Settings) -> str:
    named = [*settings.call.own_hosts, *(route.domain for route in settings.routes if route.domain)]
    globs = "|".join(map(_glob_expression, dict.fromkeys(named)))
    return f"(?i)^(?:{globs})(?::[0-9]+)?$" if globs else ""


def _glob_expression(glob: str) -> str:
    special = {"*": "[^:?]*", "?": "[^:?]", ".": r"\."}
    return "".join(special.get(character, character) for character in glob)


def _layout(settings: Settings) -> list[tuple[str, str, int]]:
    first = _first_extensions(settings)
    contexts = settings.dialplan.inbound_contexts if first else ()
    layout = [
        *((first, f"dialplan/{context}/{FIRST_FILE}", 0o644) for context in contexts),
        ("contexts", CONTEXTS, 0o644),
        ("params", PARAMETERS, 0o644),
        ("channels", CHANNELS, 0o644),
    ]
    if settings.dialplan.event_socket:
        layout.append(("event_socket", "autoload_configs/event_socket.conf.xml", 0o640))
    return [(name + _SUFFIX, path, mode) for name, path, mode in layout]


def _first_extensions(settings: Settings) -> str:
    """The template of what new calls meet first; none where ``[switch]`` arms all legs."""
    if settings.dialplan.scope == "calls":
        return "inbound"
    return "" if settings.switches else "arm"


def _context(settings: Settings) -> dict[str, Any]:
    if not settings.dialplan.controllers:
        raise SettingsError("[dialplan] controllers: must be set: the listening port is not known")
    if settings.dialplan.event_socket and not settings.dialplan.event_socket_password:
        raise SettingsError(
            "[dialplan] event_socket: needs event_socket_password, or that of the only [switch]"
        )
    return {
        "server": settings.server,
        "call": settings.call,
        "transfer": replace(settings.transfer, attended=settings.attended),
        "dialplan": settings.dialplan,
        "stage": Stage,
        "contexts": Context,
        "one_of": one_of,
        "armed": armed(settings.transfer.mode, settings),
        "arms_everywhere": settings.arms_everywhere,
        "routes": [
            *filter(None, (native_group(group, settings) for group in settings.groups)),
            *(native_route(route, settings) for route in settings.routes),
        ],
        "services": [each for each in settings.routes if each.kind in ("voicemail", "queue")],
        "recording_steps": recording.STEPS,
        "waiting": WAITING,
        "no_sooner": no_sooner,
        "longest_park_s": _longest_park_s(settings),
        "head_start_s": head_start_s(settings),
        "recall_prefix": carried_caller_name(settings.transfer.recall_prefix),
        "controllers": "|".join(settings.dialplan.controllers),
        "safe_number": SAFE_NUMBER,
        "safe_host": _SAFE_HOST,
        "foreign_context": _FOREIGN_CONTEXT,
        "own_number": _OWN_NUMBER,
        "own_hosts": _own_hosts_expression(settings),
        "rights": _RIGHTS,
        "asker_facts": () if settings.policy.mode == "off" else FACTS,
        "asker_facts_of": FACTS_OF,
        "recalled": _recalled(settings),
        "causes_of": _causes_by_status(),
        "keys": settings.keys,
        "keys_outside": _keys_outside(settings),
        "longest_keys_s": LONGEST_KEYS_S,
        "beside_number": _BESIDE_NUMBER,
    }


def _recalled(settings: Settings) -> str:
    """Who is called again after a transfer that has failed, as an expression; empty: everybody."""
    policy = settings.policy
    return inside_expression(policy) if policy.mode == "enforce" else ""


def _keys_outside(settings: Settings) -> str:
    """Who need not be asked for a number, as an expression: no rule would let it transfer. Empty:
    only a controller knows."""
    policy, decide = settings.policy, settings.decide
    opens = any(rule.then == "allow" for rule in settings.rules) or decide.may_open
    by_address = any(word.startswith("network:") for word in policy.inside)
    if policy.mode != "enforce" or opens or by_address:
        return ""
    return f"^(?!{inside_expression(policy).removeprefix('^')})"


def _causes_by_status() -> dict[int, list[str]]:
    """FreeSWITCH's causes of failures by the status that says the same."""
    causes: dict[int, list[str]] = {}
    for cause, status in HANGUP_CAUSES.items():
        if status >= 300:
            causes.setdefault(status, []).append(cause)
    return causes


def _longest_park_s(settings: Settings) -> int:
    """How long FreeSWITCH may park a transferor: to claim, to decide, while any target rings."""
    defaults: tuple[Any, ...] = (settings.call, settings.transfer)
    ringing = [each.ring_timeout_s or 0 for each in (*defaults, *settings.routes, *settings.groups)]
    before_s = claimed_s(settings) + settings.transfer.decision_timeout_s
    return no_sooner(released_s(settings, before_s + max(ringing)))


class _Unknown(jinja2.StrictUndefined):
    """Names a missing setting as the operator writes it: ``[transfer] ring_timeout_s``."""

    @property
    def _undefined_message(self) -> str:
        section = type(self._undefined_obj).__name__.lower()
        owner = "" if self._undefined_obj is jinja2.utils.missing else f"[{section}] "
        return f"{owner}{self._undefined_name}: unknown setting"


def shipped_templates() -> dict[str, str]:
    """The templates as installed (package ``fsctl.templates``) or, in a checkout, ``dialplan/``."""
    try:
        folder: Any = resources.files("fsctl.templates")
    except ModuleNotFoundError:
        folder = Path(__file__).parent.parent / "dialplan"
    return {
        each.name: each.read_text(encoding="utf-8")
        for each in folder.iterdir()
        if each.name.endswith(_SUFFIX)
    }


class _Compiled(jinja2.BytecodeCache):
    """What this process has compiled: nine tenths of a rendering is that."""

    def __init__(self) -> None:
        self._codes: dict[tuple[str, str], CodeType] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        bucket.code = self._codes.get((bucket.key, bucket.checksum))

    def dump_bytecode(self, bucket: Bucket) -> None:
        assert bucket.code is not None, "jinja2 has compiled it"
        self._codes[bucket.key, bucket.checksum] = bucket.code


_COMPILED: Final = _Compiled()


@cache
def _shipped_alone() -> jinja2.Environment:
    """It keeps its templates: what most render, and the tests a thousand times."""
    return _environment_of(shipped_templates(), {})


def _environment(overrides: Path | None) -> jinja2.Environment:
    if overrides is None:
        return _shipped_alone()
    shipped = shipped_templates()
    own = _read_overrides(overrides, shipped)
    environment = _environment_of(shipped, own)
    for name in own:
        _refuse_unknown_blocks(environment, name, overrides)
    return environment


def _environment_of(shipped: Mapping[str, str], own: Mapping[str, str]) -> jinja2.Environment:
    sources = {**shipped, **own, **{f"fsctl/{name}": text for name, text in shipped.items()}}
    return jinja2.Environment(
        loader=_loader(sources),
        autoescape=True,
        undefined=_Unknown,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        bytecode_cache=_COMPILED,
    )


def _loader(sources: Mapping[str, str]) -> jinja2.FunctionLoader:
    """Templates know their own name as file name: that is how an error can name it."""

    def load(name: str) -> tuple[str, str, None] | None:
        return (sources[name], name, None) if name in sources else None

    return jinja2.FunctionLoader(load)


def _read_overrides(folder: Path, shipped: Mapping[str, str]) -> dict[str, str]:
    try:
        files = sorted(each for each in folder.iterdir() if not each.name.startswith("."))
        for each in files:
            if each.name not in shipped:
                raise SettingsError(f"{each}: {_unknown('template', each.name, shipped)}")
        return {each.name: each.read_text(encoding="utf-8") for each in files}
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"[dialplan] overrides: {error}") from error


def _unknown(what: str, name: str, known: Iterable[str]) -> str:
    names = sorted(known)
    near = difflib.get_close_matches(name, names, 1)
    hint = f"did you mean {near[0]}?" if near else f"known are {', '.join(names)}"
    return f"unknown {what} {name}; {hint}"


def _refuse_unknown_blocks(environment: jinja2.Environment, name: str, folder: Path) -> None:
    """Jinja ignores a block that its parent does not have: a slip would silently do nothing."""
    try:
        known = environment.get_template(f"fsctl/{name}").blocks
        for block in environment.get_template(name).blocks:
            if block not in known:
                raise SettingsError(f"{folder}/{name}: {_unknown('block', block, known)}")
    except jinja2.TemplateSyntaxError as error:
        raise SettingsError(f"{folder}/{name}: line {error.lineno}: {error.message}") from error


def _render_one(environment: jinja2.Environment, name: str, context: Mapping[str, Any]) -> str:
    try:
        text = environment.get_template(name).render(context)
        ElementTree.fromstring(text)
    except jinja2.TemplateError as error:
        raise SettingsError(f"{_failing_template(error) or name}: {error}") from error
    except ElementTree.ParseError as error:
        raise SettingsError(f"{name}: the result is not well-formed XML: {error}") from error
    _refuse_lost_lines(name, text)
    return text


def _refuse_lost_lines(name: str, text: str) -> None:
    """FreeSWITCH's preprocessor drops the whole line that holds one of these (switch_xml.c)."""
    for number, line in enumerate(text.splitlines(), 1):
        for tag in ("<include>", "</include>"):
            if tag in line and line.strip() != tag:
                raise SettingsError(f"{name}: result line {number}: {tag} must stand alone")


def _failing_template(error: BaseException) -> str:
    """The innermost template of the traceback, with its line: it may be an included one."""
    place, frame = "", error.__traceback__
    while frame is not None:
        file = frame.tb_frame.f_code.co_filename
        if fnmatch.fnmatch(file, "*" + _SUFFIX):
            place = f"{file}: line {frame.tb_lineno}"
        frame = frame.tb_next
    return place
