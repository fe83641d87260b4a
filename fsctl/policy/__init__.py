"""Who may transfer whom where: pure decisions over what FreeSWITCH knows of the parties.

`judge.judge` is the one question; `fsctl.session.calling.judging` asks it before anybody is called.
"""
