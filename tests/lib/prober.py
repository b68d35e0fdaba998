# SPDX-License-Identifier: GPL-2.0-or-later
"""The prober alone in a namespace, its parent and its analyzer played by the test (src/prober.h)."""
import contextlib
import dataclasses
import ipaddress
import itertools
import os
import socket
import struct
import subprocess
import threading

from lib import ng

METHODS = ("tcp", "udp", "icmp", "ack")
KINDS = ("tcp4", "tcp6", "udp4", "udp6", "icmp4", "icmp6", "tcpx4", "tcpx6")
MARK = 0x4E000000
PORT_FIRST = 64512
UID = 65534

(DONE, DEADLINE, STOPPED) = range(3)
(BAD_REQUEST, BOGON, HOME, OWN, EXCLUDED, BUDGET, RATE, NO_ROUTE, BUSY) = range(16, 25)
MSG_TRACE, MSG_HOP, MSG_RESULT = 1, 2, 3
CTL_READY, CTL_LOOKUP, CTL_FOUND, CTL_STATS = 1, 2, 3, 4
STATS = ("requests", "traces", "refused", "probes", "answers", "foreign", "cached", "resets", "send_errors")
NO_NEW_PRIVS, SECCOMP, LANDLOCK, NO_CAPS = 1, 2, 4, 8
MANUAL = 4
PROGRESS, FRESH = 1, 2
ANSWERED, CACHED, DST, NAT = 1, 2, 4, 8

REQUEST = struct.Struct("=II8BHHI16s16sHHII")
RESULT = struct.Struct("=II6B5HIIq16s16s")  # its head
HOP = struct.Struct("=8B16s3I4I")
TUPLE = struct.Struct("=BBHHH16s16s")
CTL = struct.Struct("=IIQ40s16Q")

LISTEN_FD, FIRST_FD = 7, 20  # as probe_starter.c gives them


def packed(address):
    return ipaddress.ip_address(address).packed if address else b""


def unpacked(ipv, raw):
    return str(ipaddress.ip_address(raw[:4] if ipv == 4 else raw))


@dataclasses.dataclass
class Hop:
    ttl: int
    ip: str  # None: silent
    flags: int
    sent: int
    rtts_us: tuple
    reply_ttl: int


@dataclasses.dataclass
class Result:
    id: int
    method: str
    trigger: int
    status: int
    reached: bool
    flow: int
    sport: int
    dport: int
    probes: int
    src: str
    dst: str
    ts_us: int
    dur_us: int
    hops: list


def hop_of(ipv, raw):
    ttl, flags, _, _, sent, n_rtt, reply_ttl, _, addr, *rest = HOP.unpack(raw)
    return Hop(ttl, unpacked(ipv, addr) if flags & ANSWERED else None, flags, sent, tuple(rest[:n_rtt]), reply_ttl)


def result_of(raw):
    (kind, ident, ipv, method, trigger, status, reached, n_hops, flow, sport, dport, probes, _, dur_us, _, ts_us, src,
     dst) = RESULT.unpack_from(raw)
    assert kind == MSG_RESULT and len(raw) == RESULT.size + n_hops * HOP.size, raw
    hops = [hop_of(ipv, raw[at:at + HOP.size]) for at in range(RESULT.size, len(raw), HOP.size)]
    return Result(ident, METHODS[method], trigger, status, bool(reached), flow, sport, dport, probes, unpacked(ipv, src),
                  unpacked(ipv, dst), ts_us, dur_us, hops)


_ids = itertools.count(1)


def request(dst, method="tcp", *, ident=None, trigger=MANUAL, flags=0, reply_ttl=0, max_ttl=0, tries=0, probes=0,
            dport=443, flow=0, rtt_us=0, src=None, sport=0, iss=0, irs=0):
    return REQUEST.pack(MSG_TRACE, next(_ids) if ident is None else ident, 6 if ":" in dst else 4, METHODS.index(method),
                        trigger, flags, reply_ttl, max_ttl, tries, probes, dport, flow, rtt_us, packed(dst), packed(src),
                        sport, 0, iss, irs)


class Asker:
    """One end of a SEQPACKET connection to the prober."""

    def __init__(self, sock):
        self.socket = sock
        self.hops = {}  # id: raw hops of PROBER_MSG_HOP, as they came

    def ask(self, dst, *args, **kw):
        raw = request(dst, *args, **kw)
        self.socket.send(raw)
        return struct.unpack_from("=II", raw)[1]

    def result(self, deadline_s=ng.DEADLINE_S):
        """The next result; None: the prober has closed the connection."""
        self.socket.settimeout(deadline_s)
        while True:
            raw = self.socket.recv(65536)
            if not raw:
                return None
            kind, ident = struct.unpack_from("=II", raw)
            if kind == MSG_HOP:
                self.hops.setdefault(ident, []).append(raw[8:])
            else:
                return result_of(raw)

    def trace(self, dst, *args, **kw):
        ident = self.ask(dst, *args, **kw)
        found = self.result()
        assert found.id == ident
        return found

    def first_hop(self):
        """Waits until a trace has something to tell (PROGRESS)."""
        self.socket.settimeout(ng.DEADLINE_S)
        assert struct.unpack_from("=I", self.socket.recv(65536))[0] == MSG_HOP

    def silent(self):
        """Nothing waits to be read."""
        self.socket.settimeout(0)
        try:
            return not self.socket.recv(65536)
        except BlockingIOError:
            return True

    def close(self):
        self.socket.close()


class Ended(Exception):
    """It did not start."""


class Prober:
    """`with Prober(ns, folder, setting=value...) as p:` p.asker is the analyzer's end.

    lookup: called with a TUPLE's fields for each connection that the prober asks about; gives the tuple's
    fields on the WAN side, or None.  A list makes several lines of a setting."""

    def __init__(self, ns, folder, lookup=None, inband=False, listen=False, starter=None, **settings):
        self.ns, self.folder, self.lookup, self.inband, self.listening = ns, folder, lookup, inband, listen
        self.settings = {"verbose": 3, "any-target": "no", "probe-rate": 1000, "trace-rate": 1000, "prefix-budget": 1000,
                         "traces": 64, "mark": MARK, **{n.replace("_", "-"): v for n, v in settings.items()}}
        self.starter = starter or folder / "probe_starter"
        self.log_path = folder / "prober.log"
        self.process = self.control = self.asker = self.listener = None
        self.posture, self.stats, self.looked_up = None, {}, []

    def __enter__(self):
        if not self.starter.exists():
            ng.compile_c(ng.TOP / "tests/lib/probe_starter.c", self.starter, f"-I{ng.TOP}/src", "-D_GNU_SOURCE",
                         ng.TOP / "src/lib/rawsock.c", ng.TOP / "src/lib/priv.c", ng.TOP / "src/lib/log.c", "-lseccomp")
        self.start()
        return self

    def __exit__(self, kind, *_):
        status = self.stop()
        assert kind or status == 0, f"exit status {status}\n{self.log()}"

    def log(self):
        return self.log_path.read_text(encoding="utf-8", errors="replace") if self.log_path.exists() else ""

    def _settings_fd(self):
        lines = []
        for name, value in self.settings.items():
            lines += [f"{name}={v}\n" for v in (value if isinstance(value, (list, tuple)) else [value])]
        lines += [f"send={kind} {FIRST_FD + n}\n" for n, kind in enumerate(KINDS) if self.inband or "x" not in kind]
        lines += [f"route={FIRST_FD + len(KINDS)}\n"]
        if self.listening:
            lines += [f"listen={LISTEN_FD}\n"]
        fd = os.memfd_create("settings")
        os.write(fd, "".join(lines).encode())
        return fd

    def start(self):
        self.posture = None
        budgets = os.open(self.folder / "budgets", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self.control, control = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        mine, requests = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.asker = Asker(mine)
        given = [self._settings_fd(), budgets, control.detach(), requests.detach()]
        if self.listening:
            path = self.folder / "prober.sock"
            path.unlink(missing_ok=True)
            self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            self.listener.bind(str(path))
            self.listener.listen(16)
            self.listener.setblocking(False)
            given.append(os.dup(self.listener.fileno()))
        try:
            with open(self.log_path, "ab") as log:
                self.process = self.ns.popen([self.starter, ng.program("prober"), UID, MARK, int(self.inband), *given],
                                             pass_fds=given, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=log)
        finally:
            for fd in given:
                os.close(fd)
        threading.Thread(target=self._parent, args=(self.control,), daemon=True).start()
        ng.wait_for(lambda: f"the prober to be ready\n{self.log()}",
                    lambda: self.posture is not None or self.process.poll() is not None)
        if self.posture is None:
            self._close()
            raise Ended(self.log())

    def _parent(self, control):
        """What comes over descriptor 5, and answers."""
        while True:
            try:
                raw = control.recv(65536)
            except OSError:
                return
            if not raw:
                return
            kind, ident, value, t, *stat = CTL.unpack(raw)
            if kind == CTL_READY:
                self.posture = value
            elif kind == CTL_STATS:
                self.stats = dict(zip(STATS, stat))
            elif kind == CTL_LOOKUP:
                ipv, _, sport, dport, _, src, dst = TUPLE.unpack(t)
                asked = (ipv, unpacked(ipv, src), sport, unpacked(ipv, dst), dport)
                self.looked_up.append(asked)
                wan = self.lookup(*asked) if self.lookup else None
                if wan:
                    ipv, src, sport, dst, dport = wan
                    t = TUPLE.pack(ipv, 0, sport, dport, 0, packed(src), packed(dst))
                with contextlib.suppress(OSError):
                    control.send(CTL.pack(CTL_FOUND, ident, int(bool(wan)), t, *[0] * 16))

    def connect(self):
        """A person."""
        s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        s.connect(str(self.folder / "prober.sock"))
        return Asker(s)

    def settled(self, **want):
        """The first statistics with these values."""
        return ng.wait_for(lambda: f"{want} in {self.stats}",
                           lambda: self.stats and all(self.stats[k] == v for k, v in want.items()) and self.stats)

    def status(self):
        with open(f"/proc/{self.process.pid}/status", encoding="ascii") as f:
            return dict(line.rstrip("\n").split(":\t", 1) for line in f if ":\t" in line)

    def stop(self):
        if self.process is None:
            return 0
        status = ng.stop(self.process)
        self._close()
        return status

    def kill(self):
        self.process.kill()
        self.process.wait()
        self._close()

    def _close(self):
        self.process = None
        self.control.close()
        self.asker.close()
        if self.listener:
            self.listener.close()
