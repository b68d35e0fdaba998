# SPDX-License-Identifier: GPL-2.0-or-later
"""Writes small MaxMind DBs (format 2.0, 32-bit records, IPv6 tree with IPv4 below ::/96)."""
import ipaddress
import struct

MARKER = b"\xab\xcd\xefMaxMind.com"


def _head(kind, size):
    extra = b""
    if size >= 65821:
        raise ValueError(size)
    if size >= 285:
        extra, size = (size - 285).to_bytes(2, "big"), 30
    elif size >= 29:
        extra, size = bytes([size - 29]), 29
    if kind > 7:
        return bytes([size, kind - 7]) + extra
    return bytes([kind << 5 | size]) + extra


class U16(int):
    """Readers are strict about the width of numbers in the metadata."""


class U64(int):
    """As above."""


def encode(value):
    if isinstance(value, dict):
        return _head(7, len(value)) + b"".join(encode(k) + encode(v) for k, v in value.items())
    if isinstance(value, (list, tuple)):
        return _head(11, len(value)) + b"".join(map(encode, value))
    if isinstance(value, float):
        return _head(3, 8) + struct.pack(">d", value)
    if isinstance(value, int):
        raw = value.to_bytes(8, "big").lstrip(b"\0")
        kind = 5 if isinstance(value, U16) else 9 if isinstance(value, U64) or len(raw) > 4 else 6
        return _head(kind, len(raw)) + raw
    raw = value if isinstance(value, bytes) else value.encode()
    return _head(2, len(raw)) + raw


def write(path, networks, kind="Test-City", built=1780000000, **metadata):
    """networks: {"192.0.2.0/24": {...}}; a value of bytes is data as it stands."""
    nodes, data, places = [[None, None]], b"", {}
    for net, value in networks.items():
        n = ipaddress.ip_network(net)
        bits = int(n.network_address)
        length = n.prefixlen + (96 if n.version == 4 else 0)
        raw = value if isinstance(value, bytes) else encode(value)
        if raw not in places:
            places[raw] = len(data)
            data += raw
        node = 0
        for i in range(length):
            side = bits >> (127 - i) & 1
            if i == length - 1:
                nodes[node][side] = ("data", places[raw])
            else:
                if nodes[node][side] is None:
                    nodes.append([None, None])
                    nodes[node][side] = len(nodes) - 1
                node = nodes[node][side]
    count = len(nodes)

    def record(r):
        return count if r is None else r if isinstance(r, int) else count + 16 + r[1]
    tree = b"".join(struct.pack(">II", record(a), record(b)) for a, b in nodes)
    about = {"binary_format_major_version": U16(2), "binary_format_minor_version": U16(0), "build_epoch": U64(built), "database_type": kind,
             "description": {"en": "made by a test"}, "ip_version": U16(6), "languages": ["en"], "node_count": count, "record_size": U16(32)} | metadata
    path.write_bytes(tree + bytes(16) + data + MARKER + encode(about))
    return path
