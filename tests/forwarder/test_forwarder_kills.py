# SPDX-License-Identifier: GPL-2.0-or-later
r"""SIGKILL at random moments, for the forwarder and for the collector, under load.

      this test --pipe--> forwarder --> relay (notes what was acknowledged) --> net-gazer-collector
                             | spool on tmpfs, page

In `make check` 40 kills, with NG_SOAK=1 (make soak) 300."""
import collections
import contextlib
import http.client
import json
import os
import random
import sqlite3
import threading
import time

from lib import ng
from rig import Collector, Forwarder, Parent, line, memory_folder, status
from test_forwarder_collector import Real

KILLS = 300 if os.environ.get("NG_SOAK") else 40
LINES_A_SECOND = 2000


class Oracle:
    """Passes posts on to the collector; what it acknowledged is written down before the forwarder learns of it."""

    def __init__(self):
        self.port, self.acknowledged, self.lock = None, set(), threading.Lock()
        self.takes = None  # what the collector said that it takes

    def __call__(self, number, post):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        try:
            connection.request("POST", "/v1/reports", post.raw, {
                n: v for n, v in post.headers.items() if n in ("Idempotency-Key", "Content-Type", "Content-Encoding")})
            answer = connection.getresponse()
            body = answer.read()
        except (OSError, http.client.HTTPException):
            return status(502)
        finally:
            connection.close()
        self.takes = answer.headers.get("Accept-Encoding", self.takes)
        if answer.status == 200:
            with self.lock:
                self.acknowledged.update(post.seqs)
        return status(answer.status, body)


class Feeder(threading.Thread):
    """The analyzer's side of the pipe: whole lines, never waiting."""

    def __init__(self, fd):
        super().__init__()
        self.fd, self.fed, self.full, self.end = fd, 0, 0, threading.Event()

    def run(self):
        seq = 0
        while not self.end.wait(0.01):
            for _ in range(LINES_A_SECOND // 100):
                seq += 1
                try:
                    os.write(self.fd, line(seq))
                    self.fed += 1
                except BlockingIOError:
                    self.full += 1


def rows(folder):
    found = collections.Counter()
    for day in (folder / "c.db.d").glob("*.db"):
        with contextlib.closing(sqlite3.connect(f"file:{day}?mode=ro", uri=True)) as db:
            assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
            if not db.execute("SELECT 1 FROM sqlite_schema WHERE name = 'conn'").fetchone():
                continue  # it was just being made
            found.update(json.loads(text)["seq"] for (text,) in db.execute("SELECT json FROM conn"))
    return found


def test_nothing_acknowledged_is_lost(tmp_path):
    seed = time.time_ns()
    chance = random.Random(seed)
    print(f"seed {seed}")
    oracle = Oracle()
    read, write = os.pipe()
    os.set_blocking(write, False)
    killed = collections.Counter()
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(memory_folder())
        parent = stack.enter_context(Parent(folder))
        relay = stack.enter_context(Collector(oracle))
        real = stack.enter_context(Real(tmp_path))
        oracle.port = real.port()

        def forwarder():
            return stack.enter_context(Forwarder(f"http://127.0.0.1:{relay.port}", stdin=read, batch_lines=100,
                                                 batch_ms=20, verbose=2, spool_bytes=1 << 26, **parent.settings()))
        f = forwarder()
        feeder = Feeder(write)
        feeder.start()
        stack.callback(feeder.end.set)
        for _ in range(KILLS):
            time.sleep(chance.random() * 0.15)
            if chance.random() < 0.6:
                f.process.kill()
                f.process.wait()
                killed["forwarder"] += 1
                f = forwarder()
            else:
                real.process.kill()
                real.process.wait()
                killed["collector"] += 1
                had = real.log().count("listening on")
                real = stack.enter_context(Real(tmp_path, oracle.port))
                ng.wait_for(real.log, lambda h=had: real.log().count("listening on") > h)
        feeder.end.set()
        feeder.join()
        ng.wait_for(lambda: f"{parent.page().waiting} reports still wait\n{f.log()}", lambda: not parent.page().waiting and
                    parent.page().now.received, deadline_s=300, every_s=0.1)
        # Whatever has happened, a new one arrives.
        fresh = 10_000_000
        os.write(write, line(fresh))
        ng.wait_for(f.log, lambda: fresh in oracle.acknowledged)
        os.close(write)
        assert f.process.wait(ng.DEADLINE_S) == 0, f.log()
        os.close(read)
        stored, fed, counts = rows(tmp_path), feeder.fed + 1, f.counters()
    lost_reading = fed - counts["received"]
    print(f"{sum(killed.values())} kills ({killed['forwarder']} of the forwarder, {killed['collector']} of the collector): "
          f"{fed} reports, {len(oracle.acknowledged)} acknowledged, {len(stored)} stored, "
          f"{sum(stored.values()) - len(stored)} twice, {counts['dropped']} lost unsealed with a forwarder, "
          f"{lost_reading} while it read")
    missing = oracle.acknowledged - set(stored)
    assert not missing, f"{len(missing)} reports were acknowledged and are not there: {sorted(missing)[:20]}"
    assert max(stored.values()) == 1
    assert counts["queued"] == counts["spooled"] == counts["recovered"] == 0
    assert counts["received"] == counts["acknowledged"] + counts["dropped"]
    # What was sealed is never given up, and the counts are exact wherever the kills came.
    assert counts["acknowledged"] == len(oracle.acknowledged) == len(stored)
    # At most what was read and not sealed: an open batch, and what one read brings.
    assert 0 <= lost_reading <= killed["forwarder"] * (32768 // len(line(1)) + 2)
    assert counts["dropped"] <= killed["forwarder"] * 100
