# SPDX-License-Identifier: GPL-2.0-or-later
r"""From a handshake to the collector's API.

      lan ---- rtr: net-gazer, forwarder ---- wan
                     | 127.0.0.1 in rtr
                     | relay (a thread of this test)
                     | 127.0.0.1 here
                     net-gazer-collector
"""
import os
import pathlib
import re
import signal
import tempfile
import time

import pytest

from lib import net, ng, pki
from lib.collector import Collector
from lib.relay import Relay
from lib.sensor import Delivering
from lib.terminator import Terminator
from lib.users import Users


def ports_of(rows):
    return sorted(r["src_port"] for r in rows)


def test_end_to_end(tmp_path):
    """Connections in the namespace are rows of GET /api/conns, v4 and v6, each once."""
    with net.Router() as r, net.Server(r.wan, 80), Collector(tmp_path) as c, Relay(r.rtr, c.port), \
            Delivering(r.rtr, tmp_path, c) as s:
        ports = sorted(net.connect(r.lan, dst, 80)[1] for dst in (r.WAN4, r.WAN6) * 10)
        ng.wait_for(lambda: f"20 rows\n{s.log()}\n{c.log()}", lambda: len(c.conns()) >= 20)
        rows = c.conns()
        assert ports_of(rows) == ports
        assert {row["src_ip"] for row in rows} == {r.LAN4, r.LAN6}
        assert {row["sensor"] for row in rows} == {"story"}
        assert all(row["rtt_us"] >= 0 and row["dir"] == "outbound" for row in rows)
        s.stop()


def test_collector_restarts(tmp_path):
    """Killed and started again in between: what was accepted is there, what waited comes, nothing twice."""
    with net.Router() as r, net.Server(r.wan, 80), Collector(tmp_path) as c, Relay(r.rtr, c.port), \
            Delivering(r.rtr, tmp_path, c) as s:
        ports = [net.connect(r.lan, r.WAN4, 80)[1] for _ in range(10)]
        ng.wait_for(lambda: f"10 rows\n{c.log()}", lambda: len(c.conns()) >= 10)
        c.process.kill()
        c.process.wait()
        ports += [net.connect(r.lan, r.WAN6, 80)[1] for _ in range(10)]
        ng.wait_for(lambda: f"the forwarder to notice\n{s.log()}", lambda: "forwarder" in s.log() and c.port and
                    any(w in s.log() for w in ("refused", "reach", "failed", "retry", "closed", "empty", "reset")))
        c.start()
        ports += [net.connect(r.lan, r.WAN4, 80)[1] for _ in range(10)]
        ng.wait_for(lambda: f"30 rows, there are {len(c.conns())}\n{s.log()}\n{c.log()}", lambda: len(c.conns()) >= 30,
                    deadline_s=90, every_s=0.1)
        assert ports_of(c.conns()) == sorted(ports)
        s.stop()


def test_forwarder_killed(tmp_path):
    """SIGKILL under load, three times: users notice nothing, it comes back, new reports arrive, none
    twice.  What it held in memory is lost, and the collector knows how many that were."""
    with net.Router(filtered=False) as r, net.Server(r.wan, 443), Collector(tmp_path) as c, Relay(r.rtr, c.port), \
            Delivering(r.rtr, tmp_path, c) as s:
        def fresh():
            port = net.connect(r.lan, r.WAN4, 443)[1]
            ng.wait_for(lambda: f"port {port} among the rows\n{s.log()}\n{c.log()}", lambda: any(
                row["src_port"] == port and row["dst_port"] == 443 for row in c.conns()), every_s=0.05)
        fresh()
        with Users(r, tmp_path) as users:
            for _ in range(3):
                pid = s.worker("forwarder")
                os.kill(pid, signal.SIGKILL)
                ng.wait_for(lambda p=pid: f"another forwarder than {p}\n{s.log()}", lambda p=pid: s.worker("forwarder") != p)
                fresh()
        users.check()
        entry = s.stop(complete=False)
        print(f"{entry['stored']} reports stored, {entry['missing']} lost with the forwarder")
        assert entry["stored"] + entry["missing"] == entry["seq_max"] - entry["seq_first"] + 1
        rows = c.conns()
        assert len({(row["boot"], row["seq"]) for row in rows}) == len(rows)


def test_forwarder_stopped(tmp_path):
    """SIGSTOP: the analyzer goes on and users notice nothing; at SIGCONT what waited in the pipe comes."""
    with net.Router() as r, net.Server(r.wan, 80), Collector(tmp_path) as c, Relay(r.rtr, c.port), \
            Delivering(r.rtr, tmp_path, c) as s:
        pid = s.worker("forwarder")
        os.kill(pid, signal.SIGSTOP)
        ports = []
        for _ in range(100):
            came, port = net.connect(r.lan, r.WAN4, 80)
            assert came == "ok"
            ports.append(port)
        assert c.conns() == []
        os.kill(pid, signal.SIGCONT)
        ng.wait_for(lambda: f"100 rows\n{s.log()}\n{c.log()}", lambda: len(c.conns()) >= 100)
        assert ports_of(c.conns()) == sorted(ports)
        s.stop()


def test_spool(tmp_path):
    """With spool-dir on tmpfs a killed forwarder loses nothing that was sealed, and the stat report says what the
    spool holds; with net-gazer itself started again too, what waited is delivered."""
    with tempfile.TemporaryDirectory(dir="/dev/shm") as memory, net.Router() as r, net.Server(r.wan, 80), \
            Collector(tmp_path) as c, Relay(r.rtr, c.port):
        spool = pathlib.Path(memory, "spool")
        with Delivering(r.rtr, tmp_path, c, spool_dir=str(spool)) as s:
            ports = [net.connect(r.lan, r.WAN4, 80)[1] for _ in range(10)]
            ng.wait_for(lambda: f"10 rows\n{s.log()}\n{c.log()}", lambda: len(c.conns()) >= 10)
            mode = spool.stat()
            assert mode.st_mode & 0o7777 == 0o700 and mode.st_uid != 0
            c.process.kill()
            c.process.wait()
            for _ in range(3):
                had = len(list(spool.glob("*.seg")))
                ports += [net.connect(r.lan, dst, 80)[1] for dst in (r.WAN4, r.WAN6) * 5]
                ng.wait_for(lambda h=had: f"another segment\n{s.log()}", lambda h=had: len(list(spool.glob("*.seg"))) > h)
                time.sleep(0.3)  # four times what a report waits for others
                pid = s.worker("forwarder")
                os.kill(pid, signal.SIGKILL)
                ng.wait_for(lambda p=pid: f"another forwarder than {p}\n{s.log()}", lambda p=pid: s.worker("forwarder") != p)
            s.kill()
            c.start()
        with Delivering(r.rtr, tmp_path, c, spool_dir=str(spool)) as s:
            ports += [net.connect(r.lan, r.WAN4, 80)[1]]
            ng.wait_for(lambda: f"41 rows, there are {len(c.conns())}\n{s.log()}\n{c.log()}", lambda: len(c.conns()) >= 41)
            assert ports_of(c.conns()) == sorted(ports)
            ng.wait_for(lambda: f"an empty spool\n{s.log()}", lambda: not list(spool.glob("*.seg")))
            entry = s.stop(complete=False)
            assert entry["stat"]["http_2xx"] > 0 and entry["stat"]["sent_bytes"] > 0
            assert entry["stat"]["flash_written_bytes"] == 0


def test_tls(tmp_path):
    """A client's certificate, an authority and a pin out of net-gazer.conf: reports arrive.  With a pin that is not the
    server's, or without a certificate that it knows, none does, and the status says why; the right file and SIGHUP are
    the cure, and what waited in the spool comes."""
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryDirectory(dir="/dev/shm") as memory, \
            net.Router() as r, net.Server(r.wan, 80), Collector(tmp_path) as c, \
            Terminator(r.rtr, pki.asking(keys := pki.make(pathlib.Path(folder))), c.port) as t:
        keys.chmod(0o755)  # the authority's file is read by the forwarder's user; a key stays root's
        right = {"collector_url": f"https://localhost:{c.port}/", "collector_ca_file": str(keys / "ca.pem"),
                 "collector_cert_file": str(keys / "elsewhere.pem"), "collector_key_file": str(keys / "elsewhere.key"),
                 "collector_pin": pki.pin(keys, "good"), "spool_dir": f"{memory}/spool"}
        assert (keys / "elsewhere.key").stat().st_mode & 0o7777 == 0o600
        with Delivering(r.rtr, tmp_path, c, **right) as s:
            ports = []

            def connections():
                ports.extend(net.connect(r.lan, dst, 80)[1] for dst in (r.WAN4, r.WAN6) * 5)

            def with_settings(**changed):
                pid = s.worker("forwarder")
                s.write_config(**{**right, **changed})
                s.process.send_signal(signal.SIGHUP)
                ng.wait_for(lambda: f"another forwarder\n{s.log()}", lambda: s.worker("forwarder") != pid)

            connections()
            ng.wait_for(lambda: f"10 rows\n{s.log()}\n{c.log()}", lambda: len(c.conns()) >= 10)
            assert set(t.names) == {"elsewhere"}
            for changed, want in (({"collector_pin": pki.pin(keys, "unknown")}, "public key"),
                                  ({"collector_cert_file": str(keys / "unknown.pem"), "collector_key_file": str(keys / "unknown.key")},
                                   # TLS 1.3: refused behind the handshake, when the request may be under way.
                                   "unknown ca|alert|reset|SSL|Broken pipe|not connected"),
                                  ({"collector_ca_file": str(keys / "other.pem")}, "unable to get local issuer|self.signed")):
                had, said = len(c.conns()), len(s.log())
                with_settings(**changed)
                connections()
                ng.wait_for(lambda o=said, w=want: f"{w}\n{s.log()[o:]}", lambda o=said, w=want: re.search(
                    f"(?:{w}).*reports wait", s.log()[o:]))
                assert len(c.conns()) == had
            with_settings()
            half = keys / "half.key"
            half.write_bytes((keys / "elsewhere.key").read_bytes()[:100])
            half.chmod(0o600)
            pid = s.worker("forwarder")
            s.write_config(**{**right, "collector_key_file": str(half)})
            s.process.send_signal(signal.SIGHUP)
            ng.wait_for(s.log, lambda: re.search(rf"not reloaded, the old one stays: .*\({half}\): it is no PEM file", s.log()))
            assert s.worker("forwarder") == pid
            ng.wait_for(lambda: f"40 rows, there are {len(c.conns())}\n{s.log()}\n{c.log()}", lambda: len(c.conns()) >= 40)
            assert ports_of(c.conns()) == sorted(ports)
            assert t.refused
            s.stop(complete=False)


def test_spool_of_somebody_else(tmp_path):
    """Refused, with what to do: a link, a file, a directory that others own or can read."""
    others, link, file = tmp_path / "others", tmp_path / "link", tmp_path / "file"
    others.mkdir(mode=0o755)
    link.symlink_to(others)
    file.write_text("", encoding="ascii")
    with net.Router() as r, Collector(tmp_path) as c:
        for path, want in ((others, "chmod 700"), (link, "a link"), (file, "no directory"),
                           (tmp_path / "none" / "spool", "has to be there")):
            s = Delivering(r.rtr, tmp_path, c, spool_dir=str(path), start=False)
            s.write_config()
            with pytest.raises(AssertionError, match="ended with 1"):
                s.start()
            assert f"spool-dir {path}" in s.log() and want in s.log(), s.log()
        assert not list(others.iterdir())
