"""Officers' programs that misbehave: usage: post_local.py LIAISOND [LIAISON]"""

import os
import random
import socket
import struct
import time

from post_shell import (
    Client, Daemon, FAKE_FULL, FAKE_LARGE, FAKE_NOTICE, FAKE_ROUNDS, HELLO, ROUTINE, STATUS,
    SUBSCRIBE, Skip, Stream, fake_only, frame, run_tests, wait_until)

CLIENTS_MAX = 32
NOBODY = 65534
ANSWERED, TURNED_AWAY, NOT_CONNECTED = range(3)


def still_serves(daemon):
    with Client(daemon) as client:
        assert client.ask(HELLO)[1] == 0


def what_is_no_frame_or_no_request_ends_the_connection_and_nothing_else():
    hostile = [
        struct.pack(">I", 0),
        struct.pack(">I", 1024 * 1024 + 1),
        b"\xff" * 100,
        b"GET / HTTP/1.1\r\n\r\n",
        frame(b"\x00"),
        frame([]),
        frame([0, HELLO]),
        frame([1]),
        frame([-1, HELLO]),
        frame([1, "HELLO"]),
        frame(b"\x9f\x01\x01\xff"),
        frame(b"\x82\x18\x01\x01"),
        frame({1: 2}),
        frame([1.5, 2]),
        frame(b"\x81" * 1000),
        frame(b"\x9b\x7f\xff\xff\xff\xff\xff\xff\xff"),
        frame([2 ** 70, 1]),
    ]
    with Daemon().start() as daemon, Client(daemon) as bystander:
        for data in hostile:
            with Client(daemon) as client:
                client.send_raw(data)
                assert client.is_closed(), data[:20]
        assert bystander.ask(HELLO)[1] == 0
        assert "refused: " in daemon.log()


def random_bytes_end_no_daemon():
    chance = random.Random(1)
    with Daemon().start() as daemon:
        before = daemon.descriptors_at_rest()
        for _ in range(300):
            with Client(daemon) as client:
                size = chance.randrange(1, 2000)
                data = chance.randbytes(size)
                client.send_raw(struct.pack(">I", size) + data if chance.random() < 0.8 else data)
                if chance.random() < 0.3:
                    client.is_closed(0.01)
        still_serves(daemon)
        assert wait_until(lambda: daemon.descriptors() == before)


def a_flood_of_refusals_is_a_few_log_lines():
    with Daemon().start() as daemon:
        for _ in range(500):
            with Client(daemon) as client:
                client.send_raw(struct.pack(">I", 0))
                client.is_closed(1)
        assert daemon.log().count("\n") == 5, daemon.log()


def greeted_as(user, daemon):
    """What a process of that user gets for its HELLO."""
    child = os.fork()
    if child == 0:
        outcome = NOT_CONNECTED
        try:
            os.chdir(daemon.folder)  # whatever is above it need not let that user pass
            os.setgroups([])
            os.setresgid(user, user, user)
            os.setresuid(user, user, user)
            with Stream("post.sock") as stream:
                outcome = TURNED_AWAY
                stream.send([1, HELLO])
                if stream.next()[:2] == [1, 0]:
                    outcome = ANSWERED
        finally:
            os._exit(outcome)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def a_process_of_another_user_is_turned_away_though_it_reaches_the_socket():
    """The folder keeps it out already; here the daemon runs, and then both are opened to everybody."""
    if os.geteuid() != 0:
        raise Skip("only root can be another user")
    with Daemon().start() as daemon, Client(daemon) as bystander:
        assert greeted_as(NOBODY, daemon) == NOT_CONNECTED
        os.chmod(daemon.folder, 0o711)
        os.chmod(daemon.path("post.sock"), 0o666)
        before = daemon.descriptors_at_rest()
        assert greeted_as(NOBODY, daemon) == TURNED_AWAY
        daemon.wait_for_log("a process of another user at the local socket")
        assert greeted_as(0, daemon) == ANSWERED
        assert bystander.ask(HELLO)[1] == 0
        assert wait_until(lambda: daemon.descriptors() == before)


def half_a_frame_holds_up_nobody():
    with Daemon().start() as daemon, Client(daemon) as slow:
        whole = frame([1, HELLO])
        for i in range(len(whole) - 1):
            slow.send_raw(whole[i:i + 1])
            still_serves(daemon)
        slow.send_raw(whole[-1:])
        assert slow.next()[:2] == [1, 0]


def a_thousand_connections_leave_room_for_the_next_and_no_descriptor():
    with Daemon().start() as daemon:
        before = daemon.descriptors_at_rest()
        open_ones = []
        for _ in range(1000):
            peer = socket.socket(socket.AF_UNIX)
            peer.connect(daemon.path("post.sock"))
            open_ones.append(peer)
            assert daemon.descriptors() <= before + CLIENTS_MAX + 1  # one that is being turned away
        daemon.wait_for_log("too many connections at the local socket")
        for peer in open_ones:
            peer.close()
        assert wait_until(lambda: daemon.descriptors() == before)
        still_serves(daemon)


def a_client_that_goes_away_in_the_middle_leaves_nothing():
    with Daemon().start() as daemon:
        before = daemon.descriptors_at_rest()
        for _ in range(200):
            client = Client(daemon)
            client.send([1, STATUS])
            client.close()
        still_serves(daemon)
        assert wait_until(lambda: daemon.descriptors() == before)


def replies_come_in_order_and_one_by_one():
    with Daemon().start() as daemon, Client(daemon) as client:
        client.send_raw(b"".join(frame([number, STATUS]) for number in range(1, 200)))
        for number in range(1, 200):
            assert client.next()[0] == number


@fake_only
def an_event_that_needs_many_rounds_of_rows_gets_them():
    with Daemon().start() as daemon, Client(daemon) as client:
        assert client.ask(FAKE_ROUNDS, 40)[1] == 0
        first = client.ask(FAKE_ROUNDS, 40)
        daemon.end()
        daemon.start()
        with Client(daemon) as again:
            assert again.ask(FAKE_ROUNDS, 1)[1] == 0
        assert first[1] == 0


@fake_only
def an_event_that_does_not_fit_goes_into_the_next_batch():
    """Sent together with others, so that it is not the first of its batch."""
    with Daemon().start() as daemon:
        clients = [Client(daemon) for _ in range(10)]
        for _ in range(20):
            for client in clients:
                client.send([7, FAKE_FULL])
            for client in clients:
                assert client.next()[:2] == [7, 0]
        for client in clients:
            client.close()


@fake_only
def the_largest_reply_arrives_whole():
    with Daemon().start() as daemon, Client(daemon) as client:
        for _ in range(5):
            assert len(client.ask(FAKE_LARGE)[2]) == 1024 * 1024 - 10


@fake_only
def notices_go_to_those_who_asked():
    with Daemon().start() as daemon, Client(daemon) as watcher, Client(daemon) as other:
        assert watcher.ask(SUBSCRIBE) == [1, 0]
        assert other.ask(FAKE_NOTICE, 5)[1] == 0
        assert watcher.next() == [0, 4, b"nnnnn"]
        assert other.ask(HELLO)[:2] == [2, 0]
        assert watcher.ask(HELLO)[:2] == [2, 0]


@fake_only
def a_watcher_that_does_not_read_is_dropped_and_memory_stays_bounded():
    with Daemon().start() as daemon, Client(daemon) as client:
        watcher = Client(daemon)
        watcher.ask(SUBSCRIBE)
        for _ in range(20):
            assert client.ask(FAKE_NOTICE, 500_000)[1] == 0
        daemon.wait_for_log("a client that does not read")
        watcher.close()
        still_serves(daemon)


@fake_only
def submissions_of_many_at_once_are_all_kept():
    with Daemon().start() as daemon:
        clients = [Client(daemon) for _ in range(CLIENTS_MAX - 1)]
        for _ in range(10):
            for client in clients:
                client.number += 1
                client.send([client.number, 2, bytes(32), bytes([ROUTINE]) + bytes(300)])
        numbers = set()
        for _ in range(10):
            for client in clients:
                reply = client.next()
                assert reply[1] == 0
                numbers.add(int.from_bytes(reply[2], "big"))
        assert numbers == set(range(1, 10 * len(clients) + 1))
        daemon.end()
        for client in clients:
            client.close()
        daemon.start()
        with Client(daemon) as client:
            assert client.submit(ROUTINE, 10)[2] == (10 * len(clients) + 1).to_bytes(8, "big")


def idle_it_uses_no_time():
    with Daemon().start() as daemon, Client(daemon) as client:
        client.ask(STATUS)

        def used():
            with open(f"/proc/{daemon.process.pid}/stat", encoding="ascii") as file:
                fields = file.read().rsplit(") ", 1)[1].split()
            return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

        before = used()
        time.sleep(2.5)
        assert used() - before <= 0.1, used() - before


if __name__ == "__main__":
    run_tests(
        what_is_no_frame_or_no_request_ends_the_connection_and_nothing_else,
        random_bytes_end_no_daemon,
        a_flood_of_refusals_is_a_few_log_lines,
        a_process_of_another_user_is_turned_away_though_it_reaches_the_socket,
        half_a_frame_holds_up_nobody,
        a_thousand_connections_leave_room_for_the_next_and_no_descriptor,
        a_client_that_goes_away_in_the_middle_leaves_nothing,
        replies_come_in_order_and_one_by_one,
        an_event_that_needs_many_rounds_of_rows_gets_them,
        an_event_that_does_not_fit_goes_into_the_next_batch,
        the_largest_reply_arrives_whole,
        notices_go_to_those_who_asked,
        a_watcher_that_does_not_read_is_dropped_and_memory_stays_bounded,
        submissions_of_many_at_once_are_all_kept,
        idle_it_uses_no_time,
    )
