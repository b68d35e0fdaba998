# SPDX-License-Identifier: GPL-2.0-or-later
"""Countries, systems, places and names: import, look-ups in another process that may crash, the DNS, /api/geo, /api/map."""
import collections
import contextlib
import os
import pathlib
import signal
import sqlite3
import subprocess

import pytest

from collector_rig import conn, other, stored
from lib import dnsd, geofiles, mmdb, ng
from lib.collector import Collector

MAXMIND = {"country": {"iso_code": "SE"}, "city": {"names": {"en": "Linköping", "de": "Linkoping"}},
           "location": {"latitude": 58.4167, "longitude": 15.6167}}
FLAT = {"country_code": "de", "city": "Köln <b>", "latitude": 50.9375, "longitude": 6.9603}
EVIL = {"country_code": "<i", "city": "a\u202eb\x1b[31m\n" + "x" * 300, "latitude": 1e9, "longitude": 5.0}
NETS = {"45.155.0.0/16": MAXMIND, "46.4.0.0/15": FLAT, "2a01:4f8::/32": FLAT, "47.1.0.0/16": EVIL}


def command(folder, *argv, code=0):
    done = subprocess.run([str(a) for a in [ng.program("net-gazer-collector"), *argv, "-c", "/dev/null", "--database",
                                            folder / "collector/net-gazer.db", "--libexec-dir", ng.BUILD]],
                          capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == code, (done.returncode, done.stdout, done.stderr)
    return done.stdout + done.stderr


def rows(collector, sql):
    with contextlib.closing(sqlite3.connect(collector.data / "net-gazer.db")) as db:
        return db.execute(sql).fetchall()


def facts(collector, ip):
    return (rows(collector, f"SELECT cc, asn, as_org, city, lat, lon, name FROM addr WHERE ip = '{ip}'") or [None])[0]


def workers(collector):
    """pids of the two below the program's parent: (parent, places, names)."""
    found = ng.processes(collector.process.pid)
    parent = [p for p, name in found.items() if name == "geo" and os.stat(f"/proc/{p}").st_uid == os.getuid()
              and int(pathlib.Path(f"/proc/{p}/stat").read_text().rsplit(")", 1)[1].split()[1]) == collector.process.pid]
    return parent[0] if parent else None, [p for p, name in found.items() if name == "geo" and p not in parent]


class Counter:
    seq = 0

    @classmethod
    def next(cls):
        cls.seq += 1
        return cls.seq


def see(collector, *ips):
    stored(collector, [conn(Counter.next(), dst_ip=ip) for ip in ips])


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("geo")
    (path / "collector").mkdir()
    return path


@pytest.fixture(scope="module")
def server():
    """Answers by address; tests add theirs."""
    with dnsd.Server(collections.defaultdict(lambda: None)) as s:
        yield s


@pytest.fixture(scope="module")
def collector(folder, server):
    """With real countries and systems, a made-up file of cities, home networks, and our DNS server."""
    for argv in geofiles.imports(ng.BUILD, folder / "collector/net-gazer.db"):
        done = subprocess.run([str(a) for a in argv], capture_output=True, text=True, check=False, timeout=120)
        assert done.returncode == 0, done.stderr
    city = mmdb.write(folder / "city.mmdb", NETS)
    with Collector(folder, arguments=["--libexec-dir", ng.BUILD, "--geo-city", city, "--dns", f"127.0.0.1:{server.port}",
                                      "--home", "192.168.0.0/16=site,192.168.7.0/24=lab", "-v"]) as c:
        ng.wait_for("the databases", lambda: len(c.get("/api/geo")["databases"]) == 3)
        yield c


# ---- import ----


def test_import_real_files_and_look_them_up(folder, collector):
    said = command(folder, "geo", "status")
    assert "country.mmdb" in said and "asn.ranges" in said and "reverse DNS is off" in said
    assert "RouteViews and DB-IP https://db-ip.com" in said
    said = command(folder, "geo", "lookup", "8.8.8.8", "2a01:4f8::1", "10.1.2.3", "203.0.113.9", "--home", "10.0.0.0/8=lan").splitlines()
    assert said[0] == "8.8.8.8  US  AS15169 Google LLC" and said[1].startswith("2a01:4f8::1  DE  AS24940 Hetzner")
    assert said[2:] == ["10.1.2.3  lan", "203.0.113.9"]
    bases = {b["kind"]: b for b in collector.get("/api/geo")["databases"]}
    assert bases["asn"]["attribution"] == {"text": "AS data by RouteViews and DB-IP", "url": "https://db-ip.com"}
    assert bases["country"]["file"] == "country.mmdb" and "attribution" not in bases["country"], "CC0"
    assert bases["city"]["type"] == "Test-City" and bases["city"]["built_ts"] == "2026-05-28T20:26:40.000000Z"


def csv(path, text):
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


@pytest.mark.parametrize("text, said", [
    ("1.0.0.0,1.0.0.255,13335,x\n1.0.1.0,oops,1,y\n", "t.csv:2: the second field is no IP address"),
    ("1.0.0.0,1.0.0.255,13335,x\n\n1.0.3.0,1.0.2.0,1,y\n", "t.csv:3: the range ends before it begins"),
    ("1.0.0.0,1.0.0.255,4294967296,x\n", "t.csv:1: the third field is no number"),
    ("1.0.0.0,1.0.0.255,AS1,x\n", "t.csv:1: the third field is no number"),
    ('1.0.0.0,1.0.0.255,1,"x\n', "t.csv:1: a quote has no second one"),
    ("16777216,16777471,13335,x\n", "t.csv:1: the first field is no IP address (of the tables with numbers"),
    ("1.0.0.0,2a00::1,13335,x\n", "t.csv:1: the second field is no IP address of the same family"),
    ("1.0.0.0,1.0.0.255,1," + "x" * 5000 + "\n", "t.csv:1: "),
    ("1.0.0.0,1.0.0.255,0,none\n", "no range of any autonomous system"),
    ("", "no range of any autonomous system"),
])
def test_wrong_table_is_refused_with_its_line(tmp_path, text, said):
    (tmp_path / "collector").mkdir()
    good = csv(tmp_path / "good.csv", "range_start,range_end,asn,name\n9.0.0.0,9.0.0.255,7,\"Old, \"\"good\"\" one\"\r\n")
    command(tmp_path, "geo", "import", good, "--attribution", "Somebody https://example.org/")
    assert said in command(tmp_path, "geo", "import", csv(tmp_path / "t.csv", text), code=1)
    assert 'AS7 Old, "good" one' in command(tmp_path, "geo", "lookup", "9.0.0.77"), "the old file stays"
    assert "Somebody https://example.org/" in command(tmp_path, "geo", "status")
    assert sorted(p.name for p in (tmp_path / "collector/net-gazer.db.d/geo").iterdir()) == ["asn.ranges", "asn.txt"]


def test_overlaps_are_cut_and_said(tmp_path):
    (tmp_path / "collector").mkdir()
    table = csv(tmp_path / "t.csv", "5.0.0.0,5.0.255.255,1,wide\n5.0.16.0,5.0.31.255,2,narrow\n2a00::,2a00::ff,3,six\n5.0.0.0,5.0.0.255,4,late\n")
    assert "2 ranges overlap" in command(tmp_path, "geo", "import", table)
    said = command(tmp_path, "geo", "lookup", "5.0.0.1", "5.0.15.255", "5.0.16.0", "5.0.31.255", "5.0.32.0", "2a00::ff", "2a00::100").splitlines()
    assert [line.split("  ")[1:] for line in said] == [["AS1 wide"], ["AS1 wide"], ["AS2 narrow"], ["AS2 narrow"], [], ["AS3 six"], []]


def test_damaged_and_foreign_mmdb(tmp_path):
    (tmp_path / "collector").mkdir()
    good = mmdb.write(tmp_path / "good.mmdb", {"45.155.0.0/16": {"country": {"iso_code": "SE"}}}, kind="DBIP-Country-Lite")
    command(tmp_path, "geo", "import", good)
    assert "IP Geolocation by DB-IP https://db-ip.com" in command(tmp_path, "geo", "status"), "by what it calls itself"
    raw = good.read_bytes()
    for n, bad in enumerate((raw[:-300], raw[:40] + raw[200:], raw[:100] + b"\xff" * 600 + raw[700:], b"\0" * 5000)):
        said = command(tmp_path, "geo", "import", csv(tmp_path / "bad.mmdb", bad), code=1)
        assert "damaged" in said or "neither a MaxMind DB" in said or "has no countries" in said, (n, said)
    empty = mmdb.write(tmp_path / "other.mmdb", {"1.0.0.0/8": {"colour": "blue"}}, kind="Test-Colour")
    assert "Test-Colour has no countries, cities or autonomous systems" in command(tmp_path, "geo", "import", empty, code=1)
    assert "SE" in command(tmp_path, "geo", "lookup", "45.155.1.1")


def test_keys_of_several_makers(tmp_path):
    (tmp_path / "collector").mkdir()
    asn = mmdb.write(tmp_path / "asn.mmdb", {
        "5.1.0.0/16": {"autonomous_system_number": 64500, "autonomous_system_organization": "Of MaxMind"},
        "5.2.0.0/16": {"asn": "AS64501", "as_name": "Of IPinfo", "country_code": "FR"},
        "5.3.0.0/16": {"asn": 64502, "name": "Of another"}}, kind="Test-ASN")
    assert "asn.mmdb" in command(tmp_path, "geo", "import", asn)
    said = command(tmp_path, "geo", "lookup", "5.1.0.1", "5.2.0.1", "5.3.0.1", "5.4.0.1").splitlines()
    assert said == ["5.1.0.1  AS64500 Of MaxMind", "5.2.0.1  FR  AS64501 Of IPinfo", "5.3.0.1  AS64502 Of another", "5.4.0.1"]


# ---- looked up as they come ----


def test_rows_carry_what_is_known(collector):
    see(collector, "46.4.1.1", "2a01:4f8::5", "45.155.3.3", "192.168.7.9", "192.168.8.9", "203.0.113.200")
    stored(collector, [conn(Counter.next(), dst_ip="46.4.1.1", state="refused"), other("attempt", Counter.next(), src_ip="46.5.200.1")])
    ng.wait_for("facts", lambda: facts(collector, "45.155.3.3") and facts(collector, "46.5.200.1"))
    by_ip = {d["dst_ip"]: d for d in collector.get("/api/destinations?limit=1000")["destinations"]}
    d = by_ip["46.4.1.1"]
    assert (d["dst_cc"], d["dst_asn"], d["dst_city"]) == ("DE", 24940, "Köln <b>") and d["dst_as_org"].startswith("Hetzner")
    assert by_ip["2a01:4f8::5"]["dst_asn"] == 24940
    assert by_ip["45.155.3.3"]["dst_city"] == "Linköping"
    assert by_ip["192.168.7.9"]["dst_name"] == "lab" and by_ip["192.168.8.9"]["dst_name"] == "site"
    assert not [k for k in by_ip["203.0.113.200"] if k.startswith("dst_") and k not in ("dst_ip", "dst_port")]
    failures = collector.get("/api/failures")["failures"]
    assert [f["dst_asn"] for f in failures if f["dst_ip"] == "46.4.1.1"] == [24940]
    attempts = {a["src_ip"]: a for a in collector.get("/api/attempts")["attempts"]}
    assert attempts["46.5.200.1"]["src_cc"] == "DE"


def test_hostile_file_cannot_say_everything(collector):
    see(collector, "47.1.2.3")
    f = ng.wait_for("facts", lambda: facts(collector, "47.1.2.3"))
    assert f[3] == "ab[31m" + "x" * 74 and f[4] is None, f


def test_map(collector):
    stored(collector, [other("attempt", Counter.next(), src_ip="46.4.9.9", dst_ip="45.155.77.1", count=5),
                       *(conn(Counter.next(), dst_ip="46.4.1.7", rtt_us=20000 + i) for i in range(9))])
    ng.wait_for("facts", lambda: facts(collector, "45.155.77.1") and facts(collector, "46.4.1.7") and facts(collector, "46.4.9.9"))
    m = collector.get("/api/map?window_s=3600")
    de = next(c for c in m["countries"] if c["cc"] == "DE")
    assert de["conns"] >= 9 and de["attempts"] >= 5 and 20000 <= de["rtt_p50_us"] <= 20010 and "lat" not in de
    place = next(p for p in m["places"] if p["cc"] == "DE")
    assert (place["city"], place["lat"], place["lon"]) == ("Köln <b>", 50.9375, 6.9603) and place["conns"] >= 9 and place["hosts_n"] >= 2
    assert m["home"] == {"lat": 58.4167, "lon": 15.6167}, "where the address is that was knocked at"
    arc = next(a for a in m["arcs"] if m["places"][a["to"]]["cc"] == "DE")
    assert arc["sensor"] == "r1" and arc["from"] == m["home"] and arc["conns"] == place["conns"]
    assert m["unknown"]["conns"] >= 1
    assert m["attribution"] == [{"text": "AS data by RouteViews and DB-IP", "url": "https://db-ip.com"}]
    assert collector.get("/api/map?sensor=nobody")["countries"] == []
    total = sum(d["conns"] for d in collector.get("/api/destinations?limit=1000")["destinations"])
    m = collector.get("/api/map")
    assert sum(c["conns"] for c in m["countries"]) + m["unknown"]["conns"] == total


def test_the_processes_have_no_rights(collector):
    parent, two = workers(collector)
    assert parent and len(two) == 2
    for pid in (parent, *two):
        status = dict(line.split(":\t", 1) for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines() if ":\t" in line)
        assert int(status["CapEff"], 16) == 0 and status["NoNewPrivs"] == "1" and status["Seccomp"] == "2", (pid, status)
    udp = 0
    for pid in two:
        inodes = {os.readlink(f"/proc/{pid}/fd/{fd}")[8:-1] for fd in os.listdir(f"/proc/{pid}/fd")
                  if os.readlink(f"/proc/{pid}/fd/{fd}").startswith("socket:")}
        unix = {line.split()[6] for line in pathlib.Path("/proc/net/unix").read_text().splitlines()[1:]}
        assert len(inodes & unix) == 1, "the collector's, and no other"
        udp += len(inodes) - 1
    assert udp == 8, "only the one that asks the DNS has sockets of the network"


def test_killed_processes_cost_nothing(collector):
    for n in range(3):
        _, two = workers(collector)
        for pid in two:
            os.kill(pid, signal.SIGSEGV)
        see(collector, f"46.4.50.{n}")
        ng.wait_for("an answer from the next one", lambda ip=f"46.4.50.{n}": facts(collector, ip) and facts(collector, ip)[0] == "DE")
    assert "died of signal 11" in collector.log()
    assert collector.process.poll() is None and ng.wait_for("both", lambda: len(workers(collector)[1]) == 2)


def test_a_file_that_shrinks_under_the_reader(folder, collector):
    """What is mapped is gone: the reader dies of SIGBUS, or reads nonsense; reports come in all the while."""
    path = folder / "city.mmdb"
    whole = path.read_bytes()
    with open(path, "r+b") as f:
        f.truncate(100)
    for n in range(20):
        see(collector, f"46.4.60.{n}")
    ng.wait_for("the file to be noticed", lambda: len(collector.get("/api/geo")["databases"]) == 2)
    path.write_bytes(whole)
    ng.wait_for("the file again", lambda: len(collector.get("/api/geo")["databases"]) == 3)
    ng.wait_for("all to be looked up anew", lambda: rows(collector, "SELECT count(*) FROM addr WHERE ip LIKE '46.4.60.%' AND city LIKE 'K%'") == [(20,)])


def test_what_is_stored_already_is_found_and_a_new_file_replaces_all(tmp_path):
    """More addresses than the queue holds, before there is any file; then a file that says something else."""
    (tmp_path / "collector").mkdir()
    ips = [f"46.4.{n >> 8}.{n & 255}" for n in range(3000)]
    with Collector(tmp_path, arguments=["--libexec-dir", ng.BUILD]) as c:
        stored(c, [conn(n + 1, dst_ip=ip) for n, ip in enumerate(ips)])
        assert c.get("/api/geo")["databases"] == []
        first = mmdb.write(tmp_path / "1.mmdb", {"46.4.0.0/16": {"country_code": "DE"}})
        command(tmp_path, "geo", "import", first)
        ng.wait_for("all 3000", lambda: rows(c, "SELECT count(*) FROM addr WHERE cc = 'DE'") == [(3000,)])
        second = mmdb.write(tmp_path / "2.mmdb", {"46.4.0.0/16": {"country_code": "FR"}})
        command(tmp_path, "geo", "import", second)
        ng.wait_for("all 3000 again", lambda: rows(c, "SELECT count(*) FROM addr WHERE cc = 'FR'") == [(3000,)])
        g = c.get("/api/geo")
        assert g["lookups"] >= 6000 and g["cached"] >= 3000 and g["waiting"] == 0
        c.process.send_signal(signal.SIGHUP)
        ng.wait_for("the same files after SIGHUP", lambda: "configuration read again" in c.log() and c.get("/api/geo")["databases"])


def test_the_queue_and_the_table_are_bounded(tmp_path):
    """Twice as many at once as the queue holds: the rest is found later; and more than the table holds."""
    (tmp_path / "collector").mkdir()
    command(tmp_path, "geo", "import", mmdb.write(tmp_path / "1.mmdb", {"46.4.0.0/15": {"country_code": "DE"}}))
    with Collector(tmp_path, arguments=["--libexec-dir", ng.BUILD, "--max-bytes", 4 << 20]) as c:
        most = c.get("/api/geo")["cached_max"]
        assert most == 1024
        for turn in range(5):
            before, merged = c.get("/api/geo")["lookups"], c.get("/api/storage")["removed"]["merged"]
            stored(c, [conn(2500 * turn + n + 1, dst_ip=f"46.4.{16 * turn + (n >> 8)}.{n & 255}") for n in range(2500)])
            ng.wait_for("more look-ups than there is room for, or the end of a minute, after which most are no row any more",
                        lambda: c.get("/api/geo")["lookups"] > before + 2000 or c.get("/api/storage")["removed"]["merged"] > merged)
            g = c.get("/api/geo")
            if g["lookups"] > before + 2000:
                break
        assert g["lookups"] > before + 2000
        assert g["cached"] <= most and g["evicted"] >= 900


# ---- the DNS ----


def test_names(collector, server):
    def hostile(query, question):
        good = dnsd.reply(query, "late.example.org")
        yield dnsd.reply(query, "wrong-number.example", number=query[0] ^ 1)
        yield dnsd.reply(query, "other-question.example", question=dnsd.dotted("1.2.0.192.in-addr.arpa") + b"\0\x0c\0\1")
        yield good[:20]
        yield b""
        yield query
        yield good

    answers = {
        "46.4.70.1": "static.70-1.example.net", "2a01:4f8::77": "six.example.net", "192.168.7.70": "printer.lan", "46.4.70.2": None,
        "46.4.70.3": "silent", "46.4.70.4": hostile,
        "46.4.70.5": dnsd.labels([b"<script>alert(1)</script>", "example"]), "46.4.70.6": dnsd.labels([b"a\x1b[31m", "example"]),
        "46.4.70.7": lambda q, _: [dnsd.reply(q, b"\xc0\x0c")],          # the question's own name: no loop, and a name
        "46.4.70.8": lambda q, _: [dnsd.reply(q, b"\xc0" + bytes([len(q) + 12]))],  # to itself
        "46.4.70.9": dnsd.labels(["x" * 63] * 5), "46.4.70.10": lambda q, _: [dnsd.reply(q, "", code=2)],
        "46.4.70.11": dnsd.labels([]), "46.4.70.12": lambda q, _: [dnsd.reply(q, b"\x3fabc")],
    }
    server.answers.update(answers)
    see(collector, *answers)
    # All are asked in one batch or two, which the silent one holds up for three times two seconds.
    ng.wait_for("the names", lambda: rows(collector, "SELECT count(*) FROM addr WHERE name_until_us IS NOT NULL AND (ip LIKE '46.4.70.%' OR "
                                          "ip IN ('2a01:4f8::77', '192.168.7.70'))") == [(len(answers),)], deadline_s=60)
    names = {ip: facts(collector, ip)[6] for ip in answers}
    assert names == {ip: None for ip in answers} | {
        "46.4.70.1": "static.70-1.example.net", "2a01:4f8::77": "six.example.net", "192.168.7.70": "printer.lan",
        "46.4.70.4": "late.example.org", "46.4.70.7": "7.70.4.46.in-addr.arpa"}
    assert facts(collector, "46.4.70.1")[0] == "DE", "a name takes nothing from the rest"
    by_ip = {d["dst_ip"]: d for d in collector.get("/api/destinations?limit=1000")["destinations"]}
    assert by_ip["192.168.7.70"]["dst_name"] == "printer.lan", "rather than its network's"
    asked = collections.Counter(ip for _, ip in server.asked)
    assert asked["46.4.70.3"] == 3 and asked["46.4.70.1"] == 1, "tried three times; answered, once"
    see(collector, *answers)
    see(collector, "46.4.70.99")
    ng.wait_for("a later one", lambda: "46.4.70.99" in [ip for _, ip in server.asked], deadline_s=60)
    assert collections.Counter(ip for _, ip in server.asked)["46.4.70.2"] == asked["46.4.70.2"], "what is known is not asked again"


def test_questions_are_limited(collector, server):
    before = len(server.asked)
    see(collector, *(f"46.4.80.{n}" for n in range(150)))
    ng.wait_for("150 questions", lambda: len(server.asked) >= before + 150, deadline_s=60)
    times = [t for t, _ in server.asked[before:before + 150]]
    assert times[-1] - times[0] > 149 / 50 * 0.9, "50 a second"


def test_private_addresses_stay_at_home(tmp_path, server):
    """resolv.conf's servers may be a provider's: not asked for addresses of home."""
    (tmp_path / "collector").mkdir()
    conf = tmp_path / "collector.conf"
    conf.write_text('dns = {"system"}\n', encoding="ascii")
    done = subprocess.run([ng.program("net-gazer-collector"), "-n", "-c", conf], capture_output=True, text=True, check=False, timeout=20)
    assert done.returncode == 0, done.stderr
    for wrong in ("gate.lan", "192.0.2.1:0", "[192.0.2.1]:53", "192.0.2.1:70000", "fd00::1:", ""):
        done = subprocess.run([ng.program("net-gazer-collector"), "-n", "-c", "/dev/null", "--dns", wrong or "x"], capture_output=True,
                              text=True, check=False, timeout=20)
        assert done.returncode and "address of a DNS server such as" in done.stderr, wrong
    asked = {ip for _, ip in server.asked}
    assert "192.168.7.70" in asked and "203.0.113.200" in asked, "a server named in the configuration is"


def test_off_by_default(tmp_path):
    (tmp_path / "collector").mkdir()
    command(tmp_path, "geo", "import", mmdb.write(tmp_path / "1.mmdb", {"46.4.0.0/15": {"country_code": "DE"}}))
    with Collector(tmp_path, arguments=["--libexec-dir", ng.BUILD]) as c:
        see(c, "46.4.90.1")
        ng.wait_for("its country", lambda: facts(c, "46.4.90.1"))
        assert c.get("/api/geo")["dns"]["on"] is False and facts(c, "46.4.90.1")[6] is None
        _, two = workers(c)
        assert len(two) == 1, "nobody who could ask"


def test_without_the_program(tmp_path):
    with Collector(tmp_path, arguments=["--libexec-dir", tmp_path, "--geo-country", "/nowhere/x.mmdb"]) as c:
        see(c, "46.4.90.2")
        assert c.get("/api/geo")["databases"] == []
        assert "no program geo in libexec-dir" in c.log()


def test_nothing_stays_behind(tmp_path):
    with Collector(tmp_path, arguments=["--libexec-dir", ng.BUILD, "--dns", "127.0.0.1:9"]) as c:
        parent, two = ng.wait_for("the processes", lambda: workers(c) if len(workers(c)[1]) == 1 else None)
        c.process.kill()
        c.process.wait()
        ng.wait_for("all to end with the collector", lambda: not any(map(ng.alive, (parent, *two))))
        c.start()
