# SPDX-License-Identifier: GPL-2.0-or-later
"""When a program was made is part of it: given by who builds a package, else the last commit's date; never the day of the build."""
import os
import re
import subprocess

from lib import ng


def built(tmp_path, **environment):
    """The date that deliver.c would be compiled with."""
    env = {n: v for n, v in os.environ.items() if n != "SOURCE_DATE_EPOCH" and not n.startswith("MAKE") and n != "O"}
    said = subprocess.run(["make", "-n", "V=1", f"O={tmp_path}/o", f"{tmp_path}/o/obj/forwarder/deliver.o"], cwd=ng.TOP,
                          env={**env, **environment}, capture_output=True, text=True, check=True).stdout
    return int(re.search(r"-DBUILD_EPOCH=(\d+)", said)[1])


def test_build_date(tmp_path):
    assert built(tmp_path, SOURCE_DATE_EPOCH="1234567890") == 1234567890
    commits = subprocess.run(["git", "log", "-3", "--format=%ct"], cwd=ng.TOP, capture_output=True, text=True, check=False).stdout
    now = built(tmp_path)
    # One may have been made since.
    changes = int((ng.TOP / "docs/CHANGES.md").stat().st_mtime)
    more = subprocess.run(["git", "log", "-3", "--format=%ct"], cwd=ng.TOP, capture_output=True, text=True, check=False).stdout
    assert now in (list(map(int, (commits + more).split())) or [changes])
