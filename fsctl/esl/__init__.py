"""FreeSWITCH's event socket: pure frames, events and commands; below them the links that use them.

``frames``, ``events``, ``fields``, ``apis`` and ``commands`` are pure (bytes in, values out).
``connection`` is one link over gevent, and the only file that imports greenswitch; ``client`` keeps
an inbound link to a switch, ``server`` accepts the links that a dialplan's ``socket`` opens.
"""
