# SPDX-License-Identifier: GPL-2.0-or-later
"""Unit tests under musl; the sensor on a big-endian machine with a kernel of its own.  Under musl and as a 32-bit program it is at
work in tests/test_portable_live.py, and longer in tests/soak/soak_portable.py."""
import base64
import collections
import contextlib
import datetime
import io
import json
import pathlib
import re
import shutil
import subprocess
import tarfile
import time

import live
import sysroot
import vm
from lib import ng, report

HERE = pathlib.Path(__file__).resolve().parent
PHASE_S = 2400

# Unit tests whose libraries musl's loader has not (curl, gnutls, sqlite and the like: nothing of them is the sensor's own).
NOT_FOR_MUSL = ("collector_", "geo_", "url")


def test_units_under_musl(say):
    """Built with musl-gcc, without sanitizers."""
    with live.folder_for_everybody("musl") as folder:
        names = sorted(p.stem for p in (ng.TOP / "tests/unit").glob("*.c") if not p.stem.startswith(NOT_FOR_MUSL))
        live.make(folder, live.musl_arguments(folder), [f"unit/{n}" for n in names])
        failed = {}
        for name in names:
            done = subprocess.run([folder / "unit" / name], cwd=ng.TOP, capture_output=True, text=True, errors="replace", timeout=300,
                                  check=False)
            if done.returncode:
                failed[name] = done.stdout[-2000:] + done.stderr[-2000:]
        assert not failed, "\n".join(f"{name}:\n{said}" for name, said in failed.items())
        say(f"musl     {len(names)} unit test programs")


# s390x: Debian's kernel in qemu, a memory disk with busybox, ip, nft and our programs.

PACKAGES = ("libc6-dev", "libgcc-12-dev", "libmnl-dev", "libnetfilter-log-dev", "libnftnl-dev", "libyajl-dev", "libconfuse-dev",
            "libseccomp-dev", "nftables", "iproute2", "busybox-static", "linux-image-s390x")
MODULES = ("crc32c_generic", "nf_tables", "nft_log", "nfnetlink_log", "nft_limit", "nft_objref", "nft_ct", "nft_masq", "nft_nat",
           "nft_chain_nat", "veth", "nf_conntrack_netlink")
BOOT_S = 600


def library_of(root, triplet, name):
    return next(p for folder in ("lib", "usr/lib") if (p := root / folder / triplet / name).exists())


def needed(path):
    return re.findall(r"\(NEEDED\).*\[(.+)\]", vm.run("readelf", "-d", path))


def memory_disk(to, root, build):
    """A cpio file of what the machine has.  `root`: the sysroot."""
    machine = sysroot.MACHINES["s390x"]
    tree = to.parent / "tree"
    version = next((root / "lib/modules").iterdir()).name
    for name in ("bin", "sbin", "ng/plugins", "etc", f"lib/{machine.triplet}", f"lib/modules/{version}"):
        (tree / name).mkdir(parents=True)
    shutil.copy(root / "bin/busybox", tree / "bin")
    programs = [shutil.copy(root / name, tree / "sbin") for name in ("usr/sbin/nft", "bin/ip")]
    programs += [shutil.copy(build / name, tree / "ng") for name in live.PROGRAMS]
    programs += [shutil.copy(build / f"plugins/{name}.so", tree / "ng/plugins") for name in live.PLUGINS]
    vm.run(f"{machine.compiler}-gcc", f"--sysroot={root}", "-std=gnu11", "-D_GNU_SOURCE", "-O2", "-Wall", "-Wextra", "-Werror", "-o",
           tree / "ng/live-peer", HERE / "live-peer.c")
    shutil.copy(ng.TOP / "nft/net-gazer.nft", tree / "ng")
    shutil.copy(HERE / "live-guest.sh", tree / "init")
    (tree / "init").chmod(0o755)
    todo, seen = [*programs, tree / "ng/live-peer"], set()
    while todo:
        for name in set(needed(todo.pop())) - seen:
            seen.add(name)
            where = tree / ("lib" if name.startswith("ld64") else f"lib/{machine.triplet}") / name
            source = root / "lib" / name if name.startswith("ld64") else library_of(root, machine.triplet, name)
            todo.append(shutil.copy(source, where))
    shutil.copy(root / "lib/ld64.so.1", tree / "lib")
    vm.run("depmod", "-b", root, version)
    for module in MODULES:
        for line in vm.run("modprobe", "-d", root, "-S", version, "--show-depends", module).splitlines():
            if line.startswith("insmod "):
                source = pathlib.Path(line.split()[1])
                where = tree / source.relative_to(root)
                where.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(source, where)
    for name in ("modules.builtin", "modules.order", "modules.builtin.modinfo"):
        shutil.copy(root / f"lib/modules/{version}/{name}", tree / f"lib/modules/{version}")
    vm.run("depmod", "-b", tree, version)
    (tree / "etc/modules").write_text("\n".join(MODULES) + "\n", encoding="ascii")
    vm.run("sh", "-c", f"cd {tree} && find . | cpio -o -H newc --quiet | gzip -1 >{to}")
    return root / f"boot/vmlinuz-{version}"


def boot(kernel, disk, console):
    """What it wrote, line by line."""
    machine = subprocess.Popen(
        ["qemu-system-s390x", "-M", "s390-ccw-virtio", "-accel", "tcg", "-m", "512", "-display", "none", "-monitor", "none", "-serial",
         f"file:{console}", "-no-reboot", "-nic", "none", "-kernel", str(kernel), "-initrd", str(disk), "-append",
         "console=ttysclp0 quiet panic=-1"], stdin=subprocess.DEVNULL)
    try:
        with contextlib.suppress(subprocess.TimeoutExpired):
            machine.wait(BOOT_S)
    finally:
        machine.kill()
        machine.wait()
    return console.read_text(encoding="utf-8", errors="replace").replace("\r", "").splitlines()


def sent_home(lines):
    """{name: text} of the files that came between BEGIN and END."""
    packed = base64.b64decode("".join(lines[lines.index("BEGIN") + 1:lines.index("END")]))
    with tarfile.open(fileobj=io.BytesIO(packed)) as tar:
        return {m.name.removeprefix("./"): tar.extractfile(m).read().decode() for m in tar if m.isfile()}


LAN4, LAN6, LET_IN4, LET_IN6 = "10.77.1.2", "fd00:77:1::2", "198.51.100.1", "fd00:77:1::2"
FAR4, FAR6, WAN4, WAN6, RTR4, RTR6 = "20.0.0.1", "2a01:4f8:2::1", "198.51.100.2", "2001:db8:2::2", "10.77.1.1", "fd00:77:1::1"
STATES = {"ok": "answered", "refused": "refused", "timeout": "timeout"}


def wanted(done):
    """live.Wanted of what the peers in the machine wrote down."""
    want = live.Wanted()
    want.paths = {FAR4: (WAN4, FAR4), FAR6: (WAN6, FAR6)}
    for line in done.splitlines():
        src, sport, dst, dport, came, syns = line.split()
        if src in (LAN4, LAN6):
            seen = live.Seen(src, dst, int(dport), "outbound", STATES[came], "forward", "lan0", "wan0")
        elif came == "ok":
            seen = live.Seen(src, LAN6 if ":" in dst else LAN4, 22, "inbound", "answered", "forward", "wan0", "lan0")
            want.knocks[src, "accepted"] += int(syns)
        else:
            want.knocks[src, "dropped"] += int(syns)
            continue
        want.conns[seen] += 1
        want.flows.add((src, int(sport)))
    return want


def check_traces(text, before):
    """Of `net-gazerctl trace`: three methods, two families, the same routers."""
    found = [json.loads(line) for line in text.splitlines()]
    assert collections.Counter((t["method"], t["dst_ip"]) for t in found) == {
        (m, dst): 1 for m in ("tcp-syn", "udp", "icmp") for dst in (FAR4, FAR6)}
    for t in found:
        way = before[":" in t["dst_ip"]]
        assert t["reached"] and [h.get("ip") for h in t["hops"]] == [*way, t["dst_ip"]], t
        assert all(0 < rtt < 10_000_000 for h in t["hops"] for rtt in h["rtt_us"]), t


def test_s390x(tmp_path, say):
    """Big-endian, 64 bits: rules of our own and the administrator's, handshakes, knocks, paths by hand and by themselves, in a
    machine; each report held against what was done there."""
    started = time.monotonic()
    root, build = sysroot.sysroot("s390x", PACKAGES), tmp_path / "build"
    live.make(build, sysroot.make_arguments("s390x", build, root))
    kernel = memory_disk(tmp_path / "disk", root, build)
    built = time.monotonic()
    lines = boot(kernel, tmp_path / "disk", tmp_path / "console")
    assert "END" in lines, "the machine did not get to its end:\n" + "\n".join(lines[-60:])
    files, checks = sent_home(lines), [line for line in lines if line.startswith(("ok ", "FAIL "))]
    failed = [line for line in checks if line.startswith("FAIL ")]
    assert "RESULT=PASS" in lines and not failed and len(checks) > 70, (
        len(checks), failed, files.get("own/log"), files.get("include/log"))
    check_traces(files["trace-lan"], ([RTR4, WAN4], [RTR6, WAN6]))
    check_traces(files["trace-rtr"], ([WAN4], [WAN6]))
    for phase in ("own", "include"):
        found = report.numbered(report.reports(files[f"{phase}/reports"]))
        want = wanted(files[f"{phase}/done"])
        want.judge(f"s390x, rules {phase}", found, files[f"{phase}/log"])
        status = json.loads(files[f"{phase}/status"])
        assert (status["rules"], status["rules_gone"]) == (phase, False)
        for p in status["processes"]:
            if p["name"] == "analyzer":
                assert p["sandbox"]["seccomp"] and p["sandbox"]["no_caps"] and p["sandbox"]["no_new_privs"], p
        # Its clock is ours: the kernel's stamps were read the right way round.
        assert all(abs(datetime.datetime.fromisoformat(r["ts"]).timestamp() - time.time()) < 3600 for r in found)
        say(f"s390x, rules {phase}: {want.conns.total()} connections, {want.knocks.total()} knocks, {len(want.paths)} paths: as done")
    weighed = [dict(zip(("phase", "when", "name", "kib"), row.split())) for row in files["pss"].splitlines()]
    for (phase, when), rows in report.by(weighed, "phase", "when").items():
        say(f"s390x, rules {phase}, {when}: {sum(int(r['kib']) for r in rows)} KiB PSS: "
            + ", ".join(f"{r['name']} {r['kib']}" for r in rows))
    say(f"s390x: {len(checks)} checks in the machine; built in {built - started:.1f} s, ran {time.monotonic() - built:.1f} s")
