"""The guard against a real browser: every attack reaches a server that trusts it, and none the same server behind the guard.

Who asks is a page of another port or of another site, in the browser of somebody whom the guard has let in.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator
from typing import Any

import pytest

from pipelines.guard import Guard
from tests.browser.cross_site import EVIL, Recorder, attack, attackers_page, names, served

pytestmark = [pytest.mark.browser, pytest.mark.long]
PREFLIGHTED = {"fetch POST application/json", "fetch PUT"}  # Chromium asks first, and is not told yes


@pytest.fixture(scope="module")
def attackers_port() -> Iterator[int]:
    with attackers_page() as port:
        yield port


@pytest.mark.parametrize("attacker", ["127.0.0.1", EVIL], ids=["from another port", "from another site"])
def test_what_reaches_a_trusting_server_does_not_reach_a_guarded_one(attacker: str, browser: Any, attackers_port: int) -> None:
    trusting, behind = Recorder(), Recorder()
    links: list[str] = []
    with socket.create_server(("127.0.0.1", 0)) as one, socket.create_server(("127.0.0.1", 0)) as other:
        open_port, port = one.getsockname()[1], other.getsockname()[1]
        guard = Guard(behind, [f"http://127.0.0.1:{port}", f"http://localhost:{port}"], f"rga_ui_{port}", links.append)
        guard.announce_link()
        context = browser.new_context()
        with served(trusting, one), served(guard, other):
            page = context.new_page()
            page.goto(links[0])
            page.get_by_text("done").wait_for()
            assert behind.reached == ["GET /"], "its own user is let in"
            behind.reached.clear()

            page.goto(f"http://{attacker}:{attackers_port}")
            attacks = names(page)
            assert len(attacks) >= 20
            for name in attacks:
                trusting.reached.clear()
                attack(page, f"http://127.0.0.1:{open_port}", [name])
                assert bool(trusting.reached) is (name not in PREFLIGHTED), name
                for host in ("127.0.0.1", "localhost"):
                    answers = attack(page, f"http://{host}:{port}", [name])
                    assert not behind.reached and all(answer in (401, 403) for answer in answers), name
            assert page.goto(f"http://{EVIL}:{port}/graphql").status == 403 and not behind.reached, "DNS rebinding"

            page.goto(f"http://127.0.0.1:{port}/again")
            post = (
                "fetch('/graphql', {method: 'POST', headers: {'content-type': 'application/json'}, body: '{}'}).then(r => r.status)"
            )
            listen = "new Promise(done => { const s = new WebSocket('/graphql', 'graphql-ws'); "
            listen += "s.onopen = s.onerror = event => done(event.type); })"
            assert page.evaluate(post) == 200 and page.evaluate(listen) == "open", "its own page still may"
            context.close()
