# SPDX-License-Identifier: GPL-2.0-or-later
"""Report lines: every line that a test gets from a program goes through reports(), which checks it
against docs/schema and against the rules that no JSON Schema can say.

jsonschema needs about a millisecond a line, so a line is checked in full when its shape (which
fields it has) was seen fewer than 20 times, and each of its fields by compiled checks always.
"""
import collections
import ipaddress
import json
import re

import jsonschema

from lib import ng

SCHEMA = json.loads((ng.TOP / "docs/schema/net-gazer-report-1.schema.json").read_text(encoding="utf-8"))
_full = jsonschema.Draft202012Validator(SCHEMA, format_checker=jsonschema.FormatChecker())
LINE_MAX = 16384
checked = collections.Counter()


def _resolve(schema):
    while "$ref" in schema:
        schema = SCHEMA["$defs"][schema["$ref"].rsplit("/", 1)[1]]
    return schema


def _is_int(v):
    return isinstance(v, int) and not isinstance(v, bool)


def _is_ip(v):
    try:
        return isinstance(v, str) and bool(ipaddress.ip_address(v))
    except ValueError:
        return False


def _compile(schema):
    """A function for the schemas that matter for speed, jsonschema for the rest."""
    schema = _resolve(schema)
    words = set(schema) - {"description", "default"}
    if schema.get("type") == "integer" and words <= {"type", "minimum", "maximum"}:
        low, high = schema.get("minimum", -(1 << 63)), schema.get("maximum", 1 << 64)
        return lambda v: _is_int(v) and low <= v <= high
    if words == {"type"} and schema["type"] == "boolean":
        return lambda v: isinstance(v, bool)
    if words <= {"type", "pattern", "maxLength"} and schema.get("type") == "string":
        pattern, longest = re.compile(schema.get("pattern", "")), schema.get("maxLength", LINE_MAX)
        return lambda v: isinstance(v, str) and len(v) <= longest and bool(pattern.search(v))
    if words == {"enum"} or words == {"const"}:
        allowed = schema.get("enum", [schema.get("const")])
        return lambda v: v in allowed and not isinstance(v, bool)
    if schema == _resolve({"$ref": "#/$defs/ip"}):
        return _is_ip
    sub = jsonschema.Draft202012Validator({**schema, "$defs": SCHEMA["$defs"]},
                                          format_checker=jsonschema.FormatChecker())
    return sub.is_valid


def _flatten(schema, fields, required):
    for part in schema.get("allOf", []):
        _flatten(_resolve(part), fields, required)
    required.update(schema.get("required", []))
    fields.update(schema.get("properties", {}))


def _kind(name):
    fields, required = {}, set()
    _flatten(SCHEMA["$defs"][name], fields, required)
    required.update(SCHEMA["required"])
    fields = {**SCHEMA["properties"], **fields}
    return {n: _compile(s) for n, s in fields.items()}, required


KINDS = {name: _kind(name) for name in SCHEMA["properties"]["type"]["enum"]}
_shapes = collections.Counter()


def errors(line):
    """What is wrong with one line (without its newline); an empty list when nothing is."""
    if len(line.encode()) + 1 > LINE_MAX:
        return ["longer than 16 KiB"]
    if not line.isascii():
        return ["not ASCII"]
    try:
        report = json.loads(line, object_pairs_hook=_no_twins)
    except ValueError as e:
        return [f"not JSON: {e}"]
    if not isinstance(report, dict):
        return ["not an object"]
    found = fast_errors(report)
    shape = (report.get("type"), tuple(report))
    _shapes[shape] += 1
    if found or _shapes[shape] <= 20:
        found += [f"{'/'.join(map(str, e.absolute_path))}: {e.message}"[:400] for e in _full.iter_errors(report)]
    return found


def _no_twins(pairs):
    names = [n for n, _ in pairs]
    if len(set(names)) != len(names):
        raise ValueError(f"a name occurs twice in {names}")
    return dict(pairs)


def fast_errors(report):
    kind = report.get("type")
    if not isinstance(kind, str) or kind not in KINDS:
        return [f"type {kind!r}"]
    fields, required = KINDS[kind]
    found = [f"{name} is missing" for name in required - set(report)]
    for name, value in report.items():
        if name in fields:
            if not fields[name](value):
                found.append(f"{name} is {value!r}")
        elif not re.fullmatch(r"x_[a-z0-9_]{1,40}", name):
            found.append(f"{name} is not of the schema")
    return found


def reports(text):
    """The reports of NDJSON text, each line checked.  The last line must be complete."""
    if isinstance(text, bytes):
        text = text.decode("ascii")
    assert not text or text.endswith("\n"), f"the last line is torn: {text[-200:]!r}"
    found = []
    for line in text.splitlines():
        wrong = errors(line)
        assert not wrong, f"{wrong}\nin {line}"
        found.append(json.loads(line))
        checked[found[-1]["type"]] += 1
    return found


def rows(found):
    """Rows of the collector's GET /api/conns: reports, and the row's number."""
    for row in found:
        wrong = errors(json.dumps({n: v for n, v in row.items() if n != "id"}, separators=(",", ":")))
        assert not wrong, f"{wrong} in {row}"
    ids = [row["id"] for row in found]
    assert ids == sorted(set(ids), reverse=True), "newest first, each once"
    return found


def numbered(found):
    """(sensor, boot, seq) is an identity: no number twice, and in the order of the lines."""
    for key, mine in by(found, "sensor", "boot").items():
        seqs = [r["seq"] for r in mine]
        assert all(a < b for a, b in zip(seqs, seqs[1:])), f"{key}: seq goes back or repeats in {seqs[:50]}"
    return found


def by(found, *names):
    groups = collections.defaultdict(list)
    for r in found:
        groups[tuple(r.get(n) for n in names)].append(r)
    return groups


def pick(found, **want):
    """Those whose fields are as given; None: absent."""
    return [r for r in found if all(r.get(n) == v for n, v in want.items())]


def check_ledger(stat, quiet=True):
    """The identities of one stat report; `quiet`: nothing is under way, so tail must be 0."""
    if "seen" in stat:
        assert stat["seen"] == stat["logged"] + stat["sampled_out"], stat
        # The rules' counters were read before the analyzer's own: meanwhile it may have read on.
        assert stat["tail"] == max(0, stat["logged"] - stat["received"] - stat["gap"]), stat
    elif quiet:
        raise AssertionError(f"no rule counters in {stat}")
    assert stat["received"] == sum(stat[n] for n in ("parsed", "truncated", "malformed", "unsupported", "in_hand")), stat
    if quiet:
        assert stat["logged"] == stat["received"] + stat["gap"] and stat["tail"] == 0, stat
    groups = stat.get("groups", [])
    for name in ("seen", "logged"):
        if groups and name in stat:
            assert sum(g[name] for g in groups) == stat[name], f"{name} of the groups does not add up: {stat}"
    for name in ("received", "gap"):
        # A new analyzer counts its groups from 0, the totals go on.
        assert sum(g[name] for g in groups) <= stat[name], f"{name} of the groups is more than the total: {stat}"
