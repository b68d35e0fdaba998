# SPDX-License-Identifier: GPL-2.0-or-later
"""The Debian packages: what is in them, what lintian says, their own tests, and a machine on which they are installed, used,
upgraded and purged."""
import os
import pathlib
import re
import shutil
import subprocess
import threading

import pytest
import vm

from lib import debian, ng

HERE = pathlib.Path(__file__).parent
PHASE_S = 2400
SCRIPTS = ("offload", "systemd", "document")


def version():
    return re.search(r"^VERSION\s*:= (\S+)", (ng.TOP / "Makefile").read_text(encoding="utf-8"), re.M)[1]


def installed(debs):
    """What an administrator installs: net-gazer, net-gazer-collector."""
    return [debs / f"{name}_{version()}_amd64.deb" for name in ("net-gazer", "net-gazer-collector")]


@pytest.fixture(scope="module", name="debs")
def built(tmp_path_factory):
    """By the command of docs/DEBIAN.md, with another folder to build in."""
    folder = tmp_path_factory.mktemp("deb")
    environment = {k: v for k, v in os.environ.items() if not k.startswith("MAKE") and k not in ("MFLAGS", "CI", "O")}
    commands = [c.text for c in debian.commands() if c.where == "build"]
    assert commands == ["make deb"]
    vm.run(*commands[0].split(), "-s", f"O={folder}", cwd=ng.TOP, env={**environment, "DEB_BUILD_OPTIONS": "nocheck"})
    return folder / "deb"


def older(deb, folder):
    """The same as a package of a version before, with another configuration."""
    parts = folder / f"{deb.stem}.parts"
    vm.run("dpkg-deb", "-R", deb, parts)
    control = parts / "DEBIAN/control"
    control.write_text(re.sub(r"^Version: .*$", r"\g<0>~before", control.read_text(encoding="utf-8"), flags=re.M), encoding="utf-8")
    for conf in (parts / "etc/net-gazer").iterdir():
        with conf.open("a", encoding="ascii") as f:
            f.write("\n# A sentence of the version before.\n")
    vm.run("dpkg-deb", "--root-owner-group", "-b", parts, folder)
    shutil.rmtree(parts)
    return folder / deb.name.replace("_amd64", "~before_amd64")


# What is looked at behind a command of the document.
BEHIND = {
    "curl -s --cacert": ["soon reported_as gateway-1"],
    "sudo apt-get remove": ["not rules", "ls /etc/net-gazer/net-gazer.conf", "firewall"],
    "sudo rm -rf": ["nothing_left"],
}


def document():
    """A script that gives each command of docs/DEBIAN.md in its order; how many verdicts it has."""
    script, checks = ["#!/bin/bash", ". /root/vm-lib.sh", ". /root/vm-document.sh"], 0
    for n, command in enumerate(c for c in debian.commands() if c.where != "build"):
        name = f"{n + 1:02} {command.text.splitlines()[0]}".replace("'", '"').replace(" | ", " ")
        script += [f"cat >/root/command <<'END-OF-COMMAND'\n{command.text}\nEND-OF-COMMAND",
                   f"check '{name}' {'desk' if command.where == 'desk' else 'admin'}"]
        for behind in (c for begin, cs in BEHIND.items() if command.text.startswith(begin) for c in cs):
            script.append(f"check '{n + 1:02} {behind}' {behind}")
            checks += 1
        checks += 1
    assert checks == n + 1 + sum(map(len, BEHIND.values()))
    return "\n".join([*script, ""]), checks


class Machine(threading.Thread):
    """Boots beside the tests that need no machine."""
    def __init__(self, root):
        super().__init__()
        self.root, self.lines, self.failed = root, [], None

    def run(self):
        try:
            self.lines = self.root.boot(SCRIPTS)
        except Exception as e:  # pylint: disable=broad-exception-caught  # for the test that waits
            self.failed = e


@pytest.fixture(scope="module", name="machine")
def debian_machine(debs, tmp_path_factory):
    """What the scripts said: one machine for all of them, as each boot takes a minute."""
    folder = tmp_path_factory.mktemp("vm")
    root = vm.Root(folder / "root", vm.base(installed(debs)))
    root.install([older(deb, folder) for deb in installed(debs)])
    for deb in installed(debs):
        root.put(deb, f"/home/admin/{deb.name}")
    for name in ("vm-lib.sh", "vm-document.sh"):
        root.put(HERE / name, f"/root/{name}")
    for name in ("offload", "systemd"):
        root.put(HERE / f"vm-{name}.sh", f"/root/{name}", 0o755)
    root.write(document()[0], "/root/document", 0o755)
    root.put(ng.TOP / "etc/debian/tests/handshake", "/root/handshake", 0o755)
    machine = Machine(root)
    machine.start()
    yield machine
    machine.root.stop()
    machine.join()
    shutil.rmtree(folder)


def said(machine, script, least, say):
    """The verdicts of one script, all of which must be good."""
    machine.join()
    assert not machine.failed, machine.failed
    lines = machine.lines
    found = vm.verdicts(lines).get(script, {})
    own = lines[next((n for n, line in enumerate(lines) if line.startswith(f"begin {script} ")), 0):]
    own = own[:next((n + 1 for n, line in enumerate(own) if line.startswith(f"end {script} ")), len(own))]
    print("\n".join(own))
    assert "end" in found, f"{script} did not get to its end:\n" + "\n".join(own[-60:])
    assert all(ok for ok, _ in found.values()), {name: why for name, (ok, why) in found.items() if not ok}
    assert len(found) >= least
    say(f"Debian in qemu, {script}: {len(found) - 1} verdicts, all good")
    return found


def test_contents(debs, machine):
    """Versions agree; the collector is no part of the sensor's package; the configuration is what the package promises."""
    assert machine.is_alive() or machine.lines
    names = {d.name.split("_")[0]: d for d in debs.glob("*.deb")}
    assert set(names) >= {"net-gazer", "net-gazer-collector", "net-gazer-plugin-dev"}
    for deb in names.values():
        assert vm.run("dpkg-deb", "-f", deb, "Version").strip() == version()
    files = vm.run("dpkg-deb", "-c", names["net-gazer"])
    assert "net-gazer-collector" not in files and "/usr/libexec/net-gazer/forwarder" in files
    unpacked = debs / "unpacked"
    vm.run("dpkg-deb", "-x", names["net-gazer"], unpacked)
    text = (unpacked / "etc/net-gazer/net-gazer.conf").read_text(encoding="ascii")
    assert "\nrules = own\n" in text and '\ncollector-url = "http://127.0.0.1:8080/"' in text and "/usr/local" not in text
    # The parent finds its programs and plugins where the package puts them.
    done = subprocess.run([unpacked / "usr/sbin/net-gazer", "--help"], capture_output=True, text=True, check=False)
    assert done.returncode == 0 and "/usr/lib/net-gazer/plugins" in done.stdout


def test_lintian(debs, tmp_path):
    """No error, no warning."""
    done = subprocess.run(["lintian", "--allow-root", "--fail-on", "error,warning", *debs.glob("*.changes")], capture_output=True,
                          text=True, check=False, env={**os.environ, "TMPDIR": str(tmp_path)})  # it leaves files there
    assert done.returncode == 0, done.stdout + done.stderr


def test_autopkgtest(debs, tmp_path):
    """The tests that the source package brings, as Debian would run them; the one that needs a machine of its own runs in ours."""
    control = (ng.TOP / "etc/debian/tests/control").read_text(encoding="ascii")
    tests = {re.search(r"^Tests: (.*)$", part, re.M)[1]: "isolation-machine" in part for part in control.split("\n\n")}
    assert tests["handshake"] and sum(tests.values()) == 1, "who runs the others that need a machine?"
    packages = [d for d in debs.glob("net-gazer*.deb") if "dbgsym" not in d.name]
    root = vm.Root(tmp_path / "root", vm.base(packages, ("apt-utils", "gcc", "libc6-dev")))
    source = tmp_path / "source"
    shutil.copytree(debs / f"net-gazer-{version()}/debian", source / "debian", ignore=shutil.ignore_patterns("tmp", "net-gazer*"))
    results = tmp_path / "results"
    done = subprocess.run(root.with_devices("autopkgtest", "--no-built-binaries", f"--output-dir={results}", *packages, f"{source}/", "--", "chroot",
                                            root.path), capture_output=True, text=True, check=False,
                          env={**os.environ, "TMPDIR": "/tmp"})  # of the chroot too
    summary = (results / "summary").read_text(encoding="utf-8") if (results / "summary").exists() else ""
    print(summary)
    got = dict(re.findall(r"^(\S+)\s+(PASS|FAIL|SKIP)", summary, re.M))
    assert got == {name: "SKIP" if alone else "PASS" for name, alone in tests.items()}, summary + done.stdout[-4000:] + done.stderr[-6000:]
    shutil.rmtree(root.path)


def test_offload(machine, say):
    """With a flow table the kernel's counters go blind, and every handshake is reported; beside nft's queue too."""
    said(machine, "offload", 14, say)


def test_systemd(machine, say):
    """systemd as pid 1: cages, the table of docs/DEBIAN.md, upgrade, remove, purge."""
    found = said(machine, "systemd", 100, say)
    columns = ("own", "helper", "line")
    rows = debian.rows()
    assert len(rows) == 9 and {f"{c} / {r}" for c in columns for r in rows} == {name for name in found if " / " in name}


def test_document(machine, say):
    """Each command of docs/DEBIAN.md, in its order, by a user who may use sudo, on a machine that has what the packages need but
    not the packages."""
    _, checks = document()
    assert checks > 40
    said(machine, "document", checks + 1, say)
