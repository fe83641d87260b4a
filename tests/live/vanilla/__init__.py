"""FreeSWITCH as people run it: a small configuration laid out like the one that it is shipped with.

``conf`` is written for these tests, after the structure of FreeSWITCH's own ``conf/vanilla``: the
same files, contexts, order of extensions, numbers and users; tones where that plays sound files.
`kinds` is the table of what works in it. Phones register and authenticate; a provider is a phone at
the port that the gateway names.
"""
