# SPDX-License-Identifier: GPL-2.0-or-later
"""A TCP relay into a namespace: listens on its loopback, dials our own.

A socket belongs to the namespace that its thread was in when it was made, so one process can hold
both ends.  The collector stays on this machine's loopback, where it listens by default, and no
network path leads from the toy network to the machine.
"""
import contextlib
import selectors
import socket
import threading

CHUNK = 65536


class Relay:
    def __init__(self, ns, port, to_port=None):
        self.to = ("127.0.0.1", to_port or port)
        self.listener = ns.socket(socket.AF_INET, socket.SOCK_STREAM)
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.listener.bind(("127.0.0.1", port))
        self.listener.listen(16)
        self.wake, self._waker = socket.socketpair()
        self.thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self._waker.close()
        self.thread.join()

    def _run(self):
        selector = selectors.DefaultSelector()
        other = {}

        def drop(s):
            for end in (s, other.pop(s, None)):
                if end is not None:
                    other.pop(end, None)
                    with contextlib.suppress(KeyError, ValueError):
                        selector.unregister(end)
                    end.close()

        selector.register(self.listener, selectors.EVENT_READ)
        selector.register(self.wake, selectors.EVENT_READ)
        while True:
            for key, _ in selector.select():
                s = key.fileobj
                if s is self.wake:
                    for end in list(other):
                        end.close()
                    self.listener.close()
                    self.wake.close()
                    selector.close()
                    return
                if s is self.listener:
                    inside, _ = s.accept()
                    try:
                        outside = socket.create_connection(self.to, timeout=5)
                    except OSError:
                        inside.close()  # no collector just now: the forwarder sees a lost connection
                        continue
                    for a, b in ((inside, outside), (outside, inside)):
                        a.settimeout(10)
                        other[a] = b
                        selector.register(a, selectors.EVENT_READ)
                    continue
                if s not in other:
                    continue  # closed earlier in this round
                try:
                    data = s.recv(CHUNK)
                    if data:
                        other[s].sendall(data)
                        continue
                except OSError:
                    pass
                drop(s)
