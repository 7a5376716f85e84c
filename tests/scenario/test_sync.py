"""The disk of a post that says of a sync that it failed: usage: test_sync.py BUILD FAILING_DISK

FAILING_DISK is failing_disk.c, as a library. A failed sync is all that can be seen of one that is left out: what is then
lost goes with the power alone.
"""

import json
import os
import pathlib
import sys

from line import SANITIZER, Line, wait_for
from post_shell import run_tests

SAFE = "Nothing of this batch has left the post; what was accepted before is safe. Check the disk, then start again"

line = None


def start_on_the_failing_disk(post):
    # The address sanitizer would rather come first of all; it need not.
    options = f"ASAN_OPTIONS={SANITIZER['ASAN_OPTIONS']}:verify_asan_link_order=0"
    post.start_post(prefix=["env", f"LD_PRELOAD={os.path.abspath(sys.argv[2])}", options])


def stops_without_an_answer(name, words):
    """While syncs of that file of the alliance's post fail, it stops at what an officer sends."""
    side = line.alliance
    side.end()
    start_on_the_failing_disk(side)
    side.courier.start()
    wait_for(lambda: side.status()["courier_connected"], "the courier is there")
    answered = [side.send(f"Answered before {words}: {number}", "-p", "flash") for number in range(3)]
    for reference in answered:
        line.wait_for_state(side, reference, "received")
    line.wait_until_quiet()
    log_before, held = len(side.post.log()), line.federation.inbox()
    path = pathlib.Path(side.path("fail-sync-of"))
    path.symlink_to(name)
    sent = side.run("send", "-m", "Not answered.", "--yes", "--json")
    assert sent.returncode == 1 and list(json.loads(sent.stdout)) == ["error"], sent
    assert "stopped before it answered" in sent.stderr, sent
    assert side.post.process.wait(20) == 1
    stopping = [each for each in side.post.log()[log_before:].splitlines() if "stopping: " in each]
    assert len(stopping) == 1 and f"stopping: {words}: " in stopping[0] and SAFE in stopping[0], stopping
    assert line.federation.inbox() == held, "the other side was told what the officer was not"
    path.unlink()
    assert side.post.end() == 1
    side.start()
    for reference in answered:
        assert side.show(reference)["state"] == "received"
    after = side.send("Sent after the disk was checked.", "-p", "flash")
    line.wait_for_state(side, after, "received", 60)
    line.wait_until_heads_agree(90)


def a_failed_sync_of_the_store_stops_the_post_before_it_answers():
    stops_without_an_answer("store.db-wal", "the commit failed")


def a_failed_sync_of_the_anchor_stops_the_post_before_it_answers():
    stops_without_an_answer("anchor", "the anchor could not be written")


if __name__ == "__main__":
    with Line(sys.argv[1]) as line:
        run_tests(
            a_failed_sync_of_the_store_stops_the_post_before_it_answers,
            a_failed_sync_of_the_anchor_stops_the_post_before_it_answers,
        )
