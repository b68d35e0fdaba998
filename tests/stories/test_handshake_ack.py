# SPDX-License-Identifier: GPL-2.0-or-later
r"""The ACK that ends a handshake: where conntrack counts packets a rule copies it, and the client's half of the RTT is known.

The router is that of test_handshake.py; the witness is tcpdump on its LAN side, in the same run.
"""
import json
import signal
import socket
import statistics
import subprocess
import time

import pytest

from lib import net, ng, report, wire
from lib.sensor import Sensor

DELAY_S = 0.05
EACH = 5
FAR = {443: wire.Answer(delay_s=DELAY_S)}


def counting(r, on=1):
    r.rtr.sysctl(netfilter__nf_conntrack_acct=on)


def status(s):
    """Groups are bound a moment before anybody can ask."""
    def ask():
        done = s.ns.run(ng.program("net-gazerctl"), "status", "--json", "-c", s.options["runtime-dir"])
        return done.returncode == 0 and json.loads(done.stdout)
    return ng.wait_for("net-gazerctl status", ask)


def included(r, folder):
    """The file with its rule for ACKs enabled as its comment says."""
    text = (ng.TOP / "nft/net-gazer.nft").read_text(encoding="ascii")
    assert text.count("\n#\t\ttcp flags") == 1
    path = folder / "acks.nft"
    path.write_text(text.replace("\n#\t\ttcp flags", "\n\t\ttcp flags"), encoding="ascii")
    done = r.rtr.run("nft", "-f", path)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("rules", ["own", "include"])
def test_both_halves(rules, tmp_path):
    """Each connection is reported once, as established, with both halves, as tcpdump saw them."""
    with net.Router(dnat={8022: 22}) as r, net.Server(r.wan, 443), net.Server(r.lan, 22), wire.Responder(r.wan, "eth0", FAR), \
            wire.Tcpdump(r.rtr, "lan0", tmp_path / "lan0.pcap") as dump:
        counting(r)
        if rules == "include":
            included(r, tmp_path)
        with Sensor(r.rtr, tmp_path, rules=rules) as s:
            assert status(s)["acks"]
            for dst in (r.WAN4, r.WAN6, net.FAR4 + "9", net.FAR6 + "9"):
                for _ in range(EACH):
                    assert net.connect(r.lan, dst, 443)[0] == "ok"
            assert net.connect(r.wan, r.OUT4, 8022, src=net.NEAR4 + "9")[0] == "ok"
            conns = s.wait_reports(4 * EACH + 1, type="conn", state="established")
            logged = s.counters()["handshake_logged"]
            assert ng.stop(s.process) == 0
        found = report.numbered(s.reports())
        segments = dump.segments()
    assert len(conns) == len(report.pick(found, type="conn")) == 4 * EACH + 1
    report.check_ledger(found[-1])
    assert logged == 3 * len(conns), "SYN, SYN-ACK and ACK of each, and nothing else"
    inbound, = (c for c in conns if c["dir"] == "inbound")
    assert inbound["rtt_src_us"] >= 0
    differences = []
    for c in conns:
        assert c["history"] == "ShA" and c["rtt_src_us"] >= 0, c
        if c["dst_ip"].startswith((net.FAR4, net.FAR6)):
            assert c["rtt_us"] >= DELAY_S * 1e6
        of = [x for x in segments if {x.sport, x.dport} == {c["src_port"], 443}]
        answers = [x for x in of if x.flags & 0x3F == wire.SYN | wire.ACK]
        acks = [x for x in of if x.flags & 0x17 == wire.ACK and x.dport == 443]
        if len(answers) == 1 and acks:
            differences.append(abs(c["rtt_src_us"] - (acks[0].ts_us - answers[0].ts_us)))
    far = [c for c in conns if c["dst_ip"].startswith((net.FAR4, net.FAR6))]
    assert statistics.median(c["rtt_src_us"] for c in far) < statistics.median(c["rtt_us"] for c in far)
    assert len(differences) >= 2 * EACH, "tcpdump missed most"
    print(f"LAN half against tcpdump: median difference {statistics.median(differences)} us")
    assert statistics.median(differences) < DELAY_S * 1e6 / 10


def test_slow_client(tmp_path):
    """A client that takes 300 ms for its ACK has them in its half; one that never sends it is answered, a little later; one whose
    SYN was lost is answered at once: its ACK is the third packet."""
    slow, silent = "10.77.1.77", "10.77.1.78"
    with net.Router() as r, wire.Responder(r.wan, "eth0", {**FAR, 6: wire.Answer(swallow=1)}) as far, wire.Raw(r.lan, "eth0") as raw:
        counting(r)
        for address in (slow, silent):
            r.rtr.ip(f"neigh add {address} lladdr {r.MAC['lan']} dev lan0")

        def send(src, flags, **numbers):
            raw.send(wire.ether(r.MAC["rtr-lan"], r.MAC["lan"], wire.tcp(src, net.FAR4 + "7", 40000, 443, flags, **numbers)))
        with Sensor(r.rtr, tmp_path) as s:
            send(slow, wire.SYN, seq=100, opts=wire.options(1460))
            send(silent, wire.SYN, seq=100, opts=wire.options(1460))
            ng.wait_for("two SYNs", lambda: len(far.seen) == 2)
            ng.wait_for("their answers", lambda: s.counters()["handshake_logged"] == 4)
            time.sleep(0.3)
            send(slow, wire.ACK, seq=101, ack=4001)
            conns = s.wait_reports(2, type="conn")
            assert net.connect(r.lan, net.FAR4 + "6", 6, timeout_s=20)[0] == "ok"
            conns = s.wait_reports(3, type="conn")
            s.stop()
    by = {c["src_ip"]: c for c in conns}
    assert by[slow]["state"] == "established" and by[slow]["rtt_src_us"] >= 300000
    assert by[silent]["state"] == "answered" and "rtt_src_us" not in by[silent]
    lost = by[r.LAN4]
    assert lost["syn_retrans"] >= 1 and lost["state"] == "answered" and "rtt_src_us" not in lost


def test_only_where_conntrack_counts(tmp_path):
    """Without nf_conntrack_acct, or with handshake-ack = no, there is no such rule, nothing waits, and a reload sees to it."""
    with net.Router() as r, net.Server(r.wan, 443):
        for n, (options, on, wanted) in enumerate((({}, 0, False), ({"handshake_ack": False}, 1, False), ({}, 1, True))):
            counting(r, on)
            (tmp_path / str(n)).mkdir()
            with Sensor(r.rtr, tmp_path / str(n), **options) as s:
                assert status(s)["acks"] is wanted
                assert ("ct original packets" in s.table()) is wanted
                assert net.connect(r.lan, r.WAN4, 443)[0] == "ok"
                c, = s.wait_reports(1, type="conn")
                assert (c["state"] == "established") is wanted and ("rtt_src_us" in c) is wanted
                if wanted:
                    counting(r, 0)
                    s.process.send_signal(signal.SIGHUP)
                    ng.wait_for("the reload", lambda: "configuration reloaded" in s.log())
                    assert "ct original packets" not in s.table()
                    assert net.connect(r.lan, r.WAN4, 443)[0] == "ok"
                    assert s.wait_reports(1, type="conn", state="answered")
                s.stop()


def alone(r, ident):
    """Of five later fragments that come without their first one, how many pass the router; a segment behind them shows the end."""
    with r.wan:
        far = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
        far.bind(("eth0", 0x0800))
    with far, wire.Raw(r.lan, "eth0") as raw:
        for packet in [wire.fragment4(r.LAN4, r.WAN4, ident + i) for i in range(5)] + [wire.tcp(r.LAN4, r.WAN4, 1000, 9, wire.RST)]:
            raw.send(wire.ether(r.MAC["rtr-lan"], r.MAC["lan"], packet))
        passed = 0
        far.settimeout(ng.DEADLINE_S)
        while True:
            frame = far.recv(2000)
            passed += frame[23] == socket.IPPROTO_UDP
            if frame[23] == socket.IPPROTO_TCP and frame[36:38] == bytes((0, 9)):
                return passed


def test_begins_no_tracking(tmp_path):
    """A router that tracks nothing goes on tracking nothing, whatever nf_conntrack_acct says: a fragment without its first one passes.
    The rule that asks conntrack comes with others' rules that do, for both families, and goes with them."""
    one_each = ("nft add table ip fw; add chain ip fw f; add rule ip fw f ct state invalid accept",
                "nft add table ip6 fw; add chain ip6 fw n { type nat hook postrouting priority 100; }; add rule ip6 fw n masquerade")
    both = ("nft add table inet fw; add chain inet fw f; add rule inet fw f ct state invalid accept",)
    iptables = ("iptables-nft -A FORWARD -m conntrack --ctstate INVALID -j ACCEPT", "ip6tables-nft -t nat -A POSTROUTING -j MASQUERADE")
    with net.Router(filtered=False) as r, net.Server(r.wan, 443), Sensor(r.rtr, tmp_path) as s:
        counting(r)
        s.process.send_signal(signal.SIGHUP)
        ng.wait_for("the reload", lambda: "configuration reloaded" in s.log())

        def do(command):
            done = r.rtr.run(*(command.split(" ", 1) if command.startswith("nft") else command.split()))
            assert done.returncode == 0, done.stderr

        def asks(wanted):
            ng.wait_for(lambda: f"{wanted}\n{s.table()}\n{s.log()}", lambda: ("ct original packets" in s.table()) is wanted)
            ng.wait_for("the status", lambda: status(s)["acks"] is wanted)
        asks(False)
        assert net.connect(r.lan, r.WAN4, 443)[0] == "ok"
        s.wait_reports(1, type="conn", state="answered")
        assert alone(r, 100) == 5
        assert r.rtr.read("/proc/sys/net/netfilter/nf_conntrack_count").strip() == "0"
        do(one_each[0])
        for n, commands in enumerate((one_each, both, iptables), 1):
            for command in commands:
                do(command)
            asks(True)
            assert net.connect(r.lan, r.WAN4, 443)[0] == "ok"
            assert "rtt_src_us" in s.wait_reports(n, type="conn", state="established")[-1]
            for table in ("inet fw", "ip fw", "ip6 fw", "ip filter", "ip6 nat"):
                r.rtr.run("nft", f"delete table {table}")
            asks(False)
            assert alone(r, 100 * n) == 5
        assert s.log().count("connection tracking is") == 6
        s.stop()
        report.check_ledger(s.reports()[-1])


def test_holds_while_others_change_their_rules(tmp_path):
    """A dump of rules is interrupted by any change to them, and nothing can be read until it has ended: what cannot be told then is as
    it was, and our own table is not put back for it."""
    big = "".join(f"tcp dport {i} ip saddr 10.0.0.{i % 250} counter accept\n" for i in range(1, 3001))
    with net.Router() as r, net.Server(r.wan, 443):
        counting(r)
        r.rtr.nft(f"table inet big {{ chain c {{\n{big}}}\n}}\n")
        with Sensor(r.rtr, tmp_path) as s:
            assert status(s)["acks"]
            churn = r.rtr.popen(["nft", "-i"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
            end = time.monotonic() + 6  # others' rules are looked at 3 s after they changed
            n = 0
            while time.monotonic() < end:
                churn.stdin.write(f"add rule inet big c counter comment \"{n}\"\nadd table inet x; delete table inet x\n" * 20)
                churn.stdin.flush()
                n += 1
            churn.kill()
            churn.wait()
            assert net.connect(r.lan, r.WAN4, 443)[0] == "ok"
            assert s.wait_reports(1, type="conn", state="established")
            assert status(s)["acks"] and "connection tracking is" not in s.log() and "the rules were changed" not in s.log(), s.log()
            s.stop()
