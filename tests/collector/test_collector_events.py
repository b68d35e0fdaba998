# SPDX-License-Identifier: GPL-2.0-or-later
"""GET /events: live, resumed, flooded, slow, too many."""
import threading
import time

import pytest

import collector_rig as rig
from lib import ng
from lib.collector import Collector


@pytest.fixture
def collector(tmp_path):
    with Collector(tmp_path) as c:
        yield c


def test_live(collector):
    with rig.Stream(collector) as s:
        reports = [rig.conn(1, host="a\nb\u2028\r"), rig.other("attempt", 2), rig.other("stat", 3), rig.other("trace", 4),
                   rig.other("plugin", 5), rig.other("quality", 6), rig.other("rollup", 7), rig.conn(8)]
        rig.stored(collector, reports)
        for n, report in ((1, reports[0]), (2, reports[1]), (3, reports[2]), (4, reports[3]), (5, reports[4]), (8, reports[7])):
            event = s.event()
            assert (event["event"], event["id"]) == (report["type"], n)
            assert event["data"].pop("id") == n and event["data"].pop("rx_ts")
            assert event["data"] == report
        # The same row as the API has.
        rig.stored(collector, [rig.conn(9)])
        assert s.event()["data"] == collector.get("/api/conns?limit=1")["conns"][0]
        # Duplicates and rejects are no event.
        rig.post(collector, [rig.conn(9), b"{}", rig.conn(10)])
        assert s.event()["id"] == 10


def test_resume(collector):
    for i in range(20):
        rig.stored(collector, [rig.conn(i)])
    with rig.Stream(collector, last_id=15) as s:
        assert [s.event()["id"] for _ in range(5)] == [16, 17, 18, 19, 20]
        rig.stored(collector, [rig.conn(20)])
        assert s.event()["id"] == 21
    with rig.Stream(collector, last_id=0) as s:
        assert s.event()["id"] == 1
    # After a restart the ring is empty: it says how many were missed.
    collector.stop()
    collector.start()
    with rig.Stream(collector, last_id=15) as s:
        assert s.event() == {"event": "skipped", "data": {"n": 6}}
        rig.stored(collector, [rig.conn(21)])
        assert s.event()["id"] == 22


def test_flood(collector):
    """20,000 reports as fast as they go: 50 a second are shown, each other one is counted; a stat comes through."""
    with rig.Stream(collector) as s:
        got, skipped, stats = 0, 0, 0

        def send():
            for b in range(20):
                rig.stored(collector, [rig.conn(1000 * b + i) for i in range(1000)] + [rig.other("stat", 1000000 + b)])
        sender, start = threading.Thread(target=send), time.monotonic()
        sender.start()
        while got + skipped < 20000 or stats < 20:
            event = s.event()
            got += event["event"] == "conn"
            stats += event["event"] == "stat"
            skipped += event["data"]["n"] if event["event"] == "skipped" else 0
        took = time.monotonic() - start
        sender.join()
        assert (got + skipped, stats) == (20000, 20)
        assert 50 <= got <= 50 * (took + 2), (got, took)
        print(f"{got} shown, {skipped} skipped in {took:.1f} s")


def test_slow_browser_holds_nobody(collector):
    """Streams that are never read: reports are stored, another stream gets its events."""
    stuck = [rig.Stream(collector, size=2048) for _ in range(20)]
    try:
        with rig.Stream(collector) as s:
            pad = "a" * 12000
            for i in range(400):
                rig.stored(collector, [rig.other("plugin", i, x_pad=pad)])
            told = 0
            while told < 400:
                event = s.event()
                told += event["data"]["n"] if event["event"] == "skipped" else 1
            assert told == 400
        # Bounded: 20 streams that are 5 MB behind each did not cost 100 MB.
        with open(f"/proc/{collector.process.pid}/status", encoding="ascii") as f:
            rss = next(int(line.split()[1]) for line in f if line.startswith("VmRSS:"))
        assert rss < 64 * 1024, f"{rss} KiB"
    finally:
        for s in stuck:
            s.close()
    ng.wait_for("their end to be seen", lambda: collector.get("/health")["streams"] == 0, 60)


def test_too_many(tmp_path):
    with Collector(tmp_path, arguments=["--connections-per-ip", "256"]) as c:
        too_many(c)


def too_many(collector):
    held = [rig.Stream(collector) for _ in range(128)]
    try:
        assert all(s.status == 200 for s in held)
        extra = rig.Stream(collector)
        assert extra.status == 503 and extra.headers["Retry-After"]
        extra.close()
        rig.stored(collector, [rig.conn(1)])
        assert all(s.event()["id"] == 1 for s in held)
        # Hung-up ones are found, and make room.
        for s in held[:10]:
            s.close()

        def again():
            s = rig.Stream(collector)
            held.append(s)
            return s.status == 200
        ng.wait_for("room for a stream", again, every_s=0.2)
    finally:
        for s in held:
            s.close()


def test_comment_and_end(collector):
    """A comment shows that the line is alive; SIGTERM ends the stream as HTTP has it, and the program."""
    with rig.Stream(collector) as s:
        assert s.event(comments=True) == {"comment": ":"}
        collector.stop()
        assert s.event() is None
