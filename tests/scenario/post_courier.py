"""Couriers that misbehave: usage: post_courier.py LIAISOND [LIAISON]"""

import random
import struct
import threading
import time

from post_shell import (
    CARRIED, Client, Courier, Daemon, EXPIRED, FAILED, FAKE_LARGE, FLASH, HELLO, LINK_CANCEL, LINK_HEADS, LINK_HELLO,
    LINK_PROGRESS, LINK_RECEIVED, LINK_ROUTES, LINK_SEND, LINK_TAKEN, PRIORITY, QUEUED, ROUTINE,
    STATUS, SUBSCRIBE, WINDOW, fake_only, frame, run_tests, wait_until)


def sends(daemon, courier):
    """The copies that are handed over now. Two requests later, the loop has done all there was to do."""
    with Client(daemon) as client:
        client.ask(HELLO)
        client.ask(HELLO)
    copies = []
    while (message := courier.next_within(0.05)) is not None:
        assert message[0] == LINK_SEND, message
        copies.append(message)
    return copies


def still_serves(daemon):
    with Client(daemon) as client:
        assert client.ask(HELLO)[1] == 0


@fake_only
def a_copy_is_handed_over_once_its_entry_is_committed():
    with Daemon().start() as daemon, Courier(daemon) as courier, Client(daemon) as client:
        assert client.submit(FLASH, 360)[1] == 0
        message = courier.next()
        assert message[0] == LINK_SEND and message[2:4] == ["dtn://far/", FLASH] and len(message[5]) == 360
        courier.report(message[1])
        courier.report(message[1], CARRIED, "direct")
        assert courier.next() == [LINK_CANCEL, message[1]]


@fake_only
def before_its_heads_have_come_a_courier_gets_nothing():
    with Daemon().start() as daemon, Client(daemon) as client:
        for _ in range(2):  # each connection owes them anew
            with Courier(daemon, greet=False) as courier:
                courier.say_hello()
                assert client.submit(FLASH, 360)[1] == 0
                assert sends(daemon, courier) == []
                courier.send([LINK_HEADS, []])
                assert courier.next()[0] == LINK_SEND


@fake_only
def no_more_than_the_window_waits_and_an_answer_makes_room():
    with Daemon().start() as daemon, Courier(daemon) as courier, Client(daemon) as client:
        for _ in range(100):
            client.submit(ROUTINE, 1000)
        copies = sends(daemon, courier)
        assert len(copies) == WINDOW // 1000, len(copies)
        courier.report(copies[0][1])
        more = sends(daemon, courier)
        assert len(more) == 1
        for copy in copies[1:] + more:
            courier.report(copy[1])
        assert len(sends(daemon, courier)) == WINDOW // 1000


@fake_only
def a_flash_does_not_wait_for_the_window():
    with Daemon().start() as daemon, Courier(daemon) as courier, Client(daemon) as client:
        for _ in range(50):
            client.submit(ROUTINE, 1000)
        assert len(sends(daemon, courier)) == WINDOW // 1000
        client.submit(FLASH, 500)
        assert courier.next()[3] == FLASH
        client.submit(PRIORITY, 500)
        assert courier.next()[3] == PRIORITY


@fake_only
def a_copy_larger_than_the_window_goes_alone():
    with Daemon().start() as daemon, Courier(daemon) as courier, Client(daemon) as client:
        for _ in range(3):
            client.submit(ROUTINE, 70_000)
        for _ in range(3):
            copies = sends(daemon, courier)
            assert len(copies) == 1
            courier.report(copies[0][1])


@fake_only
def a_courier_that_repeats_itself_gets_no_more_room():
    with Daemon().start() as daemon, Courier(daemon) as courier, Client(daemon) as client:
        for _ in range(40):
            client.submit(ROUTINE, 1000)
        copies = sends(daemon, courier)
        for _ in range(20):
            courier.report(copies[0][1])
            courier.report(bytes(range(16)))
        assert len(sends(daemon, courier)) == 1


@fake_only
def what_was_not_answered_is_handed_over_again_on_the_next_connection():
    with Daemon().start() as daemon, Client(daemon) as client:
        for _ in range(5):
            client.submit(ROUTINE, 1000)
        with Courier(daemon) as courier:
            copies = sends(daemon, courier)
            assert len(copies) == 5
            courier.report(copies[0][1])
            courier.report(copies[1][1], FAILED, "", 50)
            courier.report(copies[2][1], EXPIRED, "", 60)
            assert client.ask(HELLO)[1] == 0
        with Courier(daemon) as courier:
            again = sends(daemon, courier)
            assert sorted(copy[1] for copy in again) == sorted(copy[1] for copy in copies[3:])


@fake_only
def the_same_after_a_kill():
    with Daemon().start() as daemon:
        with Client(daemon) as client, Courier(daemon) as courier:
            for _ in range(5):
                client.submit(ROUTINE, 1000)
            assert len(sends(daemon, courier)) == 5
            daemon.end(9)
        daemon.start()
        with Courier(daemon) as courier:
            assert len(sends(daemon, courier)) == 5


@fake_only
def a_delivery_is_taken_and_told():
    with Daemon().start() as daemon, Courier(daemon) as courier, Client(daemon) as client:
        client.ask(SUBSCRIBE)
        for delivery in (7, 2 ** 63 - 1, 1):
            courier.deliver(delivery, b"sealed", FLASH)
            assert courier.next() == [LINK_TAKEN, delivery]
            assert client.next()[:2] == [0, 4]


def a_batch_of_deliveries_is_taken_in_order():
    with Daemon().start() as daemon, Courier(daemon) as courier:
        deliveries = ([LINK_RECEIVED, n, "dtn://far/", 1, bytes(300)] for n in range(1, 1001))
        courier.send_raw(b"".join(map(frame, deliveries)))
        for n in range(1, 1001):
            assert courier.next() == [LINK_TAKEN, n]


def hostile_messages_end_the_connection_and_nothing_else():
    received = [LINK_RECEIVED, 1, "dtn://far/", 1, b"sealed"]
    hostile = [
        struct.pack(">I", 0),
        struct.pack(">I", 0x7FFFFFFF),
        b"\x16\x03\x01" * 50,
        frame(b"\xff"),
        frame([]),
        frame([99]),
        frame([LINK_HELLO, 1, 2, "dtn://courier/"]),  # a second one
        frame([LINK_SEND, bytes(16), "dtn://far/", 1, 1000, b"sealed", ""]),  # ours to send
        frame([LINK_CANCEL, bytes(16)]),
        frame([LINK_TAKEN, 1]),
        frame(received[:4]),
        frame(received + [0]),
        frame([LINK_RECEIVED, 0, "dtn://far/", 1, b"sealed"]),
        frame([LINK_RECEIVED, 1, "", 1, b"sealed"]),
        frame([LINK_RECEIVED, 1, "dtn://far/\n", 1, b"sealed"]),
        frame([LINK_RECEIVED, 1, "dtn://far/", 5, b"sealed"]),
        frame([LINK_RECEIVED, 1, "dtn://far/", 1, b""]),
        frame([LINK_RECEIVED, 1, "dtn://far/", 1, bytes(80000)]),
        frame([LINK_PROGRESS, bytes(15), QUEUED, "", 0]),
        frame([LINK_PROGRESS, bytes(16), 9, "", 0]),
        frame([LINK_PROGRESS, bytes(16), CARRIED, "\u202e", 0]),
        frame([LINK_ROUTES, [["direct"]], False]),
        frame([LINK_ROUTES, [["direct", "dtn://far/", 1, 0, 0]] * 257, False]),
        frame(b"\x9f\x06\xff"),
        frame(b"\x82" * 20),
    ]
    with Daemon().start() as daemon:
        for data in hostile:
            with Courier(daemon) as courier:
                courier.send_raw(data)
                assert courier.is_closed(), data[:30]
        for first in (received, [LINK_HELLO, 2, 2, "dtn://c/"], [LINK_HELLO, 1, 1, "dtn://c/"]):
            with Courier(daemon, greet=False) as courier:
                courier.send(first)
                assert courier.is_closed(), first
        assert "refused: " in daemon.log()
        with Courier(daemon) as courier:
            courier.deliver(1, b"sealed")
            assert courier.next() == [LINK_TAKEN, 1]


def random_messages_end_no_daemon():
    chance = random.Random(2)
    with Daemon().start() as daemon:
        before = daemon.descriptors_at_rest()
        for _ in range(100):
            with Courier(daemon) as courier:
                message = bytearray(frame([LINK_RECEIVED, 5, "dtn://far/", 1, chance.randbytes(50)]))
                for _ in range(chance.randrange(1, 4)):
                    message[chance.randrange(4, len(message))] = chance.randrange(256)
                courier.send_raw(bytes(message) + struct.pack(">I", 0))
                assert courier.is_closed()
        still_serves(daemon)
        assert daemon.descriptors_at_rest() == before


def one_courier_at_a_time():
    with Daemon().start() as daemon:
        with Courier(daemon) as first:
            with Courier(daemon, greet=False) as second:
                assert second.is_closed()
            daemon.wait_for_log("a second courier, while one is connected")
            first.deliver(1, b"sealed")
            assert first.next() == [LINK_TAKEN, 1]
        with Courier(daemon) as third:
            third.deliver(2, b"sealed")
            assert third.next() == [LINK_TAKEN, 2]


def a_thousand_couriers_leave_no_descriptor():
    with Daemon().start() as daemon:
        before = daemon.descriptors_at_rest()
        for _ in range(1000):
            Courier(daemon, greet=False).close()
        assert daemon.descriptors_at_rest() == before
        with Courier(daemon) as courier:
            courier.deliver(1, b"sealed")
            assert courier.next() == [LINK_TAKEN, 1]


def routes_are_kept_and_replaced():
    routes = [["direct", "dtn://far/", 1, 1000, 5], ["relay", "dtn://near/", 4, 2000, 0]]
    with Daemon().start() as daemon, Courier(daemon) as courier, Client(daemon) as client:
        for _ in range(3):
            courier.send([LINK_ROUTES, routes, False])
            courier.send([LINK_ROUTES, [], True])
            courier.send([LINK_ROUTES, routes[1:], False])
        courier.deliver(1, b"sealed")
        assert courier.next() == [LINK_TAKEN, 1]
        assert client.ask(STATUS)[1] == 0


def a_courier_that_does_not_read_holds_up_nobody():
    with Daemon().start() as daemon, Courier(daemon) as courier, Client(daemon) as client:
        sent = 0
        courier.socket.setblocking(False)
        message = frame([LINK_RECEIVED, 1, "dtn://far/", 1, b"s"])
        try:
            while not wait_until(lambda: "the courier does not read" in daemon.log(), 0):
                try:
                    sent += courier.socket.send(message * 500)
                except BlockingIOError:
                    client.ask(HELLO)
        except (BrokenPipeError, ConnectionResetError):
            pass
        daemon.wait_for_log("the courier does not read")
        assert client.ask(HELLO)[1] == 0
        with Courier(daemon) as courier:
            courier.deliver(1, b"sealed")
            assert courier.next() == [LINK_TAKEN, 1]


def ask_without_end(daemon, stop):
    """Has two requests waiting at any time, each of which fills a batch by its reply."""
    with Client(daemon) as client:
        request = frame([1, FAKE_LARGE])
        client.send_raw(2 * request)
        left = 1024 * 1024
        while not stop.is_set():
            left -= len(client.socket.recv(min(left, 1 << 20)))
            if left == 0:
                client.send_raw(request)
                left = 1024 * 1024


@fake_only
def officers_who_ask_without_end_do_not_keep_the_courier_waiting():
    stop = threading.Event()
    with Daemon().start() as daemon, Courier(daemon) as courier:
        askers = [threading.Thread(target=ask_without_end, args=(daemon, stop)) for _ in range(4)]
        for asker in askers:
            asker.start()
        try:
            time.sleep(0.5)
            for delivery in range(1, 6):
                courier.deliver(delivery, b"sealed", FLASH)
                assert courier.next_within(30) == [LINK_TAKEN, delivery]
        finally:
            stop.set()
            for asker in askers:
                asker.join()


if __name__ == "__main__":
    run_tests(
        a_copy_is_handed_over_once_its_entry_is_committed,
        before_its_heads_have_come_a_courier_gets_nothing,
        no_more_than_the_window_waits_and_an_answer_makes_room,
        a_flash_does_not_wait_for_the_window,
        a_copy_larger_than_the_window_goes_alone,
        a_courier_that_repeats_itself_gets_no_more_room,
        what_was_not_answered_is_handed_over_again_on_the_next_connection,
        the_same_after_a_kill,
        a_delivery_is_taken_and_told,
        a_batch_of_deliveries_is_taken_in_order,
        hostile_messages_end_the_connection_and_nothing_else,
        random_messages_end_no_daemon,
        one_courier_at_a_time,
        a_thousand_couriers_leave_no_descriptor,
        routes_are_kept_and_replaced,
        a_courier_that_does_not_read_holds_up_nobody,
        officers_who_ask_without_end_do_not_keep_the_courier_waiting,
    )
