"""The one process that looks after records: no call waits for it, and none is lost with it.

The supervisor starts it and starts it anew; what it has not kept yet waits in the journal.
"""
