# SPDX-License-Identifier: GPL-2.0-or-later
r"""A SYN flood from 200,000 spoofed sources: memory stays, every packet is accounted for.

      lan (synflood) ---- lan0 rtr wan0 ---- wan 203.0.113.0/24 (silent)
"""
from lib import net, ng
from lib.sensor import Sensor

FLOWS = 16384
PSS_MAX_KIB = 8192


def flood(r, program, n, first, *more):
    done = r.lan.run(program, "-i", "eth0", "-D", r.MAC["rtr-lan"], "-n", n, "-f", first, *more)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_flood(tmp_path):
    """PSS of all processes with 16,384 flows, again after 180,000 more sources, and the ledger."""
    program = ng.compile_c(ng.TOP / "tests/lib/synflood.c", tmp_path / "synflood", "-D_GNU_SOURCE")
    with net.Router(filtered=False) as r, Sensor(r.rtr, tmp_path, flows=FLOWS, handshake_limit=1000000,
                                                 syn_timeout=60) as s:
        pids = s.processes()
        empty = ng.pss_kib(pids)
        said = [flood(r, program, 20000, 0)]
        ng.wait_for("all to be counted", lambda: s.counters()["handshake_seen"] >= 20000)
        with net.Server(r.wan, 80):
            # Behind the flood in the same queue: when this one is reported, the table is full.
            came, port = net.connect(r.lan, r.WAN4, 80)
            assert came == "ok"
            s.wait_reports(1, type="conn", dst_port=80, src_port=port, state="answered")
            full = ng.pss_kib(pids)
            said.append(flood(r, program, 90000, 20000))
            said.append(flood(r, program, 90000, 110000, "-6"))
            came, port = net.connect(r.lan, r.WAN6, 80)
            assert came == "ok"
            s.wait_reports(1, type="conn", dst_port=80, src_port=port, state="answered", deadline_s=60)
            after = ng.pss_kib(pids)
        assert s.processes().keys() == pids.keys(), f"a process was replaced:\n{s.log()}"
        stats = s.counters()
        found = s.stop()
    last = found[-1]
    print(f"PSS of {sorted(pids.values())}: empty {empty} KiB, {FLOWS} flows {full} KiB, after the flood {after} KiB")
    print("; ".join(said), stats)
    assert last["seen"] >= 200004
    assert last["flows_max"] == FLOWS
    assert last["flows_evicted"] > 0, "200,000 do not fit into 16,384"
    assert full <= PSS_MAX_KIB and after <= PSS_MAX_KIB
    # Page-sized noise is allowed, growth with the number of sources is not: 180,000 of them.
    assert after - full <= 256, f"{after - full} KiB more"


def test_limit(tmp_path):
    """A flood above the rules' limit is sampled, the sample is counted, and the rest as sampled out."""
    program = ng.compile_c(ng.TOP / "tests/lib/synflood.c", tmp_path / "synflood", "-D_GNU_SOURCE")
    with net.Router(filtered=False) as r, Sensor(r.rtr, tmp_path, flows=4096, handshake_limit=1000) as s:
        said = flood(r, program, 50000, 0)
        ng.wait_for("all to be counted", lambda: s.counters()["handshake_seen"] >= 50000)
        with net.Server(r.wan, 80):
            def fresh():
                net.connect(r.lan, r.WAN4, 80)
                return s.reports(type="conn", dst_port=80)
            ng.wait_for("a fresh report after the flood", fresh, every_s=0.2)
        found = s.stop()
    last = found[-1]
    print(said)
    assert last["sampled_out"] > 0 and last["logged"] < 50000 and last["gap"] == 0
