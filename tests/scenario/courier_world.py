"""Couriers in a scratch directory, each with a fake post."""

import os
import pathlib
import select
import shutil
import signal
import socket
import subprocess
import tempfile
import time

from fake_post import PATIENCE, FakePost


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def has_test_hooks(program):
    """True if that liaison-courierd was built with -Dtest_hooks=true: only then does it know the option."""
    with tempfile.TemporaryDirectory() as folder:
        return subprocess.run([program, "--dir", folder, "--test-forbidden", "x"], capture_output=True).returncode != 2


class Courier:
    def __init__(self, world, name, node):
        self.world = world
        self.name = name
        self.node = node
        self.directory = world.place / name
        self.port = free_port()
        self.process = None
        self.preload = None  # a library laid under the daemon
        self.log_path = world.place / f"{name}.log"
        out = subprocess.run([world.program, "--dir", self.directory, "--init", "--node", node], check=True,
            capture_output=True, text=True).stdout
        self.pin = dict(line.split(" ", 1) for line in out.splitlines())["pin"]
        self.post = FakePost(str(world.place / f"{name}.sock"), node)

    def configure(self, *lines):
        text = [f"node {self.node}", f"listen 127.0.0.1:{self.port}", f"post {self.post.path}", *lines]
        (self.directory / "courier.conf").write_text("\n".join(text) + "\n")

    def line_for(self, other, extra="", pin=None):
        return (f"neighbour {other.name} node {other.node} pin {pin or other.pin} "
            f"address 127.0.0.1:{other.port} {extra}")

    def start(self):
        environment = dict(os.environ)
        if self.preload:
            # The address sanitizer would rather come first of all; it need not.
            environment.update(LD_PRELOAD=self.preload, ASAN_OPTIONS="verify_asan_link_order=0")
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen([self.world.program, "--dir", self.directory], stderr=log,
                env=environment)
        return self

    def up(self, timeout=10):
        """Started, and the post's link stands."""
        self.start()
        self.post.wait_up(timeout)
        return self

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(60)
        # Else the next that asks whether the link is up would be told of this one's.
        self.post.wait(lambda: not self.post.connection, 5, "the post sees its courier gone")

    def stop(self, timeout=60):
        """SIGTERM; the exit code."""
        if self.process is None or self.process.poll() is not None:
            return self.process.returncode if self.process else None
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout)

    def log(self):
        return self.log_path.read_text() if self.log_path.exists() else ""

    def rss_kib(self):
        for line in pathlib.Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS"):
                return int(line.split()[1])

    def link_is_up(self, other, timeout=10):
        self.post.wait(lambda: self.post.route_state(other.name) == 1, timeout,
            f"{self.name}'s route to {other.name}")


class World:
    """A scratch directory; couriers made in it are ended with it."""

    def __init__(self, program):
        self.program = os.path.abspath(program)
        self.couriers = []

    def __enter__(self):
        self.place = pathlib.Path(tempfile.mkdtemp(prefix="liaison-"))
        return self

    def courier(self, name, node):
        courier = Courier(self, name, node)
        self.couriers.append(courier)
        return courier

    def pair(self, extra_a="dial", extra_b=""):
        a = self.courier("alpha", "ipn:1001.0")
        b = self.courier("beta", "ipn:2002.0")
        a.configure(a.line_for(b, extra_a))
        b.configure(b.line_for(a, extra_b))
        return a, b

    def __exit__(self, kind, error, trace):
        for courier in self.couriers:
            if courier.process and courier.process.poll() is None:
                courier.process.kill()
                courier.process.wait(60)
            courier.post.stop()
            if kind:
                for line in courier.log().splitlines()[-20:]:
                    print(f"# {courier.name}: {line}")
        shutil.rmtree(self.place)


def run_tests(tests, program, chosen=()):
    """Runs each test in a world of its own and prints TAP; a test that returns a text is skipped for that
    reason. Returns the exit code."""
    tests = [test for test in tests if not chosen or test.__name__ in chosen]
    failed = 0
    print(f"1..{len(tests)}")
    for number, test in enumerate(tests, 1):
        name = test.__name__.replace("_", " ")
        begin = time.monotonic()
        try:
            with World(program) as world:
                skipped = test(world)
            print(f"ok {number} - {name}" + (f" # SKIP {skipped}" if skipped else ""))
        except (AssertionError, OSError, subprocess.SubprocessError) as error:
            failed += 1
            print(f"not ok {number} - {name}\n# {type(error).__name__}: {error}")
        print(f"# {time.monotonic() - begin:.1f} s", flush=True)
    return 1 if failed else 0


def until(condition, timeout, what):
    end = time.monotonic() + timeout * PATIENCE
    while not condition():
        if time.monotonic() > end:
            raise AssertionError(f"in vain for {timeout * PATIENCE} s: {what}")
        time.sleep(0.01)


def read_to_end(connection):
    data = b""
    while True:
        try:
            part = connection.recv(4096)
        except ConnectionResetError:
            return data
        if not part:
            return data
        data += part


def is_open(connection):
    """False once the other side has closed it; whatever it sent is thrown away."""
    try:
        return not select.select([connection], [], [], 0)[0] or connection.recv(4096) != b""
    except ConnectionResetError:
        return False
