"""The line as a black box, under everything at once.

Two or three parties, each with its daemons in a network namespace of its own; between them a proxy that delays, stalls, slows,
splits, cuts, changes bytes, refuses and says again what was said. Meanwhile daemons are killed, ended and paused, machines are
started anew with other clocks, disks fill up, backups are restored and old snapshots laid back, each with what the manual tells
an operator to do. Officers write, answer and acknowledge by the `liaison` command, and all that they are told is noted.

Then nothing is done to anybody any more, and within a time all must be well: what both sides export, and the transcript of what
officers were told, go to judge.py, which shares no code with the line. It is the judge of each round.

A round is 5 minutes at most, on a line of its own, and each kind of fault comes in it, however slow the machine is; its lots
follow from SEED and its number, as exactly as the machine lets it. What a tally file holds is not done again, so a campaign
can be ended and gone on with. What a violated round leaves is kept in a folder, which is printed with the seed and the round;
`judge.py FOLDER/files` judges it again, and --round does it again.

Prints TAP. On a terminal a bar shows how far it is.
"""

import argparse
import collections
import contextlib
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time
import traceback

HERE = pathlib.Path(__file__).resolve().parent
ROUND_MINUTES = 5
HEALING_S = 1500  # five times a round: what was asked for in vain is asked for again after four times as long
BAR = 30
OWN_MOUNTS = "LIAISON_BLACKBOX_OWN_MOUNTS"


def parse():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", default="build/release", help="whose programs run (build/release if not given)")
    parser.add_argument("--minutes", type=float, default=5, help="of setting up and of faults, in all rounds together (5)")
    parser.add_argument("--seed", default="1", help="from which all lots follow (1)")
    parser.add_argument("--parties", type=int, choices=(2, 3), default=2, help="each pair of them has a channel (2)")
    parser.add_argument("--round", type=int, metavar="N", help="does this round alone")
    parser.add_argument("--tally", metavar="FILE", help="keeps the rounds that went well, and leaves them out")
    parser.add_argument("--keep", metavar="DIR", help="keeps the files of a round that went well, too")
    parser.add_argument("--spoil", action="store_true",
                        help="then spoils copies of the last round's files in many ways: the judge must object to each")
    options = parser.parse_args()
    if options.minutes <= 0 or (options.round or 0) * ROUND_MINUTES >= options.minutes:
        parser.error(f"--minutes is more than 0, and a round has {ROUND_MINUTES} of them")
    return options


def use_own_mounts():
    """Begins anew in a mount namespace of its own, where one can be had: small disks are gone with it. Whether it has one.

    A user who is not root begins in a user namespace, and may go back to a network namespace only if it is of that one too."""
    if OWN_MOUNTS not in os.environ:
        for options in (["--mount", "--net"], ["--map-root-user", "--mount", "--net"]):
            if subprocess.run(["unshare", *options, "true"], capture_output=True).returncode == 0:
                os.environ[OWN_MOUNTS] = "yes"
                os.execvp("unshare", ["unshare", *options, sys.executable, *sys.argv])
    return OWN_MOUNTS in os.environ


class Bar:
    """How far it is, on a terminal alone."""

    def __init__(self, minutes):
        self.seconds = minutes * 60
        self.done_s = 0

    def show(self, doing, round_s=0.0):
        if not sys.stderr.isatty():
            return
        part = min(1.0, (self.done_s + round_s) / self.seconds)
        full = round(part * BAR)
        minutes = (self.done_s + round_s) / 60
        print(f"\r[{'#' * full}{' ' * (BAR - full)}] {minutes:6.1f} of {self.seconds / 60:g} minutes: {doing:44}", end="",
              file=sys.stderr, flush=True)

    def clear(self):
        if sys.stderr.isatty():
            print("\r" + " " * 100 + "\r", end="", file=sys.stderr, flush=True)


class Tally:
    """The rounds of a campaign that have gone well, one JSON object a line."""

    def __init__(self, path, campaign):
        self.path, self.campaign = path and pathlib.Path(path), campaign
        lines = self.path.read_text(encoding="utf-8").splitlines() if self.path and self.path.exists() else []
        self.rounds = [line for line in map(json.loads, lines) if line["campaign"] == campaign]

    def holds(self, number):
        return any(line["round"] == number for line in self.rounds)

    def add(self, number, figures):
        line = {"campaign": self.campaign, "round": number, "figures": figures}
        self.rounds.append(line)
        if self.path:
            with open(self.path, "a", encoding="utf-8") as file:
                file.write(json.dumps(line) + "\n")

    def sums(self):
        sums = collections.Counter()
        for line in self.rounds:
            sums.update(line["figures"])
        return ", ".join(f"{round(value, 1):g} {name}" for name, value in sorted(sums.items()))


class Round:
    """Some minutes of faults on a line of its own, the healing, and the judgment."""

    def __init__(self, options, number, minutes, bar):
        self.options, self.number, self.bar = options, number, bar
        self.seconds = minutes * 60
        self.seed = f"{options.seed}/{number}"
        self.figures = collections.Counter()
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="liaison-blackbox-"))
        self.files = self.folder / "files"  # what the judge reads
        self.files.mkdir()

    def run(self, has_own_mounts):
        """AssertionError, or another, if anything did not go as it should; then the folder is kept."""
        from faults import Schedule
        from officers import Transcript
        from post_disk import SmallDisk
        from post_shell import Skip
        from world import PARTIES, World

        self.begun = time.monotonic()
        with contextlib.ExitStack() as stack:
            disks = {}
            with contextlib.suppress(Skip):
                for name, *_ in PARTIES[:self.options.parties] if has_own_mounts else ():
                    disks[name] = stack.enter_context(SmallDisk())
            if not disks:
                print("# no disk fills up: no mounts of its own can be had here", flush=True)
            self.world = World(self.options.build, self.options.parties, self.folder, disks)
            stack.callback(self.world.close)
            self.transcript = Transcript(self.files / "transcript.jsonl")
            stack.callback(self.transcript.close)
            pause_s = 1.2 if self.seconds < 120 else 4  # all kinds of acts take their turn in a minute, or in two
            self.schedule = Schedule(self.world, self.transcript, self.seed, pause_s, self.seconds / 6)
            try:
                self.do_all(stack)
            except BaseException:
                self.world.kill()
                self.world.copy_disks_to(self.folder)
                raise

    def do_all(self, stack):
        self.bar.show("sets up")
        self.start_proxy(stack)
        self.world.make()
        self.note_parties()
        self.schedule.begin()
        self.figures["s of setting up"] = time.monotonic() - self.begun
        officers = self.suffer(stack)
        begun = time.monotonic()
        self.heal(officers)
        self.figures["s of healing"] = time.monotonic() - begun
        self.end_well()
        self.figures.update(self.judged)

    def start_proxy(self, stack):
        namespaces = [party.namespace for party in self.world.parties]
        self.proxy = subprocess.Popen(
            [sys.executable, str(HERE / "proxy.py"), self.seed, *map(str, namespaces)], stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, encoding="utf-8", pass_fds=namespaces)
        stack.callback(self.end_proxy)
        assert self.proxy.stdout.readline() == "listening\n", "the proxy does not listen"

    def tell_proxy(self, word):
        self.proxy.stdin.write(word + "\n")
        self.proxy.stdin.flush()

    def end_proxy(self):
        """What it did, in numbers; nothing if it has ended before."""
        if self.proxy.stdin.closed:
            return {}
        with contextlib.suppress(BrokenPipeError):
            self.proxy.stdin.close()
        try:
            told = self.proxy.stdout.read()
            assert self.proxy.wait(30) == 0, "the proxy ended badly"
            return json.loads(told)
        finally:
            if self.proxy.poll() is None:
                self.proxy.kill()
                self.proxy.wait()

    def note_parties(self):
        """What officers know without the record: whom they have met, and by which ids."""
        (self.files / "parties.json").write_text(json.dumps([
            {"name": party.name, "party": party.json("party", "show")["party"], "post": party.post_name,
             "channels": party.channels} for party in self.world.parties], indent=1))

    def suffer(self, stack):
        from officers import Officer, Watch

        self.watches = [Watch(self.transcript, party) for party in self.world.parties]
        for watch in self.watches:
            stack.callback(watch.end)
        officers = [Officer(self.transcript, party, self.seed, 0.4) for party in self.world.parties]
        stack.callback(lambda: [officer.stopping.set() for officer in officers])
        self.tell_proxy("faults")
        for officer in officers:
            officer.start()
        begun = time.monotonic()
        while (gone := time.monotonic() - self.begun) < self.seconds or not self.schedule.has_done_all():
            self.bar.show(f"round {self.number}, {sum(officer.written for officer in officers)} texts", gone)
            self.schedule.step()
            for officer in officers:
                officer.check()
            assert self.proxy.poll() is None, "the proxy has ended"
        self.figures["minutes"] += (time.monotonic() - begun) / 60
        return officers

    def heal(self, officers):
        """Nothing happens any more, and all comes in order by itself."""
        self.bar.show(f"round {self.number} heals", self.seconds)
        self.tell_proxy("heal")
        self.schedule.heal()
        for officer in officers:
            officer.stopping.set()
        for officer in officers:
            officer.join(180)
            officer.check()
            assert not officer.is_alive(), f"the officer of the {officer.party.name} is not done"
        self.schedule.speak()
        self.wait_until_well()
        for watch in self.watches:
            status = watch.end()
            assert status in (0, -15), f"a watch ended with {status}"

    def wait_until_well(self):
        """Until the judge has nothing to object to: AssertionError with what it objects to when the time is over.

        At first it is asked only when nothing waits for a receipt. What is missing then and no restore explains may yet come.
        When a while has gone it is told how long, and knows which receipts may be lost and come again only later."""
        begun, pause_s = time.monotonic(), 0.5
        healing = {"began_s": self.transcript.now(), "lasted_s": None}
        while True:
            said, lasted_s = "something waits for a receipt", time.monotonic() - begun
            if lasted_s > min(180, max(60, self.seconds)):
                healing["lasted_s"] = lasted_s
            if healing["lasted_s"] is not None or self.nothing_waits():
                (self.files / "healing.json").write_text(json.dumps(healing))
                self.export()
                is_well, said = self.judge()
                if is_well:
                    return
            assert lasted_s < HEALING_S, f"{HEALING_S} s after the last fault: {said}"
            time.sleep(pause_s)
            pause_s = min(4, pause_s * 1.5)

    def nothing_waits(self):
        return all(sum(channel["waiting_for_receipt"]) == 0 for party in self.world.parties
                   for channel in party.json("status")["channels"])

    def export(self):
        """The record as each side has it, of each channel; and what it says of it."""
        from officers import ask

        for party in self.world.parties:
            for other, channel in party.channels.items():
                for words in (("inbox",), ("inbox", "--sent"), ("verify",)):
                    ask(self.transcript, party, *words, "-c", channel, timeout=300)
                exported = party.run("log", "--json", "-c", channel, timeout=300)
                assert exported.returncode == 0, exported.stderr
                (self.files / f"{party.name}-{other}.json").write_text(exported.stdout, encoding="utf-8")

    def end_well(self):
        for party in self.world.parties:
            for daemon in party.daemons:
                status = daemon.end()
                self.schedule.check_end(daemon, status)
                said = daemon.log()
                assert "Sanitizer" not in said and "runtime error" not in said, said[-5000:]
        for name, value in {**self.end_proxy(), **self.schedule.counts}.items():
            self.figures[name] += value

    def judge(self):
        """Whether all is well, and what the judge says."""
        result = subprocess.run([sys.executable, str(HERE / "judge.py"), str(self.files)], capture_output=True, encoding="utf-8")
        if result.returncode == 0:
            self.judged = json.loads(result.stdout.splitlines()[-1])
        return result.returncode == 0, f"the judge says:\n{result.stdout}{result.stderr}"


def rounds_of(options):
    """The number of each round, and its minutes."""
    count = max(1, round(options.minutes / ROUND_MINUTES + 0.49))
    for number in range(count) if options.round is None else [options.round]:
        yield number, min(ROUND_MINUTES, options.minutes - number * ROUND_MINUTES)


def do_round(options, number, minutes, bar, has_own_mounts):
    """The round if it went well, else None; then it has been told."""
    from world import CannotBeMade

    round_ = Round(options, number, minutes, bar)
    try:
        round_.run(has_own_mounts)
    except (CannotBeMade, KeyboardInterrupt):
        shutil.rmtree(round_.folder)
        raise
    except Exception as failure:
        bar.clear()
        said = str(failure) if isinstance(failure, AssertionError) else traceback.format_exc()
        print("# " + said.strip().replace("\n", "\n# "))
        print(f"# seed {options.seed}, round {number}, {options.parties} parties; kept in {round_.folder}", flush=True)
        return None
    bar.done_s += round_.seconds
    bar.clear()
    return round_


def main():
    options = parse()
    has_own_mounts = use_own_mounts()
    sys.path.insert(0, str(HERE))
    from world import CannotBeMade

    bar = Bar(options.minutes)
    tally = Tally(options.tally, f"{options.seed}, {options.parties} parties")
    tests = failed = 0
    last = None
    for number, minutes in rounds_of(options):
        if tally.holds(number):
            bar.done_s += minutes * 60
            continue
        try:
            round_ = do_round(options, number, minutes, bar, has_own_mounts)
        except CannotBeMade as failure:
            bar.clear()
            print(f"1..0 # SKIP {failure}" if failure.is_expected else f"not ok 1 - {failure}\n1..1")
            return 0 if failure.is_expected else 1
        tests += 1
        failed += round_ is None
        print(f"{'not ok' if round_ is None else 'ok'} {tests} - seed {options.seed}, round {number}: {minutes:g} minutes", flush=True)
        if round_ is not None:
            tally.add(number, dict(round_.figures))
            if last is not None:
                shutil.rmtree(last)
            last = round_.folder
    if last is not None:
        tests, failed = end_with(options, last, tests, failed)
    print(f"# {len(tally.rounds)} rounds went well: {tally.sums()}")
    print(f"1..{tests}")
    return 1 if failed else 0


def end_with(options, folder, tests, failed):
    """What is asked of the files of the last round that went well."""
    if options.spoil:
        import spoil

        for kind, problem in spoil.try_all(folder / "files"):
            tests += 1
            failed += problem is not None
            print(f"{'ok' if problem is None else 'not ok'} {tests} - the judge objects: {kind}")
            if problem is not None:
                print("# " + problem.strip().replace("\n", "\n# "), flush=True)
    if options.keep:
        shutil.copytree(folder / "files", options.keep, dirs_exist_ok=True)
    shutil.rmtree(folder)
    return tests, failed


if __name__ == "__main__":
    sys.exit(main())
