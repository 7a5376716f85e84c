"""How liaison-courierd ends, and how copies do: usage: courier_end.py LIAISON-COURIERD [TEST...]"""

import contextlib
import signal
import socket
import sqlite3
import struct
import sys
import time

from courier_world import run_tests, until
from fake_post import EXPIRED, FLASH


def a_neighbour_that_says_nothing_does_not_hold_up_the_end(world):
    """It is told that the session ends, and has its time; but who stops a courier may kill it after 5 s."""
    a, b = world.pair()
    b.configure("neighbour vessel node ipn:7.0 closed")
    b.up()
    hello = (b"dtn!\x04\x00\x07" + struct.pack(">HQQH", 0, 16384, 131072, 7) + b"ipn:7.0" + bytes(4))
    with socket.create_connection(("127.0.0.1", b.port), 60) as connection:
        connection.sendall(hello)
        until(lambda: b.post.route_state("vessel") == 1, 10, "the session stands")
        begin = time.monotonic()
        b.process.send_signal(signal.SIGTERM)
        said = b""
        while not said.endswith(b"\x05\x00\x00"):  # SESS_TERM
            more = connection.recv(4096)
            assert more, said
            said += more
        assert b.process.wait(60) == 0
    spent = time.monotonic() - begin
    assert 3 < spent < 30, f"it ended after {spent:.2f} s"


def what_a_busy_post_cannot_be_told_yet_waits(world):
    """More copies end at once than the link has room for, while the post reads nothing: each end is told, and the link holds."""
    a, b = world.pair()
    b.name = "b" * 64  # each report names the route
    a.configure(a.line_for(b))
    a.up()
    ends = time.time() + 20
    identities = [a.post.send(b.node, FLASH, b"x", lifetime_ms=int((ends - time.time()) * 1000)) for _ in range(9000)]
    a.post.wait(lambda: len(a.post.queued) == len(identities), 10, "every copy queued")
    assert time.time() < ends, "too slow to show anything"
    with a.post.lock: # so long the post handles nothing
        time.sleep(ends + 3 - time.time())
        assert EXPIRED not in a.post.progress.values()
    a.post.wait(lambda: set(a.post.progress.values()) == {EXPIRED}, 10, "the end of every copy")
    assert sorted(a.post.progress) == sorted(identities)
    assert a.post.connections == 1 and "does not read" not in a.log()


def a_queue_that_was_changed_on_the_disk_ends_it(world):
    """Rather than that it goes on in silence without what it was to do."""
    spoilt = (
        (b"H" + b"no origin", bytes.fromhex("83 05 5820") + bytes(32) + bytes.fromhex("5840") + bytes(64)),  # it has a space
        (b"D" + b"\0" + struct.pack(">Q", 7), b"\xff"),
        (b"D" + b"\0" + struct.pack(">I", 7), b""),
        (b"W" + b"\4", b""),
        (b"Q" + b"\4beta" + b"\0" + struct.pack(">Q", 7), b"x"),
        (b"H" + b"x" * 300, b""),
    )
    a, b = world.pair()
    b.up()
    for key, value in spoilt:
        a.up()
        a.link_is_up(b)
        assert a.stop() == 0
        with contextlib.closing(sqlite3.connect(a.directory / "queue.db")) as queue:
            queue.execute("INSERT INTO rows VALUES (?, ?)", (key, value))
            queue.commit()
        told = len(a.log())
        a.start()
        code = a.process.wait(60)
        assert code == 1 and "stops: queue.db holds what this program did not write: " in a.log()[told:], (key, a.log()[told:])
        (a.directory / "queue.db").unlink()


TESTS = (
    a_neighbour_that_says_nothing_does_not_hold_up_the_end,
    what_a_busy_post_cannot_be_told_yet_waits,
    a_queue_that_was_changed_on_the_disk_ends_it,
)

if __name__ == "__main__":
    sys.exit(run_tests(TESTS, sys.argv[1], sys.argv[2:]))
