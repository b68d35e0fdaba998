# SPDX-License-Identifier: GPL-2.0-or-later
r"""What the privileged parent promises beside the stories: one namespace, connections over lo."""
import contextlib
import json
import os
import pathlib
import signal
import subprocess
import time

import pytest

from lib import net, ng, report
from lib.sensor import Sensor


@contextlib.contextmanager
def machine(folder, **options):
    """A namespace with a sensor in it that watches lo."""
    box = net.Ns("box")
    try:
        box.ip("link set lo up")
        with Sensor(box, folder, loopback=True, **options) as s:
            yield s
    finally:
        left = box.close()
    assert not left


def hello(s, n=1):
    """n connections; their source ports."""
    with net.Server(s.ns, 80):
        ports = [net.connect(s.ns, "127.0.0.1", 80)[1] for _ in range(n)]
    return set(ports)


def seen(s, n=1, reports=None):
    """n connections made now are reported, each once."""
    ports = hello(s, n)
    reports = reports or (lambda: s.reports(type="conn"))
    ng.wait_for(lambda: f"{ports}\n{s.log()}", lambda: ports <= {c["src_port"] for c in reports()})


def reload(s, says="configuration reloaded", **options):
    s.write_config(**options)
    before = s.log().count(says)
    s.process.send_signal(signal.SIGHUP)
    ng.wait_for(lambda: f"{says}\n{s.log()}", lambda: s.log().count(says) > before)


def status(pid):
    lines = pathlib.Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines()
    return dict(line.split(":\t", 1) for line in lines if ":\t" in line)


def test_rights(tmp_path):
    """The parent keeps four capabilities and can gain none; the others have none and are nobody."""
    keep = 1 << 12 | 1 << 7 | 1 << 6 | 1 << 5  # NET_ADMIN, SETUID, SETGID, KILL
    with machine(tmp_path) as s:
        ng.wait_for("it runs", lambda: " runs: " in s.log())
        parent = status(s.process.pid)
        for name in ("CapEff", "CapPrm"):
            assert int(parent[name], 16) == keep, name
        assert all(int(parent[n], 16) == 0 for n in ("CapBnd", "CapInh", "CapAmb")) and parent["NoNewPrivs"] == "1"
        children = set(s.processes()) - {s.process.pid}
        assert len(children) == 2
        for pid in children:
            child = status(pid)
            assert all(int(child[n], 16) == 0 for n in ("CapEff", "CapPrm", "CapBnd", "CapInh", "CapAmb"))
            assert child["NoNewPrivs"] == "1" and child["Seccomp"] == "2" and child["Groups"].strip() == ""
            assert set(child["Uid"].split()) != {"0"} and "0" not in child["Uid"].split() + child["Gid"].split()
            fds = {os.readlink(p) for p in pathlib.Path(f"/proc/{pid}/fd").iterdir()}
            if pid == s.worker("analyzer"):
                assert not [f for f in fds if f.startswith(str(tmp_path)) and not f.endswith("/log")], fds
            else:
                assert not [f for f in fds if f.startswith("socket:")], fds
        seen(s)


def test_memory(tmp_path):
    """Parent and writer are small."""
    with machine(tmp_path) as s:
        seen(s)
        pids = set(s.processes()) - {s.worker("analyzer")}
        kib = ng.pss_kib(pids)
        print(f"parent and writer: {kib} KiB PSS")
        assert kib < 4096


def test_reload_changes_classes(tmp_path):
    """A plugin more, a plugin less: groups and chains follow; the counters and the ledger go on, and what
    was sent in between is reported."""
    with machine(tmp_path) as s:
        seen(s, 5)
        pid, parent, groups = s.worker("analyzer"), s.process.pid, s.groups()
        reload(s, plugins=["handshake", "attempts", "packets"])
        assert s.worker("analyzer") != pid and s.process.pid == parent
        assert s.groups().items() > groups.items(), "the old bindings are the same sockets"
        assert set(s.groups()) == {100, 101, 102, 103} and "chain sample_input" in s.table()
        seen(s, 5)
        s.wait_reports(1, type="plugin", plugin="packets")
        reload(s, plugins=["handshake"])
        assert set(s.groups()) == {100, 101, 102, 103}, "a group that was read stays: its packets are in the totals"
        assert "chain sample_input" not in s.table() and "chain attempt_input" not in s.table()
        seen(s, 5)
        assert s.counters()["handshake_seen"] == 15 * 2
        last = s.stop()[-1]
        assert [(g["group"], g["logged"]) for g in last["groups"]][:2] == [(100, 30), (101, 30)]
        assert last["groups"][3]["logged"] > 0, "samples, of before"
        assert last["gap"] == 0


def test_reload_loses_nothing(tmp_path):
    """Connections while SIGHUP after SIGHUP is worked on: all are reported."""
    with machine(tmp_path, handshake={"max-rate": 0}) as s, net.Server(s.ns, 80):
        ports = set()
        for n in range(5):
            said = s.log().count("configuration reloaded")
            s.process.send_signal(signal.SIGHUP)
            while s.log().count("configuration reloaded") == said:
                ports.add(net.connect(s.ns, "127.0.0.1", 80)[1])
                assert len(ports) < 20000, s.log()
                if len(ports) > 300 * (n + 1):  # all reports fit into the pipe, should a busy disk keep the writer waiting
                    time.sleep(0.02)
            assert s.process.poll() is None, n
        found = s.stop()
        last = found[-1]
        assert last["logged"] == last["received"] and last["gap"] == 0
        # The two halves of one that straddles two analyzers meet nobody: at most one each time.
        missing = ports - {c["src_port"] for c in found if c["type"] == "conn"}
        print(f"{len(ports)} connections during 5 reloads, {len(missing)} of them straddled two analyzers")
        assert len(missing) <= 5


@pytest.mark.parametrize("option, value", [("rules", "include"), ("nflog_group", 200), ("user", "daemon")])
def test_reload_refuses(tmp_path, option, value):
    """What needs a restart is said, and nothing changes."""
    with machine(tmp_path) as s:
        pid, table = s.worker("analyzer"), s.table()
        reload(s, says="cannot be changed while net-gazer runs", **{option: value})
        assert s.worker("analyzer") == pid and s.table() == table
        assert option.replace("_", "-") in s.log()
        seen(s)


def test_hangups_in_a_row(tmp_path):
    """Twenty at once, good or bad, and one right at the start: it lives."""
    with machine(tmp_path) as s:
        for n in range(20):
            if n == 10:
                s.config_path.write_text("flows = 1\n", encoding="ascii")
            s.process.send_signal(signal.SIGHUP)
        ng.wait_for(lambda: f"an answer\n{s.log()}", lambda: "not reloaded" in s.log())
        seen(s)


def lines(path):
    text = path.read_text(encoding="ascii") if path.exists() else ""
    return [c for c in map(json.loads, text[:text.rfind("\n") + 1].splitlines()) if c["type"] == "conn"]


def test_output_file(tmp_path):
    """Appended to with mode 0640; moved away and SIGHUP: a new one, and no line is lost or cut."""
    first, moved = tmp_path / "out.ndjson", tmp_path / "out.ndjson.1"
    with machine(tmp_path, output=str(first)) as s:
        seen(s, 3, lambda: lines(first))
        assert first.stat().st_mode & 0o777 == 0o640
        first.rename(moved)
        ports = hello(s, 3)
        reload(s)
        seen(s, 3, lambda: lines(first))
        assert ng.stop(s.process) == 0
        assert ports <= {c["src_port"] for c in lines(first) + lines(moved)}
        for path in (first, moved):
            assert path.read_text(encoding="ascii").endswith("\n")
        assert s.out_path.read_bytes() == b""


class Tail:
    """`tail -F`, as a person or a log shipper reads the file.  It looks once a second, and so it shall, however busy this machine is."""

    def __init__(self, path, *program):
        self.out = path.with_name("seen-by-" + "-".join(program))
        with open(self.out, "wb") as out:
            self.process = subprocess.Popen([*program, "-n", "+1", "-F", path], stdout=out, stderr=subprocess.DEVNULL)
        with contextlib.suppress(PermissionError):
            os.sched_setscheduler(self.process.pid, os.SCHED_FIFO, os.sched_param(1))

    @property
    def data(self):
        return self.out.read_bytes()

    def end(self):
        self.process.kill()
        self.process.wait()


def numbers(data):
    """Where each line is whole: the reports' numbers."""
    assert data.endswith(b"\n")
    return [json.loads(line)["seq"] for line in data.splitlines()]


def test_output_bytes(tmp_path, say):
    """The file and the one before it keep the limit, over a reload too; `tail -F` has every report once, in order, and
    none was dropped."""
    limit = 65536
    out, old = tmp_path / "out.ndjson", tmp_path / "out.ndjson.1"
    out.touch()
    tails = [Tail(out, "tail"), Tail(out, "busybox", "tail")]
    try:
        with machine(tmp_path, output=str(out), output_bytes=limit) as s:
            largest = 0
            for i in range(12):
                if i == 6:
                    reload(s)
                hello(s, 40)
                largest = max([largest, *(p.stat().st_size for p in (out, old) if p.exists())])
            assert ng.stop(s.process) == 0
            largest = max(largest, out.stat().st_size, old.stat().st_size)
            assert limit - 2 * 16384 < largest <= limit
            assert "ended (" not in s.log() and "full" not in s.log(), s.log()
            kept = numbers(old.read_bytes()) + numbers(out.read_bytes())
            last = kept[-1]
            for tail in tails:
                ng.wait_for(lambda t=tail: f"the last report; {len(t.data)} bytes", lambda t=tail: b'"seq":%d,' % last in t.data)
                assert len(tail.data) > 3 * limit
                got = numbers(tail.data)
                assert got == list(range(got[0], last + 1)) and got[-len(kept):] == kept, f"{tail.process.args}: a hole, or a line twice"
            report.check_ledger(json.loads(out.read_bytes().splitlines()[-1]), quiet=True)
            say(f"output-bytes {limit}: {largest} in a file at most, {len(got)} reports of {len(tail.data)} bytes in each of two tail -F")
    finally:
        for tail in tails:
            tail.end()


def test_output_cannot_be_renamed(tmp_path):
    """Said, with the reason; nothing is written beyond the limit, and when it can be nothing was lost.  At the end, too."""
    limit = 65536
    out, old = tmp_path / "out.ndjson", tmp_path / "out.ndjson.1"
    filler = b'{"type":"filler"}\n' * (limit // 18)
    old.mkdir()
    with machine(tmp_path, output=str(out), output_bytes=limit) as s:
        ports = hello(s, 150)
        ng.wait_for(lambda: f"a complaint\n{s.log()}", lambda: f"output {out} is full, and cannot become {old}: Is a directory" in s.log())
        assert out.stat().st_size <= limit
        old.rmdir()
        ng.wait_for(old.exists, old.exists)
        seen(s, 3, lambda: lines(out))
        assert ports <= {c["src_port"] for c in lines(out) + lines(old)}
        # Somebody else moves it: ours is not renamed over it.
        moved = tmp_path / "moved"
        out.rename(moved)
        with open(moved, "ab") as f:
            f.write(filler)
        was = old.read_bytes()
        out.touch()
        seen(s, 3, lambda: lines(out) + lines(moved))
        seen(s, 1, lambda: lines(out))
        assert old.read_bytes() == was
        # The file is full when the end comes: what waits then is written all the same.
        with open(out, "ab") as f:
            f.write(filler)
        ports = hello(s, 3)
        assert ng.stop(s.process) == 0
        assert ports <= {c["src_port"] for c in lines(out) + lines(old)} and filler in old.read_bytes()
        assert b'"type":"stat"' in out.read_bytes().splitlines()[-1]


def test_output_bytes_checked(tmp_path):
    """-n says where the limit is not used; a limit that holds no report is refused."""
    out = tmp_path / "out"
    base = ("-n", "-c", "/dev/null", "--user", "nobody", "--output-bytes")
    assert run(*base, 65536, "--output", out).stderr == "" and not out.exists()
    os.mkfifo(out)
    for path in ("-", "/dev/null", out):
        done = run(*base, 65536, "--output", path)
        assert done.returncode == 0 and f"output-bytes is not used: output {path} is no regular file" in done.stderr
        assert run(*base, 0, "--output", path).stderr == ""
    for value in (1, "0x10", "010", 65535):
        done = run(*base, value, "--output", out)
        assert done.returncode == 1 and "must be 0, or 65536 at least" in done.stderr


def test_reload_and_the_forwarder(tmp_path):
    """It goes on when nothing of its own changed, for what it holds is not lost; another setting or
    another token makes another one; and a file can take its place."""
    token, out = tmp_path / "token", tmp_path / "out.ndjson"
    token.write_text("secret-of-the-test-1\n", encoding="ascii")
    token.chmod(0o600)
    with machine(tmp_path, collector_url=f"http://127.0.0.1:{ng.free_port()}/", collector_token_file=str(token)) as s:
        pid = s.worker("forwarder")
        reload(s, flows=2048)
        assert s.worker("forwarder") == pid

        def another():
            return [p for p, n in s.processes().items() if n == "forwarder" and p != pid and not ng.alive(pid)]
        token.write_text("secret-of-the-test-2\n", encoding="ascii")
        reload(s)
        pid = ng.wait_for(lambda: f"a forwarder with the new token\n{s.log()}", another)[0]
        reload(s, collector_batch_ms=500)
        pid = ng.wait_for(lambda: f"a forwarder with the new setting\n{s.log()}", another)[0]
        del s.options["collector-url"]
        reload(s, output=str(out))
        ng.wait_for("the forwarder's end", lambda: not ng.alive(pid))
        seen(s, 3, lambda: lines(out))
        assert writer(s)
        assert ng.stop(s.process) == 0
        assert "ended (" not in s.log(), s.log()


def writer(s):
    """The child that is a copy of the parent."""
    return ng.wait_for(lambda: f"a writer\n{s.log()}", lambda: [
        p for p, n in s.processes().items() if n == "net-gazer" and p != s.process.pid])[0]


def test_writer_killed(tmp_path):
    """It is started again; the analyzer does not notice."""
    with machine(tmp_path) as s:
        seen(s)
        analyzer, pid = s.worker("analyzer"), writer(s)
        os.kill(pid, signal.SIGKILL)
        ng.wait_for("another", lambda: writer(s) != pid)
        seen(s, 3)
        assert s.worker("analyzer") == analyzer
        assert "writer ended (signal 9" in s.log()


def test_nobody_reads(tmp_path):
    """`net-gazer | head -1`: it ends in order, with 0."""
    with machine(tmp_path) as s:
        assert ng.stop(s.process) == 0
        with open(s.err_path, "ab") as err:
            s.process = s.ns.popen(s.argv(), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=err)
        assert s.process.stdout.readline().startswith(b'{"v":1')
        s.process.stdout.close()
        ng.wait_for("rules", s.ready)

        def ended():
            with contextlib.suppress(OSError):
                hello(s)
            return s.process.poll() is not None
        ng.wait_for(lambda: f"its end\n{s.log()}", ended)
        assert s.process.returncode == 0 and "nobody reads the output" in s.log()
        assert s.gone()


def test_stopped_reader(tmp_path):
    """stdout is a pipe that nobody empties: reports are dropped and counted, SIGTERM still ends it."""
    with machine(tmp_path) as s:
        assert ng.stop(s.process) == 0
        read, write = os.pipe()
        with open(s.err_path, "ab") as err:
            s.process = s.ns.popen(s.argv(), stdin=subprocess.DEVNULL, stdout=write, stderr=err)
        os.close(write)
        ng.wait_for("rules", s.ready)
        hello(s, 50)
        below = set(s.processes())
        # 64 KiB fit into this pipe and 1 MiB into ours; the writer is stuck in write().
        os.kill(writer(s), signal.SIGSTOP)
        s.process.send_signal(signal.SIGTERM)
        assert s.process.wait(60) == 0
        assert "writer does not end; killed" in s.log()
        ng.wait_for("the rest", lambda: not any(map(ng.alive, below)))
        os.close(read)


def run(*arguments, **kw):
    argv = [ng.program("net-gazer"), "--libexec-dir", ng.BUILD, "--plugin-dir", ng.BUILD / "plugins", *arguments]
    return subprocess.run([str(a) for a in argv], capture_output=True, text=True, check=False, timeout=60, **kw)


def test_token_file(tmp_path):
    """Readable by others: refused, with the command that mends it."""
    token = tmp_path / "token"
    url = ("-n", "-c", "/dev/null", "--collector-url", "https://c.example/", "--collector-token-file", token)
    done = run(*url)
    assert done.returncode == 1 and f"{token}: No such file" in done.stderr
    token.write_text("secret\n", encoding="ascii")
    for mode, good in ((0o644, False), (0o640, False), (0o600, True), (0o400, True)):
        token.chmod(mode)
        done = run(*url)
        assert (done.returncode == 0) == good, done.stderr
        assert good or f"chmod 600 {token}" in done.stderr
    done = run("-n", "-c", "/dev/null", "--collector-url", "https://c.example/", "--collector-token-file", tmp_path)
    assert done.returncode == 1 and "no regular file" in done.stderr


def test_user():
    done = run("-n", "-c", "/dev/null", "--user", "no-such-user-here")
    assert done.returncode == 1 and "no-such-user-here" in done.stderr
    done = run("-n", "-c", "/dev/null", "--user", "root")
    assert done.returncode == 1 and "must not be root" in done.stderr


def test_check_leaves_nothing(tmp_path):
    """-n makes no output file, binds nothing, and tells a plugin that cannot be loaded by its status."""
    out = tmp_path / "out"
    done = run("-n", "-c", "/dev/null", "--output", out)
    assert done.returncode == 0 and not out.exists()
    done = run("-n", "-c", "/dev/null", "--plugins", "handshake,no-such-plugin")
    assert done.returncode == 1 and "no-such-plugin" in done.stderr
    done = run("-n", "-c", "/dev/null", "--plugins", "no-such-plugin")
    assert done.returncode == 1 and "nothing to report with" in done.stderr
    done = run("-n", "-c", "/dev/null", "--libexec-dir", tmp_path)
    assert done.returncode == 1 and f"{tmp_path}/analyzer" in done.stderr


def test_replay_without_rights(tmp_path):
    """-r as nobody, from a file and from stdin: the same reports; a missing file is an error."""
    capture = sorted((ng.TOP / "tests/replay").glob("*.pcap"))[0]
    os.chmod(tmp_path, 0o755)
    copy = tmp_path / "capture.pcap"
    copy.write_bytes(capture.read_bytes())
    root = run("-c", "/dev/null", "-r", copy)
    assert root.returncode == 0, root.stderr
    assert '"type":"stat"' in root.stdout
    with open(copy, "rb") as f:
        piped = run("-c", "/dev/null", "-r", "-", stdin=f)
    assert piped.returncode == 0, piped.stderr
    done = run("-c", "/dev/null", "-r", tmp_path / "missing")
    assert done.returncode == 1 and "missing: No such file" in done.stderr
