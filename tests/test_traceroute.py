# SPDX-License-Identifier: GPL-2.0-or-later
"""The analyzer itself with the plugin traceroute and a prober played by the test: requests that come
out, results that go in (good, forged, cut short), reports that come of them, each against the schema.

      targets of the configuration ─▶ analyzer (sandboxed) ◀── socket pair ──▶ this test, as the prober
"""
import fcntl
import ipaddress
import os
import random
import select
import socket
import struct
import subprocess
import time

import pytest

from lib import ng, report

REQUEST = struct.Struct("=II8BHHI16s16sHHII")
RESULT = struct.Struct("=II6BHHHHHIIq16s16s")
HOP = struct.Struct("=8B16s3I4I")
TRACE, RESULT_TYPE = 1, 3
ANSWERED, CACHED, DST, NAT, ICMP = 1, 2, 4, 8, 16
CASE = ng.TOP / "tests/replay/ethernet-plain.pcap"


def packed(addr):
    return ipaddress.ip_address(addr).packed.ljust(16, b"\0")


class Request:
    def __init__(self, data):
        assert len(data) == REQUEST.size, "not a struct prober_request"
        (self.type, self.id, self.ipv, self.method, self.trigger, self.flags, self.reply_ttl, self.max_ttl, self.tries,
         self.probes, self.dport, self.flow, self.rtt_us, dst, self.src, self.sport, _, self.iss, self.irs) = \
            REQUEST.unpack(data)
        assert self.type == TRACE and self.id
        self.raw_dst = dst
        self.dst = str(ipaddress.ip_address(dst[:4] if self.ipv == 4 else dst))


def hop(ttl, addr=None, flags=0, rtts=(), sent=1, icmp=None, reply_ttl=0, mpls=()):
    flags |= (ANSWERED if addr else 0) | (ICMP if icmp else 0)
    return HOP.pack(ttl, flags, *(icmp or (0, 0)), sent, len(rtts), reply_ttl, len(mpls),
                    packed(addr) if addr else b"", *(list(rtts) + [0] * 3)[:3], *(list(mpls) + [0] * 4)[:4])


def result(q, hops, **change):
    f = {"type": RESULT_TYPE, "id": q.id, "ipv": q.ipv, "method": q.method, "trigger": q.trigger, "status": 0, "reached": 1,
         "n_hops": len(hops), "flow": q.flow, "sport": 64600, "dport": q.dport, "probes": 9, "pad": 0, "dur_us": 70000,
         "pad2": 0, "ts_us": 1795000000000000, "src": packed("203.0.113.2" if q.ipv == 4 else "2001:db8::2"),
         "dst": q.raw_dst, **change}
    return RESULT.pack(f["type"], f["id"], f["ipv"], f["method"], f["trigger"], f["status"],
                       f["reached"], f["n_hops"], f["flow"], f["sport"], f["dport"], f["probes"], f["pad"], f["dur_us"],
                       f["pad2"], f["ts_us"], f["src"], f["dst"]) + b"".join(hops)


def routers(q, names):
    """One router for each letter at ttl 1, 2, ..., '-' is silent; then the destination."""
    hops = [hop(i, f"10.9.9.{ord(c)}", rtts=[1000 * i]) if c != "-" else hop(i, sent=2) for i, c in enumerate(names, 1)]
    return hops + [hop(len(names) + 1, q.dst, DST, [9000])]


def path_hash(trace):
    """As net-gazer.conf(5) says, from a report alone."""
    h = 0xcbf29ce484222325
    for one in trace["hops"]:
        if "ip" in one:
            for byte in bytes([one["ttl"]]) + ipaddress.ip_address(one["ip"]).packed:
                h = (h ^ byte) * 0x100000001b3 % (1 << 64)
    return f"{h:016x}"


class Analyzer:
    """`analyzer` with the descriptors of src/worker.h and no NFLOG group."""

    def __init__(self, **options):
        self.prober, prober = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.control, control = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.reports, pipe = os.pipe()
        os.set_blocking(pipe, False)
        os.set_blocking(self.reports, False)
        page = os.memfd_create("page")
        os.ftruncate(page, 4096)
        plugin = os.open(ng.program("plugins/traceroute.so"), os.O_RDONLY)
        settings = os.memfd_create("settings")
        lines = ["sensor=r1", "boot=9f1c2ab0", "verbose=2", "home=192.168.0.0/16", "prober=7", "plugin=8 traceroute.so",
                 *(f"option=traceroute {name} {value}" for name, value in options.items())]
        os.write(settings, "".join(f"{line}\n" for line in lines).encode())
        self.log = ng.temp_dir("trace") / "log"
        self.log_file = open(self.log, "wb")
        null = os.open(os.devnull, os.O_RDWR)
        # 3 to 8 in the child; first out of the way of each other.
        high = [fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, 100) for fd in (settings, page, control.fileno(), pipe, prober.fileno(),
                                                                       plugin)]
        actions = [(os.POSIX_SPAWN_DUP2, null, 0), (os.POSIX_SPAWN_DUP2, null, 1),
                   (os.POSIX_SPAWN_DUP2, self.log_file.fileno(), 2)]
        actions += [(os.POSIX_SPAWN_DUP2, fd, 3 + i) for i, fd in enumerate(high)]
        self.pid = os.posix_spawn(ng.program("analyzer"), ["analyzer"], {}, file_actions=actions)
        for fd in [*high, settings, page, pipe, plugin, null]:
            os.close(fd)
        prober.close()
        control.close()
        self.text = ""
        self.status = None
        self.bad_plugins = []

    def __enter__(self):
        """Its messages up to READY (1); a plugin that did not start is told before (3)."""
        self.control.settimeout(ng.DEADLINE_S)
        kind = 0
        while kind != 1:
            message = self.control.recv(4096)
            assert len(message) > 16, f"it ended: {self.said()}"
            kind, _, value = struct.unpack_from("=IIQ", message)
            self.bad_plugins += [value] if kind == 3 else []
        self.posture = value
        return self

    def __exit__(self, *_):
        self.control.close()  # its parent is gone: it ends
        ng.wait_for("the analyzer's end", lambda: not self.alive())
        assert self.status == 0, self.said()
        for thing in (self.prober, self.log_file):
            thing.close()
        os.close(self.reports)
        self.log.unlink()
        self.log.parent.rmdir()

    def alive(self):
        if self.status is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            self.status = os.waitstatus_to_exitcode(status) if pid else None
        return self.status is None

    def said(self):
        return self.log.read_text(encoding="ascii")

    def request(self):
        self.prober.settimeout(ng.DEADLINE_S)
        return Request(self.prober.recv(4096))

    def traces(self, n):
        """The first n trace reports, once they are there; all lines are checked."""
        def come():
            while True:
                try:
                    self.text += os.read(self.reports, 1 << 16).decode()
                except BlockingIOError:
                    break
            return self.text.count('"type":"trace"') >= n and self.text.endswith("\n")
        ng.wait_for(lambda: f"{n} traces in\n{self.text}\n{self.said()}", come)
        return report.pick(report.numbered(report.reports(self.text)), type="trace")


def test_from_request_to_report():
    with Analyzer(targets="198.51.100.1:8443,2001:db8::1") as a:
        assert a.posture & 2, "the seccomp filter does not stand"
        q = a.request()
        assert (q.dst, q.ipv, q.method, q.trigger, q.dport, q.flags, q.flow) == ("198.51.100.1", 4, 0, 3, 8443, 0, 0)
        a.prober.send(result(q, [
            hop(1, "192.168.1.1", rtts=[310, 290, 300], sent=3, icmp=(11, 0), reply_ttl=64),
            hop(2, sent=2),
            hop(3, "62.115.1.1", rtts=[8123], icmp=(11, 0), mpls=[24015 << 12 | 5 << 9 | 1, 16 << 12 | 1 << 8 | 1], flags=NAT),
            hop(4, "62.115.1.2", flags=CACHED, sent=0),
            hop(5, q.dst, DST, [20011])]))
        q = a.request()
        assert (q.dst, q.ipv, q.dport) == ("2001:db8::1", 6, 443)
        a.prober.send(result(q, [hop(1, "2001:db8::fe", rtts=[5]), hop(2, sent=2)], reached=0, status=1))
        four, six = a.traces(2)
    assert {n: four[n] for n in ("src_ip", "src_port", "dst_ip", "dst_port", "proto", "dir", "method", "trigger", "flow_id",
                                 "reached", "dur_us", "ts")} == {
        "src_ip": "203.0.113.2", "src_port": 64600, "dst_ip": "198.51.100.1", "dst_port": 8443, "proto": "tcp",
        "dir": "outbound", "method": "tcp-syn", "trigger": "schedule", "flow_id": 0, "reached": True, "dur_us": 70000,
        "ts": "2026-11-18T11:06:40.000000Z"}
    assert four["hops"] == [
        {"ttl": 1, "ip": "192.168.1.1", "rtt_us": [310, 290, 300], "sent": 3, "icmp": "11/0", "reply_ttl": 64},
        {"ttl": 2, "sent": 2},
        {"ttl": 3, "ip": "62.115.1.1", "rtt_us": [8123], "sent": 1, "icmp": "11/0", "nat": True,
         "mpls": [{"label": 24015, "tc": 5, "s": 0, "ttl": 1}, {"label": 16, "tc": 0, "s": 1, "ttl": 1}]},
        {"ttl": 4, "ip": "62.115.1.2", "cached": True},
        {"ttl": 5, "ip": "198.51.100.1", "rtt_us": [20011], "sent": 1}]
    assert four["path_hash"] == path_hash(four) and "prev_path_hash" not in four
    assert six["reached"] is False and six["dst_ip"] == "2001:db8::1" and six["path_hash"] == path_hash(six)


@pytest.mark.parametrize("method, proto, fields", [
    ("udp", "udp", {"src_port": 64600, "dst_port": 33434}), ("icmp", "icmp", {"src_port": None, "dst_port": None})])
def test_methods(method, proto, fields):
    with Analyzer(targets="198.51.100.1", method=method) as a:
        q = a.request()
        a.prober.send(result(q, routers(q, "ab")))
        trace, = a.traces(1)
    assert (trace["proto"], trace["method"]) == (proto, method)
    assert {n: trace.get(n) for n in fields} == fields


def test_path_change_is_reported_once():
    """The old path, silent here and there; then another, which is looked at again at once; then again and again."""
    with Analyzer(**{"targets": "198.51.100.1", "targets-interval": 1}) as a:
        for names in ("abcd", "a-cd", "-b--"):
            q = a.request()
            a.prober.send(result(q, routers(q, names)))
        q = a.request()
        assert q.flags == 0
        a.prober.send(result(q, routers(q, "axcd")))
        q = a.request()
        assert q.flags == 2, "the second look must believe no cache"
        a.prober.send(result(q, routers(q, "abcd")))  # an accident
        q = a.request()
        assert q.flags == 0
        for fresh in (False, True, False, False):
            assert bool(q.flags & 2) == fresh
            a.prober.send(result(q, routers(q, "axyd")))
            q = a.request()
        found = a.traces(9)
    old, new = path_hash(found[0]), path_hash(found[6])
    assert [t["path_hash"] for t in found] == [old, old, old, path_hash(found[3]), old, new, new, new, new]
    assert [t.get("prev_path_hash") for t in found] == [None] * 6 + [old] + [None] * 2


def test_a_persons_trace_is_reported():
    with Analyzer() as a:
        q = Request(REQUEST.pack(TRACE, 1, 6, 2, 4, 0, 0, 0, 0, 0, 0, 3, 0, packed("2001:db8::7"), b"", 0, 0, 0, 0))
        a.prober.send(result(q, [hop(1, "2001:db8::fe", rtts=[7])], id=0, reached=0))
        trace, = a.traces(1)
    assert (trace["trigger"], trace["method"], trace["proto"], trace["flow_id"]) == ("manual", "icmp", "icmp6", 3)


def test_a_longest_path_fits_a_line():
    with Analyzer(targets="2001:db8::1") as a:
        q = a.request()
        hops = [HOP.pack(i, 0x1f, 255, 255, 255, 3, 255, 4, b"\xff" * 16, *[0xffffffff] * 7) for i in range(1, 65)]
        a.prober.send(result(q, hops, dur_us=0xffffffff, src=b"\xfe" * 16))
        trace, = a.traces(1)
    assert len(trace["hops"]) == 64
    assert sum(len(one.get("mpls", [])) for one in trace["hops"]) == 80


def test_forged_results():
    """A prober that was taken over: any bytes, and good results with any byte changed.  Nothing of that becomes a
    report that breaks the schema, and the analyzer lives on."""
    seed = int(time.time())
    print("seed", seed)
    r = random.Random(seed)
    with Analyzer(**{"targets": "198.51.100.1", "targets-interval": 1}) as a:
        q = a.request()
        good = result(q, routers(q, "abcd"))
        for n in range(3000):
            data = bytearray(r.randbytes(r.randrange(4000)) if n % 3 == 0 else good)
            if n % 3 == 1:
                # Anything but the number: what the result says must be checked too.
                for _ in range(r.randrange(1, 4)):
                    data[r.choice([*range(4), *range(8, len(data))])] = r.randrange(256)
            elif n % 3 == 2:
                data = data[:r.randrange(len(data))]
            a.prober.settimeout(ng.DEADLINE_S)
            a.prober.send(bytes(data))
            if select.select([a.prober], [], [], 0)[0]:  # something was taken for an answer: it is asked anew
                q = a.request()
                good = result(q, routers(q, "abcd"))
        assert a.alive()
        a.prober.send(good)
        a.request()
        found = a.traces(1)
        assert len(a.said().splitlines()) <= 3, "one line a minute, not one a message"
        assert "are no result of a trace" in a.said()
    print(len(found), "of the changed ones were good still")


def test_bad_options_are_named():
    """The plugin is left out with a reason; the analyzer goes on."""
    for options, needle in (({"targets": "example.org"}, '"example.org"'), ({"method": "ping"}, "method")):
        with Analyzer(**options) as a:
            assert needle in a.said() and "did not start" in a.said()
            assert a.bad_plugins == [0]


def test_replay_asks_nothing_and_says_so_once():
    argv = [ng.program("net-gazer"), "-c", "/dev/null", "--user", "nobody", "--libexec-dir", ng.BUILD, "--plugin-dir",
            ng.BUILD / "plugins", "--plugins", "handshake,traceroute", "-r", CASE]
    done = subprocess.run([str(a) for a in argv], capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("no path is traced") == 1, done.stderr
    found = report.reports(done.stdout)
    assert not report.pick(found, type="trace")
    assert len(report.pick(found, type="conn")) > 1
