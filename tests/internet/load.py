# SPDX-License-Identifier: GPL-2.0-or-later
"""Connections of a user on the LAN: many, one to a destination, begun at a steady rate and held."""
import errno
import select
import socket
import threading
import time

from lib import wire


class Connections:
    """`with Connections(inet, destinations, rate=100) as c:`; made, at the end reset.

    established: {destination: socket}; failed: {destination: errno}."""

    def __init__(self, inet, destinations, rate=100.0, port=443):
        self.ns, self.destinations, self.rate, self.port = inet["lan"], destinations, rate, port
        self.established, self.failed, self._pending = {}, {}, {}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        self._thread.join()
        for s in (*self.established.values(), *(s for _, s in self._pending.values())):
            s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            s.close()

    def done(self):
        return len(self.established) + len(self.failed) == len(self.destinations)

    def _begin(self, poll, dst):
        s = socket.socket(wire.family(dst), socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        e = s.connect_ex((dst, self.port))
        if e not in (0, errno.EINPROGRESS):
            s.close()
            self.failed[dst] = e
            return
        self._pending[s.fileno()] = (dst, s)
        poll.register(s.fileno(), select.POLLOUT)

    def _run(self):
        poll = select.poll()
        with self.ns:
            begin = time.monotonic()
            n = 0
            while not self._stop.is_set() and not self.done():
                while n < len(self.destinations) and time.monotonic() - begin >= n / self.rate:
                    self._begin(poll, self.destinations[n])
                    n += 1
                wait = begin + n / self.rate - time.monotonic() if n < len(self.destinations) else 0.1
                for fd, _ in poll.poll(max(1, wait * 1000)):
                    poll.unregister(fd)
                    dst, s = self._pending.pop(fd)
                    e = s.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
                    if e:
                        s.close()
                        self.failed[dst] = e
                    else:
                        self.established[dst] = s
