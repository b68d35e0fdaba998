# SPDX-License-Identifier: GPL-2.0-or-later
"""zstd, for collectors that say they take it; what was sealed before stays as it is."""
import pytest

from lib import ng
from rig import Collector, Forwarder, Parent, lines, memory_folder, status
from test_forwarder_collector import Real
from test_forwarder_kills import Oracle, rows


def codings(collector):
    return [post.headers.get("Content-Encoding") for post in collector.posts]


def feed(forwarder, collector, start, n=100):
    forwarder.feed(lines(n, start=start))
    ng.wait_for(forwarder.log, lambda: start + n - 1 in collector.stored)


def test_zstd_is_used_when_it_is_offered():
    tried = []

    def plan(number, post):
        """Each packed batch once in vain: it comes again with the same bytes."""
        if post.headers.get("Content-Encoding") == "zstd" and post.key not in tried:
            tried.append(post.key)
            return status(503)
        return None
    with Collector(plan, takes="zstd, gzip") as c, Forwarder(f"http://127.0.0.1:{c.port}") as f:
        for turn in range(4):
            feed(f, c, 1000 * turn)
        assert f.end()["acknowledged"] == 400
        assert codings(c)[0] == "gzip" and codings(c)[-1] == "zstd" and "takes zstd" in f.log()
        assert len(tried) >= 3
        c.assert_honest_keys()
        sizes = {coding: len(post.raw) / len(post.body) for coding, post in zip(codings(c), c.posts)}
        assert sizes["zstd"] < 1.05 * sizes["gzip"]


@pytest.mark.parametrize("takes", [None, "gzip", "zstd;q=0, gzip", "*"])
def test_zstd_is_not_used_when_it_is_not_offered(takes):
    with Collector(takes=takes) as c, Forwarder(f"http://127.0.0.1:{c.port}") as f:
        for turn in range(3):
            feed(f, c, 1000 * turn)
        assert f.end()["acknowledged"] == 300 and set(codings(c)) == {"gzip"}


def test_a_collector_that_offers_what_it_refuses():
    def plan(number, post):
        return status(415) if post.headers.get("Content-Encoding") == "zstd" else None
    with Collector(plan, takes="zstd") as c, Forwarder(f"http://127.0.0.1:{c.port}") as f:
        for turn in range(4):
            feed(f, c, 1000 * turn)
        assert f.end()["acknowledged"] == 400
        assert codings(c)[:3] == ["gzip", "zstd", None] and set(codings(c)[3:]) <= {"gzip"}
        assert [post.seqs[0] for post in c.posts][1:3] == [1000, 1000]
        c.assert_honest_keys()


def test_a_spooled_batch_keeps_its_packing_over_a_kill():
    """The next forwarder, which knows of no offer yet, sends the very same bytes."""
    away = []

    def plan(number, post):
        return status(503) if away else None
    with memory_folder() as folder, Parent(folder) as parent, Collector(plan, takes="zstd") as c:
        with Forwarder(f"http://127.0.0.1:{c.port}", **parent.settings()) as f:
            feed(f, c, 1)
            away.append(1)
            f.feed(lines(100, start=1000))
            ng.wait_for(f.log, lambda: c.posts[-1].seqs[0] == 1000)
            f.process.kill()
            f.process.wait()
        had = len(c.posts)
        with Forwarder(f"http://127.0.0.1:{c.port}", **parent.settings()) as f:
            ng.wait_for(f.log, lambda: len(c.posts) > had)
            away.clear()
            ng.wait_for(f.log, lambda: len(c.stored) == 200)
            f.end()
        assert codings(c)[-1] == "zstd" and c.posts[-1].raw == c.posts[1].raw
        c.assert_honest_keys()
        assert parent.identity()["acknowledged"] == 200


def test_with_the_real_collector(tmp_path):
    """It offers zstd, and stores what is packed so."""
    oracle = Oracle()
    with Real(tmp_path) as real, Collector(oracle) as relay, Forwarder(f"http://127.0.0.1:{relay.port}", batch_lines=200) as f:
        oracle.port = real.port()
        relay.takes = oracle.takes
        for turn in range(5):
            f.feed(lines(400, start=1 + 400 * turn))
            ng.wait_for(f.log, lambda t=turn: 400 * (t + 1) in oracle.acknowledged)
            relay.takes = oracle.takes
        assert f.end()["acknowledged"] == 2000
        assert set(rows(tmp_path).items()) == {(seq, 1) for seq in range(1, 2001)}
        assert codings(relay)[0] == "gzip" and codings(relay)[-1] == "zstd"
        relay.assert_honest_keys()
