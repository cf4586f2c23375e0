"""bench_idle -- clients that connect, say EHLO, and then nothing more."""

import selectors
import socket
import time


class IdleClients:
    """with IdleClients(address, 1000) as idle: idle.greeted of them have had
    their greeting and the answer to their EHLO; all stay connected."""

    QUIET = 3          # seconds without progress: the others get nothing
    DEADLINE = 60

    def __init__(self, address, count):
        self.address, self.count = address, count
        self.greeted = self.refused = 0

    def __enter__(self):
        self.sockets = []
        self.selector = selectors.DefaultSelector()
        for _ in range(self.count):
            self._connect()
            self._serve(0)
        self._wait()
        return self

    def __exit__(self, *_):
        self.selector.close()
        for sock in self.sockets:
            sock.close()

    def _connect(self):
        sock = socket.socket()
        sock.setblocking(False)
        self.sockets.append(sock)
        sock.connect_ex(self.address)
        self.selector.register(sock, selectors.EVENT_READ, "greeting")

    def _wait(self):
        end = time.monotonic() + self.DEADLINE
        progress = time.monotonic()
        while self.greeted + self.refused < self.count and \
                time.monotonic() < min(end, progress + self.QUIET):
            if self._serve(0.5):
                progress = time.monotonic()

    def _serve(self, timeout):
        """Answer what has come; returns whether anything has."""
        ready = self.selector.select(timeout)
        for key, _ in ready:
            try:
                said = key.fileobj.recv(4096)
            except OSError:
                said = b""
            if not said.startswith(b"2"):
                self.refused += 1
                self.selector.unregister(key.fileobj)
            elif key.data == "greeting":
                key.fileobj.send(b"EHLO idle.device.lan\r\n")
                self.selector.modify(key.fileobj, selectors.EVENT_READ, "ehlo")
            else:
                self.greeted += 1
                self.selector.unregister(key.fileobj)
        return bool(ready)
