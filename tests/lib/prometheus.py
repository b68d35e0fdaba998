# SPDX-License-Identifier: GPL-2.0-or-later
"""Prometheus' text format 0.0.4, read as strictly as promtool does."""
import re

NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"


def check(text):
    """{(name, (label, value)...): number}; an AssertionError where a rule is broken."""
    assert text.endswith("\n") and "\r" not in text
    found, kinds, helped, done, now = {}, {}, set(), set(), None
    for line in text.splitlines():
        if m := re.fullmatch(rf"# HELP ({NAME}) (.+)", line):
            assert m[1] not in helped, f"HELP twice: {line}"
            helped.add(m[1])
            continue
        if m := re.fullmatch(rf"# TYPE ({NAME}) (counter|gauge)", line):
            assert m[1] in helped and m[1] not in kinds, f"TYPE twice, or without HELP: {line}"
            kinds[m[1]] = m[2]
            assert m[1].endswith("_total") == (m[2] == "counter"), line
            continue
        m = re.fullmatch(rf'({NAME})(?:\{{([a-z_]+)="([^"\\\n]*)"\}})? (-?\d+(?:\.\d+)?)', line)
        assert m, f"no sample: {line!r}"
        name, label, value, number = m.groups()
        assert name in kinds, f"without TYPE: {line}"
        if name != now:
            assert name not in done, f"not in one block: {line}"
            done.add(name)
            now = name
        assert not re.search(r"\d+\.\d+\.\d+\.\d+|::", value or ""), f"an address: {line}"
        key = (name, (label, value)) if label else (name,)
        assert key not in found, f"twice: {line}"
        found[key] = float(number)
        assert kinds[name] == "gauge" or found[key] >= 0
    assert done == set(kinds) == helped, "described, and not there"
    return found
