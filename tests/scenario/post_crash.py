"""Crashes and failing disks: usage: post_crash.py LIAISOND"""

import os
import resource
import subprocess

from post_shell import (
    Client, Courier, Daemon, FAKE_BROKEN, FAKE_ENDLESS, FAKE_WIPE, HELLO, LINK_TAKEN, PROGRAM,
    ROUTINE, Skip, run_tests, wait_until)


def needs_hooks():
    if b"--test-crash-after-commit" not in subprocess.run([PROGRAM, "--help"], capture_output=True).stdout:
        raise Skip("this build has no test hooks")


def count_submitted(daemon):
    """How many submissions the fake record holds."""
    with Client(daemon) as client:
        return int.from_bytes(client.submit(ROUTINE, 10)[2], "big") - 1


def submit_until_it_ends(daemon):
    """How many submissions were replied to."""
    replied = 0
    try:
        with Client(daemon) as client:
            while True:
                assert client.submit(ROUTINE, 300)[1] == 0
                replied += 1
    except (EOFError, OSError):
        return replied


def what_was_replied_to_is_on_disk_after_a_crash_at_each_commit():
    needs_hooks()
    for commit in range(5, 16):
        with Daemon() as daemon:
            daemon.start("--test-crash-after-commit", str(commit), wait=False)
            wait_until(lambda: os.path.exists(daemon.path("post.sock")))
            replied = submit_until_it_ends(daemon)
            assert daemon.process.wait(timeout=60) == 86
            daemon.start()
            held = count_submitted(daemon)
            assert replied <= held <= replied + 1, (commit, replied, held)


def a_crash_between_commit_and_actions_takes_no_delivery():
    """The last commit holds the delivery, but nothing has left: the courier gives it again."""
    needs_hooks()
    for commit in range(5, 12):
        with Daemon() as daemon:
            daemon.start("--test-crash-after-commit", str(commit), wait=False)
            wait_until(lambda: os.path.exists(daemon.path("post.sock")))
            given = taken = 0
            try:
                with Courier(daemon) as courier:
                    while True:
                        courier.deliver(given + 1, b"sealed")
                        given += 1
                        assert courier.next() == [LINK_TAKEN, given]
                        taken += 1
            except (EOFError, OSError):
                pass
            assert daemon.process.wait(timeout=60) == 86
            assert given > taken or given == 0, (given, taken)
            daemon.start()
            with Courier(daemon) as courier:
                courier.deliver(max(given, 1), b"sealed")
                assert courier.next() == [LINK_TAKEN, max(given, 1)]


def a_limit_on_file_size_stops_it_with_a_clear_message():
    limit = 200_000
    with Daemon() as daemon:
        daemon.start(preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)))
        replied = submit_until_it_ends(daemon)
        assert daemon.process.wait(timeout=60) == 1
        assert "stopping: the commit failed" in daemon.log(), daemon.log()
        assert "Nothing of this batch has left the post" in daemon.log()
        assert not os.path.exists(daemon.path("post.sock"))
        daemon.start()
        held = count_submitted(daemon)
        assert replied > 10 and held == replied, (replied, held)


def a_record_that_cannot_go_on_stops_it():
    cases = (FAKE_BROKEN, "could not handle an event"), (FAKE_ENDLESS, "asked for rows without end")
    for verb, words in cases:
        with Daemon().start() as daemon, Client(daemon) as client:
            client.send([1, verb])
            assert client.is_closed()
            assert daemon.process.wait(timeout=60) == 1
            assert words in daemon.log(), daemon.log()


def a_wipe_leaves_the_log_empty():
    with Daemon().start() as daemon, Client(daemon) as client:
        client.submit(ROUTINE, 5000)
        assert os.path.getsize(daemon.path("store.db-wal")) > 0
        client.ask(FAKE_WIPE)
        client.ask(HELLO)
        assert os.path.getsize(daemon.path("store.db-wal")) == 0
        client.submit(ROUTINE, 5000)
        assert count_submitted(daemon) == 2


if __name__ == "__main__":
    run_tests(
        what_was_replied_to_is_on_disk_after_a_crash_at_each_commit,
        a_crash_between_commit_and_actions_takes_no_delivery,
        a_limit_on_file_size_stops_it_with_a_clear_message,
        a_record_that_cannot_go_on_stops_it,
        a_wipe_leaves_the_log_empty,
    )
