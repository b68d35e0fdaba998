# SPDX-License-Identifier: GPL-2.0-or-later
r"""Somebody changes the firewall under the running sensor.

      lan (clients) ---- lan0 rtr (net-gazer, nft) wan0 ---- wan :80

Noticed at once (the counters are only read every 10 s), the culprit named, the ledger exact.
"""
import os
import pathlib
import re
import signal
import subprocess
import time

from lib import net, ng
from lib.sensor import Sensor

FILE = ng.TOP / "nft/net-gazer.nft"
SOON_S = 5  # far less than the 10 s after which the counters would show it


def connect(r, s, n=1):
    """n connections are reported."""
    before = len(s.reports(type="conn"))
    for _ in range(n):
        assert net.connect(r.lan, r.WAN4, 80)[0] == "ok"
    s.wait_reports(before + n, type="conn", deadline_s=20)


def nft(r, *words, text=None):
    """Runs nft; its pid."""
    p = r.rtr.popen(["nft", *words], stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    _, err = p.communicate(text)
    assert p.returncode == 0, err
    return p.pid


def table_text(s):
    return re.sub(r"packets \d+ bytes \d+", "", s.table())


def told(s, text):
    """Seconds until the log has it."""
    start = time.monotonic()
    ng.wait_for(lambda: f"{text!r} in the log\n{s.log()}", lambda: text in s.log(), deadline_s=SOON_S, every_s=0.01)
    return time.monotonic() - start


def cpu_ms(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) * 1000 // os.sysconf("SC_CLK_TCK")


def calm(*sensors, for_s=2):
    """Less than one per cent of a CPU, and hardly a word."""
    before = [(cpu_ms(s.process.pid), s.log().count("\n")) for s in sensors]
    time.sleep(for_s)
    for s, (cpu, lines) in zip(sensors, before):
        assert cpu_ms(s.process.pid) - cpu <= 10 * for_s, s.log()
        assert s.log().count("\n") - lines <= for_s


def exact(found, handshakes):
    last = found[-1]
    assert last["seen"] == last["logged"] == last["received"] == 2 * handshakes, last
    assert last["gap"] == 0


def test_own_is_left_alone(tmp_path):
    """With the owner flag: `nft flush ruleset`, OpenWrt's way of deleting each table, a ruleset loaded over it:
    nothing of ours goes, no packet is lost, and there is nothing to say."""
    ng.needs_kernel("nft owner flag")
    with net.Router(filtered=False) as r, net.Server(r.wan, 80), Sensor(r.rtr, tmp_path, plugins=["handshake"]) as s:
        for i in range(10):
            connect(r, s)
            nft(r, "flush", "ruleset")
            assert r.rtr.run("nft", "delete", "table", "inet", "net_gazer").returncode != 0
            nft(r, "-f", "-", text=f"table inet other {{ chain c{i} {{ type filter hook forward priority 0; }}; }}")
        calm(s)
        assert "table inet net_gazer" not in s.log()
        exact(s.stop(), 10)


def test_own_is_put_back(tmp_path):
    """Without it (an old kernel, rules-owner = no): the rules are back at once, nothing that was counted is
    forgotten; a table that is taken away again and again is given up, with a name."""
    with net.Router(filtered=False) as r, net.Server(r.wan, 80), Sensor(
            r.rtr, tmp_path, plugins=["handshake"], rules_owner=False) as s:
        connect(r, s, 3)
        pid = nft(r, "flush", "ruleset")
        took = told(s, f"the rules were changed by nft (pid {pid}); installing them again")
        ng.wait_for("the rules", lambda: s.table().count("log group") > 0, deadline_s=SOON_S)
        connect(r, s, 3)
        # One chain that is empty is as bad as a table that is gone.
        pid = nft(r, "flush", "chain", "inet", "net_gazer", "forward")
        told(s, f"by nft (pid {pid})")
        ng.wait_for("the rules", lambda: "chain forward" in s.table() and re.search(
            r"chain forward \{[^}]*log group", s.table()), deadline_s=SOON_S)
        connect(r, s, 3)
        for _ in range(3):
            ng.wait_for("the rules", lambda: s.table().count("log group") > 0)
            pid = nft(r, "delete", "table", "inet", "net_gazer")
            told(s, f"by nft (pid {pid})")
        ng.wait_for("the rules", lambda: s.table().count("log group") > 0)
        pid = nft(r, "delete", "table", "inet", "net_gazer")
        told(s, f"the rules were changed by nft (pid {pid}) 6 times in a row: given up")
        calm(s)
        s.process.send_signal(signal.SIGHUP)
        ng.wait_for("SIGHUP to bring them back", lambda: s.table().count("log group") > 0)
        connect(r, s, 3)
        exact(s.stop(), 12)
    print(f"flush noticed after {took * 1000:.0f} ms")


def test_own_is_not_edited(tmp_path):
    """A verdict of somebody else's in our table, home networks taken away, a chain that drops: undone, nothing forgotten."""
    with net.Router(filtered=False) as r, net.Server(r.wan, 80), Sensor(
            r.rtr, tmp_path, plugins=["handshake"], rules_owner=False) as s:
        for change in (["add", "rule", "inet", "net_gazer", "forward", "drop"], ["flush", "set", "inet", "net_gazer", "home4"],
                       ["add", "chain", "inet", "net_gazer", "mine", "{ type filter hook forward priority 0; policy drop; }"]):
            was = table_text(s)
            pid = nft(r, *change)
            told(s, f"by nft (pid {pid})")
            ng.wait_for(lambda c=change: f"{c} to be undone\n{s.table()}", lambda w=was: table_text(s) == w, deadline_s=SOON_S)
            connect(r, s)
        exact(s.stop(), 3)


def test_included_rules(tmp_path):
    """Loaded by the administrator: replaced 100 times under load, the ledger stays exact, because the kernel
    tells what each counter held when it went; deleted, it is told by whom; back, it goes on."""
    with net.Router(filtered=False) as r, net.Server(r.wan, 80):
        nft(r, "-f", FILE)
        with Sensor(r.rtr, tmp_path, plugins=["handshake"], rules="include") as s:
            for _ in range(25):
                connect(r, s)
                for _ in range(4):
                    nft(r, "-f", FILE)
            pid = nft(r, "delete", "table", "inet", "net_gazer")
            took = told(s, f"the rules are not complete any more, changed by nft (pid {pid}): there is no table")
            assert "nft -f" in s.log()
            calm(s)
            assert s.process.poll() is None
            pid = nft(r, "-f", FILE)
            told(s, f"the rules are complete again, changed by nft (pid {pid})")
            connect(r, s, 5)
            # The way to them is gone.
            pid = nft(r, "flush", "chain", "inet", "net_gazer", "hook_forward")
            took_door = told(s, f"the rules are not complete any more, changed by nft (pid {pid}): table inet net_gazer "
                             "logs to group 100 (handshake), but nothing from chain forward")
            pid = nft(r, "-f", FILE)
            told(s, f"the rules are complete again, changed by nft (pid {pid})")
            # Only a part of them is gone: which.
            pid = nft(r, "flush", "chain", "inet", "net_gazer", "forward")
            told(s, f"changed by nft (pid {pid}): table inet net_gazer logs to group 100 (handshake), but nothing from chain forward")
            pid = nft(r, "flush", "chain", "inet", "net_gazer", "input")
            told(s, f"changed by nft (pid {pid}): table inet net_gazer has no rule that logs to group 100 (handshake)")
            nft(r, "-f", FILE)
            connect(r, s, 5)
            assert ng.stop(s.process) == 0
            found = s.reports()
        nft(r, "delete", "table", "inet", "net_gazer")
    exact(found, 35)
    print(f"deletion noticed after {took * 1000:.0f} ms, a chain's after {took_door * 1000:.0f} ms")


def test_two_daemons(tmp_path):
    """The second says who has the groups, or the table, and ends; the first does not notice.  Where they can
    take one another's table away, they do so a bounded number of times."""
    (tmp_path / "two").mkdir()
    with net.Router(filtered=False) as r, net.Server(r.wan, 80), Sensor(r.rtr, tmp_path, plugins=["handshake"]) as one:
        for options, needle in (({}, f"is net-gazer running already|group 100 is taken by pid {one.process.pid} "),
                                ({"nflog_group": 200}, rf"belongs to a running process \(netlink port {one.process.pid},")):
            two = Sensor(r.rtr, tmp_path / "two", plugins=["handshake"], **options)
            two.write_config()
            done = r.rtr.run(*two.argv(), stdin=subprocess.DEVNULL, timeout=60)
            assert done.returncode == 1 and re.search(needle, done.stderr), done.stderr
        calm(one)
        connect(r, one, 2)
        exact(one.stop(), 2)


def test_fighting_daemons(tmp_path):
    """Two that take one another's table away, each with groups of its own: both give up soon, and rest."""
    folders = [tmp_path / "one", tmp_path / "two"]
    with net.Router(filtered=False) as r:
        sensors = []
        try:
            for i, folder in enumerate(folders):
                folder.mkdir()
                s = Sensor(r.rtr, folder, plugins=["handshake"], rules_owner=False, nflog_group=100 + 100 * i)
                s.__enter__()
                sensors.append(s)
            ng.wait_for(lambda: "one to give up\n" + "\n".join(s.log() for s in sensors),
                        lambda: any("net-gazer (pid" in s.log() and "given up" in s.log() for s in sensors))
            calm(*sensors)
            for s in sensors:
                assert ng.stop(s.process) == 0
        finally:
            for s in sensors:
                s.kill()


def test_tail(tmp_path):
    """The reader stands still and the kernel's buffer overruns: no sequence number shows what was lost last,
    the rules' counters do, within 10 s; with the next packet it becomes a gap."""
    program = ng.compile_c(ng.TOP / "tests/lib/synflood.c", tmp_path / "synflood", "-D_GNU_SOURCE")
    with net.Router(filtered=False) as r, net.Server(r.wan, 80), Sensor(
            r.rtr, tmp_path, plugins=["handshake"], handshake_limit=1000000, receive_buffer=212992) as s:
        connect(r, s)
        pid = s.worker("analyzer")
        os.kill(pid, signal.SIGSTOP)
        # Whole batches only, 64 packets each: what is left of one would come by itself and show the gap.
        before = s.logged()
        done = r.lan.run(program, "-i", "eth0", "-D", r.MAC["rtr-lan"], "-n", 20032, "-f", 0)
        assert done.returncode == 0, done.stderr
        sent = ng.wait_for("the flood to pass", lambda: s.logged() - before)
        time.sleep(0.5)
        os.kill(pid, signal.SIGCONT)
        start = time.monotonic()
        ng.wait_for(lambda: f"the loss to be shown\n{s.stat()}", lambda: s.stat()["gap"] + s.stat()["tail"] > sent // 2,
                    deadline_s=20)
        took, seen = time.monotonic() - start, s.stat()
        assert seen["logged"] == seen["received"] + seen["gap"] + seen["tail"]
        connect(r, s)
        last = s.stop()[-1]
    assert last["tail"] == 0 and last["gap"] == seen["gap"] + seen["tail"]
    print(f"of {sent} packets {seen['gap']} were lost in front of one that came, {seen['tail']} behind the last; "
          f"shown after {took:.1f} s")
