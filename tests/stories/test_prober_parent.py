# SPDX-License-Identifier: GPL-2.0-or-later
r"""The prober under its parent: killed, stopped and hung while people's packets pass; budgets that outlive it;
answers in front of a firewall that drops everything; no trace of traces in conntrack.

      lan ---- lan0 rtr wan0 ---- wan -+- 20.0.0.0/24, 20.0.2.0/24, 2a01:4f8:2::/48   its own: the port is open
               net-gazer               +- 20.0.1.0/24, 2a01:4f8:1::/48               behind it: nothing answers there

rtr's own filter lets nothing in but what conntrack calls established or related.  A path to what is wan's own
has one hop, the destination; to what is behind it one hop that answers, wan.
"""
import contextlib
import os
import re
import shutil
import signal
import socket
import subprocess

import pytest

from lib import net, ng, prober, report
from lib.sensor import Sensor
from lib.users import Users

NEAR4, NEAR6, BEHIND4, BEHIND6 = "20.0.0.1", "2a01:4f8:2::1", "20.0.1.1", "2a01:4f8:1::1"
PORT = 80


@contextlib.contextmanager
def network():
    with net.Router(filtered=False) as r:
        r.wan.sysctl(ipv4__ip_forward=1, ipv6__conf__all__forwarding=1, ipv4__icmp_ratelimit=0, ipv6__icmp__ratelimit=0)
        r.wan.ip("""link add d0 type veth peer d1
            link set d0 up
            link set d1 up
            route add local 20.0.0.0/24 dev lo
            route add local 20.0.2.0/24 dev lo
            addr add 2a01:4f8:2::1/48 dev lo nodad
            route add 20.0.1.0/24 dev d0
            route add 2a01:4f8:1::/48 dev d0""")
        r.wan.nft("table inet end { chain forward { type filter hook forward priority filter; policy drop; }; }\n")
        r.rtr.nft("""table inet closed {
            chain input {
                type filter hook input priority filter; policy drop
                ct state established,related accept
                icmp type echo-request accept
                icmpv6 type { echo-request, nd-neighbor-solicit, nd-neighbor-advert } accept
            }
        }""")
        yield r


class Probing(Sensor):
    def __init__(self, r, folder, **options):
        super().__init__(r.rtr, folder, **{"prober": "yes", "runtime_dir": folder / "run", "probe_rate": 1000,
                                           "trace_rate": 1000, "verbose": 3, **options})
        self.socket = folder / "run" / "prober.sock"

    def start(self):
        super().start()
        self.ready_prober()

    def ready_prober(self, other_than=0):
        """The pid of one that reads requests."""
        def found():
            pids = [p for p, n in self.processes().items() if n == "prober" and p != other_than]
            return [p for p in pids if f"prober (pid {p}) is ready" in self.log()]
        return ng.wait_for(lambda: f"a prober\n{self.log()[-3000:]}", found)[0]

    @contextlib.contextmanager
    def asker(self):
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as sock:
            sock.connect(str(self.socket))
            yield prober.Asker(sock)

    def traced(self, address, port=PORT, **kw):
        with self.asker() as a:
            return a.trace(address, dport=port, **{"flags": prober.FRESH, **kw})


def known(found):
    return {h.ttl: h.ip for h in found.hops if h.ip}


def check_near(s, address=NEAR4, **kw):
    found = s.traced(address, **kw)
    assert found.status == prober.DONE and found.reached and set(known(found).values()) == {address}, (found, s.log()[-3000:])


def check_behind(s, r, address=BEHIND4, **kw):
    found = s.traced(address, **kw)
    assert found.status == prober.DONE and not found.reached, (found, s.log()[-3000:])
    assert known(found) == {1: r.WAN6 if ":" in address else r.WAN4}, (found, s.log()[-3000:])


def tracked(r):
    """Entries in the router's conntrack."""
    return int(r.rtr.run("cat", "/proc/sys/net/netfilter/nf_conntrack_count").stdout)


def include(path, text=None):
    """The administrator's file; with it the sensor is in include mode."""
    path.write_text(text or (ng.TOP / "nft/net-gazer.nft").read_text(encoding="ascii"), encoding="ascii")
    return path


@pytest.mark.parametrize("rules", ["own", "include"])
def test_through_a_closed_firewall(tmp_path, rules):
    """Each kind of probe in both families: the input filter drops the answers, they are read all the same.  What
    we send is neither tracked, nor reported as a connection, nor in the analyzer's ledger."""
    with network() as r, net.Server(r.wan, PORT):
        if rules == "include":
            r.rtr.run("nft", "-f", include(tmp_path / "rules.nft"))
        with Probing(r, tmp_path, rules=rules) as s:
            before = tracked(r)
            for method in ("tcp", "udp", "icmp"):
                for address in (NEAR4, NEAR6):
                    check_near(s, address, method=method)
                for address in (BEHIND4, BEHIND6):
                    check_behind(s, r, address, method=method)
            assert tracked(r) == before
            counters = s.counters()
            assert counters["probe_seen"] == counters["probe_logged"] >= 12
            assert counters["output_seen"] == counters["handshake_seen"] == 0, counters
            # It can be seen where it would be: a connection of the router's own is tracked and mirrored.
            with s.ns:
                assert net.connect(r.rtr, NEAR4, PORT)[0] == "ok"
            assert tracked(r) > before and s.counters()["output_seen"] > 0
            s.wait_reports(1, type="conn")
            if rules == "include":
                assert ng.stop(s.process) == 0
                found = s.reported(quiet=True)
            else:
                found = s.stop()
        assert {c["dst_port"] for c in report.pick(found, type="conn")} == {PORT} and len(report.pick(found, type="conn")) == 1
        assert not report.pick(found, type="attempt")
        assert not {g["group"] for g in found[-1]["groups"]} & {104}
        if rules == "include":
            r.rtr.run("nft", "delete", "table", "inet", "net_gazer")


@pytest.mark.parametrize("how", ["killed", "stopped"])
def test_users_notice_nothing(tmp_path, how):
    """kill -9 three times, or SIGSTOP, under load: it comes back, no user's packet is lost, groups and rules stay."""
    with network() as r, net.Server(r.wan, PORT + 1), Probing(r, tmp_path, handshake_limit=100000) as s:
        groups, rules, analyzer = s.groups(), s.table().count("log group"), s.worker("analyzer")
        check_near_port(s)
        with Users(r, tmp_path) as users:
            for _ in range(3 if how == "killed" else 1):
                pid = s.ready_prober()
                with s.asker() as a:
                    for host in range(1, 60):  # under way when it happens
                        a.ask(f"20.0.1.{host}", dport=PORT)
                    if how == "killed":
                        os.kill(pid, signal.SIGKILL)
                        assert s.ready_prober(other_than=pid) != pid
                        check_near_port(s)
                    else:
                        before = s.logged()
                        os.kill(pid, signal.SIGSTOP)
                        ng.wait_for("packets while it is stopped", lambda b=before: s.logged() > b + 2000)
                        os.kill(pid, signal.SIGCONT)
                        check_near_port(s)
        users.check()
        assert s.groups() == groups and s.table().count("log group") == rules and s.worker("analyzer") == analyzer
        if how == "killed":
            assert s.log().count("prober ended (signal 9 (Killed)); restarting in ") == 3
        s.stop()
        assert not s.socket.exists() and (tmp_path / "run/budgets").exists()


def check_near_port(s):
    found = s.traced(NEAR4, PORT + 1)
    assert found.status == prober.DONE and found.reached, (found, s.log()[-3000:])


def test_hung(tmp_path):
    """One whose heart does not beat is killed, named, and started again; what people asked meanwhile waits for
    the next one."""
    with network() as r, net.Server(r.wan, PORT), Probing(r, tmp_path) as s:
        pid = s.ready_prober()
        os.kill(pid, signal.SIGSTOP)
        with s.asker() as a:  # the socket is the parent's: connections are taken all the time
            a.ask(NEAR4, dport=PORT)
            ng.wait_for(lambda: f"it to be killed\n{s.log()[-3000:]}", lambda: "prober hung (signal 9 (Killed))" in s.log(),
                        deadline_s=120)
            found = a.result()
        assert found.reached and s.ready_prober(other_than=pid) != pid
        check_near(s)
        s.stop()


def test_parent_killed(tmp_path):
    """SIGKILL of the parent: the prober goes with it, no rule and no group stays, and the next one takes the folder
    and the socket that were left."""
    with network() as r, net.Server(r.wan, PORT), Probing(r, tmp_path) as s:
        check_near(s)
        below = set(s.processes())
        s.process.kill()
        s.process.wait()
        ng.wait_for(lambda: f"the table to go\n{s.table()}", s.gone)
        ng.wait_for("the processes to end", lambda: not any(map(ng.alive, below)))
        assert s.socket.exists()
        s.start()
        check_near(s)
        s.stop()


def test_budgets_are_kept(tmp_path):
    """Three traces a day into a /24, whoever dies in between; another /24 has its own."""
    with network() as r, net.Server(r.wan, PORT), Probing(r, tmp_path, prefix_budget=3) as s:
        for host in (1, 2):
            check_near(s, f"20.0.0.{host}")
        pid = s.ready_prober()
        os.kill(pid, signal.SIGKILL)
        s.ready_prober(other_than=pid)
        check_near(s, "20.0.0.3")
        assert s.traced("20.0.0.4").status == prober.BUDGET
        os.kill(s.ready_prober(), signal.SIGKILL)
        ng.wait_for("another", lambda: s.log().count("prober ended") == 2)
        ng.wait_for("it", lambda: s.log().count("is ready") == 4)  # with the analyzer
        assert s.traced("20.0.0.5").status == prober.BUDGET
        check_near(s, "20.0.2.1")
        s.stop()
        s.start()
        assert s.traced("20.0.0.6").status == prober.BUDGET
        check_near(s, "20.0.2.2")
        s.stop()


def reload(s, says="configuration reloaded", **options):
    before = s.log().count(says)
    s.write_config(**options)
    s.process.send_signal(signal.SIGHUP)
    ng.wait_for(lambda: f"{says}\n{s.log()}", lambda: s.log().count(says) > before)


def test_reload(tmp_path):
    """It goes on when nothing of its own changed, follows its options, ends and comes back."""
    with network() as r, net.Server(r.wan, PORT), Probing(r, tmp_path) as s:
        pid = s.ready_prober()
        reload(s, flows=2048)
        check_near(s)
        assert s.ready_prober() == pid
        reload(s, trace_exclude=["20.0.0.0/24"])
        pid = s.ready_prober(other_than=pid)
        assert s.traced(NEAR4).status == prober.EXCLUDED
        reload(s, prober="no", trace_exclude=[])
        ng.wait_for("its end", lambda: not ng.alive(pid))
        assert not s.socket.exists() and "probe_answers" not in s.table()
        reload(s, prober="yes")
        s.ready_prober(other_than=pid)
        check_near(s)
        for name, value in (("probe_mark", 0x4d000000), ("runtime_dir", "/run/elsewhere")):
            was = s.options[name.replace("_", "-")] if name == "runtime_dir" else 0x4e000000
            reload(s, says="cannot be changed while net-gazer runs", **{name: value})
            s.write_config(**{name: was})
        s.stop()


def test_no_sockets(tmp_path):
    """prober = no opens none; asking for one later is answered with what to do, and the rest goes on."""
    with network() as r, Sensor(r.rtr, tmp_path, prober="no", runtime_dir=tmp_path / "run") as s:
        assert [p.name for p in (tmp_path / "run").iterdir()] == ["control.sock"]
        reload(s, prober="yes")
        assert re.search(r"no prober, .*restart net-gazer", s.log()), s.log()
        assert "prober" not in s.processes().values() and "probe_answers" not in s.table()
        s.stop()


def test_without_the_right(tmp_path):
    """Root without CAP_NET_RAW: one line that says so; connections are reported as ever."""
    with network() as r, net.Server(r.wan, PORT):
        s = Sensor(r.rtr, tmp_path, prober="yes", runtime_dir=tmp_path / "run")
        argv = s.argv
        s.argv = lambda: ["setpriv", "--bounding-set", "-net_raw", "--inh-caps", "-net_raw", *argv()]
        with s:
            ng.wait_for("it runs", lambda: " runs: " in s.log())
            said = [line for line in s.log().splitlines() if "no prober" in line]
            assert len(said) == 1 and "CAP_NET_RAW" in said[0], s.log()
            assert "prober" not in s.processes().values() and "probe_answers" not in s.table()
            assert net.connect(r.lan, NEAR4, PORT)[0] == "ok"
            s.wait_reports(1, type="conn")
            s.stop()


def older(text):
    """The file of a version that knew no prober."""
    text = re.sub(r"\tchain probe_output .*?\n\t}\n\tchain probe_answers .*?\n\t}\n"
                  r"\tchain hook_probe_answers .*?\n\t}\n", "", text, flags=re.S)
    text = re.sub(r"\tcounter probe_\w+ \{ \}\n", "", text)
    return re.sub(r'meta mark != 0x4e000000 |tcp dport < 64512 ', "", text)


def without_jumps(text):
    """The file of a version whose chains had the hooks themselves."""
    for name, hook in re.findall(r"\tchain hook_(\w+) \{\n(\t\ttype .*\n)", text):
        text = re.sub(rf"\tchain hook_{name} .*?\n\t}}\n", "", text, flags=re.S)
        text = text.replace(f"\tchain {name} {{\n", f"\tchain {name} {{\n{hook}")
    return text


def test_file_without_jumps(tmp_path):
    """It goes on working as it did; and this version's takes its place under the running sensor."""
    text = without_jumps((ng.TOP / "nft/net-gazer.nft").read_text(encoding="ascii"))
    assert "jump" not in re.sub("#.*", "", text) and "hook_" not in re.sub("#.*", "", text)
    with network() as r, net.Server(r.wan, PORT):
        r.rtr.run("nft", "-f", include(tmp_path / "rules.nft", text))
        with Probing(r, tmp_path, rules="include") as s:
            for n, file in enumerate((tmp_path / "rules.nft", ng.TOP / "nft/net-gazer.nft"), 1):
                assert r.rtr.run("nft", "-f", file).returncode == 0
                assert net.connect(r.lan, NEAR4, PORT)[0] == "ok"
                s.wait_reports(n, type="conn")
                assert net.connect(r.wan, r.OUT4, PORT, timeout_s=0.1)[0] == "timeout"
                for address in (NEAR4, NEAR6):
                    check_near(s, address)
                counters = s.counters()
                assert counters["probe_seen"] == counters["probe_logged"] >= 2
                assert counters["attempt_seen"] == counters["attempt_logged"] == 1
            assert "older than" not in s.log() and "not complete" not in s.log()
            assert ng.stop(s.process) == 0
            s.reported(quiet=True)
        r.rtr.run("nft", "delete", "table", "inet", "net_gazer")


def test_file_without_the_way_there(tmp_path):
    """Rules for answers that nothing leads to: said so, once, and the rest goes on."""
    text = re.sub(r".*jump probe_answers\n", "", (ng.TOP / "nft/net-gazer.nft").read_text(encoding="ascii"))
    with network() as r, net.Server(r.wan, PORT):
        r.rtr.run("nft", "-f", include(tmp_path / "rules.nft", text))
        with Probing(r, tmp_path, rules="include") as s:
            assert s.log().count("nothing from chain probe_answers: its hook, or the jump to it is missing") == 1 and 104 not in s.groups()
            assert net.connect(r.lan, NEAR4, PORT)[0] == "ok"
            s.wait_reports(1, type="conn")
            assert ng.stop(s.process) == 0
            s.reported(quiet=True)
        r.rtr.run("nft", "delete", "table", "inet", "net_gazer")


def test_older_file(tmp_path):
    """An administrator's file without the chains for it: said so, and the prober listens for itself."""
    text = older((ng.TOP / "nft/net-gazer.nft").read_text(encoding="ascii"))
    assert "probe" not in re.sub("#.*", "", text)
    with network() as r, net.Server(r.wan, PORT):
        r.rtr.run("nft", "-f", include(tmp_path / "rules.nft", text))
        with Probing(r, tmp_path, rules="include") as s:
            assert "is older than this net-gazer" in s.log() and 104 not in s.groups()
            check_near(s)  # tracked, and so established to the filter
            assert ng.stop(s.process) == 0
            s.reported(quiet=True)
        r.rtr.run("nft", "delete", "table", "inet", "net_gazer")


def test_trace_is_a_command_of_it(tmp_path):
    """`net-gazer trace ...` is net-gazerctl's, a program beside it; where that or the prober is not there, it is said."""
    def trace(*arguments):
        return subprocess.run([tmp_path / "net-gazer", "trace", *arguments], capture_output=True, text=True, check=False)

    shutil.copy(ng.program("net-gazer"), tmp_path)
    done = trace("20.0.0.1")
    assert (done.returncode, done.stdout) == (2, "") and "error: the prober and trace are not installed" in done.stderr, done
    shutil.copy(ng.program("trace"), tmp_path)
    done = trace("--help")
    assert done.returncode == 0 and done.stdout.startswith("usage: net-gazerctl trace"), done
    done = trace("20.0.0.1", "--libexec-dir", tmp_path)
    assert done.returncode == 2 and f"{tmp_path}/prober: No such file" in done.stderr, done


def test_local_ports(tmp_path):
    """The kernel's own range of ports reaches up to ours: said at the start."""
    with network() as r:
        r.rtr.sysctl(ipv4__ip_local_port_range="32768 65000")
        with Sensor(r.rtr, tmp_path, prober="no") as s:
            assert "ip_local_port_range goes up to 65000" in s.log()
            s.stop()
