"""A running session, floor above floor: core, calling, transfers, arrivals.

Imports go down only, those for types included (``tests/unit/test_layers.py``). The way of a REFER
whose target is busy, from its transferee's link to its NOTIFY, as FILE.FUNCTION:

- ``switchboard.handle``, ``legs.transfer_request``: the transferee has come home, and is asked what
  the REFER was (``refer_variables.read_request``).
- ``blind_registry.begin``: a transfer begins; ``engine.set_deadline``.
- ``refer_variables.parse``, ``judging.permit_asking``: what it asks for, and whether it may.
- ``legs._ask``: the scenario decides, or the web service, or ``legs._transfer_by_settings``.
- ``bridged.connect``, ``course.begin``, ``plan.plan``: who is called where, seeing whom; the policy
  is asked for each (``judging.permit``).
- ``bridged.start``, ``dial.commands``, ``invite.invite``: FreeSWITCH calls the target.
- ``blind_run.feed``, ``blind.step``: the table knows that it rings.
- ``events.take``, ``bridge_returns.returned``, ``safe_answers.not_reached``: nobody was reached.
- ``blind.fail``, ``blind_run.feed``, ``blind_truth.asks``, ``meanwhile.look``: has somebody else
  told the transferor meanwhile?
- ``blind_truth.in_truth``, ``engine.feed``, ``blind.step``, ``blind_acts.send``: the first two are
  joined again.
- ``events._bridge``, ``blind_registry.bridged``, ``blind.bridged``, ``blind_run.feed``,
  ``engine.feed``, ``blind_acts.send``: they are.
- ``reporter.tell``, ``notify.report``: the one NOTIFY; ``record.conclude``: the one record.
"""
