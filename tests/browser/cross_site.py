"""What a page of another origin can do to a web server on this machine: two dozen requests, as an attacker would write them.

Belongs here: the requests, and what became of each. Not here: who is attacked (``test_ui``).
"""

from __future__ import annotations

import http.server
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import uvicorn

EVIL = "evil.example"  # to be mapped to 127.0.0.1 in the browser
RESOLVES = f"--host-resolver-rules=MAP {EVIL} 127.0.0.1"

# Each takes the address attacked, does what its name says, and settles once that is answered or refused.
ATTACKS = r"""
const MUTATION = 'mutation { wipeAssets(assetPartitionRanges: [{assetKey: {path: ["release"]}}]) { __typename } }';
const LAUNCH = 'mutation { launchRun(executionParams: {selector: {repositoryLocationName: "pipelines.definitions", ' +
  'repositoryName: "__repository__", jobName: "build"}, runConfigData: {}, mode: "default"}) { __typename } }';
const BODY = JSON.stringify({query: LAUNCH});
const asked = query => '/graphql?query=' + encodeURIComponent(query);
const settled = (element, ms = 4000) => new Promise(done => {
  element.onload = element.onerror = done; setTimeout(done, ms); document.body.append(element); });
const made = (tag, fields) => Object.assign(document.createElement(tag), fields);
const posted = (at, path, type, mode = 'no-cors', method = 'POST') =>
  fetch(at + path, {method, mode, body: BODY, credentials: 'include', headers: type ? {'content-type': type} : {}});
const sent = (at, path, method, enctype, name, value = LAUNCH) => {
  const frame = made('iframe', {name: 'f' + Math.random()}), done = settled(frame);
  const form = made('form', {action: at + path, method, enctype, target: frame.name});
  form.append(made('input', {name, value})); document.body.append(form); form.submit();
  return done.then(() => new Promise(later => setTimeout(later, 300))); };
const ATTACKS = {
  'mutation by fetch GET': at => fetch(at + asked(MUTATION), {mode: 'no-cors', credentials: 'include'}),
  'mutation by image': at => settled(made('img', {src: at + asked(LAUNCH)})),
  'query by script': at => settled(made('script', {src: at + asked('{ version }')})),
  'mutation by style sheet': at => settled(made('link', {rel: 'stylesheet', href: at + asked(MUTATION)})),
  'mutation by prefetch': at => settled(made('link', {rel: 'prefetch', href: at + asked(LAUNCH)}), 1500),
  'mutation by frame': at => settled(made('iframe', {src: at + asked(LAUNCH)})),
  'mutation by form GET': at => sent(at, '/graphql', 'get', '', 'query'),
  'form POST text/plain': at => sent(at, '/graphql', 'post', 'text/plain', BODY.slice(0, -1) + ',"x":"', '"}'),
  'form POST urlencoded': at => sent(at, asked(LAUNCH), 'post', 'application/x-www-form-urlencoded', 'query'),
  'form POST multipart': at => sent(at, asked(LAUNCH), 'post', 'multipart/form-data', 'query'),
  'fetch POST text/plain': at => posted(at, '/graphql', 'text/plain'),
  'fetch POST text/plain that mentions JSON': at => posted(at, '/graphql', 'text/plain; x=application/json'),
  'fetch POST without type, query in the address': at => posted(at, asked(LAUNCH)),
  'fetch POST application/json': at => posted(at, '/graphql', 'application/json', 'cors'),
  'fetch PUT': at => posted(at, '/graphql', 'application/json', 'cors', 'PUT'),
  'beacon to report_asset_materialization': async at => navigator.sendBeacon(at + '/report_asset_materialization/release'),
  'beacon to report_asset_check': async at => navigator.sendBeacon(at + '/report_asset_check/release?check_name=a', 'x'),
  'beacon to report_asset_observation': async at => navigator.sendBeacon(at + '/report_asset_observation/release'),
  'server_info by fetch': at => fetch(at + '/server_info', {mode: 'no-cors', credentials: 'include'}),
  'logs by fetch': at => fetch(at + '/logs/a/compute_logs/b.out', {mode: 'no-cors', credentials: 'include'}),
  'static file by image': at => settled(made('img', {src: at + '/favicon.png'})),
  'page by frame': at => settled(made('iframe', {src: at + '/runs'})),
  'POST from a frame without origin': at => settled(made('iframe', {sandbox: 'allow-scripts', srcdoc:
    `<script>fetch('${at}/graphql', {method: 'POST', mode: 'no-cors', body: '{}'})</` + 'script>'}), 1500),
  'events by EventSource': at => new Promise(done => {
    const source = new EventSource(at + '/runs', {withCredentials: true});
    source.onerror = source.onopen = () => { source.close(); done(); }; }),
  'mutation by opening a window': at => { window.open(at + asked(LAUNCH)); return new Promise(done => setTimeout(done, 1000)); },
  'WebSocket': at => new Promise(done => {
    const socket = new WebSocket(at.replace('http', 'ws') + '/graphql', 'graphql-ws');
    socket.onopen = () => done('open'); socket.onerror = () => done('refused'); }),
};
"""


class Page(http.server.BaseHTTPRequestHandler):
    """The attacker's page, under whatever name the browser asks for it."""

    def do_GET(self) -> None:
        body = f"<!doctype html><title>evil</title><body><script>{ATTACKS}</script>".encode()
        self.send_response(200)
        self.send_header("content-type", "text/html")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def attackers_page() -> Iterator[int]:
    """The port of a server of that page."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Page) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            thread.join()


class Recorder:
    """An application that does whatever it is asked, and remembers what that was; as trusting as dagster-webserver."""

    def __init__(self) -> None:
        self.reached: list[str] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "websocket":
            self.reached.append("websocket")
            await receive()
            await send({"type": "websocket.accept", "subprotocol": "graphql-ws"})
        elif scope["type"] == "http" and scope["method"] != "OPTIONS":
            if scope["path"] != "/favicon.ico":  # asked by the browser itself, of whatever it shows
                self.reached.append(f"{scope['method']} {scope['path']}")
            await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/html")]})
            await send({"type": "http.response.body", "body": b"done"})
        elif scope["type"] == "http":
            await send({"type": "http.response.start", "status": 405, "headers": []})
            await send({"type": "http.response.body", "body": b""})


@contextmanager
def served(application: Any, listening: socket.socket) -> Iterator[None]:
    server = uvicorn.Server(uvicorn.Config(application, log_level="critical", lifespan="off", timeout_graceful_shutdown=1))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
    thread.start()
    try:
        yield
    finally:
        server.should_exit = True
        thread.join()


def names(page: Any) -> list[str]:
    """Of all attacks; the page is the attacker's."""
    return list(page.evaluate("Object.keys(ATTACKS)"))


def attack(page: Any, target: str, names: list[str]) -> list[int | str]:
    """Do at once what ``names`` say, from the attacker's page; the statuses that ``target`` answered, or "open" of a WebSocket."""
    answers: list[int | str] = []

    def note(response: Any) -> None:
        if response.url.startswith(target):
            answers.append(response.status)

    page.context.on("response", note)
    run = "([names, at]) => Promise.all(names.map(name => Promise.resolve(ATTACKS[name](at)).catch(() => 'failed')))"
    answers += [outcome for outcome in page.evaluate(run, [names, target]) if outcome == "open"]
    page.wait_for_timeout(100)
    page.context.remove_listener("response", note)
    for one in page.context.pages:
        if one.opener() is page:
            one.close()
    return answers
