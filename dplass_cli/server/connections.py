"""Connections that send no request are closed: enough of them would use up the server's connection limit."""

from __future__ import annotations

import asyncio

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

IDLE_SECONDS = 10.0


class Connection(H11Protocol):
    """A uvicorn connection that closes when a request's head does not arrive completely within :data:`IDLE_SECONDS`.

    uvicorn's own keep-alive timeout starts after the first response, so it does not cover new connections.
    """

    _timeout: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """See :class:`asyncio.Protocol`."""
        super().connection_made(transport)
        self._timeout = self.loop.call_later(IDLE_SECONDS, transport.close)

    def data_received(self, data: bytes) -> None:
        """See :class:`asyncio.Protocol`."""
        super().data_received(data)
        if self.conn.their_state is not h11.IDLE:  # the head is complete
            self._cancel_timeout()
        elif self._timeout is None:
            self._timeout = self.loop.call_later(IDLE_SECONDS, self.transport.close)

    def connection_lost(self, exc: Exception | None) -> None:
        """See :class:`asyncio.Protocol`."""
        self._cancel_timeout()
        super().connection_lost(exc)

    def _cancel_timeout(self) -> None:
        if self._timeout is not None:
            self._timeout.cancel()
            self._timeout = None
