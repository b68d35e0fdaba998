# SPDX-License-Identifier: GPL-2.0-or-later
r"""Starting, and not starting: each reason is one line that says what to do.

      lan ---- rtr (net-gazer, and another one) ---- wan
"""
import os
import signal
import subprocess

import pytest

from lib import net, ng, wire
from lib.sensor import Sensor, config


def run_second(r, s, *arguments, **kw):
    done = r.rtr.run(*s.argv(), *arguments, stdin=subprocess.DEVNULL, timeout=60, **kw)
    print(done.stderr.strip())
    return done


def one_error(done):
    """It ended with an error, told in one line; the line."""
    assert done.returncode not in (0, None) and done.returncode > 0, done
    assert done.stdout == ""
    lines = [line for line in done.stderr.splitlines() if line]
    assert lines, "it said nothing"
    assert len(lines) <= 2, f"more than a line: {lines}"
    return lines[-1]


def test_group_taken(tmp_path):
    """The message names the group, who holds it, and the option."""
    (tmp_path / "b").mkdir()
    with net.Router(filtered=False) as r, net.Server(r.wan, 80), Sensor(r.rtr, tmp_path) as first:
        second = Sensor(r.rtr, tmp_path / "b")
        second.write_config()
        line = one_error(run_second(r, second))
        for needle in (f"group {min(first.groups())}", str(first.process.pid), "nflog-group"):
            assert needle in line
        net.connect(r.lan, r.WAN4, 80)
        first.wait_reports(1, type="conn")
        first.stop()


def test_table_taken(tmp_path):
    """Other groups, same namespace: the table is the first one's, and the second says so."""
    (tmp_path / "b").mkdir()
    with net.Router(filtered=False) as r, net.Server(r.wan, 80), Sensor(r.rtr, tmp_path) as first:
        groups = first.groups()
        second = Sensor(r.rtr, tmp_path / "b", nflog_group=200)
        second.write_config()
        line = one_error(run_second(r, second))
        assert "net_gazer" in line
        assert first.groups() == groups, "the second's groups are free again, the first's untouched"
        net.connect(r.lan, r.WAN4, 80)
        first.wait_reports(1, type="conn")
        first.stop()


def test_two_daemons(tmp_path):
    """In two namespaces they do not meet: one on the router, one on the LAN host."""
    for name in "ab":
        (tmp_path / name).mkdir()
    with net.Router() as r, net.Server(r.wan, 80), Sensor(r.rtr, tmp_path / "a", sensor="router") as a, \
            Sensor(r.lan, tmp_path / "b", sensor="host") as b:
        _, port = net.connect(r.lan, r.WAN4, 80)
        seen = [s.wait_reports(1, type="conn", src_port=port)[0] for s in (a, b)]
        a.stop()
        b.stop()
    assert [c["hook"] for c in seen] == ["forward", "output"]
    assert [c["sensor"] for c in seen] == ["router", "host"]
    assert seen[0]["community_id"] == seen[1]["community_id"]


def test_no_privilege():
    """As nobody, and as root in a container that has no CAP_NET_ADMIN: one line that says what is missing; nothing is left."""
    with ng.for_everybody() as folder, net.Router(filtered=False) as r:
        argv = [folder / "net-gazer", "-c", "/dev/null", "--user", "nobody", "--libexec-dir", folder, "--plugin-dir",
                folder / "plugins"]
        for who in (["--reuid=65534", "--regid=65534", "--clear-groups"], ["--bounding-set=-net_admin", "--inh-caps=-net_admin"]):
            done = r.rtr.run("setpriv", *who, *argv, timeout=60, cwd="/")
            line = one_error(done)
            print(line)
            assert "CAP_NET_ADMIN" in line or "root" in line, line
            assert r.rtr.run("nft", "list", "tables").stdout == ""
            assert r.rtr.read("/proc/net/netfilter/nfnetlink_log") == ""


GOOD = {"sensor": "x", "flows": 2048}
BAD = [
    ("flows = 10\n", ("flows", "10", "1024")),
    ("flows = many\n", ("flows", "many")),
    ("flows = -5\n", ("flows", "-5", "1024")),
    ("flows = 99999999999999999999\n", ("flows", "1048576")),
    ("\n\nflowz = 5\n", (":3", "flowz")),
    ("syn-timeout = 0\n", ("syn-timeout", "0", "1", "300")),
    ("nflog-group = 65536\n", ("nflog-group", "65536", "65531")),
    ("sensor = \"a b\"\n", ("sensor", "a b", "letters")),
    ("sensor = \"-x\"\n", ("sensor", "-x")),
    (f"sensor = \"{'x' * 65}\"\n", ("sensor", "64")),
    ("home = {\"10.0.0.1/8\"}\n", ("home", "10.0.0.1/8", "zero")),
    ("home = {\"10.0.0.0/33\"}\n", ("home", "10.0.0.0/33")),
    ("home = {\"fd00::/129\"}\n", ("home", "fd00::/129")),
    ("home = {\"lan\"}\n", ("home", "lan", "192.168.0.0/16")),
    ("rules = \"mine\"\n", ("rules", "mine", "own", "include")),
    ("loopback = maybe\n", ("loopback", "maybe", "yes")),
    ("collector-url = \"ftp://x/\"\n", ("collector-url", "ftp://x/", "https://")),
    ("collector-url = \"https:///v1\"\n", ("collector-url", "https:///v1")),
    ("collector-pin = \"sha1//abc\"\n", ("collector-pin", "sha1//abc", "sha256//")),
    ("collector-key-file = \"/etc/x\"\n", ("collector-key-file", "collector-cert-file", "both")),
    ("collector-url = \"http://c/\"\ncollector-cert-file = \"/x\"\ncollector-key-file = \"/x\"\n",
     ("collector-url", "http://c/", "https")),
    ("queue-bytes = 1048576\ncollector-batch-bytes = 1000000\n", ("queue-bytes", "1048576", "4000000")),
    ("spool-dir = \"spool\"\n", ("spool-dir", "absolute")),
    ("spool-dir = \"/x\"\nspool-bytes = 65536\n", ("spool-bytes", "65536", "262144")),
    ("plugins = {\"../evil\"}\n", ("plugins", "../evil", "absolute path")),
    ("iface = {\"a-name-that-is-too-long\"}\n", ("iface", "15")),
    ("iface = {\"a/b\"}\n", ("iface", "a/b")),
    ("verbose = 4\n", ("verbose", "4", "3")),
    ("receive-buffer = 1\n", ("receive-buffer", "1", "212992")),
    ("handshake-limit = 0\n", ("handshake-limit", "0", "1000000")),
    ("config = \"other\"\n", ("config",)),
    ("sensor = \"unfinished\n", ("",)),
    ("handshake {\n  colour = 1\n}\n", (":2", "colour")),
    ("nosuchplugin { a = 1 }\n", ("nosuchplugin",)),
    ("sensor \"x\"\n", ("sensor",)),
    ("\xff\xfe\x00\n", ("",)),
]


@pytest.mark.parametrize("text, needles", BAD, ids=[f"{i}" for i in range(len(BAD))])
def test_bad_configuration(tmp_path, text, needles):
    """File, line, value, and what is allowed; `-n` finds it without privilege or network."""
    path = tmp_path / "bad.conf"
    path.write_text(text, encoding="latin-1")
    argv = [ng.program("net-gazer"), "-c", path, "--libexec-dir", ng.BUILD, "--plugin-dir", ng.BUILD / "plugins", "-n"]
    done = subprocess.run([str(a) for a in argv], capture_output=True, text=True, errors="replace", check=False, timeout=60)
    line = one_error(done)
    assert f"{path}:" in line, line
    for needle in needles:
        assert needle in line, line


def test_good_configuration(tmp_path):
    """-n says that the file is good and names it; precedence is command line, environment, file."""
    path = tmp_path / "good.conf"
    path.write_text(config(GOOD), encoding="ascii")
    argv = [str(a) for a in (ng.program("net-gazer"), "--libexec-dir", ng.BUILD, "--plugin-dir", ng.BUILD / "plugins")]
    done = subprocess.run([*argv, "-c", path, "-n"], capture_output=True, text=True, check=False)
    assert done.returncode == 0 and str(path) in done.stdout + done.stderr, done
    done = subprocess.run([*argv, "-n"], capture_output=True, text=True, check=False,
                          env={**os.environ, "NG_CONFIG": str(path)})
    assert done.returncode == 0 and str(path) in done.stdout + done.stderr, done
    path.write_text("flows = 1\n", encoding="ascii")
    done = subprocess.run([*argv, "-c", path, "-n", "--flows", "4096"], capture_output=True, text=True, check=False)
    assert done.returncode != 0, "a bad value in the file is an error even when the command line overrides it"
    for bad in (["--flows", "1"], ["--flowz", "5000"], ["--flows"], ["-i", "x" * 16], ["stray"], ["-c", "/nonexistent/x"]):
        done = subprocess.run([*argv, "-n", *bad], capture_output=True, text=True, check=False)
        assert done.returncode != 0 and done.stderr.strip(), bad
        print(done.stderr.strip())


def test_reload(tmp_path):
    """SIGHUP: a good file is taken, a bad one leaves everything as it was and says why."""
    far = {5: wire.Answer(kind="silent")}
    with net.Router() as r, net.Server(r.wan, 80), wire.Responder(r.wan, "eth0", far), \
            Sensor(r.rtr, tmp_path, syn_timeout=300) as s:
        def reload(n):
            said = len(s.log())
            s.process.send_signal(signal.SIGHUP)
            ng.wait_for(lambda: f"SIGHUP number {n} to be told\n{s.log()}", lambda: len(s.log()) > said)
            return ng.wait_for("a line", lambda: s.log()[said:].splitlines())

        def alive():
            _, port = net.connect(r.lan, r.WAN4, 80)
            return s.wait_reports(1, type="conn", src_port=port)

        groups, pid = s.groups(), s.process.pid
        alive()
        s.config_path.write_text("flows = 7\n", encoding="ascii")
        lines = reload(1)
        ng.wait_for(lambda: f"the reason\n{s.log()}", lambda: f"{s.config_path}:1" in s.log() and "7" in s.log())
        assert s.groups() == groups and s.process.pid == pid, lines
        alive()
        s.write_config(syn_timeout=2)
        reload(2)
        def timed_out():
            net.connect(r.lan, net.FAR4 + "5", 5, timeout_s=0.05)
            return s.reports(type="conn", state="timeout")
        ng.wait_for(lambda: f"the new syn-timeout to work\n{s.log()}", timed_out, every_s=0.5)
        alive()
        # Another group: still running, still the one table.
        s.write_config(nflog_group=300)
        reload(3)
        ng.wait_for(lambda: f"the groups to move or the reason why not\n{s.groups()}\n{s.log()}",
                    lambda: min(s.groups(), default=0) >= 300 or "restart" in s.log()[-2000:])
        alive()
        s.stop()


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT])
def test_end(tmp_path, signum):
    """Both signals end it in order; what was on its way is reported first."""
    with net.Router() as r, net.Server(r.wan, 80), Sensor(r.rtr, tmp_path) as s:
        ports = {net.connect(r.lan, r.WAN4, 80)[1] for _ in range(50)}
        s.process.send_signal(signum)
        ng.wait_for("its end", lambda: s.process.poll() is not None)
        found = s.stop()
    assert {c["src_port"] for c in found if c["type"] == "conn"} == ports
