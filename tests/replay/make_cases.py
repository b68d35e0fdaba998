#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Writes the replay cases: NAME.pcap or NAME.pcapng, and NAME.ndjson with what must come of it.

What is expected is stated here beside the packets, never copied from the program's output; times,
lengths and Community IDs are worked out by this file's own arithmetic.  `make_cases.py` writes the
files, `make_cases.py --check` fails when the committed ones differ (tests/test_replay.py runs it).
"""
import base64
import datetime
import hashlib
import ipaddress
import json
import os
import pathlib
import struct
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
sys.dont_write_bytecode = True

from lib import wire  # noqa: E402
from lib.wire import ACK, CWR, ECE, FIN, PSH, RST, SYN  # noqa: E402

T0 = 1_700_000_000_000_000  # microseconds
A4, B4 = "192.168.1.23", "198.51.100.34"
A6, B6 = "fd00:1::23", "2001:db8:1::34"
LAPTOP = wire.options(1460, 7, sack=True)
SERVER = wire.options(1400, 9, sack=True)
ETHERNET, RAW, SLL, NFLOG, SLL2 = 1, 101, 113, 239, 276


# Packets

class Flow:
    """One connection's packets, by who sends them."""

    def __init__(self, src, dst, sport, dport=443, isn=1000, answer=5000, **src_fields):
        self.src, self.dst, self.sport, self.dport, self.isn, self.answer = src, dst, sport, dport, isn, answer
        self.src_fields = src_fields

    def out(self, flags, seq, ack=0, **kw):
        return wire.tcp(self.src, self.dst, self.sport, self.dport, flags, seq, ack, **{**self.src_fields, **kw})

    def back(self, flags, seq, ack=0, **kw):
        return wire.tcp(self.dst, self.src, self.dport, self.sport, flags, seq, ack, **{"ttl": 52, **kw})

    def syn(self, opts=LAPTOP, flags=SYN, **kw):
        return self.out(flags, self.isn, opts=opts, **kw)

    def synack(self, opts=SERVER, flags=SYN | ACK, **kw):
        return self.back(flags, self.answer, self.isn + 1, opts=opts, **kw)

    def ack(self, **kw):
        return self.out(ACK, self.isn + 1, self.answer + 1, **kw)

    def rst(self):
        return self.back(RST | ACK, 0, self.isn + 1)


def handshake(f, at, rtt_us=20_000, src_us=900):
    """SYN, SYN-ACK, ACK, and a little data."""
    return [(at, f.syn()), (at + rtt_us, f.synack()), (at + rtt_us + src_us, f.ack()),
            (at + rtt_us + src_us + 10, f.out(PSH | ACK, f.isn + 1, f.answer + 1, payload=b"x" * 30))]


def udp(src, dst):
    head = struct.pack("!HHHH", 5353, 53, 12, 0) + b"quer"
    ip = struct.pack("!BBHHHBBH", 0x45, 0, 32, 0, 0, 64, 17, 0)
    return ip + ipaddress.ip_address(src).packed + ipaddress.ip_address(dst).packed + head


# Reports

def time_text(us):
    return datetime.datetime.fromtimestamp(us // 1_000_000, datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.") + \
        f"{us % 1_000_000:06d}Z"


def community_id(f):
    """Community ID v1 as its specification says: smaller (address, port) first, SHA-1, base64."""
    ends = sorted([(ipaddress.ip_address(f.src).packed, f.sport), (ipaddress.ip_address(f.dst).packed, f.dport)])
    data = struct.pack("!H", 0) + ends[0][0] + ends[1][0] + struct.pack("!BBHH", 6, 0, ends[0][1], ends[1][1])
    return "1:" + base64.b64encode(hashlib.sha1(data).digest()).decode()


def conn(f, at, state, history, direction="outbound", **fields):
    return {"v": 1, "type": "conn", "ts": time_text(at), "dir": direction, "src_ip": f.src, "src_port": f.sport,
            "dst_ip": f.dst, "dst_port": f.dport, "proto": "tcp", "community_id": community_id(f), "state": state,
            "history": history, **fields}


SYN_FIELDS = {"syn_retrans": 0, "ttl_src": 64, "mss": 1460, "wscale": 7}
ANSWER_FIELDS = {"synack_retrans": 0, "ttl_dst": 52, "mss_dst": 1400, "wscale_dst": 9, "sack_ok": True, "ecn": False}


def established(f, at, rtt_us=20_000, src_us=900, **fields):
    return conn(f, at, "established", "ShA", **{**SYN_FIELDS, **ANSWER_FIELDS, "rtt_us": rtt_us, "setup_us": rtt_us,
                                              "rtt_src_us": src_us, **fields})


def stat(at, reports, live=0, **classes):
    """The last line.  classes: how many packets were parsed, truncated, malformed, unsupported."""
    classes = {n: classes.get(n, 0) for n in ("parsed", "truncated", "malformed", "unsupported")}
    n = sum(classes.values())
    return {"v": 1, "type": "stat", "ts": time_text(at), "window_us": 0, "seq_first": 1, "received": n, "gap": 0, **classes,
            "in_hand": 0, "filtered": 0, "no_ts": 0, "clock_steps": 0, "flows_max": 16384, "pkts": n, "kernel_drops": 0,
            "enobufs": 0, "flows_live": live, "flows_evicted": 0, "reports": reports + 1, "reports_dropped": 0}


# Framing and files

def ethernet(packet, tags=b""):
    kind = b"\x86\xdd" if packet[0] >> 4 == 6 else b"\x08\x00"
    return wire.mac("02:00:00:00:00:02") + wire.mac("02:00:00:00:00:01") + tags + kind + packet


def sll(packet):
    return struct.pack("!HHH8sH", 0, 1, 6, wire.mac("02:00:00:00:00:01"), 0x86DD if packet[0] >> 4 == 6 else 0x0800) + packet


def sll2(packet):
    return struct.pack("!HHIHBB8s", 0x86DD if packet[0] >> 4 == 6 else 0x0800, 0, 3, 1, 0, 6,
                       wire.mac("02:00:00:00:00:01")) + packet


def nflog(packet, group, hook, ts_us):
    """As libpcap writes link type NFLOG: attributes' length and type in host order (little-endian here)."""
    def attribute(kind, data):
        return struct.pack("<HH", 4 + len(data), kind) + data + b"\0" * (-len(data) % 4)

    family = 10 if packet[0] >> 4 == 6 else 2
    return struct.pack("!BBH", family, 0, group) + attribute(1, struct.pack(
        "!HBB", 0x86DD if family == 10 else 0x0800, hook, 0)) + attribute(3, struct.pack(
            "!QQ", ts_us // 1_000_000, ts_us % 1_000_000)) + attribute(10, b"ng\0") + attribute(9, packet)


def pcap(linktype, frames, order="<", nano=False, snaplen=262144):
    """frames: (time in us, bytes[, bytes kept])."""
    out = struct.pack(order + "IHHiIII", 0xA1B23C4D if nano else 0xA1B2C3D4, 2, 4, 0, 0, snaplen, linktype)
    for at, frame, *kept in frames:
        kept = kept[0] if kept else min(len(frame), snaplen)
        part = at % 1_000_000 * (1000 if nano else 1)
        out += struct.pack(order + "IIII", at // 1_000_000, part, kept, len(frame)) + frame[:kept]
    return out


def pcapng(linktype, frames):
    """One section, an interface with nanoseconds, a comment that readers pass over."""
    def block(kind, body):
        body += b"\0" * (-len(body) % 4)
        return struct.pack("<II", kind, len(body) + 12) + body + struct.pack("<I", len(body) + 12)

    out = block(0x0A0D0D0A, struct.pack("<IHHq", 0x1A2B3C4D, 1, 0, -1) + struct.pack("<HH", 1, 4) + b"test" + struct.pack("<HH", 0, 0))
    out += block(1, struct.pack("<HHI", linktype, 0, 0) + struct.pack("<HHB3x", 9, 1, 9) + struct.pack("<HH", 0, 0))
    out += block(0x0BAD, b"nobody knows this block")
    for at, frame in frames:
        ns = at * 1000
        out += block(6, struct.pack("<IIIII", 0, ns >> 32, ns & 0xFFFFFFFF, len(frame), len(frame)) + frame)
    return out


# The cases: name -> (file name's end, bytes, reports)

CASES = {}


def case(fn):
    CASES[fn.__name__.replace("_", "-")] = fn
    return fn


def both_families(frame, linktype):
    four, six = Flow(A4, B4, 40001), Flow(A6, B6, 40002)
    packets = handshake(four, T0) + handshake(six, T0 + 100_000, 35_001, 1_200)
    return "pcap", pcap(linktype, [(at, frame(p)) for at, p in packets]), [
        established(four, T0), established(six, T0 + 100_000, 35_001, 1_200), stat(packets[-1][0], 2, parsed=8)]


@case
def ethernet_plain():
    """Ethernet, IPv4 and IPv6; the ACK is seen: established, with the initiator's side of the RTT."""
    return both_families(ethernet, ETHERNET)


@case
def ethernet_big_endian_ns():
    """The same written by a big-endian machine with nanoseconds."""
    _, _, reports = both_families(ethernet, ETHERNET)
    four, six = Flow(A4, B4, 40001), Flow(A6, B6, 40002)
    packets = handshake(four, T0) + handshake(six, T0 + 100_000, 35_001, 1_200)
    return "pcap", pcap(ETHERNET, [(at, ethernet(p)) for at, p in packets], ">", nano=True), reports


@case
def vlan():
    """One 802.1Q tag."""
    return both_families(lambda p: ethernet(p, struct.pack("!HH", 0x8100, 0xA000 | 42)), ETHERNET)


@case
def qinq():
    """802.1ad outside, 802.1Q inside; and the old 0x9100."""
    return both_families(lambda p: ethernet(p, struct.pack("!HHHH", 0x88A8 if p[0] >> 4 == 4 else 0x9100, 200, 0x8100, 100)),
                         ETHERNET)


@case
def raw_ip():
    """No link layer."""
    return both_families(lambda p: p, RAW)


@case
def linux_cooked():
    """tcpdump -i any of older libpcap."""
    return both_families(sll, SLL)


@case
def linux_cooked_2():
    """tcpdump -i any of newer libpcap."""
    return both_families(sll2, SLL2)


@case
def pcapng_file():
    """pcapng, nanoseconds, an unknown block."""
    four, six = Flow(A4, B4, 40001), Flow(A6, B6, 40002)
    packets = handshake(four, T0) + handshake(six, T0 + 100_000, 35_001, 1_200)
    _, _, reports = both_families(ethernet, ETHERNET)
    return "pcapng", pcapng(ETHERNET, [(at, ethernet(p)) for at, p in packets]), reports


@case
def nflog_file():
    """tcpdump -i nflog:100: the kernel's time counts, not the capture's; hook and group are known."""
    four, six = Flow(A4, B4, 40001), Flow(A6, B6, 40002)
    packets = [(at, p) for at, p in handshake(four, T0) + handshake(six, T0 + 100_000, 35_001, 1_200)]
    late = 700_000  # libpcap stamps when it reads
    frames = [(at + late, nflog(p, 100, 2, at)) for at, p in packets]
    extra = {"hook": "forward", "group": 100}
    return "pcap", pcap(NFLOG, frames), [established(four, T0, **extra), established(six, T0 + 100_000, 35_001, 1_200, **extra),
                                         stat(packets[-1][0], 2, parsed=8)]


@case
def snaplen():
    """Cut behind the TCP header's fixed part (its options are unknown), inside it, and inside IP."""
    whole, ports, none = Flow(A4, B4, 40001), Flow(A4, B4, 40002), Flow(A4, B4, 40003)
    frames = [(T0, ethernet(whole.syn()), 14 + 20 + 20), (T0 + 9_000, ethernet(whole.synack()), 14 + 20 + 20),
              (T0 + 9_500, ethernet(whole.ack()), 14 + 20 + 20),
              (T0 + 20_000, ethernet(ports.syn()), 14 + 20 + 12), (T0 + 30_000, ethernet(none.syn()), 14 + 12),
              (T0 + 40_000, ethernet(none.syn()), 10)]
    return "pcap", pcap(ETHERNET, frames), [
        conn(whole, T0, "established", "ShA", rtt_us=9_000, setup_us=9_000, rtt_src_us=500, syn_retrans=0, synack_retrans=0,
             ttl_src=64, ttl_dst=52, sack_ok=False, ecn=False),
        stat(T0 + 40_000, 1, parsed=1, truncated=5)]


def scapy6(f, *headers, flags="S", opts=True):
    from scapy.layers.inet import TCP
    from scapy.layers.inet6 import IPv6
    p = IPv6(src=f.src, dst=f.dst, hlim=64)
    for h in headers:
        p = p / h
    options = [("MSS", 1460), ("NOP", None), ("WScale", 7), ("NOP", None), ("NOP", None), ("SAckOK", b"")] if opts else []
    return bytes(p / TCP(sport=f.sport, dport=f.dport, flags=flags, seq=f.isn, options=options))


@case
def ipv6_headers():
    """Extension headers before TCP: hop-by-hop, routing, destination options, a chain of eight, AH, an atomic fragment."""
    from scapy.layers.inet6 import (IPv6ExtHdrDestOpt, IPv6ExtHdrFragment, IPv6ExtHdrHopByHop, IPv6ExtHdrRouting, PadN)
    from scapy.layers.ipsec import AH
    chains = [
        (IPv6ExtHdrHopByHop(), IPv6ExtHdrDestOpt()),
        (IPv6ExtHdrRouting(type=4, segleft=0, addresses=["2001:db8::9"]),),
        tuple(IPv6ExtHdrDestOpt() for _ in range(8)),
        (IPv6ExtHdrDestOpt(options=[PadN(optdata=b"\0" * 194)]),),
        (AH(spi=1, seq=1, icv=b"0123456789ab", padding=b"", nh=6, payloadlen=4),),
        (IPv6ExtHdrFragment(nh=6, id=9, offset=0, m=0),),
    ]
    frames, reports = [], []
    for n, chain in enumerate(chains):
        f = Flow(A6, B6, 40010 + n)
        at = T0 + n * 100_000
        frames += [(at, scapy6(f, *chain)), (at + 5_000, f.synack()), (at + 5_100, f.ack())]
        reports.append(established(f, at, 5_000, 100))
    return "pcap", pcap(RAW, frames), [*reports, stat(frames[-1][0], len(chains), parsed=3 * len(chains))]


@case
def fragments():
    """A first fragment with all of TCP, a first one with too little, later ones, no-next-header, a chain without end."""
    from scapy.layers.inet6 import IPv6, IPv6ExtHdrDestOpt, IPv6ExtHdrFragment
    good, short = Flow(A6, B6, 40020), Flow(A6, B6, 40021)
    four = Flow(A4, B4, 40022)
    whole = bytearray(four.syn(payload=b"y" * 100))
    first = bytearray(whole[:20 + 64])
    first[2:4] = struct.pack("!H", len(first))
    first[6:8] = struct.pack("!H", 0x2000)
    later = bytearray(whole[:20] + whole[20 + 64:])
    later[2:4] = struct.pack("!H", len(later))
    later[6:8] = struct.pack("!H", 8)
    tcp6 = scapy6(short)[40:]
    head = IPv6(src=A6, dst=B6, hlim=64)
    frames = [
        (T0, bytes(first)), (T0 + 1_000, bytes(later)),
        (T0 + 6_000, four.synack()), (T0 + 6_100, four.ack()),
        (T0 + 10_000, scapy6(good, IPv6ExtHdrFragment(nh=6, id=5, offset=0, m=1))),
        (T0 + 20_000, bytes(head / IPv6ExtHdrFragment(nh=6, id=6, offset=0, m=1) / tcp6[:16])),
        (T0 + 21_000, bytes(head / IPv6ExtHdrFragment(nh=6, id=6, offset=2, m=0) / tcp6[16:])),
        (T0 + 30_000, bytes(IPv6(src=A6, dst=B6, nh=59))),
        (T0 + 40_000, bytes(head) [:6] + b"\x3c\x40" + bytes(head)[8:40] + bytes(b"\x3c\0\1\4\0\0\0\0" * 40)),
        (T0 + 15_010_000, good.synack()), (T0 + 15_010_100, good.ack()),
    ]
    frames[8] = (frames[8][0], frames[8][1][:4] + struct.pack("!H", 320) + frames[8][1][6:])
    assert IPv6ExtHdrDestOpt
    return "pcap", pcap(RAW, frames), [
        established(four, T0, 6_000, 100), established(good, T0 + 10_000, 15_000_000, 100),
        stat(frames[-1][0], 2, parsed=6, malformed=1, unsupported=4)]


@case
def retransmits():
    """Karn's rule: three SYNs; two SYN-ACKs; both.  The ACK that follows two SYN-ACKs tells no time either."""
    a, b, c = Flow(A4, B4, 40001), Flow(A4, B4, 40002), Flow(A6, B6, 40003)
    s = 1_000_000
    frames = [
        (T0, a.syn()), (T0 + s, a.syn()), (T0 + 3 * s, a.syn()), (T0 + 3 * s + 20_000, a.synack()),
        (T0 + 3 * s + 20_500, a.ack()),
        (T0 + 4 * s, b.syn()), (T0 + 4 * s + 30_000, b.synack()), (T0 + 5 * s, b.synack()), (T0 + 5 * s + 700, b.ack()),
        (T0 + 6 * s, c.syn()), (T0 + 7 * s, c.syn()), (T0 + 7 * s + 10_000, c.synack()), (T0 + 8 * s, c.synack()),
        (T0 + 8 * s + 100, c.ack()), (T0 + 8 * s + 200, c.synack()),
    ]
    return "pcap", pcap(RAW, frames), [
        conn(a, T0, "established", "SSShA", **{**SYN_FIELDS, **ANSWER_FIELDS, "syn_retrans": 2}, rtt_ambiguous_us=20_000,
             setup_us=3 * s + 20_000, rtt_src_us=500),
        conn(b, T0 + 4 * s, "established", "ShhA", **{**SYN_FIELDS, **ANSWER_FIELDS, "synack_retrans": 1}, rtt_us=30_000,
             setup_us=30_000),
        conn(c, T0 + 6 * s, "established", "SShhA", **{**SYN_FIELDS, **ANSWER_FIELDS, "syn_retrans": 1, "synack_retrans": 1},
             rtt_ambiguous_us=10_000, setup_us=s + 10_000),
        stat(frames[-1][0], 3, parsed=15)]


@case
def outcomes():
    """Refused, aborted, timeout, orphan, a port used again, a reset that answers another SYN, and one still open."""
    refused, aborted = Flow(A4, B4, 40001, 9), Flow(A4, B4, 40002)
    silent, orphan = Flow(A6, B6, 40003), Flow(A4, B4, 40004)
    first = Flow(A4, B4, 40005, isn=1)
    again = Flow(A4, B4, 40005, isn=2_000_000)
    still = Flow(A4, B4, 40006)
    s = 1_000_000
    frames = [
        (T0, refused.syn()), (T0 + 500, refused.back(RST | ACK, 0, 77)), (T0 + 8_000, refused.rst()),
        (T0 + 100_000, aborted.syn()), (T0 + 150_000, aborted.out(RST, aborted.isn + 1)),
        (T0 + 200_000, silent.syn()), (T0 + 200_000 + s, silent.syn()), (T0 + 200_000 + 3 * s, silent.syn()),
        (T0 + 4 * s, orphan.synack()),
        (T0 + 6 * s, first.syn()), (T0 + 7 * s, again.syn()), (T0 + 7 * s + 4_000, again.synack()), (T0 + 7 * s + 4_100, again.ack()),
        (T0 + 31 * s, udp(A4, B4)),
        (T0 + 32 * s, still.syn()),
    ]
    return "pcap", pcap(RAW, frames), [
        conn(refused, T0, "refused", "Sr", **SYN_FIELDS, ttl_dst=52),
        conn(aborted, T0 + 100_000, "aborted", "SR", **SYN_FIELDS),
        conn(orphan, T0 + 4 * s, "orphan", "h", **{n: v for n, v in ANSWER_FIELDS.items() if n not in ("sack_ok", "ecn")}),
        conn(first, T0 + 6 * s, "timeout", "S", **SYN_FIELDS),
        established(again, T0 + 7 * s, 4_000, 100),
        conn(silent, T0 + 200_000, "timeout", "SSS", **{**SYN_FIELDS, "syn_retrans": 2}),
        stat(frames[-1][0], 6, live=1, parsed=15)]


@case
def header_fields():
    """DSCP, ECN agreed and refused, Fast Open, window scale over 14, no option at all, directions."""
    dscp = Flow(A4, B4, 40001, tos=46 << 2)
    ecn, no_ecn = Flow(A4, B4, 40002), Flow(A6, B6, 40003)
    tfo = Flow(A4, B4, 40004)
    wide, bare = Flow(A4, B4, 40005), Flow(A4, B4, 40006)
    inbound = Flow("203.0.113.7", A4, 40007, 22)
    internal, external = Flow(A4, "10.0.0.1", 40008), Flow("203.0.113.7", B4, 40009)
    local = Flow("127.0.0.1", "127.0.0.1", 40010)
    frames, reports = [], []
    at = T0
    for f, syn, synack, ack, fields in (
            (dscp, {}, {}, {}, {"dscp": 46}),
            (ecn, {"flags": SYN | ECE | CWR}, {"flags": SYN | ACK | ECE}, {}, {"ecn": True}),
            (no_ecn, {"flags": SYN | ECE | CWR}, {}, {}, {"ecn": False}),
            (tfo, {"opts": LAPTOP + b"\x22\x02\x01\x01", "payload": b"early"}, {}, {}, {"tfo": True}),
            (wide, {"opts": wire.options(9000, 200, True)}, {}, {}, {"mss": 9000, "wscale": 14}),
            (bare, {"opts": b""}, {"opts": b""}, {}, {"mss": None, "wscale": None, "mss_dst": None, "wscale_dst": None,
                                                     "sack_ok": False}),
            (inbound, {}, {}, {}, {"dir": "inbound"}), (internal, {}, {}, {}, {"dir": "internal"}),
            (external, {}, {}, {}, {"dir": "external"}), (local, {}, {}, {}, {"dir": "local"})):
        frames += [(at, f.syn(**syn)), (at + 7_000, f.synack(**synack)), (at + 7_300, f.ack(**ack))]
        r = {**established(f, at, 7_000, 300), **fields}
        reports.append({n: v for n, v in r.items() if v is not None})
        at += 50_000
    return "pcap", pcap(RAW, frames), [*reports, stat(frames[-1][0], len(reports), parsed=len(frames))]


@case
def malformed():
    """Lengths that contradict themselves or the packet: counted.  Bad options do not hide the SYN in front of them: it
    is tracked, and still open at the end (one flow, all of them are the same SYN)."""
    f, good = Flow(A4, B4, 40001), Flow(A4, B4, 40002)
    syn = f.syn()

    def changed(at, value, packet=syn):
        return packet[:at] + bytes([value]) + packet[at + 1:]

    frames = [
        changed(0, 0x44),                        # IPv4 header of 16 bytes
        changed(0, 0x4F, syn[:40]),              # IPv4 header as long as the packet, nothing left for TCP
        changed(3, 19),                          # total length below the header's
        changed(32, 0x40),                       # TCP header of 16 bytes
        changed(32, 0xF0),                       # TCP header longer than the packet
        changed(41, 0),                          # an option of length 0
        changed(41, 200),                        # an option longer than the header
        changed(0, 0x55),                        # version 5
        b"\x60" + b"\0" * 20,                    # half of an IPv6 header
    ]
    frames = [(T0 + n * 1000, p) for n, p in enumerate(frames)] + handshake(good, T0 + 100_000)
    return "pcap", pcap(RAW, frames), [established(good, T0 + 100_000), stat(frames[-1][0], 1, live=1, parsed=4,
                                                                             malformed=7, truncated=1, unsupported=1)]


@case
def other_traffic():
    """UDP, data, FIN, a SYN FIN and a flagless segment are no handshakes."""
    f = Flow(A4, B4, 40001)
    frames = [udp(A4, B4), f.out(PSH | ACK, 5, 6, payload=b"data"), f.out(FIN | ACK, 9, 6), f.out(SYN | FIN, 1), f.out(0, 1),
              f.out(SYN | RST, 1), f.ack()]
    frames = [(T0 + n * 1000, p) for n, p in enumerate(frames)]
    return "pcap", pcap(RAW, frames), [stat(frames[-1][0], 0, parsed=len(frames))]


@case
def empty():
    """A capture without a packet."""
    return "pcap", pcap(ETHERNET, []), [stat(1, 0)]


def files():
    """{path: bytes} of all cases."""
    out = {}
    for name, fn in CASES.items():
        end, data, reports = fn()
        out[HERE / f"{name}.{end}"] = data
        out[HERE / f"{name}.ndjson"] = "".join(json.dumps(r, separators=(",", ":")) + "\n" for r in reports).encode()
    return out


def main():
    os.environ.setdefault("SCAPY_USE_LIBPCAP", "no")
    made = files()
    if sys.argv[1:] == ["--check"]:
        there = {p for p in HERE.iterdir() if p.suffix in (".pcap", ".pcapng", ".ndjson")}
        wrong = sorted(p.name for p in there ^ set(made)) + sorted(
            p.name for p in there & set(made) if p.read_bytes() != made[p])
        if wrong:
            sys.exit(f"differ from what make_cases.py writes: {' '.join(wrong)}")
        return
    for path, data in made.items():
        path.write_bytes(data)
    print(f"{len(CASES)} cases, {sum(map(len, made.values()))} bytes")


if __name__ == "__main__":
    main()
