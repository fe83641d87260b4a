"""What FreeSWITCH's channels are told and asked: words and commands, and no session."""
