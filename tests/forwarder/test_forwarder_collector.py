# SPDX-License-Identifier: GPL-2.0-or-later
"""The forwarder and the real collector: what goes in on one side is in the database once."""
import contextlib
import json
import os
import re
import sqlite3
import subprocess

from lib import ng, report
from rig import Forwarder, line, lines


class Real:
    def __init__(self, folder, port=0, env=None):
        self.database = folder / "c.db"
        self.err = folder / "collector.log"
        with open(self.err, "ab") as err:
            self.process = subprocess.Popen([ng.program("net-gazer-collector"), "-c", "/dev/null", "--port", str(port),
                                             "--database", str(self.database)], stderr=err,
                                            env=dict(os.environ, **env) if env else None)

    def log(self):
        return self.err.read_text()

    def port(self):
        return int(ng.wait_for(self.log, lambda: re.search(r"listening on http://127.0.0.1:(\d+)/", self.log()))[1])

    def rows(self, column):
        found = []
        for day in sorted(self.database.parent.glob("c.db.d/*.db")):
            with contextlib.closing(sqlite3.connect(f"file:{day}?mode=ro", uri=True)) as db:
                if db.execute("SELECT 1 FROM sqlite_schema WHERE name = 'conn'").fetchone():  # else it is just being made
                    found += db.execute(f"SELECT seq, {column} FROM conn ORDER BY seq")
        return [value for _, value in sorted(found)]

    def seqs(self):
        return self.rows("seq")

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        ng.stop(self.process)


def test_5000_reports_are_stored_once(tmp_path):
    sent = lines(5000)
    assert len(report.reports(sent)) == 5000
    with Real(tmp_path) as c, Forwarder(f"http://127.0.0.1:{c.port()}", queue_bytes=8 << 20) as f:
        f.feed(sent)
        counters = f.end()
        assert (counters["received"], counters["acknowledged"], counters["rejected"]) == (5000, 5000, 0), f.log()
        assert c.seqs() == list(range(1, 5001))
        # The same once more: acknowledged, since they are there, and not stored a second time.
        with Forwarder(f"http://127.0.0.1:{c.port()}", queue_bytes=8 << 20) as again:
            again.feed(lines(5000))
            assert again.end()["acknowledged"] == 5000
        assert c.seqs() == list(range(1, 5001))
        stored = json.loads(c.rows("json")[0])
        assert {k: stored[k] for k in ("sensor", "boot", "seq", "rtt_us")} == \
            {"sensor": "r1", "boot": "9f1c2ab0", "seq": 1, "rtt_us": 20123}


def test_what_the_collector_rejects_is_counted(tmp_path):
    bad = line(3).replace(b'"proto":"tcp"', b'"proto":"carrier pigeon"')
    with Real(tmp_path) as c, Forwarder(f"http://127.0.0.1:{c.port()}") as f:
        f.feed(lines(2) + bad + lines(7, start=4))
        counters = f.end()
        assert (counters["acknowledged"], counters["rejected"], counters["quarantined"]) == (9, 1, 0), f.log()
        assert "1 of 10 reports rejected, the first is 3: " in f.log()
        assert c.seqs() == [1, 2, 4, 5, 6, 7, 8, 9, 10]


def test_the_collector_is_killed_in_between(tmp_path):
    """Twice, with SIGKILL, while reports come in: all of them are there once at the end."""
    with contextlib.ExitStack() as stack:
        collector = stack.enter_context(Real(tmp_path))
        port = collector.port()
        f = stack.enter_context(Forwarder(f"http://127.0.0.1:{port}", queue_bytes=8 << 20, batch_lines=50))
        n = 0
        for turn in range(3):
            f.feed(lines(1500, start=n + 1))
            n += 1500
            ng.wait_for(f.log, lambda: collector.seqs()[-1:] > [n - 1400])
            if turn < 2:
                collector.process.kill()
                collector.process.wait()
                collector = stack.enter_context(Real(tmp_path, port))
                ng.wait_for(collector.log, lambda: collector.log().count("listening on") == turn + 2)
        ng.wait_for(f.log, lambda: len(collector.seqs()) == n)
        counters = f.end()
        assert collector.seqs() == list(range(1, n + 1))
        assert counters["acknowledged"] == n
