"""VoxEngine's second sample, line by line: the target is called by the REFER's own headers.

The target sees the party that transfers the call, as Referred-By names it.
"""

from fsctl.scenario import BlindTransferRequested, CallAlerting, Connected, Failed, Scenario

scenario = Scenario()


@scenario.on(CallAlerting)
def alerting(inc: CallAlerting) -> None:
    session = inc.session
    session.set_timeout(100, session.terminate)
    out_call = session.call_user(
        inc.destination,
        caller_id=inc.caller_id,
        display_name=inc.display_name,
        scheme=inc.scheme,
    )

    @out_call.on(Connected)
    def connected(out: Connected) -> None:
        inc.call.answer(scheme=out.scheme)
        session.send_media_between(inc.call, out.call)
        out.call.handle_blind_transfer(True)

        @out.call.on(BlindTransferRequested)
        def requested(out: BlindTransferRequested) -> None:
            out_call2 = session.call_sip(
                out.headers["Refer-To"],
                display_name=out.headers.get("Referred-By"),
                caller_id=out.headers.get("Referred-By"),
            )

            @out_call2.on(Connected)
            def target_connected(out2: Connected) -> None:
                out.call.notify_blind_transfer_success()
                session.send_media_between(out2.call, inc.call)

            @out_call2.on(Failed)
            def target_failed(out2: Failed) -> None:
                out.call.notify_blind_transfer_failed(out2.code, out2.reason)
