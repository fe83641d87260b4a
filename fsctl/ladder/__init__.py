"""The ladder of a call: its SIP messages and fsctl's own steps, in one order of time (pure)."""
