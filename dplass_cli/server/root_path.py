"""Serving an application below a path, as proxies do that give each service a folder of one site."""

from __future__ import annotations

from dplass_cli.server.web_classes import ASGIApp, Receive, RedirectResponse, Scope, Send


def below(root_path: str, app: ASGIApp) -> ASGIApp:
    """Serve an application below ``root_path``, such as ``/sounds``, whether or not the proxy strips that path."""

    async def serve(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            path: str = scope["path"]
            if path == root_path:  # relative addresses on the page need the slash at the end
                app_or_redirect: ASGIApp = RedirectResponse(f"{root_path}/")
                await app_or_redirect(scope, receive, send)
                return
            if path.startswith(f"{root_path}/"):
                scope = {**scope, "path": path.removeprefix(root_path)}
        await app(scope, receive, send)

    return serve
