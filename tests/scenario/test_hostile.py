"""Garbage at every socket, and sealed bytes that come again, changed or to the wrong post: usage: test_hostile.py BUILD

The sealed bytes are caught at the link between a post and its courier, by a proxy that stands in the courier's place.
"""

import contextlib
import random
import socket
import struct
import sys

import cbor2

from line import Line, wait_for
from post_shell import LINK_HEAD, LINK_HEADS, LINK_HELLO, LINK_RECEIVED, LINK_TAKEN, Stream, frame, run_tests

chance = random.Random(20)
line = None
facts = {}


def garbage():
    yield b""
    yield b"\0" * 100
    yield b"\xff" * 70_000
    yield b"GET / HTTP/1.1\r\n\r\n"
    yield b"dtn!\x04\x01" + b"\x16\x03\x03\xff\xff" * 50
    yield b"dtn!\x04\x00" + bytes([7]) + b"\xff" * 60
    yield struct.pack(">I", 0xFFFFFFFF) + b"\x9f" * 100
    yield frame([LINK_HELLO, 1, 2, "ipn:9.0"])[:-1] + b"\xff"
    for _ in range(30):
        yield chance.randbytes(chance.randrange(1, 3000))


def throw(connect):
    for data in garbage():
        with connect() as peer:
            peer.settimeout(0.05)
            with contextlib.suppress(ConnectionError, TimeoutError):  # it may hang up, or wait for more
                peer.sendall(data)
                peer.recv(4096)


def unix(path):
    peer = socket.socket(socket.AF_UNIX)
    peer.connect(path)
    return peer


def is_refused(connect, data, daemon, line_end):
    """The daemon hangs up, and writes one line with that reason."""
    before = daemon.log()
    with connect() as peer:
        peer.settimeout(5)
        with contextlib.suppress(ConnectionError):
            peer.sendall(data)
            while peer.recv(4096):
                pass
    # Other lines may come meanwhile, of a session between the two couriers.
    def told():
        return [each for each in daemon.log()[len(before):].splitlines() if each.endswith(line_end)]

    wait_for(told, f"the log says of {data[:20]} that {line_end}", 10)
    assert len(told()) == 1, (data[:20], told())


def each_kind_of_garbage_is_refused_with_its_reason_in_one_line():
    for side in line.sides:
        wait_for(lambda side=side: listens(side.port), f"the courier of the {side.name} listens")
        line.wait_until_quiet()
    alliance, federation = line.sides
    for side, data, reason in (
            (alliance, b"GET / HTTP/1.1\r\n\r\n", "is gone: the peer's first bytes are not a TCPCL contact header"),
            (alliance, b"dtn!\x04\x01" + b"\x16\x03\x03\xff\xff" * 50, "was turned away: packet length too long"),
            (federation, b"dtn!\x04\x00\7" + b"\xff" * 60,
             "was turned away: the peer does not offer TLS, and the link is not closed"),
            (federation, b"dtn!\x05\x01\7" + b"\xff" * 60, "is gone: the peer speaks another version of TCPCL")):
        is_refused(lambda side=side: socket.create_connection(("127.0.0.1", side.port)), data, side.courier, reason)
    for data, reason in (
            (b"\xff" * 70_000, "refused: a frame at the local socket: an item is larger than its limit"),
            (struct.pack(">I", 3) + b"\xff\xff\xff",
             "refused: a request at the local socket: the bytes are not of the form that the format says")):
        is_refused(lambda: unix(alliance.path("post.sock")), data, alliance.post, reason)
    is_refused(lambda: unix(alliance.path("courier.sock")), b"", alliance.post,
        "refused: a second courier, while one is connected: something of that name exists already")


def listens(port):
    try:
        socket.create_connection(("127.0.0.1", port)).close()
        return True
    except ConnectionRefusedError:
        return False


def garbage_at_every_socket_harms_nothing():
    for side in line.sides:
        wait_for(lambda side=side: listens(side.port), f"the courier of the {side.name} listens")
    pids = [daemon.process.pid for side in line.sides for daemon in side.daemons]
    for side in line.sides:
        throw(lambda side=side: socket.create_connection(("127.0.0.1", side.port)))
        throw(lambda side=side: unix(side.path("post.sock")))
        throw(lambda side=side: unix(side.path("courier.sock")))
    assert [daemon.process.pid for side in line.sides for daemon in side.daemons if daemon.is_running()] == pids, line.logs()
    message = line.alliance.send("After all that.", "-p", "flash")
    line.wait_until_held(line.federation, message)
    line.wait_for_state(line.alliance, message, "received")


def a_false_couriers_garbage_is_refused_with_its_reason():
    for side in line.sides:
        side.courier.end()
    hello = frame([LINK_HELLO, 1, 2, "ipn:9.0"])
    for data, reason in (
            (b"\xff" * 70_000, "an item is larger than its limit"),
            (hello[:-1] + b"\xff", "a text holds characters that are invalid, or that control or reorder what is shown"),
            (frame([LINK_HELLO, 2, 2, "ipn:9.0"]), "the version is not one that this program speaks"),
            (hello + hello, "this cannot be done in the present state"),
            (frame([LINK_RECEIVED, 1, "ipn:1.0", 1, b"before HELLO"]), "this cannot be done in the present state"),
            (hello + frame([LINK_RECEIVED, 0, "ipn:1.0", 1, b"x"]), "a number is outside the range that the format allows"),
            (hello + frame([LINK_TAKEN, 1]), "the bytes ask for something that this program does not do")):
        is_refused(lambda: unix(line.alliance.path("courier.sock")), data, line.alliance.post,
            "refused: a message from the courier: " + reason)


class FalseCourier(Stream):
    """Speaks base/link.h to a post in the place of its courier."""

    def __init__(self, side, tells_heads=True):
        super().__init__(side.path("courier.sock"))
        self.deliveries = chance.randrange(1 << 40)
        self.send([LINK_HELLO, 1, 2, side.node])
        assert self.next()[0] == LINK_HELLO
        if tells_heads:
            self.send([LINK_HEADS, []])

    def next_of(self, kind):
        while True:
            message = self.next()
            if message[0] == kind:
                return message

    def deliver(self, sealed, precedence=1):
        """Returns once the post has dealt with it."""
        self.deliveries += 1
        self.send([LINK_RECEIVED, self.deliveries, "ipn:1001.0", precedence, sealed])
        assert self.next_of(LINK_TAKEN)[1] == self.deliveries


def nothing_is_said_before_a_courier_has_told_its_heads():
    """A head would take the place of the one that tells the post that it was set back."""
    with FalseCourier(line.alliance, tells_heads=False) as courier:
        line.alliance.send("Committed before.", "-p", "routine")
        assert courier.next_within(0.5) is None
        courier.send([LINK_HEADS, []])
        assert courier.next_of(LINK_HEAD)[1][1] > 0


def sealed_bytes_are_caught():
    """What the alliance's post hands its courier for one text."""
    with FalseCourier(line.alliance) as courier:
        # No statement goes at this precedence.
        facts["message"] = line.alliance.send("Caught on the way.", "-p", "immediate")
        while True:
            message = courier.next_of(2)
            facts["sealed"] = message[5]
            assert cbor2.loads(message[5])[0] == bytes.fromhex("a101182a")
            if message[3] == 3:
                break


def refused(side=None):
    return sum(row["count"] for row in (side or line.federation).status()["refused"])


def refused_for(name):
    return sum(row["count"] for row in line.federation.status()["refused"] if row["name"] == name)


def shown():
    return [row["reference"] for row in line.federation.inbox()].count(facts["message"])


def the_same_bytes_again_are_shown_once():
    with FalseCourier(line.federation) as courier:
        courier.deliver(facts["sealed"])
        assert shown() == 1
        entries = line.federation.json("log")["entries"]
        for _ in range(20):
            courier.deliver(facts["sealed"])
        assert shown() == 1
        assert line.federation.json("log")["entries"] == entries


def changed_bytes_are_refused_and_counted():
    entries = line.federation.json("log")["entries"]
    with FalseCourier(line.federation) as courier:
        before, sent = refused(), 0
        sealed = facts["sealed"]
        for at in sorted({0, 1, 5, len(sealed) - 1, *(chance.randrange(len(sealed)) for _ in range(40))}):
            changed = bytearray(sealed)
            changed[at] ^= 1 << chance.randrange(8)
            courier.deliver(bytes(changed))
            sent += 1
        for other, name in (
                (sealed[:-1], "TRUNCATED"), (sealed + b"\0", "TRAILING"), (b"\0", "WRONG_TYPE"), (b"\x9f" * 300, "NOT_CANONICAL")):
            of_that = refused_for(name)
            courier.deliver(other)
            sent += 1
            assert refused_for(name) == of_that + 1, (name, line.federation.status()["refused"])
        assert refused() - before == sent, (refused(), before, sent)
    assert line.federation.json("log")["entries"] == entries and shown() == 1


def bytes_for_another_post_are_refused_and_counted():
    side = line.alliance
    before = refused(side)
    inbox = side.inbox()
    with FalseCourier(side) as courier:
        courier.deliver(facts["sealed"])  # its own, reflected
    assert refused(side) == before + 1 and side.inbox() == inbox


def the_logs_tell_reasons_and_no_content():
    for side in line.sides:
        for daemon in side.daemons:
            log = daemon.log()
            assert "Caught on the way" not in log and "After all that" not in log, log
            assert facts["sealed"].hex()[:32] not in log.lower()
    assert line.federation.post.log().count("\n") < 60


def then_the_line_goes_on():
    for side in line.sides:
        side.courier.start()
    message = line.federation.send("Still here.", "-p", "flash")
    line.wait_until_held(line.alliance, message, 60)
    line.wait_for_state(line.federation, message, "received", 60)
    line.wait_until_heads_agree(90)


if __name__ == "__main__":
    with Line(sys.argv[1]) as line:
        run_tests(
            each_kind_of_garbage_is_refused_with_its_reason_in_one_line,
            a_false_couriers_garbage_is_refused_with_its_reason,
            nothing_is_said_before_a_courier_has_told_its_heads,
            sealed_bytes_are_caught,
            the_same_bytes_again_are_shown_once,
            changed_bytes_are_refused_and_counted,
            bytes_for_another_post_are_refused_and_counted,
            then_the_line_goes_on,
            garbage_at_every_socket_harms_nothing,
            the_logs_tell_reasons_and_no_content,
        )
