"""Does the judge object? Spoils copies of a good run's files, each in one way, and asks it.

usage: spoil.py FOLDER        (the files of a round that went well: blackbox.py --keep)

Each falsification is one that a line could be guilty of, or a liar: it is made as well as can be without anybody's keys.
"""

import base64
import hashlib
import json
import pathlib
import re
import shutil
import sys
import tempfile

import cbor2

from judge import Judge

INCARNATION = 5
RECEIVED = ("received", "read", "answered")


def encode(value):
    return cbor2.dumps(value, canonical=True)


def sha256(data):
    return hashlib.sha256(data).digest()


class Files:
    """A copy of a run's files, to be spoilt."""

    def __init__(self, source, folder):
        self.folder = pathlib.Path(folder)
        shutil.copytree(source, folder, dirs_exist_ok=True)
        self.parties = self.load("parties.json")
        self.healing = self.load("healing.json")
        self.one, self.other = (party["name"] for party in self.parties[:2])
        self.exports = {name: self.load(f"{name}.json") for name in
                        (f"{self.one}-{self.other}", f"{self.other}-{self.one}")}
        self.mine, self.theirs = self.exports.values()
        self.channel = self.mine["channel"]
        text = (self.folder / "transcript.jsonl").read_text(encoding="utf-8")
        self.lines = [json.loads(line) for line in text.splitlines()]

    def load(self, name):
        return json.loads((self.folder / name).read_text(encoding="utf-8"))

    def save(self):
        (self.folder / "healing.json").write_text(json.dumps(self.healing), encoding="utf-8")
        for name, export in self.exports.items():
            (self.folder / f"{name}.json").write_text(json.dumps(export), encoding="utf-8")
        (self.folder / "transcript.jsonl").write_text("\n".join(map(json.dumps, self.lines)) + "\n", encoding="utf-8")

    def content(self, entry):
        return cbor2.loads(cbor2.loads(bytes.fromhex(entry["cose"]))[2])

    def entries(self, export, kind):
        return [entry for entry in export["entries"] if entry["cose"] and self.content(entry)[0] == kind]

    def entry(self, told, export=None):
        """The entry of which a command said where it stands."""
        return next(entry for entry in (export or self.mine)["entries"] if self.key(entry) == self.key(told))

    def both(self, entry):
        """The same entry in each export."""
        key = self.key(entry)
        return [(export, each) for export in self.exports.values() for each in export["entries"] if self.key(each) == key]

    @staticmethod
    def key(entry):
        return entry["log"], entry["incarnation"], entry["position"]

    def commands(self, *words):
        return [line for line in self.lines if line.get("words", [])[:len(words)] == list(words)]

    def taken(self, act, side=None):
        """Commands that were done, of one side. The last of `send` is of a time when nothing was done to anybody any more."""
        return [line for line in self.commands(act)
                if line["status"] == 0 and self.channel in line["words"] and line["side"] == (side or self.one)]

    def rewrite(self, entry, content):
        """Gives an entry other content, and its leaf the identity of that; the signature stays."""
        protected, unprotected, _, signature = cbor2.loads(bytes.fromhex(entry["cose"]))
        payload = encode(content)
        sender, *others = self.mine["roster"][entry["log"] // 64], *(
            party for number, party in enumerate(self.mine["roster"]) if number != entry["log"] // 64)
        aad = encode(["liaison entry", bytes.fromhex(self.channel), bytes.fromhex(sender), list(map(bytes.fromhex, others))])
        entry["cose"] = encode([protected, unprotected, payload, signature]).hex()
        change_leaf(entry, 1, sha256(encode([aad, payload])))


def change_leaf(entry, place, value):
    leaf = cbor2.loads(bytes.fromhex(entry["leaf"]))
    leaf[place] = value
    entry["leaf"] = encode(leaf).hex()


def last_message(files, side=None):
    return files.entry(files.taken("send", side)[-1]["printed"])


def a_message_that_was_taken_is_at_neither(files):
    """The end of a log is cut off on both sides, and the heads are left out."""
    entry = last_message(files)
    for export in files.exports.values():
        export["entries"] = [each for each in export["entries"]
                             if files.key(each)[:2] != files.key(entry)[:2] or each["position"] < entry["position"]]


def a_message_is_missing_at_its_recipient(files):
    for export, entry in files.both(last_message(files))[1:]:
        export["entries"].remove(entry)


def a_taken_message_is_in_no_export(files):
    """The transcript tells of a message that everybody was shown, and no export has it."""
    line = json.loads(json.dumps(files.taken("send")[-1]))
    line["printed"] |= {"position": 100_000, "reference": "HEADQUARTERS 100001/26"}
    line["words"][line["words"].index("-m") + 1] = "This was taken."
    files.lines.append(line)


def the_words_of_a_message_are_changed(files):
    """On both sides, and with the leaves that belong to the new words: but nobody's signature does."""
    for _, entry in files.both(last_message(files)):
        content = files.content(entry)
        content[5][1] = content[5][1][:-1] + "!"
        files.rewrite(entry, content)


def a_message_is_there_that_nobody_sent(files):
    """The record is whole: it is the transcript that does not know of it."""
    line = files.taken("send")[-1]
    files.lines.remove(line)


def a_message_was_sent_with_other_words(files):
    line = files.taken("send")[-1]
    line["words"][line["words"].index("-m") + 1] += " Not."


def a_message_was_sent_at_another_precedence(files):
    line = files.taken("send")[-1]
    place = line["words"].index("-p") + 1
    line["words"][place] = "flash" if line["words"][place] != "flash" else "routine"


def a_message_stands_there_twice(files):
    entry = last_message(files)
    for export, each in files.both(entry):
        newest = max(other["position"] for other in export["entries"] if files.key(other)[:2] == files.key(entry)[:2])
        again = {**each, "position": newest + 1}
        change_leaf(again, 0, newest + 1)
        export["entries"].append(again)


def a_message_is_shown_twice(files):
    rows = files.commands("inbox", "-c", files.channel)[-1]["printed"]
    rows.append(rows[-1])


def a_message_is_not_shown(files):
    files.commands("inbox", "-c", files.channel)[-1]["printed"].pop()


def a_reference_was_given_twice(files):
    first, second = files.taken("send")[-2:]
    second["printed"]["reference"] = first["printed"]["reference"]


def two_views_of_one_log(files):
    """One side's leaf says that something else was seen."""
    entry = files.entry(last_message(files), files.theirs)
    heads = cbor2.loads(bytes.fromhex(entry["leaf"]))[3]
    change_leaf(entry, 3, [] if heads else [entry["log"] ^ 64, 1, 1])


def a_signature_is_not_its_signers(files):
    for _, entry in files.both(last_message(files)):
        protected, unprotected, payload, signature = cbor2.loads(bytes.fromhex(entry["cose"]))
        forged = signature[:40] + bytes([signature[40] ^ 1]) + signature[41:]
        entry["cose"] = encode([protected, unprotected, payload, forged]).hex()
        change_leaf(entry, 2, sha256(encode(forged)))


def a_head_is_of_other_entries(files):
    head = files.mine["logs"][-1]
    head["root"] = sha256(bytes.fromhex(head["root"])).hex()


def a_head_is_older_than_the_log(files):
    """Its root is right for its size; the log's signature is of another."""
    head = files.mine["logs"][-1]
    head["size"] -= 1


def a_cosignature_is_dated_otherwise(files):
    head = next(head for head in files.mine["logs"] if "cosigned_at" in head)
    head["cosigned_at"] += 1


def a_note_bears_other_words_than_its_head(files):
    head = files.mine["logs"][0]
    head["note"] = head["note"].replace("\n", "\n ", 1)


def a_receipt_is_of_another_entry(files):
    """The receipt of one entry is shown for another."""
    entry = last_message(files)
    entry["receipt"] = next(each["receipt"] for each in files.mine["entries"] if each["receipt"] not in ("", entry["receipt"]))


def a_receipt_is_for_what_its_giver_does_not_hold(files):
    entry = last_message(files)
    files.theirs["entries"].remove(files.entry(entry, files.theirs))


def a_receipt_is_not_signed_by_the_other_post(files):
    entry = last_message(files)
    protected, unprotected, payload, signature = cbor2.loads(bytes.fromhex(entry["receipt"]))
    entry["receipt"] = encode([protected, unprotected, payload, signature[:-1] + bytes([signature[-1] ^ 1])]).hex()


def a_receipt_is_missing_after_healing(files):
    last_message(files)["receipt"] = ""
    files.healing["lasted_s"] = None


def a_position_is_left_out(files):
    """Of the newest incarnation, on both sides: no image explains it."""
    newest = last_message(files)
    entry = next(each for each in files.mine["entries"] if files.key(each)[:2] == files.key(newest)[:2])
    for export, each in files.both(entry):
        export["entries"].remove(each)


def an_incarnation_names_another_predecessor(files):
    """Where none was opened, one is made up."""
    incarnations = files.entries(files.mine, INCARNATION)
    for _, entry in files.both(incarnations[0]) if incarnations else ():
        content = files.content(entry)
        content[5][2], content[5][3] = 1, bytes(32)
        files.rewrite(entry, content)
    for export, entry in files.both(last_message(files)) if not incarnations else ():
        export["entries"].append({**entry, "incarnation": 2})


def incarnations_without_a_restore(files):
    """The transcript knows of no image that was laid back."""
    files.lines = [line for line in files.lines if line.get("act") not in ("restored", "laid back")]
    if not files.entries(files.mine, INCARNATION):
        an_incarnation_names_another_predecessor(files)


def acknowledged_once(files):
    """The commands of acknowledgments that were done, of messages of which nobody tried it another time."""
    tried = [line["words"][1] for line in files.commands("ack")]
    return [line for line in files.taken("ack") if tried.count(line["words"][1]) == 1]


def an_acknowledgment_that_nobody_gave(files):
    files.lines.remove(acknowledged_once(files)[-1])


def an_acknowledgment_of_another_message(files):
    other, line = acknowledged_once(files)[-2:]
    line["words"][1] = other["words"][1]


def an_effect_stands_before_its_cause(files):
    """Two leaves say that each author had seen what the other wrote; both sides have it so."""
    pair = last_message(files), last_message(files, files.other)
    for entry, seen in (pair, pair[::-1]):
        for _, each in files.both(entry):
            change_leaf(each, 3, [seen["log"], seen["incarnation"], seen["position"] + 1])


def somebody_is_accused(files):
    entry = files.mine["entries"][0]
    files.mine["equivocations"].append(
        {"log": entry["log"], "incarnation": 1, "held_at_ms": 0, "proof": base64.b16encode(bytes(8)).decode()})


def verify_said_that_it_is_not_whole(files):
    line = files.commands("verify")[-1]
    line["status"] = 3 if line["status"] == 0 else 0


def verify_said_nothing(files):
    files.lines = [line for line in files.lines if line.get("words", [""])[0] != "verify"]


def a_message_stays_without_receipt(files):
    row = next(row for row in files.commands("inbox", "--sent")[-1]["printed"] if row["state"] in RECEIVED)
    row["state"] = "carried"
    files.healing["lasted_s"] = None


def a_message_was_shown_before_it_was_written(files):
    line = files.taken("send")[-1]
    key = files.key(line["printed"])
    row = next(row for shown in files.commands("inbox", "--sent", "-c", files.channel)[::-1] for row in shown["printed"] or ()
               if files.key(row) == key)
    at = line["at"] - 1
    files.lines.append({"at": at, "until": at, "side": files.other, "watch": {**row, "event": "arrived"}})


FALSIFICATIONS = {  # with what the judge must say of each, among other things
    a_message_that_was_taken_is_at_neither: "was taken and is lost",
    a_message_is_missing_at_its_recipient: "is in one side's export only",
    a_taken_message_is_in_no_export: "was taken and is lost",
    the_words_of_a_message_are_changed: "is not signed by who may sign it",
    a_message_is_there_that_nobody_sent: "is a message that nobody sent",
    a_message_was_sent_with_other_words: "something else stands at its place",
    a_message_was_sent_at_another_precedence: "another precedence",
    a_message_stands_there_twice: "stands there more than once",
    a_message_is_shown_twice: "shows it 2 times",
    a_message_is_not_shown: "shows it, or holds it, alone",
    a_reference_was_given_twice: "something else stands at its place",
    two_views_of_one_log: "the sides hold different leaves",
    a_signature_is_not_its_signers: "is not signed by who may sign it",
    a_head_is_of_other_entries: "have the size",
    a_head_is_older_than_the_log: "does not cover all of it",
    a_cosignature_is_dated_otherwise: "bears a cosignature that does not verify",
    a_note_bears_other_words_than_its_head: "its note is another",
    a_receipt_is_of_another_entry: "its receipt is for others",
    a_receipt_is_for_what_its_giver_does_not_hold: "its giver does not hold it",
    a_receipt_is_not_signed_by_the_other_post: "its receipt is not signed by another party's post",
    a_receipt_is_missing_after_healing: "its author has no receipt",
    a_position_is_left_out: "is missing",
    an_incarnation_names_another_predecessor: "does not follow the incarnation|begins where none does",
    incarnations_without_a_restore: "images were laid back 0 times",
    an_acknowledgment_that_nobody_gave: "which nobody did",
    an_acknowledgment_of_another_message: "which nobody did",
    an_effect_stands_before_its_cause: "were each caused by another of them",
    somebody_is_accused: "is accused of two stories",
    verify_said_that_it_is_not_whole: r"said \d, and \d is right",
    verify_said_nothing: "said None",
    a_message_stays_without_receipt: "is only carried",
    a_message_was_shown_before_it_was_written: "was shown before it was written",
}


def judge(folder):
    """What the judge objects to."""
    return Judge(folder).run()


def try_all(source):
    """For each falsification its name, and why the judge's answer is not as it should be (None: it is)."""
    problems = judge(source)
    assert not problems, f"the judge objects to the good run: {problems[:5]}"
    for falsify, expected in FALSIFICATIONS.items():
        with tempfile.TemporaryDirectory(prefix="liaison-spoilt-") as folder:
            files = Files(source, folder)
            falsify(files)
            files.save()
            problems = judge(folder)
        is_seen = any(re.search(expected, problem) for problem in problems)
        yield falsify.__name__.replace("_", " "), None if is_seen else f"it says nothing of it, but {problems[:5]}"


def main():
    failed = 0
    for number, (kind, problem) in enumerate(try_all(sys.argv[1]), 1):
        failed += problem is not None
        print(f"{'ok' if problem is None else 'not ok'} {number} - the judge objects: {kind}")
        if problem is not None:
            print("# " + problem.strip().replace("\n", "\n# "))
    print(f"1..{len(FALSIFICATIONS)}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
