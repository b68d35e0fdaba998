# SPDX-License-Identifier: GPL-2.0-or-later
"""Frames: TCP segments made and taken apart with struct (scapy is for the odd ones), pcap files of
Ethernet read, tcpdump as the witness, and a responder that answers SYNs the way a test wants.
"""
import collections
import contextlib
import heapq
import itertools
import random
import select
import socket
import struct
import subprocess
import threading
import time

from lib import ng

FIN, SYN, RST, PSH, ACK, ECE, CWR = 0x01, 0x02, 0x04, 0x08, 0x10, 0x40, 0x80

Segment = collections.namedtuple("Segment", "ts_us src dst sport dport flags seq ack ttl mss wscale options")
Endpoint = collections.namedtuple("Endpoint", "ip port")


def _sum16(data):
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def family(ip):
    return socket.AF_INET6 if ":" in ip else socket.AF_INET


def mac(text):
    return bytes.fromhex(text.replace(":", ""))


def options(mss=None, wscale=None, sack=False):
    out = b""
    if mss is not None:
        out += struct.pack("!BBH", 2, 4, mss)
    if wscale is not None:
        out += struct.pack("!BBBB", 1, 3, 3, wscale)
    if sack:
        out += b"\1\1\4\2"
    return out


def tcp(src, dst, sport, dport, flags, seq=0, ack=0, ttl=64, opts=b"", window=64240, payload=b"", tos=0):
    """An IP packet (4 or 6, by the address) that holds one TCP segment, checksums right."""
    assert len(opts) % 4 == 0
    a, b = socket.inet_pton(family(src), src), socket.inet_pton(family(dst), dst)
    head = struct.pack("!HHIIBBHHH", sport, dport, seq & 0xFFFFFFFF, ack & 0xFFFFFFFF, (20 + len(opts)) // 4 << 4,
                       flags, window, 0, 0) + opts + payload
    check = _sum16(a + b + struct.pack("!II", len(head), 6) + head)
    head = head[:16] + struct.pack("!H", check) + head[18:]
    if len(a) == 16:
        return struct.pack("!IHBB", 0x60000000 | tos << 20, len(head), 6, ttl) + a + b + head
    ip = struct.pack("!BBHHHBBH", 0x45, tos, 20 + len(head), 0, 0x4000, ttl, 6, 0) + a + b
    return ip[:10] + struct.pack("!H", _sum16(ip)) + ip[12:] + head


def icmp4(src, dst, kind, code, rest, body, ttl=64):
    """An IPv4 packet that holds one ICMP message; rest: the four bytes behind its checksum."""
    message = struct.pack("!BBH", kind, code, _sum16(struct.pack("!BBH", kind, code, 0) + rest + body)) + rest + body
    ip = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(message), 0, 0x4000, ttl, 1, 0)
    ip += socket.inet_aton(src) + socket.inet_aton(dst)
    return ip[:10] + struct.pack("!H", _sum16(ip)) + ip[12:] + message


def fragment4(src, dst, ident, ttl=64):
    """A later fragment of an IPv4 packet with UDP, 100 bytes."""
    ip = struct.pack("!BBHHHBBH", 0x45, 0, 120, ident, 1480 // 8, ttl, 17, 0) + socket.inet_aton(src) + socket.inet_aton(dst)
    return ip[:10] + struct.pack("!H", _sum16(ip)) + ip[12:] + bytes(100)


def time_exceeded(router, packet, ttl=64):
    """What a router says to the sender of a packet whose TTL has run out."""
    if packet[0] >> 4 == 4:
        return icmp4(router, socket.inet_ntop(socket.AF_INET, packet[12:16]), 11, 0, bytes(4), packet[:60], ttl)
    a, b = socket.inet_pton(socket.AF_INET6, router), packet[8:24]
    body = bytes(4) + packet[:1232]
    check = _sum16(a + b + struct.pack("!II", 4 + len(body), 58) + b"\3\0\0\0" + body)
    return (struct.pack("!IHBB", 0x60000000, 4 + len(body), 58, ttl) + a + b +
            struct.pack("!BBH", 3, 0, check) + body)


def ether(dst_mac, src_mac, packet):
    return mac(dst_mac) + mac(src_mac) + (b"\x86\xdd" if packet[0] >> 4 == 6 else b"\x08\x00") + packet


def segment(packet, ts_us=0):
    """The TCP segment of an IP packet without extension headers, or None."""
    if not packet:
        return None
    if packet[0] >> 4 == 4 and len(packet) >= 20 and packet[9] == 6 and not (packet[6] & 0x1F or packet[7]):
        af, a, b, ttl, t = socket.AF_INET, packet[12:16], packet[16:20], packet[8], packet[(packet[0] & 15) * 4:]
    elif packet[0] >> 4 == 6 and len(packet) >= 40 and packet[6] == 6:
        af, a, b, ttl, t = socket.AF_INET6, packet[8:24], packet[24:40], packet[7], packet[40:]
    else:
        return None
    if len(t) < 20:
        return None
    sport, dport, seq, ack, off, flags = struct.unpack("!HHIIBB", t[:14])
    mss = wscale = None
    opts = t[20:(off >> 4) * 4]
    rest = opts
    while rest and rest[0]:
        if rest[0] == 1:
            rest = rest[1:]
            continue
        if len(rest) < 2 or rest[1] < 2:
            break
        if rest[0] == 2 and rest[1] == 4:
            mss = struct.unpack("!H", rest[2:4])[0]
        elif rest[0] == 3 and rest[1] == 3:
            wscale = rest[2]
        rest = rest[rest[1]:]
    return Segment(ts_us, socket.inet_ntop(af, a), socket.inet_ntop(af, b), sport, dport, flags, seq, ack, ttl, mss,
                   wscale, opts)


def pcap_packets(path):
    """(microseconds, IP packet) of a little-endian microsecond pcap file of Ethernet frames."""
    data = path.read_bytes()
    assert data[:4] == b"\xd4\xc3\xb2\xa1" and struct.unpack("<I", data[20:24])[0] == 1, path
    at = 24
    while at + 16 <= len(data):
        sec, usec, cap, _ = struct.unpack("<IIII", data[at:at + 16])
        yield sec * 1000000 + usec, data[at + 16 + 14:at + 16 + cap]
        at += 16 + cap


def pcap_segments(path):
    """The TCP segments among them."""
    return [s for s in (segment(packet, ts_us) for ts_us, packet in pcap_packets(path)) if s]


class Tcpdump:
    """tcpdump on one interface of a namespace; segments() ends it and reads what it wrote."""

    def __init__(self, ns, iface, path, expression="tcp"):
        self.ns, self.iface, self.path, self.expression = ns, iface, path, expression

    def __enter__(self):
        # --immediate-mode: no kernel buffering, so that nothing is missing when it is told to end.
        self.process = self.ns.popen(["tcpdump", "-i", self.iface, "-n", "-U", "--immediate-mode", "-Z", "root", "-s",
                                      "256", "-w", str(self.path), self.expression], stderr=subprocess.PIPE, text=True)
        self.said = ""
        while "listening on" not in self.said:
            line = self.process.stderr.readline()
            assert line, f"tcpdump: {self.said}"
            self.said += line
        return self

    def so_far(self):
        return pcap_segments(self.path) if self.path.exists() and self.path.stat().st_size >= 24 else []

    def segments(self):
        if self.process.poll() is None:
            ng.stop(self.process)
            self.process.stderr.close()
        return self.so_far()

    def __exit__(self, *_):
        self.segments()


class Raw:
    """A packet socket on one interface of a namespace."""

    def __init__(self, ns, iface):
        with ns:
            self.socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
            self.socket.bind((iface, 0))

    def send(self, frame):
        self.socket.send(frame)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()


class Answer:
    """What a responder does with SYNs to one port; the defaults are a far server that answers.

    hops: the routers on the way, (address, delay_s) each, who answer SYNs that come with TTL 1, 2, ...;
    address None: a silent one.
    """

    def __init__(self, delay_s=0.0, jitter_s=0.0, kind="syn-ack", swallow=0, copies=1, ttl=52, mss=1452, wscale=9, sack=True,
                 hops=()):
        assert kind in ("syn-ack", "rst", "silent")
        self.hops = hops
        self.delay_s, self.jitter_s, self.kind, self.swallow, self.copies = delay_s, jitter_s, kind, swallow, copies
        self.ttl, self.mss, self.wscale, self.sack = ttl, mss, wscale, sack


class Responder:
    """Answers SYNs that reach an interface, after a delay, from user space: this kernel has no netem.

    It stands for whole prefixes of far servers (see net.FAR4, net.FAR6), which the namespace's own
    kernel does not own and therefore leaves alone.  `answers`: by (address, port), else by port,
    else `default`; without any of them it stays silent.
    """

    def __init__(self, ns, iface, answers, default=None, prefixes=("203.0.113.", "2001:db8:203:")):
        self.answers, self.default, self.prefixes = dict(answers), default, prefixes
        self.swallowed = collections.Counter()
        self.seen = []  # SYNs, as segments
        with ns:
            self.socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
            self.socket.bind((iface, 3))
        self.socket.setblocking(False)
        self.wake, self._waker = socket.socketpair()
        self.count = itertools.count()
        self.thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self._waker.close()
        self.thread.join()
        self.socket.close()
        self.wake.close()

    def _run(self):
        due = []  # (when, n, frame)
        poll = select.poll()
        poll.register(self.socket, select.POLLIN)
        poll.register(self.wake, select.POLLIN)
        while True:
            timeout = max(0.0, due[0][0] - time.monotonic()) * 1000 if due else None
            events = dict(poll.poll(timeout))
            if self.wake.fileno() in events:
                return
            while due and due[0][0] <= time.monotonic():
                with contextlib.suppress(OSError):
                    self.socket.send(heapq.heappop(due)[2])
            if self.socket.fileno() in events:
                with contextlib.suppress(BlockingIOError):
                    while True:
                        frame, address = self.socket.recvfrom(65536)
                        if address[2] == socket.PACKET_HOST:
                            for when, answer in self._answers(frame):
                                heapq.heappush(due, (when, next(self.count), answer))

    def _answers(self, frame):
        s = segment(frame[14:])
        if s is None or not s.dst.startswith(self.prefixes):
            return
        way = self.answers.get((s.dst, s.dport)) or self.answers.get(s.dport, self.default)
        if way is None:
            return
        if s.ttl <= len(way.hops):
            router, delay_s = way.hops[s.ttl - 1]
            if router:
                yield time.monotonic() + delay_s, (frame[6:12] + frame[:6] + frame[12:14] +
                                                   time_exceeded(router, frame[14:], 65 - s.ttl))
            return
        back = dict(src=s.dst, dst=s.src, sport=s.dport, dport=s.sport, ttl=way.ttl)
        if s.flags & (SYN | ACK | RST) == SYN:
            self.seen.append(s)
            flow = (s.src, s.sport, s.dst, s.dport)
            self.swallowed[flow] += 1
            if way.kind == "silent" or self.swallowed[flow] <= way.swallow:
                return
            if way.kind == "rst":
                packet = tcp(flags=RST | ACK, ack=s.seq + 1, **back)
            else:
                packet = tcp(flags=SYN | ACK, seq=4000, ack=s.seq + 1,
                             opts=options(way.mss, way.wscale, way.sack), **back)
            for _ in range(way.copies):
                yield time.monotonic() + way.delay_s + random.random() * way.jitter_s, frame[6:12] + frame[:6] + frame[12:14] + packet
        elif s.flags & (FIN | RST) == FIN:
            # A reset ends the client's connection at once; it is no answer to a SYN.
            yield time.monotonic(), frame[6:12] + frame[:6] + frame[12:14] + tcp(flags=RST, seq=s.ack, **back)
