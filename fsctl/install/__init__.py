"""fsctl in somebody's FreeSWITCH: laid in, taken out, and every byte as it was before.

``xml_text``, ``includes``, ``plan`` and ``answers`` are pure; ``disk`` changes files under a
journal, ``freeswitch`` asks, ``work`` does one after the other.
"""
