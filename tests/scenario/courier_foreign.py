"""A courier and nodes that are not ours: recorded sessions of other programs are played to it.

usage: courier_foreign.py LIAISON-COURIERD FOLDER-OF-RECORDINGS KEY-UPDATES        prints TAP

A recording is a text of statements; their bytes are in hexadecimal, and indented lines go on with the last one:

    role dials | dialed        who made the connection, seen from the foreign node
    conf LINE                  a line of the courier's courier.conf
    peer BYTES                 one message of the foreign node, as it was recorded
    courier BYTES              the courier's next message is exactly this one
    received PRECEDENCE BYTES  the courier's post has this next, with that precedence
    send NODE PRECEDENCE BYTES the courier's post hands this over, and a transfer of the courier's brings it

Two things depend on the hour. The bundles that the courier makes have times of their own, so of them the meaning is
compared. And they may be a byte longer than the recorded ones, so the acknowledgments of the foreign node are
played with the lengths that came. A KEEPALIVE of the courier's may come at any time; one in the recording must come.
"""

import functools
import os
import pathlib
import signal
import socket
import struct
import subprocess
import sys
import time

import cbor2

from capture import CLIENT, CONTACT_HEADER_SIZE, Recorder
from courier_world import read_to_end, run_tests
from fake_post import FLASH, ROUTINE

XFER_SEGMENT, XFER_ACK, XFER_REFUSE, KEEPALIVE, SESS_TERM, MSG_REJECT, SESS_INIT = range(1, 8)
END, START = 1, 2
REPLY = 1
FIXED_SIZES = {XFER_ACK: 18, XFER_REFUSE: 10, KEEPALIVE: 1, SESS_TERM: 3, MSG_REJECT: 3}
TLS_RECORD_SIZE_MAX = 8192
TLS_APPLICATION_DATA = 23


class Wire:
    """One TCPCL connection, message by message."""

    def __init__(self, connection):
        self.connection = connection
        self.connection.settimeout(60)

    def exactly(self, size):
        data = b""
        while len(data) < size:
            part = self.connection.recv(size - len(data))
            assert part, f"the courier hung up, after {data.hex()}"
            data += part
        return data

    def contact(self):
        return self.exactly(6)

    def message(self):
        first = self.exactly(1)
        kind = first[0]
        if kind in FIXED_SIZES:
            return first + self.exactly(FIXED_SIZES[kind] - 1)
        if kind == SESS_INIT:
            data = first + self.exactly(20)
            data += self.exactly(struct.unpack(">H", data[-2:])[0] + 4)
            return data + self.exactly(struct.unpack(">I", data[-4:])[0])
        assert kind == XFER_SEGMENT, f"a message of type {kind}"
        data = first + self.exactly(9)
        if data[1] & START:
            data += self.exactly(4)
            data += self.exactly(struct.unpack(">I", data[-4:])[0])
        data += self.exactly(8)
        return data + self.exactly(struct.unpack(">Q", data[-8:])[0])

    def transfer(self, acknowledge):
        """A whole transfer: its id, its bundle, and the flags and the sum of each segment."""
        bundle, parts = b"", []
        while not parts or not parts[-1][0] & END:
            message = self.message()
            if message[0] == KEEPALIVE:
                continue
            assert message[0] == XFER_SEGMENT, message.hex()
            at = 10
            if message[1] & START:
                at += 4 + struct.unpack(">I", message[10:14])[0]
            bundle += message[at + 8:]
            parts.append((message[1], len(bundle)))
            if acknowledge:
                self.connection.sendall(
                    bytes([XFER_ACK, message[1]]) + message[2:10] + struct.pack(">Q", len(bundle)))
        return message[2:10], bundle, parts


def statements(path):
    lines = []
    for line in path.read_text().splitlines():
        if line.startswith(" "):
            lines[-1] += line.strip()
        elif line and not line.startswith("#"):
            lines.append(line)
    for line in lines:
        word, rest = line.split(" ", 1)
        yield word, rest


def endpoint(eid):
    scheme, part = eid
    return "ipn:" + ".".join(map(str, part)) if scheme == 2 else f"dtn:{part}"


def blocks_of(bundle):
    """The primary block, and what the others hold, by type."""
    primary, *blocks = cbor2.loads(bundle)
    return primary, {block[0]: block[4] for block in blocks}


class Player:
    """Says what the foreign node said, and compares what the courier answers."""

    def __init__(self, courier, connection, post):
        self.courier = courier
        self.wire = Wire(connection)
        self.post = post
        self.met = False
        self.stopping = False
        self.received = 0
        self.parts = {}  # of own transfers that wait for their acknowledgments: id -> parts

    def peer(self, text):
        message = bytes.fromhex(text)
        if message[0] == XFER_ACK:
            flags, size = self.parts[message[2:10]].pop(0)
            assert flags == message[1], "the courier cut its transfer otherwise"
            message = message[:10] + struct.pack(">Q", size)
        self.wire.connection.sendall(message)

    def courier_says(self, text):
        expected = bytes.fromhex(text)
        if expected[0] == SESS_TERM and not expected[1] & REPLY:
            self.courier.process.send_signal(signal.SIGTERM)
            self.stopping = True
        answer = self.wire.message() if self.met else self.wire.contact()
        self.met = True
        while answer[0] == KEEPALIVE and expected[0] != KEEPALIVE:
            answer = self.wire.message()
        assert answer == expected, f"{answer.hex()} in the place of {expected.hex()}"

    def post_has(self, rest):
        precedence, text = rest.split(" ")
        self.received += 1
        self.post.wait(lambda: len(self.post.received) >= self.received, 10, "a message for the post")
        got = self.post.received[self.received - 1][1:]
        assert got == (int(precedence), bytes.fromhex(text)), got

    def post_sends(self, rest):
        node, precedence, text = rest.split(" ")
        assert self.post.send(node, int(precedence), bytes.fromhex(text))
        transfer, bundle, parts = self.wire.transfer(acknowledge=False)
        primary, blocks = blocks_of(bundle)
        service = f"{node}{precedence}" if node.startswith("dtn:") else f"{node[:-1]}{precedence}"
        assert endpoint(primary[3]) == service and endpoint(primary[4]) == self.courier.node, primary
        assert blocks[1] == bytes.fromhex(text)
        self.parts[transfer] = parts

    def play(self, lines):
        acts = {"peer": self.peer, "courier": self.courier_says, "received": self.post_has, "send": self.post_sends}
        for word, rest in lines:
            acts[word](rest)
        assert not any(self.parts.values()), "the recording leaves transfers without an answer"


def play(world, path):
    lines = list(statements(path))
    conf = [rest for word, rest in lines if word == "conf"]
    role, = (rest for word, rest in lines if word == "role")
    courier = world.courier("alpha", "ipn:1001.0")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        if role == "dialed":
            conf[0] += f" dial address 127.0.0.1:{listener.getsockname()[1]}"
        courier.configure(*conf)
        courier.up()
        if role == "dialed":
            listener.settimeout(60)
            connection, _ = listener.accept()
        else:
            connection = socket.create_connection(("127.0.0.1", courier.port), 60)
    player = Player(courier, connection, courier.post)
    player.play([line for line in lines if line[0] not in ("conf", "role")])
    connection.shutdown(socket.SHUT_WR)
    assert connection.recv(100).strip(bytes([KEEPALIVE])) == b"", "it said more"
    connection.close()
    assert (courier.process.wait(60) if player.stopping else courier.stop()) == 0
    assert "the session ended" in courier.log() and "refused" not in courier.log(), courier.log()


def named(name, function, **arguments):
    act = functools.partial(function, **arguments)
    act.__name__ = name
    return act


def recorded(folder, name, title):
    return named(title, play, path=folder / f"{name}.txt")


def wait_for_session(courier, name):
    courier.post.wait(lambda: courier.post.route_state(name) == 1, 10, f"the route to {name}")


def sess_init(node, transfer_mru=131072):
    text = node.encode()
    return struct.pack(">BHQQH", SESS_INIT, 30, 16384, transfer_mru, len(text)) + text + bytes(4)


def plain_peer(courier, node):
    """A session of a foreign node with the courier, on a closed link."""
    wire = Wire(socket.create_connection(("127.0.0.1", courier.port), 60))
    wire.connection.sendall(b"dtn!\x04\x00")
    assert wire.contact()[:5] == b"dtn!\x04"
    wire.connection.sendall(sess_init(node))
    assert wire.message()[0] == SESS_INIT
    return wire


def one_that_takes_no_fragments_gets_bundles_whole(world):
    courier = world.courier("alpha", "ipn:1001.0")
    courier.configure("neighbour relay node ipn:10.0 closed fragments none", "path ipn:3003.0 via relay",
        "neighbour other node ipn:11.0 closed", "path ipn:4004.0 via other")
    courier.up()
    for node, destination, whole in (("ipn:10.0", "ipn:3003.0", True), ("ipn:11.0", "ipn:4004.0", False)):
        wire = plain_peer(courier, node)
        sealed = os.urandom(60000)
        courier.post.send(destination, ROUTINE, sealed)
        held = {}
        while sum(map(len, held.values())) < len(sealed):
            _, bundle, _ = wire.transfer(acknowledge=True)
            primary, blocks = blocks_of(bundle)
            assert bool(primary[1] & 1) != whole, "a fragment" if whole else "no fragment"
            held[0 if whole else primary[8]] = blocks[1]
        assert b"".join(part for _, part in sorted(held.items())) == sealed
        wire.connection.close()


def one_that_comes_again_and_again_holds_three_sessions_at_most(world):
    """It answers no SESS_TERM and hangs up on none of its sessions."""
    courier = world.courier("alpha", "ipn:1001.0")
    courier.configure("neighbour restless node ipn:10.0 closed")
    courier.up()
    wires = [plain_peer(courier, "ipn:10.0") for _ in range(9)]
    begin = time.monotonic()
    for wire in wires[:-2]:
        assert read_to_end(wire.connection)[:1] == bytes([SESS_TERM])
    assert time.monotonic() - begin < 4.5, "they were left to end in their own time"
    assert wires[-2].message()[0] == SESS_TERM
    sealed = os.urandom(100)
    courier.post.send("ipn:10.0", ROUTINE, sealed)
    _, bundle, _ = wires[-1].transfer(acknowledge=True)
    assert blocks_of(bundle)[1][1] == sealed
    for wire in wires:
        wire.connection.close()


def new_keys_are_not_made_for_one_that_does_not_read(world, program):
    courier = world.courier("alpha", "ipn:1001.0")
    courier.configure("neighbour vessel node ipn:7.0 client-certificate none")
    courier.up()
    taken = int(subprocess.run([program, str(courier.port)], check=True, capture_output=True, timeout=60).stdout)
    print(f"# it took {taken} bytes")
    assert 10000 < taken < 1000000, taken


def tls_records_are_short(world):
    """A peer that reads 10 KiB at a time and then asks the socket for more must see the end of each record."""
    a, b = world.pair()
    recorder = Recorder.tcp(lambda: b.port)
    a.configure(a.line_for(b, "dial").replace(str(b.port), str(recorder.port)))
    b.up()
    a.up()
    a.link_is_up(b)
    a.post.send(b.node, FLASH, os.urandom(70000))
    b.post.wait(lambda: b.post.received, 10, "the message")
    said = recorder.heard(recorder.connections[-1], CLIENT)[CONTACT_HEADER_SIZE:]
    sizes = []
    while said:
        kind, _, size = struct.unpack(">BHH", said[:5])
        if kind == TLS_APPLICATION_DATA:
            sizes.append(size)
        said = said[5 + size:]
    assert sum(sizes) > 70000 and max(sizes) <= TLS_RECORD_SIZE_MAX + 17, sizes


def main():
    folder = pathlib.Path(sys.argv[2])
    tests = (
        recorded(folder, "hdtn-dials", "a_recorded_session_that_HDTN_dialed"),
        recorded(folder, "hdtn-dialed", "a_recorded_session_with_HDTN_that_was_dialed"),
        recorded(folder, "demo-agent-dials", "a_recorded_session_that_the_demonstration_agent_dialed"),
        recorded(folder, "demo-agent-dialed", "a_recorded_session_with_the_demonstration_agent_that_was_dialed"),
        one_that_takes_no_fragments_gets_bundles_whole,
        one_that_comes_again_and_again_holds_three_sessions_at_most,
        tls_records_are_short,
        named("new_keys_are_not_made_for_one_that_does_not_read", new_keys_are_not_made_for_one_that_does_not_read,
            program=sys.argv[3]),
    )
    return run_tests(tests, sys.argv[1], sys.argv[4:])


if __name__ == "__main__":
    sys.exit(main())
