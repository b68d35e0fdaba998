# SPDX-License-Identifier: GPL-2.0-or-later
r"""Never in the path: processes of ours are stopped and killed while traffic passes.

      lan (ping, TCP, synflood) ---- lan0 rtr wan0 ---- wan

ping counts: not one packet of a user may be lost, whatever happens to us.
"""
import concurrent.futures
import os
import signal
import time

import pytest

from lib import net, ng, wire
from lib.sensor import Sensor
from lib.users import Users


def fresh(s, r):
    """A new connection comes out as a report: the sensor is alive (and everything before it was read)."""
    with net.Server(r.wan, 443):
        def one():
            came, port = net.connect(r.lan, r.WAN4, 443)
            assert came == "ok"
            return ng.wait_for("it", lambda: s.reports(type="conn", dst_port=443, src_port=port), deadline_s=3)

        def some():
            try:
                return one()
            except AssertionError:
                return None
        return ng.wait_for(lambda: f"a fresh report\n{s.log()[-3000:]}", some)


def pid_of(s, name):
    """The parent, the analyzer, or the writer (which is the parent's program, forked)."""
    return s.process.pid if name == "parent" else s.worker("net-gazer" if name == "writer" else name)


@pytest.mark.parametrize("name", ["parent", "analyzer", "writer"])
def test_stopped(tmp_path, name):
    """SIGSTOP under load, then SIGCONT: users notice nothing, and every packet is accounted for."""
    with net.Router(filtered=False) as r, Sensor(r.rtr, tmp_path, handshake_limit=100000) as s:
        pid = pid_of(s, name)
        with Users(r, tmp_path) as users:
            before = s.logged()
            os.kill(pid, signal.SIGSTOP)
            ng.wait_for("packets while it is stopped", lambda: s.logged() > before + 2000)
            os.kill(pid, signal.SIGCONT)
        users.check()
        fresh(s, r)
        s.stop()


def test_analyzer_killed(tmp_path):
    """SIGKILL three times: it comes back, numbers go on, what was lost is in the ledger."""
    with net.Router(filtered=False) as r, Sensor(r.rtr, tmp_path, handshake_limit=100000) as s:
        fresh(s, r)
        groups, rules = s.groups(), s.table().count("log group")
        with Users(r, tmp_path) as users:
            for _ in range(3):
                pid, top = s.worker("analyzer"), s.reports()[-1]["seq"]
                os.kill(pid, signal.SIGKILL)
                ng.wait_for(lambda p=pid: f"another analyzer than {p}\n{s.log()}", lambda p=pid: s.worker("analyzer") != p)
                assert s.groups() == groups and s.table().count("log group") == rules, "rules and groups stay"
                fresh(s, r)
                assert s.reports()[-1]["seq"] > top
        users.check()
        assert s.process.poll() is None
        found = s.stop()
    last = found[-1]
    assert last["gap"] + last["in_hand"] <= 3 * 64 * len(groups) + 64, "more than the batch in hand was lost"
    assert "analyzer" in s.log()
    seqs = [f["seq"] for f in found]
    print(f"{len(seqs)} reports, seq {seqs[0]} to {seqs[-1]}, gap {last['gap']}, in hand {last['in_hand']}")


def test_open_handshakes(tmp_path):
    """Two handshakes are open while the analyzer changes.  Through a reload nothing of them is lost; behind a kill there is no orphan, and
    no RTT that may be a wrong one."""
    slow = {443: wire.Answer(delay_s=0.9), 444: wire.Answer(delay_s=2)}
    with net.Router() as r, wire.Responder(r.wan, "eth0", slow) as far, Sensor(r.rtr, tmp_path, plugins=["handshake"]) as s:
        def both(change, all_known):
            seen, before = len(far.seen), len(s.reports(type="conn"))
            with concurrent.futures.ThreadPoolExecutor() as pool:
                clients = [pool.submit(net.connect, r.lan, net.FAR4 + "9", port, timeout_s=10) for port in slow]
                ng.wait_for("their SYNs", lambda: len(far.seen) >= seen + 2)
                time.sleep(0.3)  # the kernel hands packets on within 100 ms
                change()
                assert [c.result()[0] for c in clients] == ["ok", "ok"]
            if all_known:
                s.wait_reports(before + 2, type="conn")
            time.sleep(1.5)  # an orphan is known after a second
            return {c["dst_port"]: c for c in s.reports(type="conn")[before:]}, len(s.reports(type="conn")) - before

        found, n = both(lambda: s.process.send_signal(signal.SIGHUP), True)
        assert n == 2 and "configuration reloaded" in s.log()
        for port, answer in slow.items():
            c = found[port]
            assert c["state"] == "answered" and c["setup_us"] >= answer.delay_s * 1e6 and "loss" not in c, c
        assert c["syn_retrans"] >= 1 and "rtt_us" not in c and c["rtt_ambiguous_us"] <= c["setup_us"] - 900000

        found, n = both(lambda: os.kill(s.worker("analyzer"), signal.SIGKILL), False)
        assert n == len(found)
        for port, c in found.items():  # the retransmitted SYN's, unless this machine is slow
            whole_us = slow[port].delay_s * 1e6
            assert c["state"] == "answered" and c.get("rtt_us", whole_us) >= whole_us, c
            assert c.get("loss") or c["setup_us"] >= whole_us, c
        s.stop(quiet=False)


def test_writer_killed(tmp_path):
    """SIGKILL of the process that writes reports out: it comes back, lines stay whole, none comes twice."""
    with net.Router(filtered=False) as r, Sensor(r.rtr, tmp_path, handshake_limit=100000) as s:
        fresh(s, r)
        with Users(r, tmp_path) as users:
            for _ in range(3):
                pid = pid_of(s, "writer")
                os.kill(pid, signal.SIGKILL)
                ng.wait_for(lambda p=pid: f"another writer than {p}\n{s.log()}", lambda p=pid: pid_of(s, "writer") != p)
                fresh(s, r)
        users.check()
        s.stop()


def test_parent_killed(tmp_path):
    """SIGKILL of the parent: no rule, no group, no process stays; users notice nothing."""
    with net.Router(filtered=False) as r, Sensor(r.rtr, tmp_path, handshake_limit=100000) as s:
        fresh(s, r)
        below = set(s.processes())
        with Users(r, tmp_path) as users:
            s.process.kill()
            s.process.wait()
            ng.wait_for(lambda: f"the table to go\n{s.table()}", lambda: r.rtr.run(
                "nft", "list", "table", "inet", "net_gazer").returncode != 0)
            ng.wait_for(lambda: f"the processes to end {[p for p in below if ng.alive(p)]}",
                        lambda: not any(map(ng.alive, below)))
            ng.wait_for(lambda: f"the groups to be free {s.groups()}", lambda: not s.groups())
        users.check()
        # What it had reported is whole, and a new one can start at once.
        s.reports()
        s.start()
        fresh(s, r)
        s.stop()
