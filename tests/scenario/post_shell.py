"""What the scenarios of the post share: a daemon in a folder of its own, clients, couriers, TAP.

They run with `LIAISOND` alone, which then holds the fake record of tests/unit/post, or with
`LIAISOND LIAISON`: the daemon as it is shipped, with a post that the command line makes. Tests of what only
the fake record does are marked fake_only."""

import contextlib
import functools
import io
import os
import select
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time
import traceback

import cbor2

HELLO, SUBMIT, KEYING_ACCEPT, STATUS, SUBSCRIBE, BACKUP = 1, 2, 6, 14, 15, 16
FAKE_ROUNDS, FAKE_FULL, FAKE_BROKEN, FAKE_ENDLESS, FAKE_WIPE, FAKE_NOTICE, FAKE_LARGE = range(100, 107)
ERROR_FULL, ERROR_BUSY = 48, 53
LINK_HELLO, LINK_SEND, LINK_CANCEL, LINK_ROUTE_WANTED = range(1, 5)
LINK_TAKEN, LINK_RECEIVED, LINK_PROGRESS, LINK_ROUTES = range(5, 9)
LINK_HEAD, LINK_HEADS, LINK_LEFT = 9, 10, 11
QUEUED, CARRIED, FAILED, EXPIRED = 1, 2, 3, 4
ROUTINE, PRIORITY, IMMEDIATE, FLASH = 1, 2, 3, 4
WINDOW = 12288


PROGRAM = os.path.abspath(sys.argv[1])
COMMAND = os.path.abspath(sys.argv[2]) if len(sys.argv) > 2 else None
NODE = "dtn://embassy/" if COMMAND is None else "ipn:1001.0"


def fake_only(test):
    test.fake_only = True
    return test


@functools.cache
def post_file():
    """What a daemon takes in at its first start."""
    if COMMAND is None:
        return os.urandom(64)
    with tempfile.TemporaryDirectory() as folder:
        with open(folder + "/passphrase", "w", encoding="ascii") as file:
            os.fchmod(file.fileno(), 0o600)
            file.write("correct horse battery staple\n")

        def run(*arguments):
            subprocess.run([COMMAND, *arguments, "--yes", "--passphrase-file", folder + "/passphrase"],
                           check=True, capture_output=True)

        run("party", "create", folder + "/party", "--name", "Alliance")
        run("post", "create", folder + "/post", "--party", folder + "/party", "--name", "Headquarters",
            "--kind", "headquarters", "--node", NODE, "--pin", "ab" * 32)
        with open(folder + "/post/post.init", "rb") as file:
            return file.read()


def frame(item):
    content = item if isinstance(item, bytes) else cbor2.dumps(item)
    return struct.pack(">I", len(content)) + content


class Stream:
    """A connection that speaks frames. `closed` ends a wait for more."""

    def __init__(self, path, timeout=60):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(path)  # before the timeout: with one, a full backlog would be an error
        self.socket.settimeout(timeout)
        self.received = b""

    def send(self, item):
        self.socket.sendall(frame(item))

    def send_raw(self, data):
        self.socket.sendall(data)

    def next(self):
        """The next frame; EOFError when the daemon closes."""
        while len(self.received) < 4 or len(self.received) < 4 + struct.unpack(">I", self.received[:4])[0]:
            try:
                data = self.socket.recv(1 << 20)
            except ConnectionResetError:
                data = b""
            if not data:
                raise EOFError
            self.received += data
        size = struct.unpack(">I", self.received[:4])[0]
        content, self.received = self.received[4:4 + size], self.received[4 + size:]
        item = cbor2.loads(content)
        assert cbor2.dumps(item, canonical=True) == content, "not in deterministic CBOR"
        return item

    def next_within(self, seconds):
        """The next frame, or None if none comes in time."""
        before = self.socket.gettimeout()
        self.socket.settimeout(seconds)
        try:
            return self.next()
        except (TimeoutError, socket.timeout):
            return None
        finally:
            self.socket.settimeout(before)

    def is_closed(self, seconds=30):
        """True if the daemon closes the connection in time; whatever it sends before is thrown away."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if select.select([self.socket], [], [], 0.1)[0]:
                try:
                    if not self.socket.recv(1 << 16):
                        return True
                except ConnectionResetError:
                    return True
        return False

    def close(self):
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class Client(Stream):
    """An officer's program."""

    def __init__(self, daemon, **options):
        super().__init__(daemon.path("post.sock"), **options)
        self.number = 0

    def ask(self, verb, *arguments):
        self.number += 1
        self.send([self.number, verb, *arguments])
        return self.reply()

    def reply(self):
        while True:
            reply = self.next()
            if reply[0] == self.number:
                return reply

    def submit(self, precedence, size):
        """A submission of the fake record: its first byte is the precedence."""
        return self.ask(SUBMIT, bytes(32), bytes([precedence]) + bytes(size - 1))


class Courier(Stream):
    """The other end of the link."""

    def __init__(self, daemon, greet=True, **options):
        super().__init__(daemon.path("courier.sock"), **options)
        if greet:
            self.greet()

    def say_hello(self):
        self.send([LINK_HELLO, 1, 2, "dtn://courier/"])
        assert self.next() == [LINK_HELLO, 1, 1, NODE]

    def greet(self):
        self.say_hello()
        self.send([LINK_HEADS, []])

    def report(self, copy, state=QUEUED, route="", reason=0):
        self.send([LINK_PROGRESS, copy, state, route, reason])

    def deliver(self, delivery, sealed, precedence=ROUTINE):
        self.send([LINK_RECEIVED, delivery, "dtn://far/", precedence, sealed])


class Daemon:
    def __init__(self, parent=None):
        self.folder = tempfile.mkdtemp(prefix="liaison-post-", dir=parent)
        self.process = None
        self.log_file = self.folder + ".log"
        with open(self.path("post.init"), "wb") as file:
            file.write(post_file())

    def path(self, name):
        return os.path.join(self.folder, name)

    def command(self, *options):
        return [PROGRAM, "--dir", self.folder, *options]

    def start(self, *options, wait=True, **popen):
        """Starts it and waits until it answers; `wait` False: until nothing."""
        log = open(self.log_file, "ab")
        self.process = subprocess.Popen(self.command(*options), stdin=subprocess.DEVNULL, stderr=log, **popen)
        log.close()
        if wait:
            self.wait_until_ready()
        return self

    def wait_until_ready(self):
        end = time.monotonic() + 60
        while time.monotonic() < end and self.process.poll() is None:
            with contextlib.suppress(OSError, EOFError):
                with Client(self) as client:
                    assert client.ask(HELLO)[1] == 0
                    return
            time.sleep(0.01)
        raise AssertionError("the daemon does not answer: " + self.log())

    def run(self, *options, **popen):
        """Runs it to its end: exit status and what it says."""
        result = subprocess.run(self.command(*options), capture_output=True, timeout=60, **popen)
        return result.returncode, result.stdout.decode(), result.stderr.decode()

    def log(self):
        with open(self.log_file, encoding="utf-8") as file:
            return file.read()

    def wait_for_log(self, words, seconds=30):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if words in self.log():
                return
            time.sleep(0.02)
        raise AssertionError(f"the log does not say {words!r}: {self.log()}")

    def end(self, with_signal=signal.SIGTERM):
        """Ends it; returns the exit status."""
        if self.process.poll() is None:
            self.process.send_signal(with_signal)
        return self.process.wait(timeout=60)

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    def descriptors_at_rest(self):
        """Once closed connections have been noticed: the same three times in a row."""
        counts = []
        while len(counts) < 3 or len(set(counts[-3:])) > 1:
            counts.append(self.descriptors())
            time.sleep(0.02)
        return counts[-1]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        shutil.rmtree(self.folder)
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.log_file)


def wait_until(condition, seconds=30):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.02)
    return condition()


class Skip(Exception):
    """This machine cannot run the test; the reason is its text."""


def run_tests(*tests):
    """Each test is a function whose name says what it shows; it fails by raising."""
    if COMMAND is not None:
        tests = [test for test in tests if not hasattr(test, "fake_only")]
    print("TAP version 13", flush=True)
    print(f"1..{len(tests)}", flush=True)
    failed = False
    for number, test in enumerate(tests, 1):
        name = test.__name__.replace("_", " ")
        start = time.monotonic()
        try:
            test()
            print(f"# {time.monotonic() - start:.1f} s")
            print(f"ok {number} - {name}", flush=True)
        except Skip as skip:
            print(f"ok {number} - {name} # SKIP {skip}", flush=True)
        except BaseException:
            failed = True
            print(f"not ok {number} - {name}", flush=True)
            text = io.StringIO()
            traceback.print_exc(file=text)
            for line in text.getvalue().splitlines():
                print("#", line, flush=True)
    sys.exit(1 if failed else 0)
