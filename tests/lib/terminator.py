# SPDX-License-Identifier: GPL-2.0-or-later
"""TLS in front of a collector that has none: takes connections in a namespace, hands on what was in them."""
import contextlib
import socket
import ssl
import threading


def _copy(a, b):
    with contextlib.suppress(OSError):
        while data := a.recv(65536):
            b.sendall(data)
    for s in (a, b):
        with contextlib.suppress(OSError):
            s.shutdown(socket.SHUT_RDWR)


class Terminator:
    """with Terminator(ns, context, collector.port): https://localhost:{collector.port}/ in ns."""

    def __init__(self, ns, context, port):
        self.context, self.to = context, ("127.0.0.1", port)
        self.listener = ns.socket(socket.AF_INET, socket.SOCK_STREAM)
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.listener.bind(self.to)
        self.listener.listen(16)
        self.names, self.refused = [], []  # common names of the clients; why handshakes failed
        self.open, self.lock = set(), threading.Lock()
        self.threads = [threading.Thread(target=self._accept)]

    def __enter__(self):
        self.threads[0].start()
        return self

    def __exit__(self, *_):
        self.listener.shutdown(socket.SHUT_RDWR)  # accept() ends
        with self.lock:
            for s in self.open:
                with contextlib.suppress(OSError):
                    s.shutdown(socket.SHUT_RDWR)
        for thread in self.threads:
            thread.join()
        self.listener.close()

    def _accept(self):
        while True:
            try:
                s, _ = self.listener.accept()
            except OSError:
                return
            thread = threading.Thread(target=self._serve, args=(s,))
            self.threads.append(thread)
            thread.start()

    def _serve(self, raw):
        raw.settimeout(20)
        try:
            inside = self.context.wrap_socket(raw, server_side=True)
        except (ssl.SSLError, OSError) as e:
            self.refused.append(str(e))
            raw.close()
            return
        certificate = inside.getpeercert()
        self.names.append(dict(x[0] for x in certificate["subject"])["commonName"] if certificate else None)
        with inside, contextlib.suppress(OSError), socket.create_connection(self.to, timeout=20) as outside:
            with self.lock:
                self.open |= {inside, outside}
            back = threading.Thread(target=_copy, args=(outside, inside))
            back.start()
            _copy(inside, outside)
            back.join()
            with self.lock:
                self.open -= {inside, outside}
