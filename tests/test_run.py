# SPDX-License-Identifier: GPL-2.0-or-later
"""The two programs that a newcomer starts: `make run` and `make demo`.  The page has rows; Ctrl-C
ends everything; nothing is left: process, namespace, table, group, folder."""
import json
import os
import pathlib
import re
import signal
import subprocess
import threading
import urllib.error
import urllib.request

import pytest

from lib import net, ng, report


class Started:
    """One of the two programs, with its output read as it comes."""

    def __init__(self, name, *arguments):
        self.said = ""
        self.process = subprocess.Popen([ng.TOP / "tests" / name, "--build", ng.BUILD, *arguments], stdout=subprocess.PIPE,
                                        stderr=subprocess.STDOUT, text=True)
        self.thread = threading.Thread(target=self._read, daemon=True)
        self.thread.start()

    def _read(self):
        for line in self.process.stdout:
            self.said += line

    def url(self):
        def find():
            assert self.process.poll() is None, self.said
            return re.search(r"^ +(http://127\.0\.0\.1:\d+/)$", self.said, re.M)
        return ng.wait_for(lambda: f"the URL\n{self.said}", find)[1]

    def end(self, signum):
        self.process.send_signal(signum)
        code = self.process.wait(60)
        self.thread.join()
        self.process.stdout.close()
        return code


def get(url, path):
    try:
        with urllib.request.urlopen(url + path, timeout=20) as answer:
            assert answer.status == 200
            return json.loads(answer.read())
    except (urllib.error.URLError, ConnectionError):
        return None


def rows(url):
    got = get(url, "api/conns?limit=1000")
    return report.rows(got["conns"]) if got else []


def left_by(run, before=()):
    """What a run left behind: tables and groups of this namespace beyond `before`, its toy network, its folder."""
    def lines(*argv):
        return subprocess.run(argv, capture_output=True, text=True, check=False).stdout.splitlines()
    found = [t for t in lines("nft", "list", "tables") if "net_gazer" in t]
    found += [f"group {line.split()[0]}" for line in
              pathlib.Path("/proc/thread-self/net/netfilter/nfnetlink_log").read_text(encoding="ascii").splitlines()]
    found += [n for n in lines("ip", "netns", "list") if run and n.startswith(f"ngt{run.process.pid}-")]
    found += [str(p) for p in pathlib.Path(os.environ["TMPDIR"]).glob("net-gazer-run-*")]
    return sorted(set(found) - set(before))


def test_run(tmp_path):
    """In a namespace of the test's own (this machine may run a net-gazer): loopback traffic becomes rows."""
    ns = net.Ns("run")
    ns.ip("link set lo up")
    try:
        with ns:
            run = Started("run-local", "--port", "8123")
            try:
                url = run.url()
                assert url == "http://127.0.0.1:8123/"
                with net.Server(ns, 7777):
                    assert net.connect(ns, "127.0.0.1", 7777)[0] == "ok"
                    assert net.connect(ns, "::1", 7777)[0] == "ok"
                    assert net.connect(ns, "127.0.0.1", 7778)[0] == "refused"
                    got = ng.wait_for(lambda: f"three rows\n{run.said}", lambda: three(rows(url)), every_s=0.1)
                assert {r["dir"] for r in got.values()} == {"local"}
                assert got["127.0.0.1", 7778]["state"] == "refused" and got["::1", 7777]["state"] == "answered"
            finally:
                code = run.end(signal.SIGINT)
            assert code == 0, run.said
            assert left_by(run) == []
    finally:
        assert not ns.close()


def paths(url):
    with urllib.request.urlopen(f"{url}api/paths", timeout=10) as answer:
        return json.load(answer)["paths"]


def three(found):
    mine = {(r["dst_ip"], r["dst_port"]): r for r in found if r["dst_port"] in (7777, 7778)}
    return mine if len(mine) == 3 else None


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
def test_demo(signum):
    """Both families, several servers, failures and attempts; no toy network is left."""
    before = left_by(None)
    demo = Started("run-demo", "--port", "8200")
    try:
        url = demo.url()

        def full():
            got = rows(url)
            return got if len(got) >= 40 and {":" in r["src_ip"] for r in got} == {True, False} and \
                {r["state"] for r in got} >= {"answered", "refused"} and len({r["src_ip"] for r in got}) >= 4 else None
        if signum == signal.SIGINT:
            got = ng.wait_for(lambda: f"a full page\n{demo.said}", full, deadline_s=90, every_s=0.2)
            assert {r["dir"] for r in got} >= {"outbound"}
            assert {r["sensor"] for r in got} == {"demo-router"}
            slow = [r["rtt_us"] for r in got if r["dst_ip"].endswith(".10") and "rtt_us" in r]
            assert all(rtt >= 200_000 for rtt in slow)
            ng.wait_for(lambda: f"paths through the demo's routers\n{demo.said}", lambda: len(paths(url)) >= 4, deadline_s=90, every_s=0.5)
            for p in paths(url):
                assert p["hops_n"] >= (5 if p["reached"] else 1), p
            print(f"{len(got)} rows: " + ", ".join(f"{sum(r['state'] == s for r in got)} {s}" for s in sorted({r['state'] for r in got})))
        else:
            ng.wait_for(lambda: f"rows\n{demo.said}", lambda: rows(url))
    finally:
        code = demo.end(signum)
    assert code == 0, demo.said
    assert left_by(demo, before) == []


def test_killed_demo_leaves_no_program():
    """SIGKILL of run-demo: our programs die with it.  (Its namespaces stay, which nobody can help: the
    test removes them by name.)"""
    demo = Started("run-demo", "--port", "8300")
    try:
        demo.url()
        below = [p for p in ng.processes(demo.process.pid) if p != demo.process.pid]
        assert len(below) >= 4
    finally:
        demo.process.kill()
        demo.process.wait()
        demo.thread.join()
    ng.wait_for("all programs to end", lambda: not any(map(ng.alive, below)))
    for line in subprocess.run(["ip", "netns", "list"], capture_output=True, text=True, check=False).stdout.split():
        if line.startswith(f"ngt{demo.process.pid}-"):
            subprocess.run(["ip", "netns", "del", line], check=True)
    for path in pathlib.Path(os.environ["TMPDIR"]).glob("net-gazer-run-*"):
        subprocess.run(["rm", "-r", path], check=True)
    demo.process.stdout.close()


def test_second_run():
    """A second one says who is there already, ends with an error, and leaves the first alone."""
    ns = net.Ns("twice")
    ns.ip("link set lo up")
    try:
        with ns:
            first = Started("run-local", "--port", "8500")
            try:
                url = first.url()
                second = subprocess.run([ng.TOP / "tests/run-local", "--build", ng.BUILD, "--port", "8500"], capture_output=True,
                                        text=True, check=False, timeout=60)
                print(second.stderr)
                assert second.returncode == 1 and "net-gazer" in second.stderr and "group 100" in second.stderr
                assert "Traceback" not in second.stderr
                with net.Server(ns, 7777):
                    assert net.connect(ns, "127.0.0.1", 7777)[0] == "ok"
                ng.wait_for("the first one's row", lambda: any(r["dst_port"] == 7777 for r in rows(url)), every_s=0.1)
            finally:
                code = first.end(signal.SIGINT)
            assert code == 0, first.said
            assert left_by(first) == []
    finally:
        assert not ns.close()


def test_port_taken():
    """The next free port is taken, and printed."""
    import socket
    ns = net.Ns("port")
    ns.ip("link set lo up")
    try:
        with ns, socket.socket() as s:
            s.bind(("127.0.0.1", 8400))
            s.listen()
            run = Started("run-local", "--port", "8400", "--seconds", "300")
            try:
                assert run.url() == "http://127.0.0.1:8401/"
            finally:
                assert run.end(signal.SIGTERM) == 0, run.said
    finally:
        assert not ns.close()
