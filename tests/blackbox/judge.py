"""Judges what a round of the black box left, from exports and the transcript alone: usage: judge.py FOLDER

FOLDER holds parties.json (whom officers have met), healing.json (when nothing was done to anybody any more, and how long they
had since then; null: long enough for all), transcript.jsonl (what they asked and were told, and which images operators
laid back) and SIDE-OTHER.json (each side's export of each channel). Shares no code with the line.

    each export        stands by itself (judge_record.py): signatures, leaves, heads, receipts, incarnations, nobody accused
    both together      hold the same entries; heads of one size have one root; receipts are for what the other holds
    what was taken     stands in both, at the place and with the reference that were told, with the same words, once
    nothing else       stands there: each text and each acknowledgment is one that an officer tried
    what was lost      only what no post held any more when an image was laid back, as far as anybody was told
    no gaps            in positions but for what was lost so; causes stand before what they caused
    `liaison verify`   says of each record what this says

Prints each thing that does not hold, and one JSON object of figures; exit status 1 if there was any.
"""

import bisect
import collections
import datetime
import json
import pathlib
import sys

from judge_record import ACKNOWLEDGMENT, INCARNATION, MESSAGE, SLOTS, VERDICT, Record

PRECEDENCES = {"routine": 1, "priority": 2, "immediate": 3, "flash": 4}
ACCEPTED = 0
# What an honest line may refuse, and only where a post was restored: what names something lost (REFERENCE), a number that
# an incarnation had which was lost again (FORK), what was acknowledged before the loss (NAMED).
REFUSED_AFTER_A_LOSS = {74, 77, 81}
# A receipt that could not be opened after a restore is made anew when its entry comes again: after a quarter of the handling
# time of the terms (doc/PROTOCOL.md, section 15, "Copies"), here of ROUTINE to FLASH, then after twice as long each time.
QUARTERS_S = {1: 5400, 2: 2700, 3: 450, 4: 150}
MARGIN_S = 60
RECEIVED = ("received", "read", "answered", "refused")
DOES_NOT_HOLD, NOT_WHOLE = 1, 3  # exit statuses of `liaison verify`; entries that are missing below a head are the former
TOLD_MAX = 40


def option(words, name):
    return words[words.index(name) + 1] if name in words else None


class Attempt:
    """One command by which an officer tried to write an entry, and what it said."""

    def __init__(self, line, channel):
        self.side, self.words, self.channel = line["side"], line["words"], channel
        self.begun, self.ended = line["at"], line["until"]
        self.act = self.words[0]
        self.taken = line["status"] == 0
        self.told = line["printed"] if self.taken else None
        self.text, self.subject = option(self.words, "-m"), option(self.words, "-s")
        self.names = self.words[1] if self.act in ("ack", "reply") else None
        self.precedence = option(self.words, "-p")
        self.note = option(self.words, "--note")
        self.entries = []  # those of the record that it made

    @property
    def key(self):
        return self.told["log"], self.told["incarnation"], self.told["position"]

    def __str__(self):
        return f"{self.side}'s {self.act} at {self.begun:.1f}" + (f" ({self.told['reference']})" if self.taken else "")


class Transcript:
    """What was asked and told, in the order in which it began."""

    def __init__(self, path, channels):
        with open(path, encoding="utf-8") as file:
            self.lines = sorted(map(json.loads, file), key=lambda line: line["at"])
        self.attempts = []
        self.evidence = collections.defaultdict(list)  # (channel, log, incarnation, position) -> (side, begun, ended, row)
        self.references = {}  # identity -> reference, of all that was ever shown
        self.images = []  # (side, begun, image)
        self.laid_back = []  # (side, begun, ended, image)
        for line in self.lines:
            if "words" in line:
                self.take_command(line, channels)
            elif "act" in line:
                self.take_act(line)
            elif line["watch"].get("event") in ("arrived", "state", "unread"):
                self.take_row(line, line["watch"])

    def take_command(self, line, channels):
        words = line["words"]
        if words[0] in ("send", "reply", "ack"):
            channel = option(words, "-c")
            assert channel in channels, f"a channel that nobody has: {channel}"
            attempt = Attempt(line, channel)
            self.attempts.append(attempt)
            if attempt.taken:
                self.evidence[(channel, *attempt.key)].append((line["side"], line["at"], line["until"], None))
        elif words[0] == "backup" and line["status"] == 0:
            self.images.append((line["side"], line["at"], words[1]))
        elif words[0] == "inbox" and line["status"] == 0:
            for row in line["printed"]:
                self.take_row(line, row)

    def take_act(self, line):
        if line["act"] == "snapshot":
            self.images.append((line["side"], line["at"], line["image"]))
        elif line["act"] in ("restored", "laid back"):
            self.laid_back.append((line["side"], line["at"], line["until"], line["image"]))

    def take_row(self, line, row):
        place = row["channel"], row["log"], row["incarnation"], row["position"]
        self.evidence[place].append((line["side"], line["at"], line["until"], row))
        self.references[row["identity"]] = row["reference"]

    def times_laid_back(self, side):
        return sum(1 for each in self.laid_back if each[0] == side)

    def last(self, side, *words):
        """The last such command of a side that was done."""
        found = [line for line in self.lines if line["side"] == side and line.get("words", [])[:len(words)] == list(words)]
        return found[-1] if found else {"status": None, "printed": None}

    def must_be_there(self, place, sides):
        """Whether some post held what stands at this place, whatever was laid back: as far as anybody was told."""
        happened = []
        for side, begun, ended, _ in self.evidence[place]:
            if not any(side == of and begun < until and at < ended for of, at, until, _ in self.laid_back):
                happened.append((ended, 0, side, None))
        happened += [(at, 1, side, image) for side, at, image in self.images]
        happened += [(at, 2, side, image) for side, at, _, image in self.laid_back]
        held, in_image = dict.fromkeys(sides, False), {}
        for _, what, side, image in sorted(happened, key=lambda each: each[:2]):
            if side not in held:
                continue
            if what == 0:
                held[side] = True
            elif what == 1:
                in_image[image] = held[side]
            else:
                held[side] = in_image[image]
        return any(held.values())


class Channel:
    """One channel: both sides' exports, and all that was said of it."""

    def __init__(self, judge, one, other):
        self.judge, self.names = judge, (one["name"], other["name"])
        self.id = one["channels"][other["name"]]
        self.object = judge.object
        self.transcript = judge.transcript
        self.records = {}
        for party, of in ((one, other), (other, one)):
            path = judge.folder / f"{party['name']}-{of['name']}.json"
            record = Record(json.loads(path.read_text(encoding="utf-8")), f"the {party['name']}")
            record.check()
            judge.problems += record.problems
            self.records[party["name"]] = record
            if record.export["channel"] != self.id or record.export["roster"] != sorted((one["party"], other["party"])):
                self.object(f"the {party['name']}'s export is of another channel or other parties")
        roster = sorted((one["party"], other["party"]))
        self.sides = {roster.index(party["party"]): party["name"] for party in (one, other)}
        self.posts = {roster.index(party["party"]): party["post"] for party in (one, other)}
        self.attempts = [attempt for attempt in self.transcript.attempts if attempt.channel == self.id]
        self.entries = {key: entry for record in self.records.values() for key, entry in record.entries.items()}
        self.lost_places = 0

    def author(self, log):
        return self.sides[log // SLOTS]

    def check(self):
        self.both_hold_the_same()
        self.numbers_and_references()
        self.heads_agree()
        self.incarnations_have_reasons()
        self.verdicts_and_receipts()
        self.causes_come_first()
        self.texts_are_those_that_were_tried()
        self.acknowledgments_are_those_that_were_tried()
        self.what_was_taken_is_there()
        self.lists_show_the_record()
        for side, record in self.records.items():
            self.verify_agrees(side, record)

    # ---- the record, held twice ----

    def both_hold_the_same(self):
        one, other = self.records.values()
        for key, entry in self.entries.items():
            if key not in one.entries or key not in other.entries:
                self.object(f"{entry.where} is in one side's export only")
                continue
            first, second = one.entries[key], other.entries[key]
            if first.leaf_bytes != second.leaf_bytes:
                self.object(f"{entry.where}: the sides hold different leaves")
            if first.cose and second.cose and first.cose != second.cose:
                self.object(f"{entry.where}: the sides hold different bytes")
        ids = collections.Counter(entry.identity for entry in self.entries.values())
        for entry in self.entries.values():
            if ids[entry.identity] > 1:
                self.object(f"{entry.where} stands there more than once")

    def gaps(self, record):
        """Positions that are missing below others, or below what others say that they have seen."""
        sizes = collections.Counter()
        for log, incarnation, position in record.entries:
            sizes[log, incarnation] = max(sizes[log, incarnation], position + 1)
        for entry in record.entries.values():
            for log, incarnation, size in entry.heads:
                sizes[log, incarnation] = max(sizes[log, incarnation], size)
        for head in record.export["logs"]:
            key = head["log"], head["incarnation"]
            sizes[key] = max(sizes[key], head["size"])
        return [(log, incarnation, position) for (log, incarnation), size in sizes.items() for position in range(size)
                if (log, incarnation, position) not in record.entries]

    def numbers_and_references(self):
        for record in self.records.values():
            newest = {log: record.incarnations(log)[-1] for log in {key[0] for key in record.entries}}
            for log, incarnation, position in self.gaps(record):
                self.lost_places += 1
                if incarnation == newest.get(log) or not self.transcript.times_laid_back(self.author(log)):
                    self.object(f"{record.side}'s export: position {position} of log {log}, incarnation {incarnation} is missing")
        for entry in self.entries.values():
            if entry.kind is not None:
                time = entry.body[1] if entry.kind == 3 else entry.body[0]
                year = datetime.datetime.fromtimestamp(time, datetime.timezone.utc).year % 100
                of = f".{entry.incarnation}" if entry.incarnation > 1 else ""
                name = f"{self.posts[entry.log // SLOTS].upper()}{of} {entry.position + 1:04}/{year:02}"
                if name != entry.reference:
                    self.object(f"{entry.where} is called {entry.reference} and not {name}")

    def heads_agree(self):
        """Heads of one size have one root; and in the end both hold the head over all that is there."""
        roots = {}
        for record in self.records.values():
            for head in record.export["logs"]:
                key = head["log"], head["incarnation"], head["size"]
                if roots.setdefault(key, head["root"]) != head["root"]:
                    self.object(f"two heads of log {key[0]}, incarnation {key[1]} have the size {key[2]} and different roots")
            for log in {key[0] for key in record.entries}:
                newest = record.incarnations(log)[-1]
                covered = max((head["size"] for head in record.export["logs"]
                               if (head["log"], head["incarnation"]) == (log, newest)), default=0)
                if covered != len(record.positions(log, newest)):
                    self.object(f"{record.side}'s export: the head of log {log} does not cover all of it")

    def incarnations_have_reasons(self):
        """A new one for each image that was laid back at most, and at least one if any was and something came after it."""
        for log in {key[0] for key in self.entries}:
            side = self.author(log)
            found = sorted({incarnation for a, incarnation, _ in self.entries if a == log})
            allowed = 1 + self.transcript.times_laid_back(side)
            if found[0] != 1 or found[-1] > allowed or (allowed > 1 and found[-1] == 1):
                self.object(f"the {side}'s log has the incarnations {found}, and images were laid back {allowed - 1} times")

    # ---- receipts, verdicts, causes ----

    def verdicts_and_receipts(self):
        for key, entry in self.entries.items():
            if entry.kind == VERDICT:
                for log, incarnation, first, count, reason in entry.body[1]:
                    for position in range(first, first + count):
                        self.check_verdict(entry, (log, incarnation, position), reason)
        for side, record in self.records.items():
            for key, entry in record.entries.items():
                is_own = self.author(entry.log) == side
                if entry.receipt and not is_own:
                    self.object(f"{entry.where}: the {side} exports a receipt for what it did not write")
                if is_own and entry.cose and not entry.receipt and not self.receipt_may_come(entry.precedence):
                    self.object(f"{entry.where}: its author has no receipt, though all has healed")
                if entry.receipt and key not in self.other_record(side).entries:
                    self.object(f"{entry.where}: there is a receipt, and its giver does not hold it")

    def receipt_may_come(self, precedence):
        """Whether it is too early to miss a receipt, where one may have been lost with what was laid back."""
        healing = self.judge.healing
        if not self.transcript.laid_back or healing["lasted_s"] is None:
            return False
        self.judge.figures["receipts not waited for"] += 1
        return healing["lasted_s"] < max(QUARTERS_S[precedence], 2 * healing["began_s"]) + MARGIN_S

    def other_record(self, side):
        return next(record for name, record in self.records.items() if name != side)

    def check_verdict(self, entry, about, reason):
        if self.author(about[0]) == self.author(entry.log):
            self.object(f"{entry.where} judges its own side")
        if reason == ACCEPTED:
            if about in self.entries and self.entries[about].kind != 3:
                self.object(f"{entry.where} accepts what is no letter")
        elif reason not in REFUSED_AFTER_A_LOSS or not self.transcript.laid_back:
            self.object(f"{entry.where} refuses position {about[2]} of log {about[0]}, incarnation {about[1]} with {reason}")
        else:
            self.judge.figures["refused after a loss"] += 1

    def causes_come_first(self):
        """What a leaf has seen, and what a text answers or acknowledges, came before it: there is an order that fits all."""
        before = {key: self.causes_of(entry) for key, entry in self.entries.items()}
        waits = {key: len(causes) for key, causes in before.items()}
        effects = collections.defaultdict(list)
        for key, causes in before.items():
            for cause in causes:
                effects[cause].append(key)
        ready = [key for key, count in waits.items() if count == 0]
        done = 0
        while ready:
            done += 1
            for effect in effects[ready.pop()]:
                waits[effect] -= 1
                if waits[effect] == 0:
                    ready.append(effect)
        if done != len(self.entries):
            self.object(f"{len(self.entries) - done} entries were each caused by another of them")

    def causes_of(self, entry):
        """The keys of entries that were there before it, as it says; each stands for those before it in its log."""
        causes = set()
        mine = self.positions_of(entry.log, entry.incarnation)
        place = bisect.bisect_left(mine, entry.position)
        if place:
            causes.add((entry.log, entry.incarnation, mine[place - 1]))
        for log, incarnation, size in entry.heads:
            if log // SLOTS == entry.log // SLOTS:
                self.object(f"{entry.where} says that it has seen its own log")
            theirs = self.positions_of(log, incarnation)
            place = bisect.bisect_left(theirs, size)
            if place:
                causes.add((log, incarnation, theirs[place - 1]))
        named = self.by_identity().get(self.named_by(entry))
        if named is not None:
            causes.add(named)
        return causes

    def positions_of(self, log, incarnation):
        if not hasattr(self, "all_positions"):
            self.all_positions = collections.defaultdict(list)
            for a, b, position in sorted(self.entries):
                self.all_positions[a, b].append(position)
        return self.all_positions[log, incarnation]

    def by_identity(self):
        if not hasattr(self, "identities"):
            self.identities = {entry.identity: key for key, entry in self.entries.items()}
        return self.identities

    @staticmethod
    def named_by(entry):
        """The identity of the message that it acknowledges or answers."""
        if entry.kind == ACKNOWLEDGMENT:
            return entry.body[1]
        return entry.body[2].get(4) if entry.kind == MESSAGE and len(entry.body) > 2 else None

    # ---- what officers tried ----

    def texts_are_those_that_were_tried(self):
        tried = {attempt.text: attempt for attempt in self.attempts if attempt.act in ("send", "reply")}
        for entry in self.entries.values():
            if entry.kind != MESSAGE:
                continue
            attempt = tried.get(entry.body[1])
            if attempt is None or attempt.side != self.author(entry.log):
                self.object(f"{entry.where} ({entry.reference}) is a message that nobody sent")
                continue
            attempt.entries.append(entry)
            options = entry.body[2] if len(entry.body) > 2 else {}
            subject = options.get(1)
            if entry.precedence != PRECEDENCES[attempt.precedence] or subject != attempt.subject:
                self.object(f"{entry.where} has another precedence or subject than {attempt}")
            if (3 in options) != ("--ack-by" in attempt.words):
                self.object(f"{entry.where} asks otherwise for an acknowledgment than {attempt}")
            if attempt.act == "reply" and self.reference_of(options.get(4)) not in (attempt.names, None):
                self.object(f"{entry.where} answers another message than {attempt}")
            if (4 in options) != (attempt.act == "reply"):
                self.object(f"{entry.where} is an answer, or none, unlike {attempt}")

    def reference_of(self, identity):
        """Also of what was lost, where anybody was ever shown it."""
        key = self.by_identity().get(identity)
        if key is not None:
            return self.entries[key].reference
        return self.transcript.references.get(identity.hex()) if identity else None

    def acknowledgments_are_those_that_were_tried(self):
        tried = collections.defaultdict(list)
        for attempt in self.attempts:
            if attempt.act == "ack":
                tried[attempt.side, attempt.names].append(attempt)
        for entry in self.entries.values():
            if entry.kind != ACKNOWLEDGMENT:
                continue
            reference = self.reference_of(entry.body[1])
            side, note = self.author(entry.log), entry.body[2] if len(entry.body) > 2 else None
            found = [attempt for attempt in tried[side, reference]
                     if not attempt.entries and attempt.note == note and (not attempt.taken or attempt.key == entry.key)]
            if not found:
                self.object(f"{entry.where} acknowledges {reference}, which nobody did")
            else:
                # That of which it was told, before one whose outcome nobody knows.
                min(found, key=lambda attempt: not attempt.taken).entries.append(entry)

    def what_was_taken_is_there(self):
        figures = self.judge.figures
        for attempt in self.attempts:
            figures["tried"] += 1
            if len(attempt.entries) > 1:
                self.object(f"{attempt} stands there {len(attempt.entries)} times")
            if not attempt.taken:
                continue
            figures["taken"] += 1
            entry = self.entries.get(attempt.key)
            if entry is None:
                if self.transcript.must_be_there((self.id, *attempt.key), self.names):
                    self.object(f"{attempt} was taken and is lost")
                figures["lost with what was laid back"] += 1
            elif [each.key for each in attempt.entries] != [attempt.key] or entry.reference != attempt.told["reference"]:
                self.object(f"{attempt} was taken, and something else stands at its place, {entry.where}")
            for side, record in self.records.items():
                if attempt.key in record.entries and not record.entries[attempt.key].cose:
                    self.check_refused(attempt, entry, side)

    def check_refused(self, attempt, entry, side):
        """Only the leaf is there: a verdict says why (and check_verdict whether it may)."""
        if side == attempt.side or not any(
                (log, incarnation) == attempt.key[:2] and first <= attempt.key[2] < first + count and reason != ACCEPTED
                for verdict in self.entries.values() if verdict.kind == VERDICT
                for log, incarnation, first, count, reason in verdict.body[1]):
            self.object(f"{attempt} was taken, and the {side} has only its leaf")

    # ---- what was shown ----

    def lists_show_the_record(self):
        for side, record in self.records.items():
            for is_own, words in ((False, ("inbox", "-c", self.id)), (True, ("inbox", "--sent", "-c", self.id))):
                rows = self.transcript.last(side, *words)["printed"]
                if rows is None:
                    self.object(f"the {side} did not show its {' '.join(words[:-2])} in the end")
                    continue
                shown = collections.Counter((row["log"], row["incarnation"], row["position"]) for row in rows)
                there = {key for key, entry in record.entries.items()
                         if entry.kind == MESSAGE and (self.author(entry.log) == side) == is_own}
                for key in there ^ set(shown):
                    self.object(f"log {key[0]}, incarnation {key[1]}, position {key[2]}: the {side} shows it, or holds it, alone")
                for key, count in shown.items():
                    if count > 1:
                        self.object(f"log {key[0]}, incarnation {key[1]}, position {key[2]}: the {side} shows it {count} times")
                if is_own:
                    self.states_are_of_received(side, rows)
        self.rows_were_always_of_one_entry()

    def states_are_of_received(self, side, rows):
        for row in rows:
            if row["state"] not in RECEIVED and not self.receipt_may_come(PRECEDENCES[row["precedence"].lower()]):
                self.object(f"{row['reference']} of the {side} is only {row['state']}, though all has healed")

    def rows_were_always_of_one_entry(self):
        """What was shown at a place was the same at all times, and not before somebody wrote it."""
        begun = {attempt.key: attempt.begun for attempt in self.attempts if attempt.taken}
        for place, shown in self.transcript.evidence.items():
            if place[0] != self.id:
                continue
            key = place[1:]
            rows = [row for *_, row in shown if row is not None]
            facts = {(row["reference"], row["identity"], row["subject"], row["precedence"], row["time"]) for row in rows}
            if key in self.entries and rows:
                entry = self.entries[key]
                facts.add((entry.reference, entry.identity.hex(), *next(iter(facts))[2:]))
            if len(facts) > 1:
                self.object(f"log {key[0]}, incarnation {key[1]}, position {key[2]}: it was shown as {len(facts)} different things")
            if key in begun and min(ended for _, _, ended, _ in shown) < begun[key]:
                self.object(f"log {key[0]}, incarnation {key[1]}, position {key[2]} was shown before it was written")

    # ---- what `liaison verify` says ----

    def verify_agrees(self, side, record):
        said = self.transcript.last(side, "verify", "-c", self.id)
        gaps = self.gaps(record)
        does_not_hold = record.problems or any(
            (head["log"], head["incarnation"]) == (log, incarnation) and position < head["size"]
            for log, incarnation, position in gaps for head in record.export["logs"])
        leaves_alone = [entry for entry in record.entries.values() if not entry.cose and not self.is_explained(entry)]
        is_whole = not gaps and not leaves_alone and not self.past_without_head(record)
        expected = DOES_NOT_HOLD if does_not_hold else 0 if is_whole else NOT_WHOLE
        if said["status"] != expected:
            self.object(f"`verify` of the {side} said {said['status']}, and {expected} is right")
        if said["status"] == 0 and not said["printed"].get("signatures"):
            self.object(f"`verify` of the {side} checked no signature")

    def past_without_head(self, record):
        """Entries of a past incarnation of which there is no head, neither exported nor named by a later one."""
        covered = {(head["log"], head["incarnation"]) for head in record.export["logs"]}
        covered |= {(entry.log, entry.body[1]) for entry in record.entries.values() if entry.kind == INCARNATION}
        return [key for key in record.entries if key[:2] not in covered and key[1] != record.incarnations(key[0])[-1]]

    def is_explained(self, entry):
        return any((log, incarnation) == entry.key[:2] and first <= entry.position < first + count and reason != ACCEPTED
                   for verdict in self.entries.values() if verdict.kind == VERDICT
                   for log, incarnation, first, count, reason in verdict.body[1])


class Judge:
    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.problems = []
        self.figures = collections.Counter()
        parties = json.loads((self.folder / "parties.json").read_text(encoding="utf-8"))
        self.healing = json.loads((self.folder / "healing.json").read_text(encoding="utf-8"))
        channels = {channel for party in parties for channel in party["channels"].values()}
        self.transcript = Transcript(self.folder / "transcript.jsonl", channels)
        self.channels = [Channel(self, one, other) for number, one in enumerate(parties) for other in parties[:number]]

    def object(self, problem):
        self.problems.append(problem)

    def run(self):
        for channel in self.channels:
            channel.check()
            for record in channel.records.values():
                self.figures["signatures verified"] += record.signatures
                self.figures["receipts verified"] += record.receipts
            self.figures["incarnations"] += len({key[:2] for key in channel.entries})
            self.figures["entries"] += len(channel.entries)
            self.figures["gaps"] += channel.lost_places
        if not self.figures["taken"]:
            self.object("nothing was taken: there is nothing to judge")
        return self.problems


def main():
    judge = Judge(sys.argv[1])
    problems = judge.run()
    for problem in problems[:TOLD_MAX]:
        print(f"VIOLATION: {problem}")
    if len(problems) > TOLD_MAX:
        print(f"VIOLATION: and {len(problems) - TOLD_MAX} more")
    print(json.dumps(judge.figures))
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
