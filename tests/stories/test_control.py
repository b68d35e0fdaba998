# SPDX-License-Identifier: GPL-2.0-or-later
r"""net-gazerctl beside a running net-gazer, and beside none: status, plugins, reload, doctor.

    box: lo only; net-gazer watches it, net-gazerctl asks at its control socket
"""
import contextlib
import copy
import fcntl
import json
import os
import pathlib
import pty
import re
import shutil
import signal
import socket
import struct
import subprocess
import termios
import threading
import time

import pytest

from lib import net, ng, prometheus
from lib.collector import Collector
from lib.relay import Relay
from lib.sensor import Delivering, Sensor
from test_rules import machine as box, table as table_of

CTL = "net-gazerctl"
OTHERS = ["--reuid=65534", "--clear-groups"]


@contextlib.contextmanager
def machine(folder, **options):
    with box() as ns, Sensor(ns, folder, **{"loopback": True, **options}) as s:
        ng.wait_for(lambda: f"its first words\n{s.log()}", lambda: " runs: " in s.log())
        yield s


def where(s):
    return str(s.options["runtime-dir"])


def ctl(s, command, *arguments, program=None, before=()):
    """What came of it: subprocess.CompletedProcess."""
    return s.ns.run(*before, program or ng.program(CTL), command, "-c", where(s), *arguments, timeout=120)


def status(s):
    done = ctl(s, "status", "--json")
    assert (done.returncode, done.stderr) == (0, ""), done
    return json.loads(done.stdout)


def connect(s, n=1):
    with net.Server(s.ns, 80):
        for _ in range(n):
            assert net.connect(s.ns, "127.0.0.1", 80)[0] == "ok"


def lines(done):
    """{check: (verdict, text)} of a doctor's word; of several lines of one check the worst."""
    found = {}
    for line in done.stdout.splitlines():
        verdict, check, text = re.fullmatch(r"(ok|warn|FAIL) +(\S+) +(.+)", line).groups()
        if check not in found or ("ok", "warn", "FAIL").index(verdict) > ("ok", "warn", "FAIL").index(found[check][0]):
            found[check] = verdict, text
    assert done.returncode == any(v == "FAIL" for v, _ in found.values()), done
    assert not done.stderr, done
    return found


def test_status(tmp_path):
    """Its numbers are the rules' and the reports', and the identities hold."""
    with machine(tmp_path) as s:
        assert status(s)["ledger"]["seen"] == 0
        connect(s, 5)
        s.wait_reports(5, type="conn")
        # Reads the counters itself, at most once a second.
        said = ng.wait_for("the counters", lambda: (lambda t: t if t["ledger"]["seen"] == 20 else None)(status(s)))
        ledger = said["ledger"]
        assert ledger["seen"] == ledger["logged"] + ledger["sampled_out"]
        assert ledger["logged"] == ledger["received"] + ledger["gap"] + ledger["tail"] == 20
        assert ledger["received"] == ledger["parsed"] + sum(ledger[n] for n in (
            "truncated", "malformed", "unsupported", "in_hand"))
        assert sum(g["seen"] for g in said["groups"]) == 20
        assert {g["group"]: g["class"] for g in said["groups"]} == {100: "handshake", 101: "output", 102: "attempt"}
        assert (said["pid"], said["sensor"], said["state"]) == (s.process.pid, "story", "running")
        processes = {p["name"]: p for p in said["processes"]}
        assert processes["analyzer"]["pid"] == s.worker("analyzer") and processes["prober"]["state"] == "off"
        assert processes["net-gazer"] == {"name": "net-gazer", "state": "running", "pid": s.process.pid, "starts": 1,
                                          "sandbox": {"no_new_privs": True, "seccomp": True}}
        assert set(processes["analyzer"]["sandbox"]) == {"no_caps", "no_new_privs", "seccomp", "landlock"}
        assert [p["name"] for p in said["plugins"]] == ["handshake", "attempts"]
        done = ctl(s, "status")
        assert (done.returncode, done.stderr) == (0, "")
        assert f"pid {s.process.pid}, running" in done.stdout and "20 seen = 20 logged + 0 sampled out" in done.stdout
        done = ctl(s, "plugins")
        assert done.returncode == 0 and re.search(r"^attempts +\S+ +running +handshake,attempt ", done.stdout, re.M)
        # A crash is told.
        os.kill(s.worker("analyzer"), signal.SIGKILL)
        said = ng.wait_for("another analyzer", lambda: (lambda t: t if t["processes"][0]["starts"] == 2 and
                                                        t["processes"][0]["state"] == "running" else None)(status(s)))
        assert said["processes"][0]["last_end"].startswith("signal 9") and "analyzer" in said["complaints"][-1]["text"]
        assert "signal 9" in lines(ctl(s, "doctor"))["analyzer"][1]
        socket_path = pathlib.Path(where(s), "control.sock")
        assert socket_path.is_socket()
        s.stop()
        assert not socket_path.exists()


def test_who_may(tmp_path):
    """Root asks and orders, members of the group ask, others do neither."""
    with ng.for_everybody() as folder:
        program = shutil.copy(ng.program(CTL), folder)
        run = folder / "run"
        with machine(tmp_path, user="daemon", runtime_dir=str(run)) as s:
            gid = run.joinpath("control.sock").stat().st_gid
            assert gid and run.joinpath("control.sock").stat().st_mode & 0o777 == 0o660

            def as_member(command, *arguments):
                return ctl(s, command, *arguments, program=program,
                           before=["setpriv", "--reuid=65534", "--regid=65534", f"--groups={gid}"])

            def as_other(command, *arguments):
                return ctl(s, command, *arguments, program=program, before=["setpriv", *OTHERS, "--regid=65534"])
            for command in ("status", "plugins"):
                assert as_member(command).returncode == ctl(s, command).returncode == 0
                done = as_other(command)
                assert done.returncode == 2 and "Permission denied; ask as root" in done.stderr and not done.stdout
            assert lines(as_member("doctor"))["daemon"][0] == "ok"
            assert "Permission denied" in lines(as_other("doctor"))["daemon"][1]
            done = as_member("reload")
            assert done.returncode == 2 and "only root may do that" in done.stderr
            assert as_other("reload").returncode == 2
            assert status(s)["reloads"] == 0
            assert ctl(s, "reload").returncode == 0 and status(s)["reloads"] == 1
            s.stop()


def test_reload(tmp_path):
    """It says what came of it; a bad file changes nothing, and is told again by status and doctor."""
    with machine(tmp_path) as s:
        s.write_config(plugins=["handshake"])
        done = ctl(s, "reload")
        assert (done.returncode, done.stdout, done.stderr) == (0, "reloaded\n", "")
        assert [p["name"] for p in status(s)["plugins"]] == ["handshake"]
        s.write_config(flows=1)
        done = ctl(s, "reload")
        assert (done.returncode, done.stdout) == (1, "") and "not reloaded" in done.stderr and 'flows = "1"' in done.stderr
        assert 'flows = "1"' in status(s)["reload_refused"]
        verdict, text = lines(ctl(s, "doctor"))["configuration"]
        assert verdict == "warn" and 'flows = "1"' in text
        s.write_config(flows=2048)
        assert ctl(s, "reload").returncode == 0
        said = status(s)
        assert said["reloads"] == 2 and "reload_refused" not in said
        connect(s)
        s.wait_reports(1, type="conn")
        s.stop()


def test_two_daemons(tmp_path):
    """The socket of one that runs is not taken away; that of one that was killed is."""
    (tmp_path / "b").mkdir()
    with machine(tmp_path) as s, box() as other:
        with Sensor(other, tmp_path / "b", loopback=True, runtime_dir=where(s)) as second:
            ng.wait_for("its word", lambda: "another net-gazer answers" in second.log())
            assert status(s)["pid"] == s.process.pid
            second.stop()
        assert status(s)["pid"] == s.process.pid
        s.kill()
        ng.wait_for("the kernel to remove the table", s.gone)
        assert pathlib.Path(where(s), "control.sock").is_socket()
        assert "does not run" in ctl(s, "status").stderr
        s.start()
        ng.wait_for("an answer", lambda: ctl(s, "status").returncode == 0)
        s.stop()


def ask(s, *packets):
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as c:
        c.settimeout(10)
        c.connect(str(pathlib.Path(where(s), "control.sock")))
        for p in packets:
            c.send(p)
        return c.recv(1 << 17)


def test_hostile_clients(tmp_path):
    """Nonsense, silence, hang-ups and a thousand connections: each is let go, the others are served, packets go on."""
    with machine(tmp_path) as s:
        fds = pathlib.Path(f"/proc/{s.process.pid}/fd")
        before = len(list(fds.iterdir()))
        for nonsense in (b"x", b"\0", b"status\0", b"STATUS", b"stat", b"reload ", b"status" * 3, bytes(60000), b"\n" * 16):
            assert ask(s, nonsense) == b'{"error":"unknown request"}'
        path = str(pathlib.Path(where(s), "control.sock"))
        silent = []
        for _ in range(1000):
            c = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            c.setblocking(False)
            try:
                c.connect(path)
                silent.append(c)
            except BlockingIOError:  # the backlog is full
                c.close()
        assert len(silent) >= 8
        assert len(list(fds.iterdir())) <= before + 8
        connect(s, 3)
        s.wait_reports(3, type="conn")
        # Who says nothing is let go; then there is room.
        ng.wait_for("an answer", lambda: ctl(s, "status").returncode == 0)
        for c in silent:
            c.close()

        def flood(until):
            while time.monotonic() < until:
                with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as c:
                    c.settimeout(1)
                    c.connect(path)
                    c.send(b"status")  # and never reads
        flooders = [threading.Thread(target=flood, args=(time.monotonic() + 2,)) for _ in range(4)]
        for t in flooders:
            t.start()
        connect(s, 20)
        s.wait_reports(23, type="conn")
        for t in flooders:
            t.join()
        said = ng.wait_for("an answer", lambda: (lambda d: json.loads(d.stdout) if d.returncode == 0 else None)(
            ctl(s, "status", "--json")))
        assert said["processes"][0]["starts"] == 1
        assert ng.wait_for("its descriptors", lambda: len(list(fds.iterdir())) <= before)
        found = s.stop()
        assert found[-1]["gap"] == 0


# The doctor, each cause for real.

def test_doctor_is_content(tmp_path):
    with machine(tmp_path) as s:
        connect(s)
        s.wait_reports(1, type="conn")
        found = lines(ctl(s, "doctor"))
        assert {check for check, (verdict, _) in found.items() if verdict == "FAIL"} == set(), found
        assert set(found) >= {"daemon", "configuration", "kernel", "groups", "rules", "traffic", "losses", "analyzer",
                              "writer", "plugins", "output", "clock", "ports"}
        s.stop()


def alone(ns, folder, before=(), program=None, **options):
    """The doctor where nothing runs."""
    s = Sensor(ns, folder, libexec_dir=str(ng.BUILD), **{"plugin_dir": str(ng.BUILD / "plugins"), **options})
    s.options["plugin-dir"] = str(ng.BUILD / "plugins")
    s.write_config()
    return lines(ns.run(*before, program or ng.program(CTL), "doctor", "-f", s.config_path, timeout=120))


def test_doctor_without_daemon(tmp_path):
    with box() as ns:
        found = alone(ns, tmp_path)
        assert found["daemon"][0] == "FAIL" and "does not run" in found["daemon"][1]
        assert {c: v for c, (v, _) in found.items() if c != "daemon"} == dict.fromkeys(
            ("configuration", "kernel", "groups", "clock", "ports"), "ok"), found
        found = alone(ns, tmp_path, flows=3)
        assert found["configuration"][0] == "FAIL" and 'flows = "3"' in found["configuration"][1]
        found = alone(ns, tmp_path, rules="include")
        assert found["rules"][0] == "FAIL" and "nft -f" in found["rules"][1]
        assert ns.run("nft", "-f", ng.TOP / "nft/net-gazer.nft").returncode == 0
        assert alone(ns, tmp_path, rules="include")["rules"][0] == "ok"
        # No /proc, as in a jail without: no NFLOG is to be seen.
        found = alone(ns, tmp_path, before=["unshare", "-m", "sh", "-c", 'umount -l /proc; exec "$@"', "sh"])
        assert found["kernel"][0] == "FAIL" and "modprobe nfnetlink_log" in found["kernel"][1]
        # A machine that thinks it is earlier than its programs.
        early = tmp_path / CTL
        shutil.copy(ng.program(CTL), early)
        os.utime(early, (time.time() + 1e8,) * 2)
        found = alone(ns, tmp_path, program=early)
        assert found["clock"][0] == "FAIL" and "NTP" in found["clock"][1]
        ns.sysctl(ipv4__ip_local_port_range="32768 65535")
        found = alone(ns, tmp_path)
        assert found["ports"][0] == "warn" and "64511" in found["ports"][1]


def test_doctor_names_who_has_the_group(tmp_path):
    (tmp_path / "b").mkdir()
    with machine(tmp_path) as s:
        found = alone(s.ns, tmp_path / "b")
        verdict, text = found["groups"]
        assert verdict == "FAIL" and f"taken by pid {s.process.pid} (net-gazer)" in text, found
        s.stop()


def test_doctor_disabled_plugin(tmp_path):
    """One that crashes five times, for real."""
    header = tmp_path / "include/net-gazer"
    header.mkdir(parents=True)
    shutil.copy(ng.TOP / "src/plugin.h", header)
    plugin = ng.compile_c(ng.TOP / "tests/plugin/bad.c", tmp_path / "bad.so", "-fPIC", "-shared", f"-I{header.parent}",
                          '-DBAD_NAME="zoo"', "-DBAD_EVENT=abort()")
    with machine(tmp_path, plugins=["handshake", str(plugin)]) as s, net.Server(s.ns, 666):
        ng.wait_for(lambda: f"five crashes\n{s.log()}", lambda: (net.connect(s.ns, "127.0.0.1", 666),
                                                                "disabled" in s.log())[1], every_s=0.1)
        verdict, text = ng.wait_for("the doctor's word", lambda: (lambda w: w if w[0] == "FAIL" else None)(
            lines(ctl(s, "doctor"))["plugins"]))
        assert "zoo crashed again and again" in text
        assert re.search(r"^zoo +\S+ +disabled ", ctl(s, "plugins").stdout, re.M)
        assert ctl(s, "reload").returncode == 0
        assert lines(ctl(s, "doctor"))["plugins"][0] == "ok"
        s.stop(quiet=False)


# The doctor's judgement alone: answers that a daemon would give.

class Fake:
    """A control socket that gives one answer."""

    def __init__(self, folder, answer):
        self.path, self.answer = folder / "control.sock", json.dumps(answer).encode()

    def __enter__(self):
        self.path.unlink(missing_ok=True)
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.socket.bind(str(self.path))
        self.socket.listen()
        self.thread = threading.Thread(target=self._run)
        self.thread.start()
        return self

    def _run(self):
        with contextlib.suppress(OSError):
            while True:
                c, _ = self.socket.accept()
                with c:
                    if c.recv(100):
                        c.send(self.answer)

    def __exit__(self, *_):
        self.socket.shutdown(socket.SHUT_RDWR)
        self.thread.join()
        self.socket.close()


@pytest.fixture(scope="module", name="healthy")
def healthy_status(tmp_path_factory):
    with machine(tmp_path_factory.mktemp("healthy"), plugins=["handshake", "traceroute"]) as s:
        ng.wait_for("the prober", lambda: status(s)["processes"][2]["state"] == "running")
        connect(s)
        s.wait_reports(1, type="conn")
        said = ng.wait_for("the counters", lambda: (lambda t: t if t["ledger"]["seen"] else None)(status(s)))
        s.stop()
    return said


def judge(folder, answer):
    with Fake(folder, answer):
        done = subprocess.run([ng.program(CTL), "doctor", "-c", folder], capture_output=True, text=True, timeout=60,
                              check=False)
    return lines(done)


def put(answer, path, value):
    """healthy, but for "processes.0.state"."""
    answer = copy.deepcopy(answer)
    at = answer
    *way, last = [int(p) if p.isdigit() else p for p in path.split(".")]
    for name in way:
        at = at[name]
    at[last] = value
    return answer


CAUSES = [
    ("rules_gone", True, "rules", "FAIL", "installs it again"),
    ("ledger.filtered", 1 << 40, "traffic", "warn", "names right"),
    ("ledger.gap", 7, "losses", "warn", "receive-buffer"),
    ("ledger.sampled_out", 7, "losses", "warn", "over the limits"),
    ("ledger.in_hand", 7, "losses", "warn", "crashed"),
    ("processes.0.state", "down", "analyzer", "FAIL", "is down"),
    ("processes.0.last_end", "signal 11", "analyzer", "warn", "signal 11"),
    ("processes.0.sandbox.landlock", False, "sandbox", "warn", "Landlock"),
    ("processes.0.sandbox.seccomp", False, "sandbox", "warn", "seccomp"),
    ("processes.3.sandbox.seccomp", False, "sandbox", "warn", "net-gazer runs without seccomp"),
    ("processes.2.state", "down", "prober", "FAIL", "is down"),
    ("prober.possible", False, "prober", "FAIL", "CAP_NET_RAW"),
    ("prober.send_errors", 9, "prober", "warn", "route"),
    ("plugins.0.state", "not started", "plugins", "FAIL", "handshake: not started"),
    ("plugins_refused", 2, "plugins", "FAIL", "2 cannot be loaded"),
    ("ledger.reports_dropped", 7, "output", "warn", "too slow"),
    ("reload_refused", "a\x1b[31m.conf:1: no\n", "configuration", "warn", "a?[31m.conf:1: no?"),
]


@pytest.mark.parametrize("path, value, check, verdict, needle", CAUSES, ids=[c[0] for c in CAUSES])
def test_doctor_judges(tmp_path, healthy, path, value, check, verdict, needle):
    before = judge(tmp_path, healthy)
    found = judge(tmp_path, put(healthy, path, value))
    assert before[check][0] == "ok", before
    assert found[check][0] == verdict and needle in found[check][1], found
    assert {c for c in found if found[c] != before[c]} == {check}


def test_doctor_never_hit(tmp_path, healthy):
    answer = put(put(healthy, "ledger.seen", 0), "up_s", 3600)
    verdict, text = judge(tmp_path, answer)["traffic"]
    assert verdict == "warn" and "no rule was ever hit" in text
    assert judge(tmp_path, put(answer, "up_s", 5))["traffic"][0] == "ok"


DELIVERY = {"state": "ok", "why": "", "tries": 0, "received": 9, "recovered": 0, "acknowledged": 9, "rejected": 0,
            "quarantined": 0, "dropped": 0, "waiting": 0, "queue_bytes": 0, "queue_limit_bytes": 1000, "spool_bytes": 0,
            "spool_limit_bytes": 1000, "flash_written_bytes": 0, "sent_bytes": 99}


@pytest.mark.parametrize("changed, check, verdict, needle", [
    ({"state": "held", "why": "401 \x1b]0;x"}, "collector", "FAIL", "refuses (401 ?]0;x)"),
    ({"state": "retrying", "why": "Connection refused", "tries": 4}, "collector", "FAIL", "Connection refused), 4 tries"),
    ({"state": "clock"}, "collector", "FAIL", "clock is wrong"),
    ({"rejected": 3}, "collector", "warn", "not stored 3"),
    ({"spool_bytes": 950, "dropped": 5}, "spool", "warn", "is full, 950 of 1000"),
    ({"dropped": 5}, "spool", "warn", "5 reports were dropped"),
    ({"spool_error": "No space left on device"}, "spool", "FAIL", "No space left")])
def test_doctor_judges_delivery(tmp_path, healthy, changed, check, verdict, needle):
    before = judge(tmp_path, {**healthy, "delivery": DELIVERY})
    found = judge(tmp_path, {**healthy, "delivery": {**DELIVERY, **changed}})
    assert before["collector"][0] == before["spool"][0] == "ok", before
    assert found[check][0] == verdict and needle in found[check][1], found


def test_doctor_and_a_collector(tmp_path):
    """One that is not there, then one that wants a token, then one that takes reports."""
    token = tmp_path / "token"
    token.write_text("0123456789abcdef\n", encoding="ascii")
    token.chmod(0o600)
    c = Collector(tmp_path)
    with box() as ns, Relay(ns, c.port), Delivering(ns, tmp_path, c, loopback=True) as s:
        ng.wait_for(lambda: f"its first words\n{s.log()}", lambda: " runs: " in s.log())

        def says(needle, verdict):
            return ng.wait_for(lambda: f"{verdict}: {needle}; {ctl(s, 'doctor').stdout}\n{s.log()}", lambda: (
                lambda w: w[0] == verdict and needle in w[1])(lines(ctl(s, "doctor"))["collector"]), every_s=0.1)

        def another(ms):
            """A forwarder that has not failed yet: its next try would be a while off."""
            s.write_config(collector_batch_ms=ms)
            assert ctl(s, "reload").returncode == 0
            connect(s)
        connect(s)
        says("cannot be reached", "FAIL")
        c.arguments = ("--token-file", token)
        with c:
            another(60)
            says("refuses", "FAIL")
        c.arguments = ()
        with c:
            another(70)
            says("has acknowledged", "ok")
            ng.wait_for("rows", lambda: c.get("/health")["rows"] and status(s)["delivery"]["acknowledged"])
            said = status(s)["delivery"]
            assert said["received"] + said["recovered"] == sum(said[n] for n in (
                "acknowledged", "rejected", "quarantined", "dropped", "waiting"))
            assert "acknowledged" in ctl(s, "status").stdout
            up = ("net_gazer_delivery_up",), ("net_gazer_process_up", ("process", "forwarder"))
            ng.wait_for("both", lambda: (lambda found: all(found[u] == 1 for u in up))(
                prometheus.check(ctl(s, "metrics").stdout)))
            s.stop(complete=False)


def refused(s, n, port=81):
    for _ in range(n):
        assert net.connect(s.ns, "127.0.0.1", port)[0] == "refused"


def test_top_once(tmp_path):
    """What was just done is in its tables, and the totals hold."""
    with machine(tmp_path, home=["10.0.0.0/8"]) as s:
        connect(s, 7)
        refused(s, 3)
        s.wait_reports(10, type="conn")
        done = ctl(s, "top", "--once")
        assert (done.returncode, done.stderr) == (0, "")
        print(done.stdout)
        tables = re.split(r"^(DESTINATION|FAILURES TO|INBOUND FROM|GROUP) .*\n", done.stdout, flags=re.M)
        tables = dict(zip(tables[1::2], tables[2::2]))
        assert re.search(r"^127\.0\.0\.1 +80 +7 +0 +0 +\d+\.\d +\d+\.\d$", tables["DESTINATION"], re.M)
        assert re.search(r"^127\.0\.0\.1 +81 +0 +3 +0 +- +-$", tables["DESTINATION"], re.M)
        assert re.search(r"^127\.0\.0\.1 +81 +0 +3 ", tables["FAILURES TO"], re.M) and " 80 " not in tables["FAILURES TO"]
        assert re.search(r"^ +100  handshake +\S+ +\S+ +20 +0 +0$", tables["GROUP"], re.M)
        # An analyzer that was killed takes its tables along; net-gazerctl goes on.
        os.kill(s.worker("analyzer"), signal.SIGKILL)
        ng.wait_for("another analyzer", lambda: status(s)["processes"][0]["state"] == "running")
        assert ctl(s, "top", "--once").returncode == 0
        s.stop()


def test_top_inbound(tmp_path):
    """Who knocks from outside, by address."""
    with net.Router() as r, Sensor(r.rtr, tmp_path) as s:
        for _ in range(2):
            net.connect(r.wan, r.OUT4, 22, timeout_s=0.2)
        ng.wait_for(lambda: f"his line\n{s.log()}", lambda: re.search(
            rf"^{re.escape(r.WAN4)} +22 +[2-9]$", ctl(s, "top", "--once").stdout, re.M))
        s.stop()


class Terminal:
    """net-gazerctl top on a terminal; `seen` is all that it wrote."""

    def __init__(self, s):
        self.main, self.side = pty.openpty()
        self.resize(30)
        self.process = s.ns.popen([ng.program(CTL), "top", "-c", where(s)], stdin=self.side, stdout=self.side,
                                  stderr=self.side)
        self.seen = ""
        os.set_blocking(self.main, False)

    def resize(self, lines):
        fcntl.ioctl(self.side, termios.TIOCSWINSZ, struct.pack("HHHH", lines, 100, 0, 0))

    def screen(self):
        """The last picture."""
        with contextlib.suppress(BlockingIOError):
            while True:
                self.seen += os.read(self.main, 65536).decode("ascii")
        return self.seen.rsplit("\033[H\033[J", 1)[-1]

    def shows(self, needle):
        ng.wait_for(lambda: f"{needle!r} on\n{self.screen()}", lambda: re.search(needle, self.screen()))

    def key(self, key):
        os.write(self.main, key.encode())

    def close(self):
        os.close(self.main)
        os.close(self.side)


def test_top_live(tmp_path):
    """Keys, another size, a daemon that goes and comes; the terminal is given back as it was."""
    with machine(tmp_path) as s:
        connect(s, 2)
        refused(s, 1)
        s.wait_reports(3, type="conn")
        t = Terminal(s)
        before = termios.tcgetattr(t.side)
        t.shows(r"127\.0\.0\.1 +80 +2 ")
        assert "\033[?1049h" in t.seen and not termios.tcgetattr(t.side)[3] & termios.ICANON
        for key, needle in (("2", "FAILURES TO"), ("3", "INBOUND FROM"), ("4", "GROUP  CLASS"), ("5", "1 destinations"),
                            ("x", "1 destinations"), ("1", "DESTINATION"), ("s", "by p95"), ("s", "by address"), ("p", "PAUSED")):
            t.key(key)
            t.shows(needle)
        connect(s, 5)
        t.key("p")
        t.shows(r" 80 +7 ")
        t.resize(7)  # room for one line of the table
        t.process.send_signal(signal.SIGWINCH)
        ng.wait_for("one line", lambda: t.screen().count("127.0.0.1") == 1)
        s.kill()
        t.shows("does not run|hung up|Connection")
        ng.wait_for("the kernel to remove the table", s.gone)
        s.start()
        t.shows("DESTINATION")
        t.key("q")
        assert t.process.wait(ng.DEADLINE_S) == 0
        t.screen()
        assert t.seen.endswith("\033[?7h\033[?25h\033[?1049l")
        now = termios.tcgetattr(t.side)
        assert now[3] == before[3] or now[3] & termios.ICANON and now[3] & termios.ECHO
        t.close()
        done = ctl(s, "top")
        assert done.returncode == 2 and "--once" in done.stderr
        s.stop()


CONFIGURATIONS = {
    "default": {},
    "all": {"plugins": ["handshake", "attempts", "packets"], "prober": "yes"},
    "other": {"plugins": ["handshake", "attempts"], "prober": "yes", "nflog_group": 200, "handshake_limit": 7, "attempt_limit": 5,
              "probe_limit": 3, "probe_mark": 0x1234, "home": ["192.168.0.0/16", "0.0.0.0/8", "255.255.255.255/32"]},
    "samples": {"plugins": ["packets"], "sample_limit": 1000000, "loopback": False},
}


@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_rules(tmp_path, name):
    """What it prints, loaded by nft, is what own mode installs; and a net-gazer that waits for rules is content."""
    with machine(tmp_path, **CONFIGURATIONS[name]) as s:
        own = table_of(s.ns)
        done = ctl(s, "rules")
        assert (done.returncode, done.stderr) == (0, "") and done.stdout.startswith("# Written by `net-gazerctl rules'")
        s.stop()
        for _ in range(2):  # loading it again replaces it
            s.ns.nft(done.stdout)
            assert table_of(s.ns) == own
        s.write_config(rules="include", plugin_dir=str(ng.BUILD / "plugins"), libexec_dir=str(ng.BUILD))
        again = s.ns.run(ng.program(CTL), "rules", "--file", s.config_path)
        assert (again.returncode, again.stdout) == (0, done.stdout), again
        s.start()
        ng.wait_for("an answer", lambda: ctl(s, "status").returncode == 0)
        assert status(s)["rules"] == "include" and lines(ctl(s, "doctor"))["rules"][0] == "ok"
        assert ctl(s, "rules").stdout == done.stdout
        ng.stop(s.process)


def test_metrics(tmp_path):
    """Prometheus' format; the numbers are the status'; without a daemon it says that there is none."""
    with machine(tmp_path) as s:
        connect(s, 2)
        s.wait_reports(2, type="conn")
        said = ng.wait_for("the counters", lambda: (lambda t: t if t["ledger"]["seen"] == 8 else None)(status(s)))
        done = ctl(s, "metrics")
        assert (done.returncode, done.stderr) == (0, "")
        found = prometheus.check(done.stdout)
        assert found["net_gazer_up",] == 1 and found["net_gazer_info", ("version", said["version"])] == 1
        assert found["net_gazer_packets_seen_total",] == found["net_gazer_packets_logged_total",] == 8
        assert found["net_gazer_packets_parsed_total",] == said["ledger"]["parsed"]
        assert sum(v for k, v in found.items() if k[0] == "net_gazer_class_seen_total") == 8
        assert found["net_gazer_plugin_up", ("plugin", "attempts")] == 1
        assert {k[1][1] for k in found if k[0] == "net_gazer_process_up"} == {"analyzer", "writer", "net-gazer"}
        s.stop()
        done = ctl(s, "metrics")
        assert done.returncode == 2 and prometheus.check(done.stdout) == {("net_gazer_up",): 0}


@pytest.mark.parametrize("answer", [[], "x", {"error": "only on Sundays"}, {}, {"processes": 7, "ledger": []},
                                    {"plugins": [[]], "groups": [None], "destinations": [1, {}], "complaints": [{"text": 3}]}])
@pytest.mark.parametrize("command", ["status", "plugins", "doctor", "metrics", "top", "reload"])
def test_strange_answers(tmp_path, command, answer):
    """Whatever answers, it ends by itself, in order."""
    if command == "reload" and isinstance(answer, dict) and "error" not in answer:
        answer = {**answer, "refused": "no"}
    with Fake(tmp_path, answer):
        done = subprocess.run([ng.program(CTL), command, "-c", tmp_path, *(["--once"] if command == "top" else [])],
                              capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode in (0, 1, 2), done
