# SPDX-License-Identifier: GPL-2.0-or-later
"""The Makefile as a packager uses it: what install, uninstall and clean leave alone, paths other than the usual ones, the tarball."""
import os
import re
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
