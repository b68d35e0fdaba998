# SPDX-License-Identifier: GPL-2.0-or-later
"""The spool behind the queue: what a forwarder that ended or was killed leaves to the next one."""
import os

from lib import ng
from rig import Collector, Forwarder, Parent, line, lines, memory_folder


def waits(parent, f, n):
    ng.wait_for(lambda: f"{n} reports in the spool\n{f.log()}", lambda: parent.page().now.spooled >= n)


def kill(f):
    f.process.kill()
    f.process.wait()


def test_in_memory_a_kill_loses_nothing_that_was_sealed():
    port = ng.free_port()
    url = f"http://127.0.0.1:{port}"
    with memory_folder() as folder, Parent(folder) as parent:
        with Forwarder(url, **parent.settings()) as f:
            f.feed(lines(3000))
            waits(parent, f, 3000)
            page = parent.page()
            assert page.spool_tmpfs == 1 and page.flash_written_bytes == 0 and page.spool_bytes > 0 and page.tries > 0
            kill(f)
        assert parent.identity()["spooled"] == 3000
        with Collector(port=port) as c, Forwarder(url, **parent.settings()) as f:
            f.feed(lines(10, start=3001))
            counters = f.end()
            assert (counters["acknowledged"], counters["dropped"], counters["recovered"]) == (3010, 0, 0), f.log()
            assert sorted(c.stored) == list(range(1, 3011)) and not c.duplicates
            c.assert_honest_keys()
        assert parent.page().starts == 2 and parent.page().http_2xx == len(c.posts) and not parent.segments()
        assert parent.page().sent_bytes > 0
        parent.identity()


def test_another_parent_recovers_what_is_there():
    with memory_folder() as folder:
        with Parent(folder) as parent, Forwarder("http://127.0.0.1:1", **parent.settings()) as f:
            f.feed(lines(500))
            waits(parent, f, 500)
            f.stop_now()
        # It booted since: these reports are still of the boot that they say.
        with Collector() as c, Parent(folder) as parent:
            with Forwarder(f"http://127.0.0.1:{c.port}", boot="00000001", **parent.settings()) as f:
                ng.wait_for(f.log, lambda: len(c.stored) == 500)
                assert f.end()["recovered"] == 500
            assert parent.identity() == {"received": 0, "recovered": 500, "acknowledged": 500, "rejected": 0,
                                         "quarantined": 0, "dropped": 0, "spooled": 0}
            c.assert_honest_keys()  # the key names the boot of the reports


def test_on_a_disk_only_what_has_no_room_is_written(tmp_path):
    with Parent(tmp_path) as parent:
        with Collector() as c, Forwarder(f"http://127.0.0.1:{c.port}", **parent.settings()) as f:
            f.feed(lines(2000))
            ng.wait_for(f.log, lambda: len(c.stored) == 2000)
            assert f.end()["flash"] == 0
        with Forwarder("http://127.0.0.1:1", queue_bytes=65536, batch_bytes=16384, **parent.settings()) as f:
            f.feed(lines(1000, start=2001))
            ng.wait_for(f.log, lambda: parent.page().queue_bytes > 10000)
            assert parent.page().flash_written_bytes == 0
            f.feed(lines(5000, start=3001))
            ng.wait_for(f.log, lambda: parent.page().flash_written_bytes > 0)
            # At an orderly end the rest goes there too.
            counters = f.end()
            assert (counters["queued"], counters["spooled"], counters["dropped"]) == (6000, 6000, 0), f.log()
            assert counters["flash"] == parent.page().flash_written_bytes >= parent.page().spool_bytes > 0
        with Collector() as c, Forwarder(f"http://127.0.0.1:{c.port}", **parent.settings()) as f:
            ng.wait_for(f.log, lambda: len(c.stored) == 6000, deadline_s=60)
            f.end()
            assert sorted(c.stored) == list(range(2001, 8001)) and not c.duplicates
        assert parent.identity()["acknowledged"] == 8000


def test_full_the_oldest_connections_go_first():
    """One in three is no connection: as long as there are connections, none of these is dropped."""
    def mixed(n, start=1):
        return b"".join(text if i % 3 else text.replace(b'"type":"conn"', b'"type":"attempt"')
                        for i in range(start, start + n) for text in [line(i)])

    with memory_folder() as folder, Parent(folder) as parent:
        with Forwarder("http://127.0.0.1:1", spool_bytes=300000, batch_bytes=16384, **parent.settings()) as f:
            f.feed(mixed(2000))
            ng.wait_for(f.log, lambda: parent.page().now.received == 2000)
            f.stop_now()
            assert "the queue is full" in f.log()
        counts = parent.identity()
        assert 0 < counts["dropped"] < 1334
        assert parent.page().spool_bytes <= 300000
        with Collector() as c, Forwarder(f"http://127.0.0.1:{c.port}", **parent.settings()) as f:
            ng.wait_for(f.log, lambda: len(c.stored) == 2000 - counts["dropped"])
            f.end()
            assert set(range(3, 2001, 3)) <= set(c.stored)
            oldest = min(seq for seq in c.stored if seq % 3)
            assert oldest > 1 and set(c.stored) >= set(range(oldest, 2001)), "not the oldest ones went"
            assert c.posts[-1].headers["Net-Gazer-Sent"].endswith(f"dropped={counts['dropped']}")
        assert not parent.segments()


def test_full_while_memory_has_room():
    """What the spool has no room for waits in memory alone, and is delivered with the rest; a stop puts the newest of it there."""
    port = ng.free_port()
    url = f"http://127.0.0.1:{port}"
    with memory_folder() as folder, Parent(folder) as parent:
        small = {"spool_bytes": 100000, "batch_bytes": 16384, **parent.settings()}
        with Forwarder(url, **small) as f:
            f.feed(lines(2000))
            page = ng.wait_for(f.log, lambda: (page := parent.page()).now.received == page.waiting == 2000 and page)
            assert 0 < page.now.spooled < 1000 and page.queue_bytes < page.queue_limit_bytes // 2 and not page.spool_error
            with Collector(port=port) as c:
                ng.wait_for(f.log, lambda: len(c.stored) == 2000)
                counters = f.end()
                assert (counters["acknowledged"], counters["dropped"], counters["spooled"]) == (2000, 0, 0), f.log()
                assert not c.duplicates and not parent.segments()
        with Forwarder(url, **small) as f:
            f.feed(lines(2000, start=2001))
            ng.wait_for(f.log, lambda: parent.page().waiting == 2000)
            f.stop_now()
        counts = parent.identity()
        assert counts["spooled"] + counts["dropped"] == 2000 and counts["spooled"] > 0
        with Collector(port=port) as c, Forwarder(url, **small) as f:
            ng.wait_for(f.log, lambda: len(c.stored) == counts["spooled"])
            assert f.end()["dropped"] == counts["dropped"]
            assert sorted(c.stored) == list(range(4001 - counts["spooled"], 4001)), "not the newest were kept"
        parent.identity()


def test_a_directory_that_another_process_has():
    with memory_folder() as folder, Parent(folder) as parent, Parent(folder) as other, Collector() as c, \
            Forwarder("http://127.0.0.1:1", **parent.settings()) as f:
        ng.wait_for(f.log, lambda: "sending reports" in f.log())
        with Forwarder(f"http://127.0.0.1:{c.port}", **other.settings()) as g:
            g.feed(lines(10))
            assert g.end()["acknowledged"] == 10
            assert "another process has the directory" in g.log()
            assert ("no Landlock" in g.log()) == ("no Landlock" in f.log()), "the sandbox has nothing to do with it"


def test_damaged_segments():
    """Bits flipped, an end cut off, a file of somebody's: what survives is delivered, the rest is counted."""
    with memory_folder() as folder:
        with Parent(folder) as parent, Forwarder("http://127.0.0.1:1", batch_lines=100, **parent.settings()) as f:
            f.feed(lines(1000))
            waits(parent, f, 1000)
            f.stop_now()
        segments = sorted(folder.glob("*.seg"))
        assert len(segments) == 10
        flipped, cut, junk = (bytearray(s.read_bytes()) for s in segments[:3])
        flipped[len(flipped) // 2] ^= 4
        segments[0].write_bytes(flipped)
        segments[1].write_bytes(cut[:len(cut) // 2])
        segments[2].write_bytes(os.urandom(len(junk)))
        (folder / "7fffffffffffff00.seg").write_bytes(b"")
        (folder / "0000000000000001.tmp").write_bytes(b"half")
        (folder / "README").write_bytes(b"not ours")
        with Collector() as c, Parent(folder) as parent, Forwarder(f"http://127.0.0.1:{c.port}", **parent.settings()) as f:
            recovered = ng.wait_for(f.log, lambda: parent.page().now.recovered)
            ng.wait_for(f.log, lambda: len(c.stored) == recovered)
            counters = f.end()
            assert 99 + 40 + 700 <= recovered <= 99 + 50 + 700 and counters["damaged"] >= 3 and "is damaged" in f.log()
            assert set(range(301, 1001)) <= set(c.stored)
            c.assert_honest_keys()
            assert "1-100" not in {post.key.rsplit("/")[-1] for post in c.posts}
        assert [p.name for p in folder.iterdir() if p.name != "lock"] == ["README"]
