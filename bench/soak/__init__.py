"""A soak: conversations with transfers on a real FreeSWITCH, while workers die, hang and reload.

    .venv/bin/python -m bench.soak --minutes 30

README.md says what is played, what is judged, and what the figures mean.
"""
