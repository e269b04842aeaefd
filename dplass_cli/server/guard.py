"""Request filter: refuses other sites' requests and unknown host names, and adds security headers to every response."""

from __future__ import annotations

import ipaddress
from collections.abc import Collection
from urllib.parse import urlsplit

from dplass_cli.server.web_classes import ASGIApp, Headers, JSONResponse, Message, MutableHeaders, Receive, Scope, Send

SECURITY_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",  # with 'no-referrer' browsers send the page's own requests with origin 'null'
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
_SAFE_METHODS = ("GET", "HEAD")


class Guard:
    """ASGI middleware that refuses other sites' requests and sets :data:`SECURITY_HEADERS` where the app does not.

    The server answers to ``hosts`` and IP addresses only. In a DNS rebinding attack a site makes its own name
    resolve to this machine; the browser then sends that name. An attacker cannot do this with an address.

    Args:
        app: the application.
        hosts: names of this server, each with or without a port.
        origins: hosts of the sites that a proxy serves this application on. The proxy may ask for the application by
            another name than the browser asks the proxy; nginx does by default.
    """

    def __init__(self, app: ASGIApp, hosts: Collection[str], origins: Collection[str] = ()) -> None:
        self._app = app
        self._host_names = {_name_of_host(host) for host in hosts} - {""}
        self._origins = {origin.lower() for origin in origins}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse the request or pass it on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in SECURITY_HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        refusal = self._refusal(scope["method"], Headers(scope=scope))
        response = JSONResponse({"error": refusal}, 403) if refusal else self._app
        await response(scope, receive, send_with_headers)

    def _refusal(self, method: str, headers: Headers) -> str | None:
        """Why a request is refused; None where it is not."""
        host = headers.get("host", "")
        if not self._is_own_host(host):
            return "the host name is not one of this server's; its owner can allow it with --allow-host"
        if method in _SAFE_METHODS:
            return None
        origin = headers.get("origin")
        cross_site = headers.get("sec-fetch-site", "none") not in ("none", "same-origin")
        if cross_site or (origin is not None and _host_of(origin) not in {host.lower(), *self._origins}):
            return "requests from other sites are refused"
        return None

    def _is_own_host(self, host: str) -> bool:
        name = _name_of_host(host)
        try:
            return name in self._host_names or ipaddress.ip_address(name) is not None
        except ValueError:
            return False


def _name_of_host(host: str) -> str:
    """A host without its port, in lower case; empty where it is none."""
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""


def _host_of(origin: str) -> str | None:
    """Host and port of an origin; None where it is not a URL."""
    try:
        return urlsplit(origin).netloc.lower()
    except ValueError:
        return None
