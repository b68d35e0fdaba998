# SPDX-License-Identifier: GPL-2.0-or-later
"""import, export, demo: what goes in comes out again, and each format has what its readers need."""
import csv
import json
import os
import re
import resource
import subprocess

import pytest

import collector_rig as rig
from lib import ng
from lib.collector import Collector

STATES = ["established", "answered", "refused", "timeout", "unreachable", "aborted", "orphan"]


def run(*argv, code=0, **kw):
    done = subprocess.run([ng.program("net-gazer-collector"), *map(str, argv)], capture_output=True, text=True, check=False,
                          timeout=60, **kw)
    assert done.returncode == code, done.stderr
    return done


def export(database, *argv):
    out = run("export", "-c", "/dev/null", "--database", database, *argv).stdout
    return [json.loads(line) for line in out.splitlines()]


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    database = tmp_path_factory.mktemp("demo") / "x.db"
    run("demo", "-c", "/dev/null", "--database", database, "--conns", 6000, "--span", 30)
    return database


@pytest.fixture(name="some", scope="module")
def some_reports(tmp_path_factory):
    """One conn of each state, in each direction, with all that is mapped."""
    folder = tmp_path_factory.mktemp("some")
    now, dirs = rig.now_us() - 60000000, ["outbound", "inbound", "internal", "external", "local", "unknown", "outbound"]
    sent = [rig.conn(i, ts_us=now + i, state=s, dir=d, history="ShA", rtt_us=20123, setup_us=21999, iif="br-lan",
                     dst_ip="2001:db8::1" if i % 2 else "192.0.2.1", src_ip="2001:db8::2" if i % 2 else "10.0.0.1",
                     community_id="1:LQU9qZlK+B5F3KDmev6m5PMibrg=", proto="sctp" if i == 3 else "tcp")
            for i, (s, d) in enumerate(zip(STATES, dirs))]
    sent += [rig.other(kind, 100 + i, ts_us=now) for i, kind in enumerate(("stat", "plugin", "attempt", "trace", "quality", "rollup"))]
    lines = folder / "in.ndjson"
    lines.write_bytes(rig.ndjson(sent))
    run("import", "-c", "/dev/null", "--database", folder / "x.db", lines)
    return folder / "x.db", sent


def bare(reports):
    return [{k: v for k, v in r.items() if k != "rx_ts"} for r in reports]


def test_demo_is_of_its_seed(demo, tmp_path):
    """All of it valid; another run with the seed differs in time only."""
    reports = export(demo)
    lines = "".join(json.dumps(r) + "\n" for r in reports)
    assert set(run("--validate", input=lines).stdout.splitlines()) == {"ok"}
    assert sum(r["type"] == "conn" for r in reports) == 6000 and {"attempt", "stat", "trace"} <= {r["type"] for r in reports}
    assert "not empty" in run("demo", "-c", "/dev/null", "--database", demo, code=2).stderr

    def of_seed(seed):
        run("demo", "-c", "/dev/null", "--database", tmp_path / f"{seed}.db", "--conns", 300, "--seed", seed.split("-")[0])
        return [(r["src_ip"], r["dst_ip"], r.get("rtt_us")) for r in export(tmp_path / f"{seed}.db", "--type", "conn")]
    assert of_seed("7-a") == of_seed("7-b") != of_seed("8")


def test_out_and_in_again(demo, tmp_path):
    """Export, import into another: the same reports, the same numbers on the page, nothing twice."""
    dump = tmp_path / "dump.ndjson"
    dump.write_text(run("export", "-c", "/dev/null", "--database", demo).stdout, encoding="ascii")
    other = tmp_path / "collector" / "net-gazer.db"
    for turn in range(2):
        said = run("import", "-c", "/dev/null", "--database", other, dump).stderr
        n = len(dump.read_text(encoding="ascii").splitlines())
        assert f"{n} lines: {0 if turn else n} stored, {n if turn else 0} duplicate, 0 refused" in said
    assert bare(export(other)) == bare(export(demo))
    with Collector(tmp_path) as c:
        mine = c.get("/api/summary?window_s=86400"), c.get("/api/destinations?window_s=86400&limit=1000")
        assert len(c.get("/api/storage")["days"]) >= 2
        ledgers = {s["sensor"]: (s["seq_max"], s["stored"], s["missing"], s["types"]) for s in c.get("/api/sensors")["sensors"]}
        assert len(ledgers) == 3 and all(missing == 0 for _, _, missing, _ in ledgers.values())
        c.stop()
        # The main file gone: all of it is made again, attempts and ledgers between the connections too.
        other.unlink()
        c.start()
        assert "were taken into it" in c.log()
        assert (c.get("/api/summary?window_s=86400"), c.get("/api/destinations?window_s=86400&limit=1000"))[1] == mine[1]
        assert ledgers == {s["sensor"]: (s["seq_max"], s["stored"], s["missing"], s["types"]) for s in c.get("/api/sensors")["sensors"]}
        # Beside a collector that runs: an export, but no import.
        assert len(export(other)) == n
        assert "in use by another" in run("import", "-c", "/dev/null", "--database", other, dump, code=2).stderr


def test_types_one_after_another(tmp_path):
    """Each leaves the numbers of the other out: all are stored, and all are there when the main file is made again."""
    now = rig.now_us() - 60000000
    run("import", "-c", "/dev/null", "--database", tmp_path / "x.db", "-",
        input=rig.ndjson(rig.conn(i, ts_us=now + i) if i % 2 else rig.other("attempt", i, ts_us=now + i) for i in range(6000)).decode())
    to = tmp_path / "collector" / "net-gazer.db"
    for kind in ("conn", "attempt"):
        table = run("export", "-c", "/dev/null", "--database", tmp_path / "x.db", "--type", kind, "--format", "csv").stdout
        said = run("import", "-c", "/dev/null", "--database", to, "--format", "csv", "--type", kind, "-", input=table).stderr
        assert "3000 stored, 0 duplicate, 0 refused" in said
    to.unlink()
    with Collector(tmp_path) as c:
        assert c.get("/health")["rows"] == 6000 and c.get("/api/summary?window_s=3600")["conns"] == 3000
        s, = c.get("/api/sensors")["sensors"]
        assert (s["stored"], s["types"]["attempt"]) == (6000, 3000)


def test_import_of_a_long_line(tmp_path):
    """Refused without being kept in memory; the next one is read."""
    done = subprocess.run([ng.program("net-gazer-collector"), "import", "-c", "/dev/null", "--database", tmp_path / "x.db", "-"],
                          input=rig.ndjson([rig.conn(1)]) + b"a" * (64 << 20) + b"\n" + rig.ndjson([rig.conn(2)]), capture_output=True,
                          check=False, timeout=60, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_DATA, (48 << 20, 48 << 20)))
    assert done.returncode == 1 and b"stdin:2: refused: longer than 16383 bytes" in done.stderr, done.stderr
    assert b"3 lines: 2 stored, 0 duplicate, 1 refused" in done.stderr


def test_import_says_what_it_refuses(tmp_path):
    lines = [rig.ndjson([rig.conn(1)]), b"{}\n", b"\n", rig.ndjson([rig.conn(2, dst_port=70000)]), rig.ndjson([rig.conn(3)])]
    said = run("import", "-c", "/dev/null", "--database", tmp_path / "x.db", "-", code=1, input=b"".join(lines).decode()).stderr
    assert "stdin:2: refused: " in said and "stdin:4: refused: dst_port: 70000 is above 65535" in said
    assert "5 lines: 2 stored, 0 duplicate, 2 refused; 2 reports are kept" in said
    assert "no.ndjson" in run("import", "-c", "/dev/null", "--database", tmp_path / "x.db", tmp_path / "no.ndjson", code=2).stderr
    assert "name files" in run("import", "-c", "/dev/null", "--database", tmp_path / "x.db", code=2).stderr


def test_progress_on_a_terminal(tmp_path):
    (tmp_path / "in").write_bytes(rig.ndjson(rig.conn(i) for i in range(12000)))
    there, here = os.openpty()
    subprocess.run([ng.program("net-gazer-collector"), "import", "-c", "/dev/null", "--database", tmp_path / "x.db", tmp_path / "in"],
                   stderr=here, check=True, timeout=60)
    os.close(here)
    assert re.search(rb"\r12000 lines, 12000 stored, 0 duplicate, 0 refused, \d+ lines/s", os.read(there, 65536))
    os.close(there)


def test_import_of_long_ago(tmp_path):
    """At their own time, in the files of their days."""
    now = rig.now_us()
    (tmp_path / "in").write_bytes(rig.ndjson(rig.conn(i, ts_us=now - (20 - i) * 86400 * 1000000) for i in range(20)))
    run("import", "-c", "/dev/null", "--database", tmp_path / "x.db", tmp_path / "in")
    days = sorted(f.name for f in (tmp_path / "x.db.d").glob("*.db"))
    assert len(days) == 20 and days[0] == rig.stamp(now - 20 * 86400 * 1000000)[:10] + ".db"
    assert [r["seq"] for r in export(tmp_path / "x.db")] == list(range(20))
    # The window is of the reports' own time; both of its ends.
    from_, to = rig.stamp(now - 10 * 86400 * 1000000), rig.stamp(now - 5 * 86400 * 1000000)
    assert [r["seq"] for r in export(tmp_path / "x.db", "--from", from_, "--to", to)] == list(range(10, 15))
    # Midnight to midnight: the days are whole ones.
    assert [r["seq"] for r in export(tmp_path / "x.db", "--from", from_[:10], "--to", to[:10])] == list(range(10, 15))


@pytest.mark.parametrize("argv,says", [
    (["--from", "yesterday"], 'must be a UTC time such as 2026-11-21 or 2026-11-21T19:04:05Z'),
    (["--to", "2026-02-30"], "must be a UTC time"),
    (["--type", "conns"], "must be one of conn|quality"),
    (["--format", "xml"], "ndjson|csv|eve|zeek|ecs|ocsf"),
    (["--seed", "3"], "seed"),
])
def test_bad_arguments(tmp_path, argv, says):
    assert says in run("export", "-c", "/dev/null", "--database", tmp_path / "x.db", *argv, code=1).stderr


def test_types_that_do_not_fit(some):
    database, _ = some
    for name, has, kind in (("eve", "conn and attempt", "stat"), ("zeek", "conn and attempt", "trace"), ("ecs", "conn, attempt and trace", "plugin"),
                            ("ocsf", "conn, attempt and trace", "rollup")):
        said = run("export", "-c", "/dev/null", "--database", database, "--format", name, "--type", f"conn,{kind}", code=2).stderr
        assert f"--format {name} has no place for {kind}: it has {has}" in said
    assert "table of one type" in run("export", "-c", "/dev/null", "--database", database, "--format", "csv", code=2).stderr


def test_ndjson(some):
    database, sent = some
    assert bare(export(database)) == sent
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", r["rx_ts"]) for r in export(database))
    assert [r["type"] for r in export(database, "--type", "plugin,attempt")] == ["attempt", "plugin"]


def test_csv(some):
    database, sent = some
    out = run("export", "-c", "/dev/null", "--database", database, "--format", "csv", "--type", "conn").stdout
    rows = list(csv.DictReader(out.splitlines()))
    assert len(rows) == 7
    for row, report in zip(rows, sent):
        assert {k: v for k, v in row.items() if v and k in report} == {k: str(v) for k, v in report.items() if k in row}
    for kind in ("quality", "attempt", "trace", "rollup", "stat", "plugin"):
        out = run("export", "-c", "/dev/null", "--database", database, "--format", "csv", "--type", kind).stdout
        row, = csv.DictReader(out.splitlines())
        assert row["sensor"] == "r1"


@pytest.mark.parametrize("kind", ["conn", "attempt", "trace", "quality", "rollup", "stat"])
def test_csv_and_in_again(demo, some, tmp_path, kind):
    """What csv has a column for comes back as it was."""
    for database in (demo, some[0]):
        table = run("export", "-c", "/dev/null", "--database", database, "--format", "csv", "--type", kind).stdout
        columns = {"v", "type"} | set(table.splitlines()[0].split(","))
        (tmp_path / "in.csv").write_text(table, encoding="utf-8")
        run("import", "-c", "/dev/null", "--database", tmp_path / f"{database.parent.name}.db", "--format", "csv", "--type", kind, tmp_path / "in.csv")
        was = [{k: v for k, v in r.items() if k in columns} for r in export(database, "--type", kind)]
        assert bare(export(tmp_path / f"{database.parent.name}.db")) == was and (was or database == demo)


def test_csv_by_hand(tmp_path):
    """As a spreadsheet writes it: BOM, CRLF, quotes, a line inside a cell, columns in any order, the type as a column."""
    head = "seq,type,ts,sensor,boot,dir,src_ip,src_port,dst_ip,dst_port,proto,state,ecn,dst_name,host"
    row = 'conn,2026-11-20T12:00:00.000000Z,"r1",00000001,outbound,10.0.0.1,4000,192.0.2.1,443,tcp,established,'
    bad = {4: "5 columns, the header has 15", 5: 'src_port: must be a number', 6: "seq: must be a number", 7: "ecn: must be true or false",
           8: "state: ", 9: "dst_port: 70000 is above 65535"}
    rows = [f'1,{row}1,"a ""name"", with \\",\r\n', f'2,{row},été,"x,y"\r\n', "3,conn,a,b,c\r\n", f"4,{row},,\r\n".replace("4000", '"4000,1"'),
            f'"5,""seq"":6",{row},,\r\n', f"7,{row}yes,,\r\n", f"8,{row},,\r\n".replace("established", "broken"),
            f"9,{row},,\r\n".replace("443", "70000"), "\r\n", f'10,{row}false,"ends', '" ', ",last\r\n"]
    (tmp_path / "in.csv").write_text("\ufeff" + head + "\r\n" + "".join(rows), encoding="utf-8", newline="")
    said = run("import", "-c", "/dev/null", "--database", tmp_path / "x.db", "--format", "csv", tmp_path / "in.csv", code=1).stderr
    for line, why in bad.items():
        assert f"in.csv:{line}: refused: {why}" in said, said
    assert "9 lines: 3 stored, 0 duplicate, 6 refused" in said
    stored = {r["seq"]: r for r in export(tmp_path / "x.db")}
    assert set(stored) == {1, 2, 10} and stored[1]["dst_name"] == 'a "name", with \\' and stored[1]["ecn"] is True
    assert (stored[2]["dst_name"], stored[2]["host"], "ecn" in stored[2]) == ("été", "x,y", False)
    assert stored[10]["ecn"] is False and stored[10]["dst_name"] == "ends "


@pytest.mark.parametrize("table,says", [
    ("", "there is no header"),
    ("ts,sensor,colour\n", '1: column 3: "colour" is no field of a report'),
    ("ts,seq,ts\n", "1: column 3: ts is there twice"),
    ("ts,seq\n", "there is no column type: say what the rows are with --type"),
    ("ts," * 200 + "seq\n", "more than 160 columns"),
])
def test_bad_tables(tmp_path, table, says):
    assert says in run("import", "-c", "/dev/null", "--database", tmp_path / "x.db", "--format", "csv", "-", code=2, input=table).stderr


@pytest.fixture(name="knocks", scope="module")
def attempts_and_paths(tmp_path_factory):
    """One attempt of each verdict and with several ports, one whose target is not told, two paths."""
    folder, now = tmp_path_factory.mktemp("knocks"), rig.now_us() - 60000000
    later = {"last_ts": rig.stamp(now + 2500000), "dir": "inbound", "src_ip": "203.0.113.7", "proto": "tcp", "iif": "wan"}
    at = {"ts_us": now, "dst_ip": "198.51.100.1", **later}
    hops = [{"ttl": 1, "ip": "192.168.1.1", "sent": 1, "rtt_us": [500]}, {"ttl": 2, "sent": 1}, {"ttl": 3, "ip": "198.51.100.9", "sent": 1, "rtt_us": [900]}]
    sent = [rig.other("attempt", 1, **at, count=7, dst_ports=[22], verdict="dropped", rule="wan-drop") | {"kind": "single"},
            rig.other("attempt", 2, **at, count=9, dst_ports=[80, 443, 8080], verdict="rejected") | {"kind": "vertical_scan"},
            rig.other("attempt", 3, **at, count=2, dst_ports=[443], verdict="accepted") | {"kind": "single"},
            rig.other("attempt", 4, **at, count=3, dst_port=25),
            rig.other("attempt", 5, ts_us=now, **later, count=40, dst_ports=[23], dst_ips_n=40, verdict="dropped") | {"kind": "horizontal_scan"},
            rig.other("trace", 6, ts_us=now, dst_ip="192.0.2.34", dst_port=443, dst_name="a.example", method="tcp-syn", trigger="conn", reached=True, dur_us=12000,
                      path_hash="00000000000000aa", hops=[*hops, {"ttl": 4, "ip": "192.0.2.34", "sent": 1, "rtt_us": [950]}]),
            rig.other("trace", 7, ts_us=now, dst_ip="2001:db8::34", method="icmp", reached=False, path_hash="00000000000000bb", hops=hops)]
    lines = folder / "in.ndjson"
    lines.write_bytes(rig.ndjson(sent))
    run("import", "-c", "/dev/null", "--database", folder / "x.db", lines)
    return folder / "x.db", sent


def test_attempts_as_flows(knocks):
    """A flow for each port, with packets where one port alone had them; what was let in is a connection, and told as one."""
    database, sent = knocks
    flows = export(database, "--format", "eve")
    assert [(e["netgazer"]["verdict"] if "verdict" in e["netgazer"] else None, e["dest_port"]) for e in flows] == \
        [("dropped", 22), ("rejected", 80), ("rejected", 443), ("rejected", 8080), (None, 25)]
    assert len({e["flow_id"] for e in flows}) == 5 and all(isinstance(e["flow_id"], int) and e["flow_id"] < 2**53 for e in flows)
    for e in flows:
        assert (e["event_type"], e["proto"], e["src_ip"], e["dest_ip"], e["in_iface"]) == ("flow", "TCP", "203.0.113.7", "198.51.100.1", "wan")
        assert e["flow"]["start"] == e["timestamp"] == sent[0]["ts"][:26] + "+0000" and e["flow"]["end"] == sent[0]["last_ts"][:26] + "+0000"
        assert e["flow"]["age"] == 2
    assert {k: flows[0]["flow"].get(k) for k in ("state", "reason", "action", "pkts_toserver", "pkts_toclient")} == \
        {"state": "new", "reason": "timeout", "action": "drop", "pkts_toserver": 7, "pkts_toclient": 0}
    assert {k: flows[1]["flow"].get(k) for k in ("state", "reason", "action", "pkts_toserver")} == \
        {"state": "closed", "reason": None, "action": "drop", "pkts_toserver": None}
    assert "action" not in flows[4]["flow"] and flows[4]["flow"]["pkts_toserver"] == 3
    got = export(database, "--format", "zeek")
    assert [(e["id.resp_p"], e["conn_state"], e["history"], e.get("orig_pkts"), e.get("resp_pkts")) for e in got] == \
        [(22, "S0", "S", 7, 0), (80, "REJ", "Sr", None, None), (443, "REJ", "Sr", None, None), (8080, "REJ", "Sr", None, None), (25, "S0", "S", 3, None)]
    assert len({e["uid"] for e in got}) == 5
    for e in got:
        assert round(e["ts"] * 1000000) == rig.micros(sent[0]["ts"]) and e["duration"] == 2.5 and e["proto"] == "tcp"
        assert (e["id.orig_h"], e["id.orig_p"], e["id.resp_h"], e["local_orig"], e["local_resp"]) == ("203.0.113.7", 0, "198.51.100.1", False, True)


def test_attempts_and_paths_as_events(knocks):
    database, sent = knocks
    got = {e["event"]["sequence"]: e for e in export(database, "--format", "ecs")}
    assert list(got) == [r["seq"] for r in sent]
    for seq, kinds, outcome, port in ((1, ["connection", "denied"], "failure", 22), (2, ["connection", "denied"], "failure", None),
                                      (3, ["connection", "allowed"], "success", 443), (4, ["connection"], "unknown", 25), (5, ["connection", "denied"], "failure", 23)):
        e = got[seq]
        assert (e["event"]["action"], e["event"]["category"], e["event"]["type"], e["event"]["outcome"]) == ("attempt", ["network"], kinds, outcome)
        assert e["destination"].get("port") == port and e["destination"].get("ip") == sent[seq - 1].get("dst_ip")
        assert e["source"] == {"ip": "203.0.113.7", "packets": sent[seq - 1]["count"]} and e["event"]["duration"] == 2500000000
        assert (e["event"]["start"], e["event"]["end"]) == (sent[0]["ts"], sent[0]["last_ts"])
        assert e["netgazer"].get("dst_ports") == sent[seq - 1].get("dst_ports") and e["network"]["direction"] == "inbound"
    assert got[1]["rule"] == {"name": "wan-drop"} and "rule" not in got[2]
    for seq, outcome, transport, kind in ((6, "success", "tcp", "ipv4"), (7, "failure", "ipv6-icmp", "ipv6")):
        e = got[seq]
        assert (e["event"]["action"], e["event"]["type"], e["event"]["outcome"]) == ("trace", ["info"], outcome)
        assert (e["network"]["transport"], e["network"]["type"]) == (transport, kind) and e["related"]["ip"] == ["192.168.1.1", "198.51.100.9"]
        assert e["netgazer"]["hops"] == sent[seq - 1]["hops"] and e["netgazer"]["reached"] is (seq == 6) and "source" not in e
    assert got[6]["destination"] == {"ip": "192.0.2.34", "port": 443, "domain": "a.example"} and got[6]["event"]["duration"] == 12000000
    got = {e["metadata"]["sequence"]: e for e in export(database, "--format", "ocsf")}
    for seq, activity, status, action, disposition in ((1, 4, 2, 2, 6), (2, 5, 2, 2, 2), (3, 1, 1, 1, 1), (4, 6, 0, 0, 0), (5, 4, 2, 2, 6), (6, 6, 1, None, None), (7, 6, 2, None, None)):
        e = got[seq]
        assert (e["category_uid"], e["class_uid"], e["type_uid"], e["severity_id"], e["status_id"]) == (4, 4001, 400100 + activity, 1, status) and e["activity_id"] == activity
        assert (e.get("action_id"), e.get("disposition_id")) == (action, disposition)
        assert e["metadata"].get("profiles") == (["security_control"] if seq < 6 else None), "attributes of a profile name it"
        assert e["time"] == rig.micros(sent[0]["ts"]) // 1000 and e["metadata"]["uid"] == f"r1/00000001/{seq}"
        if seq < 6:
            assert (e["count"], e["duration"], e["end_time"] - e["start_time"]) == (sent[seq - 1]["count"], 2500, 2500)
    assert got[1]["dst_endpoint"] == {"ip": "198.51.100.1", "port": 22} and got[2]["dst_endpoint"] == {"ip": "198.51.100.1"}
    assert got[5]["dst_endpoint"] == {"port": 23, "name": "r1"} and got[5]["unmapped"]["dst_ips_n"] == 40
    assert got[6]["dst_endpoint"] == {"ip": "192.0.2.34", "port": 443, "hostname": "a.example", "intermediate_ips": ["192.168.1.1", "198.51.100.9"]}
    assert got[6]["src_endpoint"] == {"name": "r1"} and got[6]["duration"] == 12


def test_eve(some):
    database, sent = some
    for e, r in zip(export(database, "--format", "eve"), sent, strict=False):
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}\+0000", e["timestamp"]) and e["timestamp"][:26] == r["ts"][:26]
        assert (e["event_type"], e["proto"], e["in_iface"], e["community_id"]) == ("flow", r["proto"].upper(), "br-lan", r["community_id"])
        assert (e["src_ip"], e["src_port"], e["dest_ip"], e["dest_port"]) == (r["src_ip"], r["src_port"], r["dst_ip"], r["dst_port"])
        assert e["flow"]["state"] in ("new", "established", "closed") and e["flow"]["start"] == e["timestamp"]
        assert isinstance(e["flow_id"], int) and e["netgazer"]["state"] == r["state"] and e["netgazer"]["rtt_us"] == 20123


def test_zeek(some):
    database, sent = some
    states = {"established": "S1", "answered": "S1", "refused": "REJ", "timeout": "S0", "unreachable": "S0", "aborted": "RSTOS0", "orphan": "SHR"}
    local = {"outbound": (True, False), "inbound": (False, True), "internal": (True, True), "external": (False, False), "local": (True, True),
             "unknown": (None, None)}
    got = export(database, "--format", "zeek")
    assert len({e["uid"] for e in got}) == len(got) == 7
    for e, r in zip(got, sent):
        assert round(e["ts"] * 1000000) == rig.micros(r["ts"])
        assert (e["id.orig_h"], e["id.orig_p"], e["id.resp_h"], e["id.resp_p"], e["proto"]) == \
            (r["src_ip"], r["src_port"], r["dst_ip"], r["dst_port"], r["proto"])
        assert e["conn_state"] == states[r["state"]] and e["history"] == "ShA"
        assert (e.get("local_orig"), e.get("local_resp")) == local[r["dir"]]


def test_ecs(some):
    database, sent = some
    allowed = {"access", "allowed", "connection", "denied", "end", "info", "protocol", "start"}
    for e, r in zip(export(database, "--format", "ecs", "--type", "conn"), sent, strict=False):
        assert e["@timestamp"] == r["ts"] and re.fullmatch(r"8\.\d+\.\d+", e["ecs"]["version"])
        assert (e["event"]["kind"], e["event"]["category"]) == ("event", ["network"]) and set(e["event"]["type"]) <= allowed
        assert e["event"]["outcome"] == ("success" if r["state"] in STATES[:2] else "unknown" if r["state"] == "orphan" else "failure")
        assert e["event"]["duration"] == r["setup_us"] * 1000 and e["event"]["id"] == f"r1/00000001/{r['seq']}"
        assert (e["source"], e["destination"]) == ({"ip": r["src_ip"], "port": r["src_port"]}, {"ip": r["dst_ip"], "port": r["dst_port"]})
        assert e["network"]["type"] == ("ipv6" if ":" in r["src_ip"] else "ipv4") and e["network"]["transport"] == r["proto"]
        assert e["network"]["iana_number"] == {"tcp": "6", "sctp": "132"}[r["proto"]]
        assert e["network"]["direction"] in ("inbound", "outbound", "internal", "external", "unknown")
        assert e["observer"]["ingress"] == {"interface": {"name": "br-lan"}}


def test_ocsf(some):
    database, sent = some
    for e, r in zip(export(database, "--format", "ocsf", "--type", "conn"), sent, strict=False):
        # What the class requires.
        assert (e["category_uid"], e["class_uid"], e["severity_id"]) == (4, 4001, 1)
        assert e["type_uid"] == 400100 + e["activity_id"] and e["activity_id"] in (0, 1, 4, 5)
        assert e["time"] == rig.micros(r["ts"]) // 1000 and e["metadata"]["version"] == "1.3.0"
        assert e["metadata"]["product"]["vendor_name"] and e["metadata"]["uid"] == f"r1/00000001/{r['seq']}"
        assert e["dst_endpoint"] == {"ip": r["dst_ip"], "port": r["dst_port"]}
        assert e["status_id"] == (1 if r["state"] in STATES[:2] else 0 if r["state"] == "orphan" else 2)
        direction = {"inbound": 1, "outbound": 2, "internal": 3, "local": 4, "external": 99, "unknown": 0}
        assert e["connection_info"]["direction_id"] == direction[r["dir"]]
        assert e["connection_info"]["protocol_num"] == {"tcp": 6, "sctp": 132}[r["proto"]] and e["unmapped"]["rtt_us"] == 20123


def test_owner():
    """What root makes beside a service of another user is that user's."""
    with ng.for_everybody() as folder:
        os.chown(folder, 65534, 65534)
        database = folder / "net-gazer.db"
        for argv in (("demo", "--conns", "200"), ("enroll", "gw"), ("import", "-")):
            done = subprocess.run([ng.program("net-gazer-collector"), *argv, "-c", "/dev/null", "--database", database], capture_output=True,
                                  text=True, check=False, stdin=subprocess.DEVNULL)
            assert done.returncode == 0, done.stderr
            assert "as user 65534" in done.stderr
        made = [p for p in folder.rglob("net-gazer.db*")] + [*(folder / "net-gazer.db.d").iterdir()]
        assert len(made) > 3 and {p.stat().st_uid for p in made} == {65534}
