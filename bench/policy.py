"""What the policy costs for one transfer, beside the reading of its REFER; see README.md."""

from __future__ import annotations

import argparse
import timeit
from collections.abc import Callable
from datetime import datetime
from itertools import count

from fsctl.policy.judge import Asking, Request, judge
from fsctl.policy.numbers import Destination, _by_plan, _emergency
from fsctl.policy.parties import FACTS, party
from fsctl.service.shared import Shared, make_shared
from fsctl.setting_policy import Policy, Rule
from fsctl.sip.refer import parse_refer_to

REFER_TO = '"Carol" <sip:0030123456@pbx.example.com;user=phone?X-Ticket=4711>'
KNOWN = {
    "direction": "inbound",
    "sip_authorized": "true",
    "sip_auth_username": "1001",
    "sip_auth_realm": "pbx.example.com",
}
RULES = 100


def candidates() -> list[tuple[str, Callable[[], object]]]:
    """What is compared: the first is what any transfer costs before somebody may be asked."""
    policy = Policy(country="DE", outside_prefix="0")
    facts = {name: KNOWN.get(name) for name in FACTS}
    inside = party(facts, policy)
    asked, at = Asking(inside, inside, "blind"), datetime.now()
    rules = tuple(
        Rule(f"rule{n}", by=(f"user:2{n:03}",), to=(f"prefix:00{n}",)) for n in range(RULES)
    )
    known, numbers = Destination("0030123456"), count(30_000_000)
    counts = Shared(make_shared()).counts()

    def never_seen() -> None:
        _by_plan.cache_clear()
        _emergency.cache_clear()
        judge(Request(asked, Destination(f"00{next(numbers)}"), at), policy, ())

    return [
        ("the Refer-To is parsed", lambda: parse_refer_to(REFER_TO)),
        ("who a party is, by its variables", lambda: party(facts, policy)),
        ("it is counted, over all workers", lambda: counts.add("1001@pbx.example.com", "one")),
        ("judged, the number is known", lambda: judge(Request(asked, known, at), policy, ())),
        (
            f"judged, behind {RULES} rules",
            lambda: judge(Request(asked, known, at), policy, rules),
        ),
        ("judged, the number is new", never_seen),
    ]


def main() -> None:
    """Measure and print one table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=1000, help="decisions for each candidate")
    rounds = parser.parse_args().rounds
    base = 0.0
    for name, call in candidates():
        call()  # what is imported or read at the first time is no part of it
        seconds = min(timeit.repeat(call, number=rounds, repeat=5)) / rounds
        base = base or seconds
        print(f"{name:34} {seconds * 1e6:8.1f} us   x {seconds / base:5.1f}")


if __name__ == "__main__":
    main()
