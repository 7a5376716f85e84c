"""A post as a courier sees it: base/link.h over a Unix socket, spoken with Debian's python3-cbor2.

It keeps no record and opens no seal: it hands over bytes, and remembers what came and what it was told.
"""

import os
import socket
import struct
import threading
import time

import cbor2

HELLO, SEND, CANCEL, ROUTE_WANTED, TAKEN, RECEIVED, PROGRESS, ROUTES, HEAD, HEADS, LEFT = range(1, 12)
QUEUED, CARRIED, FAILED, EXPIRED = range(1, 5)
ROUTINE, PRIORITY, IMMEDIATE, FLASH = range(1, 5)
WINDOW_SIZE_MAX = 12288
PATIENCE = 6  # times as long as it takes on an idle machine: a wait ends with what is waited for


def frame(message):
    content = cbor2.dumps(message, canonical=True)
    return struct.pack(">I", len(content)) + content


class FakePost:
    """Listens at `path` and serves one courier at a time, in a thread of its own."""

    def __init__(self, path, node):
        self.path = path
        self.node = node
        self.lock = threading.Condition()
        self.received = []  # (time, precedence, sealed), in order
        self.progress = {}  # id -> state last told
        self.reasons = {}  # id -> reason of a failure
        self.queued = set()  # ids that were ever reported as queued
        self.routes, self.full = [], None
        self.heads = None
        self.connections = 0
        self.taking = True
        self.leaving = lambda sealed: False  # what is answered LEFT
        self.taken = {}  # sealed -> time when TAKEN was written
        self.waiting = {}  # id -> (precedence, size): SENDs that have no PROGRESS yet
        self.connection = None
        self.stopped = False
        if os.path.exists(path):
            os.unlink(path)
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.listener.bind(path)
        self.listener.listen(4)
        self.thread = threading.Thread(target=self._serve, daemon=True)
        self.thread.start()

    def stop(self):
        self.stopped = True
        self.listener.close()
        self.hang_up()

    def hang_up(self):
        with self.lock:
            if self.connection:
                try:
                    self.connection.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass

    # ---- the courier's side ----

    def _serve(self):
        while not self.stopped:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            try:
                self._talk(connection)
            except OSError:
                pass
            with self.lock:
                self.connection = None
                self.waiting.clear()
                self.lock.notify_all()
            connection.close()

    def _talk(self, connection):
        connection.sendall(frame([HELLO, 1, 1, self.node]))
        hello = self._read(connection)
        if hello is None:
            return
        assert hello[:3] == [HELLO, 1, 2], hello
        with self.lock:
            self.connection = connection
            self.connections += 1
            self.lock.notify_all()
        while True:
            message = self._read(connection)
            if message is None:
                return
            with self.lock:
                self._handle(message)
                self.lock.notify_all()

    def _read(self, connection):
        head = self._read_exactly(connection, 4)
        if head is None:
            return None
        content = self._read_exactly(connection, struct.unpack(">I", head)[0])
        if content is None:
            return None
        message = cbor2.loads(content)
        assert cbor2.dumps(message, canonical=True) == content, "not in deterministic CBOR"
        return message

    @staticmethod
    def _read_exactly(connection, size):
        data = b""
        while len(data) < size:
            part = connection.recv(size - len(data))
            if not part:
                return None
            data += part
        return data

    def _handle(self, message):
        if message[0] == RECEIVED:
            _, delivery, _, precedence, sealed = message
            self.received.append((time.monotonic(), precedence, sealed))
            if self.leaving(sealed):
                self.connection.sendall(frame([LEFT, delivery]))
            elif self.taking:
                self.taken.setdefault(sealed, time.monotonic())
                self.connection.sendall(frame([TAKEN, delivery]))
        elif message[0] == PROGRESS:
            _, identity, state, _, reason = message
            self.waiting.pop(identity, None)
            self.progress[identity] = state
            if reason:
                self.reasons[identity] = reason
            if state in (QUEUED, CARRIED):
                self.queued.add(identity)
        elif message[0] == ROUTES:
            self.routes, self.full = message[1:]
        elif message[0] == HEADS:
            self.heads = message[1]
        else:
            raise AssertionError(message)

    # ---- the test's side ----

    def wait(self, condition, timeout, what):
        end = time.monotonic() + timeout * PATIENCE
        with self.lock:
            while not condition():
                left = end - time.monotonic()
                if left <= 0:
                    raise AssertionError(f"in vain for {timeout * PATIENCE} s: {what}")
                self.lock.wait(left)

    def wait_up(self, timeout=5):
        self.wait(lambda: self.connection, timeout, "the courier's link")

    def _window_open(self, precedence, size):
        ahead = sum(s for p, s in self.waiting.values() if p >= precedence)
        return ahead == 0 or ahead + size <= WINDOW_SIZE_MAX

    def send(self, destination, precedence, sealed, identity=None, lifetime_ms=3600000, timeout=10):
        """Hands one copy over, when the window lets it. False if the link broke meanwhile."""
        identity = identity or os.urandom(16)
        with self.lock:
            end = time.monotonic() + timeout * PATIENCE
            while self.connection and not self._window_open(precedence, len(sealed)):
                assert self.lock.wait(end - time.monotonic()), "the window did not open"
            if not self.connection:
                return None
            self.waiting[identity] = (precedence, len(sealed))
            try:
                self.connection.sendall(
                    frame([SEND, identity, destination, precedence, lifetime_ms, sealed, ""]))
            except OSError:
                return None
        return identity

    def want(self, route, hold):
        with self.lock:
            self.connection.sendall(frame([ROUTE_WANTED, route, hold]))

    def sign_head(self, origin, size):
        """Hands over a head: of what log and with what signature is nothing to the courier."""
        with self.lock:
            self.connection.sendall(frame([HEAD, [origin, size, bytes([size % 256]) * 32, bytes(64)]]))

    def route_state(self, name):
        return next((r[2] for r in self.routes if r[0] == name), None)

    def queued_bytes(self, name):
        return next((r[4] for r in self.routes if r[0] == name), None)
