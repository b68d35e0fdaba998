# SPDX-License-Identifier: GPL-2.0-or-later
r"""`net-gazerctl trace` by hand, on the gateway of an internet that knows its paths: with an own prober, and
with the one of a running net-gazer.

    lan ---- gw: net-gazerctl ---- r1 - r2 - r3 -+- a0 ...
                                                 +- b0 = diamond = ..., c0 - c1 (silent) ..., d0 ...
"""
import contextlib
import json
import os
import pty
import re
import shutil
import signal
import socket
import subprocess
import threading

import pytest

from internet import rig, topo
from internet.tracing import Tracing, check_exact
from lib import ng, report

CTL = "net-gazerctl"
ENVELOPE = {"v": 1, "type": "trace", "sensor": "hand", "boot": "00000000", "seq": 1}


@pytest.fixture(scope="module", name="inet")
def the_internet():
    with rig.Internet("small") as inet:
        yield inet


def leaf(inet, name, family, host=1):
    return inet.topo.address(inet.topo.nodes[name], family, host)


def trace(ns, *arguments, own=True):
    """What came of it: subprocess.CompletedProcess."""
    return ns.run(ng.program(CTL), "trace", *(["--own"] if own else []), *arguments, timeout=120)


def paths_of(done, status=0):
    """The lines of --json, each as a valid report."""
    assert (done.returncode, done.stderr) == (status, ""), done
    found = []
    for line in done.stdout.splitlines():
        r = {**ENVELOPE, **json.loads(line)}
        assert not report.errors(json.dumps(r)), (r, report.errors(json.dumps(r)))
        assert r["trigger"] == "manual"
        found.append(r)
    return found


def hops_of(text):
    """[(ttl, address or None, the rest), ...] of a table."""
    return [(int(m[1]), None if m[2] == "*" else m[2], m[3])
            for m in re.finditer(r"^ ?(\d+)  (\S+) *(.*)$", text, re.M)]


def exact(inet, r):
    """The path of its flow; check_exact knows ICMP by one name."""
    return check_exact(inet, {**r, "proto": r["proto"].removesuffix("6")})


@pytest.mark.parametrize("method", ("tcp", "udp", "icmp"))
@pytest.mark.parametrize("family", (4, 6))
def test_every_kind(inet, method, family):
    """The exact path of the flow: a plain one, silent routers, both diamonds; nothing from a cache, a time for
    each answer."""
    for name in ("a0l0", "c1l0", "b1l0"):
        dst = leaf(inet, name, family)
        r, = paths_of(trace(inet["gw"], dst, f"--{method}", "--json", "-q", "2"))
        assert r["dst_ip"] == dst and r["method"] == {"tcp": "tcp-syn"}.get(method, method)
        assert r["proto"] == ("icmp6" if (method, family) == ("icmp", 6) else method)
        assert r.get("dst_port") == {"tcp": 443, "udp": 33434}.get(method)
        path = exact(inet, r)
        for h in r["hops"]:
            assert not h.get("cached") and ("ip" in h) == ("rtt_us" in h), r
            assert all(us >= inet.topo.rtt_us(path, h["ttl"]) for us in h.get("rtt_us", ())), r


def test_table(inet):
    """The readable form says the same: silent routers as *, a time for each answer, how it ended."""
    dst = leaf(inet, "c1l0", 4)
    done = trace(inet["gw"], f"{dst}:80", "-q", "2")
    assert (done.returncode, done.stderr) == (0, ""), done
    lines = done.stdout.splitlines()
    assert lines[0] == f"trace to {dst}, TCP port 80, at most 30 hops"
    hops = hops_of(done.stdout)
    path = inet.topo.paths("c1l0")[0]
    assert [ttl for ttl, _, _ in hops] == list(range(1, len(path) + 1)), done.stdout
    for (_, address, rest), name in zip(hops, path):
        assert (address and inet.node_of(address)) == (None if inet.topo.nodes[name].silent else name), done.stdout
        assert bool(re.match(r"\d+(\.\d+)? ms", rest)) == bool(address), done.stdout
    assert re.fullmatch(rf"reached, {len(path)} hops, \d+ probes, \d+\.\d s", lines[-1]), done.stdout


def test_terminal(inet):
    """On a terminal the table is drawn while it grows, in place; at the end all of it is there, once."""
    dst = leaf(inet, "d0l0", 6)
    ours, theirs = pty.openpty()
    p = inet["gw"].popen([ng.program(CTL), "trace", "--own", dst], stdin=theirs, stdout=theirs, stderr=theirs)
    os.close(theirs)
    shown = b""
    with contextlib.suppress(OSError):  # EIO: the other side is closed
        while True:
            shown += os.read(ours, 65536)
    os.close(ours)
    assert p.wait(30) == 0, shown
    frames = shown.decode().replace("\r\n", "\n").split("\r\033[J")
    assert len(frames) > 3, frames
    # Each drawing goes up as many lines as the one before it had.
    for before, after in zip(frames[1:], frames[2:]):
        drawn, _, up = before.partition("\033[")
        assert up == f"{drawn.count(chr(10))}A", (before, after)
    path = inet.topo.paths("d0l0")[0]
    assert [inet.node_of(a) for _, a, _ in hops_of(frames[-1])] == list(path), frames[-1]
    assert "reached, " in frames[-1] and frames[0].startswith(f"trace to {dst}, ")
    assert any("..." in f for f in frames[1:-1]) or len(hops_of(frames[1])) < len(path), frames


def test_paths(inet):
    """Sixteen flows over two diamonds: each traced as its own, and shown with what they have in common."""
    for family in (4, 6):
        dst = leaf(inet, "b1l0", family)
        found = paths_of(trace(inet["gw"], dst, "--paths", "16", "--json"))
        assert sorted(r["flow_id"] for r in found) == list(range(16))
        true = {r["flow_id"]: exact(inet, r) for r in found}
        assert len(set(true.values())) > 1, true
        assert len({r["path_hash"] for r in found}) == len(set(true.values()))
        assert len({r["src_port"] for r in found}) == 16

    # Not the same source ports again: the text is held against itself and the topology.
    done = trace(inet["gw"], dst, "--paths", "16")
    assert done.returncode == 0, done
    count = int(re.search(r"^16 flows took (\d+) paths$", done.stdout, re.M)[1])
    said = {m[1]: m[2].split() for m in re.finditer(r"^  (\w): flow ([\d ]+): reached, \d+ hops$", done.stdout, re.M)}
    assert sorted(int(f) for flows in said.values() for f in flows) == list(range(16)), done.stdout
    assert len(said) == count > 1, done.stdout
    taken = {letter: [] for letter in said}
    for m in re.finditer(r"^ ?(?:\d+)? +(\S+) +\d+(?:\.\d+)? ms  (\S+)$", done.stdout, re.M):
        for letter in m[2].replace(".", ""):
            taken[letter].append(inet.node_of(m[1]))
    assert len(set(map(tuple, taken.values()))) == count
    assert all(tuple(p) in inet.topo.paths("b1l0") for p in taken.values()), (taken, done.stdout)


def test_not_reached(inet):
    """A leaf that drops everything: the routers on the way, and exit status 1."""
    done = trace(inet["gw"], leaf(inet, "a0l3", 4), "-q", "1", "-m", "9")
    assert (done.returncode, done.stderr) == (1, ""), done
    path = inet.topo.paths("a0l3")[0]
    assert [inet.node_of(a) for _, a, _ in hops_of(done.stdout) if a] == list(path[:-1]), done.stdout
    assert done.stdout.splitlines()[-1].startswith("not reached"), done.stdout


@pytest.mark.parametrize("signum", (signal.SIGINT, signal.SIGTERM))
def test_interrupted(inet, signum):
    """Ctrl-C: what is known is shown, and nothing is left running."""
    p = inet["gw"].popen([ng.program(CTL), "trace", "--own", leaf(inet, "a0l3", 4), "-q", "1"], stdout=subprocess.PIPE,
                         stderr=subprocess.PIPE, text=True)
    lines = [p.stdout.readline(), p.stdout.readline()]
    children = set(ng.processes(p.pid)) - {p.pid}
    assert children, "its prober runs"
    p.send_signal(signum)
    out, err = p.communicate(timeout=60)
    assert (p.returncode, err) == (1, ""), (out, err)
    assert hops_of(lines[1])[0][0] == 1 and out.splitlines()[-1] == "stopped", (lines, out)
    ng.wait_for("its prober to end", lambda: not any(ng.alive(c) for c in children))


def test_refused(inet):
    """Reasons in words, and exit status 2."""
    for dst, why in ((inet.topo.wan(4), "it is an address of this machine"), ("240.0.0.1", "")):
        done = trace(inet["gw"], dst)
        assert done.returncode == 2 and done.stdout == "", done
        assert done.stderr.startswith(f"net-gazerctl: error: {dst}: not traced: ") and why in done.stderr, done
    done = trace(inet["gw"], inet.topo.wan(6), "--paths", "3")
    assert (done.returncode, done.stdout) == (2, ""), done
    assert "3 of 3 flows not traced: it is an address of this machine" in done.stderr
    for arguments, why in ((("no-such-host.invalid",), "no-such-host.invalid: "), ((), "a HOST is missing"),
                           (("1.2.3.4", "-6"), "1.2.3.4 is an IPv4 address"), (("1.2.3.4:0",), "a number from 1 to 65535")):
        done = trace(inet["gw"], *arguments)
        assert (done.returncode, done.stdout) == (2, "") and why in done.stderr, done


def test_without_rights(inet):
    """Nobody, and no prober to ask: says what would help."""
    with ng.for_everybody() as folder:
        shutil.copy(ng.program(CTL), folder)
        for more in ((), ("--own",)):
            done = inet["gw"].run("setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups", "--bounding-set", "-all",
                                  "--inh-caps", "-all", folder / CTL, "trace", "1.2.3.4", *more)
            assert (done.returncode, done.stdout) == (2, ""), done
            assert "raw sockets need CAP_NET_RAW" in done.stderr, done
            assert more or "run as root, or start net-gazer with prober = yes" in done.stderr, done
    done = trace(inet["gw"], "1.2.3.4", "-c", "/nowhere/prober.sock", own=False)
    assert done.returncode == 2 and "/nowhere/prober.sock: No such file" in done.stderr, done


def test_daemon(inet, tmp_path):
    """The running prober is asked: its rules hold, the trace is reported, and the firewall tracks no probe."""
    excluded = leaf(inet, "d0l0", 4)
    with Tracing(inet, tmp_path, trace_exclude=[excluded], prefix_budget=2) as s:
        for dst in (leaf(inet, "b0l0", 4), leaf(inet, "c0l0", 6)):
            before = inet.conntrack()
            # As people start it.
            done = inet["gw"].run(ng.program("net-gazer"), "trace", dst, "--json", "-c", tmp_path / "run")
            r, = paths_of(done)
            exact(inet, r)
            reported, = s.traces(1, dst_ip=dst)
            assert reported["trigger"] == "manual"
            for name in ("path_hash", "hops", "src_port", "dst_port", "dur_us", "ts", "flow_id", "method"):
                assert reported[name] == r[name], name
            ours = [row for row in inet.conntrack() if row not in before and row[0][2] >= 64512]
            assert not ours, ours
        for dst, why in ((excluded, "the configuration excludes it"), (topo.LAN4_HOST, "it is in a home network"),
                         ("10.1.2.3", "no address of the internet"), (inet.topo.wan(4), "an address of this machine")):
            done = trace(inet["gw"], dst, "-c", tmp_path / "run", own=False)
            assert (done.returncode, done.stdout) == (2, "") and why in done.stderr, done
        # Two a day: flows beyond that are not traced, the others are.
        done = trace(inet["gw"], leaf(inet, "a0l0", 4), "--paths", "3", "-c", tmp_path / "run" / "prober.sock", own=False)
        assert done.returncode == 0 and "2 flows took " in done.stdout, done
        assert "1 of 3 flows not traced: its /24 or /48 has had today's traces" in done.stderr, done
        s.stop()


@pytest.mark.parametrize("answer, why", ((b"x" * 100, "is no prober of this version"), (b"", "the prober has ended")))
def test_strange_prober(tmp_path, answer, why):
    """Something else listens there, or it dies."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as s:
        s.bind(str(tmp_path / "prober.sock"))
        s.listen(1)

        def serve():
            with s.accept()[0] as c:
                c.recv(4096)
                if answer:
                    c.send(answer)
                    c.recv(4096)

        thread = threading.Thread(target=serve)
        thread.start()
        done = subprocess.run([ng.program(CTL), "trace", "192.0.2.1", "-c", tmp_path], capture_output=True, text=True,
                              timeout=60, check=False)
        thread.join(30)
    assert (done.returncode, done.stdout) == (2, "") and why in done.stderr, done
