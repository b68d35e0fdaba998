# SPDX-License-Identifier: GPL-2.0-or-later
r"""Budgets that hold to the packet, as the first router counts it.

    lan ---- gw: net-gazer ---- r1: counts ---- ... leaves (the internet of test_trace_paths.py)

A rate is a bucket: in any time t not more than rate * t + burst may leave.  Every window of a capture
on the gateway is looked at; a loaded machine sends later, which cannot break it.
"""
import os
import signal

import pytest

from internet import load, rig, score
from internet.tracing import Tracing, prefix
from lib import ng, wire

# No resets: they end what a SYN-ACK began, and are not probes.
OWN = "tcp src portrange 64512-65535 and tcp[13] & 4 == 0"


@pytest.fixture(scope="module", name="inet")
def the_internet():
    with rig.Internet("small") as inet:
        yield inet


def most_above(times_us, rate):
    """How far the events of some window are above rate * its length: what the bucket must have held."""
    most, level, last = 0.0, 0.0, None
    for t in times_us:
        level = max(0.0, level - rate * (t - last) / 1e6 if last is not None else 0.0) + 1
        most, last = max(most, level), t
    return most


def captured(inet, path, what):
    """what() while the gateway's wire is watched: our probes as segments, which r1 got to the last one."""
    inet.reset_counters()
    with wire.Tcpdump(inet["gw"], "to-r1", path, OWN) as dump:
        what()
        counted = rig.wait_quiet(inet)
        probes = dump.segments()
    assert counted["own"] == len(probes) == sum(inet.probed().values())
    return probes


def test_probe_rate(inet, tmp_path):
    asked = inet.topo.destinations(60, 4)

    def trace_all():
        with load.Connections(inet, asked, rate=1000):
            s.traces(len(asked))

    with Tracing(inet, tmp_path, probe_rate=50) as s:
        probes = captured(inet, tmp_path / "probes.pcap", trace_all)
        # At so slow a pace some run out of time: parts of paths, then, but true ones.
        summary = score.summary(inet, [score.of_report(r) for r in s.traces()], exact=True)
        assert (summary["wrong"], summary["false"]) == (0, 0), summary["faults"]
        s.stop()
    times = [p.ts_us for p in probes]
    over = most_above(times, 50)
    print(f"probe-rate 50: {len(times)} probes in {(times[-1] - times[0]) / 1e6:.2f} s, bucket of {over:.2f}")
    assert len(times) > 100 and over <= 4.05  # the engine's burst; timestamps are whole microseconds


def test_trace_rate(inet, tmp_path):
    asked = inet.topo.destinations(30, 4)

    def trace_all():
        with load.Connections(inet, asked, rate=1000):
            s.traces(len(asked))

    with Tracing(inet, tmp_path, trace_rate=4) as s:
        probes = captured(inet, tmp_path / "probes.pcap", trace_all)
        s.stop()
    begun = {}
    for p in probes:
        begun.setdefault(p.dst, p.ts_us)
    assert set(begun) == set(asked)
    over = most_above(sorted(begun.values()), 4)
    print(f"trace-rate 4: {len(begun)} traces in {(max(begun.values()) - min(begun.values())) / 1e6:.2f} s, bucket of {over:.2f}")
    assert over <= 4 + 1


def test_prefix_budget(inet, tmp_path):
    """Three traces a day into a /24 or /48: still three when the prober was killed, still three when the
    daemon was started again; others have theirs."""
    watched = [inet.topo.nodes[name] for name in ("a0l0", "d1l0")]
    others = iter(inet.topo.nodes[name] for name in ("a0l1", "a1l0", "b0l0"))
    inet.reset_counters()

    def ask(s, hosts):
        """Connections into the watched networks; and a trace elsewhere, asked for after them, is done."""
        inside = [inet.topo.address(leaf, f, host) for leaf in watched for f in (4, 6) for host in hosts]
        elsewhere = next(others)
        last = [inet.topo.address(elsewhere, f) for f in (4, 6)]
        with load.Connections(inet, inside + last, rate=100) as c:
            for dst in last:
                s.traces(1, dst_ip=dst)
            assert not c.failed
        rig.wait_quiet(inet)
        per = {}
        for dst in inet.probed():
            per.setdefault(prefix(dst), set()).add(dst)
        assert {p: len(per[p]) for p in {prefix(d) for d in inside}} == {prefix(d): 3 for d in inside}
        assert all(prefix(dst) in per for dst in last)

    with Tracing(inet, tmp_path, prefix_budget=3) as s:
        ask(s, range(1, 7))
        killed = s.worker("prober")
        os.kill(killed, signal.SIGKILL)
        ng.wait_for("another prober", lambda: killed not in s.processes() and "prober" in s.processes().values())
        ask(s, range(11, 17))
        s.stop()
    s.out_path.unlink()  # another boot, other sequence numbers
    with s:
        ask(s, range(21, 27))
        s.stop()


def test_opted_out(inet, tmp_path):
    """Networks of trace-exclude get no probe; their neighbours do."""
    out, near = inet.topo.nodes["d0l0"], inet.topo.nodes["d0l1"]
    asked = [inet.topo.address(leaf, f, host) for host in (1, 2, 3) for leaf in (out, near) for f in (4, 6)]
    inet.reset_counters()
    with Tracing(inet, tmp_path, trace_exclude=[inet.topo.net4(out), inet.topo.net6(out)]) as s, load.Connections(inet, asked) as c:
        s.traces(6)
        ng.wait_for("the connections", c.done)
        rig.wait_quiet(inet)
        assert {inet.leaf_of(dst).name for dst in inet.probed()} == {"d0l1"}
        assert {inet.leaf_of(r["dst_ip"]).name for r in s.traces()} == {"d0l1"}
        s.stop()
