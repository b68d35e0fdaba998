# SPDX-License-Identifier: GPL-2.0-or-later
"""The numbers of the API against a naive copy of what was sent."""
import collections
import ipaddress
import math
import random
import time

import pytest

import collector_rig as rig
from lib import ng
from lib.collector import Collector

STATES = ["established", "answered", "refused", "timeout", "unreachable", "aborted", "orphan"]
FAILED = set(STATES[2:])
KINDS = ["single", "vertical_scan", "horizontal_scan", "flood"]
DAY_US = 86400 * 1000000


def bucket(us):
    """Four for each power of two, as the schema's rtt_hist."""
    if us < 1:
        return 0
    e = us.bit_length() - 1
    return 4 * e + ((us << 2 >> e) & 3)


def exact(values, percent):
    values = sorted(values)
    return values[max(0, math.ceil(len(values) * percent / 100) - 1)]


class Model:
    """Everything that was sent, and the API's answers by going through all of it."""

    def __init__(self, rng):
        self.rng, self.conns, self.attempts, self.seq = rng, [], [], 0

    def make(self, now, n, back_s):
        rng, out = self.rng, []
        for _ in range(n):
            self.seq += 1
            ts = now - rng.randrange(back_s * 1000000)
            if rng.random() < 0.2:
                r = rig.other("attempt", self.seq, ts_us=ts, last_ts=rig.stamp(min(now, ts + rng.randrange(30000000))),
                              src_ip=f"203.0.113.{rng.randrange(12)}", count=rng.randrange(1, 500))
                if rng.random() < 0.8:
                    r["verdict"] = rng.choice(["accepted", "dropped", "rejected", "unknown"])
                if rng.random() < 0.8:
                    r["kind"] = rng.choice(["single", "vertical_scan", "horizontal_scan", "flood"])
                if rng.random() < 0.8:
                    r["dst_ip"] = f"198.51.100.{rng.randrange(8)}"
                if rng.random() < 0.5:
                    r["dst_ports"] = rng.sample(range(1, 200), rng.randrange(20))
                elif rng.random() < 0.5:
                    r["dst_port"] = rng.randrange(1, 100)
                for name in ("dst_ports_n", "dst_ips_n"):
                    if rng.random() < 0.2:
                        r[name] = rng.randrange(100)
                self.attempts.append(r)
            else:
                r = rig.conn(self.seq, ts_us=ts, dst_port=rng.choice([22, 25, 443]), state=rng.choice(STATES),
                             src_ip=f"10.0.0.{rng.randrange(6)}", proto=rng.choice(["tcp", "tcp", "tcp", "sctp"]),
                             dst_ip=rng.choice(["192.0.2.1", "192.0.2.2", "2001:DB8::1", "2001:db8:0::1"]))
                if r["state"] in ("established", "answered") and rng.random() < 0.8:
                    r["rtt_us"] = int(rng.lognormvariate(10, 1.5))
                    r["rtt_src_us"] = int(rng.lognormvariate(7, 1))
                if rng.random() < 0.3:
                    r["syn_retrans"] = rng.randrange(4)
                if rng.random() < 0.1:
                    r["sample_n"] = rng.choice([1, 2, 100, 2**53 - 1])
                self.conns.append(r)
            out.append(r)
        return out

    @staticmethod
    def weight(r):
        return min(r.get("sample_n", 1), 65536)

    def window(self, reports, start_us, field="ts", end_us=2**62):
        return [r for r in reports if start_us <= rig.micros(r[field]) < end_us]

    def rtts(self, reports, field="rtt_us"):
        return [r[field] for r in reports if field in r for _ in range(min(self.weight(r), 100))]


def close_enough(got, values, percent):
    assert bucket(got) == bucket(exact(values, percent)), (got, exact(values, percent))


def check_rtt(entry, reports, model):
    values = model.rtts(reports)
    if not values:
        assert not any("rtt_" in k for k in entry)
        return
    if any(model.weight(r) > 100 for r in reports):
        return  # the naive copy does not hold as many
    close_enough(entry["rtt_p50_us"], values, 50)
    close_enough(entry["rtt_p95_us"], values, 95)
    if "src_rtt_p50_us" in entry:
        close_enough(entry["src_rtt_p50_us"], model.rtts(reports, "rtt_src_us"), 50)
        close_enough(entry["src_rtt_p95_us"], model.rtts(reports, "rtt_src_us"), 95)
    if "rtt_min_us" in entry:
        assert (entry["rtt_min_us"], entry["rtt_max_us"]) == (min(values), max(values))


def last(reports, field="ts"):
    return max(r[field] for r in reports)


def weights_before(model, answer):
    """Of each destination in the window before: at least, and at most, since an old one is of whole hours or days."""
    start, until = rig.micros(answer["from_ts"]), rig.micros(answer["until_ts"])
    slack = DAY_US if 2 * start - until < until - DAY_US else 0
    for more in (0, slack):
        count = collections.Counter()
        for r in model.window(model.conns, 2 * start - until - more, end_us=start + more):
            count[rig.destination(r)] += model.weight(r)
        yield count


def check_destinations(model, answer, start_us):
    groups = collections.defaultdict(list)
    for r in model.window(model.conns, start_us):
        groups[str(ipaddress.ip_address(r["dst_ip"])), r["dst_port"], r["proto"]].append(r)
    got = answer["destinations"]
    assert len(got) == len(groups)
    assert [d["conns"] for d in got] == sorted((d["conns"] for d in got), reverse=True)
    for d in got:
        mine = groups[d["dst_ip"], d["dst_port"], d["proto"]]
        assert d["conns"] == sum(map(model.weight, mine))
        assert d["failed"] == sum(model.weight(r) for r in mine if r["state"] in FAILED)
        assert d["syn_retrans"] == sum(model.weight(r) * r.get("syn_retrans", 0) for r in mine)
        assert d["last_ts"] == last(mine) and d["sensors_n"] == len({r["sensor"] for r in mine})
        assert "src_rtt_p50_us" in d or "rtt_p50_us" not in d
        check_rtt(d, mine, model)
        if "trend" in d:
            least, most = ({rig.destination(r): 0 for r in mine} | count for count in weights_before(model, answer))
            assert least[rig.destination(mine[0])] <= d["trend"] <= most[rig.destination(mine[0])]


def check_hosts(model, answer, start_us):
    hosts = collections.Counter()
    for r in model.window(model.conns, start_us):
        hosts[str(ipaddress.ip_address(r["dst_ip"]))] += model.weight(r)
    assert {d["dst_ip"]: d["conns"] for d in answer["destinations"]} == hosts
    assert not any("dst_port" in d or "proto" in d for d in answer["destinations"])


def check_failures(model, answer, start_us):
    groups = collections.defaultdict(list)
    for r in model.window(model.conns, start_us):
        if r["state"] in FAILED:
            groups[str(ipaddress.ip_address(r["dst_ip"])), r["dst_port"], r["state"]].append(r)
    got = answer["failures"]
    assert len(got) == len(groups) and "partial" not in answer
    assert [f["count"] for f in got] == sorted((f["count"] for f in got), reverse=True)
    for f in got:
        mine = groups[f["dst_ip"], f["dst_port"], f["state"]]
        assert f["count"] == sum(map(model.weight, mine))
        assert f["src_n"] == len({r["src_ip"] for r in mine}) and f["last_ts"] == last(mine)


def check_attempts(model, answer, start_us):
    groups = collections.defaultdict(list)
    for r in model.window(model.attempts, start_us, "last_ts"):
        groups[r["src_ip"]].append(r)
    got = answer["attempts"]
    assert len(got) == len(groups)
    assert [a["count"] for a in got] == sorted((a["count"] for a in got), reverse=True)
    for a in got:
        mine = groups[a["src_ip"]]
        assert a["count"] == sum(r["count"] for r in mine) == sum(a["verdicts"].values())
        for verdict, n in a["verdicts"].items():
            assert n == sum(r["count"] for r in mine if r.get("verdict", "unknown") == verdict) > 0
        ports = sorted({p for r in mine for p in r.get("dst_ports") or ([r["dst_port"]] if "dst_port" in r else [])})
        assert a["dst_ports"] == ports[:64]
        # At least so many: 64 are remembered.
        ips = {r["dst_ip"] for r in mine if "dst_ip" in r}
        assert a["dst_ports_n"] == max([min(len(ports), 64)] + [r.get("dst_ports_n", 0) for r in mine])
        assert a["dst_ips_n"] == max([min(len(ips), 64)] + [r.get("dst_ips_n", 0) for r in mine])
        known = [KINDS.index(r["kind"]) for r in mine if "kind" in r]
        assert a.get("kind") == (KINDS[max(known)] if known else None)
        assert a["last_ts"] == last(mine, "last_ts") and a["first_ts"] == min(r["ts"] for r in mine)


def check_inbound(model, answer, start_us):
    """Each report's SYNs shared evenly among its ports."""
    mine = model.window(model.attempts, start_us, "last_ts")
    count, verdicts, sources = collections.Counter(), collections.Counter(), collections.defaultdict(set)
    for r in mine:
        ports = r.get("dst_ports") or ([r["dst_port"]] if "dst_port" in r else [])
        verdicts[r.get("verdict", "unknown")] += r["count"]
        for i, port in enumerate(ports):
            count[port] += r["count"] // len(ports) + (i < r["count"] % len(ports))
            sources[port].add(r["src_ip"])
    top = {p["port"]: p["count"] for p in answer["ports"]}
    assert sorted(top.values(), reverse=True) == list(top.values()) == sorted((+count).values(), reverse=True)[:100]
    assert all(count[port] == n for port, n in top.items())
    assert sum(top.values()) + answer.get("rest_count", 0) == sum(count.values())
    for p in answer["ports"]:
        assert p["count"] == sum(p["verdicts"].values()) and 1 <= p["src_n"] <= len(sources[p["port"]])
    worst = collections.defaultdict(lambda: -1)
    for r in mine:
        worst[r["src_ip"]] = max(worst[r["src_ip"]], KINDS.index(r["kind"]) if "kind" in r else -1)
    assert answer["sources_n"] == len(worst) and answer["kinds"] == {KINDS[k]: n for k, n in collections.Counter(worst.values()).items() if k >= 0}
    for verdict in ("accepted", "dropped", "rejected", "unknown"):
        assert sum(p[verdict] for p in answer["series"]) == verdicts[verdict]


def check_port(model, answer, start_us, end_us, port):
    """The same shares, of one port, by source."""
    count, verdicts = collections.Counter(), collections.defaultdict(collections.Counter)
    for r in model.window(model.attempts, start_us, "last_ts", end_us):
        ports = r.get("dst_ports") or ([r["dst_port"]] if "dst_port" in r else [])
        if port in ports:
            n = r["count"] // len(ports) + (ports.index(port) < r["count"] % len(ports))
            count[r["src_ip"]] += n
            verdicts[r["src_ip"]][r.get("verdict", "unknown")] += n
    assert {a["src_ip"]: a["count"] for a in answer["attempts"]} == count and answer["sources_n"] == len(count) and "partial" not in answer
    assert all(a["verdicts"] == +verdicts[a["src_ip"]] and port in a["dst_ports"] + [port] * (len(a["dst_ports"]) == 64) for a in answer["attempts"])
    assert answer["told_count"] == answer["port_count"] == sum(count.values())


def check_summary(model, answer, start_us):
    mine = model.window(model.conns, start_us)
    count = collections.Counter()
    for r in mine:
        count[r["state"] if r["state"] in STATES[:4] else "other"] += model.weight(r)
    assert {s: answer[s] for s in STATES[:4] + ["other"]} == {s: count[s] for s in STATES[:4] + ["other"]}
    assert answer["conns"] == sum(count.values())
    assert answer["attempts"] == sum(r["count"] for r in model.window(model.attempts, start_us, "last_ts"))
    check_rtt(answer, mine, model)
    if "before" in answer:
        least, most = (sum(count.values()) for count in weights_before(model, answer))
        assert least <= answer["before"]["conns"] <= most
    series = answer["series"]
    starts = [rig.micros(p["t"]) for p in series] + [2**62]
    assert starts[0] == start_us and 1 <= len(series) <= 60
    assert len({b - a for a, b in zip(starts, starts[1:-1])}) <= 1
    for point, a, b in zip(series, starts, starts[1:]):
        part = [r for r in mine if a <= rig.micros(r["ts"]) < b]
        assert point["conns"] == sum(map(model.weight, part))
        assert point["failed"] == sum(model.weight(r) for r in part if r["state"] in FAILED)
        check_rtt(point, part, model)


@pytest.mark.parametrize("back_s,windows", [(3000, (60, 61, 300, 3599, 3600, 7200)), (90000, (3600, 7201, 10000, 43200, 86400)),
                                            (560000, (86400, 100000, 172801, 260000, 604800, 31622400))])
def test_windows(tmp_path, back_s, windows):
    seed = time.time_ns()
    print(f"seed {seed}")
    model = Model(random.Random(seed))
    with Collector(tmp_path) as c:
        # A batch's minute must not end between the sending and the asking.
        now = rig.now_us()
        for _ in range(12):
            rig.stored(c, model.make(now, 150, back_s))
        for window in windows:
            for name, check in (("destinations", check_destinations), ("failures", check_failures), ("attempts", check_attempts),
                                ("destinations", check_hosts), ("inbound", check_inbound), ("summary", check_summary)):
                for _ in range(10):
                    before = rig.now_us() // 60000000
                    answer = c.get(f"/api/{name}?window_s={window}" + ("" if name in ("summary", "inbound") else "&limit=1000") +
                                   ("&by=host" if check is check_hosts else ""))
                    after = rig.now_us() // 60000000
                    if before == after:
                        break
                assert answer["window_s"] == window
                # Whole hours, or days, when it is long or old.
                start = (after - -(-window // 60) + 1) * 60000000
                real = rig.micros(answer["from_ts"])
                assert real == start if window <= 86400 and back_s < 86400 else start - 86400000000 < real <= start
                check(model, answer, real)
        whole = c.get(f"/api/destinations?window_s={windows[-1]}&limit=1000")["destinations"]
        for limit in (1, 2, 3):
            assert c.get(f"/api/destinations?window_s={windows[-1]}&limit={limit}")["destinations"] == whole[:limit]
        assert c.get("/api/attempts?window_s=86400&limit=2")["attempts"] == c.get("/api/attempts?window_s=86400&limit=9")["attempts"][:2]
        at = f"window_s={back_s + 3600}&until={rig.stamp(now // 60000000 * 60000000)}"
        for port in [p["port"] for p in c.get(f"/api/inbound?{at}")["ports"][:5]] + [9999]:
            # Reports are looked at for 40 ms, which on a busy machine may be over before it looked; an answer is kept for a second.
            answer = ng.wait_for(f"all sources of port {port}", lambda p=port: next(
                (a for a in [c.get(f"/api/attempts?{at}&port={p}&limit=1000")] if "partial" not in a), None), every_s=1.1)
            check_port(model, answer, rig.micros(answer["from_ts"]), rig.micros(answer["until_ts"]), port)
        # Still the same after a restart, and after all of it came again.
        c.stop()
        c.start()
        assert c.get(f"/api/destinations?window_s={windows[-1]}&limit=1000")["destinations"] == whole


def tiled(c, window_s, until_s, back_s):
    """Answers of the windows that follow each other backwards: each ends where the one after it began."""
    first_s = until_s - back_s
    while until_s > first_s:
        answer = c.get(f"/api/summary?window_s={window_s}&until={rig.stamp(until_s * 1000000)}")
        start_s, end_s = (rig.micros(answer[k]) // 1000000 for k in ("from_ts", "until_ts"))
        assert start_s <= until_s - window_s and until_s <= end_s
        if "before" in answer:
            assert answer["before"]["until_ts"] == answer["from_ts"]
        yield start_s, end_s, answer
        until_s = start_s


def explored(c, at):
    n, before = 0, ""
    while True:
        answer = c.get(f"/api/explore?{at}&limit=1000{before}")
        n += len(answer["rows"])
        if "next" not in answer:
            return n
        before = f"&before={answer['next']}"


def test_windows_that_follow_each_other(tmp_path):
    """Nothing is counted twice or left out, in minutes and where hours alone are kept; explore counts the same."""
    with Collector(tmp_path) as c:
        now_s = rig.now_us() // 1000000
        times = [now_s * 1000000 - i * 137000000 for i in range(60 * 3600 // 137)]
        times += [now_s // 3600 * 3600 * 1000000 - i * 1800000000 for i in range(120)]  # at the very edges
        rig.stored(c, [rig.conn(i, ts_us=t, state="timeout" if i % 3 else "established") for i, t in enumerate(times)])

        def counted(start_s, end_s):
            return sum(start_s <= t // 1000000 < end_s for t in times)
        hour_s = now_s // 3600 * 3600
        for until_s, window_s, back_s in ((now_s // 60 * 60, 300, 3600), (hour_s, 3600, 20 * 3600), (hour_s - 1320, 10020, 40000),
                                          (now_s // 60 * 60, 86400, 2 * 86400)):
            for start_s, end_s, answer in tiled(c, window_s, until_s, back_s):
                kept = now_s - start_s < 25 * 3600
                if kept:
                    assert (start_s, end_s) == (until_s - window_s, until_s)
                assert answer["conns"] == counted(start_s, end_s) == sum(p["conns"] for p in answer["series"])
                at = f"window_s={end_s - start_s}&until={rig.stamp(until_s * 1000000)}"
                for name, n in (("destinations", answer["conns"]), ("failures", answer["timeout"])):
                    other = c.get(f"/api/{name}?window_s={window_s}&until={rig.stamp(until_s * 1000000)}&limit=1000")
                    assert (other["from_ts"], other["until_ts"]) == (answer["from_ts"], answer["until_ts"])
                    assert sum(x["conns" if name == "destinations" else "count"] for x in other[name]) == n
                if kept:
                    assert explored(c, at) == answer["conns"]
                until_s = start_s
        # Of which minutes are gone: whole hours, one behind the other.
        old_s = hour_s - 30 * 3600 + 1800
        for window_s in (300, 3600, 9000, 86400):
            ends = [(a, b) for a, b, _ in tiled(c, window_s, old_s, 20 * 3600)]
            assert ends[0][1] == old_s + 1800 and all(b == a for (_, b), (a, _) in zip(ends[1:], ends))
            got = [answer["conns"] for _, _, answer in tiled(c, window_s, old_s, 20 * 3600)]
            assert got == [counted(a, b) for a, b in ends] and sum(got) == counted(ends[-1][0], ends[0][1])


def test_pages(tmp_path):
    with Collector(tmp_path) as c:
        for b in range(5):
            rig.stored(c, [rig.conn(b * 60 + i) if i % 3 else rig.other("plugin", b * 60 + i) for i in range(60)])
        seen, before = [], ""
        while rows := c.get(f"/api/conns?limit=37{before}")["conns"]:
            assert len(rows) <= 37
            seen += rows
            before = f"&before={rows[-1]['id']}"
        assert [r["id"] for r in seen] == sorted((r["id"] for r in seen), reverse=True)
        assert sorted(r["seq"] for r in seen) == [b * 60 + i for b in range(5) for i in range(60) if i % 3]
        assert len(c.get("/api/conns")["conns"]) == 200


def test_ledger(tmp_path):
    """seq_first to seq_max less what is stored is missing, in each order of arrival, over runs and duplicates."""
    def ledger(c, boot="00000001"):
        s, = [s for s in c.get("/api/sensors")["sensors"] if s["boot"] == boot]
        return s.get("seq_first"), s["seq_max"], s["stored"], s.get("missing")

    with Collector(tmp_path) as c:
        rig.stored(c, [rig.conn(i) for i in (105, 101, 103)])
        assert ledger(c) == (None, 105, 3, None)
        rig.stored(c, [rig.other("stat", 110, seq_first=100)])
        assert ledger(c) == (100, 110, 4, 7)
        rig.stored(c, [rig.conn(i) for i in (100, 102, 104)])
        rig.post(c, [rig.conn(i) for i in (100, 102, 104)])
        assert ledger(c) == (100, 110, 7, 4)
        # A stat that comes late is history.
        rig.stored(c, [rig.other("stat", 108, seq_first=50)])
        assert ledger(c) == (100, 110, 8, 3)
        rig.stored(c, [rig.conn(i) for i in (109, 106, 107)])
        assert ledger(c) == (100, 110, 11, 0)
        # A second run in the same boot starts far above; what the first lost is no longer asked for.
        rig.stored(c, [rig.conn(i) for i in (120, 5000, 5001, 5003)])
        assert ledger(c) == (100, 5003, 15, 4889)
        rig.stored(c, [rig.other("stat", 5004, seq_first=5000)])
        assert ledger(c) == (5000, 5004, 4, 1)
        # Thousands of gaps: remembered as a number.
        rig.stored(c, [rig.conn(i, boot="00000002") for i in range(0, 6000, 2)])
        rig.stored(c, [rig.other("stat", 6001, boot="00000002", seq_first=0)])
        assert ledger(c, "00000002") == (0, 6001, 3001, 3001)
        s, = [s for s in c.get("/api/sensors")["sensors"] if s["boot"] == "00000001"]
        assert s["types"] == {"conn": 13, "stat": 3} and s["stat"]["seq"] == 5004 and s["stat_age_s"] < 300
        assert sorted(s["boot"] for s in c.get("/api/sensors")["sensors"]) == ["00000001", "00000002"]


def test_wrong_clocks(tmp_path):
    """A router without a clock is not refused; it counts when it came."""
    with Collector(tmp_path) as c:
        now = rig.now_us()
        rig.stored(c, [rig.conn(1, ts_us=0), rig.conn(2, ts_us=now + 3600 * 1000000), rig.conn(3, ts_us=now - 8 * DAY_US),
                       rig.conn(4, ts_us=now - 2 * DAY_US)])
        assert c.get("/api/summary?window_s=300")["conns"] == 3
        assert {r["seq"]: r["ts"] for r in c.get("/api/conns")["conns"]}[1] == "1970-01-01T00:00:00.000000Z"


def test_hostile_text(tmp_path):
    """SQL, markup and control characters are text, everywhere."""
    words = ["'}) DETACH DELETE n //", "\"; DROP TABLE conn; --", "<script>alert(1)</script>", "\x00\x1b[31m\r\n", "\u202e\U0001f600", "%s%n", "a" * 253]
    with Collector(tmp_path) as c:
        rig.stored(c, [rig.conn(i, host=w, dst_name=w, iif=w[:15], x_any={w: [w]}) for i, w in enumerate(words)])
        rows = {r["seq"]: r for r in c.get("/api/conns")["conns"]}
        for i, w in enumerate(words):
            assert rows[i]["host"] == w and rows[i]["x_any"] == {w: [w]}
        assert c.get("/health")["rows"] == len(words)
        assert all(line.isprintable() for line in c.log().splitlines())
