"""Phones that people use, where they are installed: they transfer, are transferred, are called.

Each is a program of its own behind `RealPhone`, in the words of all stories (:mod:`fsctl.story`).
It speaks a tone and records what it hears (`tones`); what it sends and gets is what FreeSWITCH has
seen (`capture`). It lives in a folder of its own, on free ports of 127.0.0.1, without a sound card,
and is killed when the test ends.
"""
