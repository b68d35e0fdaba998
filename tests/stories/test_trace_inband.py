# SPDX-License-Identifier: GPL-2.0-or-later
r"""Probes inside of users' connections: pure ACKs with the 5-tuple that the gateway's NAT gave them.

    lan .10 .11 ---- gw: net-gazer [NAT] ---- r1: counts ---- diamonds ---- b0l0 b1l0 ...
       talk over their connections, before, during and after

Load balancers see the user's own flow, so the path is the one that its packets take.
"""
import collections
import socket

import pytest

from internet import load, rig, topo
from internet.tracing import Tracing
from lib import net, ng, wire

SECOND4 = "192.168.77.11"


@pytest.fixture(scope="module", name="inet")
def the_internet():
    with rig.Internet("small") as inet:
        inet["lan"].ip(f"addr add {SECOND4}/24 dev to-gw")
        yield inet


def talk(s, data):
    s.sendall(data)
    back = b""
    while len(back) < len(data):
        more = s.recv(65536)
        assert more, "the connection ended"
        back += more
    assert back == data


def outside(inet, dst):
    """What routers see of the connection to dst: source address and port."""
    found = [answers_to for flow, answers_to in inet.conntrack() if flow[3] == dst]
    assert len(found) == 1, inet.conntrack()
    return found[0]


def check(inet, report, src, sport):
    """Every router of that flow's path, and nothing else.  The destination is the last hop, known from its
    handshake; nothing answers there, so where the way back is longer it seems farther than it is."""
    assert (report["method"], report["proto"]) == ("tcp-ack", "tcp"), report
    path = inet.flow_path("tcp", src, sport, report["dst_ip"], report["dst_port"])
    found = {h["ttl"]: inet.node_of(h["ip"]) for h in report["hops"] if "ip" in h}
    expect = {ttl: name for ttl, name in enumerate(path, 1) if inet.topo.nodes[name].answers("tcp")}
    if path[-1].startswith("a1"):
        assert report["hops"][-1]["ttl"] in (len(path), len(path) + 2), report
        expect[report["hops"][-1]["ttl"]] = expect.pop(len(path))
    assert found == expect and report["reached"], f"{report}\n{path}"
    return path


def test_the_connections_own_path(inet, tmp_path):
    """40 connections over diamonds and silent routers, both families: each path is that of the
    connection, and each connection echoes before, during and after."""
    leaves = ("b0l0", "b1l0", "b1l1", "c1l0", "a1l0")
    asked = [inet.topo.address(inet.topo.nodes[leaf], f, host) for host in range(1, 5) for leaf in leaves for f in (4, 6)]
    inet.reset_counters()
    with Tracing(inet, tmp_path, trace_inband=True, traceroute={"in_band": True}) as s, load.Connections(inet, asked, rate=100) as c:
        ng.wait_for("the connections", c.done)
        assert not c.failed
        # A socket of load's does not block.
        for sock in c.established.values():
            sock.settimeout(ng.DEADLINE_S)
            talk(sock, b"during")
        found = s.traces(len(asked))
        for sock in c.established.values():
            talk(sock, b"after" * 1000)
        branches = set()
        for r in found:
            sock = c.established[r["dst_ip"]]
            src, sport = (None, sock.getsockname()[1])
            if ":" in r["dst_ip"]:
                src = topo.LAN6_HOST
            else:
                assert outside(inet, r["dst_ip"]) == (inet.topo.wan(4), sport)
            branches |= set(check(inet, r, src, sport))
        assert {"b1", "b2", "bu1", "bu2"} <= branches
        counted = inet.counters()
        print(f"{len(asked)} connections, {counted['inband']} probes inside of them")
        assert counted["own"] == counted["resets"] == 0 < counted["inband"]
        s.stop()


def test_behind_a_changed_port(inet, tmp_path):
    """Two users with one source port: NAT gives the second another, and its path is that of the new one."""
    dst = inet.topo.address(inet.topo.nodes["b1l0"], 4, 50)
    kept = []

    def user(src):
        s = inet["lan"].socket(socket.AF_INET, socket.SOCK_STREAM)
        kept.append(s)
        s.bind((src, 23456))
        s.settimeout(ng.DEADLINE_S)
        s.connect((dst, 443))
        talk(s, b"before")
        return next(answers_to for flow, answers_to in inet.conntrack() if flow[1:4] == (src, 23456, dst))

    try:
        assert user(topo.LAN4_HOST) == (inet.topo.wan(4), 23456)
        with Tracing(inet, tmp_path, trace_inband=True, traceroute={"in_band": True}) as s:
            wan, sport = user(SECOND4)
            assert wan == inet.topo.wan(4) and sport != 23456
            r, = s.traces(1)
            assert (r["src_port"], r["src_ip"]) == (sport, wan)
            check(inet, r, None, sport)
            for sock in kept:
                talk(sock, b"after")
            s.stop()
    finally:
        for sock in kept:
            sock.close()


def test_not_unless_allowed(inet, tmp_path):
    """The plugin asks, the daemon's option does not allow it: no packet inside of the connection."""
    dst = inet.topo.address(inet.topo.nodes["a0l0"], 4, 60)
    inet.reset_counters()
    with Tracing(inet, tmp_path, traceroute={"in_band": True}) as s:
        kept, _ = net.connect(inet["lan"], dst, 443, keep=True, talk=b"hello")
        with kept:
            # Something else that was asked for later is done.
            later = inet.topo.address(inet.topo.nodes["a0l1"], 4, 60)
            with load.Connections(inet, [later]):
                ng.wait_for("both connections", lambda: len(inet.conntrack()) >= 2)
                rig.wait_quiet(inet, seconds=2)
            talk(kept, b"after")
        assert inet.counters()["inband"] == 0
        s.stop()


def test_ended_connections(inet, tmp_path):
    """Connections that end while they are traced: probing stops; a far end never saw more than one probe."""
    asked = [inet.topo.address(inet.topo.nodes["b1l1"], 4, host) for host in range(100, 130)]
    with wire.Tcpdump(inet["b1l1"], "to-bu4", tmp_path / "far.pcap") as far, \
            Tracing(inet, tmp_path, trace_inband=True, probe_rate=40, traceroute={"in_band": True}) as s:
        with load.Connections(inet, asked, rate=300) as c:
            ng.wait_for("the connections", c.done)
        # They were reset from the LAN: what goes on inside of them is ours.
        inet.reset_counters()
        after = rig.wait_quiet(inet, seconds=2)
        s.stop()
    print(f"after the end of {len(asked)} connections: {after['inband']} probes")
    assert after["inband"] < len(asked) * 5, "all traces went on to their end"
    # A user's packet has TTL 52 there; a probe that comes so far has a few left.
    probes = collections.Counter(seg.dst for seg in far.so_far() if seg.dst in asked and seg.ttl < 40)
    assert far.so_far() and max(probes.values(), default=0) <= 1, probes
