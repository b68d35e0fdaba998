# SPDX-License-Identifier: GPL-2.0-or-later
"""The Makefile as a packager uses it: what install, uninstall and clean leave alone, paths other than the usual ones, the tarball."""
import os
import re
import shutil
import subprocess
import tarfile

import pytest

from lib import ng, source


@pytest.fixture(name="tree", scope="module")
def one_copy(tmp_path_factory):
    return source.copy(tmp_path_factory.mktemp("make") / "source")


def made(tree, *argv):
    done = source.make(tree, *argv)
    assert done.returncode == 0, done.stdout + done.stderr


def files(folder):
    return {str(f.relative_to(folder)) for f in folder.rglob("*") if not f.is_dir()}


@pytest.mark.parametrize("target, variable", [("clean", "O"), ("clean", "PREFIX"), ("install", "DESTDIR"), ("uninstall", "DESTDIR"), ("uninstall", "DATADIR")])
def test_a_space(tree, tmp_path, target, variable):
    """It would be two paths, and neither of them the one that was meant."""
    (tmp_path / "my").mkdir()
    (tmp_path / "my/thesis").touch()
    before = files(tree), files(tmp_path)
    for value in (f"{tmp_path}/my build", f"{tmp_path}/my "):
        done = source.make(tree, "-o", "all", target, f"{variable}={value}")
        assert done.returncode == 2 and f'{variable} = "{value}": a path without spaces is needed' in done.stderr, done.stderr
    assert (files(tree), files(tmp_path)) == before


def test_a_tree_with_a_space(tree, tmp_path):
    (tmp_path / "a tree").mkdir()
    (tmp_path / "a tree/Makefile").write_bytes((tree / "Makefile").read_bytes())
    done = source.make(tmp_path / "a tree", "help")
    assert done.returncode == 2 and 'a tree": a path without spaces is needed' in done.stderr


@pytest.mark.parametrize("variables", [(), ("PREFIX=/usr", "DATADIR=/usr/share", "LIBEXECDIR=/usr/libexec", "PLUGINDIR=/usr/lib")])
def test_uninstall(tree, tmp_path, variables):
    """Takes away what install put there, nothing else: also where the folders are not ours alone."""
    variables = ("-o", "all", f"O={ng.BUILD}", f"DESTDIR={tmp_path}", *variables)
    prefix = "usr" if "PREFIX=/usr" in variables else "usr/local"
    others = {f"{prefix}/{f}" for f in ("share/other/f", "share/f", "libexec/f", "lib/f.so", "include/f.h")}
    for f in others:
        (tmp_path / f).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / f).touch()
    made(tree, "install", *variables)
    conf = {("etc" if prefix == "usr" else "usr/local/etc") + f"/net-gazer/{f}.conf" for f in ("net-gazer", "net-gazer-collector")}
    assert len(files(tmp_path)) > 30
    made(tree, "uninstall", *variables)
    assert files(tmp_path) == others | conf
    assert not [d for d in tmp_path.rglob("net-gazer*") if d.is_dir() and d.parent.name != "etc"]


@pytest.mark.parametrize("prefix, variables", [("/usr", ()), ("/usr/local", ()), ("/opt/ng", ("LIBEXECDIR=/opt/ng/lib/x", "SYSCONFDIR=/opt/etc"))])
def test_installed_documents(tree, tmp_path, prefix, variables):
    """Manuals and samples name the paths where things are."""
    made(tree, "-o", "all", "install", f"O={ng.BUILD}", f"DESTDIR={tmp_path}", f"PREFIX={prefix}", *variables)
    found = set()
    for name in files(tmp_path):
        if re.search(r"share/man/|\.conf$|\.nft$|\.service$", name):
            text = (tmp_path / name).read_text(encoding="utf-8")
            # Where a configuration is looked for, in this order, wherever all the others are.
            text = re.sub(r"^\.Pa (/usr/local)?/etc/net-gazer/.*$", "", text, flags=re.M)
            found |= set(re.findall(r"/(?:usr|opt)/[\w./-]*\w", text)) - {"/opt/mine/knock.so", "/usr/sbin/nft"}
    assert {f"{prefix}/lib/net-gazer/plugins", f"{prefix}/include/net-gazer/plugin.h", f"{prefix}/share/net-gazer/net-gazer.nft"} <= found
    assert any(re.fullmatch(r"/opt/ng/lib/x|/usr/(local/)?libexec/net-gazer", f) for f in found)
    assert not [f for f in found if not (tmp_path / f.lstrip("/")).exists()]


WANTED = {  # by target, of Debian's packages: some that it needs, and some that it must not bring onto a router
    "run": ("build-essential libmnl-dev nftables npm python3-jsonschema", "chromium clang valkey-server ulogd2 debhelper qemu-user"),
    "demo": ("build-essential iproute2 netbase", "chromium clang valkey-server ulogd2 debhelper qemu-user"),
    "deb": ("build-essential npm debhelper libcmocka-dev", "chromium clang valkey-server ulogd2 qemu-user"),
    "check": ("build-essential nftables chromium valkey-server ulogd2", "debhelper qemu-user"),
    "check-portability": ("build-essential chromium valkey-server debhelper lintian qemu-user", "")}


@pytest.fixture(name="debian")
def a_fresh_debian(tmp_path, monkeypatch):
    """Programs in front of the real ones that tell what they were asked for; the file `installed` has the packages that there are."""
    log = tmp_path / "log"
    (tmp_path / "installed").touch()
    for name, text in {"dpkg-query": f'for p; do :; done; grep -qx "$p" "{tmp_path}/installed" && echo installed',
                       "apt-get": f'echo "apt-get $*" >>"{log}"', "systemctl": f'echo "systemctl $*" >>"{log}"',
                       "apt-cache": "exit 0", "id": f'cat "{tmp_path}/uid"'}.items():
        (tmp_path / name).write_text(f"#!/bin/sh\n{text}\n", encoding="ascii")
        (tmp_path / name).chmod(0o755)
    for name in ("sh", "dirname", "grep", "cat", "mktemp", "rm", "sleep", "make", "env"):  # neither node nor npm
        (tmp_path / name).symlink_to(shutil.which(name))
    monkeypatch.setenv("PATH", str(tmp_path))
    return tmp_path


def asked(debian, target, uid):
    """What `make TARGET` says and does about packages."""
    (debian / "uid").write_text(f"{uid}\n", encoding="ascii")
    (debian / "log").write_text("", encoding="ascii")
    done = subprocess.run([ng.TOP / ".ci/deps", *deps_words(target)], capture_output=True, text=True, check=False)
    return done, (debian / "log").read_text(encoding="ascii")


def deps_words(target):
    said = source.make(ng.TOP, "-n", "MAKE=true", target).stdout
    return re.search(r"^\.ci/deps *(\w*)$", said, re.M)[1].split()


@pytest.mark.parametrize("target", WANTED)
def test_packages(debian, target):
    """No more than the target needs; who is not root is told the command; once they are there nothing is done."""
    wanted, unwanted = map(str.split, WANTED[target])
    done, did = asked(debian, target, 1000)
    said, missing = done.stderr.split(" installs them: ")
    assert done.returncode == 1 and not did and "`sudo " in said and set(wanted) <= set(missing.split()) and not set(unwanted) & set(missing.split())
    done, did = asked(debian, target, 0)
    assert done.returncode == 0 and set(missing.split()) <= set(did.split())
    (debian / "installed").write_text("\n".join(missing.split()), encoding="ascii")
    for uid in (0, 1000):
        done, did = asked(debian, target, uid)
        assert (done.returncode, done.stdout, done.stderr, did) == (0, "", "", "")


def test_services_of_others(debian):
    """What a package starts that the tests brought is stopped; an ulogd2 that was here before goes on."""
    _, did = asked(debian, "check", 0)
    assert {"systemctl disable --now ulogd2", "systemctl disable --now valkey-server"} <= set(did.splitlines())
    (debian / "installed").write_text("ulogd2\n", encoding="ascii")
    _, did = asked(debian, "check", 0)
    assert "disable --now ulogd2" not in did and "systemctl disable --now valkey-server" in did


def test_without_root(tree, tmp_path, monkeypatch):
    """Said at once, before anything is looked for or built."""
    (tmp_path / "id").write_text("#!/bin/sh\necho 1000\n", encoding="ascii")
    (tmp_path / "id").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    for target in ("run", "demo", "check", "check-portability", "soak", "bench"):
        done = source.make(tree, target)
        assert done.returncode == 2 and not done.stdout
        assert done.stderr.splitlines()[0] == f"rules, NFLOG and namespaces need root: sudo make {target}"


def test_built_by_another(tree, tmp_path):
    """`make` with a narrow umask, then `sudo make check`: the daemon refuses plugins that another than root could change, and its user has to
    be able to load them and to start the programs."""
    programs = [tmp_path / p for p in ("net-gazer", "analyzer", "replay", "forwarder", "prober", "trace", "net-gazer-collector", "geo")]
    plugin = tmp_path / "plugins/x.so"
    plugin.parent.mkdir()
    for path in (plugin, *programs):
        path.touch(0o700)
    for path in (plugin.parent, plugin, *programs):
        os.chown(path, 65534, 65534)
    made(tree, "-o", "deps", "MAKE=true", "PYTHON=true", "check", f"O={tmp_path}")
    assert {f.stat().st_uid for f in (plugin.parent, plugin)} == {0}
    assert {f.stat().st_mode & 0o777 for f in (plugin, *programs)} == {0o755}


def test_another_prefix(tree, tmp_path):
    """What is compiled in follows; and is not compiled again for nothing."""
    path = tmp_path / "o/obj/sensor/options.o"
    for prefix in ("/usr/local", "/opt/ng"):
        argv = (f"O={tmp_path}/o", f"PREFIX={prefix}", path)
        assert source.make(tree, "-q", *argv).returncode == 1
        made(tree, *argv)
        assert f"{prefix}/etc/net-gazer/net-gazer.conf".encode() in path.read_bytes()
        assert source.make(tree, "-q", *argv).returncode == 0


def test_dist(tree, tmp_path):
    """What is committed, as the same bytes whoever packs it and whenever."""
    (tree / "scratch").touch()
    subprocess.run(["git", "clone", "-q", tree, tmp_path / "clone"], check=True)
    version = re.search(r"^VERSION\s*:= (\S+)", (tree / "Makefile").read_text(encoding="utf-8"), re.M)[1]
    packed = []
    for folder, mask in ((tree, 0o022), (tmp_path / "clone", 0o077)):
        before = os.umask(mask)
        made(folder, "dist", f"O={tmp_path}/{mask}")
        os.umask(before)
        packed.append(tmp_path / f"{mask}/net-gazer-{version}.tar.gz")
    assert packed[0].read_bytes() == packed[1].read_bytes()
    known = subprocess.run(["git", "ls-files", "-z"], cwd=tree, capture_output=True, text=True, check=True).stdout.split("\0")
    with tarfile.open(packed[0]) as t:
        assert {m.name for m in t if not m.isdir()} == {f"net-gazer-{version}/{f}" for f in known if f}
