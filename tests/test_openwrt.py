# SPDX-License-Identifier: GPL-2.0-or-later
"""The OpenWrt packages without an OpenWrt: the Makefile read and its recipes run with a stub of the build system, the init script run
by busybox ash with a stub of procd and uci, and what it renders given to the real net-gazer and the real nft."""
import json
import os
import pathlib
import re
import subprocess

import pytest

from lib import net, ng

DIR = ng.TOP / "openwrt/net-gazer"
FILES = DIR / "files"
STUB = ng.TOP / "tests/openwrt"


def make(*argv, **env):
    environment = {k: v for k, v in os.environ.items() if not k.startswith("MAKE") and k != "MFLAGS"}
    done = subprocess.run(["make", "-s", "--no-print-directory", "-C", DIR, f"TOPDIR={STUB}", f"INCLUDE_DIR={STUB}", *argv],
                          capture_output=True, text=True, check=False, env={**environment, **env})
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_packages():
    """Names, versions, who needs libcurl, whose user it is."""
    found = {}
    for line in make().splitlines():
        name, version, depends, user, licence = line.removeprefix("Package: ").split("|")
        found[name] = (version, depends.split(), user, licence)
    assert set(found) == {"net-gazer", "net-gazer-forward", "net-gazer-plugin-traceroute", "net-gazer-plugin-packets"}
    version = re.search(r"^VERSION\s*:= (\S+)", (ng.TOP / "Makefile").read_text(encoding="utf-8"), re.M)[1]
    assert {f[0] for f in found.values()} == {version} and {f[3] for f in found.values()} == {"GPL-2.0-or-later"}
    assert [n for n, f in found.items() if "+libcurl" in f[1]] == ["net-gazer-forward"]
    assert found["net-gazer"][2] == "net-gazer=446:net-gazer=446"
    assert {"+kmod-nfnetlink-log", "+kmod-nft-core", "+confuse", "+libseccomp"} <= set(found["net-gazer"][1])
    # --version agrees, which OpenWrt's CI asks.
    for program in ("net-gazer", "net-gazerctl"):
        done = subprocess.run([ng.program(program), "--version"], capture_output=True, text=True, check=False)
        assert version in done.stdout


def linked(path):
    done = subprocess.run(["objdump", "-p", path], capture_output=True, text=True, check=True)
    return set(re.findall(r"NEEDED +lib([\w-]+)\.so", done.stdout))


def test_recipes(tmp_path):
    """What each package installs; each program is linked with what its package depends on."""
    tree = tmp_path / "tree"
    tree.mkdir()
    (tree / "build").symlink_to(ng.BUILD)
    for name in ("nft", "src"):
        (tree / name).symlink_to(ng.TOP / name)
    packages = ("net-gazer", "net-gazer-forward", "net-gazer-plugin-traceroute", "net-gazer-plugin-packets")
    make(*(f"install-{p}" for p in packages), f"PKG_BUILD_DIR={tree}", f"DESTDIR={tmp_path / 'out'}")
    files = {p: {str(f.relative_to(tmp_path / "out" / p)) for f in (tmp_path / "out" / p).rglob("*") if f.is_file()} for p in packages}
    assert files["net-gazer"] == {
        "usr/sbin/net-gazer", "usr/sbin/net-gazerctl", "usr/lib/net-gazer/analyzer", "usr/lib/net-gazer/plugins/handshake.so",
        "usr/lib/net-gazer/plugins/attempts.so", "usr/share/net-gazer/net-gazer.nft", "usr/share/net-gazer/firewall.include",
        "etc/init.d/net-gazer", "etc/config/net-gazer", "etc/uci-defaults/90-net-gazer", "etc/capabilities/net-gazer.json",
        "usr/libexec/rpcd/net-gazer", "usr/share/rpcd/acl.d/net-gazer.json"}
    assert files["net-gazer-forward"] == {"usr/lib/net-gazer/forwarder"}
    assert files["net-gazer-plugin-traceroute"] == {"usr/lib/net-gazer/prober", "usr/lib/net-gazer/plugins/traceroute.so"}
    out = tmp_path / "out"
    for f in ("usr/sbin/net-gazer", "usr/sbin/net-gazerctl", "usr/lib/net-gazer/analyzer"):
        assert linked(out / "net-gazer" / f) <= {"mnl", "nftnl", "netfilter_log", "confuse", "seccomp", "yajl", "c", "m", "dl"}, f
    assert linked(out / "net-gazer-plugin-traceroute/usr/lib/net-gazer/prober") <= {"mnl", "seccomp", "c"}
    for name in ("capabilities", ):
        json.loads((out / f"net-gazer/etc/{name}/net-gazer.json").read_text(encoding="ascii"))
    acl = json.loads((out / "net-gazer/usr/share/rpcd/acl.d/net-gazer.json").read_text(encoding="ascii"))
    assert acl["net-gazer"]["read"]["ubus"] == {"net-gazer": ["status"]}
    make("install-net-gazer", f"PKG_BUILD_DIR={tree}", f"DESTDIR={tmp_path / 'bare'}", "WITH_UBUS=0")
    assert not (tmp_path / "bare/net-gazer/usr/libexec").exists()


def test_nothing_in_nftables_d():
    """A broken file there would leave the router without its firewall."""
    assert "nftables.d" not in (DIR / "Makefile").read_text(encoding="ascii")


@pytest.mark.parametrize("name", ["net-gazer.init", "net-gazer.defaults", "firewall.include", "net-gazer.rpcd"])
def test_shell(name):
    """What busybox and shellcheck say."""
    done = subprocess.run(["busybox", "ash", "-n", FILES / name], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    done = subprocess.run(["shellcheck", "-s", "dash", "-e", "SC2034,SC3043,SC2154,SC1091,SC2317", FILES / name], capture_output=True,
                          text=True, check=False)
    assert done.returncode == 0, done.stdout


class Box:
    """A router's file system, as far as the init script sees it."""
    def __init__(self, path, ns, jail=False):
        self.path, self.ns = path, ns
        for name in ("uci", "run", "etc"):
            (path / name).mkdir()
        text = (FILES / "net-gazer.init").read_text(encoding="ascii")
        for name, value in {"PROG": ng.program("net-gazer"), "LIB": ng.BUILD, "SHARE": FILES, "RUN": path / "run", "ETC": path / "etc",
                            "JAIL": "/bin/true" if jail else path / "none"}.items():
            text, n = re.subn(rf"^{name}=.*$", f"{name}={value}", text, flags=re.M)
            assert n == 1, name
        # Where this build's own plugins and programs are.
        text = text.replace('put runtime_dir "$RUN"', f'put runtime_dir "$RUN"; put plugin_dir {ng.BUILD}/plugins; put libexec_dir {ng.BUILD}')
        (path / "init").write_text(text, encoding="ascii")

    conf = property(lambda self: self.path / "etc/net-gazer.conf")
    log = property(lambda self: (self.path / "log").read_text(encoding="utf-8") if (self.path / "log").exists() else "")

    def uci(self, **options):
        for name, value in options.items():
            f = self.path / "uci" / name
            if value is None:
                f.unlink()
            else:
                f.write_text("\n".join(value) if isinstance(value, list) else value, encoding="utf-8")

    def rc(self, command):
        """(status, what procd was told)"""
        record = self.path / "record"
        record.unlink(missing_ok=True)
        done = self.ns.run("busybox", "ash", STUB / "rc.sh", self.path / "init", command, env={
            **os.environ, "RECORD": str(record), "UCI": str(self.path / "uci"), "LOG": str(self.path / "log")})
        return done.returncode, record.read_text(encoding="utf-8").splitlines() if record.exists() else []


@pytest.fixture(name="router")
def one_router():
    with net.Router(filtered=False) as r:
        yield r


def has_rules(ns):
    return "log group" in ns.run("nft", "list", "table", "inet", "net_gazer").stdout


def test_start(router, tmp_path):
    """The default configuration gives an instance whose command never changes; what is rendered is what net-gazer takes."""
    box = Box(tmp_path, router.rtr)
    assert box.rc("start") == (0, []), "not enabled"
    box.uci(enabled="1", home=["192.168.0.0/16", "fc00::/7"], plugins=["handshake", "traceroute"], spool_dir=str(tmp_path / "spool"))
    status, first = box.rc("start")
    assert status == 0, box.log
    assert f"param command {ng.program('net-gazer')} -c {box.conf}" in first and "param reload_signal HUP" in first
    assert "param user net-gazer" not in first, "without ujail nothing would give it its capabilities"
    assert "param respawn 3600 5 0" in first and first[0] == "open" and first[-1] == "close"
    text = box.conf.read_text(encoding="utf-8")
    assert 'home = {"192.168.0.0/16", "fc00::/7"}\n' in text and 'plugins = {"handshake", "traceroute"}\n' in text
    assert f'output = "{tmp_path}/run/reports.ndjson"\n' in text, "in memory, not in flash"
    box.uci(sensor="another", flows="1024")
    status, second = box.rc("reload")
    assert status == 0 and [p for p in second if "command" in p] == [p for p in first if "command" in p]
    assert 'flows = "1024"\n' in box.conf.read_text(encoding="utf-8")
    assert box.rc("triggers")[1] == ["trigger net-gazer", "validation validate_main"]
    assert box.rc("stop")[0] == 0 and not box.conf.exists()


def test_jail(router, tmp_path):
    """With ujail it is a user from the start, and sees little."""
    box = Box(tmp_path, router.rtr, jail=True)
    box.uci(enabled="1")
    record = box.rc("start")[1]
    assert "param user net-gazer" in record and "param no_new_privs 1" in record
    assert "param capabilities /etc/capabilities/net-gazer.json" in record and "jail net-gazer log" in record
    assert f"mount-rw {tmp_path}/run" in record


@pytest.mark.parametrize("options, says", [
    ({"rules": "maybe"}, "a value is not allowed"),
    ({"nflog_group": "70000"}, "a value is not allowed"),
    ({"flows": "lots"}, "a value is not allowed"),
    ({"plugins": ["no-such-plugin"]}, "no-such-plugin"),
    ({"spool_bytes": "7"}, "spool-bytes"),
    ({"collector_url": "ftp://x/"}, "collector-url"),
])
def test_bad_value(router, tmp_path, options, says):
    """A bad value keeps the old service, and says so; at the first start there is none to keep."""
    box = Box(tmp_path, router.rtr)
    box.uci(enabled="1", **options)
    status, record = box.rc("start")
    assert status and not record and says in box.log and not box.conf.exists()
    box.uci(**dict.fromkeys(options))
    status, good = box.rc("start")
    assert status == 0, box.log
    text = box.conf.read_text(encoding="utf-8")
    box.uci(**options)
    status, record = box.rc("reload")
    assert status and record == good, "procd was not told to keep the instance"
    assert box.conf.read_text(encoding="utf-8") == text


def test_forwarder_missing(router, tmp_path):
    """A collector without its package is said before anything is changed."""
    box = Box(tmp_path, router.rtr)
    init = (tmp_path / "init").read_text(encoding="ascii")
    (tmp_path / "init").write_text(re.sub(r"^LIB=.*$", "LIB=/nowhere", init, flags=re.M), encoding="ascii")
    box.uci(enabled="1", collector_url="http://192.0.2.1:8080/")
    assert box.rc("start") == (1, []) and "net-gazer-forward" in box.log


def test_quoting(router, tmp_path):
    """Text with everything that libconfuse gives a meaning to arrives as it was."""
    box = Box(tmp_path, router.rtr)
    for text in (r"/tmp/a b", r'/tmp/q"q', r"/tmp/b\n\\x", "/tmp/${HOME}$(id)`id`", "/tmp/#c"):
        box.uci(enabled="1", output=text)
        status, _ = box.rc("start")
        assert status == 0, box.log
        done = subprocess.run([ng.program("net-gazer"), "-n", "-v", "-c", box.conf], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        (box.path / "wrong").write_text(box.conf.read_text(encoding="utf-8") + 'handshake-limit = "x"\n', encoding="utf-8")
        # The daemon's own reader has to give the text back: by a value that it refuses and quotes.
        box.uci(output=None, collector_url=text)
        box.rc("reload")
        assert text in box.log.splitlines()[-1], box.log
        box.uci(collector_url=None)


def test_included_rules(router, tmp_path):
    """fw4 stops (every table of every program goes) and starts: its include brings the rules back; a broken file harms nothing."""
    box = Box(tmp_path, router.rtr)
    box.uci(enabled="1", rules="include", home=["198.51.100.0/24"])
    assert box.rc("start")[0] == 0, box.log
    assert has_rules(router.rtr) and "198.51.100.0/24" in router.rtr.run("nft", "list", "table", "inet", "net_gazer").stdout
    include = (FILES / "firewall.include").read_text(encoding="ascii").replace("/var/run/net-gazer/", f"{tmp_path}/etc/")
    (tmp_path / "include").write_text(include, encoding="ascii")
    router.rtr.run("nft", "flush", "ruleset")
    assert not has_rules(router.rtr)
    for _ in range(3):
        assert router.rtr.run("busybox", "ash", tmp_path / "include").returncode == 0
    rules = router.rtr.run("nft", "-j", "list", "table", "inet", "net_gazer").stdout
    assert rules.count('"log"') == rules.count('"group": 10') > 0
    (tmp_path / "etc/net-gazer.nft").write_text("table inet broken {", encoding="ascii")
    assert router.rtr.run("busybox", "ash", tmp_path / "include").returncode == 0, "the firewall's start would be said to have failed"
    # To own rules: the file is gone, and what was loaded from it.
    box.uci(rules="own")
    assert box.rc("reload")[0] == 0 and not has_rules(router.rtr) and not (tmp_path / "etc/net-gazer.nft").exists()


def test_own_rules(router, tmp_path):
    """The daemon as procd would start it: reports come, `service firewall stop` leaves its rules alone, its end takes them along."""
    box = Box(tmp_path, router.rtr)
    box.uci(enabled="1", output=str(tmp_path / "reports"), verbose="3")
    status, record = box.rc("start")
    assert status == 0, box.log
    argv = next(r for r in record if r.startswith("param command")).split()[2:]
    with net.Server(router.wan, 80):
        process = router.rtr.popen([*argv, "--user", "nobody"], stderr=subprocess.PIPE, text=True)
        try:
            ng.wait_for("rules", lambda: has_rules(router.rtr))
            for table in ("inet net_gazer", ):
                router.rtr.run("nft", "delete", "table", *table.split())
            router.rtr.run("nft", "flush", "ruleset")
            assert has_rules(router.rtr)
            assert net.connect(router.lan, router.WAN4, 80)[0] == "ok"
            ng.wait_for("a report", lambda: '"type":"conn"' in pathlib.Path(tmp_path / "reports").read_text(encoding="utf-8"))
        finally:
            process.terminate()
            process.communicate(timeout=30)
    assert process.returncode == 0 and not has_rules(router.rtr)


def test_defaults(tmp_path):
    """The include of the firewall is set once, however often the package is installed; prerm takes it away."""
    (tmp_path / "uci").write_text(f"#!/bin/sh\ncat >>{tmp_path}/batch\n", encoding="ascii")
    (tmp_path / "uci").chmod(0o755)
    done = subprocess.run(["busybox", "ash", FILES / "net-gazer.defaults"], env={"PATH": f"{tmp_path}:/usr/bin:/bin"}, capture_output=True,
                          text=True, check=False)
    assert done.returncode == 0, done.stderr
    said = [line.strip() for line in (tmp_path / "batch").read_text(encoding="ascii").splitlines()]
    assert said[0] == "delete firewall.net_gazer" and said[-1] == "commit firewall"
    assert "set firewall.net_gazer.fw4_compatible='1'" in said and "set firewall.net_gazer.path='/usr/share/net-gazer/firewall.include'" in said
    makefile = (DIR / "Makefile").read_text(encoding="ascii")
    assert "uci -q delete firewall.net_gazer" in makefile.split("define Package/net-gazer/prerm")[1].split("endef")[0]


def test_rpcd(tmp_path):
    """ubus call net-gazer status: an object, also when nothing runs."""
    ctl = tmp_path / "ctl"
    text = (FILES / "net-gazer.rpcd").read_text(encoding="ascii").replace("/usr/sbin/net-gazerctl", str(ctl))
    (tmp_path / "rpcd").write_text(text, encoding="ascii")

    def call(*argv):
        return subprocess.run(["busybox", "ash", tmp_path / "rpcd", *argv], capture_output=True, text=True, check=False)

    assert json.loads(call("list").stdout) == {"status": {}}
    assert json.loads(call("call", "status").stdout) == {"state": "down"}
    ctl.write_text("#!/bin/sh\necho '{\"state\": \"running\"}'\n", encoding="ascii")
    ctl.chmod(0o755)
    assert json.loads(call("call", "status").stdout) == {"state": "running"}
    assert call("call", "reboot").returncode == 1
