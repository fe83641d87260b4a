"""How Sphinx builds these pages. Nothing is fetched: there is no intersphinx and no web font."""

from __future__ import annotations

import re
import sys
from importlib.metadata import version as version_of
from pathlib import Path

from docutils import nodes
from sphinx.addnodes import pending_xref
from sphinx.application import Sphinx

sys.path.insert(0, str(Path(__file__).parent))
import drawing

from fsctl.transfer.diagram import SECTIONS

project = "fsctl"
author = copyright = "the authors of fsctl"
version = release = version_of("fsctl")

extensions = ["myst_parser", "sphinx.ext.autodoc"]
source_suffix = {".md": "markdown"}

myst_heading_anchors = 3

autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
add_module_names = False
toc_object_entries_show_parents = "hide"
maximum_signature_line_length = 96
python_display_short_literal_types = True

html_theme = "furo"
html_title = f"fsctl {release}"
html_copy_source = False
html_show_sphinx = False
html_static_path = ["_static"]
html_css_files = ["fsctl.css"]
pygments_style = "friendly"

_NAME = re.compile(r"(?:(session|call|scenario|Timer)\.)?(\w+(?:\.\w+)*)")
_OWNERS = {
    "session": "fsctl.scenario.Session.",
    "call": "fsctl.scenario.Call.",
    "scenario": "fsctl.scenario.Scenario.",
    "Timer": "fsctl.session.core.clock.Timer.",
}


def link_names(app: Sphinx, doctree: nodes.document) -> None:
    """On the page of VoxEngine's names: our names in tables lead to the reference."""
    if app.env.docname != "voxengine":
        return
    for table in doctree.findall(nodes.table):
        if len(list(table.findall(nodes.colspec))) == 3:
            table["classes"].append("names")
    for row in doctree.findall(nodes.row):
        for literal in list(row.children[1].findall(nodes.literal)) if len(row) > 1 else []:
            found = _NAME.match(literal.astext())
            if found is None:
                continue
            owner, name = found.groups()
            link = pending_xref(
                "",
                refdomain="py",
                reftype="obj",
                reftarget=_OWNERS.get(owner, "fsctl.scenario.") + name,
                refexplicit=True,
                refwarn=False,
                refdoc="voxengine",
            )
            literal.replace_self(link)
            link += literal


def draw_states(app: Sphinx, doctree: nodes.document) -> None:
    """The diagrams of transfers are Mermaid's, for readers of the file; here they are pictures."""
    diagrams = [
        block
        for block in doctree.findall(nodes.literal_block)
        if block.get("language") == "mermaid"
    ]
    if not diagrams:
        return
    for block, section in zip(diagrams, SECTIONS, strict=True):
        legend = (
            "Green leads to success, red to failure. Dashed: a party or the session leaves. "
            "The words of every arrow stand in the table; point at it to read them."
        )
        picture = nodes.raw("", drawing.svg(section), format="html")
        block.replace_self([picture, nodes.paragraph("", legend, classes=["legend"])])


def setup(app: Sphinx) -> None:
    """Nothing is fetched for the pages, and no script draws them."""
    app.connect("doctree-read", link_names)
    app.connect("doctree-read", draw_states)
