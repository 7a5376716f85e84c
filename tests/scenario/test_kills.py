"""Killed at any system call, again and again, while both sides write.

usage: test_kills.py BUILD [--kills N] [--seed SEED] [--round ROUND] [--tally FILE]

`send` returns 0 only for what is on disk, whoever is killed and when. Both posts, both couriers (the process with which a
courier connects to its post among them) and the command line run under kill_at.c, which kills each with SIGKILL at a system
call drawn by lot, from the first one after it was started; a daemon is started again at once, to be killed at another. All the
while officers of both sides send numbered texts, through the local API and with the command line, and note what they are told.
Some send one text until it is taken, as a program may; some give up. When all has healed, what they were told is held against
what both sides show:

    taken      `send` said so: stands in the other side's inbox exactly once, under the reference that `send` gave
    not taken  stands there at most once
    records    both sides' exports give a stranger the same heads, in one incarnation; no reference stands twice

A campaign is this program with a larger N. It goes in rounds of 100 kills, each on a line of its own, and the lots of a round
follow from SEED and its number: --round runs that one again, as exactly as the kernel lets four daemons repeat themselves. A
tally file keeps the rounds that went well; with the same SEED and FILE the campaign goes on where it was ended.
"""

import argparse
import collections
import contextlib
import functools
import json
import math
import pathlib
import random
import shutil
import signal
import subprocess
import threading
import time
import types

from line import Daemon, Line, wait_for
from officer import Officer, make_quick_secret_file, passphrase_of
from post_shell import HELLO, Client, run_tests

ROUND_KILLS = 100
LIFE_S = 4  # who lives longer is killed wherever it is
LIMIT_S = 240  # for the kills of one round
HEALING_S = 120
FIRST_STARTS, FIRST_STARTS_KILLS = 4, 3  # posts in each round that are new, and how often each is killed before it may start

# Where lives end: which calls count (kill_at.c), and between which two of them the lot is drawn. A daemon makes 300 to 700
# until it answers, 30 of them lasting; then some thousand in a second. The command line makes 110 to 350 in all.
POST_ENDS = (("any", 1, 800), ("any", 300, 12_000), ("lasting", 1, 60), ("lasting", 30, 5000))
COURIER_ENDS = (*POST_ENDS, ("child", 1, 80))
COMMAND_ENDS = (("any", 20, 120), ("any", 80, 400), ("lasting", 1, 8))
FIRST_ENDS = (("any", 80, 800), ("lasting", 1, 60))


class Killer:
    """Starts one program again and again, each time to be killed, and notes where it was. Its lots follow from the seed."""

    def __init__(self, round_, name, ends):
        self.name, self.ends = name, ends
        self.program = round_.build / "tests/scenario/kill_at"
        self.folder = round_.line.folder
        self.chance = random.Random(f"{round_.seed} {name}")
        self.lives = 0
        self.deaths = []

    def prefix(self, spare=False):
        """What comes before the program's command line in its next life. `spare`: a life that nothing ends."""
        where, first, last = self.chance.choice(self.ends)
        # Small counts are as likely as large ones: by their size, not by how many there are.
        count = round(math.exp(self.chance.uniform(math.log(first), math.log(last))))
        self.lives += 1
        self.lot = (where, 0 if spare else count, self.chance.choice(("entry", "exit")))
        self.report = self.folder / f"{self.name}, life {self.lives}"
        return (self.program, *self.lot, self.report)

    def take_death(self, by_clock=False):
        """Notes and returns where the last life was ended; None if it was not killed. Call when kill_at has ended."""
        at = "the clock" if by_clock else None
        if self.report.exists():
            at = f"{self.report.read_text().strip()}, {self.lot[2]}"
        if at is not None:
            self.deaths.append(at)
        return at


class Victim:
    """A daemon that is killed and started again."""

    def __init__(self, round_, side, daemon, ends):
        self.daemon = daemon
        self.killer = Killer(round_, f"{side.name}'s {daemon.log_file.stem}", ends)

    def start(self, spare=False):
        self.by_clock = False
        self.log_size = len(self.daemon.log())
        self.daemon.start(prefix=self.killer.prefix(spare))
        self.started = time.monotonic()

    def end_late(self):
        if time.monotonic() - self.started > LIFE_S and not self.by_clock and self.daemon.is_running():
            self.by_clock = True
            self.daemon.process.send_signal(signal.SIGUSR1)

    def has_died(self):
        """True if it was killed. AssertionError if it ended of itself."""
        if self.daemon.is_running():
            return False
        status = self.daemon.end()
        at = self.killer.take_death(self.by_clock)
        said = self.daemon.log()[self.log_size:]
        # A courier stops when the process that connects to its post was killed.
        orphaned = at is not None and "of a child" in at and "the process that connects to the post has ended" in said
        assert at is not None and (status == -signal.SIGKILL or (status == 1 and orphaned)), (
            f"{self.killer.name} ended with {status} ({at}, {self.killer.lot}): {said[-3000:]}")
        return True

    def kill(self):
        """Kills it wherever it is, for good, and waits for what it has forked."""
        if self.daemon.is_running():
            self.daemon.process.send_signal(signal.SIGUSR1)
            self.daemon.process.wait(20)
        self.daemon.end()


class Sender(threading.Thread):
    """An officer who writes numbered texts and notes what became of them."""

    def __init__(self, round_, side, name):
        super().__init__(daemon=True)
        self.side, self.name = side, name
        self.chance = random.Random(f"{round_.seed} {name}")
        self.tried = set()
        self.taken = {}  # subject -> reference, as `send` gave it
        self.stopping = threading.Event()
        self.failure = None

    def run(self):
        try:
            while not self.stopping.is_set():
                subject = f"{self.name} {len(self.tried) + 1}"
                self.tried.add(subject)
                self.send(subject)
                self.stopping.wait(self.pause())
        except BaseException as failure:
            self.failure = failure

    def check(self):
        assert self.failure is None, f"{self.name}: {self.failure!r}"


class ProgramSender(Sender):
    """Through the local API, as fast as a program."""

    def __init__(self, round_, side):
        super().__init__(round_, side, f"{side.name} by program")
        self.officer = Officer(side)

    def pause(self):
        return self.chance.random() * 0.15

    def connect(self):
        while True:
            with contextlib.suppress(OSError):
                self.officer.connect()
                return
            time.sleep(0.02)

    def send(self, subject):
        size = self.chance.choice((10, 160, 160, 160, 1000, 30_000))
        precedence = self.chance.choice((1, 1, 2, 3, 4)) if size < 200 else 1
        entry = self.officer.sign_message("x" * size, precedence, subject=subject)
        patient = self.chance.random() < 0.7
        while True:
            try:
                self.taken[subject] = self.officer.submit(entry)[3]
                return
            except (OSError, EOFError):
                self.connect()
            if not patient:
                return


class CommandSender(Sender):
    """With the command line, which is killed too: exit status 0 is what counts."""

    def __init__(self, round_, side):
        super().__init__(round_, side, f"{side.name} by hand")
        self.killer = Killer(round_, f"{side.name}'s liaison", COMMAND_ENDS)

    def pause(self):
        return self.chance.random() * 0.6

    def send(self, subject):
        prefix = self.killer.prefix() if self.chance.random() < 0.5 else ()
        result = self.side.run(
            "send", "-m", "by hand", "-s", subject, "-p", "immediate", "--yes", "--json", prefix=prefix)
        killed = self.killer.take_death() if prefix else None
        expected = (-signal.SIGKILL,) if killed else (0, 1)
        assert result.returncode in expected and "Sanitizer" not in result.stderr, (result, killed)
        if result.returncode == 0:
            self.taken[subject] = json.loads(result.stdout)["reference"]


def hello(folder):
    """What a post answers to HELLO; None if nobody answers."""
    post = types.SimpleNamespace(path=lambda name: str(folder / name))
    with contextlib.suppress(OSError, EOFError):
        with Client(post) as client:
            return client.ask(HELLO)
    return None


def noted(check):
    """A check of a round, which notes that it failed."""
    @functools.wraps(check)
    def run(self):
        try:
            check(self)
        except BaseException:
            self.failed = True
            raise
    return run


class Round:
    """Up to a hundred kills on one line, and what both sides show afterwards."""

    def __init__(self, options, number):
        self.build = pathlib.Path(options.build).resolve()
        self.kills = min(ROUND_KILLS, options.kills - number * ROUND_KILLS)
        self.seed = f"{options.seed}/{number}"
        self.again = f"test_kills.py BUILD --kills {options.kills} --seed {options.seed} --round {number}"
        self.part = max(1, self.kills // 40)  # of the kills, and of the texts that are taken: each has at least so many
        self.line = None
        self.failed = False
        self.figures = {"seed": options.seed, "round": number}

    def checks(self, tally):
        self.tally = tally
        return (
            self.every_program_is_killed_and_starts_again,
            self.all_heals_once_nobody_is_killed,
            self.what_was_taken_is_shown_exactly_once_and_nothing_twice,
            self.both_records_agree_and_hold_one_incarnation,
            self.no_reference_is_given_twice,
            self.both_records_verify,
            self.a_post_that_is_killed_as_it_first_starts_starts_in_the_end,
            self.nothing_was_refused_and_nobody_is_left,
        )

    def close(self):
        if self.line is None:
            return
        if self.failed:
            print("# " + self.line.logs().replace("\n", "\n# "), flush=True)
        self.line.close()

    def begin(self):
        print(f"# {self.kills} kills; again: {self.again}", flush=True)
        self.line = Line(self.build)
        for side in self.line.sides:
            key = side.folder / "officer.key"
            key.write_bytes(make_quick_secret_file(key.read_bytes(), passphrase_of(side)))
        self.victims = [
            Victim(self, side, daemon, ends) for side in self.line.sides
            for daemon, ends in ((side.post, POST_ENDS), (side.courier, COURIER_ENDS))]
        self.senders = [kind(self, side) for side in self.line.sides for kind in (ProgramSender, CommandSender)]
        self.killers = [part.killer for part in (*self.victims, *self.senders) if hasattr(part, "killer")]
        self.line.end()

    def is_enough(self):
        return sum(len(killer.deaths) for killer in self.killers) >= self.kills

    def parts(self):
        """How often each was killed, and how much of each was taken."""
        return {killer.name: len(killer.deaths) for killer in self.killers}, {
            sender.name: len(sender.taken) for sender in self.senders}

    def everybody_had_a_part(self):
        deaths, taken = self.parts()
        return min(*deaths.values(), *taken.values()) >= self.part

    @noted
    def every_program_is_killed_and_starts_again(self):
        self.begin()
        for part in (*self.victims, *self.senders):
            part.start()
        end = time.monotonic() + LIMIT_S
        while not (self.is_enough() and self.everybody_had_a_part()):
            assert time.monotonic() < end, f"in time only {self.parts()}"
            for victim in self.victims:
                # Once there were enough, those who have had their part live, so that the others come to it.
                spare = self.is_enough() and len(victim.killer.deaths) >= self.part
                if not spare:
                    victim.end_late()
                if victim.has_died():
                    victim.start(spare)
            for sender in self.senders:
                sender.check()
            time.sleep(0.005)
        for killer in self.killers:
            counts = collections.Counter(killer.deaths).most_common()
            print(f"# {killer.name} killed {len(killer.deaths)} times: " + "; ".join(f"{n} at {at}" for at, n in counts))
        self.figures["kills"] = sum(self.parts()[0].values())

    @noted
    def all_heals_once_nobody_is_killed(self):
        for sender in self.senders:
            sender.stopping.set()
        for victim in self.victims:
            victim.kill()  # once more, wherever it is
        self.line.start()
        for sender in self.senders:
            sender.join(60)
            sender.check()
            assert not sender.is_alive(), f"{sender.name} is not done"
            print(f"# {sender.name}: {len(sender.tried)} tried, {len(sender.taken)} taken")
        self.line.wait_until_quiet(HEALING_S)

    @noted
    def what_was_taken_is_shown_exactly_once_and_nothing_twice(self):
        sums = collections.Counter()
        for side in self.line.sides:
            senders = [sender for sender in self.senders if sender.side is side]
            tried = set().union(*(sender.tried for sender in senders))
            taken = {subject: reference for sender in senders for subject, reference in sender.taken.items()}
            rows = side.other.inbox()
            shown = collections.Counter(row["subject"] for row in rows)
            lost = sorted(set(taken) - set(shown))
            twice = sorted(subject for subject, count in shown.items() if count > 1)
            sums.update(tried=len(tried), taken=len(taken), shown=len(rows), lost=len(lost), twice=len(twice))
            print(f"# {side.name}: {len(tried)} tried, {len(taken)} taken, {len(rows)} shown, {len(lost)} lost, "
                  f"{len(twice)} shown twice", flush=True)
            assert not lost and not twice, (lost[:20], twice[:20])
            assert set(shown) <= tried, set(shown) - tried
            renamed = [row for row in rows if taken.get(row["subject"], row["reference"]) != row["reference"]]
            assert not renamed, renamed[:5]
            states = {row["subject"]: row["state"] for row in side.json("inbox", "--sent")}
            unknown = [subject for subject in taken if states.get(subject) != "received"]
            assert not unknown, [(subject, states.get(subject)) for subject in unknown[:20]]
        self.figures.update(sums)

    @noted
    def both_records_agree_and_hold_one_incarnation(self):
        heads = self.line.wait_until_heads_agree(HEALING_S)
        assert len(heads) == 2 and all(head.split()[1] == "1" for head in heads), heads

    @noted
    def no_reference_is_given_twice(self):
        for side in self.line.sides:
            references = collections.Counter(entry["reference"] for entry in side.json("log")["entries"])
            twice = [reference for reference, count in references.items() if count > 1]
            assert len(references) > self.kills // 10 and not twice, twice

    @noted
    def both_records_verify(self):
        for side in self.line.sides:
            assert side.json("verify", timeout=120)["verified"] is True

    @noted
    def a_post_that_is_killed_as_it_first_starts_starts_in_the_end(self):
        """From the file that `liaison post create` makes, which is taken in once."""
        made = self.line.folder / "annex"
        self.line.alliance.json(
            "post", "create", made, "--name", "Annex", "--kind", "mission", "--slot", "5", "--node", "ipn:3003.0",
            "--pin", "00" * 32, "--yes")
        killer = Killer(self, "a post that first starts", FIRST_ENDS)
        for number in range(FIRST_STARTS):
            folder = self.line.folder / f"annex {number}"
            shutil.copytree(made, folder)
            daemon = Daemon(self.line.programs["liaisond"], folder, f"{folder}.log")
            for _ in range(FIRST_STARTS_KILLS):
                daemon.start(prefix=killer.prefix())
                wait_for(lambda: hello(folder) or not daemon.is_running(), "it answers or is killed")
                if daemon.is_running():
                    daemon.process.send_signal(signal.SIGUSR1)
                    daemon.process.wait(20)
                status = daemon.end()
                assert killer.take_death(by_clock=True) and status == -signal.SIGKILL, (status, killer.lot, daemon.log())
            daemon.start()
            answer = wait_for(lambda: hello(folder) or not daemon.is_running(), "it answers")
            assert daemon.is_running() and answer[4] == 5 and answer[6] == "Annex", (answer, killer.deaths[-3:], daemon.log())
            assert daemon.end() == 0, daemon.log()
        self.figures["kills at a first start"] = len(killer.deaths)

    @noted
    def nothing_was_refused_and_nobody_is_left(self):
        for side in self.line.sides:
            assert side.status()["refused"] == [], side.status()["refused"]
            for daemon in side.daemons:
                assert "Sanitizer" not in daemon.log() and "runtime error" not in daemon.log(), daemon.log()
        self.line.end()
        left = subprocess.run(["pgrep", "-f", str(self.line.folder)], capture_output=True).stdout
        assert left == b"", left
        if not self.failed:
            self.tally.add(self)
        self.line.close()


class Tally:
    """The rounds of a campaign that have gone well, one JSON object a line."""

    def __init__(self, path, seed):
        self.path = path and pathlib.Path(path)
        lines = self.path.read_text().splitlines() if self.path and self.path.exists() else []
        self.rounds = [figures for figures in map(json.loads, lines) if figures["seed"] == seed]

    def holds(self, number):
        return any(figures["round"] == number for figures in self.rounds)

    def add(self, round_):
        self.rounds.append(round_.figures)
        if self.path:
            with open(self.path, "a", encoding="utf-8") as file:
                file.write(json.dumps(round_.figures) + "\n")

    def __str__(self):
        sums = collections.Counter()
        for figures in self.rounds:
            sums.update({name: value for name, value in figures.items() if name not in ("seed", "round")})
        return f"{len(self.rounds)} rounds went well: " + ", ".join(f"{value} {name}" for name, value in sums.items())


def parse_arguments():
    parser = argparse.ArgumentParser()
    parser.add_argument("build")
    parser.add_argument("--kills", type=int, default=ROUND_KILLS)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 32))
    parser.add_argument("--round", type=int)
    parser.add_argument("--tally")
    return parser.parse_args()


def main():
    options = parse_arguments()
    tally = Tally(options.tally, options.seed)
    rounds = [
        Round(options, number) for number in range(-(-options.kills // ROUND_KILLS))
        if options.round in (None, number) and not tally.holds(number)]
    with contextlib.ExitStack() as stack:
        for round_ in rounds:
            stack.callback(round_.close)
        stack.callback(lambda: print(f"# {tally}"))
        run_tests(*(check for round_ in rounds for check in round_.checks(tally)))


if __name__ == "__main__":
    main()
