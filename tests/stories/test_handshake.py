# SPDX-License-Identifier: GPL-2.0-or-later
r"""Handshakes through a NAT router, IPv4 and IPv6.

      lan 10.77.1.2 ---- lan0 rtr wan0 ---- wan 198.51.100.2 (kernel), 203.0.113.0/24 (50 ms away)
          fd00:77:1::2     net-gazer            2001:db8:2::2,         2001:db8:203::/48
                  tcpdump on lan0

The witness is tcpdump on the router's LAN side, in the same run.
"""
import collections
import concurrent.futures
import statistics

from lib import net, ng, wire
from lib.sensor import Sensor

DELAY_S = 0.05
EACH = 5


def test_rtt_and_fields(tmp_path):
    """One report for each connection, from the client's own address, its RTT that of the wire."""
    far = {443: wire.Answer(delay_s=DELAY_S, ttl=52, mss=1380, wscale=9)}
    with net.Router() as r, net.Server(r.wan, 443), wire.Responder(r.wan, "eth0", far), \
            wire.Tcpdump(r.rtr, "lan0", tmp_path / "lan0.pcap") as dump, Sensor(r.rtr, tmp_path) as s:
        want = {}
        for dst in (r.WAN4, r.WAN6, net.FAR4 + "9", net.FAR6 + "9"):
            for _ in range(EACH):
                came, port = net.connect(r.lan, dst, 443)
                assert came == "ok", dst
                want[dst, port] = None
        s.wait_reports(len(want), type="conn")
        found = s.stop()
        wire_segments = dump.segments()
    conns = [f for f in found if f["type"] == "conn"]
    assert len(conns) == len(want), conns
    assert not [f for f in found if f["type"] == "attempt"]
    differences = []
    for c in conns:
        flow = (c["dst_ip"], c["src_port"])
        assert flow in want and want[flow] is None, f"unexpected or twice: {c}"
        want[flow] = c
        syn = [x for x in wire_segments if (x.dst, x.sport, x.flags & 0x3F) == (*flow, wire.SYN)]
        answer = [x for x in wire_segments if (x.src, x.dport, x.flags & 0x3F) == (*flow, wire.SYN | wire.ACK)]
        if len(syn) != 1 or len(answer) != 1:
            continue  # retransmitted: not this test's matter, and not what a quiet machine does
        syn, answer = syn[0], answer[0]
        v6 = ":" in c["dst_ip"]
        assert c["src_ip"] == (r.LAN6 if v6 else r.LAN4), "before NAT"
        assert (c["dst_port"], c["proto"], c["dir"]) == (443, "tcp", "outbound")
        assert (c["hook"], c["iif"], c["oif"]) == ("forward", "lan0", "wan0")
        assert c["state"] == "answered" and c["history"] == "Sh"
        assert (c["syn_retrans"], c["synack_retrans"]) == (0, 0)
        # What tcpdump saw is on the LAN side of the router: the client's TTL there is one more than
        # behind the forward hook's decrement or the same, by the kernel's order; the server's too.
        assert (c["mss"], c["wscale"]) == (syn.mss, syn.wscale)
        assert (c["mss_dst"], c["wscale_dst"]) == (answer.mss, answer.wscale)
        assert c["ttl_src"] in (syn.ttl, syn.ttl - 1) and c["ttl_dst"] in (answer.ttl, answer.ttl + 1)
        assert c["rtt_us"] == c["setup_us"] and "rtt_ambiguous_us" not in c
        assert "rtt_src_us" not in c, "the ACK is not copied to us"
        witness = answer.ts_us - syn.ts_us
        differences.append(abs(c["rtt_us"] - witness))
        if c["dst_ip"].startswith((net.FAR4, "2001:db8:203:")):
            assert c["rtt_us"] >= DELAY_S * 1e6
    assert len(differences) >= len(want) // 2, "tcpdump missed most"
    print(f"{len(conns)} handshakes; RTT against tcpdump: median difference {statistics.median(differences)} us, "
          f"largest {max(differences)} us")
    assert statistics.median(differences) < DELAY_S * 1e6 / 10


def test_one_report_for_many(tmp_path):
    """400 connections at once, both families: exactly one report each, none lost, none twice."""
    with net.Router() as r, net.Server(r.wan, 80, 81), Sensor(r.rtr, tmp_path) as s:
        opened = collections.Counter()  # a source port may come again
        for i in range(400):
            dst, port = ((r.WAN4, r.WAN6, net.NEAR4 + "3", net.NEAR6 + "3")[i % 4], 80 + i % 2)
            came, sport = net.connect(r.lan, dst, port, src=(r.LAN6 if ":" in dst else r.LAN4)[:-1] + str(2 + i % 8))
            assert came == "ok"
            opened[dst, port, sport, i % 8] += 1
        s.wait_reports(400, type="conn")
        found = s.stop()
    assert opened == collections.Counter((c["dst_ip"], c["dst_port"], c["src_port"], int(c["src_ip"][-1]) - 2)
                                         for c in found if c["type"] == "conn")
    last = found[-1]
    assert last["gap"] == last["sampled_out"] == last["reports_dropped"] == 0
    assert last["received"] == last["parsed"] == 800, "one SYN and one SYN-ACK each, at one hook"


def test_inbound_by_dnat(tmp_path):
    """A forwarded port: the report shows the host behind the NAT, once, as inbound."""
    with net.Router(dnat={8022: 22}) as r, net.Server(r.lan, 22), Sensor(r.rtr, tmp_path) as s:
        assert net.connect(r.wan, r.OUT4, 8022, src=net.NEAR4 + "9")[0] == "ok"
        assert net.connect(r.wan, r.LAN6, 22, src=r.WAN6)[0] == "ok"
        s.wait_reports(2, type="conn")
        found = s.stop()
    conns = {c["src_ip"]: c for c in found if c["type"] == "conn"}
    assert len([c for c in found if c["type"] == "conn"]) == 2
    for src, dst in ((net.NEAR4 + "9", r.LAN4), (r.WAN6, r.LAN6)):
        c = conns[src]
        assert (c["dst_ip"], c["dst_port"], c["dir"], c["hook"]) == (dst, 22, "inbound", "forward")
        assert (c["iif"], c["oif"], c["state"]) == ("wan0", "lan0", "answered")


def test_router_itself(tmp_path):
    """The router's own connections (output, then input) and a service of its own, used from the LAN."""
    far = {443: wire.Answer(delay_s=0.1)}
    with net.Router() as r, wire.Responder(r.wan, "eth0", far), net.Server(r.rtr, 53), Sensor(r.rtr, tmp_path) as s:
        flows = {}
        for ns, dst, port, hook, direction in (
                (r.rtr, net.FAR4 + "1", 443, "output", "outbound"), (r.rtr, net.FAR6 + "1", 443, "output", "outbound"),
                (r.lan, r.RTR4, 53, "input", "internal"), (r.lan, r.RTR6, 53, "input", "internal")):
            came, sport = net.connect(ns, dst, port)
            assert came == "ok"
            flows[dst, sport] = (hook, direction)
        assert net.connect(r.rtr, "127.0.0.1", 53)[0] == "ok", "over lo, which is not watched"
        s.wait_reports(4, type="conn")
        found = s.stop()
    conns = [c for c in found if c["type"] == "conn"]
    assert len(conns) == 4, conns
    for c in conns:
        hook, direction = flows.pop((c["dst_ip"], c["src_port"]))
        assert (c["hook"], c["dir"], c["state"]) == (hook, direction, "answered"), c
    # Without the kernel's time the SYN's is that of its receipt, so the RTT is short by the time that
    # took; one that would be negative is left out.
    rtts = [c["rtt_us"] for c in conns if c["hook"] == "output" and "rtt_us" in c]
    print(f"RTT of the router's own connections to a server 100 ms away: {rtts} us")
    assert all(rtt > 0 for rtt in rtts)
    assert found[-1]["no_ts"] > 0, "the kernel gives output no time"


def test_two_hooks(tmp_path):
    """Over loopback a packet passes output and input, and both are logged: one report all the same."""
    opened = collections.Counter()
    with net.Router() as r, net.Server(r.rtr, 53), Sensor(r.rtr, tmp_path, loopback=True) as s:
        for dst in ("127.0.0.1", "::1", r.RTR4, r.RTR6, r.OUT4) * 8:
            for port, came in ((53, "ok"), (54, "refused")):
                got, sport = net.connect(r.rtr, dst, port)
                assert got == came
                opened[dst, port, sport, "answered" if came == "ok" else "refused"] += 1
        s.wait_reports(len(opened), type="conn")
        found = s.stop()
    conns = [c for c in found if c["type"] == "conn"]
    assert opened == collections.Counter((c["dst_ip"], c["dst_port"], c["src_port"], c["state"]) for c in conns)
    assert {c["dir"] for c in conns if c["dst_ip"] in ("127.0.0.1", "::1")} == {"local"}
    assert {c["syn_retrans"] for c in conns} == {0}, "the second hook's copy is no retransmission"
    group = {g["group"]: g["received"] for g in found[-1]["groups"]}
    assert group[100] == group[101] == 2 * len(opened), "two packets, each at both hooks"
    assert not [a for a in found if a["type"] == "attempt"], "nobody knocks at himself"


def test_refused_and_rejected(tmp_path):
    """A closed port, a server's firewall that resets, and a responder that resets after a delay."""
    with net.Router() as r, wire.Responder(r.wan, "eth0", {7: wire.Answer(delay_s=0.02, kind="rst", ttl=44)}), \
            Sensor(r.rtr, tmp_path) as s:
        r.wan.nft("""table inet fw { chain input { type filter hook input priority 0; policy accept
                     tcp dport 25 reject with tcp reset
                     } }""".replace("{ type", "{\ntype").replace("} }", "}\n}"))
        ports = {}
        for dst, port in ((r.WAN4, 9), (r.WAN6, 9), (r.WAN4, 25), (r.WAN6, 25), (net.FAR4 + "1", 7), (net.FAR6 + "1", 7)):
            came, sport = net.connect(r.lan, dst, port)
            assert came == "refused"
            ports[dst, sport] = port
        s.wait_reports(6, type="conn")
        found = s.stop()
    conns = [c for c in found if c["type"] == "conn"]
    assert len(conns) == 6
    for c in conns:
        assert ports.pop((c["dst_ip"], c["src_port"])) == c["dst_port"]
        assert (c["state"], c["history"], c["dir"]) == ("refused", "Sr", "outbound"), c
        assert "rtt_us" not in c
        if c["dst_port"] == 7:
            assert c["ttl_dst"] in (44, 43)


def test_unanswered(tmp_path):
    """A silent server: one report after syn-timeout, with the retransmissions of the client counted."""
    with net.Router() as r, wire.Responder(r.wan, "eth0", {5: wire.Answer(kind="silent")}) as far, \
            Sensor(r.rtr, tmp_path, syn_timeout=2) as s:
        with concurrent.futures.ThreadPoolExecutor() as pool:
            came = list(pool.map(lambda dst: net.connect(r.lan, dst, 5, timeout_s=1.8)[0], (net.FAR4 + "5", net.FAR6 + "5")))
        assert came == ["timeout", "timeout"]
        conns = s.wait_reports(2, type="conn")
        sent = collections.Counter(x.dst for x in far.seen)
        s.stop()
    assert len(conns) == 2
    for c in conns:
        assert c["state"] == "timeout" and c["history"] == "S" * (1 + c["syn_retrans"]), c
        assert "rtt_us" not in c and "setup_us" not in c
        assert 1 <= c["syn_retrans"] < sent[c["dst_ip"]], f"the client sent {sent}"


def test_retransmitted_syn(tmp_path):
    """The first SYN is swallowed: Karn's rule keeps the RTT apart, the user's wait is told whole."""
    with net.Router() as r, wire.Responder(r.wan, "eth0", {6: wire.Answer(delay_s=0.02, swallow=1)}), \
            Sensor(r.rtr, tmp_path) as s:
        for dst in (net.FAR4 + "6", net.FAR6 + "6"):
            assert net.connect(r.lan, dst, 6, timeout_s=20)[0] == "ok"
        conns = s.wait_reports(2, type="conn")
        s.stop()
    assert len(conns) == 2
    for c in conns:
        assert (c["state"], c["syn_retrans"], c["history"]) == ("answered", c["history"].count("S") - 1, c["history"])
        assert c["syn_retrans"] >= 1
        assert "rtt_us" not in c
        assert c["rtt_ambiguous_us"] >= 20000
        # Linux waits a second before the second SYN.
        assert c["setup_us"] >= 900000 + c["rtt_ambiguous_us"]


def test_repeated_synack_and_orphan(tmp_path):
    """A SYN-ACK that comes twice is one report; one without a SYN is an orphan, from the SYN's sender."""
    far = {8: wire.Answer(delay_s=0.01, copies=3)}
    with net.Router() as r, wire.Responder(r.wan, "eth0", far), wire.Raw(r.lan, "eth0") as raw, \
            Sensor(r.rtr, tmp_path) as s:
        assert net.connect(r.lan, net.FAR4 + "8", 8)[0] == "ok"
        # Somebody spoofed our client's address elsewhere; or routing is asymmetric.  The answer to
        # a SYN that we never saw passes from the LAN to the WAN.
        for src, dst in ((r.LAN4, net.NEAR4 + "8"), (r.LAN6, net.NEAR6 + "8")):
            raw.send(wire.ether(r.MAC["rtr-lan"], r.MAC["lan"], wire.tcp(
                src, dst, 993, 40000, wire.SYN | wire.ACK, seq=7, ack=99, ttl=64, opts=wire.options(1400, 3))))
        orphans = s.wait_reports(2, type="conn", state="orphan")
        found = s.stop()
    answered = [c for c in found if c["type"] == "conn" and c["state"] == "answered"]
    assert len(answered) == 1 and "rtt_us" in answered[0]
    assert len(orphans) == 2
    for c in orphans:
        v6 = ":" in c["src_ip"]
        assert (c["src_ip"], c["src_port"]) == ((net.NEAR6 if v6 else net.NEAR4) + "8", 40000)
        assert (c["dst_ip"], c["dst_port"]) == (r.LAN6 if v6 else r.LAN4, 993)
        assert c["history"] == "h" and c["mss_dst"] == 1400 and c["wscale_dst"] == 3
        assert "rtt_us" not in c and "mss" not in c


def test_landlock_and_seccomp(tmp_path):
    """The analyzer says how it is locked in, and the kernel agrees."""
    ng.needs_kernel("Landlock")
    with net.Router(filtered=False) as r, Sensor(r.rtr, tmp_path) as s:
        pid = s.worker("analyzer")
        status = dict(line.split(":\t", 1) for line in open(f"/proc/{pid}/status", encoding="ascii").read().splitlines())
        with net.Server(r.wan, 80):
            assert net.connect(r.lan, r.WAN4, 80)[0] == "ok"
            s.wait_reports(1, type="conn")
        found = s.stop()
    assert status["Seccomp"].strip() == "2" and status["NoNewPrivs"].strip() == "1"
    assert all(int(status[c], 16) == 0 for c in ("CapEff", "CapPrm", "CapBnd", "CapInh", "CapAmb")), status
    assert status["Uid"].split()[1] != "0"
    assert found[-1]["sandbox"] == {"no_caps": True, "no_new_privs": True, "seccomp": True, "landlock": True}
