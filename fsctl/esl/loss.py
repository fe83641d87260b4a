"""Who is told that a link is gone, and what happens to events of which nobody wants to hear."""

from __future__ import annotations

import logging
from collections.abc import Callable

from fsctl.esl.events import Event

_log = logging.getLogger(__name__)


def ignore_event(event: Event) -> None:
    """What happens to events until somebody wants them."""


class ToldOfLoss:
    """What has an end that somebody is told of, once."""

    log_id: object
    _on_lost: Callable[[], None] | None = None

    @property
    def closed(self) -> bool:
        """Whether it has ended."""
        raise NotImplementedError

    @property
    def on_lost(self) -> Callable[[], None] | None:
        """Called once when the link is gone, whoever ended it; at once if it is gone already."""
        return self._on_lost

    @on_lost.setter
    def on_lost(self, callback: Callable[[], None] | None) -> None:
        self._on_lost = callback
        if self.closed:
            self._tell_loss()

    def _tell_loss(self) -> None:
        callback, self._on_lost = self._on_lost, None
        if callback is not None:
            self._guarded(callback)

    def _guarded(self, callback: Callable[..., None], *args: object) -> None:
        try:
            callback(*args)
        except Exception:
            _log.exception("[%s] a callback failed", self.log_id)
