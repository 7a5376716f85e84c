"""Couriers in a scratch directory, each with a fake post."""

import os
import pathlib
import shutil
import signal
import socket
import subprocess
import tempfile
import time

from fake_post import FakePost


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Courier:
    def __init__(self, world, name, node):
        self.world = world
        self.name = name
        self.node = node
        self.directory = world.place / name
        self.port = free_port()
        self.process = None
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
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen([self.world.program, "--dir", self.directory], stderr=log)
        return self

    def up(self, timeout=10):
        """Started, and the post's link stands."""
        self.start()
        self.post.wait_up(timeout)
        return self

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(5)

    def stop(self, timeout=10):
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
                courier.process.wait(5)
            courier.post.stop()
            if kind:
                for line in courier.log().splitlines()[-20:]:
                    print(f"# {courier.name}: {line}")
        shutil.rmtree(self.place)


def until(condition, timeout, what):
    end = time.monotonic() + timeout
    while not condition():
        if time.monotonic() > end:
            raise AssertionError(f"in vain for {timeout} s: {what}")
        time.sleep(0.01)
