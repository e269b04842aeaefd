"""The request filter: which host names and origins are refused, and the headers of every response."""

from __future__ import annotations

import anyio
import pytest

pytest.importorskip("starlette", reason="pip install 'dplass[serve]'")

from page_client import ADDRESS
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.testclient import TestClient
from starlette.types import Receive, Scope, Send

from dplass_cli.server.guard import SECURITY_HEADERS, Guard


async def greeting(scope: Scope, receive: Receive, send: Send) -> None:
    """An application that answers every request, with a referrer policy of its own."""
    Request(scope)
    response: Response = PlainTextResponse("hello", headers={"Referrer-Policy": "no-referrer"})
    await response(scope, receive, send)


@pytest.fixture
def client() -> TestClient:
    return TestClient(Guard(greeting, {"localhost", "Studio.local"}), ADDRESS)


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "", "[", "evil.example:7860"])
def test_unknown_host_names_are_refused(client: TestClient, host: str) -> None:
    response = client.get("/", headers={"Host": host})
    assert response.status_code == 403
    assert "the host name is not one of this server's" in response.json()["error"]


@pytest.mark.parametrize("host", ["localhost:7860", "LOCALHOST", "studio.local:80", "192.168.1.5:7860", "[::1]:7860"])
def test_its_own_names_and_addresses_are_accepted(client: TestClient, host: str) -> None:
    assert client.get("/", headers={"Host": host}).text == "hello"


@pytest.mark.parametrize("method", ["POST", "DELETE"])
@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://["},
        {"Origin": "http://127.0.0.1:9999"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site", "Origin": "http://127.0.0.1:7860"},
    ],
)
def test_changes_requested_by_other_sites_are_refused(client: TestClient, method: str, headers: dict[str, str]) -> None:
    response = client.request(method, "/", headers=headers)
    assert response.status_code == 403
    assert response.json() == {"error": "requests from other sites are refused"}


@pytest.mark.parametrize(
    "headers", [{}, {"Origin": "http://127.0.0.1:7860"}, {"Origin": ADDRESS, "Sec-Fetch-Site": "same-origin"}]
)
def test_changes_requested_by_its_own_page_are_accepted(client: TestClient, headers: dict[str, str]) -> None:
    assert client.post("/", headers=headers).text == "hello"


@pytest.mark.parametrize(
    ("origin", "status"),
    [("https://studio.local", 200), ("https://STUDIO.local:8443", 200), ("https://studio.local:9", 403)],
)
def test_the_site_of_a_proxy_may_request_changes(origin: str, status: int) -> None:
    allowed = ("studio.local", "studio.local:8443")
    proxied = TestClient(Guard(greeting, allowed, allowed), ADDRESS)  # the proxy asks for 127.0.0.1, as nginx does
    assert proxied.post("/", headers={"Origin": origin, "Sec-Fetch-Site": "same-origin"}).status_code == status


def test_a_host_name_is_accepted_with_every_port() -> None:
    client = TestClient(Guard(greeting, ["studio.local:8443"]), ADDRESS)
    assert client.get("/", headers={"Host": "studio.local"}).status_code == 200


def test_pages_may_be_opened_from_links_of_other_sites(client: TestClient) -> None:
    assert client.get("/", headers={"Sec-Fetch-Site": "cross-site"}).text == "hello"


def test_every_response_has_the_security_headers(client: TestClient) -> None:
    for response in (client.get("/"), client.get("/", headers={"Host": "evil.example"})):
        assert {name: response.headers[name] for name in ("X-Frame-Options", "Cache-Control")} == {
            "X-Frame-Options": "DENY",
            "Cache-Control": "no-store",
        }
        assert all(name in response.headers for name in SECURITY_HEADERS)


def test_headers_of_the_application_are_kept(client: TestClient) -> None:
    assert client.get("/").headers["Referrer-Policy"] == "no-referrer"


def test_other_kinds_of_events_are_passed_on() -> None:
    seen: list[str] = []

    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append(scope["type"])

    anyio.run(Guard(application, ()), {"type": "lifespan"}, None, None)
    assert seen == ["lifespan"]
