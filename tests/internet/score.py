# SPDX-License-Identifier: GPL-2.0-or-later
"""Scores traces against the truth.

A trace is {"dst": address, "reached": bool, "hops": [{"ttl": 1, "addr": address, "rtt_ms": 8.2}, ...],
"flow": [proto, source port, destination port]}; several hops with one ttl are several probes; no addr:
no answer; no rtt_ms: known without a probe (a cache), right or wrong like any other.
"""


def by_ttl(trace):
    """{ttl: [(address, RTT in ms or None), ...]} of what was answered."""
    out = {}
    for h in trace["hops"]:
        if h.get("addr"):
            out.setdefault(h["ttl"], []).append((h["addr"], h.get("rtt_ms")))
    return out


def score(inet, trace, proto, exact=False):
    """One trace, held against the possible path that fits best; exact: against the one of its flow."""
    t = inet.topo
    leaf = inet.leaf_of(trace["dst"])
    hops = by_ttl(trace)
    paths = [inet.flow_path(trace["flow"][0], None, trace["flow"][1], trace["dst"], trace["flow"][2])] if exact else t.paths(leaf.name)
    best = None
    for path in paths:
        expect = [ttl for ttl, name in enumerate(path, 1) if t.nodes[name].answers(proto)]
        found, wrong, errors = 0, [], []
        for ttl, got in hops.items():
            names = {inet.node_of(a) for a, _ in got}
            want = path[ttl - 1] if ttl <= len(path) else None
            found += want in names and ttl in expect
            errors += [r * 1000 - t.rtt_us(path, ttl) for a, r in got if r is not None and inet.node_of(a) == want]
            # The destination answers every probe that goes past it.
            if names - {want} and not (ttl > len(path) and names == {path[-1]}):
                wrong.append((ttl, sorted(map(str, names)), want))
        one = {"path": path, "expected": len(expect), "found": found, "wrong": wrong, "rtt_errors_us": errors}
        if best is None or found - len(wrong) > best["found"] - len(best["wrong"]):
            best = one
    known = {(link.up, link.low) for link in t.links if not link.back}
    best["false_links"] = {(x, y) for ttl in hops for x in {inet.node_of(a) for a, _ in hops[ttl]}
                           for y in {inet.node_of(a) for a, _ in hops.get(ttl + 1, ())} if x != y} - known
    best["balanced"] = len(t.paths(leaf.name)) > 1
    return best


def percentile(values, p):
    values = sorted(values)
    return values[min(len(values) - 1, int(len(values) * p))] if values else None


def summary(inet, traces, proto="tcp", exact=False):
    """recall, wrong hops, traces with a link that does not exist, p95 of the RTTs' error."""
    scores = [score(inet, trace, proto, exact) for trace in traces]
    expected = sum(s["expected"] for s in scores)
    return {
        "traces": len(traces),
        "recall": sum(s["found"] for s in scores) / expected if expected else 0.0,
        "wrong": sum(len(s["wrong"]) for s in scores),
        "false": sum(bool(s["false_links"]) for s in scores),
        "balanced": sum(s["balanced"] for s in scores),
        "balanced_false": sum(bool(s["false_links"]) for s in scores if s["balanced"]),
        "rtt_p95_us": percentile([e for s in scores for e in s["rtt_errors_us"]], 0.95),
        "faults": [(trace["dst"], s["wrong"], sorted(map(str, s["false_links"])), s["path"])
                   for trace, s in zip(traces, scores) if s["wrong"] or s["false_links"]],
    }


def of_report(report):
    """A `trace` report as a trace."""
    hops = []
    for hop in report["hops"]:
        seen = [{"ttl": hop["ttl"], "addr": hop["ip"], "rtt_ms": us / 1000} for us in hop.get("rtt_us", ())] if "ip" in hop else []
        hops += seen or [{"ttl": hop["ttl"], "addr": hop.get("ip")}]
    return {"dst": report["dst_ip"], "reached": report["reached"], "hops": hops,
            "flow": ["icmp" if report["proto"] == "icmp6" else report["proto"], report.get("src_port", 0), report.get("dst_port", 0)]}
