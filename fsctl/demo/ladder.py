"""A SIP ladder in the terminal, in the manner of sngrep: a column a party, time downwards."""

from __future__ import annotations

from collections.abc import Sequence

from fsctl.simulator import SipMessage

_TIME_WIDTH = 8
_SWITCH_AT = 1
"""The switch stands between the caller and everybody else."""


class Ladder:
    """Draws messages between phones and the switch; ``names`` are the phones, the caller first."""

    def __init__(self, names: Sequence[str], width: int = 100) -> None:
        columns = [*names[:_SWITCH_AT], "FreeSWITCH", *names[_SWITCH_AT:]]
        self._names = columns
        self._gap = max(16, (width - _TIME_WIDTH - 2) // len(columns))

    def head(self) -> str:
        """The names over their lines."""
        line = "".join(name.center(self._gap) for name in self._names)
        return " " * _TIME_WIDTH + line.rstrip() + "\n" + self._row("", self._lines())

    def message(self, name: str, message: SipMessage, since_s: float) -> str:
        """One arrow: from phone ``name`` to the switch or back."""
        column = self._names.index(name)
        from_switch = message.direction == "in"
        cells = self._lines()
        low, high = sorted((self._at(column), self._at(_SWITCH_AT)))
        label = self._label(message)[: high - low - 5]
        arrow = f" {label} ".center(high - low - 1, "─")
        to_right = (column > _SWITCH_AT) == from_switch
        arrow = arrow[:-1] + ">" if to_right else "<" + arrow[1:]
        cells[low + 1 : high] = list(arrow)
        return self._row(f"{since_s:7.3f}", cells)

    def note(self, text: str) -> str:
        """A line between messages."""
        return self._row("", self._lines()) + f"   {text}"

    def _label(self, message: SipMessage) -> str:
        if message.status:
            return f"{message.status} {message.reason}"
        if message.method == "NOTIFY":
            return "NOTIFY " + message.body.strip().removeprefix("SIP/2.0 ")
        if message.method == "REFER":
            target = message.header("Refer-To").strip("<>").removeprefix("sip:")
            return f"REFER {target.partition('@')[0]}"
        return message.method

    def _at(self, column: int) -> int:
        return column * self._gap + self._gap // 2

    def _lines(self) -> list[str]:
        cells = [" "] * (len(self._names) * self._gap)
        for column in range(len(self._names)):
            cells[self._at(column)] = "│"
        return cells

    @staticmethod
    def _row(time: str, cells: list[str]) -> str:
        return time.rjust(_TIME_WIDTH - 1) + " " + "".join(cells).rstrip()
