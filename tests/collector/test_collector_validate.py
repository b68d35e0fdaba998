# SPDX-License-Identifier: GPL-2.0-or-later
"""The collector's validator against the schema file itself.

Thousands of lines, made from the schema and then damaged, go through `net-gazer-collector --validate`
and through python's jsonschema with the extra rules of docs/API.md ("What a line must be"); both must
say the same of each.  The seed is printed, and NG_SEED sets it.
"""
import copy
import datetime
import json
import math
import os
import random
import re
import subprocess
import time

import jsonschema
import pytest

from lib import ng

SCHEMA = json.loads((ng.TOP / "docs/schema/net-gazer-report-1.schema.json").read_text(encoding="utf-8"))
DEFS = SCHEMA["$defs"]
TYPES = SCHEMA["properties"]["type"]["enum"]
INT_MAX = 2**53 - 1


# ---- the reference ----

def ecma(schema):
    """Patterns as ECMA 262 has them: python's $ also matches before a newline, its \\d any digit."""
    if isinstance(schema, dict):
        return {(k.replace("$", r"\Z") if k.startswith("^x_") else k):
                (v.replace("$", r"\Z").replace(r"\d", "[0-9]") if k == "pattern" else ecma(v))
                for k, v in schema.items()}
    return [ecma(v) for v in schema] if isinstance(schema, list) else schema


_base = jsonschema.Draft202012Validator
_checker = _base.TYPE_CHECKER.redefine("integer", lambda _, v: isinstance(v, int) and not isinstance(v, bool))
REFERENCE = jsonschema.validators.extend(_base, type_checker=_checker)(
    ecma(SCHEMA), format_checker=jsonschema.FormatChecker())


class Refused(Exception):
    pass


def _pairs(pairs):
    if len({k for k, _ in pairs}) != len(pairs):
        raise Refused("a key is there twice")
    return dict(pairs)


def _number(kind):
    def parse(text):
        if len(text) > 64:
            raise Refused("a long number")
        value = kind(text)
        if kind is int and abs(value) > INT_MAX or not math.isfinite(value):
            raise Refused("a number out of range")
        return value
    return parse


def _constant(text):
    raise Refused(text)


def _walk(value, depth=1):
    if isinstance(value, (dict, list)):
        if depth > 8:
            raise Refused("too deep")
        for k in value if isinstance(value, dict) else ():
            _walk(k, depth)
        for v in value.values() if isinstance(value, dict) else value:
            _walk(v, depth + 1)
    elif isinstance(value, str):
        value.encode()  # a lone surrogate raises UnicodeEncodeError, which is a ValueError


def reference(line):
    """None, or why the line must be refused."""
    if len(line) >= 16384:
        return "long"
    try:
        value = json.loads(line.decode("utf-8"), object_pairs_hook=_pairs, parse_int=_number(int),
                           parse_float=_number(float), parse_constant=_constant)
        _walk(value)
    except (ValueError, RecursionError, Refused) as e:
        return f"no JSON of ours: {e!r}"
    if isinstance(value, dict):
        if isinstance(value.get("v"), float):
            return "v with a fraction"
        for name in ("ts", "last_ts", "rx_ts"):
            t = value.get(name)
            if isinstance(t, str):
                try:
                    if datetime.datetime.strptime(t, "%Y-%m-%dT%H:%M:%S.%fZ").second > 59 or t < "1970":
                        return "time"
                    datetime.datetime.fromisoformat(t[:-1])
                except ValueError as e:
                    return f"{name}: {e}"
    error = next(REFERENCE.iter_errors(value), None)
    return error and error.message


# ---- valid reports, from the schema ----

PATTERNS = {
    r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$": ["a", "r00001", "A" * 64, "0._-"],
    r"^[0-9a-f]{8}$": ["9f1c2ab0", "00000000"],
    r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$": ["2026-11-21T19:04:05.123456Z", "1970-01-01T00:00:00.000000Z",
                                                 "9999-12-31T23:59:59.999999Z", "2024-02-29T00:00:00.000001Z"],
    r"^[A-Z]{2}$": ["SE", "US"],
    r"^1:[A-Za-z0-9+/]{27}=$": ["1:Wu70JkaUkDMnsuOe3ZJ2x6w5XNY="],
    r"^([0-9a-f]{2}:){5}[0-9a-f]{2}$": ["00:11:22:aa:bb:ff"],
    r"^[SsHhAaRr]{0,32}$": ["", "ShA", "SSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSS"],
    r"^\d{1,3}/\d{1,3}$": ["3/1", "0/0", "255/255"],
    r"^[0-9a-f]{16}$": ["a1b2c3d4e5f60718"],
    r"^[a-z][a-z0-9_-]{0,31}$": ["demo", "a" * 32, "x_-9"],
    r"^[a-z][a-z0-9_.-]{0,63}$": ["hello", "flood", "b" * 64, "a.b_c-d"],
}
IPS = ["1.2.3.4", "0.0.0.0", "255.255.255.255", "2001:db8::1", "::", "::1", "::ffff:1.2.3.4", "FE80::ABCD",
       "1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7::"]
CHARS = "aZ09 ._-:/\\\"'<>&\u00e5\u20ac\U0001f600\u202e\u2028\x7f\x00\x1b\n\r\t"


def text(rng, length):
    return "".join(rng.choice(CHARS) for _ in range(length))


def anything(rng, depth=3):
    kind = rng.randrange(9 if depth else 6)
    if kind < 6:
        return rng.choice([None, True, False, 0, -1, 1, 1.5, INT_MAX, -INT_MAX, 1e300, "", text(rng, 5), "a", 70000])
    if kind == 6:
        return [anything(rng, depth - 1) for _ in range(rng.randrange(4))]
    return {rng.choice(["a", "b", "", "x_y", "kind", "\u20ac", "q\"", "nl\n"]): anything(rng, depth - 1)
            for _ in range(rng.randrange(4))}


def resolve(schema):
    while "$ref" in schema:
        schema = DEFS[schema["$ref"].rsplit("/", 1)[1]]
    return schema


def valid(rng, schema):
    """Some value that the schema allows, often one at its limits."""
    schema = resolve(schema) if isinstance(schema, dict) else schema
    if schema is True:
        return anything(rng)
    if "const" in schema or "enum" in schema:
        return rng.choice(schema.get("enum", [schema.get("const")]))
    if "anyOf" in schema:
        return rng.choice(IPS)
    if "pattern" in schema:
        return rng.choice(PATTERNS[schema["pattern"]])
    kind = schema["type"]
    if kind == "integer":
        low, high = schema.get("minimum", -INT_MAX), schema.get("maximum", INT_MAX)
        return rng.choice([low, high, rng.randint(low, high), min(high, max(low, rng.randrange(100)))])
    if kind == "number":
        low, high = schema.get("minimum", -1e6), schema.get("maximum", 1e6)
        return rng.choice([low, high, rng.uniform(low, high)])
    if kind == "boolean":
        return rng.random() < 0.5
    if kind == "string":
        return text(rng, rng.choice([0, 1, min(20, schema.get("maxLength", 20)), schema.get("maxLength", 30)]))
    if kind == "array":
        if "prefixItems" in schema:
            return [valid(rng, s) for s in schema["prefixItems"]]
        n = rng.choice([0, 1, 2, 3, min(schema.get("maxItems", 4), 20)])
        if schema.get("uniqueItems"):
            return rng.sample(range(65536), n)
        return [valid(rng, schema["items"]) for _ in range(n)]
    assert kind == "object", schema
    out = members(rng, schema.get("properties", {}), schema.get("required", []))
    extra = schema.get("additionalProperties", True)
    if extra is not False and rng.random() < 0.5:
        for i in range(rng.randrange(3)):
            out[f"more{i}"] = valid(rng, extra)
    return out


def members(rng, properties, required):
    share = rng.choice([0, 0.1, 0.5, 1])
    return {k: valid(rng, s) for k, s in properties.items() if k in required or rng.random() < share}


def fields(kind):
    """(properties, required) of a type of report."""
    own = DEFS[kind]
    properties = dict(SCHEMA["properties"])
    for part in own.get("allOf", []):
        properties.update(resolve(part)["properties"])
    properties.update(own["properties"])
    return properties, SCHEMA["required"] + own["required"]


def make(rng):
    kind = rng.choice(TYPES)
    properties, required = fields(kind)
    out = members(rng, properties, required)
    out["type"], out["v"] = kind, 1
    if rng.random() < 0.3:
        out["x_" + "".join(rng.choice("abz09_") for _ in range(rng.choice([1, 5, 40])))] = anything(rng)
    items = list(out.items())
    if rng.random() < 0.5:
        rng.shuffle(items)
    return dict(items)


# ---- damage ----

ODD = [None, True, False, "", "a", 0, 1, -1, 1.0, 2.5, 1e3, 15, 16, 63, 64, 65, 255, 256, 4094, 4095, 65535, 65536, 159,
       160, 2**32 - 1, 2**32, INT_MAX, INT_MAX + 1, -INT_MAX - 1, 10**40, 1e308, [], {}, [1], [[1, 2]], [[1, 2, 3]],
       [[160, 1]], [[1.5, 1]], [1, 1], [70000], {"a": 1}, "1.2.3.4", "1.2.3", "01.2.3.4", "1.2.3.4 ", "::1%eth0", "1::2::3",
       "1::2:3:4:5:6:7:8", "12345::", "::1.2.3.4.5", "\uff11.2.3.4", "::g", ":::", "1:2:3:4:5:6:7:8:9",
       "2026-02-30T00:00:00.000000Z", "2026-11-21T24:00:00.000000Z", "2026-11-21T23:59:60.000000Z",
       "1969-12-31T23:59:59.999999Z", "2026-11-21T19:04:05.123456Z\n", "2026-11-21T19:04:05.12345\u0661Z",
       "2026-11-21t19:04:05.123456z", "2026-11-21T19:04:05.1234567Z", "2026-13-01T00:00:00.000000Z",
       "2025-02-29T00:00:00.000000Z", "0000-01-01T00:00:00.000000Z", "demo\n", "Demo", "a" * 33, "a" * 65, "9f1c2ab0\n",
       "9F1C2AB0", "9f1c2ab", "SE\n", "se", "00:11:22:AA:bb:ff", "3/1000", "/1", "3/", "ShX", "S" * 33, "-r", "a/b", "\x00",
       "r\x00", "\u20ac" * 15, "\u20ac" * 16, "\U0001f600" * 15, "conn", "tcp", "established", "vertical_scan"]


def places(value, path=()):
    """Every (container, key) of the tree."""
    if isinstance(value, dict):
        for k, v in value.items():
            yield value, k
            yield from places(v)
    elif isinstance(value, list):
        for i, v in enumerate(value):
            yield value, i
            yield from places(v)


def odd(rng):
    """One of its own: what is damaged twice may be damaged inside of it."""
    return copy.deepcopy(rng.choice(ODD))


def damage(rng, value):
    where = list(places(value))
    kind = rng.randrange(8)
    container, key = rng.choice(where)
    if kind == 0:
        del container[key]
    elif kind in (1, 2):
        container[key] = odd(rng)
    elif kind == 3 and isinstance(container[key], bool):
        container[key] = 1
    elif kind == 3 and isinstance(container[key], int):
        container[key] = rng.choice([container[key] + 1, container[key] - 1, float(container[key]), str(container[key]),
                                     container[key] * 2, -container[key]])
    elif kind == 3 and isinstance(container[key], str):
        s = container[key]
        container[key] = rng.choice([s + "a", s[:-1], s + "\n", s.upper(), s * 2, " " + s, [s], s + "\u00e5"])
    elif kind == 3 and isinstance(container[key], list):
        container[key] = rng.choice([container[key] * 2, container[key] * 40, container[key] + [odd(rng)]])
    elif kind == 4:
        objects = [value] + [c[k] for c, k in where if isinstance(c[k], dict)]
        target = rng.choice(objects)
        other, _ = fields(rng.choice(TYPES))
        name = rng.choice(list(other) + ["surprise", "", "X_a", "x_", "x_A", "x_a\n", "x_" + "a" * 41, "x_ok"] +
                          list(DEFS["hop"]["properties"]))
        target[name] = valid(rng, other[name]) if name in other and rng.random() < 0.7 else odd(rng)
    elif kind == 5:
        value["type"] = rng.choice(TYPES)
    elif kind == 6:
        deep = odd(rng)
        for _ in range(rng.randrange(1, 9)):
            deep = [deep] if rng.random() < 0.5 else {"d": deep}
        value[rng.choice(["x_deep", "data", "hops"])] = deep
    elif kind == 7:
        container[key] = valid(rng, {"$ref": "#/$defs/hop"})


TAILS = [b"{}", b",", b" x", b"\x0b", b"\x0c", b"\x00", b" \t\r", b"1", b'"', b"//", b"/* */", b"]", b"}"]


def spell(rng, value):
    """JSON text of a report, sometimes written in an odd way, sometimes broken."""
    line = json.dumps(value, ensure_ascii=rng.random() < 0.5, separators=rng.choice([(",", ":"), (", ", ": ")]))
    kind = rng.randrange(14)
    if kind == 0 and value:
        key = rng.choice(list(value))
        again = json.dumps({key: value[key]})[1:-1]
        line = line[:-1] + "," + again + "}"
    line = line.encode("utf-8", "surrogatepass")
    if kind == 1:
        line += rng.choice(TAILS)
    elif kind == 2:
        i = rng.randrange(len(line))
        line = line[:i] + rng.choice([b"\x00", b"\xff", b"\xc0\x80", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xe2\x82", b"\\",
                                      b"\\ud800", b"\\udc00", b"\\ud83d\\ude00", b"\\u0000", b"\\/", b"\"", b",", b"{", b"0",
                                      b"\t", b"\x0b", b"\x7f", b"-", b".", b"e1"]) + line[i:]
    elif kind == 3:
        line = line[:rng.randrange(len(line))]
    elif kind == 4:
        i = rng.randrange(len(line))
        line = line[:i] + bytes([rng.randrange(256)]) + line[i + 1:]
    elif kind == 5:
        line = rng.choice([b"\xef\xbb\xbf", b" ", b"\t", b"[", b"\x0c"]) + line
    elif kind == 6:
        line = re.sub(rb"(?<=:)(\d+)(?=[,}])", rng.choice([rb"\1.0", rb"0\1", rb"+\1", rb"\1e0", rb"-\1", rb"-0"]), line, count=1)
    return line.replace(b"\n", b" ")


def said(lines):
    done = subprocess.run([ng.program("net-gazer-collector"), "--validate"], input=b"\n".join(lines) + b"\n",
                          capture_output=True, timeout=300, check=False)
    assert done.returncode in (0, 1), done.stderr
    out = done.stdout.decode("ascii").splitlines()
    assert len(out) == len(lines), (len(out), len(lines))
    return out


def compare(lines):
    wrong, counts = [], {True: 0, False: 0}
    for line, ours in zip(lines, said(lines)):
        theirs = reference(line)
        assert ours == "ok" or re.match(r"bad\t.", ours), ours
        counts[ours == "ok"] += 1
        if (ours == "ok") != (theirs is None):
            wrong.append(f"collector: {ours}\n  reference: {theirs}\n  {line[:1500]!r}")
    assert not wrong, f"{len(wrong)} of {len(lines)}:\n" + "\n".join(wrong[:5])
    return counts


def test_schema_knows_no_other_keyword():
    """The tables were written by hand; a keyword that they know nothing of must not slip in."""
    found = set()

    def look(schema, is_schema=True):
        if isinstance(schema, dict):
            for k, v in schema.items():
                if is_schema:
                    found.add(k)
                look(v, not (is_schema and k in ("properties", "$defs", "patternProperties")))
        elif isinstance(schema, list):
            for v in schema:
                look(v, is_schema)
    look(SCHEMA)
    assert found <= {"$schema", "$id", "$defs", "$ref", "title", "description", "default", "type", "required", "properties",
                     "patternProperties", "oneOf", "allOf", "anyOf", "unevaluatedProperties", "additionalProperties", "const",
                     "enum", "pattern", "format", "minimum", "maximum", "maxLength", "items", "maxItems", "minItems",
                     "uniqueItems", "prefixItems", "maxProperties"}, found


def test_examples_and_bad():
    folder = ng.TOP / "docs/schema"
    good = (folder / "examples.ndjson").read_bytes().splitlines()
    bad = (folder / "bad.ndjson").read_bytes().splitlines()
    assert said(good) == ["ok"] * len(good) and len(good) >= 8
    for line, about in zip(bad, ["v:", "ts:", "src_ip:", "src_port:", "surprise:", "hops is missing"], strict=True):
        assert said([line])[0].startswith("bad\t" + about), (line, said([line]))
    compare(good + bad)


def test_each_field_alone():
    """Every field of every type: allowed at its limits, refused one step beyond, in each type of report."""
    rng = random.Random(1)
    every = {}
    for kind in TYPES:
        every.update(fields(kind)[0])
    lines = []
    for kind in TYPES:
        properties, required = fields(kind)
        base = {k: valid(rng, properties[k]) for k in required} | {"v": 1, "type": kind}
        lines += [json.dumps({k: v for k, v in base.items() if k != gone}).encode() for gone in base]
        for name, schema in every.items():
            schema = resolve(properties.get(name, schema))
            values = [valid(rng, schema) for _ in range(3)] + [None, [], {}, "", -1]
            values += [schema[k] + d for k in ("minimum", "maximum") if k in schema for d in (-1, 0, 1)]
            if "maxLength" in schema:
                values += ["\u20ac" * (schema["maxLength"] + d) for d in (0, 1)]
            if "maxItems" in schema:
                values += [[i if schema.get("uniqueItems") else valid(rng, schema["items"])
                            for i in range(schema["maxItems"] + d)] for d in (0, 1)]
            lines += [json.dumps({**base, name: v}).encode() for v in values if name != "type"]
    lines = [line for line in lines if len(line) < 60000]
    counts = compare(lines)
    print(f"{counts[True]} accepted, {counts[False]} refused")
    assert counts[True] > 300 and counts[False] > 1500


@pytest.mark.parametrize("part", range(2))
def test_mutated(part):
    seed = int(os.environ.get("NG_SEED", time.time_ns() % 2**32)) + part
    print(f"NG_SEED={seed - part} part {part}")
    rng = random.Random(seed)
    lines = []
    for _ in range(2500):
        value = make(rng)
        for _ in range(rng.choice([0, 0, 1, 1, 2])):
            damage(rng, value)
        lines.append(spell(rng, value))
    counts = compare(lines)
    print(f"{counts[True]} accepted, {counts[False]} refused")
    assert counts[True] > 400 and counts[False] > 400


def test_limits():
    """Length of a line, depth, numbers, keys: exactly at the limit, and one over."""
    base = ('{"v":1,"type":"plugin","ts":"2026-11-21T19:04:05.123456Z","sensor":"r","boot":"9f1c2ab0","seq":1,"plugin":"p",'
            '"kind":"k"')
    lines = []
    for size in (16382, 16383, 16384, 16385, 40000):
        lines.append(base + ',"x_pad":"' + "a" * (size - len(base) - 12) + '"}')
        assert len(lines[-1]) == size
    lines += [base + ',"x_a":' + "[" * n + "]" * n + "}" for n in (1, 6, 7, 8, 5000)]
    lines += [base + ',"data":' + '{"a":' * n + "1" + "}" * n + "}" for n in (1, 7, 8)]
    lines += [base + f',"x_n":{n}}}' for n in ("9007199254740991", "9007199254740992", "-9007199254740991", "-9007199254740992",
                                              "9007199254740993", "1e308", "1e309", "-1e309", "1e-999", "0." + "1" * 62,
                                              "0." + "1" * 63, "1" * 64, "1" * 65, "1" * 400, "-0", "-0.0", "NaN", "Infinity",
                                              "-Infinity", "01", "1.", ".1", "1e", "0x1", "+1", "--1")]
    # Many keys: distinct ones are fine, the last like the first is not.
    many = ",".join(f'"{i:x}":0' for i in range(2000))
    lines += [base + ',"data":{' + many + "}}", base + ',"data":{' + many + ',"0":1}}']
    lines += [base + ',"data":{"a":{"k":1},"b":{"k":1}}}', base + ',"data":{"a":1,"\\u0061":2}}']
    lines += ["", " ", "{}", "[]", "null", "1", '"a"', "[" * 9000, '{"a":' * 2000, base, base + "}" + base + "}"]
    compare([line.encode() for line in lines])
