# SPDX-License-Identifier: GPL-2.0-or-later
"""A DNS server on loopback that answers PTR questions as a test wants it to."""
import ipaddress
import socket
import struct
import threading
import time


def labels(name):
    return b"".join(bytes([len(part)]) + part for part in (p if isinstance(p, bytes) else p.encode() for p in name)) + b"\0"


def dotted(name):
    return labels(name.split("."))


def address(question):
    """The address that a question asks for."""
    parts = question.decode("latin-1").lower().split(".")
    if parts[-3:] == ["in-addr", "arpa", ""] or parts[-2:] == ["in-addr", "arpa"]:
        return ".".join(reversed(parts[:4]))
    return str(ipaddress.ip_address(int("".join(reversed(parts[:32])), 16)))


class Server:
    """answers: {"192.0.2.1": answer}; an answer is a name, None (no such name), "silent", or f(query, question) -> packets."""

    def __init__(self, answers):
        self.answers, self.asked = answers, []
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.socket.settimeout(0.1)
        self.port = self.socket.getsockname()[1]
        self.stop = threading.Event()
        self.thread = threading.Thread(target=self.run, daemon=True)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.stop.set()
        self.thread.join()
        self.socket.close()

    def run(self):
        while not self.stop.is_set():
            try:
                query, peer = self.socket.recvfrom(2048)
            except TimeoutError:
                continue
            at, parts = 12, []
            while query[at]:
                parts.append(query[at + 1:at + 1 + query[at]])
                at += 1 + query[at]
            ip = address(b".".join(parts))
            self.asked.append((time.monotonic(), ip))
            answer = self.answers.get(ip)
            if answer == "silent":
                continue
            for packet in answer(query, query[12:at + 5]) if callable(answer) else [reply(query, answer)]:
                self.socket.sendto(packet, peer)


def reply(query, name, ttl=7200, code=0, number=None, question=None, kind=12, before=b"", count=1):
    """name: "host.example", bytes of rdata, None."""
    if question is None:
        end = query.index(b"\0", 12) + 5
        question = query[12:end]
    rdata = name if isinstance(name, bytes) else dotted(name) if name else b""
    code = 3 if name is None and not code else code
    head = struct.pack(">HHHHHH", struct.unpack(">H", query[:2])[0] if number is None else number, 0x8180 | code, 1,
                       0 if name is None else count, 0, 0)
    answer = b"" if name is None else b"\xc0\x0c" + struct.pack(">HHIH", kind, 1, ttl, len(rdata)) + rdata
    return head + question + before + answer
