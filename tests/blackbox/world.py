"""The world of the black box: parties with real daemons, each in a network namespace of its own.

A namespace has a loopback device and no other; it is held by a descriptor of this process and is gone with it, whatever
happens. The only way from one to another is proxy.py, which has sockets in all of them.
"""

import contextlib
import ctypes
import fcntl
import glob
import itertools
import json
import os
import pathlib
import re
import secrets
import shutil
import socket
import struct
import subprocess
import sys
import threading

SCENARIO = pathlib.Path(__file__).resolve().parent.parent / "scenario"
sys.path.insert(0, str(SCENARIO))

from line import PROGRAMS, SANITIZER, CommandFailed, Daemon, wait_for  # noqa: E402
from officer import make_quick_secret_file  # noqa: E402

PORT = 4556  # of every courier, each in its own namespace
PROXY_PORT = 5000  # + the number of the party that is reached by it
CAP_SYS_ADMIN = 21
NEW_NETWORK = 0x40000000
SET_FLAGS, INTERFACE_UP = 0x8914, 0x1
PARTIES = (
    ("alliance", "Headquarters", "headquarters", "A. Rowe", "ipn:1001.0"),
    ("federation", "Embassy", "embassy", "V. Petrov", "ipn:2002.0"),
    ("league", "Mission", "mission", "J. Okafor", "ipn:3003.0"),
)


class CannotBeMade(Exception):
    """No namespace can be made. `is_expected`: nobody could expect it here."""

    def __init__(self, why):
        with open("/proc/self/status", encoding="ascii") as status:
            capabilities = int(re.search(r"^CapEff:\s*([0-9a-f]+)$", status.read(), re.MULTILINE).group(1), 16)
        self.is_expected = not capabilities >> CAP_SYS_ADMIN & 1
        super().__init__(f"no network namespace can be made here, which the black box needs for each party: {why}")


@contextlib.contextmanager
def inside(namespace):
    """This thread's new sockets are in the namespace, and stay there afterwards."""
    libc = ctypes.CDLL(None, use_errno=True)
    home = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    try:
        if libc.setns(namespace, NEW_NETWORK) != 0:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
        yield
    finally:
        result = libc.setns(home, NEW_NETWORK)
        os.close(home)
        assert result == 0, "this process cannot go back to its own network namespace"


def make_namespace():
    """A descriptor of a new network namespace whose loopback device is up."""
    with subprocess.Popen(
            ["unshare", "--net", "cat"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as maker:
        with contextlib.suppress(BrokenPipeError):
            maker.stdin.write(b"\n")
            maker.stdin.flush()
        if maker.stdout.read(1) != b"\n":  # from here on it is in there
            raise CannotBeMade(maker.stderr.read().decode(errors="replace").strip())
        namespace = os.open(f"/proc/{maker.pid}/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        maker.stdin.close()
    with inside(namespace), socket.socket() as any_socket:
        fcntl.ioctl(any_socket, SET_FLAGS, struct.pack("16sh14x", b"lo", INTERFACE_UP))
    return namespace


def find_faketime():
    found = glob.glob("/usr/lib/*/faketime/libfaketime.so.1")
    if not found:
        raise SystemExit("blackbox: libfaketime is not here: install the package faketime (tools/packages-test)")
    return found[0]


class Clock:
    """The wall clock of one party's machine: so many seconds away from ours, for what is started from then on.

    The library is laid under the programs before they start and then asks the kernel for nothing but the time, so the
    daemons' sandboxes stay as they are. Clocks that only go forward are not touched: the line measures spans by them."""

    def __init__(self):
        self.library = find_faketime()
        self.offset_s = 0

    def environment(self):
        if self.offset_s == 0:
            return {}
        return {
            "LD_PRELOAD": self.library, "FAKETIME": f"{self.offset_s:+d}", "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            # It says nothing of why libraries of sanitizers want to be first: the one of the build is linked in.
            "ASAN_OPTIONS": SANITIZER["ASAN_OPTIONS"] + ":verify_asan_link_order=0"}


class Process(Daemon):
    """A daemon in its party's namespace and by its party's clock. It ends when the thread that started it ends."""

    def __init__(self, party, program, directory, log, *options):
        super().__init__(program, directory, log)
        self.party, self.options = party, options

    def start(self, *options, prefix=()):
        clock = [f"{name}={value}" for name, value in {**SANITIZER, **self.party.clock.environment()}.items()]
        super().start(*self.options, *options, prefix=[
            *prefix, "setpriv", "--pdeathsig", "KILL", "nsenter", f"--net=/proc/{os.getpid()}/fd/{self.party.namespace}",
            "env", *clock])


class Party:
    """One party: its folder, its two daemons, its officer, its clock."""

    def __init__(self, world, number):
        self.world, self.number = world, number
        self.name, self.post_name, self.kind, self.officer, self.node = PARTIES[number]
        self.party_name = self.name.capitalize()
        self.namespace = make_namespace()
        self.clock = Clock()
        self.folder = world.folder / self.name
        disk = world.disks.get(self.name)  # it fills up now and then
        self.disk = pathlib.Path(disk.folder) if disk is not None else self.folder
        self.post_folder, self.courier_folder = self.disk / "post", self.disk / "courier"
        self.anchor = self.folder / "anchor"  # kept elsewhere, as liaisond(8) advises
        self.post = Process(
            self, world.programs["liaisond"], self.post_folder, self.folder / "liaisond.log", "--anchor", str(self.anchor))
        self.courier = Process(
            self, world.programs["liaison-courierd"], self.courier_folder, self.folder / "liaison-courierd.log")
        self.environment = {
            "LIAISON_PARTY": str(self.folder / "party"),
            "LIAISON_POST": str(self.post_folder),
            "LIAISON_OFFICER": str(self.folder / "officer.key"),
            "LIAISON_PASSPHRASE_FILE": str(self.folder / "passphrase"),
        }
        self.channels = {}  # other party's name -> channel id

    @property
    def daemons(self):
        return (self.post, self.courier)

    @property
    def others(self):
        return [party for party in self.world.parties if party is not self]

    # ---- the command line ----

    def command_environment(self):
        return {**os.environ, **SANITIZER, **self.environment, **self.clock.environment()}

    def run(self, *words, timeout=300):
        """The finished process of one command, whatever its end. It has no terminal."""
        return subprocess.run(
            [str(self.world.programs["liaison"]), *map(str, words)], capture_output=True, encoding="utf-8",
            timeout=timeout, start_new_session=True, input="", env=self.command_environment())

    def json(self, *words, **options):
        result = self.run(*words, "--json", **options)
        if result.returncode != 0:
            raise CommandFailed(words, result)
        return json.loads(result.stdout)

    def answers(self):
        return self.run("status", "--json").returncode == 0

    # ---- the daemons ----

    def start(self):
        for daemon in self.daemons:
            if not daemon.is_running():
                daemon.end()
                daemon.start()

    def wait_until_up(self):
        wait_for(lambda: self.answers() or not self.post.is_running(), f"the post of the {self.name} answers", 300)
        assert self.post.is_running(), f"the post of the {self.name} ended: {self.post.log()[-2000:]}"

    def kill(self):
        for daemon in self.daemons:
            daemon.kill()

    # ---- setting up ----

    def make(self):
        """The party with its post and officer, made by the command line; no daemon runs yet."""
        self.folder.mkdir(mode=0o700, exist_ok=True)
        passphrase = self.folder / "passphrase"
        passphrase.touch(mode=0o600)
        passphrase.write_text(secrets.token_hex(16) + "\n")
        subprocess.run([*self.courier.command, "--init", "--node", self.node], check=True, capture_output=True, timeout=300)
        self.json("party", "create", self.folder / "party", "--name", self.party_name, "--yes")
        key = self.folder / "officer.key"
        self.json("officer", "create", key, "--name", self.officer, "--title", "watch officer")
        self.json("post", "create", self.post_folder, "--name", self.post_name, "--kind", self.kind, "--node", self.node,
                  "--address", f"127.0.0.1:{PORT}", "--pin", self.pin(), "--yes")
        key.write_bytes(make_quick_secret_file(key.read_bytes(), passphrase.read_bytes().strip()))

    def pin(self):
        shown = subprocess.run([*self.courier.command, "--show-pin"], check=True, capture_output=True, timeout=300).stdout
        return re.search(r"\b[0-9a-f]{64}\b", shown.decode()).group()

    def write_courier_configuration(self):
        """Every courier dials every other, by the proxy's port for it in the own namespace; the proxy is not known to it."""
        (self.courier_folder / "courier.conf").write_text("\n".join([
            f"node {self.node}", f"listen 127.0.0.1:{PORT}", f"post {self.post_folder}/courier.sock",
            *(f"neighbour {other.name} node {other.node} pin {other.pin()} address 127.0.0.1:{PROXY_PORT + other.number} dial"
              for other in self.others), ""]))

    def officers(self, channel):
        result = self.run("channel", "show", "-c", channel, "--json")
        return json.loads(result.stdout)["officers"] if result.returncode == 0 else []

    def status_by_channel(self):
        return {channel["channel"]: channel for channel in self.json("status")["channels"]}


def in_parallel(*works):
    """Runs each in a thread of its own; AssertionError with the first thing that went wrong."""
    failures = []

    def run(work):
        try:
            work()
        except Exception as failure:
            failures.append(failure)
    threads = [threading.Thread(target=run, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]


class World:
    """All parties, each pair of them with a channel. `disks`: small disks for the daemons' directories, by parties' names."""

    def __init__(self, build, count, folder, disks):
        self.programs = {name: pathlib.Path(build).resolve() / path for name, path in PROGRAMS.items()}
        self.folder = pathlib.Path(folder)
        self.disks = disks
        self.parties = []
        self.keyings = {}  # pair of names -> the number of the last keying that was made
        for number in range(count):
            self.parties.append(Party(self, number))

    @property
    def pairs(self):
        return list(itertools.combinations(self.parties, 2))

    def make(self):
        """From nothing to a channel for each pair, on which both may speak. The proxy must be there."""
        in_parallel(*(party.make for party in self.parties))
        for party in self.parties:
            party.write_courier_configuration()
            party.start()
        for party in self.parties:
            party.wait_until_up()
            party.json("card", "export", party.folder / "card")
        for one, other in self.pairs:
            for party, of in ((one, other), (other, one)):
                party.json("card", "accept", of.folder / "card", "--yes")
            self.make_keying(one, other)
        for one, other in self.pairs:
            self.open_channel(one, other)
        for party in self.parties:
            wait_for(lambda party=party: self.is_quiet(party), f"all letters of the {party.name} are receipted", 300)

    def make_keying(self, by, to):
        """The next keying of both, made by one and carried to the other by hand: its number."""
        pair = tuple(sorted((by.name, to.name)))
        number = self.keyings[pair] = self.keyings.get(pair, 0) + 1
        file = self.folder / f"keying-{pair[0]}-{pair[1]}-{number}"
        by.json("keying", "make", file, "--with", to.party_name, "--number", number)
        to.json("keying", "accept", file)
        return number

    def open_channel(self, one, other):
        def opened(party, of, *terms):
            return party.json("channel", "open", "--with", of.party_name, *terms, "--yes")

        known = {channel["channel"] for channel in one.json("status")["channels"]}
        opened(one, other, "--heads-interval", "10")
        channel, = {channel["channel"] for channel in one.json("status")["channels"]} - known
        one.channels[other.name] = other.channels[one.name] = channel
        wait_for(lambda: len(other.officers(channel)) == 1, f"the {other.name} knows the other's officer", 300)
        opened(other, one)
        wait_for(lambda: len(one.officers(channel)) == 2, f"the {one.name} knows the other's officer", 300)
        opened(one, other)
        for party in (one, other):
            wait_for(lambda party=party: all(officer["agreement_by"] for officer in party.officers(channel)),
                     f"both may speak, says the {party.name}", 300)

    def is_quiet(self, party):
        """Whether nothing of the party's waits for a receipt and nothing is missing."""
        return all(sum(channel["waiting_for_receipt"]) == 0 and not channel["gaps"]
                   for channel in party.json("status")["channels"])

    def kill(self):
        for party in self.parties:
            party.kill()

    def close(self):
        for party in self.parties:
            for daemon in party.daemons:
                with contextlib.suppress(AssertionError):
                    daemon.kill()
            with contextlib.suppress(OSError):
                os.close(party.namespace)

    def logs(self):
        return "\n".join(f"---- {party.name}, {daemon.log_file.name}\n{daemon.log()[-3000:]}"
                         for party in self.parties for daemon in party.daemons)

    def copy_disks_to(self, folder):
        """What is on small disks, which will be gone, for whoever looks at what failed."""
        for party in self.parties:
            if party.name in self.disks:
                shutil.copytree(party.disk, folder / party.name, dirs_exist_ok=True,
                                ignore=shutil.ignore_patterns("*.sock", "filler"))
