"""A courier whose disk is full, or fails; and one whose post has no room.

usage: courier_disk.py LIAISON-COURIERD FAILING_DISK (failing_disk.c, as a library)"""

import os
import sys
import time

from courier_world import run_tests, until
from fake_post import FAILED, FLASH, QUEUED, ROUTINE, WINDOW_SIZE_MAX

ERROR_FULL = 48


def failing(courier):
    courier.preload = os.path.abspath(sys.argv[2])
    return courier


def tell(courier, name, on):
    path = courier.directory / name
    if on:
        path.touch()
    else:
        path.unlink()


def a_failed_sync_stops_the_courier(world):
    a, b = world.pair()
    b.up()
    failing(a).up()
    a.link_is_up(b)
    a.post.send(b.node, ROUTINE, os.urandom(400))
    b.post.wait(lambda: len(b.post.received) == 1, 5, "a message")
    tell(a, "fail-sync", True)
    sealed = os.urandom(400)
    identity = a.post.send(b.node, ROUTINE, sealed)
    assert a.process.wait(60) == 1
    assert "stops: queue.db: disk I/O error" in a.log(), a.log()
    assert identity not in a.post.queued, "it said that the copy is on disk"
    tell(a, "fail-sync", False)
    a.up()
    # It was never said to be queued: the post hands it over again, and it comes once.
    a.post.send(b.node, ROUTINE, sealed, identity)
    b.post.wait(lambda: [r[2] for r in b.post.received if r[2] == sealed] == [sealed], 5, "the copy")


def a_transfer_is_not_acknowledged_when_its_sync_failed(world):
    a, b = world.pair()
    failing(b).up()
    a.up()
    a.link_is_up(b)
    tell(b, "fail-sync", True)
    sealed = os.urandom(400)
    identity = a.post.send(b.node, ROUTINE, sealed)
    assert b.process.wait(60) == 1
    time.sleep(0.2)
    assert a.post.progress[identity] == QUEUED
    tell(b, "fail-sync", False)
    b.up()
    b.post.wait(lambda: [r[2] for r in b.post.received] == [sealed], 10, "the copy")


def without_room_new_work_is_refused_with_its_reason(world):
    a, b = world.pair()
    failing(a).up()
    b.up()
    a.link_is_up(b)
    a.post.wait(lambda: a.post.full is False, 5, "the post told that there is room")
    tell(a, "fail-room", True)
    a.post.wait(lambda: a.post.full, 5, "the post told that the disk is full")
    identity = a.post.send(b.node, ROUTINE, os.urandom(4000))
    a.post.wait(lambda: a.post.progress.get(identity) == FAILED, 5, "the copy refused")
    assert a.post.reasons[identity] == ERROR_FULL
    # From the neighbour as well: it keeps the copy and tries again.
    other = b.post.send(a.node, ROUTINE, os.urandom(4000))
    until(lambda: "alpha refused a transfer: no resources" in b.log(), 5, "XFER_REFUSE in the log")
    assert b.post.progress[other] == QUEUED and a.post.received == []
    assert "(FULL)" in a.log()
    tell(a, "fail-room", False)
    a.post.wait(lambda: len(a.post.received) == 1, 10, "the copy, with room again")
    a.post.wait(lambda: a.post.full is False, 5, "the post told that there is room again")
    a.post.send(b.node, ROUTINE, os.urandom(4000))
    b.post.wait(lambda: len(b.post.received) == 1, 5, "new work, with room again")


def a_disk_that_fills_within_a_commit_loses_nothing(world):
    a, b = world.pair()
    b.up()
    failing(a).up()
    a.link_is_up(b)
    sealed = {os.urandom(16): os.urandom(400) for _ in range(40)}
    for identity in list(sealed)[:20]:
        a.post.send(b.node, ROUTINE, sealed[identity], identity)
    b.post.wait(lambda: len(b.post.received) == 20, 5, "the first half")
    tell(a, "fail-write", True)
    a.post.send(b.node, FLASH, sealed[list(sealed)[20]], list(sealed)[20])
    until(lambda: "the disk has no room" in a.log(), 5, "the reason in the log")
    assert list(sealed)[20] not in a.post.queued
    tell(a, "fail-write", False)
    end = time.monotonic() + 10
    while len(a.post.queued) < 40:
        assert time.monotonic() < end, "the copies are not queued again"
        a.post.wait_up()
        for identity, one in sealed.items():
            if identity not in a.post.queued:
                a.post.send(b.node, ROUTINE, one, identity)
        time.sleep(0.05)
    b.post.wait(lambda: len(b.post.received) >= 40, 10, "all of them")
    assert sorted(r[2] for r in b.post.received) == sorted(sealed.values())
    assert a.stop() == 0


def what_the_post_leaves_is_in_nobodys_way(world):
    a, b = world.pair()
    b.post.leaving = lambda sealed: len(sealed) > WINDOW_SIZE_MAX
    b.up()
    a.up()
    large = [os.urandom(2 * WINDOW_SIZE_MAX) for _ in range(3)]
    for one in large:
        a.post.send(b.node, FLASH, one)
    b.post.wait(lambda: len(b.post.received) == 3, 5, "three that are left")
    receipt = os.urandom(300)
    a.post.send(b.node, ROUTINE, receipt)
    b.post.wait(lambda: receipt in b.post.taken, 5, "what comes behind them")
    time.sleep(0.5)
    assert [r[2] for r in b.post.received] == [*large, receipt], "given again on the same link"
    b.kill()
    b.start()
    b.post.wait(lambda: len(b.post.received) == 7, 5, "the three once more")
    b.post.leaving = lambda sealed: False
    b.post.hang_up()
    b.post.wait(lambda: all(one in b.post.taken for one in large), 5, "the three on a new link")
    assert [r[2] for r in b.post.received][4:] == large + large
    assert a.stop() == 0 and b.stop() == 0


TESTS = (
    a_failed_sync_stops_the_courier,
    a_transfer_is_not_acknowledged_when_its_sync_failed,
    without_room_new_work_is_refused_with_its_reason,
    a_disk_that_fills_within_a_commit_loses_nothing,
    what_the_post_leaves_is_in_nobodys_way,
)

if __name__ == "__main__":
    sys.exit(run_tests(TESTS, sys.argv[1], sys.argv[3:]))
