"""A whole line on this machine: two parties, each with its directory, keys, post and courier, on loopback.

    with Line(build) as line:
        message = line.alliance.send("text", "-p", "flash")
        line.wait_for_state(line.alliance, message, "received")

A line is set up by the command line alone, from making the parties to a channel on which both officers may speak. That
takes a while (every use of a key file is meant to), so the first set-up of a build is put aside while its daemons are
down, and later lines begin as copies of it, at ports of their own.
"""

import contextlib
import fcntl
import hmac
import itertools
import json
import os
import pathlib
import re
import secrets
import shutil
import signal
import socket
import sqlite3
import subprocess
import tempfile
import time

import cbor2
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from post_shell import HELLO, LINK_HEADS, LINK_HELLO, Client, Stream

SCENARIO = pathlib.Path(__file__).parent
TEMPLATE_AGE_MAX_S = 1800  # a set-up that is older is made anew: keys of epochs have dates
TERMINATE_S = 20
PROGRAMS = {"liaison": "cli/liaison", "liaisond": "post/liaisond", "liaison-courierd": "courier/liaison-courierd"}

# The leak checker would trace the daemon, which its sandbox does not let it.
SANITIZER = {
    "ASAN_OPTIONS": "detect_leaks=0:abort_on_error=1",
    "UBSAN_OPTIONS": "print_stacktrace=1:halt_on_error=1",
}


def wait_for(condition, what, seconds=30):
    """The first value of condition() that is true; AssertionError with `what` when the time has run out."""
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"it took more than {seconds} seconds until {what}")
        time.sleep(0.03)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class CommandFailed(AssertionError):
    def __init__(self, words, result):
        self.result = result
        super().__init__(f"liaison {' '.join(map(str, words))}: exit status {result.returncode}: {result.stderr.strip()}")


class Daemon:
    """One daemon: its command line, its process while it runs, its log."""

    def __init__(self, program, directory, log):
        self.command = [str(program), "--dir", str(directory)]
        self.log_file = pathlib.Path(log)
        self.process = None

    def start(self, *options, prefix=()):
        """`prefix`: a program that starts the daemon, with its own arguments."""
        assert self.process is None, f"{self.command} was started and not ended"
        with open(self.log_file, "ab") as log:
            self.process = subprocess.Popen(
                [*map(str, prefix), *self.command, *options], stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                env={**os.environ, **SANITIZER})

    def is_running(self):
        return self.process is not None and self.process.poll() is None

    def end(self, number=signal.SIGTERM):
        """Ends it and returns its exit status (negative: the signal that it died of)."""
        if self.process is None:
            return None
        process, self.process = self.process, None
        if process.poll() is None:
            process.send_signal(number)
        try:
            return process.wait(TERMINATE_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise AssertionError(f"{self.command} did not end: {self.log()[-2000:]}") from None

    def kill(self):
        return self.end(signal.SIGKILL)

    def log(self):
        return self.log_file.read_text(encoding="utf-8", errors="replace") if self.log_file.exists() else ""


class Side:
    """One party with its directories, its two daemons and its officer."""

    def __init__(self, line, name, post_name, kind, officer, node):
        self.line = line
        self.name, self.post_name, self.kind, self.officer, self.node = name, post_name, kind, officer, node
        self.folder = line.folder / name
        self.party_name = name.capitalize()
        self.port = free_port()
        # Where the courier finds its post and the other courier, and commands their post, if recorders stand in between.
        self.link_socket = self.dialed_port = self.api_folder = None
        self.courier_lines = []  # more of its configuration
        self.courier_folder = self.folder / "courier"
        self.courier = Daemon(
            line.programs["liaison-courierd"], self.courier_folder, self.folder / "liaison-courierd.log")
        self.use_post(self.folder / "post")

    def use_post(self, folder):
        """The post's directory from here on; its daemon must be down."""
        self.post_folder = pathlib.Path(folder)
        self.post = Daemon(self.line.programs["liaisond"], folder, self.folder / "liaisond.log")
        self.environment = {
            "LIAISON_PARTY": str(self.folder / "party"),
            "LIAISON_POST": str(self.api_folder or self.post_folder),
            "LIAISON_OFFICER": str(self.folder / "officer.key"),
            "LIAISON_PASSPHRASE_FILE": str(self.folder / "passphrase"),
        }

    @property
    def daemons(self):
        return (self.post, self.courier)

    @property
    def other(self):
        return self.line.federation if self is self.line.alliance else self.line.alliance

    def path(self, name):
        """A file in the post's directory."""
        return str(self.post_folder / name)

    # ---- the command line ----

    def command_environment(self):
        return {**os.environ, **SANITIZER, **self.environment}

    def run(self, *words, stdin=None, timeout=60, prefix=(), **environment):
        """The finished process of one command, whatever its end. It has no terminal. `prefix`: as of Daemon.start."""
        return subprocess.run(
            [*map(str, prefix), str(self.line.programs["liaison"]), *map(str, words)], capture_output=True,
            encoding="utf-8", timeout=timeout, start_new_session=True, input=stdin or "",
            env={**self.command_environment(), **environment})

    def text(self, *words, **options):
        """What a command prints that succeeds."""
        result = self.run(*words, **options)
        if result.returncode != 0:
            raise CommandFailed(words, result)
        return result.stdout

    def json(self, *words, **options):
        value = json.loads(self.text(*words, "--json", **options))
        self.line.json_commands.add(" ".join(itertools.takewhile(lambda word: str(word).isalpha(), words)))
        return value

    def client(self, **options):
        """A connection to the post's local API."""
        return Client(self, **options)

    # ---- what an officer does ----

    def send(self, text, *options):
        return self.json("send", "-m", text, "--yes", *options)["reference"]

    def inbox(self):
        return self.json("inbox")

    def show(self, reference):
        return self.json("show", reference)

    def status(self):
        return self.json("status")

    def holds(self, reference):
        return any(row["reference"] == reference for row in self.inbox())

    def states(self, reference):
        return [time["state"] for time in self.show(reference)["times"]]

    def answers(self):
        """True if the post answers at its socket."""
        with contextlib.suppress(OSError, EOFError):
            with self.client() as client:
                return client.ask(HELLO)[1] == 0
        return False

    def courier_without_heads(self):
        """The connection of one who says to the post that it is its courier, and keeps no heads."""
        courier = Stream(str(self.link_socket))
        courier.send([LINK_HELLO, 1, 2, self.node])
        courier.send([LINK_HEADS, []])
        return courier

    # ---- the post's keys ----

    def post_key(self, label, channel):
        """A key of the post on the channel, from the root seed in a copy of its store (doc/PROTOCOL.md, section 11)."""
        copy = self.folder / "store-copy"
        copy.mkdir(exist_ok=True)
        for part in self.post_folder.glob("store.db*"):
            shutil.copy(part, copy)
        with contextlib.closing(sqlite3.connect(copy / "store.db")) as store:
            post = cbor2.loads(store.execute("SELECT value FROM rows WHERE key = x'01'").fetchone()[0])
        info = cbor2.dumps([label, channel])
        return Ed25519PrivateKey.from_private_bytes(hmac.digest(post[9], info + b"\x01", "sha256"))

    # ---- the daemons ----

    def start_post(self, *options, prefix=()):
        self.post.start(*options, prefix=prefix)
        wait_for(lambda: self.answers() or not self.post.is_running(), f"the post of the {self.name} answers")
        assert self.post.is_running(), f"the post of the {self.name} ended: {self.post.log()[-2000:]}"

    def start(self):
        if not self.post.is_running():
            self.post.end()
            self.start_post()
        if not self.courier.is_running():
            self.courier.end()
            self.courier.start()

    def end(self):
        """Ends both daemons; their exit statuses."""
        return [daemon.end() for daemon in reversed(self.daemons)]

    # ---- setting up ----

    def make(self):
        """The party with its post and its officer. Afterwards the post's daemon runs."""
        self.folder.mkdir(mode=0o700)
        passphrase = self.folder / "passphrase"
        passphrase.touch(mode=0o600)
        passphrase.write_text(secrets.token_hex(16) + "\n")
        subprocess.run([*self.courier.command, "--init", "--node", self.node], check=True, capture_output=True, timeout=30)
        self.json("party", "create", self.folder / "party", "--name", self.party_name, "--yes")
        self.json("officer", "create", self.folder / "officer.key", "--name", self.officer, "--title", "watch officer")
        self.json("post", "create", self.post_folder, "--name", self.post_name, "--kind", self.kind, "--node", self.node,
                  "--address", f"127.0.0.1:{self.port}", "--pin", self.pin(), "--yes")
        self.start_post()
        self.json("card", "export", self.folder / "card")

    def pin(self):
        shown = subprocess.run([*self.courier.command, "--show-pin"], check=True, capture_output=True, timeout=30).stdout
        return re.search(r"\b[0-9a-f]{64}\b", shown.decode()).group()

    def write_courier_configuration(self, closed=False):
        """The alliance dials. `closed`: plain TCPCL, without TLS."""
        link = "closed" if closed else f"pin {self.other.pin()}"
        dial = f" address 127.0.0.1:{self.dialed_port or self.other.port} dial" if self is self.line.alliance else ""
        (self.courier_folder / "courier.conf").write_text("\n".join([
            f"node {self.node}",
            f"listen 127.0.0.1:{self.port}",
            f"post {self.link_socket or self.path('courier.sock')}",
            f"neighbour {self.other.name} node {self.other.node} {link}{dial}",
            *self.courier_lines, ""]))

    def may_both_speak(self):
        officers = self.json("channel", "show")["officers"]
        return len(officers) == 2 and all(officer["agreement_by"] for officer in officers)

    def knows_officers(self, count):
        result = self.run("channel", "show", "--json")
        return result.returncode == 0 and len(json.loads(result.stdout)["officers"]) >= count


def export_card_of_stranger(side, card, name, node, sealed=None, receiver=None):
    """The card of a further party of that name, made by `side`'s hand; also sealed for a card, if one is given. Its id."""
    folder = card.with_suffix(".folder")
    there = {"LIAISON_POST": str(folder / "post")}
    folder.mkdir(mode=0o700)
    side.json("party", "create", folder / "party", "--name", name, "--yes")
    side.json("post", "create", folder / "post", "--party", folder / "party", "--name", "North", "--node", node,
              "--pin", "00" * 32, "--yes")
    daemon = Daemon(side.line.programs["liaisond"], folder / "post", folder / "liaisond.log")
    daemon.start()
    try:
        wait_for(lambda: side.run("card", "show", **there).returncode == 0, "the stranger's post answers")
        side.json("card", "export", card, **there)
        if sealed is not None:
            side.json("card", "export", sealed, "--for", receiver, **there)
    finally:
        assert daemon.end() == 0
    return side.json("party", "show", "--party", folder / "party")["party"]


class Line:
    """Both sides. `build`: the build directory whose programs run."""

    def __init__(self, build, fresh=False, prepare=None, **configuration):
        """`fresh`: set up here, not copied, after prepare(line). `configuration`: of Side.write_courier_configuration."""
        self.build = pathlib.Path(build).resolve()
        self.programs = {name: self.build / path for name, path in PROGRAMS.items()}
        self.configuration = configuration
        self.json_commands = set()  # whose --json output has been parsed
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="liaison-line-"))
        self.sides = self.alliance, self.federation = (
            Side(self, "alliance", "Headquarters", "headquarters", "A. Rowe", "ipn:1001.0"),
            Side(self, "federation", "Embassy", "embassy", "V. Petrov", "ipn:2002.0"))
        try:
            if fresh:
                if prepare is not None:
                    prepare(self)
                self.set_up()
            else:
                self.copy_template()
            self.configure()
            self.start()
        except BaseException:
            self.close()
            raise

    def set_up(self):
        """From nothing to a channel on which both may speak; ends with the daemons down."""
        for side in self.sides:
            side.make()
        for side in self.sides:
            side.json("card", "accept", side.other.folder / "card", "--yes")
        keying = self.folder / "keying"
        self.alliance.json("keying", "make", keying, "--with", "Federation")
        self.federation.json("keying", "accept", keying)
        for side in self.sides:
            side.write_courier_configuration()
            side.courier.start()
        self.alliance.json("channel", "open", "--with", "Federation", "--heads-interval", "10", "--yes")
        wait_for(lambda: self.federation.knows_officers(1), "the federation knows the alliance's officer")
        self.federation.json("channel", "open", "--with", "Alliance", "--yes")
        wait_for(lambda: self.alliance.knows_officers(2), "the alliance knows the federation's officer")
        self.alliance.json("channel", "open", "--with", "Federation", "--yes")
        for side in self.sides:
            wait_for(side.may_both_speak, "both may speak")
        self.wait_until_quiet()
        self.end()

    def copy_template(self):
        folder = self.build / "line-template"
        with open(self.build / "line-template.lock", "w", encoding="ascii") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not self.template_is_usable(folder):
                self.set_up()
                shutil.rmtree(folder, ignore_errors=True)
                shutil.copytree(self.folder, folder)
                return
        for side in self.sides:
            shutil.copytree(folder / side.name, side.folder)

    def template_is_usable(self, folder):
        if not folder.exists():
            return False
        made = folder.stat().st_mtime
        return time.time() - made < TEMPLATE_AGE_MAX_S and all(
            program.stat().st_mtime < made for program in self.programs.values())

    def configure(self):
        for side in self.sides:
            side.write_courier_configuration(**self.configuration)

    def start(self):
        """Starts what does not run; then every courier listens, is confined, and has its post."""
        for side in self.sides:
            side.start()
        for side in self.sides:
            wait_for(lambda side=side: side.status()["courier_connected"], f"the courier of the {side.name} is there", 60)

    def end(self):
        """Ends all four daemons, which must end well."""
        for side in self.sides:
            statuses = side.end()
            assert not any(statuses), f"the daemons of the {side.name} ended with {statuses}: {self.logs()}"

    def logs(self):
        return "\n".join(f"---- {side.name}, {daemon.log_file.name}\n{daemon.log()[-3000:]}"
                         for side in self.sides for daemon in side.daemons)

    def close(self):
        for side in self.sides:
            for daemon in side.daemons:
                with contextlib.suppress(AssertionError):
                    daemon.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, kind, error, _):
        if kind is not None and not (kind is SystemExit and error.code == 0):
            print("# " + self.logs().replace("\n", "\n# "), flush=True)
        self.close()

    # ---- waiting ----

    def wait_for_state(self, side, reference, state, seconds=30):
        wait_for(lambda: side.show(reference)["state"] == state, f"{reference} is {state}", seconds)

    def wait_until_held(self, side, reference, seconds=30):
        wait_for(lambda: side.holds(reference), f"{reference} is in the inbox of the {side.name}", seconds)

    def wait_until_quiet(self, seconds=60):
        """Until nothing waits for a receipt on either side."""
        def quiet():
            return all(sum(channel["waiting_for_receipt"]) == 0 and not channel["gaps"]
                       for side in self.sides for channel in side.status()["channels"])
        wait_for(quiet, "nothing waits for a receipt", seconds)

    # ---- the record ----

    def recompute(self, side):
        """LOG INCARNATION SIZE ROOT of each log, recomputed from the side's export by recompute_heads.py. None while a head
        is on its way."""
        export = side.folder / "record.json"
        export.write_text(side.text("log", "--json"))
        result = subprocess.run(
            ["/usr/bin/python3", str(SCENARIO / "recompute_heads.py"), str(export)], capture_output=True, encoding="utf-8",
            timeout=120)
        if "its head is not here" in result.stderr:
            return None
        assert result.returncode == 0, result.stderr
        return result.stdout.splitlines()

    def wait_until_heads_agree(self, seconds=60):
        """Until both exports give the same heads; those. (A head may be held before the entries below it are.)"""
        failures = []

        def agreed():
            try:
                alliance, federation = (self.recompute(side) for side in self.sides)
            except AssertionError as failure:
                failures.append(str(failure))
                return None
            failures.append(f"{alliance} and {federation}")
            return alliance if alliance == federation else None
        try:
            return wait_for(agreed, "both records give the same heads", seconds)
        except AssertionError as failure:
            raise AssertionError(f"{failure}: {failures[-1]}") from None
