# SPDX-License-Identifier: GPL-2.0-or-later
"""The sensor under musl and as a 32-bit program, on this machine's kernel: what it reports is what the one of the build folder
does in the same run.  More of it: tests/portability/portable_live.py."""
import pathlib
import sys
import time

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parent / "portability"))
import live  # noqa: E402  pylint: disable=wrong-import-position


@pytest.mark.parametrize("make", [live.musl, live.i386], ids=lambda f: f.__name__)
def test_live(make, tmp_path, say):
    """Both ways to have rules, beside our own."""
    started = time.monotonic()
    with make() as build:
        say(f"{build.name}: built in {time.monotonic() - started:.1f} s")
        live.beside([(live.home(), "own"), (build, "own"), (build, "include")], tmp_path, say)
    say(f"{build.name}: {time.monotonic() - started:.1f} s altogether")
