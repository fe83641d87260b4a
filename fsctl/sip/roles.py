"""Who takes part in a transfer, by the words of RFC 5589. Pure."""

from typing import Final

ROLES: Final = ("transferor", "transferee", "target")
"""Who asks, who is moved, and to whom; in the order in which they are told of."""
