"""Who may talk to a web server on this machine: a guard in front of any ASGI application.

Belongs here: which requests are let through, the link that opens the server, the cookie that follows. Not here: what is served
(``ui_server``). Of the application it knows one thing: it may take GraphQL in the query string of a GET.
"""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from graphql import GraphQLError, OperationDefinitionNode, OperationType, parse

from rga.errors import InputError, Problem

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Message, Receive, Send], Awaitable[None]]

ENTRANCE = "/enter"
DEFAULT_PORTS = {"http": 80, "https": 443}
HEADERS = [
    (b"x-frame-options", b"SAMEORIGIN"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
]
PAGE = """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}</title>{head}</head>
<body style="font: 16px/1.5 sans-serif; max-width: 40em; margin: 4em auto"><h1>{title}</h1><p>{text}</p></body></html>
"""
LOCKED = """Open the newest link that was printed where this server was started. Each works once; then another is printed.
If this browser has been let in before, <a href="{again}">go on from here</a>."""


class Refused(Exception):
    """A request that is not let through, whoever asks; the argument says why."""


class Unknown(Exception):
    """A request of somebody who has not been let in."""


def origin_of(address: str) -> str:
    """``address`` as browsers write an origin: scheme, host, and the port where it is not the scheme's own.

    Raises InputError where it is not http:// or https:// with a host and nothing after it.
    """
    try:
        parts = urlsplit(address)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        parts, host, port = urlsplit(""), "", None
    bare = parts.path in ("", "/") and not (parts.query or parts.fragment or "@" in parts.netloc)
    if parts.scheme not in DEFAULT_PORTS or not bare or not host.isascii() or not host.strip("."):
        raise InputError(Problem(f"{address!r} is no origin", "write it as https://rga.example.org, with :PORT where there is one"))
    host = f"[{host}]" if ":" in host else host
    return f"{parts.scheme}://{host}" + (f":{port}" if port not in (None, DEFAULT_PORTS[parts.scheme]) else "")


class Guard:
    """Lets through what a browser that holds the cookie asks from a page of ``origins``, and nothing else.

    ``origins`` is the one list of what may be talked to, each as `origin_of` has it: a request names the host of one of them, and
    if it says which page it comes from, that page is of the same origin. Whatever changes something is a POST of
    application/json that says so. A WebSocket says so as well. The cookie is given for a key that opens once; ``announce`` is
    called with each new link, first by `announce_link`. Cookies are shared by all ports of a host, hence ``cookie`` names the port.
    """

    def __init__(self, application: Application, origins: Iterable[str], cookie: str, announce: Callable[[str], None]) -> None:
        self._application = application
        self._origins = list(origins)
        self._hosts = {urlsplit(origin).netloc for origin in self._origins}
        self._cookie = cookie
        self._announce = announce
        self._session = secrets.token_urlsafe(32)
        self._key = ""

    def announce_link(self) -> None:
        """Make a new link, the only one that opens from now on, and announce it."""
        self._key = secrets.token_urlsafe(32)
        self._announce(f"{self._origins[0]}{ENTRANCE}?key={self._key}")

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._application(scope, receive, send)
        elif scope["type"] == "websocket":
            try:
                self._check_source(scope, must_say=True)
                self._check_session(scope)
            except (Refused, Unknown):
                await send({"type": "websocket.close", "code": 1008})  # before it is accepted: the client sees 403
                return
            await self._application(scope, receive, send)
        else:
            await self._http(scope, receive, send)

    async def _http(self, scope: Message, receive: Receive, send: Send) -> None:
        try:
            self._check_host(scope)
            if scope["path"] == ENTRANCE and scope["method"] == "GET":
                await self._enter(scope, send)
                return
            self._check_source(scope, must_say=scope["method"] == "POST")
            self._check_session(scope)
            _check_method(scope)
        except Refused as refused:
            await _answer(send, 403, "Refused", f'{refused}. If you came by a link, <a href="">go on from here</a>.')
            return
        except Unknown:
            await _answer(send, 401, "Not open in this browser", LOCKED.format(again=""))
            return

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", []), *HEADERS]
            await send(message)

        await self._application(scope, receive, guarded)

    def _check_host(self, scope: Message) -> str:
        """The host asked for, where it is one of ours: a page of another name that points here (DNS rebinding) is not."""
        host = _only(scope, b"host").lower()
        if host not in self._hosts:
            raise Refused("This server is not known by that name")
        return host

    def _check_source(self, scope: Message, must_say: bool) -> None:
        """Refuse what a page of another origin asks; ``must_say`` where a request that does not name its origin is refused too."""
        host = self._check_host(scope)
        if must_say or _values(scope, b"origin"):
            origin = _only(scope, b"origin")
            if origin not in self._origins or urlsplit(origin).netloc != host:
                raise Refused("A page of another origin asked for this")
        if not set(_values(scope, b"sec-fetch-site")) <= {"same-origin", "none"}:
            raise Refused("A page of another origin led here")

    def _check_session(self, scope: Message) -> None:
        """Unknown where no cookie opens. Of several of one name, which another port may have set, any will do."""
        cookies = (pair.strip().partition("=") for line in _values(scope, b"cookie") for pair in line.split(";"))
        if not any([_same(value, self._session) for name, _, value in cookies if name == self._cookie]):
            raise Unknown

    async def _enter(self, scope: Message, send: Send) -> None:
        """Give the cookie for the key. By a page of our own, since from elsewhere a strict cookie does not follow a redirection."""
        given = dict(parse_qsl(scope["query_string"].decode("latin-1"))).get("key", "")
        if not _same(given, self._key):
            await _answer(send, 401, "This link has been used", LOCKED.format(again="/"))
            return
        secure = f"http://{self._check_host(scope)}" not in self._origins
        cookie = f"{self._cookie}={self._session}; Path=/; HttpOnly; SameSite=Strict" + ("; Secure" if secure else "")
        self.announce_link()
        head = '<meta http-equiv="refresh" content="0; url=/">'
        await _answer(send, 200, "Opening", '<a href="/">Go on</a>', head, [(b"set-cookie", cookie.encode())])


def _check_method(scope: Message) -> None:
    """GET and HEAD that change nothing, and POST of application/json, which no form and no page of another origin can send."""
    if scope["method"] == "POST":
        if _only(scope, b"content-type").partition(";")[0].strip().lower() != "application/json":
            raise Refused("Only application/json is taken")
    elif scope["method"] not in ("GET", "HEAD"):
        raise Refused("Only GET, HEAD and POST are taken")
    for name, text in parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True):
        if name == "query" and not _only_reads(text):
            raise Refused("What changes something is asked by POST")


def _only_reads(text: str) -> bool:
    """Whether GraphQL has queries only. What does not parse here might do elsewhere: how deep a text may be nested varies."""
    try:
        found = parse(text).definitions
    except (GraphQLError, RecursionError):
        return False
    return all(node.operation is OperationType.QUERY for node in found if isinstance(node, OperationDefinitionNode))


def _values(scope: Message, name: bytes) -> list[str]:
    return [value.decode("latin-1") for key, value in scope["headers"] if key == name]


def _only(scope: Message, name: bytes) -> str:
    """The header's value; Refused where it is there twice or not at all, so that nobody downstream reads another one."""
    values = _values(scope, name)
    if len(values) != 1:
        raise Refused(f"One {name.decode()} header is needed, {len(values)} came")
    return values[0]


def _same(given: str, secret: str) -> bool:
    """Compared in a time that does not tell how much is right."""
    return secrets.compare_digest(given.encode(), secret.encode()) and bool(secret)


async def _answer(
    send: Send, status: int, title: str, text: str, head: str = "", headers: Iterable[tuple[bytes, bytes]] = ()
) -> None:
    own = [
        (b"content-type", b"text/html; charset=utf-8"),
        (b"cache-control", b"no-store"),
        (b"referrer-policy", b"no-referrer"),
        (b"content-security-policy", b"default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"),
    ]
    await send({"type": "http.response.start", "status": status, "headers": [*own, *headers]})
    await send({"type": "http.response.body", "body": PAGE.format(title=title, text=text, head=head).encode()})
