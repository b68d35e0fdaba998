# SPDX-License-Identifier: GPL-2.0-or-later
r"""nft/net-gazer.nft against what net-gazer installs itself, by what `nft -j` says of both.

Each test has one namespace of its own, with nothing in it but lo.
"""
import contextlib
import json
import re
import subprocess

import pytest

from lib import net, ng
from lib.sensor import Sensor

FILE = ng.TOP / "nft/net-gazer.nft"


@contextlib.contextmanager
def machine():
    box = net.Ns("box")
    try:
        box.ip("link set lo up")
        yield box
    finally:
        left = box.close()
    assert not left, left


def with_samples(folder):
    """The file with its last part enabled as its comment says."""
    text = FILE.read_text(encoding="ascii")
    head, tail = text.split('# Any packet, a few a second', 1)
    first, rest = tail.split("\n#\tcounter", 1)
    path = folder / "samples.nft"
    path.write_text(head + "# Any packet" + first + "\n" + re.sub("^#", "", "#\tcounter" + rest, flags=re.M),
                    encoding="ascii")
    return path


def entries(ns, *what):
    """What `nft -j list WHAT` gives of our table, as (kind, entry).

    Never `list table` or `list ruleset`: nft 1.0.6 frees the name of the owner flag before it prints
    it, and the text ends there or holds garbage."""
    done = ns.run("nft", "-j", "list", *what)
    assert done.returncode == 0, done.stderr
    for entry in json.loads(done.stdout)["nftables"]:
        (kind, value), = entry.items()
        if kind != "metainfo" and "net_gazer" in (value.get("table"), value["name"] if kind == "table" else ""):
            yield kind, value


def table(ns):
    """{kind: [entries]} of table inet net_gazer without what differs by nature: handles and the
    counters' values; rules in their order, everything else sorted."""
    found = {"rule": []}
    text = ns.run("nft", "list", "table", "inet", "net_gazer").stdout
    assert set(re.findall(r"^\t(\w+) ", text, re.M)) <= {"set", "counter", "chain", "flags"}, "other kinds of things"
    rows = [*entries(ns, "sets", "inet"), *entries(ns, "counters", "inet"), *entries(ns, "chains", "inet")]
    for name in sorted(v["name"] for k, v in rows if k == "chain"):
        rows += [(k, v) for k, v in entries(ns, "chain", "inet", "net_gazer", name) if k == "rule"]
    for kind, value in rows:
        for name in ("handle", "packets", "bytes"):
            value.pop(name, None)
        if "elem" in value:
            value["elem"] = sorted(json.dumps(e, sort_keys=True) for e in value["elem"])
        found.setdefault(kind, []).append(value)
    for kind, values in found.items():
        if kind != "rule":
            values.sort(key=lambda e: json.dumps(e, sort_keys=True))
    return found


def prober_sensor(ns, folder, **options):
    return Sensor(ns, folder, prober="yes", runtime_dir=str(folder / "run"), **options)


def load(ns, path=FILE):
    done = ns.run("nft", "-f", path)
    assert done.returncode == 0, done.stderr


HANDSHAKE = {f"{door}{name}" for door in ("", "hook_") for name in ("forward", "input", "output")}
ATTEMPT = {f"{door}attempt_{name}" for door in ("", "hook_") for name in ("forward", "input")}
PROBER = {"probe_output", "probe_answers", "hook_probe_answers"}
RULES = 12 + 6 + 9 + 3 + 2 * (2 + 1) + 1 + 8 + 3


def without(found, chains):
    """The table without these chains, their rules and the counters that only they name."""
    rules = [r for r in found["rule"] if r["chain"] not in chains]
    named = {e["counter"] for r in rules for e in r["expr"] if "counter" in e}
    return {**found, "rule": rules, "chain": [c for c in found["chain"] if c["name"] not in chains],
            "counter": [c for c in found["counter"] if c["name"] in named]}


def test_same_rules(tmp_path):
    """The default plugins and a prober: own mode and the file make the same table; without a prober there is
    nothing for it."""
    with machine() as box:
        load(box)
        included = table(box)
        with prober_sensor(box, tmp_path) as s:  # replaces it: the table has our name
            own = table(box)
            s.stop()
        with Sensor(box, tmp_path, prober="no") as s:
            alone = table(box)
            assert set(s.groups()) == {100, 101, 102}
            s.stop()
    assert own == included
    assert alone == without(included, PROBER)
    rules = own["rule"]
    assert {r["chain"] for r in rules} == HANDSHAKE | ATTEMPT | PROBER
    assert len(rules) == RULES


def test_same_rules_with_acks(tmp_path):
    """Where conntrack counts packets: one rule more, the same in the file, in own mode, and as net-gazerctl writes it."""
    with machine() as box:
        box.sysctl(netfilter__nf_conntrack_acct=1)
        box.run("nft", "add table inet fw; add chain inet fw f; add rule inet fw f ct state established")
        path = tmp_path / "acks.nft"
        path.write_text(re.sub("^#(\t\ttcp flags.* ct original packets)", r"\1", FILE.read_text(encoding="ascii"), flags=re.M), encoding="ascii")
        load(box, path)
        included = table(box)
        with prober_sensor(box, tmp_path) as s:
            own = table(box)
            done = box.run(ng.program("net-gazerctl"), "rules", "-c", s.options["runtime-dir"])
            assert done.returncode == 0, done.stderr
            s.stop()
        path.write_text(done.stdout, encoding="ascii")
        load(box, path)
        written = table(box)
    assert own == included == written
    assert len([r for r in own["rule"] if "packets" in json.dumps(r["expr"]) and "original" in json.dumps(r["expr"])]) == 1
    assert len(own["rule"]) == RULES + 1


def test_same_rules_with_samples(tmp_path):
    with machine() as box:
        load(box, with_samples(tmp_path))
        included = table(box)
        with prober_sensor(box, tmp_path, plugins=["handshake", "attempts", "packets"]) as s:
            own = table(box)
            s.stop()
    assert own == included
    assert len(own["rule"]) == RULES + 3


@pytest.mark.parametrize("plugins, chains", [
    (["handshake"], HANDSHAKE),
    (["packets"], {"sample_forward", "sample_input", "sample_output"}),
])
def test_only_what_is_subscribed(tmp_path, plugins, chains):
    """A class that no plugin asks for has no chain, no rule, no counter, no group."""
    with machine() as box:
        load(box, with_samples(tmp_path))
        included = table(box)
        with Sensor(box, tmp_path, plugins=plugins) as s:
            own = table(box)
            groups = sorted(s.groups())
            s.stop()
    for kind, name in (("chain", "name"), ("rule", "chain")):
        assert own[kind] == [e for e in included[kind] if e[name] in chains]
    assert len(own["counter"]) == 2 * len(groups)
    assert all(c in included["counter"] for c in own["counter"])
    assert groups == ([103] if plugins == ["packets"] else [100, 101])


def test_file_loads_again_and_again():
    with machine() as box:
        load(box)
        once = table(box)
        for _ in range(3):
            load(box)
        assert table(box) == once


def every_expression(ns):
    for rule in table(ns)["rule"]:
        yield rule["chain"], [next(iter(e)) for e in rule["expr"]], rule["expr"]


def test_never_a_verdict(tmp_path):
    """Both forms hold matches, counters, limit and log, in this order: no verdict, queue or mark; and every chain that is hooked
    lets pass what no rule stops.  The exceptions: one for our own packets, and jumps for what is no data, to chains of such rules."""
    with machine() as box:
        load(box, with_samples(tmp_path))
        for chain, kinds, expressions in every_expression(box):
            if chain == "probe_output":
                assert expressions == [{"match": {"op": "==", "left": {"meta": {"key": "mark"}}, "right": 0x4e000000}},
                                       {"notrack": None}]
                continue
            if chain.startswith("hook_"):
                assert kinds[-1] == "jump" and set(kinds[:-1]) == {"match"}
                assert expressions[-1] == {"jump": {"target": chain.removeprefix("hook_")}}
                continue
            assert [k for k in kinds if k != "match"] == ["counter", "limit", "counter", "log"], chain
            assert set(kinds) <= {"match", "counter", "limit", "log"}
            assert kinds[-4:] == ["counter", "limit", "counter", "log"]
            name = expressions[-4]["counter"].removesuffix("_seen")
            assert expressions[-2]["counter"] == f"{name}_logged"
            log = expressions[-1]["log"]
            assert "prefix" not in log and log["snaplen"] == (256 if name == "probe" else 128)
            assert log["queue-threshold"] == (1 if name in ("output", "probe") else 64)
        chains = {c["name"]: c for c in table(box)["chain"]}
        doors = {name for name, c in chains.items() if "hook" in c and not name.startswith(("sample_", "probe_output"))}
        assert doors == {f"hook_{name}" for name, c in chains.items() if "hook" not in c}, "data meets more than a jump"
        assert all(c["policy"] == "accept" for c in chains.values() if "hook" in c)


def test_numbers_of_the_configuration(tmp_path):
    """Limits, group, home networks (overlapping, touching, whole) and loopback come out as configured."""
    home = ["10.0.0.0/8", "10.1.0.0/16", "192.0.2.0/25", "192.0.2.128/25", "255.255.255.255", "fd00::/8", "fd12::/16"]
    with machine() as box, Sensor(box, tmp_path, nflog_group=65000, handshake_limit=123, attempt_limit=7, loopback=True,
                                  home=home) as s:
        found = table(box)
        for rule in found["rule"]:
            if rule["chain"].startswith("hook_"):
                continue
            # A stranger does not come over loopback, so attempts are never taken from there.
            assert any("iif" in json.dumps(e) or "oif" in json.dumps(e) for e in rule["expr"]) == (
                rule["chain"] == "attempt_input")
            limit = next(e["limit"] for e in rule["expr"] if "limit" in e)
            rate = 7 if rule["chain"].startswith("attempt") else 123
            assert (limit["rate"], limit["burst"], limit["per"]) == (rate, 2 * rate, "second")
        assert sorted(s.groups()) == [65000, 65001, 65002]
        sets = {e["name"]: sorted(map(json.loads, e["elem"]), key=str) for e in found["set"]}
        s.stop()
    assert sets["home4"] == sorted([
        {"prefix": {"addr": "10.0.0.0", "len": 8}}, {"prefix": {"addr": "192.0.2.0", "len": 24}}, "255.255.255.255"], key=str)
    assert sets["home6"] == [{"prefix": {"addr": "fd00::", "len": 8}}]


def test_everything_is_home(tmp_path):
    """/0 in both families, and a family without any."""
    with machine() as box:
        with Sensor(box, tmp_path, home=["0.0.0.0/0", "::/0"]) as s:
            sets = {e["name"]: e["elem"] for e in table(box)["set"]}
            assert sets == {"home4": ['{"prefix": {"addr": "0.0.0.0", "len": 0}}'],
                            "home6": ['{"prefix": {"addr": "::", "len": 0}}']}
            s.stop()
        with Sensor(box, tmp_path, home=["10.0.0.0/8"]) as s:
            sets = {e["name"]: e.get("elem") for e in table(box)["set"]}
            assert sets["home4"] and not sets["home6"]
            s.stop()


def test_owner(tmp_path):
    """Nobody else can change or flush our table; it goes when we do."""
    ng.needs_kernel("nft owner flag")
    with machine() as box, Sensor(box, tmp_path) as s:
        before = table(box)
        for command in ("delete table inet net_gazer", "flush chain inet net_gazer forward",
                        "add rule inet net_gazer forward drop"):
            assert box.run("nft", *command.split()).returncode != 0, command
        assert box.run("nft", "flush", "ruleset").returncode == 0
        assert table(box) == before
        assert "# progname net-gazer" in s.table()
        s.stop()


def include(box, tmp_path, *arguments, **options):
    return Sensor(box, tmp_path, rules="include", arguments=arguments, **options)


def refused(s):
    s.write_config()
    done = s.ns.run(*s.argv(), stdin=subprocess.DEVNULL)
    assert done.returncode == 1 and done.stdout == ""
    assert not s.groups()
    return done.stderr.splitlines()[-1]


def test_include_without_rules(tmp_path):
    """It says what to load, and does not start; with other groups or a class missing, which.  A table's group
    104 is that of the probes, whatever is meant by the configuration's."""
    with machine() as box:
        line = refused(include(box, tmp_path))
        assert "nft -f" in line and "net-gazer.nft" in line and "rules = own" in line
        load(box)
        line = refused(include(box, tmp_path, nflog_group=101, plugins=["packets"]))
        assert "groups 101 to 105" in line and "nft -f" in line
        line = refused(include(box, tmp_path, plugins=["handshake", "packets"]))
        assert "group 103" in line and "sample" in line
        text = FILE.read_text(encoding="ascii")
        for was, now, words in ((r"\t\ttype filter hook forward priority filter \+ 10.*\n", "", "nothing from chain forward"),
                                (r".*jump input\n", "", "nothing from chain input"),
                                ("type filter hook forward priority filter - 10", "type filter hook prerouting priority filter - 10",
                                 "nothing from chain attempt_forward"),
                                ("snaplen 128", "snaplen 20", "snaplen 20: IPv6 and TCP alone take 60 bytes")):
            path = tmp_path / "edited.nft"
            path.write_text(re.sub(was, now, text, count=0 if "snaplen" in was else 1), encoding="ascii")
            load(box, path)
            assert words in refused(include(box, tmp_path)), words


def hello(box, s, n):
    """n connections over lo are reported."""
    before = len(s.reports(type="conn"))
    with net.Server(box, 80):
        for _ in range(n):
            assert net.connect(box, "127.0.0.1", 80)[0] == "ok"
    s.wait_reports(before + n, type="conn")


def over_lo(folder):
    path = folder / "lo.nft"
    path.write_text(re.sub(r"[io]if != \"lo\" ", "", FILE.read_text(encoding="ascii")), encoding="ascii")
    return path


def test_include(tmp_path):
    """Counters are read from the administrator's table, from where they were; it stays when we end."""
    rules = over_lo(tmp_path)
    with machine() as box:
        load(box, rules)
        with net.Server(box, 80):
            net.connect(box, "127.0.0.1", 80)  # before us: not ours to account for
        loaded = table(box)
        with include(box, tmp_path) as s:
            hello(box, s, 3)
            assert ng.stop(s.process) == 0
            last = s.reports(type="stat")[-1]
        assert table(box) == loaded
        assert last["seen"] == last["logged"] == last["received"] + last["gap"]
        assert last["received"] == 3 * (2 + 2 + 1) and last["gap"] == 0, last


def test_include_reloaded(tmp_path):
    """The file loaded again under the running sensor: counters begin at 0, totals go on; and a table that
    is gone is told, and told again when it is back."""
    rules = over_lo(tmp_path)
    with machine() as box:
        load(box, rules)
        with include(box, tmp_path) as s:
            hello(box, s, 2)
            load(box, rules)
            hello(box, s, 2)
            box.run("nft", "delete", "table", "inet", "net_gazer")
            ng.wait_for("to be told", lambda: "not complete any more, changed by nft" in s.log(), deadline_s=5)
            load(box, rules)
            ng.wait_for("to be told", lambda: "complete again, changed by nft" in s.log(), deadline_s=5)
            hello(box, s, 1)
            assert ng.stop(s.process) == 0
            last = s.reports(type="stat")[-1]
            assert last["seen"] == last["logged"] == last["received"] == 25, last
            assert s.log().count("not complete any more") == 1
        box.run("nft", "delete", "table", "inet", "net_gazer")
