"""Whisper: the target of a transfer hears an announcement before it is joined with the transferee.

The transferee hears ringback until then. The transferor is told the result with the join; when the
target does not answer, CallFailed ends the transfer with the target's own code and phrase.
"""

from fsctl.scenario import BlindTransferRequested, PlaybackFinished, Scenario

ANNOUNCEMENT = "tone_stream://%(400,200,620,780);loops=2"  # or the path of a sound file
PATIENCE_S = 20

scenario = Scenario()


@scenario.on(BlindTransferRequested)
def requested(event: BlindTransferRequested) -> None:
    transferee = event.transferee
    target = event.session.call_user(
        event.transfer_to, caller_id=transferee.number, display_name=transferee.display_name
    )
    target.wait_connected()
    target.play(ANNOUNCEMENT)
    target.wait_for(PlaybackFinished, PATIENCE_S)
    event.session.send_media_between(transferee, target)
