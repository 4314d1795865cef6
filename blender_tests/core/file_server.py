# SPDX-License-Identifier: GPL-3.0-or-later
"""A web server on this computer that has one file, and resumes, breaks off, stalls, changes it or lies."""

import hashlib
import http.server
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np

CONTENT = np.random.default_rng(7).integers(0, 256, 700_000, dtype=np.uint8).tobytes()
SHA256 = hashlib.sha256(CONTENT).hexdigest()


@dataclass
class Behaviour:
    """How the server answers.

    Attributes:
        content: the file it has. ranges: whether it knows them.
        breaks_after: bytes of the body after which it hangs up.
        stalls_after: bytes of the body after which it says no more until ``gave_up`` is set.
        length: what it claims as Content-Length, 0 for nothing. total: what it claims as the size in Content-Range.
        shift: how far beyond the byte asked for it claims to begin.
        status: an error it answers with. asked: the Range headers it got.
    """

    content: bytes = CONTENT
    ranges: bool = True
    breaks_after: int | None = None
    stalls_after: int | None = None
    gave_up: threading.Event = field(default_factory=threading.Event)
    length: int | None = None
    total: int | None = None
    shift: int = 0
    status: int | None = None
    asked: list[str | None] = field(default_factory=list)


class Handler(http.server.BaseHTTPRequestHandler):
    """HTTP/1.0, so a connection ends with its answer."""

    behaviour: Behaviour

    def do_GET(self) -> None:
        plan, wanted = self.behaviour, self.headers.get("Range")
        plan.asked.append(wanted)
        if plan.status:
            return self.send_error(plan.status)
        start = int(wanted.removeprefix("bytes=").removesuffix("-")) if wanted and plan.ranges else 0
        if start and start >= len(plan.content):
            return self.send_error(416)
        body = plan.content[start:]
        self.send_response(206 if start else 200)
        if start:
            first, total = start + plan.shift, plan.total or len(plan.content)
            self.send_header("Content-Range", f"bytes {first}-{len(plan.content) - 1}/{total}")
        if plan.length != 0:
            self.send_header("Content-Length", str(plan.length or len(body)))
        self.end_headers()
        try:
            self.wfile.write(body[: plan.breaks_after if plan.stalls_after is None else plan.stalls_after])
            if plan.stalls_after is not None:
                plan.gave_up.wait()
        except ConnectionError:
            self.close_connection = True  # the client has seen enough

    def log_message(self, *_) -> None:
        """Tests are quiet."""


@contextmanager
def serving() -> Iterator[tuple[str, Behaviour]]:
    """Its address and its behaviour, which a test may change."""
    behaviour = Behaviour()
    handler = type("ThisHandler", (Handler,), {"behaviour": behaviour})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as listening:
        thread = threading.Thread(target=listening.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{listening.server_port}/weights.bin", behaviour
        listening.shutdown()
        thread.join()
