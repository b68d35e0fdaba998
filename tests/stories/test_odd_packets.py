# SPDX-License-Identifier: GPL-2.0-or-later
r"""What strangers send: fragments, extension headers, lies in length fields, noise.

      lan ---- lan0 rtr wan0 ---- wan 203.0.113.0/24 (silent)
       \ raw frames     \ net-gazer

Each packet's way through the rules is what /work facts 2.5 measured; here it is checked that the
decoder classes each, that each class is counted, and that the analyzer outlives all of it.
"""
import os
import random

import pytest

from lib import net, ng, wire
from lib.sensor import Sensor

SRC4, DST4, SRC6, DST6 = "10.77.1.2", net.FAR4 + "20", "fd00:77:1::2", net.FAR6 + "20"


def cases():
    """(name, IP packets, how many the rules see, the class of those).  sport tells the cases apart."""
    os.environ.setdefault("SCAPY_USE_LIBPCAP", "no")
    from scapy.layers.inet import IP, TCP, IPOption, fragment
    from scapy.layers.inet6 import (IPv6, IPv6ExtHdrDestOpt, IPv6ExtHdrFragment, IPv6ExtHdrHopByHop, PadN)
    opts = [("MSS", 1460), ("SAckOK", b""), ("Timestamp", (1, 0)), ("NOP", None), ("WScale", 7)]
    number = iter(range(20001, 21000))

    def t(**kw):
        return TCP(**{"sport": next(number), "dport": 5, "flags": "S", "seq": 100, "options": opts, **kw})

    v4, v6 = IP(src=SRC4, dst=DST4), IPv6(src=SRC6, dst=DST6)
    pad200 = IPv6ExtHdrDestOpt(options=[PadN(optdata=b"\0" * 194)])
    pad8 = IPv6ExtHdrDestOpt(options=[PadN(optdata=b"\0" * 4)])

    def v6_fragments(size):
        whole = bytes(v6 / t())[40:]
        return [v6 / IPv6ExtHdrFragment(nh=6, id=77, offset=at // 8, m=int(at + size < len(whole))) / whole[at:at + size]
                for at in range(0, len(whole), size)]

    return [
        ("v4 plain", [v4 / t()], 1, "parsed"),
        ("v4 fragments of 24 and 16", fragment(v4 / t(), fragsize=24), 1, "malformed"),
        ("v4 tiny fragments", fragment(v4 / t(), fragsize=8), 0, None),
        ("v4 IP options, 40 bytes", [IP(src=SRC4, dst=DST4, options=[IPOption(b"\x07\x27\x04" + b"\0" * 36 + b"\0")]) / t()],
         1, "parsed"),
        ("v6 plain", [v6 / t()], 1, "parsed"),
        ("v6 hop-by-hop and destination options", [v6 / IPv6ExtHdrHopByHop() / IPv6ExtHdrDestOpt() / t()], 1, "parsed"),
        ("v6 eight destination options", [v6 / pad8 / pad8 / pad8 / pad8 / pad8 / pad8 / pad8 / pad8 / t()], 1, "truncated"),
        ("v6 five of 200 bytes", [v6 / pad200 / pad200 / pad200 / pad200 / pad200 / t()], 1, "truncated"),
        ("v6 atomic fragment", [v6 / IPv6ExtHdrFragment(nh=6, id=9, offset=0, m=0) / t()], 1, "parsed"),
        ("v6 fragments of 24", v6_fragments(24), 1, "malformed"),
        ("bad TCP checksum", [v4 / t(chksum=0x1234)], 1, "parsed"),
        ("data offset beyond the packet", [v4 / t(options=[], dataofs=15)], 1, "malformed"),
        ("trailing bytes behind the IP length", [bytes(v4 / t()) + b"\0" * 100], 1, "parsed"),
        ("SYN with 1,300 bytes of data", [v4 / t() / (b"x" * 1300)], 1, "parsed"),
        ("SYN ECE CWR", [v4 / t(flags="SEC")], 1, "parsed"),
        ("SYN URG PSH", [v4 / t(flags="SUP")], 1, "parsed"),
        ("port 0", [v4 / t(dport=0)], 1, "parsed"),
        ("an option of length 0", [v4 / t(options=[]) / b"" if False else bytes(v4 / t(options=[(5, b"")]))[:-2] + b"\x05\x00"],
         1, "malformed"),
        ("TTL 1", [IP(src=SRC4, dst=DST4, ttl=1) / t()], 0, None),
        ("source 127.0.0.1", [IP(src="127.0.0.1", dst=DST4) / t()], 0, None),
        ("IP length beyond the frame", [IP(src=SRC4, dst=DST4, len=1000) / t()], 0, None),
        ("SYN FIN", [v4 / t(flags="SF")], 0, None),
        ("SYN RST", [v4 / t(flags="SR")], 0, None),
        ("no flag", [v4 / t(flags=0)], 0, None),
        ("all flags", [v4 / t(flags="FSRPAUEC")], 0, None),
    ]


def test_classified_and_counted(tmp_path):
    """No conntrack, so no defragmentation: the rules see what is on the wire."""
    with net.Router(filtered=False) as r, wire.Raw(r.lan, "eth0") as raw, Sensor(r.rtr, tmp_path, syn_timeout=2) as s:
        pid = s.worker("analyzer")
        want = {"parsed": 0, "truncated": 0, "malformed": 0, "unsupported": 0}
        ports = set()
        before = 0
        for name, packets, seen, kind in cases():
            for p in packets:
                raw.send(wire.ether(r.MAC["rtr-lan"], r.MAC["lan"], bytes(p)))
            # What must come is waited for; what must not come would be in the next case's sum.
            before += seen
            ng.wait_for(lambda n=name, b=before: f"{n}: {b} seen, there are {s.counters()}",
                        lambda b=before: s.counters()["handshake_seen"] >= b)
            assert s.counters()["handshake_seen"] == before, name
            if kind:
                want[kind] += 1
            if kind == "parsed":
                ports.add(sport_of(bytes(packets[0])))

        def reported():
            return {c["src_port"] for c in s.reports(type="conn")}
        ng.wait_for(lambda: f"reports of {ports - reported()}", lambda: ports <= reported(), every_s=0.1)
        assert s.worker("analyzer") == pid, s.log()
        found = s.stop()
    last = found[-1]
    assert {n: last[n] for n in want} == want
    conns = [c for c in found if c["type"] == "conn"]
    assert {c["state"] for c in conns} == {"timeout"} and len({c["src_port"] for c in conns}) == len(conns)
    print(f"{sum(want.values())} odd packets: {want}; {len(conns)} conn reports")


def sport_of(packet):
    """Our source ports are 20001 and up, and nothing else in these packets is, word by word."""
    at = 20 if packet[0] >> 4 == 4 else 40
    found = [int.from_bytes(packet[i:i + 2], "big") for i in range(at, len(packet) - 3, 4)]
    return next(n for n in found if 20001 <= n < 21000)


def test_fragments_behind_conntrack(tmp_path):
    """With NAT the kernel puts fragments together first: the tiny ones are seen too, once, whole."""
    with net.Router() as r, wire.Raw(r.lan, "eth0") as raw, Sensor(r.rtr, tmp_path, syn_timeout=2) as s:
        whole = [c for c in cases() if "fragments of" in c[0] or "tiny" in c[0]]
        for _, packets, _, _ in whole:
            for p in packets:
                raw.send(wire.ether(r.MAC["rtr-lan"], r.MAC["lan"], bytes(p)))
        s.wait_reports(len(whole), type="conn")
        found = s.stop()
    last = found[-1]
    assert len([c for c in found if c["type"] == "conn"]) == len(whole) == 3
    assert (last["parsed"], last["truncated"], last["malformed"]) == (3, 0, 0)


@pytest.mark.parametrize("seed", [1, 2])
def test_noise(tmp_path, seed):
    """4,000 SYNs with random bytes in every place that a router forwards: counted, survived."""
    print(f"seed {seed}")
    rng = random.Random(seed)
    with net.Router(filtered=False) as r, wire.Raw(r.lan, "eth0") as raw, \
            Sensor(r.rtr, tmp_path, syn_timeout=2, handshake_limit=100000) as s:
        pid = s.worker("analyzer")
        for n in range(4000):
            v6 = n % 2
            opts = wire.options(rng.randrange(65536), rng.randrange(256), True) if n % 4 < 2 else rng.randbytes(
                4 * rng.randrange(0, 11))
            flags = wire.SYN | rng.choice((0, 0, 0, wire.ACK)) | rng.choice((0, wire.ECE, wire.CWR, 0x20))
            p = bytearray(wire.tcp(SRC6 if v6 else SRC4, DST6 if v6 else DST4, rng.randrange(65536), rng.randrange(65536),
                                   flags, rng.getrandbits(32), rng.getrandbits(32), opts=opts,
                                   payload=rng.randbytes(rng.randrange(0, 60))))
            at = 40 if v6 else 20
            if n % 8 == 0:
                p[at + 12] = rng.randrange(256)
            if v6 and rng.random() < 0.3:
                header = bytes([6, rng.choice((0, 0, 1, 3, 200))]) + rng.randbytes(6)
                p[6] = rng.choice((0, 60, 43, 44, 51, 135))
                p = p[:40] + header + p[40:]
                p[4:6] = (len(p) - 40).to_bytes(2, "big")
            raw.send(wire.ether(r.MAC["rtr-lan"], r.MAC["lan"], bytes(p)))
        with net.Server(r.wan, 80):
            assert net.connect(r.lan, r.WAN4, 80)[0] == "ok"
            s.wait_reports(1, type="conn", dst_ip=r.WAN4, dst_port=80)
        assert s.worker("analyzer") == pid, s.log()
        found = s.stop()
    last = found[-1]
    assert last["received"] > 2000 and last["malformed"] > 500 and last["parsed"] > 500, last
