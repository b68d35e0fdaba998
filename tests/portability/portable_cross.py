# SPDX-License-Identifier: GPL-2.0-or-later
"""The tree built for other machines and by another compiler, each with warnings as errors, and its tests run there: s390x (64 bits,
big-endian), mipsel (32 bits, a time_t of 32) and mips (32 bits, big-endian) under qemu-user, i386 by this kernel.  What asks the
kernel for more than qemu-user passes on runs on a kernel of s390x (KERNEL)."""
import contextlib
import json
import os
import pathlib
import re
import shutil
import subprocess
import tempfile
import time

import portable_live
import pytest
import sysroot
import vm
from lib import ng, report

HERE = pathlib.Path(__file__).resolve().parent
PHASE_S = 2400
UNITS = sorted(p.stem for p in (ng.TOP / "tests/unit").glob("*.c"))
# Units of seccomp, Landlock, ptrace, filters of raw sockets and netlink's table: there is none of these under qemu-user.
KERNEL = ("forwarder_sandbox", "prober_sandbox", "rawsock", "sensor_holder", "sensor_sandbox")
# These link no library; others that do not are found by linking them.
NO_LIBRARY = {"addr", "attempts", "flow", "frame", "handshake", "hash", "log", "loop", "packet", "prober_engine", "prober_wire", "report",
              "spool", "traceroute"}
# What a link says when a library is not there.
MISSING = re.compile(r"fatal error: \S+: No such file|cannot find -l|undefined reference to `(mnl|cfg|seccomp|yajl|sqlite3|nftnl|ZSTD)_")
SHELL = ("busybox-static",)


def make(*arguments, check=True):
    environment = {k: v for k, v in os.environ.items() if not k.startswith("MAKE") and k not in ("MFLAGS", "CI", "O")}
    done = subprocess.run(["make", "-s", "-C", str(ng.TOP), f"-j{os.cpu_count()}", *(str(a) for a in arguments)], capture_output=True,
                          text=True, check=False, env=environment)
    assert not check or done.returncode == 0, done.stdout[-2000:] + done.stderr[-8000:]
    return done


@contextlib.contextmanager
def timed(what):
    start = time.monotonic()
    yield
    print(f"{what}: {time.monotonic() - start:.0f} s")


def run_units(say, arch, programs, before, **environment):
    """{name: what it said} of those that fail; `before`: what runs them."""
    failed, passed = {}, 0
    for program in programs:
        try:
            done = subprocess.run([*before, str(program)], cwd=ng.TOP, capture_output=True, text=True, errors="replace", check=False,
                                  timeout=900, env={**os.environ, **environment})
        except subprocess.TimeoutExpired:
            failed[program.name] = "hung"
            continue
        said = done.stdout + done.stderr
        if (n := all_passed(said)) and done.returncode == 0:
            passed += n
        else:
            failed[program.name] = f"ended with {done.returncode}\n{said[-3000:]}"
    say(f"{arch:8} {len(programs)} unit test programs, {passed} tests")
    return failed


def all_passed(said):
    """The number of tests that a unit said to have run, if each passed; 0."""
    ran = sum(int(n) for n in re.findall(r"\[==========\].*?(\d+) test\(s\) run", said))
    return ran if ran == sum(int(n) for n in re.findall(r"\[  PASSED  \] (\d+) test\(s\)", said)) else 0


def complain(failed):
    assert not failed, "\n".join(f"== {name}: {said}" for name, said in failed.items())


# Builds, each made once.

@pytest.fixture(scope="module", name="built")
def builds(tmp_path_factory):
    """An architecture to its build folder, which has the sensor, replay, plugins and unit tests."""
    made = {}

    def build(arch):
        if arch not in made:
            folder = tmp_path_factory.mktemp(arch)
            root = sysroot.sysroot(arch)
            with timed(f"{arch}: build"):
                make(*sysroot.make_arguments(arch, folder, root), "WITH_REPLAY=yes", "sensor", "units")
            assert {p.name for p in (folder / "unit").iterdir() if p.suffix != ".d"} == set(UNITS)
            made[arch] = folder
        return made[arch]
    return build


@pytest.mark.parametrize("arch", ["s390x", "mipsel", "i386"])
def test_units(arch, built, say):
    """All of them, but those that need a kernel of that machine."""
    folder = built(arch)
    names = UNITS if arch == "i386" else [n for n in UNITS if n not in KERNEL]
    before = sysroot.runner(arch)
    if arch == "i386":
        # A filter for i386 lets no program of another machine run: the shell must be one of i386 too.
        shell = sysroot.sysroot("i386", SHELL) / "bin/busybox"
        before = ["unshare", "-m", "sh", "-ec", 'mount --bind "$0" "$(readlink -f /bin/sh)"; exec "$@"', str(shell), *before]
    with timed(f"{arch}: units"):
        # Plugins are compiled by one of them.
        complain(run_units(say, arch, [folder / "unit" / n for n in names], before, CC=sysroot.make_vars(arch)["CC"]))


@contextlib.contextmanager
def reachable(root, programs):
    """A folder with the sysroot and the programs where workers, who are nobody, find them: the tree, and pytest's folders, are
    root's."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix="nobody-"))
    folder.chmod(0o755)
    (folder / "root").mkdir()
    for program in programs:
        shutil.copy(program, folder)
    vm.run("mount", "--bind", root, folder / "root")
    try:
        yield folder
    finally:
        vm.run("umount", folder / "root")
        shutil.rmtree(folder)


@pytest.mark.parametrize("arch", ["s390x", "mipsel", "i386"])
def test_replay(arch, built, tmp_path):
    """Captures of tests/replay give the reports that they give at home, byte order and all."""
    programs = [built(arch) / name for name in ("net-gazer", "analyzer", "forwarder", "prober", "replay")]
    with reachable(sysroot.sysroot(arch), programs) as theirs:
        replay(arch, built(arch) / "plugins", theirs, tmp_path)


def replay(arch, plugins, theirs, tmp_path):
    folder, before = tmp_path / "programs", sysroot.runner(arch, theirs / "root")
    folder.mkdir()
    shutil.copytree(plugins, folder / "plugins")
    # The kernel starts them through descriptors, as what they are: programs of this machine that start the other one's.
    for name in ("analyzer", "forwarder", "prober", "replay"):
        words = ", ".join(json.dumps(w) for w in [*before, str(theirs / name)])
        (tmp_path / "start.c").write_text(
            "#include <string.h>\n#include <unistd.h>\nint\nmain(int argc, char **argv)\n{\n"
            f"\tchar *words[{len(before) + 20}] = {{ {words} }};\n\tif (argc < 19)\n"
            f"\t\tmemcpy(words + {len(before) + 1}, argv + 1, argc * sizeof *argv);\n\treturn execvp(words[0], words);\n}}\n",
            encoding="ascii")
        vm.run("cc", "-O1", "-o", folder / name, tmp_path / "start.c")
    cases = sorted(p for p in (ng.TOP / "tests/replay").iterdir() if p.suffix in (".pcap", ".pcapng"))
    assert len(cases) > 10
    with timed(f"{arch}: {len(cases)} captures"):
        for path in cases:
            done = subprocess.run([*before, theirs / "net-gazer", "-c", "/dev/null", "--user", "nobody", "--libexec-dir", folder,
                                   "--plugin-dir", folder / "plugins", "-r", path], capture_output=True, text=True, check=False, timeout=300)
            assert done.returncode == 0, (path.name, done.stderr)
            vary = ("sensor", "boot", "seq", "up_us", "version")
            got = [{n: v for n, v in r.items() if n not in vary} for r in report.numbered(report.reports(done.stdout))]
            want = [json.loads(line) for line in path.with_suffix(".ndjson").read_text(encoding="ascii").splitlines()]
            assert got == want, path.name


@pytest.mark.parametrize("arch", ["s390x", "i386"])
def test_collector(arch, tmp_path):
    """It and geo build, with the page that was made at home; they answer."""
    page = ng.BUILD / "ui"
    assert (page / "dist/.stamp").exists(), "the page is not built"
    vm.run("cp", "-a", page, tmp_path / "ui")
    with timed(f"{arch}: collector"):
        make(*sysroot.make_arguments(arch, tmp_path), tmp_path / "net-gazer-collector", tmp_path / "geo")
    done = subprocess.run([*sysroot.runner(arch), tmp_path / "net-gazer-collector", "--help"], capture_output=True, text=True, check=False,
                          timeout=60)
    assert done.returncode == 0 and "--database" in done.stdout, done.stderr


def test_mips(tmp_path, say):
    """32 bits and big-endian.  Debian has the C library alone: every unit that links without any other."""
    shim = tmp_path / "shim"
    shim.mkdir()
    (shim / "libcmocka.a").write_bytes(b"!<arch>\n")  # empty: all is in the header
    arguments = [f"O={tmp_path}", "AR=mips-linux-gnu-ar", "WERROR=1", "CFLAGS=-O1 -g", "LTO=", "SAN=no", "WITH_ZSTD=yes", "PKG_CONFIG=false",
                 f"CC=mips-linux-gnu-gcc -static -ffunction-sections -Wl,--gc-sections -isystem {HERE / 'cmocka'} -L{shim}"]
    with timed("mips: build"):
        errors = make("-k", "--output-sync=target", *arguments, "units", check=False).stderr
        built = {p.name for p in tmp_path.glob("unit/*") if p.suffix != ".d"}
    # Behind what a compiler said of it stands the name of each file that was not made: a unit, or an object that units want.
    for said, name in re.findall(r"(.*?)^make\S*: \*\*\* \[\S+ (\S+)\] Error", errors, re.M | re.S):
        assert MISSING.search(said), f"{name} is not made, and not for want of a library:\n{said[-3000:]}"
    assert built >= NO_LIBRARY, NO_LIBRARY - built
    with timed("mips: units"):
        complain(run_units(say, "mips", [tmp_path / "unit" / n for n in sorted(built - set(KERNEL))],
                           sysroot.runner("mips", pathlib.Path("/"))))


def test_kernel_of_s390x(built, tmp_path):
    """The units of KERNEL, as root on a Debian kernel of that machine."""
    libraries, triplet = sysroot.sysroot("s390x"), sysroot.MACHINES["s390x"].triplet
    root = sysroot.sysroot("s390x", portable_live.PACKAGES)
    version = next((root / "lib/modules").iterdir()).name
    tree = tmp_path / "tree"
    for name in ("bin", "unit", "modules", "lib", f"lib/{triplet}"):
        (tree / name).mkdir(parents=True)
    shutil.copy(root / "bin/busybox", tree / "bin")
    todo, seen = [shutil.copy(built("s390x") / "unit" / name, tree / "unit") for name in KERNEL], set()
    while todo:
        for name in set(portable_live.needed(todo.pop())) - seen:
            seen.add(name)
            if not name.startswith("ld64"):
                todo.append(shutil.copy(portable_live.library_of(libraries, triplet, name), tree / "lib" / triplet))
    shutil.copy(libraries / "lib/ld64.so.1", tree / "lib")
    vm.run("depmod", "-b", root, version)
    modules = [pathlib.Path(line.split()[1]) for line in
               vm.run("modprobe", "-d", root, "-S", version, "--show-depends", "nfnetlink_log").splitlines() if line.startswith("insmod ")]
    for module in modules:
        shutil.copy(module, tree / "modules")
    (tree / "init").write_text("\n".join([
        "#!/bin/busybox sh", "/bin/busybox mkdir -p /proc /sys /dev /tmp /etc", "/bin/busybox mount -t proc proc /proc",
        "/bin/busybox mount -t sysfs sys /sys", "/bin/busybox mount -t devtmpfs dev /dev", "/bin/busybox mount -t tmpfs tmp /tmp",
        "/bin/busybox --install -s /bin", "export PATH=/bin", *(f"insmod /modules/{m.name}" for m in modules), "ip link set lo up",
        *(f"echo BEGIN {name}; /unit/{name} </dev/null 2>&1; echo END {name} $?" for name in KERNEL), "poweroff -f"]) + "\n",
        encoding="ascii")
    (tree / "init").chmod(0o755)
    with timed("s390x: units on a kernel"):
        vm.run("sh", "-c", f"cd {tree} && find . | cpio -o -H newc --quiet | gzip -1 >{tmp_path}/disk")
        lines = portable_live.boot(root / f"boot/vmlinuz-{version}", tmp_path / "disk", tmp_path / "console")
    failed = {}
    for name in KERNEL:
        said = re.search(rf"^BEGIN {name}$(.*)^END {name} (\d+)$", "\n".join(lines), re.M | re.S)
        if not said or said[2] != "0" or not all_passed(said[1]):
            failed[name] = said[1] if said else "\n".join(lines[-40:])
    complain(failed)


def test_clang(tmp_path, say):
    """Everything but the page, on this machine; the units under clang's sanitizers."""
    vm.run("cp", "-a", ng.BUILD / "ui", tmp_path / "ui")
    with timed("clang: build"):
        make(f"O={tmp_path}", "CC=clang", "WERROR=1", "CFLAGS=-O1 -g", "all", "units")
    with timed("clang: units"):
        complain(run_units(say, "clang", [tmp_path / "unit" / n for n in UNITS], [], CC="clang"))
