# SPDX-License-Identifier: GPL-2.0-or-later
"""Cypher from SQLite and from FalkorDB: the same question about the same traces gives the same set; a server that loses
the graph, dies, or wants a password; the graph of a moment.

    collector ──reads, read only── graph (process) ──unix socket── valkey-server + falkordb.so
"""
import collections
import contextlib
import json
import os
import platform
import random
import shutil
import signal
import sqlite3
import subprocess

import pytest

import collector_rig as rig
from lib import geofiles, ng, prometheus
from lib.collector import Collector

FOLDER = ng.TOP / "tests/falkordb"
HOPS = [f"10.1.{t}.{i}" for t in range(1, 7) for i in range(1, 4)]


@pytest.fixture(scope="module")
def module():
    """falkordb.so from npm's lock file, in the build folder."""
    build = ng.program("net-gazer-collector").parent / "falkordb"
    if platform.machine() != "x86_64" or not shutil.which("valkey-server"):
        pytest.fail("FalkorDB needs x86_64 and valkey-server: make deps")
    return geofiles.installed(build, FOLDER) / "@falkordblite/linux-x64/bin/falkordb.so"


class Server:
    def __init__(self, folder, module, *more):
        self.socket, self.log_path, self.module, self.more, self.process = folder / "valkey.sock", folder / "valkey.log", module, more, None
        self.folder = folder

    def start(self):
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(["valkey-server", "--port", "0", "--unixsocket", self.socket, "--save", "", "--dir", self.folder,
                                             "--loadmodule", self.module, *self.more], stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        ng.wait_for("the server", lambda: b"PONG" in self.cli("PING") or b"NOAUTH" in self.cli("PING"))

    def kill(self):
        if self.process:
            self.process.kill()
            self.process.wait()
            self.process = None

    def cli(self, *words):
        return subprocess.run(["valkey-cli", "-s", self.socket, *words], capture_output=True, timeout=60, check=False).stdout


@contextlib.contextmanager
def server(folder, module, *more):
    s = Server(folder, module, *more)
    try:
        s.start()
        yield s
    finally:
        s.kill()


def traces(rng, n, first=1):
    out = []
    for seq in range(first, first + n):
        hops = []
        for ttl in range(1, 7):
            hop = {"ttl": ttl}
            if rng.random() < 0.85:
                hop |= {"ip": f"10.1.{ttl if rng.random() < 0.98 else max(1, ttl - 1)}.{rng.randrange(1, 4)}", "sent": 2, "rtt_us": [ttl * 1000 + rng.randrange(900)]}
                if rng.random() < 0.5:
                    hop["name"] = f"r\"\\{ttl}.ex\u00e4mple 'x'"
            hops.append(hop)
        out.append(rig.other("trace", seq, sensor=rng.choice(["gw", "b-1"]), boot=f"{seq:08x}", dst_ip=f"192.0.2.{rng.randrange(1, 9)}", hops=hops))
    return out


def cypher(c, query, **params):
    """The whole answer: on a busy machine half a second is short, and what was found by then is partial."""
    def whole():
        status, body = c.request("POST", "/api/cypher", json.dumps({"query": query, "params": params}), {"Content-Type": "application/json"})
        assert status == 200, body
        answer = json.loads(body)
        return None if answer["partial"] else answer
    return ng.wait_for(f"all of {query}", whole, every_s=0.1)


def falkor(c, url, query):
    done = subprocess.run([ng.program("net-gazer-collector"), "graph", "query", query, "-c", "/dev/null", "--engine", "falkordb", "--graph-url", url],
                          capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    lines, columns = [x.strip() for x in done.stdout.splitlines()], query.split("RETURN ")[1].count(",") + 1
    cells = lines[columns:next(i for i, x in enumerate(lines) if x.startswith("Cached execution"))]
    return {tuple(cells[i:i + columns]) for i in range(0, len(cells), columns)}


def text(v):
    return "null" if v is None else str(v)


def current(c, edges=1):
    g = c.get("/health")["graph"]
    return g["state"] == "current" and g["lag"] == 0 and g["cursor"] == g["newest"] and g["newest"] > 0 and g["edges"] >= edges


QUERIES = [q.replace("$IP", ip) for ip in HOPS[:4] for q in (
    "MATCH (a:hop{ip:'$IP'})-[:next*1..5]->(b) RETURN DISTINCT a.ip, b.ip",
    "MATCH (a:hop{ip:'$IP'})-[next*1..2]->(b) RETURN b.ip, b.name",
    "MATCH (a:hop{ip:'$IP'})<-[:next*1..3]-(b) RETURN DISTINCT b.ip, b.first_seen, b.last_seen",
    "MATCH (a:hop{ip:'$IP'})-[e:next]-(b) RETURN b.ip, e.rtt_us, e.count, e.gap, e.first_seen, e.last_seen")] + [
    "MATCH (s:sensor)-[e:next]->(b) RETURN s.name, b.ip, e.count",
    "MATCH (a:hop)-[e:next]->(b:hop) WHERE e.rtt_us > 900 AND NOT b.ip ENDS WITH '.2' RETURN a.ip, b.ip",
    "MATCH (a:hop)-[:next]->(b)-[:next]->(c) WHERE a.name IS NULL AND c.ip IN ['10.1.4.1', '10.1.5.3'] RETURN a.ip, b.ip, c.ip",
    "MATCH (a:hop) RETURN count(*)", "MATCH (a:hop)-[:next]->(b) RETURN a.ip, count(b)"]


def same(c, url):
    for q in QUERIES:
        assert {tuple(text(v) for v in row) for row in cypher(c, q + " LIMIT 10000")["rows"]} == falkor(c, url, q), q


def test_engines(tmp_path, module):
    rng = random.Random(5)
    with server(tmp_path, module) as s:
        url = f"unix://{s.socket}"
        with Collector(tmp_path, arguments=("--graph-url", url)) as c:
            rig.stored(c, traces(rng, 300))
            ng.wait_for("the graph", lambda: current(c))
            same(c, url)
            # It goes on from where it was, with what is new alone.
            before = c.get("/health")["graph"]["edges"]
            rig.stored(c, traces(rng, 1, 1000))
            ng.wait_for("the next trace", lambda: current(c, before + 1))
            assert c.get("/health")["graph"]["edges"] - before <= 7
            same(c, url)
            said = told(c)
            assert said["connected"] is True and said["lag"] == 0 and said["batches"] >= 2 and said["cursor"] == said["newest"], said
            # The server dies, with all that it had; reports go on meanwhile, and it gets everything again.
            s.kill()
            rig.stored(c, traces(rng, 20, 2000))
            ng.wait_for("that it is missed", lambda: c.get("/health")["graph"]["state"] == "away")
            said = told(c)
            assert said["connected"] is False and said["lag"] > 0 and said["failures"] > 0, said
            assert cypher(c, QUERIES[0])["engine"] == "sqlite"
            s.start()
            ng.wait_for("the graph again", lambda: current(c) and s.cli("EXISTS", "net-gazer") == b"1\n")
            same(c, url)
            # Our process dies.
            starts = c.get("/health")["graph"]["starts"]
            os.kill(worker_of(c.process.pid), signal.SIGSEGV)
            ng.wait_for("another process", lambda: c.get("/health")["graph"]["starts"] > starts)
            rig.stored(c, traces(rng, 5, 3000))
            ng.wait_for("it goes on", lambda: current(c))
            same(c, url)
            # By hand, beside the collector.
            done = subprocess.run([ng.program("net-gazer-collector"), "graph", "rebuild", "-c", "/dev/null", "--graph-url", url,
                                   "--database", c.data / "net-gazer.db"], capture_output=True, text=True, timeout=60, check=False)
            assert done.returncode == 0 and "relations in" in done.stderr, done.stderr
            same(c, url)


def told(c):
    """The projection's numbers: the same in /health, /api/storage and /metrics."""
    graph = c.get("/health")["graph"]
    assert set(c.get("/api/storage")["graph"]) == set(graph)
    status, text_ = c.request("GET", "/metrics")
    assert status == 200
    found = prometheus.check(text_.decode("ascii") if isinstance(text_, bytes) else text_)
    for name, field in (("connected", "connected"), ("cursor", "cursor"), ("lag", "lag"), ("batches_total", "batches"), ("edges_total", "edges"),
                        ("failures_total", "failures"), ("starts_total", "starts")):
        assert found[f"net_gazer_collector_graph_{name}",] >= graph[field] if name.endswith("_total") else found[f"net_gazer_collector_graph_{name}",] == graph[field], name
    documented = (ng.TOP / "docs/API.md").read_text(encoding="utf-8")
    assert all(f"`{name.removeprefix('net_gazer_collector')}`" in documented for name, *_ in found if "_graph_" in name)
    return graph


def evicted(c, table):
    with contextlib.closing(sqlite3.connect(c.data / "net-gazer.db")) as db:
        return (db.execute("SELECT value FROM meta WHERE key = ?", (f"evicted_{table}",)).fetchone() or [0])[0]


def test_eviction(tmp_path, module):
    """What SQLite evicted goes from FalkorDB too, whole relations and the parts of those that several sensors saw: the same
    questions give the same sets, whoever is asked, with the server there all the time, away for a while, and away for too long."""
    rng, seq = random.Random(9), iter(range(10000, 20000))

    def others(n):
        return [rig.other("trace", i, sensor="flood", boot="0badc0de", dst_ip="192.0.2.9",
                          hops=[{"ttl": t, "ip": f"10.{2 + i // 250 % 200}.{i % 250}.{t}", "sent": 1, "rtt_us": [t * 500]} for t in range(1, 31)])
                for i in (next(seq) for _ in range(n))]

    def until(c, enough):
        for _ in range(200):
            if enough():
                return
            rig.stored(c, others(3))
        raise AssertionError("nothing was evicted")

    with server(tmp_path, module) as s:
        url = f"unix://{s.socket}"
        # 2501 links, 1251 hops; 938 evictions are remembered.
        with Collector(tmp_path, arguments=("--graph-url", url, "--max-bytes", str(16 << 20))) as c:
            rig.stored(c, traces(rng, 300))
            ng.wait_for("the graph", lambda: current(c))
            links = cypher(c, "MATCH (a:hop{ip:'10.1.1.1'})-[e:next]->(b) RETURN b.ip, e.count LIMIT 10000")["rows"]
            until(c, lambda: evicted(c, "link") > 40)
            ng.wait_for("some of it gone", lambda: current(c))
            assert evicted(c, "hop") > 0
            left = cypher(c, "MATCH (a:hop{ip:'10.1.1.1'})-[e:next]->(b) RETURN b.ip, e.count LIMIT 10000")["rows"]
            assert left != links and left, "some of what is asked for, and not all"
            same(c, url)
            # Away meanwhile.
            starts, failures = c.get("/health")["graph"]["starts"], c.get("/health")["graph"]["failures"]
            worker = worker_of(c.process.pid)
            os.kill(worker, signal.SIGSTOP)
            until(c, lambda: evicted(c, "link") > 150)
            assert c.get("/health")["graph"]["lag"] > 0
            os.kill(worker, signal.SIGCONT)
            ng.wait_for("more of it gone", lambda: current(c))
            assert c.get("/health")["graph"]["failures"] == failures, "it went on from where it was"
            same(c, url)
            # All of the first traces, and more than is remembered: it is made again.
            os.kill(worker, signal.SIGSTOP)
            until(c, lambda: evicted(c, "link") > 2000)
            rig.stored(c, traces(rng, 20, 5000))
            os.kill(worker, signal.SIGCONT)
            ng.wait_for("all of it again", lambda: current(c))
            assert c.get("/health")["graph"]["starts"] == starts and c.get("/health")["graph"]["failures"] == failures + 1
            same(c, url)


EDGES = [("gw", "A"), ("A", "B"), ("B", "A"), ("A", "C"), ("C", "D"), ("D", "C"), ("C", "E"), ("gw", "D"), ("D", "A"), ("gw", "B"), ("B", "B"), ("B", "E")]


def walks(start, least, most, way, may_go_on):
    """Ends of all ways of so many relations from a node, how often each: `way` 1 along them, -1 against them, 0 both."""
    ends, todo = collections.Counter(), [(start, ())]
    while todo:
        at, used = todo.pop()
        if len(used) >= least:
            ends[at] += 1
        if len(used) == most:
            continue
        for i, (a, b) in enumerate(EDGES):
            for x, y, ok in ((a, b, way >= 0), (b, a, way <= 0 and (a != b or way))):
                if ok and x == at and may_go_on(at, used, i):
                    todo.append((y, (*used, i)))
    return ends


def test_cycles(tmp_path, module):
    """A graph that leads back to where it was, and to itself.  SQLite: ways that use no relation twice, as openCypher has it, each a
    row.  FalkorDB: the same nodes for *1..n, in fewer rows; for *n..n, ways that may use one twice.  As docs/API.md says."""
    ip = {name: f"10.9.0.{i}" for i, name in enumerate("ABCDE", 1)}
    with server(tmp_path, module) as s:
        url = f"unix://{s.socket}"
        with Collector(tmp_path, arguments=("--graph-url", url)) as c:
            rig.stored(c, [rig.other("trace", i, sensor="gw", dst_ip="192.0.2.9", hops=[{"ttl": t, "ip": ip[h], "sent": 1, "rtt_us": [t * 500]}
                                                                                       for t, h in enumerate(hops, 1)])
                           for i, hops in enumerate(("ABACDCE", "DA", "BBE"), 1)])
            ng.wait_for("the graph", lambda: current(c))
            for start in "AC":
                for least, most in ((1, 1), (1, 2), (1, 3), (1, 5), (2, 2), (3, 3), (2, 5)):
                    for way, arrow in ((1, "-[:next*{}..{}]->"), (-1, "<-[:next*{}..{}]-"), (0, "-[:next*{}..{}]-")):
                        q = f"MATCH (a:hop{{ip:'{ip[start]}'}}){arrow.format(least, most)}(b) RETURN "
                        once = walks(start, least, most, way, lambda _, used, i: i not in used)
                        rows = cypher(c, q + "b.ip, count(*) LIMIT 100")["rows"]
                        assert {b: n for b, n in rows} == {ip.get(b): n for b, n in once.items()}, (start, least, most, way)
                        if least == 1:
                            assert falkor(c, url, q + "DISTINCT b.ip") == {(ip.get(b, "null"),) for b in once}, (start, most, way)
            twice = walks("A", 3, 3, 1, lambda *_: True)
            q = f"MATCH (a:hop{{ip:'{ip['A']}'}})-[:next*3..3]->(b) RETURN DISTINCT b.ip"
            assert falkor(c, url, q) == {(ip[b],) for b in twice} != {tuple(row) for row in cypher(c, q)["rows"]}


def worker_of(pid):
    """The process below the keeper."""
    def child(of):
        with open(f"/proc/{of}/task/{of}/children", encoding="ascii") as f:
            return [int(x) for x in f.read().split()]
    for keeper in child(pid):
        with open(f"/proc/{keeper}/comm", encoding="ascii") as f:
            if f.read().strip() == "graph-keeper":
                return child(keeper)[0]
    raise AssertionError("no keeper")


def test_password(tmp_path, module):
    secret = tmp_path / "password"
    with server(tmp_path, module, "--requirepass", "s3cret word") as s:
        secret.write_text("wrong\n", encoding="ascii")
        url = f"unix://{s.socket}"
        argv = ("--graph-url", url, "--graph-password-file", str(secret))
        with Collector(tmp_path, arguments=argv) as c:
            rig.stored(c, traces(random.Random(1), 10))
            ng.wait_for("a refusal", lambda: c.get("/health")["graph"]["failures"] > 0)
            assert c.get("/health")["graph"]["edges"] == 0
        secret.write_text("s3cret word\n", encoding="ascii")
        with Collector(tmp_path, arguments=argv) as c:
            ng.wait_for("the graph", lambda: current(c))


def test_past(tmp_path):
    """A leads to B leads to A again: at each moment the path of then."""
    now = rig.now_us() // 1000000 * 1000000
    paths = [("a" * 16, None, "10.0.0.1"), ("b" * 16, "a" * 16, "10.0.0.2"), ("a" * 16, "b" * 16, "10.0.0.1")]
    with Collector(tmp_path) as c:
        rig.stored(c, [rig.other("trace", i + 1, ts_us=now - (400 - 100 * i) * 1000000, path_hash=h, hops=[{"ttl": 1, "ip": ip, "sent": 4, "rtt_us": [5]}],
                                 **({"prev_path_hash": was} if was else {})) for i, (h, was, ip) in enumerate(paths)])
        for seconds, ip in ((450, None), (350, "10.0.0.1"), (250, "10.0.0.2"), (150, "10.0.0.1")):
            g = c.get(f"/api/graph?at={rig.stamp(now - seconds * 1000000)}")
            assert [n["ip"] for n in g["nodes"] if n["ttl"]] == ([ip] if ip else []), seconds
        assert [x["ts"] for x in g["changes"]] == [rig.stamp(now - 200000000), rig.stamp(now - 300000000)]
        assert g["links"][0]["loss"] == 0.75 and c.get("/api/graph?sensor=other")["paths"] == []
        hop = c.get("/api/hop?ip=10.0.0.1")
        assert [x["rtt_us"] for x in hop["rtt"]] == [5, 5] and hop["traces"] == 2 and hop["destinations"][0]["dst_ip"] == "192.0.2.1"
        assert hop["links_in"][0]["ttl"] == 0 and hop["links_out"] == [] and c.get("/api/hop?ip=10.0.0.2")["destinations"] == []
        assert c.get("/api/hop?ip=10.0.0.9")["rtt"] == []


def test_refused(tmp_path):
    with Collector(tmp_path) as c:
        for body, word in ((b"", "JSON object"), (b"[]", "no lists"), (b'{"query":1}', "must be a text"), (b'{"params":{}}', "query is missing"),
                           (b'{"query":"MATCH (a) RETURN a","x":1}', "query and params"), (b'{"query":"MATCH (a) RETURN a.x"}', "a node has no x")):
            status, said = c.request("POST", "/api/cypher", body, {"Content-Type": "application/json"})
            assert status == 400 and word in json.loads(said)["error"], (body, said)
    for url in ("http://x", "redis://", "redis://u:p@x", "unix://relative", "redis://x:99999"):
        done = subprocess.run([ng.program("net-gazer-collector"), "-n", "-c", "/dev/null", "--graph-url", url], capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 1 and "unix:///PATH" in done.stderr, done.stderr
