"""A FLASH does not wait for the bulk: usage: test_flash.py BUILD [MESSAGES]

While MESSAGES texts at ROUTINE drain over an open session, FLASHes are sent, and what the far post takes in between the
moment in which the post has taken a FLASH and its arrival is weighed.
"""

import sys
import threading
import time

from line import Line, wait_for
from officer import Officer
from post_shell import SUBSCRIBE, run_tests

ROUTINE, FLASH = 1, 4
ARRIVED = 1
BOUND = 64 * 1024
FLASHES = 5
TEXT_SIZE = 160
SEALED_SIZE_AT_MOST = 370  # of such a text, wherever in a log it stands; "bench line" holds the usual ones to 360

messages = int(sys.argv[2]) if len(sys.argv) > 2 else 10_000
line = None
facts = {}


class Watcher(threading.Thread):
    """Notes the order in which entries arrive at a post, as its notices tell it."""

    def __init__(self, side):
        super().__init__(daemon=True)
        self.client = side.client(timeout=None)
        assert self.client.ask(SUBSCRIBE)[1] == 0
        self.arrived = []  # (monotonic time, precedence, reference)

    def run(self):
        try:
            while True:
                notice = self.client.next()
                if notice[:2] == [0, ARRIVED]:
                    row = notice[2]
                    self.arrived.append((time.monotonic(), row[7], row[4]))
        except (EOFError, OSError):
            pass


def fill_the_queue():
    """With the session cut, so that all of it waits when the line comes back."""
    line.federation.courier.end()
    clients = [Officer(line.alliance) for _ in range(8)]
    left = list(range(messages))
    lock = threading.Lock()

    def send(sender):
        while True:
            with lock:
                if not left:
                    return
                left.pop()
            sender.send("r" * TEXT_SIZE, ROUTINE)

    threads = [threading.Thread(target=send, args=(client,)) for client in clients]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for client in clients:
        client.close()


def a_flash_overtakes_the_bulk_that_drains():
    officer = Officer(line.alliance)
    begun = time.monotonic()
    fill_the_queue()
    print(f"# {messages} ROUTINE taken in {time.monotonic() - begun:.1f} s")
    watcher = Watcher(line.federation)
    watcher.start()
    line.federation.courier.start()
    wait_for(lambda: len(watcher.arrived) > 50, "the bulk drains", 60)
    ahead = []
    for number in range(FLASHES):
        before = len(watcher.arrived)
        wait_for(lambda before=before: len(watcher.arrived) > before + 50, "more of the bulk arrives", 60)
        reference = officer.send("f" * TEXT_SIZE, FLASH)[3]
        taken = time.monotonic()
        wait_for(lambda: any(row[2] == reference for row in watcher.arrived), f"{reference} arrives", 60)
        rows = list(watcher.arrived)
        place = next(at for at, row in enumerate(rows) if row[2] == reference)
        assert rows[place][1] == FLASH
        bulk = sum(1 for row in rows[:place] if row[0] >= taken and row[1] == ROUTINE)
        ahead.append((bulk, rows[place][0] - taken))
    facts["watcher"], facts["ahead"] = watcher, ahead
    arrived = sum(1 for row in watcher.arrived if row[1] == ROUTINE)
    assert arrived < messages, "the bulk had drained before the last FLASH: nothing was shown"
    for bulk, seconds in ahead:
        print(f"# {bulk} ROUTINE, at most {bulk * SEALED_SIZE_AT_MOST} sealed bytes, and {seconds * 1000:.0f} ms ahead of a FLASH")
    assert all(bulk * SEALED_SIZE_AT_MOST <= BOUND for bulk, _ in ahead), ahead
    officer.close()


def the_bulk_arrives_whole_after_it():
    watcher = facts["watcher"]
    wait_for(lambda: sum(1 for row in watcher.arrived if row[1] == ROUTINE) >= messages, "all of the bulk has arrived", 240)
    references = [row[2] for row in watcher.arrived]
    assert len(references) == len(set(references)) == messages + FLASHES
    line.wait_until_quiet(120)


if __name__ == "__main__":
    with Line(sys.argv[1]) as line:
        run_tests(a_flash_overtakes_the_bulk_that_drains, the_bulk_arrives_whole_after_it)
