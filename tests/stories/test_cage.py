# SPDX-License-Identifier: GPL-2.0-or-later
r"""An attacker has taken over the analyzer: tests/plugin/evil.c runs where his code would.

      lan ---- rtr (net-gazer: handshake, evil) ---- wan :80, :666 (try all), :601 to :605 (what it is killed for)

He sees copies of packets and can lie in his own reports; nothing else.
"""
import errno
import os
import pathlib

from lib import net, ng
from lib.sensor import Sensor

HERE = ng.TOP / "tests/plugin"


def build(folder):
    include = folder / "include/net-gazer"
    include.mkdir(parents=True)
    (include / "plugin.h").symlink_to(ng.TOP / "src/plugin.h")
    path = ng.compile_c(HERE / "evil.c", folder / "evil.so", "-fPIC", "-shared", f"-I{folder / 'include'}")
    path.chmod(0o755)
    return path


def knock(r, s, port, wait=True):
    came, sport = net.connect(r.lan, r.WAN4, port)
    assert came == "ok"
    if wait:
        s.wait_reports(1, type="conn", src_port=sport, dst_port=port)


def again(r, s, pid):
    """Another analyzer than pid reports."""
    ng.wait_for(lambda: f"another analyzer than {pid}\n{s.log()}", lambda: s.worker("analyzer") != pid)

    def one():
        _, sport = net.connect(r.lan, r.WAN4, 80)
        try:
            return s.wait_reports(1, type="conn", src_port=sport, deadline_s=2)
        except AssertionError:
            return None
    ng.wait_for(lambda: f"reports to go on\n{s.log()}", one)


def seccomp(pid):
    status = pathlib.Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    return dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)


def test_taken_over(tmp_path):
    """All that he tries fails with an error, or ends the analyzer; rules, groups and processes stay as they were,
    packets go on coming, and the other plugin's output is what it was."""
    plugin = build(tmp_path)
    with net.Router() as r, net.Server(r.wan, 80, 666, 601, 602, 603, 604), Sensor(
            r.rtr, tmp_path, plugins=["handshake", str(plugin)], runtime_dir=str(tmp_path / "run")) as s:
        knock(r, s, 80)
        before = {p: n for p, n in s.processes().items() if n != "analyzer"}
        rules, groups, others = s.table().count("log group"), s.groups(), r.rtr.run("nft", "list", "ruleset").stdout.count("table")
        knock(r, s, 666)
        data = s.wait_reports(1, type="plugin", plugin="evil")[0]["data"]
        print(", ".join(f"{name}: {errno.errorcode.get(e, e)}" for name, e in data.items()))
        assert len(data) == 22
        allowed = [name for name, e in data.items() if e == 0]
        # Where the kernel cannot forbid it (before Linux 6.3) there is still no file to map.
        assert set(allowed) <= {"writable_code"}, f"he could {allowed}"
        knock(r, s, 80)
        for port, what in ((601, "execve"), (602, "ptrace"), (603, "unshare"), (604, "process_vm_writev")):
            pid = s.worker("analyzer")
            knock(r, s, port, wait=False)
            again(r, s, pid)
            assert "plugin evil crashed in event conn (signal 31" in s.log(), (what, s.log())
        assert s.log().count("signal 31") == 4
        assert {p: n for p, n in s.processes().items() if n != "analyzer"} == before
        assert s.table().count("log group") == rules and s.groups() == groups
        assert r.rtr.run("nft", "list", "ruleset").stdout.count("table") == others, "the router's own tables"
        assert not os.path.exists("/tmp/evil") and not os.path.exists("/tmp/evil.sock")
        for pid, name in s.processes().items():
            has = seccomp(pid)
            assert (has["Seccomp"].strip(), has["NoNewPrivs"].strip()) == ("2", "1"), name
            if pid != s.process.pid and name != "net-gazer":
                assert int(has["CapEff"], 16) == int(has["CapBnd"], 16) == 0, name
        s.stop()


def test_nonsense_in_the_shared_page(tmp_path):
    """He fills what he shares with the parent with ones, and sends it nonsense: it goes on, and so does the next
    analyzer; only numbers of his own are wrong."""
    plugin = build(tmp_path)
    with net.Router() as r, net.Server(r.wan, 80, 605), Sensor(
            r.rtr, tmp_path, plugins=["handshake", str(plugin)], runtime_dir=str(tmp_path / "run")) as s:
        knock(r, s, 80)
        pid = s.worker("analyzer")
        knock(r, s, 605, wait=False)
        ng.wait_for(lambda: f"another analyzer\n{s.log()}", lambda: s.worker("analyzer") != pid)
        size = s.out_path.stat().st_size

        def more():
            net.connect(r.lan, r.WAN4, 80)
            return s.out_path.stat().st_size > size
        ng.wait_for(lambda: f"reports to go on\n{s.log()}", more, every_s=0.2)
        assert s.process.poll() is None
        assert ng.stop(s.process) == 0, s.log()
        assert s.gone()
