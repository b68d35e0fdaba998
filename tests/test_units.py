# SPDX-License-Identifier: GPL-2.0-or-later
"""Each cmocka program of tests/unit, run under ASan and UBSan."""
import os
import re
import subprocess

import pytest

from lib import ng

NAMES = sorted(p.stem for p in (ng.TOP / "tests/unit").glob("*.c"))


def test_there_are_units():
    assert NAMES


@pytest.mark.parametrize("name", NAMES)
def test_unit(name, tmp_path):
    """Runs with nothing else but a folder of its own; prints how many tests it holds."""
    done = subprocess.run([ng.program(f"unit/{name}")], cwd=ng.TOP, capture_output=True, text=True, errors="replace",
                          timeout=300, check=False, env={**os.environ, "TMPDIR": str(tmp_path)})
    said = done.stdout + done.stderr
    ran = sum(int(n) for n in re.findall(r"\[==========\].*?(\d+) test\(s\) run", said))
    passed = sum(int(n) for n in re.findall(r"\[  PASSED  \] (\d+) test\(s\)", said))
    print(f"{name}: {passed} of {ran} tests")
    assert done.returncode == 0, said[-20000:]
    assert ran > 0 and passed == ran, said[-20000:]
