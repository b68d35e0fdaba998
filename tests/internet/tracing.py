# SPDX-License-Identifier: GPL-2.0-or-later
"""net-gazer on the gateway, tracing with its limits opened (a test closes the one that it is about)."""
import ipaddress
import socket
import struct

from internet import score, topo
from lib import wire
from lib.sensor import Sensor

# What captured_rtts() reads: SYN probes over IPv4, and what comes back.
CAPTURE = "ip and (icmp or tcp portrange 64512-65535)"


class Tracing(Sensor):
    """As Sensor.  traceroute: options of the plugin's section, underscores for dashes."""

    def __init__(self, inet, folder, plugins=("traceroute",), traceroute=None, **options):
        section = {"rate": 1000000, **{n.replace("_", "-"): v for n, v in (traceroute or {}).items()}}
        super().__init__(inet["gw"], folder, **{
            "plugins": plugins, "home": [topo.LAN4, topo.LAN6], "runtime_dir": folder / "run", "probe_rate": 1000,
            "trace_rate": 1000, "trace_limit": 1000, "prefix_budget": 65535, "traceroute": section, **options})
        self.inet = inet

    def start(self):
        super().start()
        self.worker("prober")

    def traces(self, n=0, deadline_s=60, **want):
        """At least n `trace` reports."""
        return self.wait_reports(n, deadline_s, type="trace", **want)

    def counted(self, plugin="traceroute"):
        """The plugin's counters, from the last stat report."""
        return next(p for p in self.stat()["plugins"] if p["name"] == plugin)["counters"]


def prefix(address):
    """What budgets are kept for: the /24 or /48."""
    return str(ipaddress.ip_network(f"{address}/{48 if ':' in address else 24}", strict=False))


def captured_rtts(path):
    """{(destination, TTL): us} of the probes in a capture of CAPTURE: from the wire to the wire."""
    sent, rtts = {}, {}
    for ts_us, packet in wire.pcap_packets(path):
        head = packet[20:]
        if packet[9] == socket.IPPROTO_ICMP and head[0] == 11:
            quoted = head[8:]
            key = (quoted[16:20], *struct.unpack("!HHI", quoted[20:28]))
        elif packet[9] == socket.IPPROTO_TCP and head[13] == wire.SYN:
            sent[(packet[16:20], *struct.unpack("!HHI", head[:8]))] = (ts_us, packet[8])
            continue
        elif packet[9] == socket.IPPROTO_TCP and head[13] & wire.ACK:
            sport, dport, _, ack = struct.unpack("!HHII", head[:12])
            key = (packet[12:16], dport, sport, (ack - 1) & 0xFFFFFFFF)
        else:
            continue
        if key in sent:
            rtts.setdefault((socket.inet_ntoa(key[0]), sent[key][1]), ts_us - sent[key][0])
    return rtts


def rtt_errors(reports, path):
    """us between each RTT that was reported and the one that was captured."""
    rtts = captured_rtts(path)
    return [h["rtt_us"][0] - rtts[r["dst_ip"], h["ttl"]] for r in reports for h in r["hops"]
            if h.get("rtt_us") and h["sent"] == 1]


def check_exact(inet, report):
    """The one path of its flow, every hop that answers and no other, silent ones in their place, RTTs only
    where a probe was answered."""
    trace = score.of_report(report)
    proto = trace["flow"][0]
    s = score.score(inet, trace, proto, exact=True)
    said = f"{report}\n{s}"
    assert not s["wrong"] and not s["false_links"], said
    assert s["found"] == s["expected"], said
    assert [h["ttl"] for h in report["hops"]] == list(range(1, len(report["hops"]) + 1)), said
    assert all(h["ttl"] <= len(s["path"]) for h in report["hops"]), said
    for h in report["hops"]:
        answers = inet.topo.nodes[s["path"][h["ttl"] - 1]].answers(proto)
        assert ("ip" in h) == answers, said
    assert report["reached"] == inet.topo.nodes[s["path"][-1]].answers(proto), said
    return s["path"]
