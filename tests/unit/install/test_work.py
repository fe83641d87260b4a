"""``fsctl install`` and ``uninstall`` on a small FreeSWITCH: what is on the disk, and what runs."""

from __future__ import annotations

import os
from dataclasses import replace

import pytest

from fsctl.errors import InstallError
from fsctl.install import work
from fsctl.settings import Dialplan
from tests.unit.install.site import SETTINGS

LINE = b'<X-PRE-PROCESS cmd="include" data="fsctl_params.xml"/>'
INTERNAL = "sip_profiles/internal.xml"
DIALPLAN = "dialplan/fsctl.xml"


@pytest.mark.parametrize("is_up", [True, False], ids=["up", "down"])
def test_what_is_installed_runs_and_what_is_uninstalled_leaves_no_trace(site, is_up):
    before, switch = site.tree(), site.switch
    did = {name: dict(found) for name, found in switch.parameters.items()}
    site.switch = switch if is_up else None
    assert site.install() == work.DONE
    assert (site.conf / INTERNAL).read_bytes().count(LINE) == 1
    assert (site.conf / "sip_profiles/external.xml").read_bytes().count(LINE) == 1
    assert (site.etc / "pw").stat().st_mode & 0o777 == 0o600
    assert ("Not verified: it does not answer" in site.text) == (not is_up)
    if is_up:
        assert switch.parameters["internal"]["fire-transfer-events"] == "true"
        assert switch.told[-4:] == ["reloadxml", "reloadxml", "rescan external", "rescan internal"]

    installed = site.tree()
    assert site.install() == work.DONE
    assert site.tree() == installed
    assert "nothing to change" in site.said[-2]

    assert site.uninstall() == work.DONE
    assert site.tree() == before
    if is_up:
        # What the operator had set counts again, the rest as sofia does by itself.
        defaults = {"fire-transfer-events": "false", "pass-callee-id": "true"}
        assert {**defaults, **did["internal"]}.items() <= switch.parameters["internal"].items()
        assert switch.parameters["internal"]["rtp-timer-name"] == "soft"
    assert site.uninstall() == work.DONE and "not installed" in site.said[-1]
    assert site.tree() == before


def test_a_dry_run_shows_every_byte_but_secrets_and_writes_nothing(site):
    before = site.tree()
    assert site.install(dry_run=True) == work.DONE
    assert site.tree() == before and not site.switch.told
    assert f"+    {LINE.decode()}\n" in site.text and "secret" not in site.text
    assert '+  <context name="fsctl_refer">' in site.text
    site.install()
    installed = site.tree()
    assert site.uninstall(dry_run=True) == work.DONE
    assert site.tree() == installed


def test_nothing_is_written_without_consent(site):
    before = site.tree()
    site.answer = False
    assert site.install() == work.NOT_DONE
    assert site.tree() == before and not site.switch.told


def test_other_settings_and_install_again_is_an_upgrade(site):
    before = site.tree()
    site.install()
    first = site.tree()
    site.scope_calls()
    assert site.install() == work.DONE
    assert (site.conf / "dialplan/default/00_fsctl.xml").exists()
    site.settings = SETTINGS
    assert site.install() == work.DONE
    assert site.tree() == first
    assert site.uninstall() == work.DONE
    assert site.tree() == before


def test_a_context_of_its_own_is_armed_where_there_is_no_switch_in_the_settings(site):
    before = site.tree()
    contexts = Dialplan(inbound_contexts=("default", "elsewhere"))
    site.settings = replace(SETTINGS, switches=(), dialplan=contexts)
    assert site.install() == work.BY_HAND
    assert f"Add in {site.conf}/dialplan/elsewhere.xml" in site.text
    assert 'data="elsewhere/*.xml"/>' in site.said[-1]
    assert site.uninstall() == work.DONE
    assert site.tree() == before


# -- files that others have edited


def test_what_was_edited_since_is_kept_and_named_and_our_line_taken_out(site):
    site.install()
    (site.conf / DIALPLAN).write_bytes(b"<include><!-- mine --></include>\n")
    site.edit(INTERNAL, "<aliases/>", "<aliases/><!-- mine -->")
    site.edit(INTERNAL, f"    {LINE.decode()}\n", f"\t{LINE.decode()} \r\n")
    (site.etc / "fsctl.toml").write_bytes(b"[switch]\n")
    assert site.install() == work.BY_HAND
    assert f"{site.conf / DIALPLAN}: has been edited" in site.text
    site.said.clear()
    assert site.uninstall() == work.DONE
    for name in (DIALPLAN, INTERNAL):
        assert f"{site.conf / name}: has been edited since" in site.text
    for name in ("fsctl.toml", "pw"):
        assert f"{site.etc / name}: is kept, for {site.etc}/fsctl.toml has been" in site.text
    internal = (site.conf / INTERNAL).read_bytes()
    assert b"fsctl" not in internal and b"<!-- mine -->" in internal
    assert not (site.conf / ".fsctl").exists() and (site.etc / "pw").exists()
    assert (site.etc / "fsctl.toml").read_bytes() == b"[switch]\n"


def test_what_lay_there_before_comes_back(site):
    (site.conf / DIALPLAN).write_bytes(b"<include>\n<!-- older -->\n</include>\n")
    (site.conf / DIALPLAN).chmod(0o640)
    before = site.tree()
    assert site.install() == work.DONE
    assert b"older" not in (site.conf / DIALPLAN).read_bytes()
    assert site.uninstall() == work.DONE
    assert site.tree() == before


def test_a_line_that_is_there_already_is_nobody_elses(site):
    site.edit(INTERNAL, "  </settings>", f"    {LINE.decode()}\n  </settings>")
    before = site.tree()
    assert site.install("internal") == work.DONE
    assert (site.conf / INTERNAL).read_bytes().count(LINE) == 1
    assert site.uninstall() == work.DONE
    assert site.tree() == before


def test_a_link_stays_a_link_and_an_owner_an_owner(site, tmp_path):
    real = tmp_path / "elsewhere.xml"
    (site.conf / INTERNAL).rename(real)
    (site.conf / INTERNAL).symlink_to("../../elsewhere.xml")
    real.chmod(0o640)
    if os.geteuid() == 0:
        os.chown(real, 1234, 2345)
        os.chown(site.conf / "dialplan", 1234, 2345)
    before, state = site.tree(), real.stat()
    assert site.install() == work.DONE
    now = real.stat()
    assert (now.st_mode, now.st_uid, now.st_gid) == (state.st_mode, state.st_uid, state.st_gid)
    assert real.read_bytes().count(LINE) == 1 and (site.conf / INTERNAL).is_symlink()
    if os.geteuid() == 0:
        assert (site.conf / DIALPLAN).stat().st_uid == 1234
    assert site.uninstall() == work.DONE
    assert site.tree() == before


# -- layouts of other people


def test_a_profile_without_settings_gets_its_line_by_hand(site):
    site.edit(INTERNAL, "<settings>", "<settings/>\n  <!-- <settings> -->\n  <others>")
    site.edit(INTERNAL, "</settings>", "</others>")
    site.edit("freeswitch.xml", "dialplan/*.xml", "dialplan/d*.xml")
    before = (site.conf / INTERNAL).read_bytes()
    assert site.install() == work.BY_HAND
    assert f"{site.conf / INTERNAL}: <settings/> is empty there. Add, as the last" in site.text
    assert f"does not read {site.conf / DIALPLAN}. Add in {site.conf}/freeswitch.xml" in site.text
    assert (site.conf / INTERNAL).read_bytes() == before


def test_a_profile_that_is_not_there_is_a_slip_of_the_pen(site):
    with pytest.raises(InstallError, match="--profile intrenal: there are external, internal"):
        site.install("intrenal")
    assert site.install("internal") == work.DONE
    assert LINE not in (site.conf / "sip_profiles/external.xml").read_bytes()


LUA = """<configuration name="lua.conf"><settings>
<!-- <param name="xml-handler-script" value="no.lua"/> -->
<param name="xml-handler-script" value="app.lua xml_handler"/>
<param name="xml-handler-bindings" value="configuration,dialplan,directory,languages"/>
</settings></configuration>
"""
CURL = """<configuration name="xml_curl.conf"><bindings><binding name="x">
<param name="gateway-url" value="http://127.0.0.1/fs" bindings="{}"/>
</binding></bindings></configuration>
"""


@pytest.mark.parametrize("is_up", [True, False], ids=["up", "down"])
@pytest.mark.parametrize(
    ("module", "file", "text", "said"),
    [
        ("lua", "lua.conf.xml", LUA, "FusionPBX answers for"),
        ("lua", "lua.conf.xml", LUA.replace("app.lua xml_handler", "dp.lua"), "Lua script dp.lua"),
        ("xml_curl", "xml_curl.conf.xml", CURL.format("dialplan"), "asks http://127.0.0.1/fs for"),
        ("xml_curl", "xml_curl.conf.xml", CURL.format(""), "asks http://127.0.0.1/fs for"),
    ],
)
def test_where_others_answer_for_freeswitch_nothing_dead_is_written(
    site, module, file, text, said, is_up
):
    path = site.conf / "autoload_configs" / file
    path.write_text(text)
    assert site.install(dry_run=True) == work.DONE, "the module is not loaded"
    site.switch.modules.add(f"mod_{module}")
    if not is_up:
        site.edit(
            "autoload_configs/modules.conf.xml",
            "<modules>",
            f'<modules>\n    <load module="mod_{module}"/>',
        )
        site.switch = None
    before = site.tree()
    assert site.install() == work.BY_HAND
    assert site.tree() == before
    assert said in site.text and "fsctl_params.xml: " in site.text


def test_who_answers_for_the_users_only_is_no_obstacle(site):
    (site.conf / "autoload_configs/xml_curl.conf.xml").write_text(CURL.format("directory"))
    site.switch.modules.add("mod_xml_curl")
    assert site.install() == work.DONE


# -- what goes wrong


def test_a_configuration_that_was_broken_before_is_not_touched(site):
    site.install()
    site.uninstall()
    before = site.tree()
    site.edit("dialplan/public.xml", "</context>", "</contxt>")
    broken = site.tree()
    with pytest.raises(InstallError, match="refuses its configuration as it is, without fsctl"):
        site.install()
    assert site.tree() == broken != before


def test_a_refused_reload_is_undone(site):
    before = site.tree()
    site.switch.refuses = ["", "error near line 7"]
    with pytest.raises(InstallError, match=r"error near line 7\. Everything is as it was before$"):
        site.install()
    assert site.tree() == before
    assert site.switch.told == ["reloadxml"] * 3, "no profile has seen anything"


def test_what_does_not_run_is_undone_with_the_parameters(site):
    before = site.tree()
    site.switch.locate = lambda what: "can't find anything\n"
    with pytest.raises(InstallError, match="does not run what was written: the dialplan's context"):
        site.install()
    assert site.tree() == before
    assert site.switch.parameters["internal"]["fire-transfer-events"] == "false"
    assert site.switch.parameters["internal"]["rtp-timer-name"] == "soft"


def test_two_at_once_is_one_too_many(site):
    before = site.tree()
    with work.Disk(site.conf).alone(), pytest.raises(InstallError, match="another fsctl"):
        site.install()
    assert site.tree() == before


def test_a_running_controller_is_not_left_without_its_dialplan(site, monkeypatch):
    monkeypatch.setattr(work, "_LIVING_S", 0.0)
    site.install()
    installed = site.tree()
    site.switch.variables["fsctl_living_127.0.0.1:8084"] = "yes"
    with pytest.raises(InstallError, match=r"a controller is running \(127.0.0.1:8084\)"):
        site.uninstall()
    assert site.tree() == installed
    del site.switch.variables["fsctl_living_127.0.0.1:8084"]
    armed = ("confirm_blind_transfer", "force_transfer_dialplan", "force_transfer_context")
    for name, value in zip(armed, ("true", "XML", "fsctl_refer"), strict=True):
        site.switch.variables[name] = value
    assert site.uninstall() == work.DONE
    assert site.switch.told[-3:] == [f"unset {name}" for name in armed]


@pytest.mark.parametrize("content", [b"{", b"[]", b'{"version": 2}', b'{"version": 1}'])
def test_a_manifest_that_cannot_be_read_is_an_error(site, content):
    site.install()
    (site.conf / ".fsctl/manifest.json").write_bytes(content)
    before = site.tree()
    with pytest.raises(InstallError, match=r"manifest\.json: is "):
        site.uninstall()
    assert site.tree() == before


def test_nothing_in_what_is_shown_controls_a_terminal(site):
    site.edit(INTERNAL, "  </settings>", "    <!-- \x1b[2J\u202e -->\n  </settings>")
    assert site.install(dry_run=True) == work.DONE
    assert "\x1b" not in site.text and "\\x1b[2J\\u202e" in site.text


def test_without_a_profile_there_is_nothing_to_install(site):
    before = site.tree()
    site.switch.parameters.clear()
    with pytest.raises(InstallError, match="no sofia profile runs"):
        site.install()
    assert site.tree() == before
