"""Transfer screening: a list says who may transfer whom where; all else is refused (603).

The first rule that fits decides. ``*`` and ``?`` stand for any characters, as in file names.
"""

from dataclasses import dataclass
from fnmatch import fnmatchcase

from fsctl.scenario import BlindTransferRequested, Scenario


@dataclass(frozen=True)
class Rule:
    transferor: str
    transferee: str
    target: str
    refusal: str = ""
    """The phrase that the transferor is told; empty: the transfer is allowed."""


RULES = (
    Rule("*", "*", "00*", refusal="No calls abroad"),
    Rule("1001", "*", "*"),  # the reception
    Rule("1???", "*", "1???"),  # colleagues among themselves
    Rule("*", "*", "*", refusal="You may not transfer there"),
)

scenario = Scenario()


@scenario.on(BlindTransferRequested)
def requested(event: BlindTransferRequested) -> None:
    refusal = refusal_of(event.call.number, event.transferee.number, event.transfer_to)
    if refusal:
        event.call.notify_blind_transfer_failed(603, refusal)
    else:
        event.session.connect(event.transferee, event.refer_to.target)


def refusal_of(transferor: str, transferee: str, target: str) -> str:
    """Why not; empty when they may."""
    for rule in RULES:
        if (
            fnmatchcase(transferor, rule.transferor)
            and fnmatchcase(transferee, rule.transferee)
            and fnmatchcase(target, rule.target)
        ):
            return rule.refusal
    return "You may not transfer there"
