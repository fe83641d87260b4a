"""A running session, floor above floor: core, calling, transfers, arrivals.

Imports go down only, those for types included (``tests/unit/test_layers.py``).
"""
