"""fsctl.settings: every key is checked, and every refusal names the place."""

from __future__ import annotations

import re
import tomllib
from base64 import b64encode
from dataclasses import replace
from pathlib import Path

import pytest

from fsctl.errors import SettingsError
from fsctl.settings import (
    SAFE_NUMBER,
    Decide,
    Dialplan,
    Group,
    Hep,
    Route,
    Server,
    Settings,
    Switch,
    load,
)
from fsctl.settings import Call as CallSettings
from fsctl.settings import Transfer as TransferSettings

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
EXAMPLE = Path(__file__).parents[2] / "fsctl.example.toml"
USUAL = replace(Settings(), routes=(Route(name="dialplan", match=".+", kind="dialplan"),))


def load_text(tmp_path: Path, text: str, **environ: str) -> Settings:
    file = tmp_path / "fsctl.toml"
    file.write_text(text, encoding="utf-8")
    return load(file, environ)


def refusal(tmp_path: Path, text: str, **environ: str) -> str:
    with pytest.raises(SettingsError) as caught:
        load_text(tmp_path, text, **environ)
    return str(caught.value).removeprefix(f"{tmp_path}/")


def test_defaults_need_no_file() -> None:
    assert load(None, {}) == USUAL


def test_an_empty_file_changes_nothing(tmp_path: Path) -> None:
    assert load_text(tmp_path, "") == USUAL
    calls = load_text(tmp_path, '[dialplan]\nscope = "calls"\ninbound_match = "1"')
    assert calls.routes == (Route(name="users", match=".+", kind="user"),)


def test_the_example_file_shows_every_default_and_loads() -> None:
    assert load(EXAMPLE, {}) == USUAL


def test_the_example_file_names_every_key() -> None:
    text = EXAMPLE.read_text(encoding="utf-8")
    for schema in (Server, Switch, CallSettings, TransferSettings, Dialplan, Hep, Decide):
        section = schema.__name__.lower()
        assert f"[{section}]" in text
        for name in schema.__slots__:
            assert re.search(rf"^#? ?{name} = ", text, re.M), f"[{section}] {name}"
    for name in Route.__slots__:
        assert re.search(rf"^# {name} = ", text, re.M), f"[[route]] {name}"
    for name in Group.__slots__:
        assert re.search(rf"^# {name} = ", text, re.M), f"[[group]] {name}"


def test_the_example_file_with_everything_uncommented_loads(tmp_path: Path) -> None:
    lines = EXAMPLE.read_text(encoding="utf-8").splitlines()
    text = "\n".join(re.sub(r"^# (?=[a-z_]+ = |\[\[)", "", line) for line in lines)
    text = re.sub(r"(?m)^((password|secret|ca|database|token)_file|overrides) = .*$", "", text)
    text = text.replace('"whsec_..."', f'"{SECRET}"')
    text = text.replace('token = "..."', f'token = "{SECRET}"')
    text = text.replace('scope = "transfers"', 'scope = "calls"')
    assert [route.kind for route in load_text(tmp_path, text).routes] == [
        "user",
        "sofia",
        "gateway",
        "dialplan",
        "uri",
        "voicemail",
        "queue",
    ]
    assert len(tomllib.loads(text)["route"]) == 7


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[transfer]\nring_timeout_s = 0", "[transfer] ring_timeout_s: must be 1..600, not 0"),
        (
            "[transfer]\nring_timeout_s = true",
            "[transfer] ring_timeout_s: must be 1..600, not True",
        ),
        ("[transfer]\nring_timeout_s = 5.5", "[transfer] ring_timeout_s: must be 1..600, not 5.5"),
        ('[server]\nmax_calls = "9"', "[server] max_calls: must be 1..100000, not '9'"),
        (
            "[transfer]\ndecision_timeout_s = 0",
            "[transfer] decision_timeout_s: must be 0.1..60, not 0",
        ),
        (
            '[transfer]\nmode = "legcy"',
            '[transfer] mode: must be one of "in-session", "legacy", "observe", not \'legcy\'',
        ),
        ('[transfer]\nmode = "observe"', '[transfer] mode: "observe" needs [switch]'),
        (
            '[transfer]\nmode = "observe"\nattended = "application"\n[dialplan]\nscope = "calls"\n'
            'inbound_match = "1"',
            '[transfer] attended: "application" does not go with mode = "observe"',
        ),
        ("[transfer]\nrecall = 1", "[transfer] recall: must be true or false, not 1"),
        (
            '[[rule]]\nname = "premium"\nthen = "allow"',
            "[[rule]] 1 name: 'premium' is the name of one of our own",
        ),
        (
            '[[rule]]\nto = ["number:(1+)+"]\nthen = "refuse"',
            "[[rule]] 1 to: '(1+)+' could take forever to answer: repetitions inside a repetition",
        ),
        ('[policy]\ninternal = "(1|11)*"', "[policy] internal: '(1|11)*' could take forever"),
        (
            '[[route]]\nkind = "user"\nmatch = "(.*)*"',
            "[[route]] 1 match: '(.*)*' could take forever to answer",
        ),
        (
            '[dialplan]\nscope = "calls"\ninbound_match = ".*.*.*.*.*"',
            "[dialplan] inbound_match: '.*.*.*.*.*' could take forever to answer: too many",
        ),
        ("[transfr]\n", "unknown section transfr; did you mean transfer?"),
        (
            "[transfer]\nring_timout_s = 5",
            "[transfer]: unknown key ring_timout_s; did you mean ring_timeout_s?",
        ),
        ("[transfer]\nzzz = 5", "[transfer]: unknown key zzz; known are mode, "),
        ("call = 5", "[call]: must be a table, not 5"),
        ('[server]\nlisten = "8084"', "[server] listen: must be \"host:port\", not '8084'"),
        ('[server]\nlisten = "h:70000"', '[server] listen: must be "host:port"'),
        (
            '[server]\nlisten = "0.0.0.0:8084"',
            '[server] home: must be set, FreeSWITCH cannot dial listen = "0.0.0.0:8084"',
        ),
        ('[server]\nlisten = "[::]:8084"', "[server] home: must be set"),
        ("[server]\nworkers = -1", "[server] workers: must be 0..256, not -1"),
        ("[server]\nhang_timeout_s = 0.5", "[server] hang_timeout_s: must be 1..600, not 0.5"),
        ('[hep]\nlisten = "0.0.0.0:9060"', '[hep] listen: must be "address:port"'),
        ('[hep]\nlisten = "pbx:9060"', '[hep] listen: must be "address:port"'),
        ('[hep]\nlisten = "::1:9060"', '[hep] listen: must be "address:port"'),
        ('[hep]\nlisten = "127.0.0.1:1023"', '[hep] listen: must be "address:port"'),
        ('[hep]\nforward = "127.0.0.1:9060"', "[hep] forward: nothing comes without"),
        (
            '[hep]\nlisten = "127.0.0.1:9060"\nforward = "127.0.0.1:9060"',
            "[hep] forward: must be another's",
        ),
        ("[hep]\nlisten = 9060", '[hep] listen: must be "address:port"'),
        ('[server]\nhome_ports = "9-8"', "[server] home_ports: must be a range of ports"),
        ('[server]\nhome_ports = "0-8"', "[server] home_ports: must be a range of ports"),
        ("[server]\nhome_ports = 8085", "[server] home_ports: must be a range of ports"),
        (
            '[server]\nworkers = 3\nhome_ports = "8085-8086"',
            "[server] home_ports: fewer ports than workers",
        ),
        ('[server]\nhome = "h:0"', "[server] home: must be"),
        ('[server]\nhome = "h:1|evil:2"', "[server] home: must be"),
        ('[dialplan]\nscope = "calls"', "[dialplan] inbound_match: must be set for"),
        ('[dialplan]\ninbound_match = "1"', "[dialplan] inbound_match: does not apply to"),
        ("[dialplan]\ninbound_contexts = []", "inbound_contexts: must be a list of at least one"),
        ('[dialplan]\ncontrollers = ["a:1", "b"]', "[dialplan] controllers: must be"),
        ("[dialplan]\ncontrollers = []", "[dialplan] controllers: must be a list of at least one"),
        ("[switch]\nenabled = true", "[switch] enabled: needs password or password_file"),
        ('[switch]\npassword_file = "gone"', "[switch] password_file: "),
        (
            '[switch]\npassword = "x"\npassword_file = "f"',
            "[switch] password_file: password is set as well",
        ),
        ('[call]\nringback = "${system(id)}"', "[call] ringback: must be"),
        ('[transfer]\ncaller_id_name = "a\\"b"', "[transfer] caller_id_name: must be"),
        ('[transfer]\ncaller_id = "fixed"', "[transfer] caller_id_number: must be set"),
        ('[transfer]\ncaller_id = "template"', "[transfer] caller_id_number: must be set"),
        (
            '[transfer]\ncaller_id_number = "{dialed}"',
            "[transfer] caller_id_number: {dialed} is none of {transferee}, {transferor}, {dial",
        ),
        ('[transfer]\ncaller_id_name = "{dialled"', "[transfer] caller_id_name: must be"),
        (
            '[transfer]\ncaller_id = "fixed"\ncaller_id_number = "{dialled}"',
            '[transfer] caller_id_number: placeholders need caller_id = "template"',
        ),
        ("[transfer]\nreferred_by = true", '[transfer] referred_by: must be one of "keep", "rew'),
        ('[transfer]\nasserted_identity = "pid"', "[transfer] asserted_identity: must be one of"),
        ('[transfer]\nheaders = {"X Foo" = "1"}', "'X Foo' is not the name of a header"),
        ('[transfer]\nheaders = {From = "1"}', "From is a header that belongs to the call itself"),
        ('[transfer]\nheaders = {X-A = "1\\r\\nX-B: 2"}', "[transfer] headers: X-A must be text"),
        ('[transfer]\nheaders = {X-A = "${x}"}', "[transfer] headers: X-A must be text"),
        (
            '[transfer]\nringback = "xx"',
            "[transfer] ringback: of 'xx' no ringing tone is known: at, ",
        ),
        (
            '[call]\nringback = "silence"\n[transfer]\nringback = "$x"',
            "[transfer] ringback: must be a",
        ),
        (
            '[transfer]\ntransferor_hears = "a|b"',
            "[transfer] transferor_hears: must be a tone, a coun",
        ),
        ('[transfer]\nrecording = "on"', '[transfer] recording: must be one of "leave", "follow"'),
        *(
            (f'[transfer]\nrecording_file = "{path}"', f"[transfer] recording_file: {why}")
            for path, why in {
                "/r/{number}.wav": "{number} is none of {recordings_dir}",
                "/r/../etc/x.wav": "must be a path",
                "/r/a b.wav": "must be a path",
                "/r/$.wav": "must be a path",
                "/r/recording": "must be a path",
                "r/{what}.wav": "must begin with / or {recordings_dir}/",
            }.items()
        ),
        ('[keys]\nblind = "12"', "[keys] blind: must be * or #, then one to seven keys"),
        (
            '[keys]\nblind = "*1"\nattended = "*12"',
            '[keys] attended: "*12" and blind = "*1": one must not begin like the other',
        ),
        ('[keys]\ncancel = "0"', '[keys] three_way: "0" is that of cancel'),
        ('[keys]\nprompt = "a b"', "[keys] prompt: must be a tone or the path of a sound, without"),
        ('[decide]\nurl = "http://h/"', "[decide] secret_file: must be set"),
        (
            '[decide]\nsecret = "x"\nsecret_file = "f"',
            '[decide] secret: must be "whsec_" and base64',
        ),
        (f'[decide]\nsecret = "{SECRET}"\nsecret_file = "f"', "secret is set as well"),
        ('[decide]\nsecret_file = "gone"', "[decide] secret_file: "),
        *(
            (f'[decide]\nurl = "{url}"', "[decide] url: must be http://… or https://… without user")
            for url in ("ftp://h/", "https://", "https://u:p@h/", "http://h/#x", "http://h/ x", "h")
        ),
        (
            f'[decide]\nurl = "http://h/"\nsecret = "{SECRET}"\ntimeout_s = 10',
            "[decide] timeout_s: must be below [transfer] decision_timeout_s = 10",
        ),
        (
            f'[decide]\nurl = "https://h/"\nsecret = "{SECRET}"\nca_file = "gone"',
            "[decide] ca_file: ",
        ),
        ("[server]\nx = y", "Invalid value (at line 2"),
    ],
)
def test_a_wrong_file_is_refused_by_place(tmp_path: Path, text: str, message: str) -> None:
    reply = refusal(tmp_path, text)
    assert reply.startswith("fsctl.toml: ")
    assert message in reply


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('match = "1.*"', "[[route]] 1 kind: is missing"),
        ('kind = "sofia"', '[[route]] 1 host: must be set for kind = "sofia"'),
        ('kind = "gateway"', "[[route]] 1 gateway: must be set"),
        ('kind = "uri"', "[[route]] 1 hosts: must be set"),
        ('kind = "uri"\nhosts = ["*"]', '[[route]] 1 hosts: kind = "uri" must name the hosts'),
        ('kind = "uri"\nhosts = ["a.example", "*.*"]', "must name the hosts"),
        ('kind = "user"\ncontext = "c"', '[[route]] 1 context: does not apply to kind = "user"'),
        ('kind = "dialplan"\nvariables = "x=1"', "[[route]] 1 variables: must be a table of"),
        ('kind = "dialplan"\nvariables = {fsctl_for = "x"}', "'fsctl_for' is not the name of"),
        ('kind = "dialplan"\nvariables = {a = "x,b=y"}', "[[route]] 1 variables: a must be text"),
        ('kind = "dialplan"\nvariables = {a = "${b}"}', "[[route]] 1 variables: a must be text"),
        ('kind = "dialplan"\nvariables = {a = "x:_:y"}', "[[route]] 1 variables: a must be text"),
        ('kind = "queue"', '[[route]] 1 queue: must be set for kind = "queue"'),
        ('kind = "queue"\nqueue = "a b"', "[[route]] 1 queue: must be a queue's name"),
        ('kind = "voicemail"\nqueue = "a"', "queue: does not apply to kind = "),
        ('kind = "user"\ngateway = "g"', '[[route]] 1 gateway: does not apply to kind = "user"'),
        ('kind = "user"\ndomain = "a\\"b"', "[[route]] 1 domain: must be a domain, not 'a\"b'"),
        ('kind = "user"\ndomain = "a,b"', "[[route]] 1 domain: "),
        ('kind = "user"\nport = 0', "[[route]] 1 port: "),
        ('kind = "user"\nname = "a b"', "[[route]] 1 name: "),
        ('kind = "user"\nprefix = "1,2"', "[[route]] 1 prefix: "),
        ('kind = "user"\ncaller_id = "fixed"', "[[route]] 1 caller_id_number: must be set"),
        (
            'kind = "user"\ncaller_id_name = "{transferor}"',
            '[[route]] 1 caller_id_name: placeholders need caller_id = "template"',
        ),
    ],
)
def test_a_wrong_route_is_refused_by_number(tmp_path: Path, text: str, message: str) -> None:
    assert message in refusal(tmp_path, f"[[route]]\n{text}")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('members = ["1"]', "[[group]] 1 match: is missing"),
        ('match = "7"', "[[group]] 1 members: must be set, or one of on_busy"),
        ('match = "7"\nring = "in-turn"\non_busy = "1"', "[[group]] 1 ring: needs members"),
        ('match = "7"\nmembers = []', "[[group]] 1 members: must be a list of at least one"),
        ('match = "7"\nmembers = ["1,2"]', "[[group]] 1 members: must be a number, not '1,2'"),
        ('match = "7"\nmembers = ["1", "1"]', "[[group]] 1 members: 1 stands there twice"),
        (f'match = "7"\nmembers = {[str(n) for n in range(51)]}', "51 are too many, 50 may ring"),
        ('match = "7"\nmembers = ["1"]\nring = "some"', '[[group]] 1 ring: must be one of "all"'),
        ('match = "7"\non_busy = "{caller}"', "[[group]] 1 on_busy: {caller} is none of {number}"),
        ('match = "7"\non_failure = "a b"', "[[group]] 1 on_failure: must be a number"),
        ('match = "7"\non_bussy = "1"', "unknown key on_bussy; did you mean on_busy?"),
    ],
)
def test_a_wrong_group_is_refused_by_number(tmp_path: Path, text: str, message: str) -> None:
    assert message in refusal(tmp_path, f"[[group]]\n{text}")


@pytest.mark.parametrize(
    "regex",
    [
        "(",
        "a**",
        r"(?P<n>1)",
        r"(?a)1",
        r"1\Z",
        r"\u0031",
        r"(1)\1",
        "1{,3}",
        "[[:digit:]]",
        "${destination_number}",
        "$${domain}",
        "a b",
        "ä",
    ],
)
def test_a_regex_that_python_and_pcre_read_differently_is_refused(
    tmp_path: Path, regex: str
) -> None:
    text = f"[[route]]\nkind = 'user'\nmatch = '{regex}'"
    assert "[[route]] 1 match: must be a regular expression in the syntax" in refusal(
        tmp_path, text
    )


@pytest.mark.parametrize(
    "regex", [r"^1\d{3}$", '0[^<>&"]+', r"(?:\+49|0)(?!900)\d{2,}", r"(1|2)\*.", "[0-9a-f]{1,3}"]
)
def test_a_shared_regex_is_taken_as_it_is(tmp_path: Path, regex: str) -> None:
    settings = load_text(tmp_path, f"[[route]]\nkind = 'user'\nmatch = '{regex}'")
    assert settings.routes[0].match == regex


def test_what_is_heard_has_names(tmp_path: Path) -> None:
    text = """
        [call]
        ringback = "GB"
        [transfer]
        ringback = "music"
        transferor_hears = "/sounds/wait.wav"
        """
    settings = load_text(tmp_path, text)
    assert settings.call.ringback == "%(400,200,400,450);%(400,2000,400,450)"
    assert settings.transfer.ringback == "music"
    assert settings.transfer.transferor_hears == "/sounds/wait.wav"


def test_routes_keep_their_order_and_get_names_and_the_default_profile(tmp_path: Path) -> None:
    settings = load_text(
        tmp_path,
        """
        [dialplan]
        sofia_profile = "external"
        [[route]]
        kind = "uri"
        hosts = ["*.example.com"]
        [[route]]
        name = "desk"
        kind = "sofia"
        profile = "lan"
        host = "[::1]"
        transport = "tcp"
        [[route]]
        kind = "user"
        """,
    )
    found = [(route.name, route.kind, route.profile) for route in settings.routes]
    assert found == [
        ("route1", "uri", "external"),
        ("desk", "sofia", "lan"),
        ("route3", "user", ""),
    ]


def test_two_routes_of_one_name_are_refused(tmp_path: Path) -> None:
    text = "[[route]]\nname = 'a'\nkind = 'user'\n" * 2
    assert "[[route]] 2 name: 'a' is another route's name" in refusal(tmp_path, text)


@pytest.mark.parametrize(
    "text",
    ["[policy]\ncountry = 'UK'", "[[rule]]\nthen = 'allow'\nto = ['country:UK']"],
)
def test_a_country_that_no_number_has_is_refused(tmp_path: Path, text: str) -> None:
    assert "must be" in refusal(tmp_path, text)
    load_text(tmp_path, text.replace("UK", "GB"))


def test_a_single_bracket_route_is_explained(tmp_path: Path) -> None:
    assert "route: must be written as [[route]]" in refusal(tmp_path, "[route]\nkind = 'user'")


def test_the_environment_overrides_the_file(tmp_path: Path) -> None:
    settings = load_text(
        tmp_path,
        "[server]\nlisten = '127.0.0.1:1'\nmax_calls = 5\n[transfer]\nreferred_by = 'rewrite'",
        FSCTL_SERVER_LISTEN="127.0.0.1:2",
        FSCTL_SERVER_DRAIN_TIMEOUT_S="2.5",
        FSCTL_CALL_RING_TIMEOUT_S="7",
        FSCTL_TRANSFER_REFERRED_BY="drop",
        FSCTL_TRANSFER_PASS_HEADERS="X-A, X-B",
        FSCTL_TRANSFER_HEADERS="X-C=1, X-D=a=b",
        FSCTL_DIALPLAN_CONTROLLERS="a:1,b:2",
        UNRELATED="x",
    )
    assert settings.server.listen == settings.server.home == "127.0.0.1:2"
    assert (settings.server.max_calls, settings.server.drain_timeout_s) == (5, 2.5)
    assert settings.call.ring_timeout_s == 7
    assert settings.transfer.referred_by == "drop"
    assert settings.transfer.pass_headers == ("X-A", "X-B")
    assert settings.transfer.headers == (("X-C", "1"), ("X-D", "a=b"))
    assert settings.dialplan.controllers == ("a:1", "b:2")


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        (
            "FSCTL_SERVR_LISTEN",
            "x",
            "environment: unknown variable FSCTL_SERVR_LISTEN; did you mean FSCTL_SERVER_LISTEN?",
        ),
        (
            "FSCTL_TRANSFER_RING_TIMEOUT_S",
            "soon",
            "FSCTL_TRANSFER_RING_TIMEOUT_S: must be 1..600, not 'soon'",
        ),
        (
            "FSCTL_TRANSFER_REFERRED_BY",
            "true",
            'FSCTL_TRANSFER_REFERRED_BY: must be one of "keep", "rewrite", "drop", not \'true\'',
        ),
        (
            "FSCTL_TRANSFER_RECALL",
            "maybe",
            "FSCTL_TRANSFER_RECALL: must be true or false, not 'maybe'",
        ),
        ("FSCTL_TRANSFER_HEADERS", "X-A", "FSCTL_TRANSFER_HEADERS: must be a table of headers"),
    ],
)
def test_a_wrong_variable_is_refused_by_name(name: str, value: str, message: str) -> None:
    with pytest.raises(SettingsError, match=re.escape(message)):
        load(None, {name: value})


def test_home_and_controllers_follow_listen_unless_set(tmp_path: Path) -> None:
    settings = load_text(tmp_path, "[server]\nlisten = '10.0.0.1:9'")
    assert (settings.server.home, settings.dialplan.controllers) == ("10.0.0.1:9", ("10.0.0.1:9",))
    settings = load_text(tmp_path, "[server]\nlisten = '0.0.0.0:9'\nhome = 'fsctl:9'")
    assert (settings.server.home, settings.dialplan.controllers) == ("fsctl:9", ("fsctl:9",))


def test_port_zero_leaves_home_to_be_learnt(tmp_path: Path) -> None:
    settings = load_text(tmp_path, "[server]\nlisten = '127.0.0.1:0'")
    assert (settings.server.home, settings.dialplan.controllers) == ("", ())


def test_the_password_enables_the_switch_and_is_never_shown(tmp_path: Path) -> None:
    settings = load(None, {"FSCTL_SWITCH_PASSWORD": "S3cret!"})
    (switch,) = settings.switches
    assert (switch.name, switch.password) == ("freeswitch", "S3cret!")
    assert "S3cret!" not in repr(settings)
    assert (
        load(None, {"FSCTL_SWITCH_PASSWORD": "x", "FSCTL_SWITCH_ENABLED": "false"}).switches == ()
    )


TWO = """
[[switch]]
name = "pbx-1"
host = "10.0.0.1"
password = "one"
[[switch]]
name = "pbx-2"
host = "10.0.0.2"
password_file = "two"
"""


def test_several_switches(tmp_path: Path) -> None:
    """Each has a name; the environment has their passwords, and the only one's keys."""
    (tmp_path / "two").write_text("second\n", encoding="utf-8")
    settings = load_text(tmp_path, TWO, FSCTL_SWITCH_PBX_1_PASSWORD="first")
    assert [(each.name, each.host, each.password) for each in settings.switches] == [
        ("pbx-1", "10.0.0.1", "first"),
        ("pbx-2", "10.0.0.2", "second"),
    ]
    assert settings.arms_everywhere and settings.dialplan.only_living
    assert settings.dialplan.event_socket_password == "", "whose should it be?"
    assert len(settings.warnings) == 1
    alone = TWO.partition('[[switch]]\nname = "pbx-2"')[0]
    for name in ("FSCTL_SWITCH_PASSWORD", "FSCTL_SWITCH_PBX_1_PASSWORD"):
        (only,) = load_text(tmp_path, alone, **{name: "z", "FSCTL_SWITCH_PORT": "9"}).switches
        assert (only.name, only.password, only.port) == ("pbx-1", "z", 9)
    off = TWO.replace('password = "one"', 'password = "one"\nenabled = false')
    assert [each.name for each in load_text(tmp_path, off).switches] == ["pbx-2"]


@pytest.mark.parametrize(
    ("text", "environ", "message"),
    [
        (TWO.replace('name = "pbx-2"', ""), {}, "[[switch]] 2 name: is missing"),
        (TWO.replace("pbx-2", "PBX_1"), {}, "[[switch]] 2 name: 'PBX_1' is another switch's name"),
        (TWO.replace("10.0.0.2", "10.0.0.1"), {}, "two switches have the same host and port"),
        (TWO.replace("pbx-2", "a b"), {}, "[[switch]] 2 name: must be a name of"),
        (TWO + 'password = "x"', {}, "[[switch]] 2 password_file: password is set as well"),
        (TWO + "prot = 1", {}, "[[switch]] 2: unknown key prot; did you mean port?"),
        ("switch = 5", {}, "[switch]: must be a table, not 5"),
        ("switch = [5]", {}, "[[switch]] 1: must be a table, not 5"),
        (TWO, {"PORT": "1"}, "FSCTL_SWITCH_PORT: there are several switches; known are FSCTL_S"),
        (TWO, {"PASSWORD": "x"}, "FSCTL_SWITCH_PASSWORD: there are several switches"),
        (TWO, {"PBX_3_PASSWORD": "x"}, "unknown variable FSCTL_SWITCH_PBX_3_PASSWORD; did you me"),
    ],
)
def test_wrong_switches_are_refused_by_number(
    tmp_path: Path, text: str, environ: dict[str, str], message: str
) -> None:
    variables = {f"FSCTL_SWITCH_{name}": value for name, value in environ.items()}
    assert message in refusal(tmp_path, text, **variables)


def test_a_wrong_password_is_not_repeated() -> None:
    with pytest.raises(SettingsError) as caught:
        load(None, {"FSCTL_SWITCH_PASSWORD": "S3cret\nline"})
    assert "FSCTL_SWITCH_PASSWORD: must be" in str(caught.value)
    assert "S3cret" not in str(caught.value)


def test_a_password_file_is_relative_to_the_settings(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("from file\n", encoding="utf-8")
    settings = load_text(tmp_path, "[switch]\npassword_file = 'secret'")
    (switch,) = settings.switches
    assert (switch.password, switch.password_file) == ("from file", tmp_path / "secret")


def test_the_environments_password_wins_over_the_files(tmp_path: Path) -> None:
    text = "[switch]\npassword_file = 'gone'"
    assert load_text(tmp_path, text, FSCTL_SWITCH_PASSWORD="e").switches[0].password == "e"
    (tmp_path / "other").write_text("o", encoding="utf-8")
    settings = load_text(
        tmp_path,
        "[switch]\npassword = 'x'",
        FSCTL_SWITCH_PASSWORD_FILE=str(tmp_path / "other"),
    )
    assert settings.switches[0].password == "o"


@pytest.mark.parametrize(("mode", "warned"), [(0o644, True), (0o640, False)])
def test_a_world_readable_password_is_warned_of(tmp_path: Path, mode: int, warned: bool) -> None:
    file = tmp_path / "fsctl.toml"
    file.write_text("[switch]\npassword = 'x'", encoding="utf-8")
    file.chmod(mode)
    warnings = load(file, {}).warnings
    assert bool(warnings) is warned
    assert all("[switch] password" in each for each in warnings)


def test_the_event_socket_is_rendered_for_the_switchs_own_port(tmp_path: Path) -> None:
    text = "[switch]\nport = 8022\npassword = 'x'\nenabled = false"
    plan = load_text(tmp_path, text).dialplan
    assert (plan.event_socket_port, plan.event_socket_password) == (8022, "x")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"gone\.toml: No such file"):
        load(tmp_path / "gone.toml", {})


@pytest.mark.parametrize("number", ["1000", "+49.89-1~x_y", "*97", "a" * 64])
def test_a_safe_number(number: str) -> None:
    assert re.fullmatch(SAFE_NUMBER, number)


@pytest.mark.parametrize("number", ["", "${x}", "1,2", "a b", "1@h", "'1", "1|2", "a" * 65, "%7B"])
def test_an_unsafe_number(number: str) -> None:
    assert not re.fullmatch(SAFE_NUMBER, number)


@pytest.mark.parametrize(
    ("text", "attended", "everywhere"),
    [
        ("", "switch", False),
        ("[switch]\npassword = 'x'", "switch", True),
        ("[transfer]\nattended = 'application'", "application", False),
        ("[dialplan]\nscope = 'calls'\ninbound_match = '1'", "application", False),
        ("[dialplan]\nscope = 'calls'\ninbound_match = '1'\n[switch]\npassword = 'x'", None, False),
        (
            "[dialplan]\nscope = 'calls'\ninbound_match = '1'\n[transfer]\nattended = 'switch'",
            "switch",
            False,
        ),
    ],
)
def test_what_follows_from_the_scope(
    tmp_path: Path, text: str, attended: str | None, everywhere: bool
) -> None:
    settings = load_text(tmp_path, text)
    assert settings.attended == (attended or "application")
    assert settings.arms_everywhere is everywhere


def test_a_range_of_ports(tmp_path: Path) -> None:
    text = '[server]\nhome_ports = "8085-8100"'
    assert load_text(tmp_path, text).server.home_ports == (8085, 8100)
    environ = {"FSCTL_SERVER_HOME_PORTS": "1-2"}
    assert load_text(tmp_path, text, **environ).server.home_ports == (1, 2)


@pytest.mark.parametrize("address", ["", "127.0.0.1:1024", "192.0.2.7:65535", "[::1]:9060"])
def test_where_copies_are_to_be_sent(tmp_path: Path, address: str) -> None:
    assert load_text(tmp_path, f'[hep]\nlisten = "{address}"').hep.listen == address
    assert load_text(tmp_path, "", FSCTL_HEP_LISTEN=address).hep.listen == address


def test_secrets_of_the_web_service_come_from_several_places_and_are_never_shown(
    tmp_path: Path,
) -> None:
    key, other = b"k" * 24, b"o" * 32
    (tmp_path / "f").write_text(
        f"whsec_{b64encode(key).decode()}\n{b64encode(other).decode()}\n", encoding="utf-8"
    )
    text = "[decide]\nurl = 'http://decide.example.com/'\nsecret_file = 'f'"
    settings = load_text(tmp_path, text)
    assert settings.decide.secret == (key, other)
    assert "kkk" not in repr(settings) and b64encode(key).decode() not in repr(settings)
    assert load_text(tmp_path, text, FSCTL_DECIDE_SECRET=SECRET).decide.secret != (key, other)
    (warning,) = settings.warnings
    assert "without TLS" in warning
    assert not load_text(tmp_path, text.replace("decide.example.com", "127.0.0.2:80")).warnings


def test_a_wrong_secret_is_not_repeated() -> None:
    with pytest.raises(SettingsError) as caught:
        load(None, {"FSCTL_DECIDE_SECRET": "S3cret"})
    assert "FSCTL_DECIDE_SECRET: must be" in str(caught.value)
    assert "S3cret" not in str(caught.value)


@pytest.mark.parametrize(
    "section", ['[news]\nlines = "/tmp/lines"\n', '[http]\nlisten = "127.0.0.1:8091"\n']
)
def test_what_needs_records_says_so_where_none_are_kept(tmp_path: Path, section: str) -> None:
    (warning,) = load_text(tmp_path, f"[records]\nkeep = false\n{section}").warnings
    assert "has no effect, with [records] keep = false" in warning
    assert not load_text(tmp_path, section).warnings
    assert not load_text(tmp_path, "[records]\nkeep = false\n").warnings
