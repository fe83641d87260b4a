"""``fsctl demo``: calls and transfers on a simulated switch, drawn as SIP ladders."""
