# SPDX-License-Identifier: GPL-2.0-or-later
"""Sizes of the sensor on other machines, built as OpenWrt's package is.  (Of this one: tests/test_sizes.py.)"""
import os
import subprocess

import pytest
import sysroot

from lib import ng, sizes


@pytest.mark.parametrize("arch", ["i386", "mipsel", "s390x"])
def test_sizes(tmp_path, arch, say):
    machine = sysroot.MACHINES[arch]
    variables = {**sysroot.make_vars(arch), "CFLAGS": sizes.CFLAGS.get(arch, "-Os"), "AR": f"{machine.compiler}-gcc-ar"}
    arguments = [f"{name}={value}" for name, value in variables.items() if name != "LTO"]
    environment = {k: v for k, v in os.environ.items() if not k.startswith("MAKE") and k not in ("MFLAGS", "O")}
    done = subprocess.run(["make", "-s", "-j2", "-C", ng.TOP, f"O={tmp_path}", *arguments, *sizes.MAKE, sizes.QUICK[0], "sensor"],
                          env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    lines, faults = sizes.table(tmp_path, arch, f"{machine.compiler}-strip")
    for line in lines:
        say(line)
    said = subprocess.run([*sysroot.runner(arch), tmp_path / "net-gazer", "--version"], capture_output=True, text=True, check=False)
    assert said.stdout.startswith("net-gazer "), said
    assert not faults
