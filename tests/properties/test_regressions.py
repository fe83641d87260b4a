"""Stories in which something went wrong once, each as it was found and shrunk."""

from __future__ import annotations

import pytest

from tests.properties.player import Violation, play
from tests.properties.stories import Leaves, Move, Story


@pytest.mark.parametrize("end", ["dies", "is terminated"])
@pytest.mark.parametrize("by", ["bob", "alice"])
def test_the_controller_goes_while_the_target_of_a_legacy_transfer_rings(by: str, end: str) -> None:
    """The transferee was hung up with the target's cause, its transferor parked and never told."""
    play(Story("legacy", "answers", "busy", (Move("refers", by, "dave"), Move(end))))


@pytest.mark.parametrize("by", ["bob", "alice"])
def test_early_media_is_no_success_of_a_legacy_transfer(by: str) -> None:
    """FreeSWITCH reports success when ``bridge`` returns, which it did at 183."""
    play(Story("legacy", "early media, then busy", "busy", (Move("refers", by, "carol"),)))


def test_early_media_is_no_success_when_no_controller_is_there() -> None:
    moves = (Move("dies"), Move("refers", "bob", "carol"))
    play(Story("legacy", "early media, then busy", "busy", moves))


@pytest.mark.parametrize("target", ["rings", "busy", "answers and leaves"])
def test_an_orderly_end_while_the_target_of_a_scenario_rings(target: str) -> None:
    """The transferee kept its ringback for ever, and the transferor was never told."""
    play(Story("sample", "busy", target, (Move("refers", "bob", "dave"), Move("is terminated"))))


@pytest.mark.parametrize("turns", range(14, 30, 2))
def test_an_orderly_end_while_the_first_two_are_joined_again(turns: int) -> None:
    """The report of failure was to follow the join, and did not."""
    moves = (Move("refers", "bob", "nobody"), Move("is terminated", turns=turns))
    play(Story("sample", "rings", "busy", moves))


@pytest.mark.parametrize("turns", range(9, 14))
def test_an_orderly_end_while_the_first_two_are_joined_to_talk_on(turns: int) -> None:
    """They talked on, and the transferor was never told."""
    moves = (Move("refers", "bob", "carol"), Move("is terminated", turns=turns))
    play(Story("keep", "answers", "busy", moves))


def test_a_controller_dies_while_its_own_call_rings_and_the_caller_is_served_all_the_same() -> None:
    """The simulated link of a running ``bgapi`` ended by the wall's clock, not by its own."""
    play(Story("sample", "busy", "busy", (Move("dies"),), talking=False))


@pytest.mark.parametrize("late", ["HANGUP", "BRIDGE"])
@pytest.mark.parametrize("target", ["answers and leaves", "answers and leaves soon"])
def test_the_transferee_is_back_before_the_news_that_its_target_has_left(
    target: str, late: str
) -> None:
    """It was left in silence: its transfer was open still, for its transferor had not gone."""
    moves = (
        Move("delays", "", f"event CHANNEL_{late}", seconds=0.2),
        Move("delays", "", f"event CHANNEL_{late}", seconds=0.2),
        Move("refers", "bob", "carol"),
    )
    play(Story("sample", target, "busy", moves))


def wrong_in(story: Story) -> str:
    """What is wrong at its end, without what is known to be."""
    try:
        play(story, strict=True)
    except Violation as violation:
        return str(violation)
    return ""


def test_a_controller_dies_while_the_target_of_a_scenario_rings() -> None:
    moves = (Move("refers", "bob", "dave"), Move("dies"))
    assert not wrong_in(Story("sample", "busy", "busy", moves))


def test_a_blind_transfer_crosses_an_attended_one() -> None:
    moves = (
        Move("consults", "bob", "carol"),
        Move("transfers to the one consulted", "bob"),
        Move("refers", "alice", "carol"),
    )
    assert not wrong_in(Story("legacy", "early media, then answers", "busy", moves))


def test_a_second_transfer_in_the_sample_by_the_party_that_was_transferred() -> None:
    """The sample joins every target with the first caller: refused, and the two talk on."""
    moves = (Move("refers", "alice", "carol"), Move("refers", "bob", "dave", seconds=0.5))
    wrong = wrong_in(Story("sample", "answers", "answers", moves))
    assert "cannot talk with another one" in wrong or "handler of Connected failed" in wrong
    assert "silence" not in wrong and "carol" not in wrong.partition("Story")[0]


@pytest.mark.parametrize("turns", range(2, 7))
def test_an_orderly_end_while_the_transferee_comes_home(turns: int) -> None:
    """Its session had been handed over; one that began for it was not, and its link was let go.

    So FreeSWITCH told the failure, and the session went on with the transfer and told it again.
    """
    moves = (Move("refers", "bob", "carol"), Move("is terminated", turns=turns))
    assert not wrong_in(Story("connect", "early media, then busy", "busy", moves))


@pytest.mark.parametrize("turns", range(6))
def test_an_orderly_end_while_the_transferee_of_a_legacy_transfer_comes_home(turns: int) -> None:
    """Its session began when the others had been told to end, and was cut in the middle."""
    moves = (Move("refers", "bob", "carol"), Move("is terminated", turns=turns))
    assert not wrong_in(Story("legacy", "answers", "answers", moves))


def test_an_attended_transfer_after_a_legacy_one_that_failed() -> None:
    """It was taken for another legacy one, for FreeSWITCH tells of it with an old ``transfer_to``.

    So its bridge with the loopback was taken for the end of the session's part: all were hung up.
    """
    moves = (
        Move("refers", "bob", "nobody"),
        Move("consults", "bob", "carol"),
        Move("transfers to the one consulted", "bob"),
    )
    assert not wrong_in(Story("legacy", "answers and leaves", "busy", moves))


def test_refers_of_both_parties_cross() -> None:
    """The report of a failure unset ``blind_transfer_uuid``, which was the next REFER's already.

    So that one had no transferor: it was never told, and the other party was hung up.
    """
    moves = (
        Move("refers", "alice", "nobody"),
        Move("refers", "bob", "carol", turns=7),
        Move("refers", "alice", "nobody", turns=11),
    )
    assert not wrong_in(Story("connect", "unreachable", "busy", moves))


@pytest.mark.parametrize(
    "moves",
    [
        (
            Move("refers", "bob", "carol"),
            Move("delays", "", "event CHANNEL_BRIDGE"),
            Move("refers", "carol", "dave", seconds=0.3),
        ),
        (
            Move("delays", "", "event CHANNEL_BRIDGE"),
            Move("refers", "bob", "nobody"),
            Move("refers", "bob", "dave"),
        ),
        (
            Move("refers", "bob", "carol"),
            Move("delays", "", "event CHANNEL_ANSWER"),
            Move("refers", "alice", "dave", seconds=0.25),
        ),
    ],
)
def test_the_next_refer_comes_before_the_news_of_the_bridge(moves: tuple[Move, ...]) -> None:
    """The news was dropped, and the transfer that waited for it took the legs of the next one.

    One by the transferee had both refused (491), the first when FreeSWITCH had told its success.
    """
    assert not wrong_in(Story("connect", "answers", "answers", moves))


@pytest.mark.parametrize("to", ["carol", "dave"])
def test_somebody_leaves_as_an_attended_transfer_is_granted(to: str) -> None:
    """The transferor was left in silence: the end of its bridge was not heard, or it was told of
    success, and not released."""
    moves = (
        Move("refers", "alice", to),
        Move("consults", "bob", "carol"),
        Move("transfers to the one consulted", "bob", seconds=0.2),
        Move("delays", "", "event CHANNEL_BRIDGE", turns=0),
        Move("hangs up", "carol"),
    )
    play(Story("connect", "answers", "answers", moves))


def test_a_transfer_by_a_party_that_was_called_again() -> None:
    """Nobody was told of the home of its call, and so nobody released it."""
    moves = (
        Move("refers", "alice", "carol"),
        Move("hangs up", "alice"),
        Move("refers", "bob", "dave", seconds=0.5),
    )
    play(Story("legacy", "busy", "answers", moves))


def test_a_transferee_transfers_its_target_at_once() -> None:
    """The end of its own transfer took the timer away that was to release it after the next one."""
    moves = (Move("refers", "alice", "carol"), Move("refers", "bob", "carol", seconds=0.2))
    assert not wrong_in(Story("connect", "answers", "answers", moves))


@pytest.mark.parametrize("seconds", [0.2, 0.3])
@pytest.mark.parametrize("to", ["carol", "nobody"])
def test_a_transferee_transfers_the_loopback_with_which_it_is_joined_for_a_moment(
    to: str, seconds: float
) -> None:
    """The loopback stayed with whom it had called, who heard silence."""
    moves = (
        Move("delays", "", "event CHANNEL_HANGUP"),
        Move("consults", "bob", "carol"),
        Move("transfers to the one consulted", "bob"),
        Move("refers", "alice", to, seconds=seconds),
    )
    play(Story("connect", "answers", "answers", moves))


@pytest.mark.parametrize("mode", ["connect", "legacy", "sample"])
@pytest.mark.parametrize("turns", [0, 2, 5, 7, 9, 12, 16])
@pytest.mark.parametrize("who", ["bob", "alice"])
def test_a_blind_refer_crosses_the_grant_of_an_attended_one(
    mode: str, turns: int, who: str
) -> None:
    """By its bridge with the loopback FreeSWITCH reported success to the blind one, too.

    One by the transferee moved the transferor, and whom it had consulted was dropped.
    """
    moves = (
        Move("consults", "bob", "dave", turns=2),
        Move("transfers to the one consulted", "bob", seconds=1.0),
        Move("refers", who, "nobody", turns=turns),
    )
    assert not wrong_in(Story(mode, "answers", "answers", moves))


@pytest.mark.parametrize("turns", [0, 3, 6])
def test_the_transferee_leaves_on_its_way_to_another_controller(turns: int) -> None:
    """Its link, the only one by which the transferor could be told, goes with it.

    FreeSWITCH obeys nothing on the link of a leg that has gone before `linger`. So a timer tells.
    """
    moves = (
        Move("is terminated"),
        Move("is replaced"),
        Move("refers", "alice", "dave", seconds=0.3),
        Move("hangs up", "bob", turns=turns),
    )
    assert not wrong_in(Story("sample", "busy", "early media, then answers", moves))


def test_a_called_party_leaves_before_the_scenario_joins_it() -> None:
    """While the handler of its answer answered the caller, who was left in silence."""
    moves = (Move("delays", "", "event CHANNEL_ANSWER"), Move("consults", "bob", "carol"))
    assert not wrong_in(Story("sample", "answers and leaves", "answers", moves))


def test_the_report_of_failure_goes_out_before_its_transferor_is_hung_up() -> None:
    """The first two had been joined again, and the transferee left before we had heard of that."""
    moves = (
        Move("refers", "bob", "nobody"),
        Move("delays", "", "event CHANNEL_BRIDGE", turns=0),
        Move("hangs up", "alice"),
    )
    play(Story("sample", "answers", "answers", moves))


def test_a_leg_that_a_dead_controller_had_lent_comes_back_to_another() -> None:
    """It came back before the news that its peer had left, and stayed in silence for ever."""
    moves = (
        Move("dies"),
        Move("is replaced"),
        Move("refers", "alice", "nobody"),
        Move("delays", "", "event CHANNEL_BRIDGE", turns=0),
        Move("hangs up", "alice"),
    )
    play(Story("sample", "answers", "answers", moves))


def test_an_orderly_end_as_a_legacy_transferee_comes_to_its_new_session() -> None:
    """The old session let it go, and so out of the new one's hands: two calls were made for it."""
    moves = (
        Move("refers", "bob", "nobody"),
        Move("refers", "bob", "carol", turns=0),
        Move("refers", "bob", "carol"),
        Move("delays", "", "reply", turns=5),
        Move("is terminated"),
    )
    play(Story("legacy", "answers", "answers", moves))


def test_the_same_attended_transfer_is_asked_for_twice_at_once() -> None:
    """Both were granted, and each took the transferee from the other: nobody was left."""
    moves = (
        Move("refers", "bob", "carol"),
        Move("refers", "bob", "carol"),
        Move("consults", "alice", "carol"),
        Move("transfers to the one consulted", "alice", seconds=0.2),
        Move("transfers to the one consulted", "alice", turns=0),
    )
    play(Story("connect", "answers", "answers", moves))


@pytest.mark.parametrize("mode", ["connect", "sample"])
def test_the_first_two_are_joined_again_and_no_link_is_left_for_the_report(mode: str) -> None:
    """They talked, and the transferor was never told: its report was to follow the join."""
    moves = (
        Move("refers", "bob", "nobody"),
        Move("delays", "", "event CHANNEL_BRIDGE", turns=0),
        Move("loses its links"),
    )
    assert not wrong_in(Story(mode, "answers", "busy", moves))


@pytest.mark.parametrize("who", ["bob", "alice"])
@pytest.mark.parametrize("how", ["is moved", "is moved without a context"])
def test_a_leg_of_a_scenario_is_moved_by_somebody_else(who: str, how: str) -> None:
    """The other one came home to the scenario, which was not told, and waited in silence."""
    moves = (Move(how, who, "carol", seconds=1.0),)
    assert not wrong_in(Story("sample", "answers", "answers", moves))


@pytest.mark.parametrize("mode", ["connect", "legacy", "sample"])
@pytest.mark.parametrize("dies", [(), (Move("dies"),)], ids=["", "no controller"])
def test_refers_of_both_parties_cross_while_a_target_rings(
    mode: str, dies: tuple[Move, ...]
) -> None:
    """FreeSWITCH moved the leg that rang and forgot whom the first transfer was to be told to."""
    moves = (Move("refers", "bob", "carol"), *dies, Move("refers", "alice", "carol"))
    assert not wrong_in(Story(mode, "answers", "answers", moves))


def test_the_target_of_a_transfer_without_a_controller_leaves_at_once() -> None:
    """FreeSWITCH had told 200, nobody had noted that yet, and a timer told 487."""
    assert not wrong_in(
        Story(
            "legacy", "answers", "answers and leaves", (Move("dies"), Move("refers", "bob", "dave"))
        )
    )


@pytest.mark.parametrize("turns", [8, 12, 16, 20])
@pytest.mark.parametrize("mode", ["connect", "legacy"])
def test_a_leg_is_moved_twice_at_once(mode: str, turns: int) -> None:
    """The session between waited for a party that was never called, and kept a zombie channel."""
    moves = (Move("is moved", "bob", "dave"), Move("is moved", "bob", "dave", turns=turns))
    play(Story(mode, "answers", "refuses", moves))


@pytest.mark.parametrize("seconds", [0.1, 0.2, 0.3])
def test_the_caller_leaves_while_the_news_of_the_answer_is_late(seconds: float) -> None:
    """The handler that answered it with the other one's codecs failed with an error of the link."""
    moves = (
        Move("delays", to="event", seconds=seconds),
        Move("consults", "bob", "dave"),
        Move("transfers to the one consulted", "bob", seconds=0.3),
    )
    leaves = Leaves(after="202", seconds=0.02, ends="line")
    assert not wrong_in(Story("sample", "refuses", "answers", moves, leaves=leaves))


@pytest.mark.parametrize("turns", range(4, 12))
def test_the_controller_dies_as_it_is_asked_about_an_attended_transfer(turns: int) -> None:
    """Its greenlet died of the lost link, with a traceback."""
    moves = (
        Move("consults", "bob", "carol"),
        Move("transfers to the one consulted", "bob", seconds=1.0),
        Move("dies", turns=turns),
    )
    play(Story("connect", "answers", "answers", moves))


def test_who_hangs_up_as_the_controller_ends_has_not_been_parted() -> None:
    """The judge: a phone that leaves by itself while the controller drains is no fault of that."""
    moves = (
        Move("is replaced"),
        Move("is terminated", turns=3),
        Move("dies", turns=2),
        Move("is moved without a context", "dave", "dave", turns=7),
        Move("is replaced", seconds=0.02),
        Move("refers", "bob", "carol"),
        Move("refers", "bob", "nobody"),
        Move("is moved without a context", "carol", "carol", turns=14),
        Move("is moved without a context", "dave", "dave", turns=7),
        Move("duplicates", "", "event CHANNEL_EXECUTE_COMPLETE", seconds=0.05),
        Move("is terminated"),
    )
    leaves = Leaves("NOTIFY", 0.1, "line")
    play(Story("connect", "answers and leaves", "answers slowly", moves, False, leaves))


@pytest.mark.parametrize(
    ("moves", "leaves"),
    [
        ((Move("hangs up", "alice", seconds=0.02),), None),
        ((Move("hangs up", "alice", turns=3),), None),
        # Alice's phone hangs up by itself, after a REFER of its own that has failed.
        ((), Leaves("202", 0.04)),
    ],
)
def test_a_transferee_leaves_while_the_target_of_an_attended_transfer_rings(
    moves: tuple[Move, ...], leaves: Leaves | None
) -> None:
    """We ended the grace of the transferor's leg, and FreeSWITCH's report went with its dialog."""
    before = () if leaves is None else (Move("refers", "alice", "nobody"),)
    asks = (
        Move("consults", "bob", "carol", turns=34),
        Move("transfers to the one consulted", "bob", seconds=0.02),
    )
    assert not wrong_in(Story("connect", "rings", "busy", (*before, *asks, *moves), leaves=leaves))


@pytest.mark.parametrize("by", ["bob", "alice"])
def test_a_transferee_leaves_as_the_first_two_are_joined_again(by: str) -> None:
    """The report was on its way, and we ended the grace of the transferor's leg."""
    other = "alice" if by == "bob" else "bob"
    moves = (Move("refers", by, "carol"), Move("hangs up", other, seconds=0.2))
    assert not wrong_in(Story("connect", "busy", "busy", moves))


def test_a_blind_refer_overtakes_an_attended_one_whose_target_is_called_anew() -> None:
    """The loopback's link, which was to tell the end of that call, was refused before it: the
    session waited for the target for ever, and kept a zombie channel."""
    moves = (
        Move("consults", "bob", "carol", turns=0),
        Move("transfers to the one consulted", "bob", turns=11),
        Move("refers", "alice", "dave", seconds=0.02),
        Move("delays", "", "event CHANNEL_BRIDGE", turns=1),
    )
    leaves = Leaves("202", 0.02, "line")
    assert not wrong_in(Story("legacy", "rings", "rings", moves, leaves=leaves))


def test_the_controller_dies_when_it_has_told_who_has_talked_until_the_answer() -> None:
    """FreeSWITCH hung up the transferor, whose partner had left it, before the NOTIFY was out."""
    moves = (Move("refers", "bob", "carol", seconds=0.2), Move("dies", seconds=0.2))
    assert not wrong_in(Story("keep", "answers", "busy", moves))


@pytest.mark.parametrize("by", ["bob", "alice"])
@pytest.mark.parametrize("then", [(), (Move("is replaced"),)], ids=["nobody", "replaced"])
@pytest.mark.parametrize("target", ["answers", "rings"])
def test_a_refer_after_the_death_of_a_controller_that_let_the_first_two_talk(
    by: str, then: tuple[Move, ...], target: str
) -> None:
    """The first one was never told, for the second took its timer away; and its target, which rang
    on, was joined with the transferee when it answered."""
    kept = Move("refers", "bob", "carol")
    moves = (kept, Move("dies"), *then, Move("refers", by, "carol"))
    assert not wrong_in(Story("keep", target, "answers", moves))
    assert not wrong_in(Story("keep", target, "answers", (kept, *moves)))


@pytest.mark.parametrize("turns", range(9, 13))
def test_a_transferee_leaves_as_it_is_joined_again_and_the_controller_dies(turns: int) -> None:
    """Its transferor, which was to talk until the target answers, was parked for ten minutes."""
    moves = (
        Move("delays", "", "event", turns=0),
        Move("refers", "bob", "carol"),
        Move("hangs up", "alice", turns=turns),
        Move("dies", turns=7),
    )
    (refer,) = play(Story("keep", "answers", "answers", moves)).refers
    assert [notify.body.strip() for notify in refer.notifies] != []
    assert refer.ended_s is not None and refer.ended_s - refer.sent_s < 15


@pytest.mark.parametrize("twice", [(), (Move("duplicates", "", "event CHANNEL_EXECUTE_COMPLETE"),)])
def test_an_attended_transfer_by_who_was_transferred_in_a_session_that_has_ended(
    twice: tuple[Move, ...],
) -> None:
    """The transferee, joined with the loopback, was taken for the other session's: let go, it was
    not heard of any more, and its session never ended."""
    moves = (
        Move("refers", "alice", "carol"),
        Move("is terminated", turns=16),
        Move("is replaced", seconds=3.5),
        Move("consults", "bob", "carol"),
        *twice,
        Move("transfers to the one consulted", "bob", seconds=1.0),
    )
    record = play(Story("sample", "answers", "answers", moves))
    (attended,) = (refer for refer in record.refers if refer.line)
    assert attended.succeeded
    ended_s = [end["outcome"] for end in record.concluded if end["kind"] == "attended"]
    assert ended_s == ["succeeded"]


def test_the_record_without_a_name_is_that_of_the_refer_whose_phone_has_left() -> None:
    """The judge: it counted for an earlier one, too, whose NOTIFY was still on its way."""
    asked = Move("refers", "alice", "carol")
    moves = (asked, Move("refers", "bob", "carol"), asked, Move("hangs up", "alice", turns=0))
    play(Story("keep", "answers", "answers", moves))


def test_two_requests_to_replace_one_dialog_of_a_dead_worker() -> None:
    """Each had legs of its own for the same channels, and the news came to the later ones only."""
    moves = (
        *(Move("dies"), Move("refers", "bob", "carol"), Move("refers", "bob", "carol")),
        *(Move("consults", "bob", "dave"), Move("is replaced")),
        Move("transfers to the one consulted", "bob"),
        Move("consults", "bob", "carol", turns=0),
        Move("transfers to the one consulted", "bob", turns=37),
    )
    play(Story("connect", "answers", "busy", moves))


@pytest.mark.parametrize("target", ["busy", "answers"])
@pytest.mark.parametrize("consults", [0.0, 0.1])
def test_an_attended_transfer_of_a_session_whose_kept_link_is_away(
    target: str, consults: float
) -> None:
    """The loopback's link was the session's, which kept both for as long as its two talked."""
    moves = (
        Move("loses its kept links"),
        Move("consults", "bob", "carol"),
        Move("transfers to the one consulted", "bob", seconds=consults),
    )
    assert play(Story("connect", target, "busy", moves), rests=True).in_full
