# SPDX-License-Identifier: GPL-2.0-or-later
r"""The sensor built for another C library or machine, at work on a router of namespaces, beside the one of the build folder.

    lan 10.77.1.2 ---- lan0 rtr wan0 ---- wan 198.51.100.2, 192.0.2.0/24 (kernel), 203.0.113.0/24 (Responder)
        fd00:77:1::2   net-gazer              20.0.0.1, 2a01:4f8:2::1: addresses that may be traced

musl() and i386() build it; beside() lets several builds see the same traffic, each on a router of its own, and holds what each
reports against what was done, and all of them against one another.
"""
import base64
import collections
import contextlib
import hashlib
import json
import os
import pathlib
import shutil
import socket
import struct
import time
import typing

import sysroot
import vm
from lib import net, ng, report, wire
from lib.sensor import Sensor

HERE = pathlib.Path(__file__).resolve().parent
PROGRAMS = ("net-gazer", "analyzer", "prober", "trace", "net-gazerctl")
PLUGINS = ("handshake", "attempts", "traceroute", "packets", "demo")
FORTIFY = HERE / "musl_fortify.c"

EACH = 5          # connections of each kind
MANY = 100        # and of the plain kind
DELAY_S = 0.05    # of far servers
SCAN = 40         # ports
CTL = "net-gazerctl"
TRACED4, TRACED6 = "20.0.0.1", "2a01:4f8:2::1"


class Build(typing.NamedTuple):
    name: str
    folder: pathlib.Path    # has PROGRAMS, and plugins/


def home():
    return Build("home", ng.BUILD)


@contextlib.contextmanager
def folder_for_everybody(word):
    """The workers are nobody, and their libraries must be found by them."""
    folder = ng.temp_dir(word)
    folder.chmod(0o755)
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


SENSOR = (*PROGRAMS, *(f"plugins/{name}.so" for name in PLUGINS))


def make(folder, arguments, targets=SENSOR, **environment):
    """Our Makefile, into `folder`."""
    env = {k: v for k, v in os.environ.items() if not k.startswith("MAKE") and k not in ("MFLAGS", "CI", "O")}
    vm.run("make", "-s", f"-j{os.cpu_count()}", "-C", ng.TOP, *arguments, *(folder / t for t in targets), env={**env, **environment})


# musl: Debian's libraries, the same files that glibc's programs load, under musl's loader.  It takes "libc.so.6" for itself.

MUSL_LIBRARIES = ("libmnl.so.0", "libnetfilter_log.so.1", "libnfnetlink.so.0", "libnftnl.so.11", "libconfuse.so.2", "libseccomp.so.2",
                  "libyajl.so.2", "libcmocka.so.0", "libz.so.1")
MUSL_HEADERS = ("linux", "asm-generic", "libmnl", "libnetfilter_log", "libnfnetlink", "libnftnl", "yajl", "confuse.h", "seccomp.h",
                "seccomp-syscalls.h", "cmocka.h", "zlib.h", "zconf.h", "pcap", "pcap.h")
MUSL_PACKAGES = ("libmnl", "libnftnl", "libconfuse", "libseccomp", "yajl", "zlib")


def musl_arguments(folder):
    """For `make`; folder/lib becomes what the programs load.  Not one of glibc's own headers is in reach."""
    machine = "x86_64-linux-gnu"
    for name in ("inc", "lib", "pc"):
        (folder / name).mkdir()
    for name in MUSL_HEADERS:
        (folder / "inc" / name).symlink_to(f"/usr/include/{name}")
    (folder / "inc/asm").symlink_to(f"/usr/include/{machine}/asm")
    for name in MUSL_LIBRARIES:
        shutil.copy(f"/usr/lib/{machine}/{name}" if pathlib.Path(f"/usr/lib/{machine}/{name}").exists() else f"/lib/{machine}/{name}",
                    folder / "lib")
        (folder / "lib" / f"{name.split('.')[0]}.so").symlink_to(name)
    for name in MUSL_PACKAGES:
        (folder / f"pc/{name}.pc").symlink_to(f"/usr/lib/{machine}/pkgconfig/{name}.pc")
    vm.run("musl-gcc", "-std=gnu11", "-O2", "-Wall", "-Wextra", "-fPIC", "-shared", "-Wl,-soname,libfortify.so", FORTIFY, "-o",
           folder / "lib/libfortify.so")
    # cmocka names glibc's loader too, and takes nothing from it that musl has not.
    vm.run("musl-gcc", "-shared", "-nostdlib", "-Wl,-soname,ld-linux-x86-64.so.2", "-x", "c", "/dev/null", "-o",
           folder / "lib/ld-linux-x86-64.so.2")
    return [f"O={folder}", f"CC=musl-gcc -isystem {folder}/inc -L{folder}/lib -Wl,-rpath,{folder}/lib,--allow-shlib-undefined,"
            "--no-as-needed -lfortify -Wl,--as-needed", "WERROR=1", "CFLAGS=-Os", "LTO=", "SAN=no", "WITH_REPLAY=no", "WITH_ZSTD=no",
            f"PKG_CONFIG=env PKG_CONFIG_LIBDIR={folder}/pc pkg-config"]


@contextlib.contextmanager
def musl():
    with folder_for_everybody("musl") as folder:
        make(folder, musl_arguments(folder))
        assert "ld-musl" in vm.run("readelf", "-l", folder / "analyzer")
        yield Build("musl", folder)


# i386: the kernel's 32-bit system calls.  Only the sysroot's libraries.

I386_LIBRARIES = ("libc.so.6", "libmnl.so.0", "libnetfilter_log.so.1", "libnfnetlink.so.0", "libnftnl.so.11", "libconfuse.so.2",
                  "libseccomp.so.2", "libyajl.so.2")


@contextlib.contextmanager
def i386():
    root = sysroot.sysroot("i386")
    machine = sysroot.MACHINES["i386"].triplet
    with folder_for_everybody("i386") as folder:
        lib = folder / "lib"
        lib.mkdir()
        for name in I386_LIBRARIES:
            shutil.copy(next(p for p in (root / "lib" / machine / name, root / "usr/lib" / machine / name) if p.exists()), lib)
        shutil.copy(root / "lib/ld-linux.so.2", lib)
        make(folder, sysroot.make_arguments("i386", folder, root),
             LDFLAGS=f"-Wl,--disable-new-dtags,-rpath,{lib},--dynamic-linker,{lib}/ld-linux.so.2")
        assert "ELF32" in vm.run("readelf", "-h", folder / "analyzer")
        for program in ("net-gazer", "analyzer", "prober", "trace"):
            symbols = vm.run("readelf", "--dyn-syms", "-W", folder / program)
            assert "clock_gettime64" in symbols and " clock_gettime@" not in symbols, f"{program} ends in 2038"
        yield Build("i386", folder)


# What is done, and what must be said of it.

class Seen(typing.NamedTuple):
    """Of a `conn` report what does not depend on the moment."""
    src_ip: str
    dst_ip: str
    dst_port: int
    dir: str
    state: str
    hook: str
    iif: str
    oif: str


def community_id(src, sport, dst, dport):
    """github.com/corelight/community-id-spec, version 1 with seed 0, of TCP."""
    ends = sorted(((socket.inet_pton(wire.family(ip), ip), port) for ip, port in ((src, sport), (dst, dport))))
    data = struct.pack("!H", 0) + ends[0][0] + ends[1][0] + struct.pack("!BBHH", 6, 0, ends[0][1], ends[1][1])
    return "1:" + base64.b64encode(hashlib.sha1(data).digest()).decode()


def ctl(build, ns, *words):
    done = ns.run(build.folder / CTL, *words, timeout=120)
    assert (done.returncode, done.stderr) == (0, ""), (build.name, words, done)
    return done.stdout


def paths(build, r):
    """`net-gazerctl trace` with a prober of its own, from the LAN: each method, both families."""
    for dst, first in ((r.WAN4, r.RTR4), (r.WAN6, r.RTR6)):
        for method in ("tcp", "udp", "icmp"):
            path = json.loads(ctl(build, r.lan, "trace", "--own", "--libexec-dir", build.folder, dst, f"--{method}", "--json"))
            assert path["reached"] and [h.get("ip") for h in path["hops"]] == [first, dst], (build.name, path)
            assert all(0 < rtt < 10_000_000 for h in path["hops"] for rtt in h["rtt_us"]), path


class Wanted:
    """What was done in front of a sensor."""

    def __init__(self):
        self.conns = collections.Counter()      # Seen: how often
        self.flows = set()                      # (address, port) of the source
        self.knocks = collections.Counter()     # (source, verdict): how often
        self.paths = {}                         # destination: addresses of the hops

    def judge(self, name, found, log):
        """found: all reports of the sensor of that name.  What each other build must have said too."""
        def same(what, got, want):
            assert got == want, f"{what} of {name}: too many {dict(got - want)}, missing {dict(want - got)}"

        conns, knocks = report.pick(found, type="conn"), collections.Counter()
        same("connections", collections.Counter(Seen(*(c[f] for f in Seen._fields)) for c in conns), self.conns)
        assert {(c["src_ip"], c["src_port"]) for c in conns} == self.flows, name
        for c in conns:
            assert c["community_id"] == community_id(c["src_ip"], c["src_port"], c["dst_ip"], c["dst_port"]), c
            # A busy machine's client may have sent its SYN twice: that RTT is ambiguous.
            rtt = "rtt_ambiguous_us" if c["syn_retrans"] else "rtt_us"
            assert (rtt in c) == (c["state"] == "answered") and 0 < c.get(rtt, 1) < 60_000_000, c
        for a in report.pick(found, type="attempt"):
            knocks[a["src_ip"], a["verdict"]] += a["count"]
        same("knocks", knocks, self.knocks)
        traces = report.pick(found, type="trace")
        paths = {(t["dst_ip"], t["reached"], tuple(h.get("ip") for h in t["hops"])) for t in traces}
        assert paths == {(dst, True, hops) for dst, hops in self.paths.items()}, (name, paths)
        stat = found[-1]
        report.check_ledger(stat)
        for counter in ("gap", "tail", "sampled_out", "malformed", "truncated", "unsupported", "reports_dropped"):
            assert not stat[counter], (name, counter, stat[counter])
        assert "crashed" not in log and " error: " not in log, log
        return {"connections": self.conns, "knocks": knocks, "paths": paths,
                "options": collections.Counter(tuple(c.get(f) for f in ("dst_port", "mss", "mss_dst", "wscale", "wscale_dst", "ttl_src",
                                                                        "ttl_dst", "sack_ok")) for c in conns),
                "path hashes": {t["path_hash"] for t in traces}}


class One(Sensor):
    """A build's sensor on its own router."""

    def __init__(self, build, router, folder, **options):
        folder.mkdir()
        super().__init__(router.rtr, folder, **{
            "plugins": ["handshake", "attempts", "traceroute"], "syn_timeout": 2, "trace_rate": 1000, "probe_rate": 1000, "verbose": 3,
            "attempts": {"window": 5}, "runtime_dir": folder / "run", **options})
        self.build, self.router, self.pss = build, router, {}
        self.want = Wanted()
        self.want.paths = {a: (a,) for a in (TRACED4, TRACED6)}

    def argv(self):
        return [self.build.folder / "net-gazer", "-c", self.config_path, "--libexec-dir", self.build.folder, "--plugin-dir",
                self.build.folder / "plugins"]

    def gone(self):
        """With the administrator's rules only the groups are ours."""
        return not self.groups() if self.options.get("rules") == "include" else super().gone()

    def status(self):
        return json.loads(ctl(self.build, self.ns, "status", "--json", "-c", self.options["runtime-dir"]))

    def weigh(self, when):
        """KiB of PSS, process by process."""
        self.pss[when] = {f"{name} {pid}": ng.pss_kib([pid]) for pid, name in self.processes().items()}

    def connected(self, ns, dst, port, came="ok", seen=None, **kw):
        got, sport = net.connect(ns, dst, port, **kw)
        assert got == came, f"{dst} port {port}: {got}"
        seen = seen or Seen(self.router.LAN6 if ":" in dst else self.router.LAN4, dst, port, "outbound",
                            {"ok": "answered", "refused": "refused"}[came], "forward", "lan0", "wan0")
        self.want.conns[seen] += 1
        self.want.flows.add((seen.src_ip, sport))

    def knocked(self, src, dst, ports, verdict="dropped"):
        r = self.router
        with wire.Raw(r.wan, "eth0") as raw:
            for n, port in enumerate(ports):
                raw.send(wire.ether(r.MAC["rtr-wan"], r.MAC["wan"], wire.tcp(src, dst, 30000 + n, port, wire.SYN, seq=n,
                                                                           opts=wire.options(1460))))
        self.want.knocks[src, verdict] += len(ports)

    def traffic(self):
        """All that is done on this router."""
        r = self.router
        for n in range(MANY):
            self.connected(r.lan, (r.WAN4, r.WAN6, net.NEAR4 + "3", net.NEAR6 + "3")[n % 4], 80)
        for dst in (net.FAR4 + "9", net.FAR6 + "9"):
            for _ in range(EACH):
                self.connected(r.lan, dst, 443)
        for dst in (r.WAN4, r.WAN6):
            for _ in range(EACH):
                self.connected(r.lan, dst, 9, came="refused")
        with wire.Raw(r.lan, "eth0") as raw:
            for src, dst in ((r.LAN4, net.FAR4 + "5"), (r.LAN6, net.FAR6 + "5")):
                raw.send(wire.ether(r.MAC["rtr-lan"], r.MAC["lan"], wire.tcp(src, dst, 40000, 5, wire.SYN, opts=wire.options(1460))))
                self.want.conns[Seen(src, dst, 5, "outbound", "timeout", "forward", "lan0", "wan0")] += 1
                self.want.flows.add((src, 40000))
        for src, dst, port, inside in ((net.NEAR4 + "14", r.OUT4, 8022, r.LAN4), (net.NEAR6 + "14", r.LAN6, 22, r.LAN6)):
            self.connected(r.wan, dst, port, src=src, seen=Seen(src, inside, 22, "inbound", "answered", "forward", "wan0", "lan0"))
            self.want.knocks[src, "accepted"] += 1
        for src, dst in ((net.NEAR4, r.OUT4), (net.NEAR6, r.LAN6)):
            self.knocked(src + "11", dst, [23])
            self.knocked(src + "12", dst, range(1000, 1000 + SCAN))
        for dst in (TRACED4, TRACED6):
            self.connected(r.lan, dst, 443)

    def told(self):
        """All of it is in some report."""
        lines = [json.loads(line) for line in self.text().splitlines()]
        count = collections.Counter(line["type"] for line in lines)
        knocks = sum(a["count"] for a in lines if a["type"] == "attempt")
        return count["conn"] >= self.want.conns.total() and knocks >= self.want.knocks.total() and count["trace"] >= 2

    def cages(self):
        """As closed as at home: each process says so, and the kernel too."""
        for pid, name in self.processes().items():
            lines = pathlib.Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines()
            has = dict(line.split(":\t", 1) for line in lines if ":\t" in line)
            assert (has["Seccomp"].strip(), has["NoNewPrivs"].strip()) == ("2", "1"), (self.build.name, name)
        return {p["name"]: p["sandbox"] for p in self.status()["processes"] if "sandbox" in p}

    def check(self, found):
        for c in report.pick(found, type="conn"):
            assert not c["dst_ip"].startswith((net.FAR4, net.FAR6)) or c.get("rtt_us", DELAY_S * 1e6) >= DELAY_S * 1e6, c
        return self.want.judge(self.build.name, found, self.log())


@contextlib.contextmanager
def router():
    with net.Router(dnat={8022: 22}) as r:
        for ns in (r.rtr, r.wan):
            ns.sysctl(ipv4__icmp_ratelimit=0, ipv6__icmp__ratelimit=0)
        r.wan.ip(f"""addr add {TRACED4}/32 dev lo
            addr add {TRACED6}/128 dev lo nodad""")
        far = {443: wire.Answer(delay_s=DELAY_S, ttl=52, mss=1380, wscale=9), 5: wire.Answer(kind="silent")}
        with net.Server(r.wan, 80, 443), net.Server(r.lan, 22), wire.Responder(r.wan, "eth0", far):
            yield r


def beside(builds, folder, say):
    """[(build, rules)]: each sees the same, at the same time; says what they weigh."""
    started = time.monotonic()
    with contextlib.ExitStack() as stack:
        sensors = []
        for build, rules in builds:
            r = stack.enter_context(router())
            paths(build, r)  # before there is a sensor: SYNs of the LAN are connections to it
            if rules == "include":
                r.rtr.nft((ng.TOP / "nft/net-gazer.nft").read_text(encoding="ascii"))
            s = stack.enter_context(One(build, r, folder / f"{build.name}-{rules}", rules=rules))
            s.worker("prober")
            sensors.append(s)
        for s in sensors:
            s.weigh("resting")
            s.traffic()
        for s in sensors:
            ng.wait_for(lambda s=s: f"all reports of {s.build.name}; there are\n{s.text()[-3000:]}\n{s.log()[-3000:]}", s.told,
                        every_s=0.1, deadline_s=90)
        cages, said = [], []
        for s in sensors:
            assert (s.status()["rules"], s.status()["rules_gone"]) == (s.options["rules"], False)
            cages.append(s.cages())
            s.weigh("later")
        for s in sensors:
            said.append(s.check(s.stop()))
            for when, kib in s.pss.items():
                say(f"{s.build.name}, rules {s.options['rules']}, {when}: {sum(kib.values())} KiB PSS: "
                    + ", ".join(f"{name.split()[0]} {n}" for name, n in kib.items()))
    for s, other_cages, other in zip(sensors, cages, said):
        assert other_cages == cages[0], f"{s.build.name}: {other_cages}"
        for what, value in other.items():
            assert value == said[0][what], f"{what} of {s.build.name}, rules {s.options['rules']}: {value}\nat home: {said[0][what]}"
    say(f"{len(said)} sensors, {sensors[0].want.conns.total()} connections, {sensors[0].want.knocks.total()} knocks each, the same "
        f"reports, after {time.monotonic() - started:.1f} s")
