"""Makes the tables of ``dialplan/README.md`` (``python -m fsctl.switch.marks_tables``)."""

from __future__ import annotations

from pathlib import Path

from fsctl.switch.marks import Mark, Stage

README = Path(__file__).parents[2] / "dialplan" / "README.md"
_HEADS = {
    "stages": (Stage, "`fsctl_stage`", "when no controller holds the leg any more"),
    "marks": (Mark, "variable", "meaning"),
}


def with_tables(text: str) -> str:
    """Return the page ``text`` with its tables made anew, between their markers."""
    for name, (words, first, last) in _HEADS.items():
        begin, end = f"<!-- {name} -->\n", f"<!-- end of {name} -->"
        before, _, rest = text.partition(begin)
        rows = [f"| {first} | set by | {last} |", "|---|---|---|"]
        rows += [f"| `{word}` | {word.set_by} | {word.meaning} |" for word in words]
        text = f"{before}{begin}" + "\n".join(rows) + f"\n{end}{rest.partition(end)[2]}"
    return text


if __name__ == "__main__":
    README.write_text(with_tables(README.read_text(encoding="utf-8")), encoding="utf-8")
