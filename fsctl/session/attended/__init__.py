"""Attended transfers: a REFER with Replaces (RFC 3891), from its arrival to the join."""
