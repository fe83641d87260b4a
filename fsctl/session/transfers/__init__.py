"""Transfers from their request to the one final report: blind, kept, attended, native.

Each kind has a file for what happens to it and what it is asked, one for what it does to its legs
(``_acts``), and one for all of a session (``blind_registry``, ``kept_registry``) or of a worker
(``attended_registry``). Whoever asks is ``by_refer``, ``by_keys``, ``by_command``; ``by_web``
decides. All run by ``engine``, tell by ``reporter``, and end in ``record``.
"""
