"""Where a line goes in, in files as people have them, and that nothing else changes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fsctl.dialplan import CHANNELS, PARAMETERS
from fsctl.install import xml_text

LINE = xml_text.line_including("fsctl_params.xml")
PARAM = '<param name="debug" value="0"/>'


def put(text: str, profile: str = "internal") -> str:
    """The text with the line, or why it has none."""
    place = xml_text.place_in_profile(text, profile, PARAMETERS)
    if place.at is None:
        return place.problem
    if place.there:
        return "there"
    where, inserted = xml_text.insertion(text, place.at, LINE)
    after = text[:where] + inserted + text[where:]
    assert xml_text.without_all(after, [inserted]) == text
    assert xml_text.place_in_profile(after, profile, PARAMETERS).there
    return after.replace(inserted, f"[{inserted}]")


def profile(inside: str, name: str = "internal") -> str:
    return f'<profile name="{name}">{inside}</profile>'


@pytest.mark.parametrize(
    ("text", "after"),
    [
        # indentation, line ends, no last line end, a mark at the front, other encodings
        (profile(f"\n  <settings>\n    {PARAM}\n  </settings>\n"), f"{PARAM}\n[    {LINE}\n]  </s"),
        (profile(f"\n\t<settings>\n\t\t{PARAM}\n\t</settings>"), f"{PARAM}\n[\t\t{LINE}\n]\t</s"),
        (profile(f"\r\n<settings>\r\n{PARAM}\r\n</settings>"), f"{PARAM}\r\n[  {LINE}\r\n]</s"),
        (profile("\n<settings>\n</settings>\n"), f"<settings>\n[  {LINE}\n]</settings>"),
        ("\xef\xbb\xbf" + profile("\n <settings>\n </settings>\n"), f"ngs>\n[   {LINE}\n] </set"),
        (profile("<!-- \xfc\x80 -->\n<settings>\n</settings>\n"), f"ngs>\n[  {LINE}\n]</settings>"),
        # all in one line: FreeSWITCH drops the rest of a line with a directive
        (profile(f"<settings>{PARAM}</settings>"), f"{PARAM}[\n{LINE}\n]</settings>"),
        (profile(f"\r\n<settings>{PARAM}</settings>"), f"{PARAM}[\r\n{LINE}\r\n]</settings>"),
        # what is a comment, or only looks like a tag
        (profile("<!-- <settings> </settings> --><settings>\n</settings>"), f"\n[  {LINE}\n]</set"),
        (
            profile("<settings>\n<!-- </settings>\n-->\n</settings>"),
            f"-->\n[  {LINE}\n]</settings>",
        ),
        (profile("<settings>\n<a b='</settings>'/>\n</settings>"), f"'/>\n[  {LINE}\n]</settings>"),
        (
            profile("<settings><![CDATA[</settings>]]>\n</settings>"),
            f"]]>\n[  {LINE}\n]</settings>",
        ),
        # of several the first; not that of somebody else
        (
            profile("<settings>\n</settings><settings>\n</settings>"),
            f"gs>\n[  {LINE}\n]</settings><",
        ),
        (
            profile("<settings>\n</settings>", "a") + profile("<settings>\n</settings>"),
            f'</settings></profile><profile name="internal"><settings>\n[  {LINE}\n]</settings>',
        ),
        (
            profile("<gateway><settings>\n</settings></gateway><settings>\n</settings>"),
            f"</gateway><settings>\n[  {LINE}\n]</settings>",
        ),
        (
            '<configuration name="skinny.conf">'
            + profile("<settings>\n</settings>")
            + '</configuration><configuration name="sofia.conf">'
            + profile("<settings>\n</settings>")
            + "</configuration>",
            f'"sofia.conf"><profile name="internal"><settings>\n[  {LINE}\n]</settings>',
        ),
        # there already, by whatever path, commented out or not: a directive knows no comment
        (profile(f"<settings>\n{LINE}\n</settings>"), "there"),
        (profile(f"<settings>\n<!-- {LINE} -->\n</settings>"), "there"),
        (
            profile(
                '<settings>\n<X-pre-process cmd="include" data="../x/fsctl_params.xml" />\n'
                "</settings>"
            ),
            "there",
        ),
        (profile(f"{LINE}\n<settings>\n</settings>"), f"\n[  {LINE}\n]</settings>"),
        (
            profile(f"<settings>\n<!--\n{LINE}\n-->\n</settings>"),
            f"a comment holds a line that includes {PARAMETERS}",
        ),
        # nowhere
        (profile("<settings/>"), "<settings/> is empty there"),
        (profile("<settings>"), "<settings> has no end there"),
        ("</x>" + profile("<settings>"), "</x> has no beginning there"),
        ('<profile name="internal"><settings>', "<settings> has no end there"),
        (profile("<gateways/>"), "it has no <settings> there"),
        (profile("<settings>\n</settings>", "other"), "it has no <settings> there"),
        ("<!-- " + profile("<settings>\n</settings>"), "it has no <settings> there"),
        ("", "it has no <settings> there"),
        (profile("<settings>\n").encode("utf-16").decode("latin-1"), "it has no <settings> there"),
    ],
)
def test_the_line_stands_alone_and_last_in_the_profiles_settings(text: str, after: str) -> None:
    assert after in put(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("<document>\n  <section/>\n</document>\n", 24),
        ("<document>\n  <!-- </document> -->\n</document>", 34),
        ("<document><document></document></document>", "there is no <document> with an end"),
        ("<document>", "there is no <document> with an end"),
        ("<!-- <document></document> -->", "there is no <document> with an end"),
        ('<document>\n<X-PRE-PROCESS cmd="include" data="fsctl_channels.xml"/></document>', True),
    ],
)
def test_the_channels_stand_beside_the_sections(text: str, expected: int | str | bool) -> None:
    place = xml_text.place_in_document(text, CHANNELS)
    assert expected in (place.at, place.problem, place.there)


PIECES = st.sampled_from(
    [
        "<settings>",
        "</settings>",
        "<settings/>",
        "\n",
        "\r\n",
        "  ",
        "\t",
        PARAM,
        "<!--",
        "-->",
        '<profile name="internal">',
        "</profile>",
        LINE,
        "<![CDATA[",
        "]]>",
        "\xe4",
        "x>",
        '"',
    ]
)


@given(st.lists(PIECES, max_size=30).map("".join))
def test_whatever_it_is_only_a_line_is_added_and_it_can_be_taken_out(text: str) -> None:
    place = xml_text.place_in_profile(text, "internal", PARAMETERS)
    assert (place.at is None) == bool(place.problem)
    if place.at is None or place.there:
        return
    where, inserted = xml_text.insertion(text, place.at, LINE)
    after = text[:where] + inserted + text[where:]
    assert after.splitlines().count(inserted.strip("\r\n")) > text.splitlines().count(
        inserted.strip("\r\n")
    )
    if LINE not in text:
        assert xml_text.without_all(after, [inserted]) == text
