"""Backups while the daemon works: usage: post_backup.py LIAISOND [LIAISON]"""

import os
import select
import sqlite3
import time

from post_shell import (
    BACKUP, Client, Daemon, ERROR_BUSY, FLASH, HELLO, ROUTINE, SUBMIT, frame, run_tests, wait_until)

ROWS = 2500


def fill(daemon):
    """Enough rows that a backup takes many steps; from many at once, so that they share commits."""
    clients = [Client(daemon) for _ in range(25)]
    for client in clients:
        client.send_raw(frame([1, SUBMIT, bytes(32), bytes([FLASH]) + bytes(300)]) * (ROWS // len(clients)))
    for client in clients:
        for _ in range(ROWS // len(clients)):
            assert client.next()[1] == 0
        client.close()


def receive(client):
    """The image, after the reply to BACKUP."""
    image = b""
    while chunk := client.next()[2]:
        image += chunk
    return image


def rows_of(image, folder):
    path = os.path.join(folder, "image.db")
    with open(path, "wb") as file:
        file.write(image)
    with sqlite3.connect(path) as database:
        assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        rows = dict(database.execute("SELECT key, value FROM rows"))
    os.unlink(path)
    return rows


def a_backup_is_whole_and_holds_no_epoch_key():
    with Daemon().start() as daemon, Client(daemon) as client:
        fill(daemon)
        assert client.ask(BACKUP) == [1, 0]
        image = receive(client)
        assert b"an epoch key of the fake record" not in image
        with open(daemon.path("store.db"), "rb") as store, open(daemon.path("store.db-wal"), "rb") as log:
            assert b"an epoch key of the fake record" in store.read() + log.read()
        rows = rows_of(image, daemon.folder)
        assert sum(key[:1] == b"w" for key in rows) == ROWS
        assert rows[b"n"] == ROWS.to_bytes(8, "big")
        assert b"e" not in rows and b"p" in rows


def what_is_committed_meanwhile_is_in_it_or_not_but_never_half():
    with Daemon().start() as daemon, Client(daemon) as client, Client(daemon) as other:
        fill(daemon)
        for precedence in (FLASH, ROUTINE):  # before and behind what has been copied
            assert client.ask(BACKUP)[1] == 0
            meanwhile = 0
            while not client.received and not select.select([client.socket], [], [], 0)[0]:
                assert other.submit(precedence, 300)[1] == 0
                meanwhile += 1
            rows = rows_of(receive(client), daemon.folder)
            count = int.from_bytes(rows[b"n"], "big")
            assert meanwhile >= 1
            assert sum(key[:1] == b"w" for key in rows) == count >= ROWS, count


def a_restored_image_starts():
    with Daemon().start() as daemon, Client(daemon) as client:
        fill(daemon)
        client.ask(BACKUP)
        image = receive(client)
        with Daemon() as restored:
            os.unlink(restored.path("post.init"))
            with open(restored.path("store.db"), "wb") as file:
                file.write(image)
            restored.start()
            with Client(restored) as there:
                assert there.submit(ROUTINE, 10)[2] == (ROWS + 1).to_bytes(8, "big")


def one_backup_at_a_time():
    with Daemon().start() as daemon, Client(daemon) as first, Client(daemon) as second:
        fill(daemon)
        assert first.ask(BACKUP)[1] == 0
        assert second.ask(BACKUP)[1] == ERROR_BUSY
        receive(first)
        assert second.ask(BACKUP)[1] == 0
        receive(second)


def a_client_that_leaves_ends_its_backup_and_leaves_no_file():
    with Daemon().start() as daemon:
        fill(daemon)
        before = daemon.descriptors_at_rest()
        for wait in (0, 0.005, 0.02, 0.1):
            with Client(daemon) as client:
                client.ask(BACKUP)
                time.sleep(wait)
            assert wait_until(lambda: not os.path.exists(daemon.path("backup.tmp")))
            assert wait_until(lambda: daemon.descriptors() == before)
        with Client(daemon) as client:
            assert client.ask(BACKUP)[1] == 0
            assert len(receive(client)) > ROWS * 300


def a_client_that_reads_slowly_holds_up_nobody():
    with Daemon().start() as daemon, Client(daemon) as slow, Client(daemon) as other:
        fill(daemon)
        slow.ask(BACKUP)
        for _ in range(200):
            assert other.ask(HELLO)[1] == 0
        assert wait_until(lambda: not os.path.exists(daemon.path("backup.tmp")))
        for _ in range(50):
            assert other.submit(ROUTINE, 100)[1] == 0
        assert len(rows_of(receive(slow), daemon.folder)) >= ROWS


def after_a_kill_in_the_middle_nothing_is_left():
    with Daemon().start() as daemon:
        fill(daemon)
        with Client(daemon) as client:
            client.ask(BACKUP)
            daemon.end(9)
        daemon.start()
        assert not os.path.exists(daemon.path("backup.tmp"))
        with Client(daemon) as client:
            assert client.submit(ROUTINE, 10)[2] == (ROWS + 1).to_bytes(8, "big")


if __name__ == "__main__":
    run_tests(
        a_backup_is_whole_and_holds_no_epoch_key,
        what_is_committed_meanwhile_is_in_it_or_not_but_never_half,
        a_restored_image_starts,
        one_backup_at_a_time,
        a_client_that_leaves_ends_its_backup_and_leaves_no_file,
        a_client_that_reads_slowly_holds_up_nobody,
        after_a_kill_in_the_middle_nothing_is_left,
    )
