# SPDX-License-Identifier: GPL-2.0-or-later
"""The namespace internet itself: what it calls the truth is where packets go, and its scores see faults."""
import copy
import json
import pathlib
import subprocess

import pytest

from internet import load, rig, score, tools
from lib import ng

COMMAND = pathlib.Path(rig.__file__).parent / "internet"


@pytest.fixture(scope="module", name="inet")
def the_internet():
    with rig.Internet("small") as inet:
        yield inet


@pytest.fixture(scope="module", name="traces")
def scampers_traces(inet):
    """One to each kind of leaf, by a tracer that keeps its flow, with what the first router counted."""
    folder = ng.temp_dir("scamper")
    folder.chmod(0o755)
    listed = folder / "destinations"
    listed.write_text("\n".join(inet.topo.address(leaf, f) for leaf in inet.topo.leaves for f in (4, 6)
                                if leaf.name[1] == "1" and leaf.answer in ("open", "rst")) + "\n", encoding="ascii")
    job = tools.Job(inet, folder, "scamper", ["scamper", "-O", "json", "-p", "500", "-w", "0", "-c", "trace -P tcp -d 443 -w 2", "-f", listed])
    try:
        text, cost = job.result()
    finally:
        job.kill()
        for path in folder.iterdir():
            path.unlink()
        folder.rmdir()
    assert cost["cpu_s"] > 0 and cost["rss_kb"] > 500
    return list(tools.scamper_traces(text)), inet.counters()


def test_truth(inet, traces):
    """Over diamonds too, each trace is the one path that flow_path() says."""
    found, counted = traces
    summary = score.summary(inet, found, exact=True)
    assert len(found) == 2 * 3 * 4 and summary["balanced"] == 6
    assert (summary["wrong"], summary["false"]) == (0, 0) and summary["recall"] > 0.99, summary
    assert sum(len(t["hops"]) for t in found) <= counted["every"] < 3 * 30 * len(found)


def test_scores_see_faults(inet, traces):
    """The other branch is wrong for this flow only; half of each branch is a link that does not exist."""
    trace = next(t for t in traces[0] if len(inet.topo.paths(inet.leaf_of(t["dst"]).name)) > 1 and ":" not in t["dst"])
    right = score.score(inet, trace, "tcp", exact=True)
    other = {"b1": "b2", "b2": "b1", "b3": "b4", "b4": "b3"}

    def glued(*ttls):
        bad = copy.deepcopy(trace)
        for h in bad["hops"]:
            if h["ttl"] in ttls:
                h["addr"] = inet.topo.nodes[other[right["path"][h["ttl"] - 1]]].addresses[0]
        return bad

    for exact, ttls, wrong, false in ((True, (5, 6), 2, 0), (False, (5, 6), 0, 0), (True, (5,), 1, 1), (False, (6,), 1, 1)):
        s = score.score(inet, glued(*ttls), "tcp", exact)
        assert (len(s["wrong"]), bool(s["false_links"])) == (wrong, bool(false)), (exact, ttls, s)
    stranger = copy.deepcopy(trace)
    stranger["hops"][2]["addr"] = "20.200.0.1"
    assert len(score.score(inet, stranger, "tcp")["wrong"]) == 1
    short = dict(trace, hops=trace["hops"][:-2])
    assert score.score(inet, short, "tcp")["found"] == right["found"] - 2


def test_users(inet):
    """Connections through the NAT; what is not there fails."""
    asked = [inet.topo.address(inet.topo.nodes[name], f, 9) for name in ("a0l0", "a0l2", "b1l0") for f in (4, 6)]
    with load.Connections(inet, asked) as c:
        ng.wait_for("the connections", c.done)
        assert set(c.failed) == {d for d in asked if inet.leaf_of(d).name == "a0l2"}
        there = {flow[3]: answers_to for flow, answers_to in inet.conntrack()}
        for dst, s in c.established.items():
            assert there[dst] == ((inet.topo.wan(4) if "." in dst else s.getsockname()[0]), s.getsockname()[1])


def command(*argv):
    return subprocess.run([COMMAND, *argv], capture_output=True, text=True, check=False)


def test_by_hand(inet):
    """The command: it lists, it asks, and `down` leaves alone what a running program built."""
    number = inet.folder.name.removeprefix(rig.STATE_PREFIX)
    assert f"{number} small {inet.state['prefix']}*" in command("list").stdout.splitlines()
    dst = command("dests", number, "1").stdout.strip()
    assert command("path", number, "tcp", inet.topo.wan(4), "64512", dst, "443").stdout.split() == list(
        inet.flow_path("tcp", None, 64512, dst, 443))
    assert command("exec", number, "gw", "hostname").returncode == 0
    assert command("down").returncode == 0
    assert json.loads((inet.folder / "state.json").read_text(encoding="ascii")) == inet.state
    assert command("down", "nonsense").returncode == 1
