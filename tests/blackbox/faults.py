"""The schedule of what is done to the parties' machines, drawn from the seed, and the operators who set them going again.

Each act is one card of a deck that is shuffled again and again, so that each comes about as often as another. One act at a
time is done to the daemons; what the proxy does to the connections goes on meanwhile. What an operator does is noted in the
transcript, since the judge has to know which images were laid back.
"""

import collections
import contextlib
import random
import shutil
import signal
import time

from line import wait_for
from officers import ask

MIB = 1024 * 1024
DECK = (
    "kill_post", "kill_post", "kill_courier", "kill_courier", "kill_both", "end_in_order", "pause_post", "pause_courier",
    "shift_clock", "make_backup", "take_snapshot", "restore_backup", "lay_snapshot_back", "fill_disk")
OFFSETS_S = (-86_400, -3_600, -60, 0, 0, 60, 3_600, 90_000, 40 * 86_400)
RETRY_S = 300
ALL = 64 * MIB  # of a small disk


class EndedByItself(AssertionError):
    pass


class Schedule:
    """Does one act after the other until it is told to stop. Runs in the main thread: daemons end with their starter."""

    def __init__(self, world, transcript, seed, pause_s, patience_s):
        self.world, self.transcript, self.pause_s, self.patience_s = world, transcript, pause_s, patience_s
        self.seed = seed
        self.chance = random.Random(f"{seed} schedule")
        self.deck = []
        self.steps = 0
        self.images = {party.name: {"backup": [], "snapshot": []} for party in world.parties}
        self.counts = collections.Counter()
        self.filled = None  # the party whose disk is full

    # ---- what operators do ----

    def note(self, party, begun, act, **facts):
        self.transcript.note(party.name, begun, act=act, **facts)

    def operator(self, party, *words):
        return ask(self.transcript, party, *words)

    def operator_must(self, party, *words):
        """A command that an operator gives again until it is done: the post may be on its way up."""
        def done():
            status, value = self.operator(party, *words)
            return status == 0 and (value or True)
        return wait_for(done, f"the {party.name} is done with: {' '.join(map(str, words))}", RETRY_S)

    def make_backup(self, party):
        file = party.folder / f"backup-{len(self.images[party.name]['backup'])}"
        status, _ = self.operator(party, "backup", file)
        if status == 0:
            self.images[party.name]["backup"].append(file)

    def take_snapshot(self, party):
        """A copy of the post's folder, taken while its daemon is down."""
        party.post.end()
        begun = self.transcript.now()
        folder = party.folder / f"snapshot-{len(self.images[party.name]['snapshot'])}"
        shutil.copytree(party.post_folder, folder, ignore=shutil.ignore_patterns("*.sock"))
        self.images[party.name]["snapshot"].append(folder)
        self.note(party, begun, "snapshot", image=str(folder))
        self.set_going(party)

    def restore_backup(self, party):
        """As `liaison restore --help` says it."""
        image = self.choose_image(party, "backup")
        if image is None:
            self.make_backup(party)
        else:
            self.go_on_with(party, image, "restored", lambda: party.json("restore", image, party.post_folder))

    def lay_snapshot_back(self, party):
        """The disk is set back to an older state; the anchor, on another disk, stays."""
        image = self.choose_image(party, "snapshot")
        if image is None:
            self.take_snapshot(party)
        else:
            self.go_on_with(party, image, "laid back", lambda: shutil.copytree(image, party.post_folder))

    def go_on_with(self, party, image, act, lay_back):
        """The post as it was then, and its courier; then a new keying with each of the others, made by them."""
        party.kill()
        begun = self.transcript.now()
        shutil.rmtree(party.post_folder)
        lay_back()
        self.note(party, begun, act, image=str(image))
        self.set_going(party)
        for other in party.others:
            wait_for(lambda other=other: self.keying_is_made(other, party), "a new keying is in use", RETRY_S)

    def choose_image(self, party, kind):
        """One of the last two. Mostly all is well before it is laid back: else what is lost is lost for a good reason."""
        images = self.images[party.name][kind]
        if images and self.chance.random() < 0.8:
            self.wait_until_quiet()
        return self.chance.choice(images[-2:]) if images else None

    def wait_until_quiet(self):
        """For a while; then the transcript tells what everybody holds."""
        end = time.monotonic() + self.patience_s
        while time.monotonic() < end and not self.all_are_quiet():
            time.sleep(0.5)
        for party in self.world.parties:
            for channel in party.channels.values():
                self.operator(party, "inbox", "-c", channel)
                self.operator(party, "inbox", "--sent", "-c", channel)

    def all_are_quiet(self):
        with contextlib.suppress(AssertionError):
            return all(self.world.is_quiet(party) for party in self.world.parties)
        return False

    def set_going(self, party):
        party.start()
        party.wait_until_up()

    def keying_is_made(self, by, to):
        """With a number that nobody has used: an attempt whose outcome is not known has used up its own."""
        pair = tuple(sorted((by.name, to.name)))
        number = self.world.keyings[pair] = self.world.keyings[pair] + 1
        file = self.world.folder / f"keying-{pair[0]}-{pair[1]}-{number}"
        words = ("keying", "make", file, "--with", to.party_name, "--number", number)
        return self.operator(by, *words)[0] == 0 and self.operator(to, "keying", "accept", file)[0] == 0

    # ---- what befalls the machines ----

    def kill_post(self, party):
        party.post.kill()

    def kill_courier(self, party):
        party.courier.kill()

    def kill_both(self, party):
        party.kill()

    def end_in_order(self, party):
        for daemon in party.daemons:
            self.check_end(daemon, daemon.end())

    def check_end(self, daemon, status):
        """A courier whose post goes away may stop of itself, and be told to meanwhile."""
        if status not in (0, 1) or (status == 1 and not self.lost_its_post(daemon)):
            raise EndedByItself(f"{daemon.log_file.stem} of the {daemon.party.name} ended with {status}: {daemon.log()[-2000:]}")

    def lost_its_post(self, daemon):
        return daemon is daemon.party.courier and "the link to the post" in daemon.log()[-2000:]

    def pause_post(self, party):
        self.pause(party.post)

    def pause_courier(self, party):
        self.pause(party.courier)

    def pause(self, daemon):
        if not daemon.is_running():
            return
        daemon.process.send_signal(signal.SIGSTOP)
        try:
            time.sleep(self.chance.uniform(0.2, 8))
        finally:
            daemon.process.send_signal(signal.SIGCONT)

    def shift_clock(self, party):
        """The machine is started anew, with another time."""
        party.kill()
        begun = self.transcript.now()
        party.clock.offset_s = self.chance.choice(OFFSETS_S) + self.chance.randrange(10)
        self.note(party, begun, "clock", offset_s=party.clock.offset_s)

    def fill_disk(self, party):
        """Some room is left, or hardly any, for some seconds."""
        disk = self.world.disks.get(party.name)
        if disk is None:
            return self.pause_post(party)
        self.filled = party
        self.note(party, self.transcript.now(), "disk full")
        try:
            disk.leave(self.chance.choice((30, 22, 14, 9, 5, 2)) * MIB)
            time.sleep(self.chance.uniform(1, 6))
        finally:
            disk.leave(ALL)
            time.sleep(0.5)
        self.revive(party)
        self.filled = None
        return None

    # ---- the whole ----

    def revive(self, party):
        """Starts what was killed, or has ended because its disk was full, which it says."""
        for daemon in party.daemons:
            if daemon.process is not None and not daemon.is_running():
                status = daemon.end()
                if self.filled is not party or "Sanitizer" in daemon.log():
                    self.check_end(daemon, status)
                self.counts["ended by a full disk" if self.filled is party else "courier ended with its post"] += 1
        self.set_going(party)

    def draw(self):
        if not self.deck:
            self.deck = list(DECK)
            self.chance.shuffle(self.deck)
        return self.deck.pop(), self.chance.choice(self.world.parties)

    def has_done_all(self):
        """Whether each card has come once at least, however slow the machine is."""
        return self.steps >= len(DECK)

    def begin(self):
        """Everybody has a first backup and a first snapshot, as after setting up."""
        for party in self.world.parties:
            self.operator_must(party, "status")
            self.make_backup(party)
            self.take_snapshot(party)

    def step(self):
        """One act, and the machine of it set going again; a pause before and after."""
        self.steps += 1
        time.sleep(self.chance.uniform(0, self.pause_s))
        act, party = self.draw()
        self.counts[act] += 1
        getattr(self, act)(party)
        time.sleep(self.chance.choice((0, 0, 0.2, 1, 3)) * self.chance.random())
        for each in self.world.parties:
            self.revive(each)

    def heal(self):
        """All daemons are killed once more, wherever they are, and start by the right time."""
        for party in self.world.parties:
            party.kill()
            party.clock.offset_s = 0
            self.note(party, self.transcript.now(), "clock", offset_s=0)
        for party in self.world.parties:
            self.set_going(party)

    def speak(self):
        """Everybody writes once more to everybody."""
        for party in self.world.parties:
            for other, channel in party.channels.items():
                text = f"{self.seed} {party.name} to {other}: it is over."
                self.operator_must(party, "send", "-c", channel, "-p", "flash", "-m", text, "--yes")
