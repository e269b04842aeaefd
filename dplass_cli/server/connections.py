"""Connections that ask for nothing, which are closed: two hundred of them would keep everybody else out."""

from __future__ import annotations

import asyncio

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

IDLE_SECONDS = 10.0


class Connection(H11Protocol):
    """A connection of uvicorn that ends where the head of a request does not come, whole, within a while."""

    _ends: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """See :class:`asyncio.Protocol`."""
        super().connection_made(transport)
        self._ends = self.loop.call_later(IDLE_SECONDS, transport.close)

    def data_received(self, data: bytes) -> None:
        """See :class:`asyncio.Protocol`."""
        super().data_received(data)
        if self.conn.their_state is not h11.IDLE:
            self._await_nothing()
        elif self._ends is None:
            self._ends = self.loop.call_later(IDLE_SECONDS, self.transport.close)

    def connection_lost(self, exc: Exception | None) -> None:
        """See :class:`asyncio.Protocol`."""
        self._await_nothing()
        super().connection_lost(exc)

    def _await_nothing(self) -> None:
        if self._ends is not None:
            self._ends.cancel()
            self._ends = None
