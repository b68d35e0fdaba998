# SPDX-License-Identifier: GPL-2.0-or-later
"""What a router's flash holds: sizes of the sensor's programs and plugins, stripped, as a table, and what is too large."""
import pathlib
import re
import subprocess
import tempfile

from lib import ng

# Promise 5 of the design, and issue 6.
SENSOR_MAX = 300_000
PLUGIN_MAX = 25_000
# As OpenWrt's package is built; `arch` chooses what its compiler is given beside.
MAKE = ("SMALL=yes", "WITH_REPLAY=no", "WITH_ZSTD=no", "PREFIX=/usr")
# The same programs in half of the time: objects that only the linker's compiler can read.
QUICK = ("LTO=-flto=auto -fno-fat-lto-objects", "AR=gcc-ar")
CFLAGS = {"mipsel": "-Os -mips16 -minterlink-mips16"}


def installed():
    """What the package net-gazer contains of the build folder: the sensor without libcurl."""
    text = (ng.TOP / "openwrt/net-gazer/Makefile").read_text(encoding="utf-8")
    recipe = re.search(r"^define Package/net-gazer/install\n(.*?)^endef", text, re.M | re.S)[1]
    found = re.findall(r"\$\(PKG_BUILD_DIR\)/build/(\S+)", recipe)
    assert {"net-gazer", "analyzer", "plugins/handshake.so", "plugins/attempts.so"} <= set(found)
    return found


def stripped(path, strip):
    with tempfile.TemporaryDirectory(prefix="ng-sizes-") as folder:
        out = pathlib.Path(folder) / "stripped"
        subprocess.run([strip, "-o", out, path], check=True)
        return out.stat().st_size


def table(folder, arch, strip="strip"):
    """(lines, faults) of a sensor that was built into `folder` for the machine `arch`."""
    sensor = installed()
    others = [p for p in ("prober", "trace", "forwarder") if p not in sensor]
    plugins = sorted(f"plugins/{p.stem}.so" for p in (ng.TOP / "plugins").glob("*.c"))
    size = {name: stripped(folder / name, strip) for name in [*sensor, *others, *plugins]}
    total = sum(size[name] for name in sensor)
    why = {"net-gazer": "net-gazerctl is a link to it", "prober": "with traceroute.so", "trace": "with the prober", "forwarder": "with libcurl"}
    lines = [f"{arch:8} {name:24} {size[name]:7}  {why.get(name, '')}".rstrip() for name in sensor]
    lines.append(f"{arch:8} {'= the sensor':24} {total:7}  of {SENSOR_MAX} at most")
    lines += [f"{arch:8} {name:24} {size[name]:7}  {why.get(name, '')}".rstrip() for name in others]
    lines += [f"{arch:8} {name:24} {size[name]:7}" for name in plugins if name not in sensor]
    lines.append(f"{arch:8} {'= the largest plugin':24} {max(size[p] for p in plugins):7}  of {PLUGIN_MAX} at most")
    faults = [f"{arch}: {name} has {size[name]} bytes, {PLUGIN_MAX} at most" for name in plugins if size[name] > PLUGIN_MAX]
    if total > SENSOR_MAX:
        faults.append(f"{arch}: the sensor has {total} bytes, {SENSOR_MAX} at most")
    return lines, faults
