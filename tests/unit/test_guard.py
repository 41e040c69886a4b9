"""The guard by itself: an application that answers everything, and those who try to reach it past the guard."""

from __future__ import annotations

import asyncio
import re
import socket
import threading
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pytest
import uvicorn

from pipelines.guard import Guard, origin_of
from rga.errors import InputError

HERE, LOCAL = "http://127.0.0.1:3000", "http://localhost:3000"
HOST = ("host", "127.0.0.1:3000")
JSON = ("content-type", "application/json")
MUTATION = "mutation { deletePipelineRun(runId: 1) { __typename } }"
Header = tuple[str, str]


class Visitor:
    """Asks a guard; ``reached`` has every request that came through, ``links`` what was announced."""

    def __init__(self, *origins: str) -> None:
        self.reached: list[str] = []
        self.links: list[str] = []
        self.guard = Guard(self._everything, [*(origins or (HERE, LOCAL))], "rga_ui_3000", self.links.append)
        self.guard.announce_link()

    async def _everything(self, scope: Any, receive: Any, send: Any) -> None:
        self.reached.append(f"{scope.get('method', scope['type'])} {scope['path']}")
        if scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.accept"})
            return
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"secret"})

    def asks(self, target: str, *headers: Header, method: str = "GET", kind: str = "http") -> tuple[int, dict[str, str], str]:
        """Status, headers and text of the answer; a WebSocket's status is 101 or 403."""
        path, _, query = target.partition("?")
        raw = [(name.encode(), value.encode("latin-1")) for name, value in headers]
        scope = {"type": kind, "path": path, "query_string": query.encode("latin-1"), "headers": raw, "scheme": "http"}
        sent: list[Any] = []

        async def send(message: Any) -> None:
            sent.append(message)

        async def receive() -> Any:
            return {"type": "http.request", "body": b"", "more_body": False}

        asyncio.run(self.guard(scope | ({"method": method} if kind == "http" else {}), receive, send))
        if kind == "websocket":
            return (101 if sent[0]["type"] == "websocket.accept" else 403), {}, ""
        answered = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
        return sent[0]["status"], answered, b"".join(part["body"] for part in sent[1:]).decode()

    def follows(self, link: str, *headers: Header) -> tuple[int, dict[str, str], str]:
        return self.asks(link.partition(":3000")[2], *headers)

    def is_let_in(self) -> Header:
        """The cookie that the newest link gives."""
        status, answered, _ = self.follows(self.links[-1], HOST)
        assert status == 200
        return "cookie", answered["set-cookie"].partition(";")[0]


@pytest.fixture
def visitor() -> Visitor:
    return Visitor()


@pytest.fixture
def cookie(visitor: Visitor) -> Header:
    return visitor.is_let_in()


def test_without_the_cookie_nothing_is_reached_whatever_the_path(visitor: Visitor) -> None:
    paths = [
        "/",
        "/graphql",
        "/server_info",
        "/favicon.png",
        "/_next/static/a.js",
        "/logs/a/b.out",
        "/download_debug/1",
        "/notebook",
    ]
    tricks = ["//graphql", "/enter/../graphql", "/enter/", "/ENTER", "/graphql;/enter", "/%65nter", "/enter%00", "http://x/graphql"]
    for path in paths + tricks:
        for method in ("GET", "HEAD"):
            assert visitor.asks(path, HOST, method=method)[0] == 401, path
        assert visitor.asks(path, HOST, ("origin", HERE), JSON, method="POST")[0] == 401, path
    assert visitor.asks("/graphql", HOST, ("origin", HERE), kind="websocket")[0] == 403
    assert not visitor.reached


def test_the_user_reads_posts_and_listens(visitor: Visitor, cookie: Header) -> None:
    for host, origin in (("127.0.0.1:3000", HERE), ("LocalHost:3000", LOCAL)):
        for site in ("same-origin", "none"):
            headers = [("host", host), cookie, ("sec-fetch-site", site)]
            assert visitor.asks("/runs?q=x", *headers)[0] == 200
            assert visitor.asks("/runs", *headers, method="HEAD")[0] == 200
            assert visitor.asks("/graphql", *headers, ("origin", origin), JSON, method="POST")[0] == 200
            utf8 = ("content-type", "Application/JSON; charset=utf-8")
            assert visitor.asks("/graphql", *headers, ("origin", origin), utf8, method="POST")[0] == 200
            assert visitor.asks("/graphql", *headers, ("origin", origin), kind="websocket")[0] == 101
    assert visitor.asks("/graphql?query=" + quote("query A { version } fragment f on X { a }"), HOST, cookie)[0] == 200


def test_what_is_let_through_says_that_no_other_page_may_embed_or_hold_it(visitor: Visitor, cookie: Header) -> None:
    answered = visitor.asks("/", HOST, cookie)[1]
    assert answered["x-frame-options"] == "SAMEORIGIN" and answered["cross-origin-resource-policy"] == "same-origin"
    assert answered["cross-origin-opener-policy"] == "same-origin" and "access-control-allow-origin" not in answered


@pytest.mark.parametrize(
    "hosts",
    [
        ["evil.example"], ["evil.example:3000"], ["127.0.0.1"], ["127.0.0.1:3001"], ["localhost"], ["localhost.:3000"],
        ["127.0.0.1.:3000"], ["127.1:3000"], ["2130706433:3000"], ["0.0.0.0:3000"], ["[::1]:3000"], ["[::ffff:127.0.0.1]:3000"],
        ["user@127.0.0.1:3000"], ["127.0.0.1:3000@evil.example"], ["127.0.0.1:3000.evil.example"], ["evil.example#127.0.0.1:3000"],
        ["127.0.0.1:3000, evil.example"], ["127.0.0.1:3000", "evil.example"], ["evil.example", "127.0.0.1:3000"],
        ["127.0.0.1:3000", "127.0.0.1:3000"], [""], [], ["127.0.0.1:3000 "], ["x.localhost:3000"], ["127.0.0.1:03000"],
    ],
    ids=str,
)  # fmt: skip
def test_a_host_that_is_none_of_ours_is_refused_with_the_cookie_and_with_the_key(hosts: list[str]) -> None:
    visitor = Visitor()
    cookie = visitor.is_let_in()
    named = [("host", host) for host in hosts]
    forwarded = [("x-forwarded-host", "127.0.0.1:3000"), ("forwarded", "host=127.0.0.1:3000")]
    for headers in (named, named + forwarded):
        assert visitor.asks("/", *headers, cookie)[0] == 403
        assert visitor.asks("/graphql", *headers, cookie, ("origin", HERE), JSON, method="POST")[0] == 403
        assert visitor.asks("/graphql", *headers, cookie, ("origin", HERE), kind="websocket")[0] == 403
        assert visitor.follows(visitor.links[-1], *headers)[0] == 403
    assert not visitor.reached and len(visitor.links) == 2, "no link was used up"


def test_other_names_in_headers_of_proxies_change_nothing(visitor: Visitor, cookie: Header) -> None:
    for name in ("x-forwarded-host", "x-host", "x-original-url", "x-forwarded-server", "forwarded"):
        assert visitor.asks("/", HOST, cookie, (name, "evil.example"))[0] == 200


@pytest.mark.parametrize(
    "origins",
    [
        ["null"], ["http://evil.example"], ["http://127.0.0.1:3001"], ["http://127.0.0.1"], ["https://127.0.0.1:3000"], [LOCAL],
        ["http://127.0.0.1:3000.evil.example"], ["http://127.0.0.1:3000/"], ["HTTP://127.0.0.1:3000"], [""], [], [HERE, HERE],
        [HERE, "http://evil.example"], ["http://evil.example", HERE], [f"{HERE}, http://evil.example"], [f"{HERE} http://evil.example"],
        ["file://"], ["chrome-extension://abc"], ["http://[::1]:3000"],
    ],
    ids=str,
)  # fmt: skip
def test_a_page_of_another_origin_can_neither_post_nor_listen(origins: list[str], visitor: Visitor, cookie: Header) -> None:
    said = [("origin", origin) for origin in origins]
    assert visitor.asks("/graphql", HOST, cookie, JSON, *said, method="POST")[0] == 403
    assert visitor.asks("/graphql", HOST, cookie, *said, kind="websocket")[0] == 403
    if origins:
        assert visitor.asks("/graphql", HOST, cookie, *said)[0] == 403
    assert not visitor.reached


@pytest.mark.parametrize("site", ["cross-site", "same-site", "", "Same-Origin", "same-origin, cross-site"])
def test_what_the_browser_says_another_page_led_to_is_refused(site: str, visitor: Visitor, cookie: Header) -> None:
    assert visitor.asks("/graphql?query={version}", HOST, cookie, ("sec-fetch-site", site))[0] == 403
    assert visitor.asks("/graphql", HOST, cookie, ("origin", HERE), ("sec-fetch-site", site), kind="websocket")[0] == 403
    assert not visitor.reached


@pytest.mark.parametrize(
    "types",
    [
        ["text/plain"], ["application/x-www-form-urlencoded"], ["multipart/form-data; boundary=x"], ["application/graphql"], [""],
        [], ["text/plain; x=application/json"], ["application/jsonp"], ["application/json, text/plain"], ["text/json"],
        ["application/json", "text/plain"], ["application/json+x"], ["text/plain;application/json"],
    ],
    ids=str,
)  # fmt: skip
def test_a_post_of_anything_but_json_is_refused_from_our_own_page_too(types: list[str], visitor: Visitor, cookie: Header) -> None:
    headers = [HOST, cookie, ("origin", HERE), *[("content-type", value) for value in types]]
    for path in ("/graphql", "/report_asset_materialization/a", "/report_asset_check/a", "/report_asset_observation/a"):
        assert visitor.asks(path, *headers, method="POST")[0] == 403
    assert not visitor.reached


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT", "get", "post", "X"])
def test_there_are_no_other_methods(method: str, visitor: Visitor, cookie: Header) -> None:
    assert visitor.asks("/graphql", HOST, cookie, ("origin", HERE), JSON, method=method)[0] == 403
    assert not visitor.reached


@pytest.mark.parametrize(
    "query",
    [
        MUTATION, f"query A {{ version }} {MUTATION}", f"fragment f on M {{ a }} {MUTATION}", f"# a remark\n,,\ufeff{MUTATION}",
        "subscription { pipelineRunLogs(runId: 1) { __typename } }", MUTATION.replace(" ", "\t"), "",
        "{ a " * 300 + "}" * 300, "mutation",
    ],
    ids=lambda query: query[:20],
)  # fmt: skip
def test_nothing_is_changed_by_get(query: str, visitor: Visitor, cookie: Header) -> None:
    for path in ("/graphql", "//graphql", "/graphql/", "/anything"):
        for target in (f"query={quote(query)}", f"query=%7Bversion%7D&query={quote(query)}", f"query={quote(query)}&query=%7Ba%7D",
                       f"%71uery={quote(query)}", f"query={quote(query)}&operationName=A"):  # fmt: skip
            for method in ("GET", "HEAD"):
                assert visitor.asks(f"{path}?{target}", HOST, cookie, method=method)[0] == 403
    assert not visitor.reached


def test_a_link_opens_once_and_the_next_is_announced(visitor: Visitor) -> None:
    first = visitor.links[0]
    status, answered, page = visitor.follows(first, HOST)
    assert status == 200 and "HttpOnly" in answered["set-cookie"] and "SameSite=Strict" in answered["set-cookie"]
    assert answered["referrer-policy"] == "no-referrer" and answered["cache-control"] == "no-store"
    assert "Secure" not in answered["set-cookie"] and answered["set-cookie"].startswith("rga_ui_3000=")
    assert first.partition("key=")[2] not in page
    again = visitor.follows(first, HOST)
    assert again[0] == 401 and "set-cookie" not in again[1]
    assert len(visitor.links) == 2 and visitor.links[1] != first
    assert visitor.follows(visitor.links[1], HOST)[0] == 200
    assert not visitor.reached, "the link itself is none of the application's business"


def test_a_key_that_is_not_the_right_one_opens_nothing_and_uses_nothing_up(visitor: Visitor) -> None:
    key = visitor.links[0].partition("key=")[2]
    assert len(key) >= 43, "256 bits"
    guesses = ["", "x", key[:-1], key + "x", key.swapcase(), quote("é"), "%00", f"{key}%00", "x" * 100_000, f"x&key={key[:-1]}"]
    for guess in guesses:
        assert visitor.asks(f"/enter?key={guess}", HOST)[0] == 401, guess
    for target in ("/enter", f"/enter?KEY={key}", f"/enter?{key}", f"/?key={key}", f"/enter/?key={key}"):
        assert visitor.asks(target, HOST)[0] == 401, target
    assert visitor.asks(f"/enter?key={key}", HOST, method="HEAD")[0] == 401, "who only looks does not use it up"
    assert len(visitor.links) == 1 and visitor.follows(visitor.links[0], HOST)[0] == 200


def test_before_a_link_is_made_an_empty_key_opens_nothing() -> None:
    links: list[str] = []
    visitor = Visitor()
    visitor.guard = Guard(visitor._everything, [HERE], "rga_ui_3000", links.append)
    assert visitor.asks("/enter?key=", HOST)[0] == 401 and visitor.asks("/enter", HOST)[0] == 401


def test_a_cookie_that_is_not_the_right_one_opens_nothing(visitor: Visitor, cookie: Header) -> None:
    name, _, value = cookie[1].partition("=")
    values = ["", "x", value[:-1], f"{value}x", value.swapcase(), "\xe9"]
    names = ["rga_ui_3001", f"x{name}", name.upper(), f"x={name}"]
    wrong = ["", name, *(f"{name}={value}" for value in values), *(f"{other}={value}" for other in names)]
    for given in wrong:
        assert visitor.asks("/", HOST, ("cookie", given))[0] == 401, given
    assert not visitor.reached
    assert visitor.asks("/", HOST, ("cookie", f"a=b; {name}=planted; {name}={value}; c"))[0] == 200, (
        "another port set one beside it"
    )
    assert visitor.asks("/", HOST, ("cookie", f"{name}=planted"), cookie)[0] == 200


def test_each_server_has_a_session_of_its_own(visitor: Visitor, cookie: Header) -> None:
    assert Visitor().asks("/", HOST, cookie)[0] == 401


def test_a_proxy_with_https_is_known_by_its_origin_and_gets_a_secure_cookie() -> None:
    visitor = Visitor("https://rga.example.org", HERE)
    host = ("host", "rga.example.org")
    assert visitor.links[0].startswith("https://rga.example.org/enter?key=")
    status, answered, _ = visitor.asks(visitor.links[0].partition(".org")[2], host)
    assert status == 200 and answered["set-cookie"].endswith("; Secure")
    cookie = ("cookie", answered["set-cookie"].partition(";")[0])
    assert visitor.asks("/graphql", host, cookie, JSON, ("origin", "https://rga.example.org"), method="POST")[0] == 200
    for origin in ("http://rga.example.org", HERE):
        assert visitor.asks("/graphql", host, cookie, JSON, ("origin", origin), method="POST")[0] == 403


def test_origins_are_written_as_browsers_write_them() -> None:
    assert origin_of("HTTP://LocalHost:80/") == "http://localhost" and origin_of("https://a.example:443") == "https://a.example"
    assert origin_of("http://127.0.0.1:3000") == HERE and origin_of("http://[::1]:3000") == "http://[::1]:3000"
    for wrong in (
        "*",
        "",
        "localhost:3000",
        "ftp://a",
        "http://",
        "http://a/b",
        "http://a?b",
        "http://u@a",
        "http://a:x",
        "null",
        "http://é",
    ):
        with pytest.raises(InputError, match="is no origin"):
            origin_of(wrong)


@pytest.fixture(scope="module")
def behind_uvicorn() -> Iterator[tuple[Visitor, int, Header]]:
    """A guard as `rga ui` serves it, on a port that its own origins do not name: only the Host header counts."""
    visitor = Visitor()
    listening = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(visitor.guard, log_level="critical", proxy_headers=False, lifespan="off"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
    thread.start()
    yield visitor, listening.getsockname()[1], visitor.is_let_in()
    server.should_exit = True
    thread.join()


@pytest.mark.parametrize(
    "request_line, headers, reached",
    [
        ("GET / HTTP/1.1", ["Host: 127.0.0.1:3000"], True),
        ("GET http://127.0.0.1:3000/ HTTP/1.1", ["Host: 127.0.0.1:3000"], True),
        ("GET http://evil.example/ HTTP/1.1", ["Host: evil.example"], False),
        ("GET http://127.0.0.1:3000/ HTTP/1.1", ["Host: evil.example"], False),
        ("GET / HTTP/1.1", ["Host: evil.example", "X-Forwarded-Host: 127.0.0.1:3000"], False),
        ("GET / HTTP/1.1", ["Host: 127.0.0.1:3000", "Host: evil.example"], False),
        ("GET / HTTP/1.1", ["Host: evil.example", "Host: 127.0.0.1:3000"], False),
        ("GET / HTTP/1.1", ["Host : 127.0.0.1:3000"], False),
        ("GET / HTTP/1.1", ["Host: evil.example\r\n 127.0.0.1:3000"], False),
        ("GET / HTTP/1.0", [], False),
        ("GET / HTTP/1.1", [], False),
        ("CONNECT 127.0.0.1:3000 HTTP/1.1", ["Host: 127.0.0.1:3000"], False),
        ("OPTIONS * HTTP/1.1", ["Host: 127.0.0.1:3000"], False),
    ],
)
def test_on_the_wire_only_the_one_host_header_counts(
    request_line: str, headers: list[str], reached: bool, behind_uvicorn: tuple[Visitor, int, Header]
) -> None:
    visitor, port, cookie = behind_uvicorn
    visitor.reached.clear()
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        lines = [request_line, *headers, f"Cookie: {cookie[1]}", "Connection: close", "", ""]
        connection.sendall("\r\n".join(lines).encode())
        answer = b"".join(iter(lambda: connection.recv(65536), b"")).decode("latin-1")
    status = int((re.match(r"HTTP/1\.1 (\d+)", answer) or [0, 0])[1])
    assert bool(visitor.reached) is reached and ("secret" in answer) is reached
    assert status == 200 if reached else status in (0, 400, 403)


@pytest.mark.parametrize(
    "headers, opened",
    [
        (["Host: 127.0.0.1:3000", f"Origin: {HERE}"], True),
        (["Host: 127.0.0.1:3000"], False),
        (["Host: 127.0.0.1:3000", "Origin: null"], False),
        (["Host: 127.0.0.1:3000", "Origin: http://evil.example"], False),
        (["Host: evil.example", f"Origin: {HERE}"], False),
        (["Host: evil.example", "Origin: http://evil.example"], False),
        (["Host: 127.0.0.1:3000", f"Origin: {HERE}", "Origin: http://evil.example"], False),
        (["Host: evil.example", "Host: 127.0.0.1:3000", f"Origin: {HERE}"], False),
    ],
)
def test_on_the_wire_only_our_own_pages_open_a_websocket(
    headers: list[str], opened: bool, behind_uvicorn: tuple[Visitor, int, Header]
) -> None:
    visitor, port, cookie = behind_uvicorn
    visitor.reached.clear()
    upgrade = [
        "Connection: Upgrade",
        "Upgrade: websocket",
        "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    ]
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall("\r\n".join(["GET /graphql HTTP/1.1", *headers, *upgrade, f"Cookie: {cookie[1]}", "", ""]).encode())
        answer = connection.recv(65536)
    assert answer.startswith(b"HTTP/1.1 101") is opened and bool(visitor.reached) is opened
