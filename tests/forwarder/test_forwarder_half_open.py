# SPDX-License-Identifier: GPL-2.0-or-later
r"""A connection that is dead without a word: a router on the way drops its packets, both directions, and no others.

      forwarders in lan ---- rtr: nft drops by the client's port ---- collectors in wan
"""
import contextlib
import json
import random
import re
import threading

from lib import net, ng
from rig import Collector, Forwarder, line, lines, status

PATIENCE_S = 90  # connect 10 s, bytes that nobody acknowledges 20 s, silence 20 s, all 30 s


class Case:
    """A collector, its forwarder, and a moment at which the first connection dies."""

    def __init__(self, router, stack, **settings):
        self.router, self.port = router, None
        with router.wan:
            self.collector = stack.enter_context(Collector(address=router.WAN4))
        with router.lan:
            self.forwarder = stack.enter_context(Forwarder(f"http://{router.WAN4}:{self.collector.port}", **settings))

    def cut(self):
        """The connection that was made first."""
        self.port = self.collector.ports[0]
        self.router.rtr.nft(f"""table inet cut{self.port} {{
            chain c {{
                type filter hook forward priority -10
                tcp sport {self.port} tcp dport {self.collector.port} counter drop
                tcp dport {self.port} tcp sport {self.collector.port} counter drop
            }}
        }}""")

    def done(self, n):
        """All are there, each once for whom counts, and none was given up."""
        ng.wait_for(lambda: f"{n} reports, there are {len(self.collector.stored)}\n{self.forwarder.log()}",
                    lambda: len(self.collector.stored) == n and any(port != self.port for port in self.collector.ports),
                    deadline_s=PATIENCE_S, every_s=0.05)
        counters = self.forwarder.end()
        assert (counters["received"], counters["acknowledged"], counters["dropped"]) == (n, n, 0)
        self.collector.assert_honest_keys()
        dropped = self.router.rtr.run("nft", "list", "table", "inet", f"cut{self.port}").stdout
        assert sum(map(int, re.findall(r"packets (\d+)", dropped))) > 0, dropped


def incompressible(n):
    """A batch of a megabyte: more than a window."""
    chance, made = random.Random(7), []
    for seq in range(1, n + 1):
        report = json.loads(line(seq))
        report["x_pad"] = chance.randbytes(6000).hex()
        made.append(json.dumps(report, separators=(",", ":")).encode() + b"\n")
    return b"".join(made)


def test_half_open():
    """Three at once: dead in the middle of a body; between the body and its answer; before the first byte of the next post."""
    with net.Router(filtered=False) as router, contextlib.ExitStack() as stack:
        body = Case(router, stack, batch_lines=80, batch_bytes=1 << 20, queue_bytes=8 << 20, batch_ms=10000)
        first = threading.Event()

        def in_the_body(handler):
            if not first.is_set():
                first.set()  # what was not read yet is in the socket, up to its window
                body.cut()
        body.collector.before = in_the_body
        body.forwarder.feed(incompressible(80))

        answer = Case(router, stack)
        stored = []

        def before_the_answer(number, post):
            if stored:
                return None
            stored.append(answer.collector.store(post))
            answer.cut()
            return status(200, stored[0])
        answer.collector.plan = before_the_answer
        answer.forwarder.feed(lines(100))

        idle = Case(router, stack)
        idle.forwarder.feed(lines(100))
        ng.wait_for(idle.forwarder.log, lambda: len(idle.collector.stored) == 100)
        idle.cut()
        idle.forwarder.feed(lines(100, start=101))

        idle.done(200)
        answer.done(100)
        body.done(80)
        assert body.collector.posts[0].seqs == list(range(1, 81)) and not body.collector.duplicates
        for case in (body, answer):  # of a connection that was idle libcurl makes another by itself
            assert re.search(r"timed out|too slow|timeout", case.forwarder.log(), re.I), case.forwarder.log()
        assert answer.collector.duplicates == 100 and len(answer.collector.posts) == 2  # it came twice, and counted once
        assert not idle.collector.duplicates
