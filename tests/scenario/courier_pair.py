"""Two couriers on loopback with fake posts: what they carry, what they refuse, what a kill leaves.

usage: courier_pair.py PATH-OF-liaison-courierd        prints TAP
       courier_pair.py --bench PATH-OF-liaison-courierd
"""

import collections
import os
import random
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time

from courier_world import World, is_open, read_to_end, run_tests, until
from fake_post import CARRIED, FAILED, FLASH, PRIORITY, QUEUED, ROUTINE
from terminal import let_children_trace

BETA = "ipn:2002.0"
CONTACT_TLS = b"dtn!\x04\x01"
CONTACT_PLAIN = b"dtn!\x04\x00"
TERM_CONTACT_FAILURE = b"\x05\x00\x04"
STRANGERS_OF_ADDRESS_MAX = 8


def message(size=400):
    return os.urandom(size)


def bundles_both_ways_arrive_once(world):
    a, b = world.pair()
    b.up()
    a.up()
    a.link_is_up(b)
    sent = {side: [message(random.choice((1, 160, 400, 4000))) for _ in range(200)] for side in "ab"}
    sent["a"].append(message(77824))

    def send(post, node, sealed):
        for one in sealed:
            post.send(node, ROUTINE, one)

    threads = [threading.Thread(target=send, args=arguments)
        for arguments in ((a.post, b.node, sent["a"]), (b.post, a.node, sent["b"]))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for post, expected in ((b.post, sent["a"]), (a.post, sent["b"])):
        post.wait(lambda: len(post.received) >= len(expected), 15, "all messages")
        time.sleep(0.1)
        assert sorted(r[2] for r in post.received) == sorted(expected)
    a.post.wait(lambda: list(a.post.progress.values()) == [CARRIED] * 201, 5, "every copy carried")
    assert a.stop() == 0 and b.stop() == 0
    for courier in (a, b):
        assert not (courier.directory / "courier.lock").exists()
        assert set(os.listdir(courier.directory)) == {"courier.conf", "tls.key", "tls.crt", "queue.db"}


def send_all(post, destination, sealed_by_id):
    """Hands over what is not queued yet; gives up when the link breaks."""
    for identity, sealed in list(sealed_by_id.items()):
        if identity not in post.queued and post.send(destination, PRIORITY, sealed, identity) is None:
            return


def kills_lose_and_repeat_nothing(world):
    a, b = world.pair()
    b.up()
    a.up()
    wanted = {os.urandom(16): message(300) for _ in range(600)}
    stop = threading.Event()

    def keep_sending():
        while not stop.is_set():
            send_all(a.post, b.node, wanted)
            time.sleep(0.01)

    sender = threading.Thread(target=keep_sending)
    sender.start()
    kill_times = []
    for _ in range(6):
        time.sleep(random.uniform(0.02, 0.15))
        victim = random.choice((a, b))
        victim.kill()
        kill_times.append((victim, time.monotonic()))
        victim.start()
        victim.post.wait_up()
    # Liveness: everything is queued, and everything that was queued arrives.
    until(lambda: len(a.post.queued) == len(wanted), 15, "every copy queued")
    stop.set()
    sender.join()
    b.post.wait(lambda: len({r[2] for r in b.post.received}) == len(wanted), 15, "everything that was queued")
    assert {r[2] for r in b.post.received} == set(wanted.values())
    # Twice is allowed only where the kill was faster than the commit that follows TAKEN.
    counts = collections.Counter(r[2] for r in b.post.received)
    for sealed, count in counts.items():
        if count == 1:
            continue
        again = [r[0] for r in b.post.received if r[2] == sealed][1]
        assert any(b.post.taken[sealed] > at - 0.5 and at < again for victim, at in kill_times
            if victim is b), "given again long after it was taken"
    assert a.stop() == 0 and b.stop() == 0


def a_restart_gives_only_what_was_not_taken(world):
    a, b = world.pair()
    b.post.taking = False
    b.up()
    a.up()
    sealed = [message() for _ in range(3)]
    for one in sealed:
        a.post.send(b.node, ROUTINE, one)
    b.post.wait(lambda: len(b.post.received) == 3, 5, "three messages")
    b.kill()
    b.post.received.clear()
    b.post.taking = True
    b.start()
    b.post.wait(lambda: len(b.post.received) == 3, 5, "the same three again")
    time.sleep(0.3)  # for TAKEN to be on disk
    b.kill()
    b.post.received.clear()
    b.start()
    b.post.wait_up()
    time.sleep(0.3)
    assert b.post.received == []


def a_flash_passes_what_waits(world):
    a, b = world.pair()
    b.up()
    a.up()
    a.link_is_up(b)
    count, size = 4000, 400
    bulk = [message(size) for _ in range(count)]
    flash = message(300)
    a.post.want("beta", True)
    a.post.wait(lambda: a.post.route_state("beta") == 4, 5, "the route down")
    for sealed in bulk:
        a.post.send(b.node, ROUTINE, sealed)
    a.post.wait(lambda: len(a.post.queued) == count, 20, "all of the bulk queued")
    a.post.want("beta", False)
    b.post.wait(lambda: len(b.post.received) >= 200, 10, "some of the bulk")
    at_send = len(b.post.received)
    identity = a.post.send(b.node, FLASH, flash)
    b.post.wait(lambda: any(r[2] == flash for r in b.post.received), 5, "the FLASH")
    arrived = next(i for i, r in enumerate(b.post.received) if r[2] == flash)
    a.post.wait(lambda: identity in a.post.queued, 5, "the FLASH queued")
    ahead = (arrived - at_send) * size
    print(f"# {ahead} bytes of ROUTINE reached the other post before the FLASH, "
        f"{(count - arrived) * size} after it")
    assert ahead <= 65536 and arrived < count - 500, (at_send, arrived)
    b.post.wait(lambda: len(b.post.received) == count + 1, 30, "all of the bulk")


def a_wrong_pin_is_refused(world):
    a, b = world.pair()
    b.configure(b.line_for(a, pin="00" * 32))
    b.up()
    a.up()
    until(lambda: "no neighbour's pin" in b.log(), 5, "the refusal in the log")
    assert a.post.route_state("beta") != 1
    # The dialing end looks at the pin as well.
    b.stop()
    b.configure(b.line_for(a))
    a.stop()
    a.configure(a.line_for(b, "dial", pin="11" * 32))
    b.up()
    a.up()
    until(lambda: "no neighbour's pin" in a.log(), 5, "the refusal in the log")
    assert b.post.route_state("alpha") != 1


def another_node_in_the_certificate_is_refused(world):
    a, b = world.pair()
    c = world.courier("gamma", "ipn:3003.0")
    # b thinks that alpha's key is ipn:3003.0's.
    b.configure(b.line_for(c, pin=a.pin))
    b.up()
    a.up()
    until(lambda: "does not name the node" in b.log(), 5, "the refusal in the log")
    assert a.post.route_state("beta") != 1


def dial_raw(courier, hello):
    connection = socket.create_connection(("127.0.0.1", courier.port), 60)
    connection.settimeout(60)
    connection.sendall(hello)
    return connection


def no_client_certificate_is_refused(world):
    a, b = world.pair()
    b.up()
    connection = dial_raw(b, CONTACT_TLS)
    assert connection.recv(6) == CONTACT_TLS
    try:
        wrapped = tls_client(connection)
        assert wrapped.version() == "TLSv1.3"
        said = wrapped.recv(100)
        raise AssertionError(f"the courier went on: {said!r}")
    except ssl.SSLError as error:
        assert "CERTIFICATE_REQUIRED" in str(error).upper(), error
    until(lambda: "turned away" in b.log(), 5, "the refusal in the log")


def tls_client(connection):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context.wrap_socket(connection)


def sess_init(node):
    node = node.encode()
    return (b"\x07\x00\x1e" + (16384).to_bytes(8, "big") + (131072).to_bytes(8, "big")
        + len(node).to_bytes(2, "big") + node + bytes(4))


def a_client_certificate_may_lack_where_the_link_says_so(world):
    a, b = world.pair()
    b.configure(b.line_for(a), "neighbour vessel node ipn:7.0 client-certificate none")
    b.up()
    for node, welcome in (("ipn:7.0", True), (a.node, False), ("ipn:8.0", False)):
        connection = dial_raw(b, CONTACT_TLS)
        assert connection.recv(6) == CONTACT_TLS
        wrapped = tls_client(connection)
        wrapped.sendall(sess_init(node))
        answer = wrapped.recv(100)
        assert answer == (sess_init(b.node) if welcome else TERM_CONTACT_FAILURE), (node, answer)
        wrapped.close()
    assert "the peer presents no certificate" in b.log()
    # A neighbour with a certificate comes in as ever.
    a.up()
    a.link_is_up(b)


def strangers_keep_nobody_out(world):
    a, b = world.pair()
    b.up()
    held = []
    for i in range(120):
        connection = socket.socket()
        connection.bind((f"127.0.0.{2 + i // 4}", 0))
        connection.connect(("127.0.0.1", b.port))
        held.append(connection)
    same = [socket.create_connection(("127.0.0.1", b.port)) for _ in range(7)]
    a.up()
    a.link_is_up(b)
    a.post.send(b.node, ROUTINE, message())
    b.post.wait(lambda: len(b.post.received) == 1, 5, "a message")
    # One address gets no more than its share. Of those that came faster than they were taken some are connections for this
    # side only, until the kernel tries them again.
    same += [socket.create_connection(("127.0.0.1", b.port)) for _ in range(5)]
    until(lambda: sum(map(is_open, same)) <= STRANGERS_OF_ADDRESS_MAX, 10, "the end of those that are too many")
    for connection in (*held, *same):
        connection.close()


def the_connector_and_the_courier_end_together(world):
    def children(pid):
        return [int(p) for p in open(f"/proc/{pid}/task/{pid}/children").read().split()]

    def gone(pid):
        try:
            return open(f"/proc/{pid}/stat").read().rsplit(")", 1)[1].split()[0] == "Z"
        except OSError:
            return True

    a, b = world.pair()
    a.up()
    connector, = children(a.process.pid)
    # Standard input, output, error, and the channel: nothing else of the courier's.
    assert len(os.listdir(f"/proc/{connector}/fd")) == 4
    os.kill(connector, 9)
    assert a.process.wait(60) == 1
    assert "the process that connects to the post has ended" in a.log()
    a.up()
    connector, = children(a.process.pid)
    a.kill()
    until(lambda: gone(connector), 5, "the connector's end")
    # One that is told to stop leaves nothing at all, not even for whoever adopts it to bury.
    assert "listens on 127.0.0.1 port" in b.up().log()
    connector, = children(b.process.pid)
    assert b.stop() == 0
    assert not os.path.exists(f"/proc/{connector}")


def a_second_sigterm_cuts_off_who_does_not_hang_up(world):
    """The peer agrees to the end of the session and then keeps the connection: its FIN never comes."""
    a, b = world.pair()
    b.configure(b.line_for(a), "neighbour vessel node ipn:7.0 closed")
    b.up()
    connection = dial_raw(b, CONTACT_PLAIN)
    assert connection.recv(6) == CONTACT_TLS # it could, and may do without
    connection.sendall(sess_init("ipn:7.0"))
    assert connection.recv(100) == sess_init(b.node)
    b.process.send_signal(signal.SIGTERM)
    assert connection.recv(100)[:2] == b"\x05\x00"
    connection.sendall(b"\x05\x01\x00")
    assert read_to_end(connection) == b""
    begin = time.monotonic()
    assert b.stop(5) == 0
    assert time.monotonic() - begin < 1.5, "it waited for the peer's FIN"
    connection.close()


def an_older_tls_is_refused(world):
    a, b = world.pair()
    b.up()
    connection = dial_raw(b, CONTACT_TLS)
    assert connection.recv(6) == CONTACT_TLS
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.wrap_socket(connection)
        raise AssertionError("the courier spoke TLS 1.2")
    except ssl.SSLError as error:
        assert "PROTOCOL_VERSION" in str(error).upper(), error


def plain_is_refused_on_a_link_that_is_not_closed(world):
    a, b = world.pair()
    b.up()
    assert read_to_end(dial_raw(b, CONTACT_PLAIN)) == CONTACT_TLS + TERM_CONTACT_FAILURE
    # Where some other link is closed, the node decides.
    b.stop()
    b.configure(b.line_for(a), "neighbour wire node ipn:7.0 closed")
    b.up()
    assert read_to_end(dial_raw(b, CONTACT_PLAIN + sess_init(a.node))) == CONTACT_TLS + TERM_CONTACT_FAILURE
    # And a stranger's bytes get nothing at all.
    assert read_to_end(dial_raw(b, b"GET / HTTP/1.0\r\n\r\n")) == b""


def bytes_of_strangers_do_no_harm(world):
    a, b = world.pair()
    b.up()
    pid = b.process.pid
    for _ in range(300):
        begin = random.choice((CONTACT_TLS, CONTACT_TLS, CONTACT_PLAIN, b"dtn!\x03\x00", b"dtn", b""))
        connection = dial_raw(b, begin + os.urandom(random.choice((0, 1, 30, 3000))))
        if random.random() < 0.5:
            connection.shutdown(socket.SHUT_WR)
            read_to_end(connection)
        connection.close()
    a.up()
    a.link_is_up(b)
    assert b.process.poll() is None and b.process.pid == pid


def heads_come_back_after_hello(world):
    a, b = world.pair()
    a.up()
    for origin, size in (("log/b", 5), ("log/a", 7), ("log/b", 9), ("log/b", 8)):
        a.post.sign_head(origin, size)
    time.sleep(0.3)
    a.kill()
    a.up()
    a.post.wait(lambda: a.post.heads, 5, "the heads")
    assert [(head[0], head[1], head[2][0]) for head in a.post.heads] == [("log/a", 7, 7), ("log/b", 9, 9)]


def a_closed_link_carries_in_plain(world):
    a, b = world.pair("dial closed", "closed")
    b.up()
    a.up()
    sealed = message()
    a.post.send(b.node, ROUTINE, sealed)
    b.post.wait(lambda: [r[2] for r in b.post.received] == [sealed], 5, "the message")
    assert "plain" in a.log() and "plain" in b.log()


def both_may_dial(world):
    a, b = world.pair("dial", "dial")
    b.up()
    a.up()
    for i in range(20):
        a.post.send(b.node, ROUTINE, message())
        b.post.send(a.node, ROUTINE, message())
    a.post.wait(lambda: len(a.post.received) == 20, 10, "messages one way")
    b.post.wait(lambda: len(b.post.received) == 20, 10, "messages the other way")


def a_held_route_carries_nothing(world):
    a, b = world.pair()
    b.up()
    a.up()
    a.link_is_up(b)
    a.post.want("beta", True)
    a.post.wait(lambda: a.post.route_state("beta") == 4, 5, "the route down")
    identity = a.post.send(b.node, ROUTINE, message())
    a.post.wait(lambda: a.post.progress.get(identity) == QUEUED, 5, "the copy queued")
    a.post.wait(lambda: a.post.queued_bytes("beta") > 0, 3, "the post is told what waits")
    assert b.post.received == [] and a.post.progress[identity] == QUEUED
    a.post.want("beta", False)
    b.post.wait(lambda: len(b.post.received) == 1, 5, "the message")
    a.post.wait(lambda: a.post.queued_bytes("beta") == 0, 3, "the post is told that nothing waits")


def neighbours_are_taken_anew_on_sighup(world):
    a, b = world.pair()
    c = world.courier("gamma", "ipn:3003.0")
    c.configure(c.line_for(a))
    for courier in (a, b, c):
        courier.up()
    a.link_is_up(b)
    # A broken file changes nothing.
    good = (a.directory / "courier.conf").read_text()
    (a.directory / "courier.conf").write_text(good + "neighbour\n")
    a.process.send_signal(1)
    until(lambda: "courier.conf:5: expected `neighbour NAME" in a.log(), 5, "line and reason in the log")
    a.post.send(b.node, ROUTINE, message())
    b.post.wait(lambda: len(b.post.received) == 1, 5, "a message")
    a.configure(a.line_for(b, "dial"), a.line_for(c, "dial"))
    a.process.send_signal(1)
    a.link_is_up(c)
    a.link_is_up(b)
    a.post.wait_up()
    a.post.send(c.node, ROUTINE, message())
    a.post.send(b.node, ROUTINE, message())
    c.post.wait(lambda: len(c.post.received) == 1, 5, "a message to the new neighbour")
    b.post.wait(lambda: len(b.post.received) == 2, 5, "a message to the old one")


def a_relay_passes_on(world):
    a = world.courier("alpha", "ipn:1001.0")
    b = world.courier("beta", BETA)
    c = world.courier("gamma", "ipn:3003.0")
    a.configure(a.line_for(b, "dial"), "path ipn:3003.0 via beta")
    b.configure(b.line_for(a), b.line_for(c, "dial"))
    c.configure(c.line_for(b), "path ipn:1001.0 via beta")
    for courier in (a, b, c):
        courier.up()
    sealed = message()
    a.post.send(c.node, ROUTINE, sealed)
    c.post.wait(lambda: [r[2] for r in c.post.received] == [sealed], 5, "the message behind the relay")
    assert b.post.received == []


def one_courier_to_a_directory(world):
    a, b = world.pair()
    a.up()
    second = subprocess.run([world.program, "--dir", a.directory], capture_output=True, text=True,
        timeout=60)
    assert second.returncode == 1 and "another courier runs in it" in second.stderr, second.stderr
    assert a.stop() == 0
    # What a kill leaves behind does not keep the next one out.
    a.up()
    a.kill()
    a.up()


def wrong_commands_and_files_say_what_to_do(world):
    def run(*arguments):
        return subprocess.run([world.program, *arguments], capture_output=True, text=True, timeout=60)

    a, b = world.pair()
    assert "--init --node" in run("--help").stdout
    for arguments, code, words in (
        (["--no"], 2, "--help"),
        (["--dir", world.place / "nowhere"], 1, "No such file"),
        (["--dir", a.directory, "--init", "--node", a.node], 1, "already"),
        (["--dir", world.place / "new", "--init", "--node", "ipn:1.1"], 2, "node id"),
    ):
        result = run(*arguments)
        assert result.returncode == code and words in result.stderr, (arguments, result)
    assert run("--dir", a.directory, "--show-pin").stdout == a.pin + "\n"
    assert oct((a.directory / "tls.key").stat().st_mode)[-3:] == "600"
    assert oct(a.directory.stat().st_mode)[-3:] == "700"
    (a.directory / "courier.conf").write_text("node ipn:1001.0\nlisten localhost:4556\n")
    result = run("--dir", a.directory)
    assert result.returncode == 1, result
    assert "courier.conf:2: expected `listen ADDRESS:PORT`" in result.stderr, result
    assert not (a.directory / "courier.lock").exists() and not (a.directory / "queue.db").exists()


def the_sandbox_forbids(world):
    a, b = world.pair()
    denied = {"EPERM", "EACCES"}
    forbidden = ("open-file", "open-post", "open-record", "open-anchor", "exec", "fork", "thread", "unix-socket", "udp-socket", "bind",
        "ptrace", "kill", "exec-memory", "write-outside")
    def what_comes_of(act, *options):
        result = subprocess.run([world.program, "--dir", a.directory, *options, "--test-forbidden", act], timeout=60,
            capture_output=True, text=True)
        if result.returncode == 2:
            return None
        name, what = result.stdout.split()
        assert name == act, result
        return what

    # What a post's directory holds lies beside its socket.
    for name in ("store.db", "anchor"):
        (world.place / name).write_text("not for couriers")
    if what_comes_of("write-inside") is None:
        return "this build has no test hooks"
    assert what_comes_of("write-inside") == "done"
    let_children_trace()
    outside = a.directory.parent / "forbidden-test"
    for act in forbidden:
        assert what_comes_of(act) in denied and not outside.exists(), act
    # Else that would show nothing. A thread is asked for with flags that cannot be: the kernel gets to see them.
    for act in forbidden:
        expected = "EINVAL" if act == "thread" else "done"
        assert what_comes_of(act, "--unsafe-no-sandbox") == expected, act
    assert outside.exists()
    return None


def libraries_are_only_those(world):
    names = subprocess.run(["ldd", world.program], capture_output=True, text=True, check=True).stdout
    assert "libcrypto" in names and "libsodium" not in names and "libcurl" not in names


def bench(world):
    a, b = world.pair()
    b.up()
    a.up()
    a.link_is_up(b)
    time.sleep(3)
    print(f"idle RSS: {a.rss_kib()} and {b.rss_kib()} KiB")
    for count, size in ((5000, 360), (1000, 4000), (200, 70000)):
        b.post.received.clear()
        sealed = [message(size) for _ in range(count)]
        begin = time.monotonic()
        sending = threading.Thread(
            target=lambda: [a.post.send(b.node, ROUTINE, one) for one in sealed])
        sending.start()
        b.post.wait(lambda: len(b.post.received) >= count, 60, "all")
        spent = time.monotonic() - begin
        sending.join()
        rate = count / spent
        print(f"{count} of {size} bytes: {rate:.0f} bundles/s, {rate * size / 1e6:.1f} MB/s")
    times = []
    for _ in range(100):
        b.post.received.clear()
        begin = time.monotonic()
        a.post.send(b.node, FLASH, message(360))
        b.post.wait(lambda: b.post.received, 5, "one")
        times.append((b.post.received[0][0] - begin) * 1000)
        time.sleep(0.005)
    times.sort()
    print(f"one alone: median {times[50]:.2f} ms, 99th {times[98]:.2f} ms")
    time.sleep(3)
    print(f"RSS after: {a.rss_kib()} and {b.rss_kib()} KiB")


TESTS = (
    bundles_both_ways_arrive_once,
    kills_lose_and_repeat_nothing,
    a_restart_gives_only_what_was_not_taken,
    a_flash_passes_what_waits,
    a_wrong_pin_is_refused,
    another_node_in_the_certificate_is_refused,
    no_client_certificate_is_refused,
    a_client_certificate_may_lack_where_the_link_says_so,
    strangers_keep_nobody_out,
    the_connector_and_the_courier_end_together,
    a_second_sigterm_cuts_off_who_does_not_hang_up,
    an_older_tls_is_refused,
    plain_is_refused_on_a_link_that_is_not_closed,
    bytes_of_strangers_do_no_harm,
    heads_come_back_after_hello,
    a_closed_link_carries_in_plain,
    both_may_dial,
    a_held_route_carries_nothing,
    neighbours_are_taken_anew_on_sighup,
    a_relay_passes_on,
    one_courier_to_a_directory,
    wrong_commands_and_files_say_what_to_do,
    the_sandbox_forbids,
    libraries_are_only_those,
)


def main():
    if sys.argv[1] == "--bench":
        with World(sys.argv[2]) as world:
            bench(world)
        return 0
    return run_tests(TESTS, sys.argv[1], sys.argv[2:])


if __name__ == "__main__":
    sys.exit(main())
