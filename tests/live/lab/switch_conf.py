"""The laboratory's FreeSWITCH configuration: the smallest that is laid out like the shipped one.

Rendered dialplan files (``fsctl dialplan render``) are laid over it as over any installation:
``dialplan/CONTEXT/*.xml`` is included into the context, ``dialplan/*.xml`` into the dialplan,
``sip_profiles/fsctl_params.xml`` into the profile, ``fsctl_channels.xml`` at top level.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from xml.sax.saxutils import quoteattr

MODULES = (
    "mod_console",
    "mod_logfile",
    "mod_event_socket",
    "mod_sofia",
    "mod_loopback",
    "mod_commands",
    "mod_dptools",
    "mod_expr",
    "mod_hash",
    "mod_dialplan_xml",
    "mod_sndfile",
    "mod_tone_stream",
    "mod_local_stream",
    "mod_conference",
    "mod_valet_parking",
    "mod_fifo",
    "mod_voicemail",
    "mod_callcenter",
)
CONTEXTS = ("public", "default")
PICKUP = "pickup-"
"""Before a channel's uuid: the number by which a phone takes that leg over."""


@dataclass(frozen=True, slots=True)
class SwitchPlan:
    """Everything that differs from one laboratory switch to the next."""

    profile: str
    sip_port: int
    esl_port: int
    esl_password: str
    rtp_first: int
    rtp_last: int
    modules: tuple[str, ...]
    context: str = "public"
    domain: str = "127.0.0.1"
    rtp_ip: str = "127.0.0.1"
    lowest_logged: str = "debug"
    """Nothing less serious is logged; below ``debug`` no SIP message is either."""


def params(values: Mapping[str, str | int]) -> str:
    """``<param>`` lines."""
    return "\n".join(
        f"    <param name={quoteattr(name)} value={quoteattr(str(value))}/>"
        for name, value in values.items()
    )


def _document(plan: SwitchPlan) -> str:
    """The root; the shipped configuration sets the variable ``domain``, too (vars.xml)."""
    return f"""<?xml version="1.0"?>
<document type="freeswitch/xml">
  <X-PRE-PROCESS cmd="set" data="domain={plan.domain}"/>
  <section name="configuration">
    <X-PRE-PROCESS cmd="include" data="autoload_configs/*.xml"/>
  </section>
  <section name="dialplan">
    <X-PRE-PROCESS cmd="include" data="dialplan/*.xml"/>
  </section>
  <section name="directory">
    <X-PRE-PROCESS cmd="include" data="directory/*.xml"/>
  </section>
  {_phrases()}
  <X-PRE-PROCESS cmd="include" data="fsctl_channels.xml"/>
</document>
"""


def _phrases() -> str:
    """A tone for what mod_voicemail says to a caller: without its phrases it ends at once."""
    names = ("voicemail_play_greeting", "voicemail_record_message")
    action = '<action function="play-file" data="tone_stream://%(300,100,440)"/>'
    macros = "".join(
        f'<macro name="{name}"><input pattern="(.*)"><match>{action}</match></input></macro>'
        for name in names
    )
    language = '<language name="en" say-module="en" sound-prefix=".">'
    phrases = f"<phrases><macros>{macros}</macros></phrases>"
    return f'<section name="languages">{language}{phrases}</language></section>'


def _switch(plan: SwitchPlan) -> str:
    settings = params(
        {
            "loglevel": plan.lowest_logged,
            "max-sessions": 2000,
            # the shipped default of 30 refuses calls in a burst
            "sessions-per-second": 1000,
            "rtp-start-port": plan.rtp_first,
            "rtp-end-port": plan.rtp_last,
            "max-db-handles": 20,
        }
    )
    return f"""<configuration name="switch.conf"><settings>
{settings}
</settings></configuration>
"""


_CHANGEABLE: dict[str, str | int] = {
    "inbound-codec-prefs": "PCMU",
    "outbound-codec-prefs": "PCMU",
    "inbound-late-negotiation": "false",
    "full-id-in-dialplan": "false",
}
"""Parameters of the profile that a test may change; these are the laboratory's values."""


def own_params() -> str:
    """A file of profile parameters with the laboratory's values for what tests may change."""
    return f"<include>\n{params(_CHANGEABLE)}\n</include>\n"


def sip_profile(plan: SwitchPlan, name: str, own: Mapping[str, str | int]) -> str:
    """A sofia profile; its ``own`` parameters go before the laboratory's."""
    values: dict[str, str | int] = {
        **_CHANGEABLE,
        "context": plan.context,
        "dialplan": "XML",
        "sip-ip": "127.0.0.1",
        "rtp-ip": plan.rtp_ip,
        "sip-port": plan.sip_port,
        "auth-calls": "false",
        "accept-blind-auth": "true",
        "accept-blind-reg": "true",
        "inbound-codec-negotiation": "generous",
        # without it a leg whose phone sends no RTP stalls playback and bridge
        "rtp-timer-name": "soft",
        "sip-trace": "yes" if plan.lowest_logged == "debug" else "no",
        "manage-presence": "false",
        "nonce-ttl": 60,
        "session-timeout": 0,
        "rfc2833-pt": 101,
        **own,
    }
    everywhere = '<domain name="all" alias="true" parse="false"/>' if name == plan.profile else ""
    return f"""    <profile name="{name}"><aliases/><gateways/>
    <domains>{everywhere}</domains>
    <settings>
{params(values)}
    <X-PRE-PROCESS cmd="include" data="../sip_profiles/fsctl_params.xml"/>
    </settings></profile>
"""


def _sofia(plan: SwitchPlan) -> str:
    return f"""<configuration name="sofia.conf">
  <global_settings>
    <param name="log-level" value="0"/>
  </global_settings>
  <profiles>
{sip_profile(plan, plan.profile, {})}  </profiles>
</configuration>
"""


def _small_configs(plan: SwitchPlan) -> dict[str, str]:
    load = "\n".join(f'    <load module="{name}"/>' for name in plan.modules)
    event_socket = params(
        {
            "listen-ip": "127.0.0.1",
            "listen-port": plan.esl_port,
            "password": plan.esl_password,
            "nat-map": "false",
        }
    )
    return {
        "modules": f"<modules>\n{load}\n</modules>",
        "event_socket": f"<settings>\n{event_socket}\n</settings>",
        "logfile": """<settings/><profiles><profile name="default"><settings>
    <param name="rollover" value="0"/><param name="uuid" value="true"/>
    </settings><mappings><map name="all" value="debug,info,notice,warning,err,crit,alert"/>
    </mappings></profile></profiles>""",
        "console": "<mappings/><settings/>",
        "loopback": '<settings><param name="early-set-loopback-id" value="true"/></settings>',
        "acl": "<network-lists/>",
        "timezones": "<timezones/>",
        "local_stream": "",
        "fifo": '<settings><param name="delete-all-outbound-member-on-startup" value="false"/>'
        "</settings><fifos/>",
        "voicemail": '<settings/><profiles><profile name="default"><param name="file-extension" '
        'value="wav"/><param name="max-record-len" value="300"/></profile></profiles>',
        "callcenter": '<settings/><queues><queue name="support@default"><param name="moh-sound" '
        'value="tone_stream://%(1000,1000,440);loops=-1"/></queue></queues><agents/><tiers/>',
        "conference": """<caller-controls/><profiles><profile name="default">
    <param name="rate" value="8000"/><param name="interval" value="20"/>
    </profile></profiles>""",
    }


def _context(name: str) -> str:
    """A context: what is installed over it comes first, then a native call to a known user."""
    # the preprocessor drops the whole line on which <include> or </include> stands
    return f"""<include>
<context name="{name}">
  <!-- In place of a phone that authenticates: FreeSWITCH sets the variables of its entry. -->
  <extension name="lab_directory" continue="true">
    <condition field="caller_id_number" expression="^29([0-9]{{2}})$">
      <action application="set" data="sip_authorized=true" inline="true"/>
      <action application="set" data="sip_auth_username=21$1" inline="true"/>
      <action application="set" data="sip_auth_realm=127.0.0.1" inline="true"/>
      <action application="set" data="effective_caller_id_number=21$1" inline="true"/>
      <action application="set" data="effective_caller_id_name=Directory $1" inline="true"/>
    </condition>
  </extension>
  <extension name="lab_pickup">
    <condition field="destination_number" expression="^{PICKUP}([0-9a-f-]{{36}})$">
      <action application="intercept" data="$1"/>
    </condition>
  </extension>
  <X-PRE-PROCESS cmd="include" data="{name}/*.xml"/>
  <extension name="lab_native">
    <condition field="destination_number" expression="^([0-9A-Za-z+._-]{{1,64}})$">
      <action application="set" data="hangup_after_bridge=true"/>
      <action application="bridge" data="user/$1@127.0.0.1"/>
    </condition>
  </extension>
</context>
</include>
"""


def directory(plan: SwitchPlan, users: Mapping[str, str]) -> str:
    """The directory: each user with its dial string, no registration needed."""
    rows = "\n".join(
        f'  <user id="{number}"><params>'
        f'<param name="dial-string" value={quoteattr(dial_string)}/>'
        f'</params><variables><variable name="user_context" value="{plan.context}"/>'
        "</variables></user>"
        for number, dial_string in sorted(users.items())
    )
    return f"""<include>
<domain name="{plan.domain}"><groups><group name="lab"><users>
{rows}
</users></group></groups></domain>
</include>
"""


def files(plan: SwitchPlan) -> dict[str, str]:
    """Every file of the configuration, by its path below the ``conf`` directory."""
    configs = {
        f"autoload_configs/{name}.conf.xml": f'<configuration name="{name}.conf">\n{body}\n'
        "</configuration>\n"
        for name, body in _small_configs(plan).items()
    }
    contexts = {f"dialplan/{name}.xml": _context(name) for name in CONTEXTS}
    return {
        "freeswitch.xml": _document(plan),
        "autoload_configs/switch.conf.xml": _switch(plan),
        "autoload_configs/sofia.conf.xml": _sofia(plan),
        "directory/lab.xml": directory(plan, {}),
        **configs,
        **contexts,
    }


def modules_available(binary: Path) -> tuple[str, ...]:
    """The wanted modules that exist for this ``freeswitch`` binary; all when we cannot tell."""
    prefix = binary.resolve().parent.parent
    for folder in (prefix / "lib/freeswitch/mod", prefix / "lib64/freeswitch/mod", prefix / "mod"):
        if folder.is_dir():
            return tuple(name for name in MODULES if (folder / f"{name}.so").exists())
    return MODULES
