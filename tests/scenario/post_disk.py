"""A disk that fills up: usage: post_disk.py LIAISOND

Runs itself again in a mount namespace of its own, where it may mount a small file system."""

import os
import subprocess
import sys
import tempfile
import time

import cbor2

from post_shell import (
    BACKUP, Client, Courier, Daemon, ERROR_FULL, FLASH, HELLO, IMMEDIATE, LINK_LEFT, LINK_SEND, LINK_TAKEN,
    PRIORITY, ROUTINE, STATUS, SUBMIT, Skip, run_tests)

MIB = 1024 * 1024
MESSAGE, LETTER = 1, 3
AMPLE, LOW, SCARCE, LAST = 1, 2, 3, 4


def use_own_mounts():
    """The program begins anew in a mount namespace of its own, where one can be had."""
    if "LIAISON_OWN_MOUNTS" not in os.environ:
        os.environ["LIAISON_OWN_MOUNTS"] = "yes"
        for namespace in (["-m"], ["-rm"]):
            if subprocess.run(["unshare", *namespace, "true"], capture_output=True).returncode == 0:
                os.execvp("unshare", ["unshare", *namespace, sys.executable, *sys.argv])


class SmallDisk:
    """A file system of 64 MiB, and a file that takes up room on it."""

    def __enter__(self):
        self.folder = tempfile.mkdtemp(prefix="liaison-disk-")
        command = ["mount", "-t", "tmpfs", "-o", "size=64m", "none", self.folder]
        result = subprocess.run(command, capture_output=True)
        if result.returncode != 0:
            os.rmdir(self.folder)
            raise Skip("no file system can be mounted here")
        return self

    def __exit__(self, *_):
        subprocess.run(["umount", self.folder], check=True)
        os.rmdir(self.folder)

    def free(self):
        status = os.statvfs(self.folder)
        return status.f_bavail * status.f_frsize

    def leave(self, size):
        """Makes `size` bytes free, to a page."""
        name = self.folder + "/filler"
        with open(name, "ab") as file:
            pass
        taken = os.path.getsize(name) + self.free() - size
        # At no moment is there more room than before and after: whoever looks then would be misled.
        with open(name, "r+b") as file:
            size_before = os.path.getsize(name)
            if taken <= size_before:
                file.truncate(max(taken, 1))
            else:
                os.posix_fallocate(file.fileno(), size_before, taken - size_before)


def entry(kind, precedence):
    body = {MESSAGE: [1, "text"], LETTER: [4, 1, 1, bytes(32), bytes(32), [1, "N", "T", bytes(32), {}]]}[kind]
    payload = cbor2.dumps([kind, precedence, 1, bytes(8), bytes(16), body])
    return cbor2.dumps([bytes.fromhex("a10127"), {}, payload, bytes(64)])


def takes(client, kind, precedence):
    """Whether the shell passes the submission on (the fake record says then that all is well)."""
    error = client.ask(SUBMIT, bytes(32), entry(kind, precedence))[1]
    assert error in (0, ERROR_FULL), error
    return error == 0


def as_the_disk_fills_the_bulk_is_refused_first_and_receipts_last():
    with SmallDisk() as disk, Daemon(parent=disk.folder) as daemon:
        daemon.start()
        assert os.path.getsize(daemon.path("reserve")) == 8 * MIB
        with Client(daemon) as client, Courier(daemon) as courier:
            def kinds():
                messages = [takes(client, MESSAGE, p) for p in (ROUTINE, PRIORITY, IMMEDIATE, FLASH)]
                return messages + [takes(client, LETTER, ROUTINE)]

            def delivered(number, precedence, size, says=None):
                """The fake record takes the first byte for the message's precedence (0: it is a letter or a statement)."""
                courier.deliver(number, bytes([precedence if says is None else says]) + bytes(size), precedence)
                answer = courier.next()
                assert answer in ([LINK_TAKEN, number], [LINK_LEFT, number]), answer
                return answer[0] == LINK_TAKEN

            def told():  # the level, then what is left with the courier by precedence
                return list(client.ask(STATUS)[2])

            assert kinds() == [True] * 5 and delivered(1, ROUTINE, 2000)
            assert told() == [AMPLE, 0, 0, 0, 0], told()
            disk.leave(28 * MIB)
            daemon.wait_for_log("ROUTINE messages and backups are refused")
            assert kinds() == [False, True, True, True, True], kinds()
            assert delivered(2, ROUTINE, 2000)
            assert client.ask(BACKUP)[1] == ERROR_FULL
            disk.leave(32 * MIB + MIB // 2)
            time.sleep(1.2)  # that little above the floor does not make it take more again
            assert told() == [LOW, 0, 0, 0, 0], told()
            disk.leave(20 * MIB)
            daemon.wait_for_log("only urgent messages and letters")
            assert kinds() == [False, False, True, True, True]
            assert not delivered(3, ROUTINE, 2000)
            assert delivered(4, PRIORITY, 2000) and not delivered(5, ROUTINE, 300)
            assert delivered(8, ROUTINE, 2000, says=0) and not delivered(9, FLASH, 300, says=ROUTINE)
            assert told() == [SCARCE, 3, 0, 0, 0], told()
            disk.leave(10 * MIB)
            daemon.wait_for_log("only receipts and letters are taken")
            assert not os.path.exists(daemon.path("reserve")) and disk.free() > 17 * MIB
            time.sleep(1.2)  # the room that the reserve gave back does not make it take more again
            assert kinds() == [False, False, False, False, True]
            assert not delivered(6, FLASH, 300) and delivered(7, ROUTINE, 2000, says=0)
            assert client.ask(HELLO)[1] == 0
            assert told() == [LAST, 3, 0, 0, 1], told()
            disk.leave(28 * MIB)  # of which 8 are owed to the reserve
            assert courier.is_closed()  # so that it brings again what was not taken
        assert daemon.log().count("only urgent messages and letters") == 2
        with Client(daemon) as client, Courier(daemon) as courier:
            assert delivered(6, FLASH, 300) and not delivered(3, ROUTINE, 2000)
            assert told() == [SCARCE, 1, 0, 0, 0], told()
            disk.leave(50 * MIB)
            daemon.wait_for_log("there is room on the disk again")
            assert kinds() == [True] * 5
            assert courier.is_closed()
            assert told() == [AMPLE, 0, 0, 0, 0], told()
        with Courier(daemon) as courier:
            assert delivered(3, ROUTINE, 2000)
            disk.leave(20 * MIB)
            time.sleep(1.2)
            disk.leave(50 * MIB)
            assert courier.next_within(1.2) is None  # nothing was left: nothing is asked for
        assert os.path.getsize(daemon.path("reserve")) == 8 * MIB


def a_disk_that_is_full_to_the_last_byte_stops_it_and_loses_nothing():
    with SmallDisk() as disk, Daemon(parent=disk.folder) as daemon:
        daemon.start("--unsafe-no-sandbox")
        with Client(daemon) as client:
            for _ in range(10):
                assert client.submit(ROUTINE, 1000)[1] == 0
        disk.leave(12 * MIB)
        daemon.wait_for_log("only receipts and letters are taken")
        disk.leave(0)
        replied = 0
        try:
            with Courier(daemon) as courier:
                while True:
                    courier.deliver(replied + 1, bytes(1000))
                    while courier.next()[0] == LINK_SEND:
                        pass
                    replied += 1
        except (EOFError, OSError):
            pass
        assert daemon.process.wait(timeout=60) == 1
        said = daemon.log()
        assert "the disk is full" in said and "Free some room, then start again" in said, said
        status, _, said = daemon.run("--unsafe-no-sandbox")
        assert status == 1 and "cannot start" in said and "there is no room left" in said, said
        disk.leave(28 * MIB)  # of which 8 are owed to the reserve
        daemon.start()
        daemon.wait_for_log("only urgent messages and letters")  # said again by each process
        daemon.end()
        disk.leave(50 * MIB)
        daemon.start()
        with Client(daemon) as client:
            assert client.submit(ROUTINE, 10)[2] == (11).to_bytes(8, "big")


if __name__ == "__main__":
    use_own_mounts()
    run_tests(
        as_the_disk_fills_the_bulk_is_refused_first_and_receipts_last,
        a_disk_that_is_full_to_the_last_byte_stops_it_and_loses_nothing,
    )
