# SPDX-License-Identifier: GPL-2.0-or-later
"""Networks made of namespaces, and ordinary TCP clients and servers inside them.

A thread enters a namespace (`with ns:`) to make a socket or start a process there, and leaves it;
what it made stays inside.  Names carry our pid and a counter, so that two runs never meet.
"""
import contextlib
import ctypes
import itertools
import os
import pathlib
import select
import socket
import struct
import subprocess
import threading

from lib import ng, wire

_libc = ctypes.CDLL(None, use_errno=True)
_serial = itertools.count(1)
_way_back = threading.local()
CLONE_NEWNET = 0x40000000

# What the WAN side answers for beside its own address: prefixes that its kernel owns whole (any
# address is a server), and prefixes that only a wire.Responder answers.
NEAR4, NEAR6 = "192.0.2.", "2001:db8:192::"
FAR4, FAR6 = "203.0.113.", "2001:db8:203::"


def _ip(*argv, text=None):
    done = subprocess.run(["ip", *argv], input=text, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"ip {' '.join(argv)}: {done.stderr}{text or ''}"


def _set_ns(fd):
    if _libc.setns(fd, CLONE_NEWNET) < 0:
        e = ctypes.get_errno()
        raise OSError(e, f"setns: {os.strerror(e)}")


class Ns:
    """One network namespace; `with ns:` puts this thread into it."""

    def __init__(self, word):
        self.name = f"ngt{os.getpid()}-{next(_serial)}-{word}"
        self.path = f"/run/netns/{self.name}"
        _ip("netns", "add", self.name)
        self.fd = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC)

    def __enter__(self):
        # Each thread has a way back of its own.
        if not hasattr(_way_back, "fds"):
            _way_back.fds = []
        _way_back.fds.append(os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC))
        _set_ns(self.fd)
        return self

    def __exit__(self, *_):
        fd = _way_back.fds.pop()
        _set_ns(fd)
        os.close(fd)

    def ip(self, batch):
        """Lines of `ip -batch`, one command each."""
        _ip("-n", self.name, "-b", "-", text="\n".join(line.strip() for line in batch.splitlines() if line.strip()) + "\n")

    def sysctl(self, **values):
        with self:
            for name, value in values.items():
                pathlib.Path("/proc/sys/net", name.replace("__", "/")).write_text(f"{value}\n", encoding="ascii")

    def popen(self, argv, **kw):
        with self:
            return subprocess.Popen([str(a) for a in argv], **kw)  # pylint: disable=consider-using-with

    def run(self, *argv, **kw):
        """subprocess.run inside; text, output captured, no check unless asked."""
        with self:
            return subprocess.run([str(a) for a in argv], **{"capture_output": True, "text": True, "check": False, **kw})

    def nft(self, rules):
        done = self.run("nft", "-f", "-", input=rules)
        assert done.returncode == 0, f"{done.stderr}\n{rules}"

    def read(self, path):
        with self:
            return pathlib.Path(path.replace("/proc/net/", "/proc/thread-self/net/")).read_text(encoding="ascii")

    def socket(self, *argv):
        with self:
            return socket.socket(*argv)

    def pids(self):
        return [int(p) for p in subprocess.run(["ip", "netns", "pids", self.name], capture_output=True, text=True,
                                               check=False).stdout.split()]

    def close(self):
        """Deletes it, and says which processes were forgotten inside (and ends those, by id)."""
        left = []
        try:
            ng.wait_for("its processes to end", lambda: not self.pids(), deadline_s=5)
        except AssertionError:
            for pid in self.pids():
                with contextlib.suppress(OSError):
                    left.append(pathlib.Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode().strip())
                    os.kill(pid, 9)
        os.close(self.fd)
        _ip("netns", "del", self.name)
        return left


class Router:
    r"""LAN - NAT router - internet.

        lan                      rtr                         wan
      eth0 10.77.1.2 --- lan0 10.77.1.1
                              wan0 198.51.100.1 --- eth0 198.51.100.2
                                                         192.0.2.0/24     servers (kernel)
                                                         203.0.113.0/24   servers (wire.Responder)
      fd00:77:1::2   --- fd00:77:1::1
                              2001:db8:2::1     --- 2001:db8:2::2, 2001:db8:192::/48, 2001:db8:203::/48

    rtr masquerades IPv4 and routes IPv6.  Its filter lets the LAN out, answers in, and what comes
    from the WAN only where a port is forwarded (`dnat`: {port: port on the LAN host}); the rest is
    dropped or rejected (`wan_in`), forwarded and to itself.  The LAN host owns 10.77.1.2 to .9 and
    fd00:77:1::2 to ::9, so that there can be several clients.
    """

    LAN4, LAN6 = "10.77.1.2", "fd00:77:1::2"
    RTR4, RTR6 = "10.77.1.1", "fd00:77:1::1"
    OUT4, OUT6 = "198.51.100.1", "2001:db8:2::1"
    WAN4, WAN6 = "198.51.100.2", "2001:db8:2::2"
    MAC = {"lan": "02:00:00:00:01:02", "rtr-lan": "02:00:00:00:01:01", "rtr-wan": "02:00:00:00:02:01",
           "wan": "02:00:00:00:02:02"}

    def __init__(self, wan_in="drop", dnat=None, filtered=True):
        self.wan_in, self.dnat, self.filtered = wan_in, dnat or {}, filtered

    def __enter__(self):
        self.namespaces = []
        try:
            self._build()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, kind, *_):
        left = self.close()
        assert kind or not left, f"processes left in a namespace: {left}"

    def close(self):
        return [command for ns in self.namespaces for command in ns.close()]

    def _ns(self, word):
        ns = Ns(word)
        self.namespaces.append(ns)
        # Before any link is there: no duplicate address detection, addresses work at once.
        ns.sysctl(ipv6__conf__default__accept_dad=0, ipv6__conf__all__accept_dad=0,
                  ipv6__conf__default__router_solicitations=0)
        ns.ip("link set lo up")
        return ns

    def _build(self):
        self.lan, self.rtr, self.wan = (self._ns(word) for word in ("lan", "rtr", "wan"))
        m = self.MAC
        _ip("link", "add", "eth0", "address", m["lan"], "netns", self.lan.name, "type", "veth",
            "peer", "name", "lan0", "address", m["rtr-lan"], "netns", self.rtr.name)
        _ip("link", "add", "eth0", "address", m["wan"], "netns", self.wan.name, "type", "veth",
            "peer", "name", "wan0", "address", m["rtr-wan"], "netns", self.rtr.name)
        self.lan.ip("link set eth0 up\n" + "".join(
            # Only ::2 is chosen by itself; the others are for who binds to them.
            f"addr add 10.77.1.{n}/24 dev eth0\n"
            f"addr add fd00:77:1::{n}/64 dev eth0 nodad{' preferred_lft 0' if n > 2 else ''}\n" for n in range(2, 10)) + f"""
            route add default via {self.RTR4}
            route add default via {self.RTR6}""")
        self.rtr.sysctl(ipv4__ip_forward=1, ipv6__conf__all__forwarding=1)
        self.rtr.ip(f"""link set lan0 up
            link set wan0 up
            addr add {self.RTR4}/24 dev lan0
            addr add {self.OUT4}/24 dev wan0
            addr add {self.RTR6}/64 dev lan0 nodad
            addr add {self.OUT6}/64 dev wan0 nodad
            route add default via {self.WAN4}
            route add default via {self.WAN6}""")
        self.wan.ip(f"""link set eth0 up
            addr add {self.WAN4}/24 dev eth0
            addr add {self.WAN6}/64 dev eth0 nodad
            route add local {NEAR4}0/24 dev lo
            route add local {NEAR6}/48 dev lo
            route add fd00:77:1::/64 via {self.OUT6}
            route add blackhole {FAR4}0/24
            route add blackhole {FAR6}/48""" + ("" if self.filtered else f"\nroute add 10.77.1.0/24 via {self.OUT4}"))
        self.rtr.nft(self.rules())

    def rules(self):
        if not self.filtered:
            return ""
        if self.wan_in == "reject":
            end = "meta l4proto tcp reject with tcp reset; drop"
        else:
            end = "drop"
        dnat4 = "\n".join(f'iifname "wan0" tcp dport {a} dnat to {self.LAN4}:{b}' for a, b in self.dnat.items())
        accept = "\n".join(f'iifname "wan0" ip6 daddr fd00:77:1::/64 tcp dport {b} accept' for b in self.dnat.values())
        return f"""
        table inet fw {{
            chain forward {{
                type filter hook forward priority filter; policy accept
                ct state established,related accept
                ct status dnat accept
                {accept}
                iifname "lan0" accept
                {end.replace(";", chr(10))}
            }}
            chain input {{
                type filter hook input priority filter; policy accept
                ct state established,related accept
                iifname != "wan0" accept
                icmp type echo-request accept
                meta l4proto ipv6-icmp accept
                {end.replace(";", chr(10))}
            }}
        }}
        table ip nat {{
            chain out {{
                type nat hook postrouting priority srcnat; policy accept
                oifname "wan0" masquerade
            }}
            chain in {{
                type nat hook prerouting priority dstnat; policy accept
                {dnat4}
            }}
        }}"""


class Server:
    """Listens on ports of a namespace (any address) and closes what it accepts when the client did."""

    def __init__(self, ns, *ports, backlog=512):
        self.listeners = []
        for port in ports:
            s = ns.socket(socket.AF_INET6, socket.SOCK_STREAM)
            s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
            s.bind(("::", port))
            s.listen(backlog)
            s.setblocking(False)
            self.listeners.append(s)
        self.wake, self._waker = socket.socketpair()
        self.accepted = 0
        self.thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self._waker.close()
        self.thread.join()

    def _run(self):
        poll = select.poll()
        listeners = {s.fileno(): s for s in self.listeners}
        connections = {}
        for fd in (self.wake.fileno(), *listeners):
            poll.register(fd, select.POLLIN)
        while True:
            for fd, _ in poll.poll():
                if fd == self.wake.fileno():
                    for s in (*listeners.values(), *connections.values(), self.wake):
                        s.close()
                    return
                if fd in listeners:
                    with contextlib.suppress(OSError):
                        s, _ = listeners[fd].accept()
                        s.setblocking(False)
                        connections[s.fileno()] = s
                        poll.register(s.fileno(), select.POLLIN)
                        self.accepted += 1
                    continue
                try:
                    data = connections[fd].recv(65536)
                    if data:
                        connections[fd].send(data)  # an echo; what does not fit is not needed
                        continue
                except BlockingIOError:
                    continue
                except OSError:
                    pass
                poll.unregister(fd)
                connections.pop(fd).close()


def connect(ns, dst, port, src=None, timeout_s=10.0, keep=False, talk=b""):
    """One connection: (what came of it, source port).  "ok", "refused", "timeout" or "unreachable".

    keep: the open socket instead of the word.  talk: bytes that must come back from a Server."""
    s = ns.socket(wire.family(dst), socket.SOCK_STREAM)
    try:
        s.settimeout(timeout_s)
        if src:
            # IPv6 binds to an address of a whole local prefix (NEAR6) only so: IPV6_FREEBIND.
            s.setsockopt(*((socket.IPPROTO_IPV6, 78, 1) if ":" in src else (socket.IPPROTO_IP, 15, 1)))
            s.bind((src, 0))
        # Reset at close: the port is free again at once and no later packet confuses a test.
        s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        try:
            s.connect((dst, port))
            came = "ok"
            if talk:
                s.sendall(talk)
                back = b""
                while len(back) < len(talk):
                    more = s.recv(65536)
                    assert more, "the server closed early"
                    back += more
                assert back == talk
        except ConnectionRefusedError:
            came = "refused"
        except TimeoutError:
            came = "timeout"
        except OSError:
            came = "unreachable"
        port_used = s.getsockname()[1]
        if keep:
            kept, s = s, None
            return kept, port_used
        return came, port_used
    finally:
        if s:
            s.close()
