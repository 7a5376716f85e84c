"""The disk of a courier fills up on a line that runs: usage: test_room.py BUILD

Runs itself again in a mount namespace of its own, where the federation's courier gets a small file system.
"""

import shutil
import subprocess
import sys
import time

from line import Line, wait_for
from post_disk import MIB, SmallDisk, use_own_mounts
from post_shell import run_tests

RESERVE = 16 * MIB  # QUEUE_DISK_RESERVE_MIN
RETRY_FLASH_S, RETRY_PRIORITY_S = 2, 15
SLACK_S = 30  # a sanitizer build on a busy machine; far below the 150 s after which a FLASH is resent for want of a receipt

line = None
disk = None
facts = {}


def move_the_courier_to(folder):
    side = line.federation
    side.end()
    kept = folder + "/courier"
    shutil.copytree(side.courier_folder, kept)
    subprocess.run(["mount", "--bind", kept, side.courier_folder], check=True)
    side.start()


def state(side, reference):
    return side.show(reference)["state"]


def bulk_leaves_the_reserve_to_receipts_and_urgent_messages():
    disk.leave(RESERVE - 2 * MIB)
    facts["bulk"] = line.federation.send("Not urgent. " * 300, "-p", "priority")
    wait_for(lambda: "the courier gave a copy up" in line.federation.post.log(), "the courier has no room for bulk")
    urgent = line.federation.send("Into the reserve.", "-p", "flash")
    line.wait_for_state(line.federation, urgent, "received", SLACK_S)
    incoming = line.alliance.send("For you, and its receipt.", "-p", "flash")
    line.wait_for_state(line.alliance, incoming, "received", SLACK_S)
    assert state(line.federation, facts["bulk"]) == "released"


def what_finds_no_room_at_all_is_not_thrown_away():
    line.federation.post.end()
    facts["receipt"] = line.alliance.send("Its receipt finds no room.", "-p", "flash")
    line.wait_for_state(line.alliance, facts["receipt"], "carried")
    disk.leave(RESERVE // 2 - MIB)
    line.federation.start_post()
    wait_for(lambda: line.federation.holds(facts["receipt"]), "the federation holds it")
    facts["urgent"] = line.federation.send("No room for this.", "-p", "flash")
    time.sleep(3 * RETRY_FLASH_S)  # it is offered again, in vain
    assert state(line.alliance, facts["receipt"]) == "carried"
    assert state(line.federation, facts["urgent"]) == "released"
    assert "a copy from the post is not taken into the queue (FULL)" in line.federation.courier.log()


def when_there_is_room_again_it_goes_within_seconds():
    disk.leave(50 * MIB)
    line.wait_for_state(line.alliance, facts["receipt"], "received", RETRY_FLASH_S + SLACK_S)
    line.wait_for_state(line.federation, facts["urgent"], "received", RETRY_FLASH_S + SLACK_S)
    line.wait_for_state(line.federation, facts["bulk"], "received", RETRY_PRIORITY_S + SLACK_S)
    line.wait_until_heads_agree(90)


if __name__ == "__main__":
    use_own_mounts()
    with Line(sys.argv[1]) as line, SmallDisk() as disk:
        move_the_courier_to(disk.folder)
        try:
            run_tests(
                bulk_leaves_the_reserve_to_receipts_and_urgent_messages,
                what_finds_no_room_at_all_is_not_thrown_away,
                when_there_is_room_again_it_goes_within_seconds,
            )
        finally:
            line.federation.end()
            subprocess.run(["umount", line.federation.courier_folder], check=True)
