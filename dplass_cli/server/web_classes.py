"""The names of Starlette, uvicorn, h11 and anyio that the page uses.

They are an extra. Without them these names are ``object``, so that every module of the package can be imported;
``serve`` refuses to start.
"""

from __future__ import annotations

try:
    import anyio as anyio
    import h11 as h11
    from starlette.applications import Starlette as Starlette
    from starlette.datastructures import Headers as Headers
    from starlette.datastructures import MutableHeaders as MutableHeaders
    from starlette.exceptions import HTTPException as HTTPException
    from starlette.requests import ClientDisconnect as ClientDisconnect
    from starlette.requests import Request as Request
    from starlette.responses import FileResponse as FileResponse
    from starlette.responses import HTMLResponse as HTMLResponse
    from starlette.responses import JSONResponse as JSONResponse
    from starlette.responses import RedirectResponse as RedirectResponse
    from starlette.responses import Response as Response
    from starlette.responses import StreamingResponse as StreamingResponse
    from starlette.routing import Route as Route
    from starlette.types import ASGIApp as ASGIApp
    from starlette.types import Message as Message
    from starlette.types import Receive as Receive
    from starlette.types import Scope as Scope
    from starlette.types import Send as Send
    from uvicorn import Config as Config
    from uvicorn import Server as Server
    from uvicorn.protocols.http.h11_impl import H11Protocol as H11Protocol
except ImportError:
    _NAMES = (
        *("anyio", "h11", "Starlette", "Headers", "MutableHeaders", "HTTPException", "ClientDisconnect", "Request"),
        *("FileResponse", "HTMLResponse", "JSONResponse", "RedirectResponse", "Response", "StreamingResponse"),
        *("Route", "ASGIApp", "Message", "Receive", "Scope", "Send", "Config", "Server", "H11Protocol"),
    )
    globals().update(dict.fromkeys(_NAMES, object))
