"""HEP 3, in which FreeSWITCH sends copies of its SIP messages to a capture server (pure)."""
