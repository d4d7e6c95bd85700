"""A TCP proxy before a server's unix socket, which watches what goes through and can cut it."""

from __future__ import annotations

import socket
import struct
from collections.abc import Callable
from contextlib import suppress
from threading import Lock, Thread

from psycopg.conninfo import conninfo_to_dict, make_conninfo

# Sees what is about to be forwarded and the bytes forwarded so far, both ways; returns how many bytes of it go on
# before the end, or None for all of it
Watch = Callable[[bytes, int], int | None]
_RESET = struct.pack("ii", 1, 0)


class Proxy:
    """Forwards connections to the server of a URL; `url` leads through it."""

    def __init__(self, url: str) -> None:
        parts = conninfo_to_dict(url)
        self._server = f"{parts['host']}/.s.PGSQL.{parts.get('port') or 5432}"
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = make_conninfo(url, host="127.0.0.1", port=self._listener.getsockname()[1])
        self._lock = Lock()
        self._open: list[socket.socket] = []
        self._watch: Watch | None = None
        self._at_the_end: Callable[[], None] = self.cut
        self._is_forgetful = False
        self.is_down = False
        self.bytes = 0
        Thread(target=self._accept, daemon=True).start()

    def arm(self, watch: Watch, then: Callable[[], None] | None = None) -> None:
        """Count from 0, and when `watch` says so do `then`, once; by default cut all connections."""
        with self._lock:
            self.bytes, self._watch, self._at_the_end = 0, watch, then or self.cut

    @property
    def has_struck(self) -> bool:
        """Whether what it was armed for has come."""
        return self._watch is None

    def cut(self) -> None:
        """Reset every connection, on both sides."""
        while self._open:
            end = self._open.pop()
            with suppress(OSError):
                end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()

    def forget(self) -> None:
        """Reset the connections on the client's side only: the server goes on to believe in them."""
        self._is_forgetful = True
        for client in self._open[::2]:
            with suppress(OSError):
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
                client.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self._listener.close()
        self.cut()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            server = socket.socket(socket.AF_UNIX)
            try:
                if self.is_down:
                    raise ConnectionRefusedError
                server.connect(self._server)
            except OSError:
                client.close()
                server.close()
                continue
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._open += [client, server]
            Thread(target=self._forward, args=(client, server), daemon=True).start()
            Thread(target=self._forward, args=(server, client), daemon=True).start()

    def _forward(self, source: socket.socket, sink: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                with self._lock:
                    last = self._watch(data, self.bytes) if self._watch else None
                    if last is not None:
                        data, self._watch = data[:last], None
                    self.bytes += len(data)
                sink.sendall(data)
                if last is not None:
                    self._at_the_end()
        for end in () if self._is_forgetful else (source, sink):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)


def after_bytes(count: int) -> Watch:
    """Strike when so many bytes have gone through."""
    return lambda data, before: max(count - before, 0) if before + len(data) >= count else None


def at_statement(word: bytes, number: int, *, is_sent: bool) -> Watch:
    """Strike at the so many-th statement that holds a word, just before or just after it is sent."""
    seen = 0

    def watch(data: bytes, _: int) -> int | None:
        nonlocal seen
        seen += data.count(word)
        return (len(data) if is_sent else 0) if seen >= number else None

    return watch
