# SPDX-License-Identifier: GPL-2.0-or-later
r"""Two machines that are the same one: a virtual machine that was cloned while it ran, a snapshot that was put back.

      forwarder of the one ----.
                                net-gazer-collector
      forwarder of the other --'"""
import contextlib
import json
import re
import sqlite3
import time

from lib import ng
from rig import Forwarder, Parent, line
from test_forwarder_collector import Real


def reports(start, n, who):
    """As the analyzer has them: the time is now, and who made them can be told."""
    made = []
    for seq in range(start, start + n):
        report = json.loads(line(seq))
        us = time.time_ns() // 1000
        report["ts"] = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(us // 1000000)) + f".{us % 1000000:06d}Z"
        report["src_ip"] = who
        made.append(json.dumps(report, separators=(",", ":")).encode() + b"\n")
    return b"".join(made)


def stored(folder):
    """{(sensor, seq, who)} of all rows, and how many rows there are."""
    found = []
    for day in sorted((folder / "c.db.d").glob("*.db")):
        with contextlib.closing(sqlite3.connect(f"file:{day}?mode=ro", uri=True)) as db:
            if db.execute("SELECT 1 FROM sqlite_schema WHERE name = 'conn'").fetchone():
                found += [(r["sensor"], r["seq"], r["src_ip"]) for r in (json.loads(text) for (text,) in db.execute(
                    "SELECT json FROM conn"))]
    return found


def test_a_clone_gets_another_name(tmp_path):
    """Both go on from the same number at the same time; every report of either is stored once."""
    fed = {"10.0.0.1": 0, "10.0.0.2": 0}
    with Real(tmp_path) as c, Parent() as pages, Parent() as other_pages, \
            Forwarder(f"http://127.0.0.1:{c.port()}", batch_ms=20, **pages.settings()) as one:
        one.feed(reports(1000, 50, "10.0.0.1"))
        fed["10.0.0.1"] += 50
        ng.wait_for(one.log, lambda: len(stored(tmp_path)) == 50)
        with Forwarder(f"http://127.0.0.1:{c.port()}", batch_ms=20, **other_pages.settings()) as other:
            for turn in range(10):
                for who, f in (("10.0.0.1", one), ("10.0.0.2", other)):
                    f.feed(reports(1050 + 10 * turn, 10, who))
                    fed[who] += 10
                    ng.wait_for(f.log, lambda: len(stored(tmp_path)) == sum(fed.values()))
            assert other.end()["acknowledged"] == 100
            said = other.log()
        assert one.end()["acknowledged"] == 150
        assert one.counters()["rejected"] == 0
        assert pages.page().renamed + other_pages.page().renamed >= 1
        assert "another machine uses the name r1" in one.log() + said
    rows = stored(tmp_path)
    names = {sensor for sensor, _, _ in rows}
    assert len(rows) == 250 and len(set(rows)) == 250
    assert len(names) >= 2 and all(re.fullmatch(r"r1(-[0-9a-f]{4})?", name) for name in names), names
    assert "two machines send as sensor" in c.log()


def test_a_snapshot_that_was_put_back(tmp_path):
    """Numbers begin again far back: nothing is taken for what was sent before, and the name stays over a kill."""
    with Real(tmp_path) as c, Parent() as pages, Forwarder(f"http://127.0.0.1:{c.port()}", **pages.settings()) as f:
        f.feed(reports(1, 3000, "10.0.0.1"))
        assert f.end()["acknowledged"] == 3000
        with Parent() as pages:
            with Forwarder(f"http://127.0.0.1:{c.port()}", **pages.settings()) as f:
                f.feed(reports(1001, 100, "10.0.0.2"))
                ng.wait_for(f.log, lambda: len(stored(tmp_path)) == 3100)
                assert pages.page().renamed == 1
                f.process.kill()
                f.process.wait()
            with Forwarder(f"http://127.0.0.1:{c.port()}", **pages.settings()) as f:
                f.feed(reports(1101, 100, "10.0.0.2"))
                assert f.end()["acknowledged"] == 200
                assert pages.page().http_4xx == 1
                name = f"r1-{pages.page().renamed_to:04x}"
        rows = stored(tmp_path)
        assert len(rows) == len(set(rows)) == 3200
        assert {sensor for sensor, seq, who in rows if who == "10.0.0.2"} == {name}


def test_what_is_sent_again_is_no_clash(tmp_path):
    """The same reports from a second forwarder, cut otherwise, over a restart of the collector: duplicates."""
    data = reports(1, 1000, "10.0.0.1")
    with contextlib.ExitStack() as stack:
        c = stack.enter_context(Real(tmp_path))
        port = c.port()
        for turn, size in enumerate((100, 7, 333)):
            with Parent() as pages, Forwarder(f"http://127.0.0.1:{port}", batch_lines=size, **pages.settings()) as f:
                f.feed(data)
                assert f.end()["acknowledged"] == 1000, turn
                assert not pages.page().renamed and not pages.page().http_4xx
            c.process.kill()
            c.process.wait()
            had = c.log().count("listening on")
            c = stack.enter_context(Real(tmp_path, port))
            ng.wait_for(c.log, lambda h=had: c.log().count("listening on") > h)
        assert len(stored(tmp_path)) == 1000
