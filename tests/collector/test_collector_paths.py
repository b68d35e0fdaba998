# SPDX-License-Identifier: GPL-2.0-or-later
"""/api/paths and /api/graph against a naive copy of the traces that were sent."""
import collections
import ipaddress
import random
import time

import collector_rig as rig
from lib.collector import Collector


def hash_of(hops):
    return f"{hash(tuple((h['ttl'], h['ip']) for h in hops if 'ip' in h)) % 2**64:016x}"


def make(rng, now, seq):
    sensor, dst = rng.choice(["a", "b.c-d"]), rng.choice(["192.0.2.1", "192.0.2.2", "2001:DB8::1", "2001:db8:0::2"])
    hops = []
    for ttl in range(1, rng.randrange(2, 8)):
        hop = {"ttl": ttl}
        if rng.random() < 0.75:
            hop["ip"] = rng.choice([f"10.0.{ttl}.1", f"10.0.{ttl}.2", f"FE80:0::{ttl}"])
            if rng.random() < 0.2:
                hop["cached"] = True
            else:
                hop |= {"sent": 2, "rtt_us": [rng.randrange(50000) for _ in range(rng.randrange(1, 3))]}
        hops.append(hop)
    reached = rng.random() < 0.7
    if reached:
        hops.append({"ttl": len(hops) + 1, "ip": dst, "sent": 1, "rtt_us": [rng.randrange(60000)]})
    return rig.other("trace", seq, sensor=sensor, ts_us=now - rng.randrange(10**9), dst_ip=dst, dst_port=443, reached=reached,
                     method=rng.choice(["tcp-syn", "udp", "icmp", "tcp-ack"]), path_hash=hash_of(hops), hops=hops)


def ip(text):
    return str(ipaddress.ip_address(text))


def answered(r):
    return [(h["ttl"], ip(h["ip"])) for h in r["hops"] if "ip" in h]


def links_of(r):
    at = [(0, None)] + answered(r)
    return list(zip(at, at[1:]))


def check_graph(graph, traces, latest):
    """Its paths are the latest ones; its nodes and links those of these paths, with numbers over all traces."""
    nodes = [(graph["sensors"][n["sensor"]], n["ttl"], n.get("ip")) for n in graph["nodes"]]
    assert len(set(nodes)) == len(nodes)
    wanted_nodes, wanted_links = set(), set()
    for p in graph["paths"]:
        r = latest[p["sensor"], p["dst_ip"]]
        assert [nodes[n][1:] for n in p["nodes"]] == [(0, None)] + answered(r)
        assert {nodes[n][0] for n in p["nodes"]} == {r["sensor"]}
        wanted_nodes |= {(r["sensor"], *n) for n in [(0, None)] + answered(r)}
        wanted_links |= {(r["sensor"], *x) for x in links_of(r)}
    assert set(nodes) == wanted_nodes
    links = [(nodes[x["a"]][0], nodes[x["a"]][1:], nodes[x["b"]][1:]) for x in graph["links"]]
    assert len(set(links)) == len(links) and set(links) == wanted_links
    for n, node in zip(nodes, graph["nodes"]):
        mine = [h for r in traces if r["sensor"] == n[0] for h in r["hops"] if (h["ttl"], "ip" in h and ip(h["ip"])) == n[1:]]
        if not n[1]:
            assert set(node) == {"sensor", "ttl"}
            continue
        rtts = [us for h in mine for us in h.get("rtt_us", [])]
        assert node["traces"] == len(mine) and node["cached"] == sum("cached" in h for h in mine)
        assert node["sent"] == sum(h.get("sent", 0) for h in mine) and node["answered"] == len(rtts)
        assert (node.get("rtt_min_us"), node.get("rtt_max_us")) == ((min(rtts), max(rtts)) if rtts else (None, None))
        assert not rtts or min(rtts) <= node["rtt_p50_us"] <= max(rtts)
    for (sensor, a, b), link in zip(links, graph["links"]):
        mine = [r for r in traces if r["sensor"] == sensor and (a, b) in links_of(r)]
        assert link["traces"] == len(mine) and link.get("gap", 0) == b[0] - a[0] - 1
        assert link["last_ts"] == max(r["ts"] for r in mine) and link["first_ts"] == min(r["ts"] for r in mine)
        added = []
        for r in mine:
            least = {(h["ttl"], ip(h["ip"])): min(h["rtt_us"]) for h in r["hops"] if h.get("rtt_us")} | {(0, None): 0}
            if a in least and b in least:
                added.append(max(0, least[b] - least[a]))
        assert (link.get("added_min_us"), link.get("added_max_us")) == ((min(added), max(added)) if added else (None, None))


def test_against_a_copy(tmp_path):
    seed = time.time_ns()
    print(f"seed {seed}")
    rng = random.Random(seed)
    now = rig.now_us()
    traces = [make(rng, now, seq) for seq in range(400)]
    with Collector(tmp_path) as c:
        for i in range(0, 400, 40):
            rig.stored(c, traces[i:i + 40])
        # All of it again counts nothing.
        _, answer, _ = rig.post(c, traces)
        assert (answer["accepted"], answer["duplicate"]) == (0, 400)
        for _ in range(2):
            latest, groups = {}, collections.defaultdict(list)
            for r in traces:
                key = r["sensor"], ip(r["dst_ip"])
                groups[key].append(r)
                if key not in latest or r["ts"] >= latest[key]["ts"]:
                    latest[key] = r
            answer = c.get("/api/paths?limit=1000")
            assert [p["last_ts"] for p in answer["paths"]] == sorted((r["ts"] for r in latest.values()), reverse=True)
            for p in answer["paths"]:
                r, mine = latest[p["sensor"], p["dst_ip"]], groups[p["sensor"], p["dst_ip"]]
                at = answered(r)
                assert (p["path_hash"], p["method"], p["reached"]) == (r["path_hash"], r["method"], r["reached"])
                assert p["hops_n"] == (at[-1][0] if at else 0) and p["silent_n"] == p["hops_n"] - len(at)
                assert p["traces"] == len(mine) and p["paths_n"] == len({r["path_hash"] for r in mine})
                assert p["first_ts"] == min(r["ts"] for r in mine) and p["changes"] == 0 and "changed_ts" not in p
                assert p.get("rtt_us") == (r["hops"][-1]["rtt_us"][0] if r["reached"] else None)
            assert answer["stored"]["destinations"] == len(latest) == 8
            for dst in {k[1] for k in latest}:
                one = c.get(f"/api/paths?dst={dst}")
                assert one["dst_ip"] == dst and len(one["sensors"]) == 2
                for s in one["sensors"]:
                    r = latest[s["sensor"], dst]
                    assert s["latest"]["hops"] == r["hops"] and s["latest"]["path_hash"] == r["path_hash"]
                    assert "previous" not in s and s["changed"] == []
            for limit in (1, 3, 8, 1000):
                graph = c.get(f"/api/graph?limit={limit}")
                assert len(graph["paths"]) == min(limit, 8) and graph["cut"] is (limit < 8) and graph["destinations_n"] == 8
                check_graph(graph, traces, latest)
            assert c.get("/api/graph?limit=3&sensor=a")["destinations_n"] == 4
            # The same after a restart.
            c.stop()
            c.start()


def test_changes(tmp_path):
    now = rig.now_us()
    with Collector(tmp_path) as c:
        hashes = [f"{i:016x}" for i in range(70)]
        for i in range(70):
            more = {"prev_path_hash": hashes[i - 1]} if i else {}
            rig.stored(c, [rig.other("trace", i, ts_us=now - 10**8 + i, path_hash=hashes[i], hops=[{"ttl": 1, "ip": f"10.0.0.{i}"}], **more)])
        one, = c.get("/api/paths?dst=192.0.2.1")["sensors"]
        assert one["changes"] == 69 and one["changed_ts"] == rig.stamp(now - 10**8 + 69)
        assert [(x["old"], x["new"]) for x in one["changed"]] == [(hashes[i - 1], hashes[i]) for i in range(69, 19, -1)]
        assert one["latest"]["hops"] == [{"ttl": 1, "ip": "10.0.0.69"}] and one["previous"]["hops"] == [{"ttl": 1, "ip": "10.0.0.68"}]
        # The way back is a change too; an old trace that comes late is none.
        rig.stored(c, [rig.other("trace", 100, ts_us=now, path_hash=hashes[68], prev_path_hash=hashes[69], hops=[{"ttl": 1, "ip": "10.0.0.68"}]),
                       rig.other("trace", 101, ts_us=now - 2 * 10**8, path_hash=hashes[3], hops=[])])
        one, = c.get("/api/paths?dst=192.0.2.1")["sensors"]
        assert one["latest"]["path_hash"] == hashes[68] and one["previous"]["path_hash"] == hashes[69] and one["changes"] == 70
        assert c.get("/api/paths?dst=192.0.2.9")["sensors"] == []


def test_busy_hop(tmp_path):
    """Many paths lead over an IPv6 router, which sensors spell as they like: its newest round trip times are there all the same."""
    now = rig.now_us()
    hops = [{"ttl": t, "ip": f"2001:DB8:0:1::{t:x}", "rtt_us": [1000 * t + 5, 1000 * t], "sent": 2} for t in range(1, 16)]
    with Collector(tmp_path) as c:
        for part in range(6):
            rig.stored(c, [rig.other("trace", i, ts_us=now - 10**7 + i, dst_ip=f"2001:db8:9::{i % 300:x}", hops=hops) for i in range(500 * part, 500 * part + 500)])
        hop = c.get("/api/hop?ip=2001:db8:0:1::7")
        assert hop["partial"] and len(hop["destinations"]) == 200
        assert [r["rtt_us"] for r in hop["rtt"]] == 500 * [7000]
        assert [r["ts"] for r in hop["rtt"]] == [rig.stamp(now - 10**7 + 2999 - i) for i in range(500)]
        other = c.get("/api/hop?ip=2001:db8:0:2::7")
        assert other["destinations"] == other["rtt"] == []


def test_parameters(tmp_path):
    with Collector(tmp_path) as c:
        assert c.get("/api/paths") == {"paths": [], "stored": dict.fromkeys(["hops", "links", "destinations", "paths", "changes"], 0),
                                       "evicted": dict.fromkeys(["hops", "links", "destinations", "paths", "changes"], 0)}
        assert c.get("/api/graph")["nodes"] == []
        assert c.get("/api/paths?dst=2001:DB8:0::1")["dst_ip"] == "2001:db8::1"
        for bad in ("paths?dst=", "paths?dst=x", "paths?dst=1.2.3", "paths?dst=1.2.3.4'--", "paths?dst=::1%25eth0", "paths?limit=0", "paths?limit=1001",
                    "paths?window_s=60", "paths?dst=::1&dst=::1", "graph?dst=::1", "graph?limit=x", "graph?before=1", "paths?dst"):
            status, body, _ = rig.request(c, "GET", f"/api/{bad}")
            assert status == 400, (bad, status, body)


def test_big(tmp_path):
    """Long paths without a shared hop, with long names: the answer ends in time and says so."""
    rng = random.Random(1)
    with Collector(tmp_path) as c:
        seq = 0
        for _ in range(40):
            batch = []
            for _ in range(25):
                seq += 1
                hops = [{"ttl": t, "ip": f"2001:db8:{rng.randrange(65536):x}:{rng.randrange(65536):x}:{seq:x}::{t:x}", "rtt_us": [t * 1000], "sent": 1, "name": "\u20ac" * 10}
                        for t in range(1, 65)]
                batch.append(rig.other("trace", seq, dst_ip=f"10.0.{seq >> 8}.{seq & 255}", hops=hops))
            rig.stored(c, batch)
        status, body, _ = rig.request(c, "GET", "/api/graph?limit=1000")
        assert status == 200 and len(body) <= 16 << 20
        graph = c.get("/api/graph?limit=1000")
        assert graph["cut"] is True and 50 < len(graph["paths"]) < 1000
        assert max(n for p in graph["paths"] for n in p["nodes"]) == len(graph["nodes"]) - 1
        assert graph["stored"]["destinations"] == 1000
        assert graph["stored"]["hops"] == 20000 and graph["evicted"]["hops"] == 44000
        assert graph["stored"]["links"] == 40000 and graph["evicted"]["links"] == 24000
        # A path whose hops were evicted is there still: only their numbers are gone.
        assert all(len(p["nodes"]) == 65 for p in graph["paths"])
