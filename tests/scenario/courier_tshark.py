"""What two couriers say to each other, decoded by tshark.

usage: courier_tshark.py LIAISON-COURIERD

The connection runs through a recorder; what it saw is written as a capture file, so that nobody needs to
listen on an interface. The session under TLS needs a build with test hooks (keylog)."""

import collections
import os
import shutil
import socket
import struct
import subprocess
import sys
import threading

from courier_world import run_tests
from fake_post import CARRIED, FLASH, PRIORITY, ROUTINE

TCPCL_PORT = 4556


class Recorder:
    """Passes one connection at a time on to `port` and keeps what went each way, in order."""

    def __init__(self, port):
        self.target = port
        self.parts = []  # (from the client, bytes)
        self.lock = threading.Lock()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            self.parts.clear()
            server = socket.create_connection(("127.0.0.1", self.target))
            for source, to, from_client in ((client, server, True), (server, client, False)):
                threading.Thread(target=self._pass, args=(source, to, from_client), daemon=True).start()

    def _pass(self, source, to, from_client):
        while True:
            try:
                part = source.recv(1400)
            except OSError:
                part = b""
            with self.lock:
                if part:
                    self.parts.append((from_client, part))
                try:
                    to.sendall(part) if part else to.shutdown(socket.SHUT_WR)
                except OSError:
                    return
            if not part:
                return


def checksum(data):
    data += b"\0" * (len(data) % 2)
    total = sum(struct.unpack(f">{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def packet(from_client, sequence, acknowledged, flags, data):
    client, server = bytes([10, 0, 0, 1]), bytes([10, 0, 0, 2])
    source, to = (client, server) if from_client else (server, client)
    ports = (50000, TCPCL_PORT) if from_client else (TCPCL_PORT, 50000)
    tcp = struct.pack(">HHIIBBHHH", *ports, sequence, acknowledged, 5 << 4, flags, 65535, 0, 0) + data
    pseudo = source + to + struct.pack(">BBH", 0, 6, len(tcp))
    tcp = tcp[:16] + struct.pack(">H", checksum(pseudo + tcp)) + tcp[18:]
    ip = struct.pack(">BBHHHBBH4s4s", 0x45, 0, 20 + len(tcp), 0, 0, 64, 6, 0, source, to)
    return ip[:10] + struct.pack(">H", checksum(ip)) + ip[12:] + tcp


def write_capture(path, parts):
    """A capture file of raw IP packets (link type 101): a handshake, the parts, two FINs."""
    syn, fin, ack, push = 2, 1, 16, 8
    counts = {True: 1000, False: 2000}
    packets = [packet(True, 1000, 0, syn, b""), packet(False, 2000, 1001, syn | ack, b"")]
    counts = {True: 1001, False: 2001}
    packets.append(packet(True, 1001, 2001, ack, b""))
    for from_client, data in parts:
        packets.append(packet(from_client, counts[from_client], counts[not from_client], ack | push, data))
        counts[from_client] += len(data)
    for side in (True, False):
        packets.append(packet(side, counts[side], counts[not side], fin | ack, b""))
        counts[side] += 1
    with open(path, "wb") as file:
        file.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 262144, 101))
        for number, data in enumerate(packets):
            file.write(struct.pack("<IIII", number, 0, len(data), len(data)) + data)


def tshark(*arguments):
    return subprocess.run(["tshark", *arguments], capture_output=True, text=True, check=True,
        timeout=60).stdout


def fields(capture, preferences, display, *names):
    wanted = [part for name in names for part in ("-e", name)]
    return [line.split("\t") for line in tshark("-r", capture, *preferences, "-Y", display, "-T", "fields",
        *wanted).splitlines()]


def talk(world, extra_a, extra_b, *lines_a):
    """A session through the recorder, with bundles both ways, one of them large; ended in order."""
    a, b = world.pair()
    recorder = Recorder(b.port)
    b.configure(b.line_for(a, extra_b))
    true_port, b.port = b.port, recorder.port
    a.configure(a.line_for(b, f"dial {extra_a}"), *lines_a)
    b.port = true_port
    b.up()
    a.up()
    a.link_is_up(b)
    copies = [a.post.send(b.node, precedence, os.urandom(size))
        for precedence, size in ((ROUTINE, 300), (FLASH, 200), (PRIORITY, 60000))]
    b.post.send(a.node, ROUTINE, os.urandom(500))
    b.post.wait(lambda: len(b.post.received) == 3, 10, "messages one way")
    a.post.wait(lambda: len(a.post.received) == 1, 10, "a message the other way")
    a.post.wait(lambda: all(a.post.progress.get(copy) == CARRIED for copy in copies), 10, "acknowledgments")
    assert a.stop() == 0
    assert b.stop() == 0
    capture = str(world.place / "capture.pcap")
    with recorder.lock:
        write_capture(capture, recorder.parts)
    return capture


def check(capture, preferences):
    """Everything is decoded, and nothing is complained of."""
    assert tshark("-r", capture, *preferences, "-Y", "_ws.malformed") == ""
    # In two passes: only the second knows of acknowledgments that came later. (For bundles one pass must do,
    # since two lose those that stand in one packet.)
    marks = fields(capture, ("-2", *preferences), "_ws.expert && (tcpcl || bpv7)", "_ws.expert.message")
    # What is sealed has no dissector: tshark notes that of each payload, and nothing else.
    assert {text for line in marks for text in line[0].split(",")} <= {"Unknown type code"}, marks
    inits = fields(capture, preferences, "tcpcl.v4.mhdr.type == 7", "tcpcl.v4.sess_init.nodeid_data",
        "tcpcl.v4.sess_init.xfer_mru")
    nodes = sorted(node for line in inits for node in line[0].split(","))
    assert nodes == ["ipn:1001.0", "ipn:2002.0"], inits
    assert all(size == "131072" for line in inits for size in line[1].split(",")), inits
    bundles = fields(capture, preferences, "bpv7", "bpv7.primary.dst_uri", "bpv7.crc_status")
    counts = collections.Counter(uri for line in bundles for uri in line[0].split(","))
    # The large one goes in fragments, so that a FLASH could pass between them.
    assert counts.pop("ipn:2002.2") > 1, bundles
    assert counts == {"ipn:1001.1": 1, "ipn:2002.1": 1, "ipn:2002.4": 1}, bundles
    # 1 is "Good"; three blocks, each with a checksum.
    statuses = [status for line in bundles for status in line[1].split(",")]
    assert len(statuses) >= 12 and set(statuses) == {"1"}, statuses
    terms = fields(capture, preferences, "tcpcl.v4.mhdr.type == 5", "tcpcl.v4.sess_term.flags.reply")
    assert len([flag for line in terms for flag in line[0].split(",")]) == 2, terms


def a_closed_link_is_decoded(world):
    if not shutil.which("tshark"):
        return "tshark is not installed"
    check(talk(world, "closed", "closed"), ())
    return None


def a_link_under_tls_is_decoded_with_its_keys(world):
    if not shutil.which("tshark"):
        return "tshark is not installed"
    keys = world.place / "keys.log"
    if subprocess.run([world.program, "--dir", world.place, "--test-forbidden", "x"],
            capture_output=True, text=True).returncode == 2:
        return "this build has no test hooks"
    capture = talk(world, "", "", f"keylog {keys}")
    check(capture, ("-o", f"tls.keylog_file:{keys}"))
    # Without the keys nothing of it can be read.
    assert fields(capture, (), "bpv7", "bpv7.primary.dst_uri") == []
    return None


TESTS = (a_closed_link_is_decoded, a_link_under_tls_is_decoded_with_its_keys)

if __name__ == "__main__":
    sys.exit(run_tests(TESTS, sys.argv[1], sys.argv[2:]))
