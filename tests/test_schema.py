# SPDX-License-Identifier: GPL-2.0-or-later
"""The checker of report lines itself: what it accepts, and that it can say no."""
import json

import pytest

from lib import ng, report

GOOD = (ng.TOP / "docs/schema/examples.ndjson").read_text(encoding="utf-8")
BAD = (ng.TOP / "docs/schema/bad.ndjson").read_text(encoding="utf-8").splitlines()


def test_examples_are_valid():
    assert len(report.reports(GOOD)) == len(GOOD.splitlines()) > 0


@pytest.mark.parametrize("line", BAD)
def test_bad_lines_are_not(line):
    assert report.errors(line)
    with pytest.raises(AssertionError):
        report.reports(line + "\n")


@pytest.mark.parametrize("line", BAD)
def test_fast_check_says_no_too(line):
    assert report.fast_errors(json.loads(line))


def test_fast_check_agrees_with_jsonschema():
    """Every field of every example, changed in ways that matter: both say the same."""
    for line in GOOD.splitlines():
        good = json.loads(line)
        for name in good:
            for value in (None, -1, 1 << 60, 70000, "", "x" * 300, True, [], {}, 1.5, "2001:db8::1", "1.2.3.4.5"):
                changed = {**good, name: value}
                fast, full = not report.fast_errors(changed), report._full.is_valid(changed)
                assert fast == full, f"{name}={value!r}: fast {fast}, jsonschema {full}"
            less = {n: v for n, v in good.items() if n != name}
            assert (not report.fast_errors(less)) == report._full.is_valid(less), f"without {name}"


def test_torn_and_double():
    line = GOOD.splitlines()[0]
    with pytest.raises(AssertionError, match="torn"):
        report.reports(line)
    assert report.errors(line[:-1] + ',"v":1}')
    with pytest.raises(AssertionError, match="repeats"):
        report.numbered(report.reports(line + "\n" + line + "\n"))
