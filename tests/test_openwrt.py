# SPDX-License-Identifier: GPL-2.0-or-later
"""The OpenWrt packages without an OpenWrt: the Makefile with a stub of the build system; then a router (lib/openwrt.py) on which
they are installed, and on which every command of docs/OPENWRT.md runs."""
import json
import os
import re
import subprocess

import pytest

from lib import net, ng, openwrt, source
from lib.openwrt import DIR, STAND_IN

FILES = DIR / "files"
PACKAGES = ("net-gazer", "net-gazer-forward", "net-gazer-plugin-traceroute", "net-gazer-plugin-packets")
INIT = (FILES / "net-gazer.init").read_text(encoding="ascii")


def test_packages():
    """Names, versions, who needs libcurl, whose user it is."""
    found = {}
    for line in openwrt.make().splitlines():
        name, version, depends, user, licence = line.removeprefix("Package: ").split("|")
        found[name] = (version, depends.split(), user, licence)
    assert set(found) == set(PACKAGES)
    version = re.search(r"^VERSION\s*:= (\S+)", (ng.TOP / "Makefile").read_text(encoding="utf-8"), re.M)[1]
    assert {f[0] for f in found.values()} == {version} and {f[3] for f in found.values()} == {"GPL-2.0-or-later"}
    assert [n for n, f in found.items() if "+libcurl" in f[1]] == ["net-gazer-forward"]
    assert found["net-gazer"][2] == "net-gazer=446:net-gazer=446"
    assert {"+kmod-nfnetlink-log", "+kmod-nft-core", "+confuse", "+libseccomp"} <= set(found["net-gazer"][1])


def linked(path):
    done = subprocess.run(["objdump", "-p", path], capture_output=True, text=True, check=True)
    return set(re.findall(r"NEEDED +lib([\w-]+)\.so", done.stdout))


@pytest.fixture(name="tree", scope="module")
def one_tree(tmp_path_factory):
    return openwrt.build_tree(tmp_path_factory.mktemp("openwrt") / "net-gazer")


def installed(tree, out, **variables):
    openwrt.make(*(f"install-{p}" for p in PACKAGES), PKG_BUILD_DIR=tree, DESTDIR=out, **variables)
    return {p: {str(f.relative_to(out / p)) for f in (out / p).rglob("*") if not f.is_dir()} for p in PACKAGES}


def test_recipes(tree, tmp_path):
    """What each package installs; each program is linked with what its package depends on."""
    out = tmp_path / "out"
    files = installed(tree, out, CONFIG_NET_GAZER_UBUS="y")
    ubus = {"usr/libexec/rpcd/net-gazer", "usr/share/rpcd/acl.d/net-gazer.json"}
    assert files["net-gazer"] - ubus == {
        "usr/sbin/net-gazer", "usr/sbin/net-gazerctl", "usr/lib/net-gazer/analyzer", "usr/lib/net-gazer/plugins/handshake.so",
        "usr/lib/net-gazer/plugins/attempts.so", "usr/share/net-gazer/net-gazer.nft", "usr/share/net-gazer/firewall.include",
        "etc/init.d/net-gazer", "etc/config/net-gazer", "etc/uci-defaults/90-net-gazer", "etc/capabilities/net-gazer.json"}
    assert files["net-gazer-forward"] == {"usr/lib/net-gazer/forwarder", "usr/lib/net-gazer/enroll"}
    assert files["net-gazer-plugin-traceroute"] == {"usr/lib/net-gazer/prober", "usr/lib/net-gazer/trace",
                                                   "usr/lib/net-gazer/plugins/traceroute.so"}
    assert files["net-gazer-plugin-packets"] == {"usr/lib/net-gazer/plugins/packets.so"}
    # A broken file there would leave the router without its firewall.
    assert not [f for p in files.values() for f in p if "nftables.d" in f]
    assert os.readlink(out / "net-gazer/usr/sbin/net-gazerctl") == "net-gazer"
    for f in ("usr/sbin/net-gazer", "usr/lib/net-gazer/analyzer"):
        assert linked(out / "net-gazer" / f) <= {"mnl", "nftnl", "netfilter_log", "confuse", "seccomp", "yajl", "c", "m", "dl"}, f
    for f in ("prober", "trace"):
        assert linked(out / "net-gazer-plugin-traceroute/usr/lib/net-gazer" / f) <= {"mnl", "seccomp", "c"}, f
    json.loads((out / "net-gazer/etc/capabilities/net-gazer.json").read_text(encoding="ascii"))
    # The switch of menuconfig.
    assert ubus <= files["net-gazer"]
    acl = json.loads((out / "net-gazer/usr/share/rpcd/acl.d/net-gazer.json").read_text(encoding="ascii"))
    assert acl["net-gazer"]["read"]["ubus"] == {"net-gazer": ["status"]}
    assert installed(tree, tmp_path / "bare")["net-gazer"] == files["net-gazer"] - ubus


SHELL = [*(str(FILES / f"net-gazer.{name}") for name in ("init", "defaults", "rpcd", "enroll")), str(FILES / "firewall.include"),
         str(DIR / "test.sh")]


def test_shell():
    """What busybox and shellcheck say."""
    for name in SHELL:
        done = subprocess.run(["busybox", "ash", "-n", name], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
    done = subprocess.run(["shellcheck", "-s", "dash", "-e", "SC2034,SC3043,SC2154,SC1091,SC2317", *SHELL], capture_output=True,
                          text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_options():
    """UCI has every option that net-gazer has, but for those that the init script decides, with a type that fits; and the
    script knows what net-gazer does not change while it runs."""
    done = subprocess.run([ng.program("net-gazer"), "--options"], capture_output=True, text=True, check=True)
    known = {name: kind for name, kind, *_ in (line.split("\t") for line in done.stdout.splitlines())}
    uci = dict(line.split(":")[:2] for line in re.search(r"^OPTIONS='(.*?)'$", INIT, re.M | re.S)[1].splitlines())
    assert uci.pop("enabled") == "bool"
    ours = {"config", "replay", "plugin-dir", "libexec-dir", "runtime-dir", "user"}
    assert {name.replace("_", "-") for name in uci} == set(known) - ours
    fits = {"bool": {"bool"}, "int": {"uinteger"}, "str": {"string"}, "list": {"list(string)", "list(cidr)"}}
    for name, kind in uci.items():
        assert kind in fits[known[name.replace("_", "-")]], name
    refused = re.findall(r'return "([a-z-]+)"', re.search(r"^fixed\(.*?^}", (ng.TOP / "src/sensor/reload.c").read_text(encoding="ascii"),
                                                          re.M | re.S)[0])
    fixed = set(re.search(r"^FIXED='(.*)'", INIT, re.M)[1].split("|"))
    assert fixed >= set(refused) - ours
    manual = re.split(r"^\.It Cm ", (ng.TOP / "docs/man/net-gazer.conf.5").read_text(encoding="utf-8"), flags=re.M)[1:]
    assert fixed == {m.split()[0] for m in manual if re.search("^(Cannot be changed by|needs a restart)", m, re.M)} - ours


def topdir(folder):
    folder.mkdir(parents=True)
    (folder / "rules.mk").symlink_to(STAND_IN / "rules.mk")
    return folder


@pytest.fixture(name="packages", scope="module")
def all_packages(tree, tmp_path_factory):
    """{package: its archive}"""
    folder = topdir(tmp_path_factory.mktemp("packed") / "sdk")
    openwrt.make("compile", topdir=folder, PKG_BUILD_DIR=tree, CONFIG_NET_GAZER_UBUS="y")
    return {f.name.split("_")[0]: f for f in (folder / "bin/packages/any/base").iterdir()}


class Router(net.Router):
    """Its firewall is the root's, not the network's."""
    def __init__(self):
        super().__init__(filtered=False)


@pytest.fixture(name="box", params=["ujail", "no ujail"])
def one_box(request, packages, tmp_path):
    """A router with the packages installed, in the default configuration."""
    with Router() as r, openwrt.Root(tmp_path, r.rtr, jail=request.param == "ujail") as box:
        box.router, box.jail = r, request.param == "ujail"
        for name in ("net-gazer", "net-gazer-forward", "net-gazer-plugin-traceroute"):
            os.link(packages[name], box.file("/tmp") / packages[name].name)
        box.run("opkg install /tmp/*.ipk")
        settled(box)
        yield box


def settled(box):
    """Installed: each package starts it anew.  The last of these processes answers, and counts as the first."""
    def last():
        pid = box.file("/tmp/procd/net-gazer.pid")
        return not box.file("/tmp/procd/net-gazer.again").exists() and pid.exists() and \
            (s := box.status() or {}).get("state") == "running" and pid.read_text(encoding="ascii") == f"{s['pid']}\n"
    ng.wait_for(lambda: f"the process: {box.history()}\n{box.log()}", last)
    box.file("/tmp/procd/net-gazer.history").write_text("start\n", encoding="ascii")


def running(box, starts=1):
    """Until it answers, as the process of that number."""
    ng.wait_for(lambda: f"process {starts}: {box.history()}\n{box.log()}", lambda: box.history().count("start") == starts and
                (box.status() or {}).get("state") == "running")


def test_service(box):
    """From the packages' first second to a bad value and back, with ujail and without."""
    # Who is who.
    found = ng.wait_for("processes", lambda: (p := box.processes()) and "analyzer" in p and p)
    parent, workers = found["net-gazer"][-1], found["analyzer"]
    for p in (*found["net-gazer"], *workers):
        assert p["NoNewPrivs"] == "1" and p["Seccomp"] == "2", p
    net_admin, net_raw = 1 << 12, 1 << 13
    parents = [p for p in found["net-gazer"] if int(p["CapEff"], 16)]
    assert len(parents) == 1, found
    parent = parents[0]
    if box.jail:
        assert parent["Uid"].split() == ["446"] * 4 and not int(parent["CapEff"], 16) & ~(net_admin | net_raw)
        assert not int(parent["CapBnd"], 16) & ~(net_admin | net_raw)
    else:
        assert parent["Uid"].split() == ["0"] * 4 and bin(int(parent["CapEff"], 16)).count("1") <= 4
    for p in (*workers, *(p for p in found["net-gazer"] if p is not parent)):
        assert p["Uid"].split() == ["446"] * 4 and not int(p["CapEff"], 16)
    box.run("test -e /tmp/jail" if box.jail else "! test -e /tmp/jail")

    # What procd was told.
    told = box.file("/tmp/procd/net-gazer.now").read_text(encoding="ascii").splitlines()
    command = "param command /usr/sbin/net-gazer -c /var/run/net-gazer-etc/net-gazer.conf"
    assert command in told and "param reload_signal HUP" in told and "param respawn 3600 5 0" in told
    assert {"trigger net-gazer", "validation validate_main"} <= set(told)
    assert (told.count("param user net-gazer"), told.count("jail net-gazer log procfs")) == ((1, 1) if box.jail else (0, 0))
    assert "seccomp" not in " ".join(told)

    # A signal brings new settings; the command line never changes.
    box.run("uci set net-gazer.main.flows=2048; uci set net-gazer.main.sensor='gw 1'; uci commit; service net-gazer reload 2>&1 | grep 'gw 1'")
    assert box.history() == ["start"], "a wrong value came through"
    box.run("uci set net-gazer.main.sensor=gw-1; uci commit; service net-gazer reload")
    assert box.history() == ["start", "signal HUP"] and command in box.file("/tmp/procd/net-gazer.now").read_text(encoding="ascii")
    ng.wait_for("the new name", lambda: box.status()["sensor"] == "gw-1")

    # What is wrong is said with the file, the option, the value and what would be right; the service stays.
    conf = box.file("/var/run/net-gazer-etc/net-gazer.conf")
    before = conf.read_text(encoding="utf-8")
    for change, says in (*(WRONG_IN_JAIL if box.jail else ()), *WRONG):
        save = box.file("/etc/config/net-gazer").read_text(encoding="utf-8")
        done = box.ash(f"{change}; uci commit; service net-gazer reload")
        box.file("/etc/config/net-gazer").write_text(save, encoding="utf-8")
        lines = done.stderr.splitlines()
        assert [line for line in lines if line.startswith(f"net-gazer: {says}")] and lines[-1] == "net-gazer: the old settings stay", done.stderr
        assert f"daemon.err net-gazer: {says}" in box.log()
        assert conf.read_text(encoding="utf-8") == before and not list(conf.parent.glob("*.new")), change
    assert box.history() == ["start", "signal HUP"] and box.status()["reloads"] == 1

    # Options that it does not change while it runs: another process, once.
    box.run("uci set net-gazer.main.nflog_group=40; uci set net-gazer.main.spool_dir=/tmp/other; uci commit; service net-gazer reload")
    running(box, 2)
    assert box.history() == ["start", "signal HUP", "start"] and "group 40" in box.run("nft list table inet net_gazer")
    assert "net-gaze" in box.run("ls -ld /tmp/other")

    box.run("uci set net-gazer.main.trace_inband=1; uci commit; service net-gazer reload")
    running(box, 3)

    # It crashes: procd starts it again.
    box.run("kill -9 $(cat /tmp/procd/net-gazer.pid)")
    running(box, 4)

    # Not enabled, stopped, and nothing is left of it.
    box.run("uci set net-gazer.main.enabled=0; uci commit; service net-gazer reload")
    ng.wait_for("its end", lambda: not box.processes() and not box.rules())
    box.run("service net-gazer start; service net-gazer stop; uci set net-gazer.main.enabled=1; uci commit")
    assert not box.processes() and not list(conf.parent.iterdir())
    # At the first start there is nothing to keep.
    box.run("uci set net-gazer.main.flows=1; uci commit; service net-gazer start 2>&1 | grep 'flows = \"1\"'")
    assert not box.processes() and box.history().count("start") == 4


MAIN, UCI = "uci set net-gazer.main", "/etc/config/net-gazer: "
HTTPS = f"{MAIN}.collector_url=https://192.0.2.1/; {MAIN}"
WRONG = [
    # What those could not open who will have to.
    (f"mkdir -p -m 700 /opt/spool; {MAIN}.spool_dir=/opt/spool", UCI + "spool_dir /opt/spool belongs to uid 0 with mode 0700"),
    (f"(umask 077; echo >/etc/net-gazer/ca.pem); {HTTPS}.collector_ca_file=/etc/net-gazer/ca.pem",
     UCI + "collector_ca_file /etc/net-gazer/ca.pem: Permission denied; run: chown 446 /etc/net-gazer/ca.pem"),
    (f"{MAIN}.flows=lots", UCI + 'flows = "lots": must be a number from 1024 to 1048576'),
    (f"{MAIN}.nflog_group=70000", UCI + 'nflog_group = "70000": must be a number from 0 to 65531'),
    (f"{MAIN}.enabled=maybe", UCI + "enabled = 'maybe': must be 0 or 1"),
    (f"{MAIN}.rules=maybe", UCI + 'rules = "maybe": must be one of own|include'),
    (f"{MAIN}.colour=red", UCI + "colour: there is no such option"),
    (f"{MAIN}.spool_bytes=7", UCI + 'spool_bytes = "7": must be a number'),
    (f"{MAIN}.spool_dir=here", UCI + 'spool_dir = "here": must be an absolute path'),
    (f"{MAIN}.collector_url=ftp://x/", UCI + 'collector_url = "ftp://x/": must be a URL'),
    # Whatever has a meaning to a shell, to UCI or to libconfuse arrives as it was.
    (MAIN + """.collector_url='q"q\\n ${HOME}$(id)`id`#c'""", UCI + """collector_url = "q"q\\n ${HOME}$(id)`id`#c": must be a URL"""),
    ("uci add_list net-gazer.main.home=10.0.0.1/8", UCI + 'home = "10.0.0.1/8": must be a prefix'),
    ("uci add_list net-gazer.main.plugins=no-such", UCI + "plugin no-such is not loaded: "),
    ("uci set net-gazer.handshake=plugin; uci set net-gazer.handshake.max_rate=many", UCI + 'max_rate = "many": must be'),
    ("uci set net-gazer.handshake=plugin; uci set net-gazer.handshake.colour=red", UCI + 'unknown option "colour"'),
    ("uci set net-gazer.other=other", UCI + "config other 'other': there are config net-gazer 'main' and config plugin 'NAME'"),
    ("echo \"option 'x\" >>/etc/config/net-gazer", UCI + "uci: Parse error"),
    (f"{MAIN}.collector_url=http://192.0.2.1/; rm /usr/lib/net-gazer/forwarder",
     UCI + "collector_url = 'http://192.0.2.1/': needs the package net-gazer-forward"),
]
# What root could open, and its user could not.
WRONG_IN_JAIL = [
    (f"mkdir /opt; {MAIN}.output=/opt/r.ndjson", UCI + "output /opt/r.ndjson: Permission denied: uid 446 may not write to /opt; choose another folder"),
    (f"chmod 700 /root; (umask 077; echo abcdefghijklmnopqrstuvwxyz >/root/token); {HTTPS}.collector_token_file=/root/token",
     UCI + "collector_token_file /root/token: Permission denied: uid 446 may not enter /root; choose another folder"),
]


def test_rules(box):
    """What the table in docs/OPENWRT.md says, row by row, column by column; and from one to the other."""
    fw4, ours = "table inet fw4", "table inet net_gazer"

    def firewall(action):
        box.ash(f"service firewall {action}")
        return box.tables()

    # own
    for action in ("reload", "restart"):
        assert firewall(action) == {fw4, ours}
    assert firewall("stop") == {ours} and firewall("start") == {fw4, ours}
    box.run("kill -9 $(cat /tmp/procd/net-gazer.pid)")
    ng.wait_for("the rules to go", lambda: ours not in box.tables(), every_s=0.05)
    running(box, 2)
    rules = box.rules()

    # include
    box.run("uci set net-gazer.main.rules=include; uci add_list net-gazer.main.home=10.0.0.0/8; uci commit; service net-gazer reload")
    running(box, 3)
    status = box.status()
    assert status["rules"] == "include" and not status["rules_gone"] and box.rules() == rules
    for _ in range(3):
        assert firewall("reload") == {fw4, ours} and box.rules() == rules, "loaded twice"
    assert firewall("restart") == {fw4, ours}
    assert firewall("stop") == set() and firewall("start") == {fw4, ours} and box.rules() == rules
    # The admin's networks are in them.
    assert "10.0.0.0/8" in box.run("nft list set inet net_gazer home4")
    box.run("uci add_list net-gazer.main.home=172.16.0.0/12; uci commit; service net-gazer reload")
    assert "172.16.0.0/12" in box.run("nft list set inet net_gazer home4") and box.history().count("start") == 3
    # A broken file of ours.
    nft = box.file("/var/run/net-gazer-etc/net-gazer.nft")
    whole = nft.read_text(encoding="ascii")
    nft.write_text("table inet broken {", encoding="ascii")
    firewall("stop")
    for action in ("start", "reload", "restart"):
        assert firewall(action) == {fw4}, "the firewall has to be there"
    nft.write_text(whole, encoding="ascii")
    assert firewall("reload") == {fw4, ours}
    # The daemon is killed: they stay.
    box.run("kill -9 $(cat /tmp/procd/net-gazer.pid)")
    running(box, 4)
    assert box.rules() == rules
    # Disabled by the admin: then not.
    box.run("uci set firewall.net_gazer.enabled=0; uci commit")
    assert firewall("stop") == set() and firewall("start") == {fw4}
    box.run("uci delete firewall.net_gazer.enabled; uci commit")
    # Its table is gone, and `reload` of net-gazer brings it back.
    box.run("service net-gazer reload")
    assert box.rules() == rules

    # And back to own, by another process.
    box.run("uci set net-gazer.main.rules=own; uci commit; service net-gazer reload")
    running(box, 5)
    ng.wait_for("own rules", lambda: "owner" in box.ash("nft list table inet net_gazer").stdout and box.rules() == rules)
    assert not nft.exists()
    box.run("uci set net-gazer.main.rules=include; uci commit; service net-gazer reload")
    running(box, 6)
    box.run("service net-gazer stop")
    assert not nft.exists()
    ng.wait_for("its rules to go", lambda: ours not in box.tables())


def talk(box, port=80):
    """A handshake through the router."""
    with net.Server(box.router.wan, port):
        assert net.connect(box.router.lan, box.router.WAN4, port)[0] == "ok"


def test_flash(box):
    """In the default configuration nothing is written but to memory, from the first start to the stop."""
    before = box.flash()
    assert any(f == "etc/config/net-gazer" for f in before)
    box.run("service net-gazer reload; service net-gazer restart")
    running(box, 2)
    talk(box)
    reports = box.file("/var/run/net-gazer/reports.ndjson")
    ng.wait_for("a report", lambda: reports.exists() and '"type":"conn"' in reports.read_text(encoding="utf-8"))
    box.run("net-gazerctl status; net-gazerctl top --once; ubus call net-gazer status; service firewall reload; service net-gazer status_json")
    assert "analyzer" in box.ash("service net-gazer doctor").stdout
    box.run("service net-gazer stop")
    ng.wait_for("its end", lambda: not box.processes())
    assert box.flash() == before


def test_reports_are_bounded(box, say):
    """Two files of 1 MiB at most, with the newest; what the admin says instead is taken."""
    reports = box.file("/var/run/net-gazer/reports.ndjson")
    old = reports.with_name("reports.ndjson.1")
    limit = 1 << 20
    assert f"output-bytes = {limit}\n" in box.run("cat /var/run/net-gazer-etc/net-gazer.conf")
    sizes = []
    for name in ("first", "second", "third"):
        talk(box)
        line = '{"type":"%s","filler":"%s"}\n' % (name, "x" * 1000)
        # As if that many handshakes had been: it is full, but for less than a line.
        room = limit - 16384 - reports.stat().st_size
        with open(reports, "a", encoding="ascii") as f:
            f.write(line * (room // len(line)))
        sizes.append(sum(p.stat().st_size for p in (reports, old) if p.exists()))
        with net.Server(box.router.wan, 80):
            def turned(was=reports.stat().st_ino):
                assert net.connect(box.router.lan, box.router.WAN4, 80)[0] == "ok"
                return reports.exists() and reports.stat().st_ino != was and old.exists() and f'"{name}"' in old.read_text(encoding="ascii")
            ng.wait_for(lambda: f"another file\n{box.log()}", turned, every_s=0.1)
    assert sorted(p.name for p in reports.parent.glob("reports*")) == [reports.name, old.name]
    assert limit * 19 // 10 < max(sizes) <= 2 * limit
    assert '"second"' not in old.read_text(encoding="ascii") + reports.read_text(encoding="ascii")
    say(f"OpenWrt's reports without a collector: {max(sizes)} bytes at most, 2 * {limit} are allowed")
    box.run("uci set net-gazer.main.output_bytes=0; uci commit; service net-gazer reload")
    assert "output-bytes = \"0\"\n" in box.run("cat /var/run/net-gazer-etc/net-gazer.conf")
    assert "must be 0, or 65536 at least" in box.ash("uci set net-gazer.main.output_bytes=4096; service net-gazer reload").stderr


def test_ubus(box):
    """ubus call net-gazer status: an object, also when nothing runs; and no other call."""
    assert json.loads(box.run("ubus call net-gazer status"))["state"] == "running"
    box.run("service net-gazer stop")
    ng.wait_for("its end", lambda: not box.processes())
    assert json.loads(box.run("ubus call net-gazer status")) == {"state": "down"}
    for call in ("net-gazer reboot", "net-gaze status"):
        assert box.ash(f"ubus call {call}").returncode == 4
    assert box.ash("/usr/libexec/rpcd/net-gazer call reboot").returncode == 1


def test_jail_sees_what_is_configured(packages, tmp_path):
    """A token that only root could read, prober and forwarder with libraries of their own, a plugin elsewhere."""
    with Router() as r, openwrt.Root(tmp_path, r.rtr, jail=True) as box:
        for name in PACKAGES:
            os.link(packages[name], box.file("/tmp") / packages[name].name)
        box.run("opkg install /tmp/*.ipk")
        settled(box)
        # The feed's CI does this.
        (box.file("/tmp/test.sh")).write_text((DIR / "test.sh").read_text(encoding="ascii"), encoding="ascii")
        for name in PACKAGES:
            box.run(f"sh /tmp/test.sh {name} 0.1.0")
        box.run("""mkdir -p /opt/mine; mv /usr/lib/net-gazer/plugins/packets.so /opt/mine/packets.so
            (umask 077; echo abcdefghijklmnopqrstuvwxyz >/etc/net-gazer/token)
            uci add_list net-gazer.main.plugins=handshake; uci add_list net-gazer.main.plugins=/opt/mine/packets.so
            uci add_list net-gazer.main.plugins=traceroute; uci set net-gazer.main.collector_url=http://127.0.0.1:9/
            uci set net-gazer.main.collector_token_file=/etc/net-gazer/token; uci commit; service net-gazer reload""")
        # /opt/mine was not to be seen before.
        running(box, 2)
        found = ng.wait_for("processes", lambda: (p := box.processes()) and {"analyzer", "prober", "forwarder"} <= set(p) and p)
        assert all(p["Uid"].split() == ["446"] * 4 for group in found.values() for p in group)
        assert {p["name"] for p in box.status()["plugins"]} == {"handshake", "packets", "traceroute"}
        # A new token, by rename as enrolment does: a signal is enough.
        box.run("(umask 077; echo zyxwvutsrqponmlkjihgfedcba >/etc/net-gazer/t); mv /etc/net-gazer/t /etc/net-gazer/token; service net-gazer reload")
        assert "old settings stay" not in box.log() and "not reloaded" not in box.log()


@pytest.mark.parametrize("jail", [True, False], ids=["ujail", "no ujail"])
def test_installed_again(packages, tmp_path, jail):
    """After a sysupgrade: with a configuration that needs every package, and they come one by one."""
    with Router() as r, openwrt.Root(tmp_path, r.rtr, jail=jail) as box:
        for name in PACKAGES:
            os.link(packages[name], box.file("/tmp") / packages[name].name)

        def plugins():
            return {p["name"] for p in (box.status() or {"plugins": []})["plugins"]}
        box.run("opkg install /tmp/*.ipk")
        settled(box)
        box.run("""uci add_list net-gazer.main.plugins=handshake; uci add_list net-gazer.main.plugins=traceroute
            uci set net-gazer.traceroute=plugin; uci set net-gazer.traceroute.interval=43200; uci set net-gazer.main.collector_url=http://127.0.0.1:9/
            uci commit; service net-gazer reload""")
        everything = {"handshake", "traceroute"}
        ng.wait_for(lambda: f"{plugins()}\n{box.log()}", lambda: plugins() == everything)

        # A plugin's package is removed: at the next start the rest goes on, and says what is missing.
        box.run("opkg remove net-gazer-plugin-traceroute")
        said = box.run("service net-gazer restart")
        assert "plugins = 'traceroute': needs the package net-gazer-plugin-traceroute, which is not installed" in said
        settled(box)
        assert plugins() == {"handshake"}
        assert "plugin traceroute is not loaded" in box.ash("service net-gazer reload").stderr

        # Everything is.
        box.run("opkg remove net-gazer-forward net-gazer-plugin-packets net-gazer")
        ng.wait_for("its end", lambda: not box.processes())
        assert box.ash("opkg install /tmp/net-gazer-forward_*.ipk").returncode, "it needs net-gazer"
        box.run("opkg install /tmp/*.ipk")
        settled(box)
        assert plugins() == everything and {"forwarder", "prober"} <= set(box.processes())

        # Another forwarder: the daemon has to use it; one of another version is refused.
        before = box.processes()["forwarder"][0]["Pid"]
        box.run("opkg upgrade /tmp/net-gazer-forward_*.ipk")
        settled(box)
        assert box.processes()["forwarder"][0]["Pid"] != before
        box.run("echo 0.2.0-r1 >/usr/lib/opkg/info/net-gazer.version")
        assert "net-gazer-forward needs net-gazer (=0.1.0-r1)" in box.ash("opkg upgrade /tmp/net-gazer-forward_*.ipk").stderr


# ---- the document ----

def blocks():
    text = (ng.TOP / "docs/OPENWRT.md").read_text(encoding="utf-8")
    found = re.findall(r"^```sh\n(.*?)^```$", text, re.M | re.S)
    outside = re.sub(r"^```sh\n.*?^```$", "", text, flags=re.M | re.S)
    assert "```" not in outside and not re.search(r"^    \S", outside, re.M), "a block that nothing runs"
    return found


class Upstream:
    """The collector of the document, on the router's own loopback: its address in the document becomes this one."""
    def __init__(self, folder, ns):
        self.ns, self.port, self.database, self.log = ns, 8080, folder / "collector.db", folder / "collector.log"

    def __enter__(self):
        with open(self.log, "wb") as log:
            self.process = self.ns.popen([ng.program("net-gazer-collector"), "-c", "/dev/null", "--database", self.database, "--port",
                                          self.port], stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        ng.wait_for("the collector", lambda: self.get("/health"))
        return self

    def __exit__(self, *_):
        ng.stop(self.process)

    def get(self, path):
        done = self.ns.run("curl", "-sf", "--noproxy", "*", f"http://127.0.0.1:{self.port}{path}")
        return json.loads(done.stdout) if done.returncode == 0 else None

    def line(self):
        return self.ns.run(ng.program("net-gazer-collector"), "enroll", "-c", "/dev/null", "--database", self.database, "--url",
                           f"http://127.0.0.1:{self.port}", "gw-1", check=True).stdout.strip()


def built(folder, path, block):
    """The first block, on the machine that builds, in a copy of this source; scp brings the packages to the router's /tmp, which is `path`."""
    sdk = topdir(folder / "home/openwrt")
    (sdk / "package").mkdir()
    (sdk / "Makefile").write_text(f"STAND_IN := {STAND_IN}\ninclude {STAND_IN}/sdk.mk\n", encoding="ascii")
    (folder / "scp").write_text(f'#!/bin/sh\nfor f; do case "$f" in root@192.168.1.1:/tmp/) ;; *) cp "$f" {path} ;; esac; done\n',
                               encoding="ascii")
    (folder / "scp").chmod(0o755)
    environment = {k: v for k, v in os.environ.items() if not k.startswith("MAKE") and k not in ("MFLAGS", "O")}
    done = subprocess.run(["sh", "-ec", block], cwd=source.copy(folder / "source"), capture_output=True, text=True, check=False,
                          env={**environment, "HOME": str(folder / "home"), "PATH": f"{folder}:{os.environ['PATH']}",
                               "MAKEFLAGS": "-j2" + (" -- CONFIG_USE_APK=y" if path.parent.joinpath("bin/apk").exists() else "")})
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("manager", ["opkg", "apk"])
def test_document(tmp_path, manager):
    """Every command of docs/OPENWRT.md, in order: once as on 24.10, once as on 25.12."""
    first, *rest = blocks()
    lines = [line for block in rest for line in block.splitlines()]
    other = "apk" if manager == "opkg" else "opkg"
    output = {}
    with Router() as r, openwrt.Root(tmp_path, r.rtr, jail=manager == "apk") as box, Upstream(tmp_path, r.rtr) as up:
        box.router = r
        if manager == "apk":
            (box.path / "bin/opkg").rename(box.path / "bin/apk")
        built(tmp_path, box.path / "tmp", first)
        for line in lines:
            if line.startswith(f"{other} "):
                continue
            starts = box.history().count("start") if box.file("/tmp/procd/net-gazer.history").exists() else 0
            if "enroll" in line:
                # Without --write it says what it would do.
                would = box.run(up.line().replace(" --write", ""))
                assert f"uci set net-gazer.main.collector_url='http://127.0.0.1:{up.port}'\nuci set net-gazer.main.collector_token_file" in would
                assert "collector" not in box.run("uci show net-gazer")
                line, documented = up.line(), line
                assert re.sub(r" http://\S+ \S+ ", " https://collector.lan:8443 CODE ", line) == documented, "the collector prints another line"
            one_file = "service firewall reload" in line and "firewall.ng=" in box.run("uci show firewall")
            upgrade, removal = line.startswith(f"{manager} upgrade"), line.startswith((f"{manager} remove", f"{manager} del"))
            if line.startswith("tail"):
                talk(box)
                ng.wait_for("a report", lambda: '"conn"' in box.ash("cat /var/run/net-gazer/reports.ndjson").stdout)
            if upgrade:
                # What the admin changed, and disabled.
                box.run("uci set firewall.net_gazer.enabled=0; uci commit; service net-gazer disable; echo '# mine' >>/etc/config/net-gazer")
            if line == "uci set firewall.ng=include":
                box.run("uci set net-gazer.main.nflog_group=40")
            done = box.ash(line)
            said = output[line] = done.stdout + done.stderr
            assert done.returncode == 0 or "doctor" in line, f"{line}\n{said}\n{box.log()}"
            if line.startswith((f"{manager} install", f"{manager} add")):
                settled(box)
            elif line == "service net-gazer reload" or upgrade or "enroll" in line:
                wanted = "stay" in said or ng.wait_for(lambda: f"{line}: {said}\n{box.log()}", lambda: (box.status() or {}).get("state") == "running" and
                                                       box.history().count("start") >= starts)
                assert wanted
            if line.startswith(f"{manager} upgrade"):
                assert "# mine" in box.run("cat /etc/config/net-gazer") and box.run("uci get firewall.net_gazer.enabled") == "0\n"
                assert box.ash("service net-gazer enabled").returncode, "PKG_UPGRADE: what is disabled stays so"
                assert "sensor='gw-1'" in box.run("uci show net-gazer")
                assert not box.ash("ls /etc/uci-defaults").stdout
            if one_file:
                # One transaction with fw4: and the rules are UCI's.
                assert "log group 40" in box.run("nft list table inet net_gazer") and not box.status()["rules_gone"]
                box.run("uci delete net-gazer.main.nflog_group; uci commit")
            if removal:
                assert not box.run("uci show firewall | grep net_gazer || :") and not box.ash("ls /etc/rc.d").stdout
                # What is the admin's stays, and nothing else.
                left = {f for f in box.flash() if "gazer" in f}
                assert left == {"etc/config/net-gazer", "etc/net-gazer/collector-token"}
                ng.wait_for("its end", lambda: not box.processes())
            if line == "net-gazerctl doctor" and "enroll" in " ".join(output):
                talk(box, 81)
                ng.wait_for(lambda: f"the collector's row\n{box.log()}", lambda: "gw-1" in json.dumps(up.get("/api/conns?limit=10")))
    # Each shows what the text around it promises.
    assert "analyzer" in output["net-gazerctl doctor"] and "FAIL" not in output["net-gazerctl doctor"]
    assert "handshake" in output["net-gazerctl status"]
    assert '"type":"conn"' in output["tail -n 3 /var/run/net-gazer/reports.ndjson"]
    assert json.loads(output["ubus call net-gazer status"])["rules"] == "own"
    assert "0.1.0 runs" in output["logread -e net-gazer"]
    assert "log group" in output["nft list table inet net_gazer"]
    assert "net-gazer" in output["uci changes"]
    assert not [f for f in box.flash() if "gazer" in f]
