"""Killed at any system call, again and again, while both sides write: usage: test_kills.py BUILD [KILLS [SEED]]

Each of the four daemons runs under strace, which kills it with SIGKILL as it enters a system call that was drawn by lot
from a trace of that daemon; it is started again at once, to be killed at another. Meanwhile officers of both sides send
numbered texts, through the local API and with the command line, and note which of them the post has taken. Some try one
text again until it is taken, as a program may; some give up. In the end, when all has healed: what was taken stands in
the other side's inbox exactly once, both records agree, and both verify.
"""

import collections
import contextlib
import random
import re
import shutil
import signal
import subprocess
import sys
import threading
import time

from line import Line, wait_for
from officer import Officer
from post_shell import Skip, run_tests

LIFE_S = 8  # who lives longer meets its end by the clock
TRACE_S = 5
LIMIT_S = 220  # for all kills together
HEALING_S = 120
STARTING_CALLS = ("flock",)  # before the first of these a daemon has touched nothing
CALL = re.compile(r"^(\d+)\s+([a-z_0-9]+)\(")

kills = int(sys.argv[2]) if len(sys.argv) > 2 else 100
seed = int(sys.argv[3]) if len(sys.argv) > 3 else random.SystemRandom().randrange(1 << 32)
chance = random.Random(seed)


def calls_in(trace):
    """The system calls of a trace: name and how often its process had made it by then."""
    seen, calls, begun = collections.Counter(), [], False
    for row in trace.read_text(errors="replace").splitlines():
        match = CALL.match(row)
        if match is None:
            continue
        seen[match.groups()] += 1
        begun = begun or match.group(2) in STARTING_CALLS
        if begun:
            calls.append((match.group(2), seen[match.groups()]))
    return calls


class Victim:
    """A daemon that is to be killed at a system call of the trace that was made of it."""

    def __init__(self, side, daemon):
        self.side, self.daemon = side, daemon
        self.name = f"{side.name}'s {daemon.log_file.stem}"
        self.calls = []
        self.started = 0
        self.choice = None

    def start_traced(self, trace):
        self.daemon.start(prefix=["strace", "-f", "-qq", "-o", trace])

    def draw(self):
        """Every call alike, or every kind of call alike: else those that wait would leave few turns for the disk's."""
        if chance.random() < 0.5:
            return chance.choice(self.calls)
        name = chance.choice(sorted({name for name, _ in self.calls}))
        return chance.choice([call for call in self.calls if call[0] == name])

    def start(self):
        name, count = self.choice = self.draw()
        self.daemon.start(prefix=[
            "strace", "-f", "-qq", "-o", "/dev/null", "-e", f"trace={name}",
            "-e", f"inject={name}:signal=SIGKILL:when={count}"])
        self.started = time.monotonic()

    def kill_late(self):
        if time.monotonic() - self.started < LIFE_S:
            return
        self.choice = ("the clock", LIFE_S)
        for child in children_of(self.daemon.process.pid):
            with contextlib.suppress(ProcessLookupError):
                time.sleep(chance.random() * 0.01)
                subprocess.run(["kill", "-9", str(child)], stderr=subprocess.DEVNULL)

    def has_died(self):
        """True if it was killed. AssertionError if it ended of itself."""
        if self.daemon.is_running():
            return False
        status = self.daemon.end()
        by_kill = status == -signal.SIGKILL
        # The process that was killed was the one that connects to the post: without it a courier stops.
        connector = status == 1 and "the process that connects to the post has ended" in self.daemon.log()[-400:]
        assert by_kill or connector, f"{self.name} ended with {status} ({self.choice}): {self.daemon.log()[-3000:]}"
        return True


def children_of(process):
    with contextlib.suppress(FileNotFoundError):
        with open(f"/proc/{process}/task/{process}/children", encoding="ascii") as file:
            return [int(word) for word in file.read().split()]
    return []


class Sender(threading.Thread):
    """An officer who writes numbered texts and notes those that the post has taken."""

    def __init__(self, side, name):
        super().__init__(daemon=True)
        self.side, self.name = side, name
        self.chance = random.Random(f"{seed} {name}")
        self.taken, self.tried = set(), 0
        self.stopping = threading.Event()
        self.failure = None

    def run(self):
        try:
            while not self.stopping.is_set():
                self.tried += 1
                self.send(f"{self.name} {self.tried}")
                self.stopping.wait(self.pause())
        except BaseException as failure:
            self.failure = failure


class ProgramSender(Sender):
    def __init__(self, side, name):
        super().__init__(side, name)
        self.officer = Officer(side)

    def pause(self):
        return self.chance.random() * 0.15

    def connect(self):
        while True:
            with contextlib.suppress(OSError):
                self.officer.connect()
                return
            time.sleep(0.05)

    def send(self, subject):
        size = self.chance.choice((10, 160, 160, 160, 1000, 30_000))
        entry = self.officer.sign_message("x" * size, self.chance.choice((1, 1, 2, 3, 4)) if size < 200 else 1, subject=subject)
        patient = self.chance.random() < 0.7
        while True:
            try:
                self.officer.submit(entry)
                self.taken.add(subject)
                return
            except (OSError, EOFError):
                self.connect()
            if not patient:
                return


class CommandSender(Sender):
    """With the command line: exit status 0 is what counts."""

    def pause(self):
        return 1 + self.chance.random()

    def send(self, subject):
        if self.side.run("send", "-m", "by hand", "-s", subject, "-p", "immediate", "--yes").returncode == 0:
            self.taken.add(subject)


line = None
senders = []
victims = []


def trace_everyone():
    """What calls each daemon makes from its start on, with traffic both ways."""
    for victim in victims:
        victim.daemon.end()
    traces = [line.folder / f"trace-{number}" for number in range(len(victims))]
    for victim, trace in zip(victims, traces):
        victim.start_traced(trace)
    wait_for(lambda: all(side.answers() for side in line.sides), "both posts answer under strace")
    officers = [Officer(side) for side in line.sides]
    end = time.monotonic() + TRACE_S
    while time.monotonic() < end:
        for officer in officers:
            officer.send("traced", 4)
        time.sleep(0.1)
    for officer in officers:
        officer.close()
    for victim, trace in zip(victims, traces):
        for child in children_of(victim.daemon.process.pid):
            subprocess.run(["kill", "-9", str(child)], check=True)
        victim.daemon.process.wait(10)
        victim.daemon.end()
        victim.calls = calls_in(trace)
        assert len(victim.calls) > 100, f"{victim.name} made {len(victim.calls)} system calls"


def every_daemon_is_killed_and_starts_again():
    if shutil.which("strace") is None:
        raise Skip("strace is missing")
    trace_everyone()
    for victim in victims:
        victim.start()
    wait_for(lambda: all(side.answers() for side in line.sides), "both posts answer")
    senders.extend([
        ProgramSender(line.alliance, "alliance"), ProgramSender(line.federation, "federation"),
        CommandSender(line.alliance, "alliance by hand")])
    for sender in senders:
        sender.start()
    died, where = collections.Counter(), collections.Counter()
    end = time.monotonic() + LIMIT_S * max(1, kills / 100)
    while sum(died.values()) < kills:
        assert time.monotonic() < end, f"only {died} in time"
        for victim in victims:
            victim.kill_late()
            if victim.has_died():
                died[victim.name] += 1
                where[victim.choice[0]] += 1
                victim.start()
        for sender in senders:
            assert sender.failure is None, f"{sender.name}: {sender.failure!r}"
        time.sleep(0.01)
    print(f"# {sum(died.values())} kills: {dict(died)}")
    print(f"# at {dict(where.most_common())}")


def everything_taken_is_in_the_other_inbox_exactly_once():
    for sender in senders:
        sender.stopping.set()
    for victim in victims:
        for child in children_of(victim.daemon.process.pid):
            subprocess.run(["kill", "-9", str(child)], stderr=subprocess.DEVNULL)
        victim.daemon.process.wait(10)
        victim.daemon.end()
    line.start()
    for sender in senders:
        sender.join(30)
        assert not sender.is_alive() and sender.failure is None, f"{sender.name}: {sender.failure!r}"
        assert len(sender.taken) > kills / 20, f"{sender.name} got only {len(sender.taken)} of {sender.tried} taken"
    line.wait_until_quiet(HEALING_S)
    for side in line.sides:
        taken = set().union(*(sender.taken for sender in senders if sender.side is side))
        received = collections.Counter(row["subject"] for row in side.other.inbox() if row["subject"])
        lost = taken - set(received)
        twice = [subject for subject, count in received.items() if count > 1]
        print(f"# {side.name}: {len(taken)} taken, {sum(received.values())} received, {len(lost)} lost, {len(twice)} shown twice")
        assert not lost and not twice, (sorted(lost)[:20], twice[:20])


def both_records_agree_and_hold_one_incarnation():
    heads = line.wait_until_heads_agree(HEALING_S)
    assert len(heads) == 2 and all(head.split()[1] == "1" for head in heads), heads


def both_records_verify():
    for side in line.sides:
        assert side.json("verify", timeout=120)["verified"] is True


def nothing_was_refused_and_nobody_is_left():
    for side in line.sides:
        status = side.status()
        assert status["refused"] == [], status["refused"]
        assert "Sanitizer" not in side.post.log() + side.courier.log()
    line.end()
    left = subprocess.run(["pgrep", "-f", str(line.folder)], capture_output=True).stdout
    assert left == b"", left


if __name__ == "__main__":
    print(f"# seed {seed}", flush=True)
    with Line(sys.argv[1]) as line:
        victims.extend(Victim(side, daemon) for side in line.sides for daemon in side.daemons)
        run_tests(
            every_daemon_is_killed_and_starts_again,
            everything_taken_is_in_the_other_inbox_exactly_once,
            both_records_agree_and_hold_one_incarnation,
            both_records_verify,
            nothing_was_refused_and_nobody_is_left,
        )
