# SPDX-License-Identifier: GPL-2.0-or-later
"""Each cmocka program of tests/unit, run under ASan and UBSan."""
import re
import subprocess

import pytest

from lib import ng

NAMES = sorted(p.stem for p in (ng.TOP / "tests/unit").glob("*.c"))


def test_there_are_units():
    assert NAMES


@pytest.mark.parametrize("name", NAMES)
def test_unit(name):
    """Prints how many tests it holds.  TMPDIR is the session's: a file that stays there is told at the end."""
    done = subprocess.run([ng.program(f"unit/{name}")], cwd=ng.TOP, capture_output=True, text=True, errors="replace",
                          timeout=300, check=False)
    said = done.stdout + done.stderr
    ran = sum(int(n) for n in re.findall(r"\[==========\].*?(\d+) test\(s\) run", said))
    passed = sum(int(n) for n in re.findall(r"\[  PASSED  \] (\d+) test\(s\)", said))
    print(f"{name}: {passed} of {ran} tests")
    assert done.returncode == 0, said[-20000:]
    assert ran > 0 and passed == ran, said[-20000:]
