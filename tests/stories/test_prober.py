# SPDX-License-Identifier: GPL-2.0-or-later
r"""The prober alone, on the gateway of an internet that knows its paths; parent and analyzer are played.

    lan ---- gw: prober ---- r1 - r2 - r3 -+- a0 ...
                              |            +- b0, c0 (silent routers), d0 ...
                              +- counts what gw sends

Nothing but what the test asks for makes a packet, so r1's counters are the prober's own.
"""
import pathlib
import struct
import time

import pytest

from internet import rig, topo
from lib import ng, prober
from lib.prober import Prober

HOME = [topo.LAN4, topo.LAN6]


@pytest.fixture(scope="module", name="inet")
def the_internet():
    with rig.Internet("small") as inet:
        yield inet


def leaf(inet, name, family, host=1):
    return inet.topo.address(inet.topo.nodes[name], family, host)


def probes_on_r1(inet):
    return sum(inet.probed().values())


def check_counted(p, inet, **want):
    """Its own count of probes comes to be what the first router got."""
    ng.wait_for(lambda: f"{want} and {inet.counters()} in {p.stats}",
                lambda: p.stats and p.stats["probes"] == inet.counters()["every"] and
                all(p.stats[k] == v for k, v in want.items()))
    return p.stats


def check_path(inet, r):
    """Each hop that answers in its place, the silent ones silent, the last the destination's."""
    path = inet.flow_path(r.method, None, r.sport, r.dst, r.dport)
    said = f"{r}\n{path}"
    assert r.status == prober.DONE, said
    assert [h.ttl for h in r.hops] == list(range(1, len(path) + 1)), said
    for hop, name in zip(r.hops, path):
        assert (inet.node_of(hop.ip) if hop.ip else None) == (None if inet.topo.nodes[name].silent else name), said
        assert hop.flags & prober.CACHED or bool(hop.rtts_us) == bool(hop.ip), said
        for rtt_us in hop.rtts_us:
            assert rtt_us >= inet.topo.rtt_us(path, hop.ttl), said
    assert r.src == inet.topo.wan(6 if ":" in r.dst else 4), said
    assert r.sport >= prober.PORT_FIRST, said


@pytest.mark.parametrize("method", ("tcp", "udp", "icmp"))
def test_paths(inet, tmp_path, method):
    """Each kind of probe, both families, beside each other: exact paths, and as many probes as are told."""
    asked = [leaf(inet, name, family) for name in ("a0l0", "b0l1", "c1l0", "d1l0") for family in (4, 6)]
    inet.reset_counters()
    with Prober(inet["gw"], tmp_path, home=HOME) as p:
        for dst in asked:
            p.asker.ask(dst, method)
        found = [p.asker.result() for _ in asked]
        assert sorted(r.dst for r in found) == sorted(asked)
        for r in found:
            check_path(inet, r)
        stats = check_counted(p, inet, requests=8, traces=8, refused=0, send_errors=0,
                              probes=sum(r.probes for r in found))
        assert stats["answers"] >= sum(len(h.rtts_us) for r in found for h in r.hops)


def test_sandbox(inet, tmp_path):
    """What the kernel says about the process that reads strangers' packets."""
    with Prober(inet["gw"], tmp_path) as p:
        want = prober.NO_CAPS | prober.NO_NEW_PRIVS | prober.SECCOMP
        assert p.posture & want == want
        assert bool(p.posture & prober.LANDLOCK) == ng.has_kernel("Landlock")
        status = p.status()
        assert (status["Seccomp"], status["NoNewPrivs"]) == ("2", "1")
        assert [int(status[c], 16) for c in ("CapEff", "CapPrm", "CapInh", "CapAmb")] == [0] * 4
        assert status["Uid"].split() == [str(prober.UID)] * 4
        # Nothing is open but what it was given, its epoll and its signalfd.
        fds = {n: (pathlib.Path(f"/proc/{p.process.pid}/fd") / n).readlink() for n in
               (f.name for f in pathlib.Path(f"/proc/{p.process.pid}/fd").iterdir())}
        assert not [str(f) for f in fds.values() if str(f).startswith("/") and str(f) not in ("/dev/null", str(p.log_path))], fds
        assert sum(str(f).startswith("anon_inode:") for f in fds.values()) == 2, fds


def test_refused(inet, tmp_path):
    """Each reason, and not one packet."""
    excluded, dst = leaf(inet, "d0l0", 4), leaf(inet, "a0l0", 4)
    gw4, gw6 = inet.topo.wan(4), inet.topo.wan(6)
    inet["gw"].ip("route add unreachable 20.250.0.0/16\nroute add blackhole 20.251.0.0/16\nroute add prohibit 20.252.0.0/16")
    inet.reset_counters()
    try:
        with Prober(inet["gw"], tmp_path, home=HOME, exclude=[excluded, "2a01:19:1::/48"]) as p:
            for dst, why in (
                    ("10.0.0.1", prober.BOGON), ("127.0.0.1", prober.BOGON), ("224.0.0.1", prober.BOGON),
                    ("255.255.255.255", prober.BOGON), ("203.0.113.1", prober.BOGON), ("::1", prober.BOGON),
                    ("fe80::1", prober.BOGON), ("ff02::1", prober.BOGON), ("2001:db8::1", prober.BOGON),
                    (topo.LAN4_HOST, prober.HOME), (topo.LAN6_HOST, prober.HOME), (gw4, prober.OWN), (gw6, prober.OWN),
                    (excluded, prober.EXCLUDED), ("2a01:19:1::5", prober.EXCLUDED),
                    ("20.250.1.1", prober.NO_ROUTE), ("20.251.1.1", prober.NO_ROUTE), ("20.252.1.1", prober.NO_ROUTE)):
                r = p.asker.trace(dst)
                assert (r.status, r.dst, r.hops, r.probes) == (why, dst, [], 0), (dst, why, r)
            dst = leaf(inet, "a0l0", 4)
            for wrong in ({"dport": 0}, {"max_ttl": 65}, {"tries": 4}, {"probes": 4}, {"trigger": 5}, {"flags": 4},
                          {"method": "ack", "src": topo.LAN4_HOST, "sport": 4}):  # in-band, without its socket
                r = p.asker.trace(dst, **wrong)
                assert (r.status, r.probes) == (prober.BAD_REQUEST, 0), (wrong, r)
            # What is no request at all has no answer, and does no harm.
            for junk in (b"\0", b"x" * 67, b"x" * 68, b"x" * 4000, struct.pack("=II", 3, 1) + bytes(60)):
                p.asker.socket.send(junk)
            assert p.asker.trace("10.0.0.2").status == prober.BOGON
            assert p.asker.silent()
            stats = p.settled(requests=26, refused=26, traces=0)
            assert stats["probes"] == 0
        assert probes_on_r1(inet) == 0
    finally:
        inet["gw"].ip("route del unreachable 20.250.0.0/16\nroute del blackhole 20.251.0.0/16\nroute del prohibit 20.252.0.0/16")


def test_budget_outlives_it(inet, tmp_path):
    """Three traces a day into one /24 and one /48: over kill -9 and restart, for people too."""
    with Prober(inet["gw"], tmp_path, prefix_budget=3, listen=True) as p:
        for host in (1, 2):
            for family in (4, 6):
                check_path(inet, p.asker.trace(leaf(inet, "a0l0", family, host)))
        p.kill()
        p.start()
        person = p.connect()
        check_path(inet, person.trace(leaf(inet, "a0l0", 4, 3), "icmp"))
        inet.reset_counters()
        for who in (person, p.asker):
            assert who.trace(leaf(inet, "a0l0", 4, 4)).status == prober.BUDGET
            if who is person:
                passed_on = p.asker.result()
                assert (passed_on.id, passed_on.trigger, passed_on.method) == (0, prober.MANUAL, "icmp")
        assert probes_on_r1(inet) == 0
        check_path(inet, p.asker.trace(leaf(inet, "a0l0", 6, 3)))
        assert p.asker.trace(leaf(inet, "a0l0", 6, 4)).status == prober.BUDGET
        check_path(inet, p.asker.trace(leaf(inet, "a0l1", 4)))  # the next /24
        person.close()


def test_damaged_budgets(inet, tmp_path):
    """A file of noise, and one that cannot be mapped: it works, and says so."""
    (tmp_path / "budgets").write_bytes(bytes(range(256)) * 500)
    with Prober(inet["gw"], tmp_path, prefix_budget=1) as p:
        assert "begun anew" in p.log()
        check_path(inet, p.asker.trace(leaf(inet, "a0l0", 4)))
        assert p.asker.trace(leaf(inet, "a0l0", 4)).status == prober.BUDGET


def test_rates(inet, tmp_path):
    """200 probes and 10 traces a second, asked for at once: never more, counted on the first router."""
    asked = inet.topo.destinations(24, 4) + inet.topo.destinations(24, 6)
    inet.reset_counters()
    with Prober(inet["gw"], tmp_path, probe_rate=200, trace_rate=10, traces=64) as p:
        begin = time.monotonic()
        for dst in asked:
            p.asker.ask(dst)
        found = [p.asker.result() for _ in asked]
        took_s = time.monotonic() - begin
        for r in found:
            assert r.status in (prober.DONE, prober.DEADLINE), r
        starts = sorted(r.ts_us for r in found)
        # A loaded machine begins some late, none early.
        assert all(b - a >= 900_000 for a, b in zip(starts, starts[10:])), starts
        assert probes_on_r1(inet) <= 200 * took_s + 10
        check_counted(p, inet, traces=len(asked), send_errors=0)


def test_queue_is_bounded(inet, tmp_path):
    """What does not fit in the queue is refused at once; everything else has its turn."""
    asked = inet.topo.destinations(30, 4)
    with Prober(inet["gw"], tmp_path, trace_rate=20, traces=8) as p:
        ids = [p.asker.ask(dst) for dst in asked]
        found = [p.asker.result() for _ in ids]
        assert sorted(r.id for r in found) == sorted(ids)
        refused = [r for r in found if r.status == prober.RATE]
        assert refused and len(found) - len(refused) >= 9, [r.status for r in found]
        assert all(r.status in (prober.RATE, prober.DONE) for r in found)
        p.settled(requests=30, refused=len(refused), traces=30 - len(refused))


def test_people(inet, tmp_path):
    """Two people beside the analyzer: hops as they come, their own results only, and who leaves is forgotten."""
    with Prober(inet["gw"], tmp_path, listen=True) as p:
        a, b = p.connect(), p.connect()
        dst_a, dst_b = leaf(inet, "b0l0", 4), leaf(inet, "d0l1", 6)
        first = a.ask(dst_a, flags=prober.PROGRESS | prober.FRESH, trigger=0)
        second = b.ask(dst_b, ident=first)  # each has numbers of its own
        ra, rb = a.result(), b.result()
        assert (ra.id, ra.dst, ra.trigger) == (first, dst_a, prober.MANUAL)
        assert (rb.id, rb.dst) == (second, dst_b)
        check_path(inet, ra)
        check_path(inet, rb)
        seen = {prober.hop_of(4, raw).ttl: prober.hop_of(4, raw).ip for raw in a.hops[first]}
        assert {h.ttl: h.ip for h in ra.hops if h.ip}.items() <= seen.items()
        assert not b.hops
        passed_on = [p.asker.result(), p.asker.result()]
        assert sorted((r.id, r.dst, r.trigger) for r in passed_on) == sorted((0, d, prober.MANUAL) for d in (dst_a, dst_b))
        # A destination that drops everything keeps a trace waiting: its asker leaves.
        a.ask(leaf(inet, "b0l3", 4), flags=prober.PROGRESS)
        a.first_hop()
        a.close()
        before = p.settled(requests=3, traces=3)["probes"]
        check_path(inet, b.trace(leaf(inet, "a0l1", 4)))
        assert p.asker.result().dst == leaf(inet, "a0l1", 4)
        assert p.asker.silent(), "a trace that nobody waits for has no result"
        assert before <= p.settled(traces=4)["probes"]
        # Who sends no request is shown the door; the others stay.
        rude = p.connect()
        rude.socket.send(b"GET / HTTP/1.0\r\n\r\n")
        assert rude.result() is None
        crowd = [p.connect() for _ in range(10)]
        turned_away = [c for c in crowd[7:] if c.result() is None]
        assert len(turned_away) == 3
        check_path(inet, crowd[0].trace(leaf(inet, "a0l1", 6)))
        for c in (*crowd, rude, b):
            c.close()


def test_in_band(inet, tmp_path):
    """No probe before the parent says that the connection lives; none after it says that it ended."""
    dst = leaf(inet, "d0l0", 6)
    answers = []

    def lookup(ipv, src, sport, to, dport):
        return (ipv, src, sport, to, dport) if answers and answers.pop(0) else None

    inet.reset_counters()
    with Prober(inet["gw"], tmp_path, inband=True, lookup=lookup, home=HOME) as p:
        asked = {"method": "ack", "src": topo.LAN6_HOST, "sport": 40000, "iss": 1000, "irs": 2000, "reply_ttl": 57}
        r = p.asker.trace(dst, **asked)
        assert (r.status, r.probes) == (prober.STOPPED, 0)
        assert p.looked_up == [(6, topo.LAN6_HOST, 40000, dst, 443)]
        assert probes_on_r1(inet) == 0
        # From the LAN host's own address, which no ordinary socket of the gateway may use.  The answers go
        # to that host, and only NFLOG would show them.
        answers += [True, True]
        r = p.asker.trace(dst, **asked)
        assert r.status == prober.STOPPED
        assert len(p.looked_up) == 4
        stats = check_counted(p, inet, requests=2, traces=1, refused=1, send_errors=0)
        assert stats["probes"] == inet.counters()["inband"] > 0
        # Another destination behind NAT than the one that was asked for.
        p.lookup = lambda ipv, src, sport, to, dport: (ipv, src, sport, leaf(inet, "d0l1", 6), dport)
        assert p.asker.trace(dst, **asked).status == prober.STOPPED
        p.settled(requests=3, refused=2, probes=stats["probes"])


@pytest.mark.parametrize("end", ("control", "requests"))
def test_alone_it_ends(inet, tmp_path, end):
    """Parent or asker gone, also in the middle of a trace: it ends by itself, in good order."""
    with Prober(inet["gw"], tmp_path) as p:
        p.asker.ask(leaf(inet, "b0l3", 4))
        if end == "requests":
            p.asker.close()
        else:
            p.control.shutdown(2)
        assert p.process.wait(ng.DEADLINE_S) == 0


def test_settings_that_cannot_be_used(inet, tmp_path):
    """It says which, and does not start."""
    for name, value in (("probe-rate", 0), ("home", "10.0.0.1/8"), ("send", "tcp5 9")):
        p = Prober(inet["gw"], tmp_path, **{name: value})
        with pytest.raises(prober.Ended):
            p.__enter__()
        assert f"settings: cannot use {name}={value}" in p.log()
