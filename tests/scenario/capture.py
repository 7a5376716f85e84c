"""Recorders that stand between two programs, and what tshark makes of what they heard.

What a recorder heard is written as a capture file, so that nobody needs to listen on an interface.
"""

import collections
import os
import socket
import struct
import subprocess
import threading
import time

TCPCL_PORT = 4556
CONTACT_HEADER_SIZE, CAN_TLS = 6, 1  # RFC 9174, section 4.2
TLS_HEADER_SIZE = 5
CLIENT, SERVER = True, False  # who sent a part: the end that connected, or the one that it reached
PATIENCE_S = 20  # for the end that is to be reached to listen; the one that connected knows nothing of it


class Recorder:
    """Passes connections on and keeps what went each way, in order: one list of (sender, bytes) for each connection.

    `listener` takes them; `connect` gives a connection to where they are meant to go, or OSError as long as nobody listens
    there. A recorder with an `allowance` breaks its connections when so many more bytes have come from the connecting ends.
    """

    def __init__(self, listener, connect):
        self.listener, self.connect = listener, connect
        self.connections = []
        self.allowance = None
        self.closed = False
        self.lock = threading.Lock()
        threading.Thread(target=self._serve, daemon=True).start()

    @classmethod
    def tcp(cls, port):
        """On loopback, for `port()`. Where it listens is its own `port`."""
        recorder = cls(socket.create_server(("127.0.0.1", 0)), lambda: socket.create_connection(("127.0.0.1", port())))
        recorder.port = recorder.listener.getsockname()[1]
        return recorder

    @classmethod
    def unix(cls, path, target):
        """At `path`, for the socket at `target()`."""
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(str(path))
        listener.listen(16)
        return cls(listener, lambda: connect_unix(target()))

    def close(self):
        """No more connections; those that are there go on."""
        self.closed = True
        self.listener.close()

    def heard(self, connection, sender):
        """All bytes of one end of a connection."""
        with self.lock:
            return stream_of(connection, sender)

    def _serve(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._join, args=(client,), daemon=True).start()

    def _join(self, client):
        try:
            server = self._reach()
        except OSError:
            client.close()
            return
        parts = []
        with self.lock:
            self.connections.append(parts)
        ends = [threading.Thread(target=self._pass, args=arguments, daemon=True)
                for arguments in ((client, server, CLIENT, parts), (server, client, SERVER, parts))]
        for end in ends:
            end.start()
        for end in ends:
            end.join()
        client.close()
        server.close()

    def _reach(self):
        end = time.monotonic() + PATIENCE_S
        while True:
            try:
                return self.connect()
            except OSError:
                if self.closed or time.monotonic() > end:
                    raise
                time.sleep(0.02)

    def _pass(self, source, to, sender, parts):
        while True:
            try:
                part = source.recv(1400)
            except OSError:
                part = b""
            with self.lock:  # what is passed on is in the order of what is kept
                if part and sender is CLIENT and self.allowance is not None:
                    self.allowance -= len(part)
                    if self.allowance < 0:
                        part = b""
                if part:
                    parts.append((sender, part))
            try:
                if part:
                    to.sendall(part)
                elif self.allowance is not None and self.allowance < 0:
                    break
                else:
                    to.shutdown(socket.SHUT_WR)
                    return
            except OSError:
                break
        for end in (source, to):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass


def connect_unix(path):
    connection = socket.socket(socket.AF_UNIX)
    try:
        connection.connect(str(path))
    except OSError:
        connection.close()
        raise
    return connection


# ---- capture files ----


def checksum(data):
    data += b"\0" * (len(data) % 2)
    total = sum(struct.unpack(f">{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def packet(sender, client_port, sequence, acknowledged, flags, data):
    client, server = bytes([10, 0, 0, 1]), bytes([10, 0, 0, 2])
    source, to = (client, server) if sender is CLIENT else (server, client)
    ports = (client_port, TCPCL_PORT) if sender is CLIENT else (TCPCL_PORT, client_port)
    tcp = struct.pack(">HHIIBBHHH", *ports, sequence, acknowledged, 5 << 4, flags, 65535, 0, 0) + data
    pseudo = source + to + struct.pack(">BBH", 0, 6, len(tcp))
    tcp = tcp[:16] + struct.pack(">H", checksum(pseudo + tcp)) + tcp[18:]
    ip = struct.pack(">BBHHHBBH4s4s", 0x45, 0, 20 + len(tcp), 0, 0, 64, 6, 0, source, to)
    return ip[:10] + struct.pack(">H", checksum(ip)) + ip[12:] + tcp


def stream_of(parts, sender):
    return b"".join(data for by, data in parts if by is sender)


def is_under_tls(parts):
    """True if both contact headers (RFC 9174, section 4.2) say that TLS follows."""
    headers = [stream_of(parts, sender)[:CONTACT_HEADER_SIZE] for sender in (CLIENT, SERVER)]
    return all(len(header) == CONTACT_HEADER_SIZE and header[-1] & CAN_TLS for header in headers)


def record_ends(stream):
    """Where the contact header and each TLS record end."""
    ends, at = [], CONTACT_HEADER_SIZE
    while at <= len(stream):
        ends.append(at)
        at += TLS_HEADER_SIZE + int.from_bytes(stream[at + 3:at + TLS_HEADER_SIZE], "big")
    return ends


def cut_at_records(parts):
    """The same bytes in the same order, but no part reaches beyond the end of a TLS record.

    How much is read at once depends on how busy the machine is. tshark 4.0 knows a message by its packet and its offset, which
    begins anew in each record: where a SESS_INIT and another message are read at once, in two records, it takes the other for
    one that stands in the place of the SESS_INIT, and complains.
    """
    ends = {sender: record_ends(stream_of(parts, sender)) for sender in (CLIENT, SERVER)}
    at = {CLIENT: 0, SERVER: 0}
    for sender, data in parts:
        while data:
            end = next((end for end in ends[sender] if end > at[sender]), at[sender] + len(data))
            piece, data = data[:end - at[sender]], data[end - at[sender]:]
            at[sender] += len(piece)
            yield sender, piece


def packets_of(parts, client_port):
    """One connection: a handshake, the parts, two FINs."""
    syn, fin, ack, push = 2, 1, 16, 8
    if is_under_tls(parts):
        parts = cut_at_records(parts)
    counts = {CLIENT: 1001, SERVER: 2001}
    yield packet(CLIENT, client_port, 1000, 0, syn, b"")
    yield packet(SERVER, client_port, 2000, 1001, syn | ack, b"")
    yield packet(CLIENT, client_port, 1001, 2001, ack, b"")
    for sender, data in parts:
        yield packet(sender, client_port, counts[sender], counts[not sender], ack | push, data)
        counts[sender] += len(data)
    for sender in (CLIENT, SERVER):
        yield packet(sender, client_port, counts[sender], counts[not sender], fin | ack, b"")
        counts[sender] += 1


def write_capture(path, connections):
    """A capture file of raw IP packets (link type 101), one connection after another."""
    with open(path, "wb") as file:
        file.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 262144, 101))
        second = 0
        for number, parts in enumerate(connections):
            for data in packets_of(parts, 50000 + number):
                file.write(struct.pack("<IIII", second, 0, len(data), len(data)) + data)
                second += 1


def tshark(*arguments):
    # Of the user's own settings none: they could change what is decoded.
    return subprocess.run(
        ["tshark", *map(str, arguments)], capture_output=True, text=True, check=True, timeout=120,
        env={**os.environ, "HOME": "/nonexistent", "XDG_CONFIG_HOME": "/nonexistent"}).stdout


def fields(capture, preferences, display, *names):
    """The fields named of each packet that `display` selects."""
    wanted = [part for name in names for part in ("-e", name)]
    return [line.split("\t") for line in tshark(
        "-r", capture, *preferences, "-Y", display, "-T", "fields", *wanted).splitlines()]


def values(capture, preferences, display, *names):
    """All values of each field: a list for each."""
    lines = fields(capture, preferences, display, *names)
    return [[value for line in lines for value in line[at].split(",") if value] for at in range(len(names))]


def complaints(capture, preferences):
    """What tshark finds malformed, and what it remarks on sessions and bundles."""
    malformed = tshark("-r", capture, *preferences, "-Y", "_ws.malformed")
    # In two passes: only the second knows of acknowledgments that came later. (For bundles one pass must do, since two
    # lose those that stand in one packet.)
    remarks, = values(capture, ("-2", *preferences), "_ws.expert && (tcpcl || bpv7)", "_ws.expert.message")
    return malformed, set(remarks)


def refusals(capture, preferences):
    """The reasons for which transfers were refused."""
    reasons, = values(capture, preferences, "tcpcl.v4.xfer_refuse.reason", "tcpcl.v4.xfer_refuse.reason")
    return set(reasons)


def decrypted(capture, keys, number):
    """What each end of connection `number` sent under TLS: {CLIENT: bytes, SERVER: bytes}."""
    text = tshark("-r", capture, "-o", f"tls.keylog_file:{keys}", "-q", "-z", f"follow,tls,raw,{number}")
    heard = {CLIENT: b"", SERVER: b""}
    for line in text.splitlines():
        # The server's lines are indented.
        data = line.strip()
        if data and all(digit in "0123456789abcdef" for digit in data):
            heard[SERVER if line.startswith("\t") else CLIENT] += bytes.fromhex(data)
    return heard


# ---- sessions (RFC 9174) ----


def transfers(data):
    """The bundles in what one end of a session sent after its contact header, whole ones only: segments put together."""
    at, bundle = 0, b""

    def take(size):
        nonlocal at
        at += size
        if at > len(data):
            raise EOFError
        return data[at - size:at]

    def number(size):
        return int.from_bytes(take(size), "big")

    while at < len(data):
        try:
            kind = number(1)
            if kind == 7:  # SESS_INIT
                take(2 + 8 + 8)
                take(number(2))
                take(number(4))
            elif kind == 1:  # XFER_SEGMENT
                flags = number(1)
                take(8)
                if flags & 2:
                    take(number(4))
                    bundle = b""
                bundle += take(number(8))
                if flags & 1:
                    yield bundle
                    bundle = b""
            else:
                take({2: 1 + 8 + 8, 3: 1 + 8, 4: 0, 5: 2, 6: 2}[kind])
        except EOFError:
            return
