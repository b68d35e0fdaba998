# SPDX-License-Identifier: GPL-2.0-or-later
"""Disks that are full, and calls that fail: the n-th, for n = 1, 2, ... until a run is clean (tests/lib/faults.c).
Whatever fails, no forwarder crashes, nothing acknowledged is missing, and the counts add up to the report.

With NG_SOAK=1 (make soak) every n; else some of them."""
import contextlib
import errno
import os
import subprocess

import pytest

from lib import ng
from rig import Collector, Forwarder, Parent, lines, memory_folder
from test_forwarder_collector import Real
from test_forwarder_kills import Oracle, rows

SOAK = bool(os.environ.get("NG_SOAK"))


@pytest.fixture(scope="module")
def faults(tmp_path_factory):
    return str(ng.compile_c(ng.TOP / "tests/lib/faults.c", tmp_path_factory.mktemp("faults") / "faults.so", "-shared",
                            "-fPIC", "-ldl", "-fno-builtin"))


@contextlib.contextmanager
def small_disk(folder, size):
    """A tmpfs of that size: full is full."""
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size},mode=0700", "tmpfs", folder], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", folder], check=True)


def test_the_disk_is_full(tmp_path):
    """A spool of 4 MiB on a disk of 1 MiB: reports go on to be counted, no half of one is ever read."""
    with small_disk(tmp_path, "1m"):
        with Parent(tmp_path) as parent:
            with Forwarder("http://127.0.0.1:1", batch_bytes=32768, queue_bytes=131072, **parent.settings()) as f:
                f.feed(lines(20000))
                ng.wait_for(f.log, lambda: parent.page().now.received == 20000)
                assert "the queue is full" in f.log() and parent.page().spool_bytes <= 1 << 20
                f.stop_now()
            counts = parent.identity()
            assert counts["dropped"] > 0 and counts["spooled"] > 1000
            with Collector() as c, Forwarder(f"http://127.0.0.1:{c.port}", **parent.settings()) as f:
                ng.wait_for(f.log, lambda: len(c.stored) == counts["spooled"])
                counters = f.end()
                assert counters["damaged"] == 0 and counters["dropped"] == counts["dropped"]
                assert max(c.stored) == 20000 and not c.duplicates
                print(f"20000 reports on 1 MiB: {counts['dropped']} dropped, {len(c.stored)} delivered")
            assert not parent.segments()


def run(library, call, at, number, on=False):
    """One forwarder with a fault, with a collector that is away at first, then one without.  True: the fault came."""
    port = ng.free_port()
    url = f"http://127.0.0.1:{port}"
    env = {"LD_PRELOAD": library, "FAULT_CALL": call, "FAULT_AT": str(at), "FAULT_ERRNO": str(number),
           **({"FAULT_ON": "1"} if on else {})}
    with memory_folder() as folder, Parent(folder) as parent:
        with Forwarder(url, env=env, batch_lines=50, batch_ms=10, spool_bytes=262144, **parent.settings()) as f:
            fed = 0
            with contextlib.suppress(BrokenPipeError):
                f.feed(lines(500))
                fed = 500
            ng.wait_for(f.log, lambda: f.process.poll() is not None or parent.page().now.received == fed)
            with Collector(port=port) as c:
                with contextlib.suppress(BrokenPipeError):
                    f.process.stdin.close()
                code = f.process.wait(ng.DEADLINE_S)
                assert code in (0, 1, 2), f"{call} {at}: {code}\n{f.log()}"
                injected = "fault: injected" in f.log()
                assert injected or code == 0, f.log()
                sent = len(c.stored)
                # What is left is delivered by the next one, and a fresh report arrives.
                with Forwarder(url, **parent.settings()) as g:
                    g.feed(lines(10, start=100001))
                    g.end()
                counts = parent.identity()
                assert counts["spooled"] == 0 and set(range(100001, 100011)) <= set(c.stored)
                assert counts["acknowledged"] <= len(c.stored) + c.duplicates, (call, at, counts, sent)
                assert counts["acknowledged"] + counts["dropped"] == counts["received"] + counts["recovered"]
                assert len(c.stored) + counts["dropped"] >= counts["received"], (call, at, counts)
                if not injected:
                    assert counts["dropped"] == 0 and len(c.stored) == 510
        return injected


def each(library, call, number, step, most, on=False):
    n = runs = 0
    while n < most:
        n += 1 if SOAK else step
        runs += 1
        if not run(library, call, n, number, on):
            break
    else:
        assert not SOAK, f"{call}: {most} calls and no end"
    print(f"{call} ({errno.errorcode[number]}{', and all that follow' if on else ''}): {runs} runs, up to call {n}")
    assert runs > 1


@pytest.mark.parametrize("on", [False, True], ids=["once", "from then on"])
@pytest.mark.parametrize("call, number, step", [
    ("write", errno.EIO, 4), ("write", errno.ENOSPC, 5), ("fsync", errno.EIO, 7), ("openat", errno.EMFILE, 9),
    ("renameat", errno.EIO, 4), ("unlinkat", errno.EROFS, 4)])
def test_a_call_fails(faults, call, number, step, on):
    each(faults, call, number, step, 120, on)


def test_memory_runs_out(faults):
    """Our own calls alone: libyajl crashes when one of its own fails (faults.c says where)."""
    each(faults, "malloc", errno.ENOMEM, 5, 2000)


def run_collector(library, folder, call, at, number, libraries):
    """A collector with a fault, until it is killed; then one without.  True: the fault came."""
    env = {"LD_PRELOAD": library, "FAULT_CALL": call, "FAULT_AT": str(at), "FAULT_ERRNO": str(number),
           **({"FAULT_LIBRARIES": libraries} if libraries else {})}
    oracle = Oracle()
    folder.mkdir()
    with memory_folder() as spool, Parent(spool) as parent, Collector(oracle) as relay, Real(folder, env=env) as broken:
        # It may as well say at its start that it cannot go on.
        ng.wait_for(broken.log, lambda: broken.process.poll() is not None or "listening on" in broken.log())
        oracle.port = broken.port() if "listening on" in broken.log() else ng.free_port()
        with Forwarder(f"http://127.0.0.1:{relay.port}", batch_lines=20, batch_ms=10, **parent.settings()) as f:
            f.feed(lines(100))
            ng.wait_for(f.log, lambda: len(oracle.acknowledged) == 100 or parent.page().tries)
            broken.process.kill()
            assert broken.process.wait() in (0, 1, 2, -9), broken.log()
            injected, had = "fault: injected" in broken.log(), broken.log().count("listening on")
            with Real(folder, oracle.port) as sound:
                ng.wait_for(sound.log, lambda: sound.log().count("listening on") > had)
                there = set(rows(folder))
                assert oracle.acknowledged <= there, f"{call} {at}: acknowledged and not there"
                ng.wait_for(lambda: f.log() + sound.log(), lambda: len(oracle.acknowledged) == 100)
                assert f.end()["acknowledged"] == 100
                assert set(rows(folder)) == set(range(1, 101)) and max(rows(folder).values()) == 1
    return injected


def each_of_the_collector(library, folder, call, number, step, most, libraries=None):
    n = runs = 0
    while n < most:
        n += step
        runs += 1
        if not run_collector(library, folder / str(n), call, n, number, libraries):
            break
    print(f"collector, {call} ({errno.errorcode[number]}): {runs} runs, up to call {n}")
    assert runs > 1


@pytest.mark.parametrize("call, number, step", [
    ("pwrite", errno.EIO, 23), ("pwrite", errno.ENOSPC, 31), ("fsync", errno.EIO, 4)])
def test_a_call_of_the_collector_fails(faults, tmp_path, call, number, step):
    """SQLite's n-th write or sync: what was acknowledged is there, what was not is sent again."""
    each_of_the_collector(faults, tmp_path, call, number, 3 if SOAK else step, 600)


def test_memory_runs_out_in_the_collector(faults, tmp_path):
    """Its own and SQLite's n-th: the same.  Those are thousands, most of them while it starts: every so-many-th."""
    each_of_the_collector(faults, tmp_path, "malloc", errno.ENOMEM, 97 if SOAK else 2503, 40000, "libsqlite3")
