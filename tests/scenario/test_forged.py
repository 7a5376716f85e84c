"""Exports that were forged by one who holds a party's keys, that are of others, or not whole, and what `verify` says of them.

usage: test_forged.py BUILD
"""

import base64
import json
import pathlib
import re
import sys

import cbor2
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from line import Daemon, Line, wait_for
from post_shell import run_tests
from recompute_heads import sha256, tree_root

NOT_HERE = re.compile(r": 1 entry that others had seen is NOT here\n|: \d+ entries that others had seen are NOT here\n")
COSIGNED = ("cosigner", "cosigner_key", "cosigned_at", "cosignature")

line = None


def a_record():
    return json.loads((line.folder / "alliance.json").read_text())


def verify(record):
    path = line.folder / "forged.json"
    path.write_text(json.dumps(record))
    return line.alliance.run("verify", path)


def key_of(side, label):
    return side.post_key(label, bytes.fromhex(a_record()["channel"]))


def public_hex(key):
    return key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw).hex()


def head_of(record, key):
    return next(head for head in record["logs"] if head["log_key"] == public_hex(key))


def text_of(head):
    return f"{head['origin']}\n{head['size']}\n{base64.b64encode(bytes.fromhex(head['root'])).decode()}\n"


def sign_again(record, key, alter):
    """The log of that key with other leaves, under a new head of it, which nobody has cosigned."""
    head = head_of(record, key)
    entries = sorted((entry for entry in record["entries"] if entry["log"] == head["log"]), key=lambda entry: entry["position"])
    for entry in entries:
        leaf = cbor2.loads(bytes.fromhex(entry["leaf"]))
        alter(leaf)
        entry["leaf"] = cbor2.dumps(leaf).hex()
    head["root"] = tree_root([bytes.fromhex(entry["leaf"]) for entry in entries[:head["size"]]]).hex()
    head["signature"] = key.sign(text_of(head).encode()).hex()
    for member in (*COSIGNED, "note"):
        head.pop(member)


def the_record_as_it_is_verifies():
    wait_for(lambda: all(log["cosigned"] for log in line.alliance.json("verify")["logs"]), "both heads are cosigned", 60)
    (line.folder / "alliance.json").write_text(line.alliance.text("log", "--json"))
    result = verify(a_record())
    assert result.returncode == 0 and "NOT" not in result.stdout, result


def incarnations_count_from_one():
    """Entries of no incarnation would lie under no head, and none would be missed."""
    record = a_record()
    record["logs"] = []
    for entry in record["entries"]:
        leaf = cbor2.loads(bytes.fromhex(entry["leaf"]))
        leaf[3] = []
        entry.update(incarnation=0, leaf=cbor2.dumps(leaf).hex(), receipt="")
    result = verify(record)
    assert result.returncode == 1 and "not of the form" in result.stderr, result


def nobody_cosigns_his_own_log():
    record = a_record()
    key = key_of(line.alliance, "liaison log")
    cosigner = key_of(line.alliance, "liaison cosigner")
    other = next(head for head in record["logs"] if head["log_key"] != public_hex(key))
    assert other["cosigner_key"] == public_hex(cosigner)  # the exporting post's, over the other side's head
    head = head_of(record, key)
    signed = f"cosignature/v1\ntime 1\n{text_of(head)}".encode()
    head.update(
        cosigner=other["cosigner"], cosigner_key=public_hex(cosigner), cosigned_at=1, cosignature=cosigner.sign(signed).hex())
    result = verify(record)
    assert result.returncode == 1 and "the signatures over its head do not hold" in result.stderr, result


def names_and_keys_beside_a_head_are_those_of_the_openings():
    name = "liaison/" + "0" * 32
    for member, value in (("log_key", "11" * 32), ("origin", name), ("cosigner", name + "/cosigner")):
        record = a_record()
        record["logs"][0][member] = value
        result = verify(record)
        assert result.returncode == 1 and "the signatures over its head do not hold" in result.stderr, (member, result)


def a_note_is_the_one_that_its_head_makes():
    """A stranger's tools read the note alone: one that says else, of another head or by another hand, does not pass."""
    key = key_of(line.federation, "liaison log")

    def signed(record, text):
        """A note of another text, under the log's own key."""
        dash, name, value = head_of(record, key)["note"].splitlines()[4].split(" ")
        value = base64.b64encode(base64.b64decode(value)[:4] + key.sign(text.encode())).decode()
        return f"{text}\n{dash} {name} {value}\n"

    def another_size(record, head):
        return signed(record, text_of({**head, "size": head["size"] + 1}))

    def in_the_other_order(record, head):
        *text, log, cosigner = head["note"].splitlines(keepends=True)
        return "".join([*text, cosigner, log])

    changes = {
        "no note": lambda record, head: "hello",
        "no string": lambda record, head: 7,
        "nothing": lambda record, head: None,
        "more behind it": lambda record, head: head["note"] + "\n",
        "of another head": lambda record, head: next(each for each in record["logs"] if each is not head)["note"],
        "of another size": another_size,
        "without the cosignature": lambda record, head: "".join(head["note"].splitlines(keepends=True)[:-1]),
        "the lines in another order": in_the_other_order,
    }
    for name, change in changes.items():
        record = a_record()
        head = head_of(record, key)
        head["note"] = change(record, head)
        result = verify(record)
        assert result.returncode == 1 and "the note beside its head is not the one" in result.stderr, (name, result)
    record = a_record()
    for head in record["logs"]:
        for member in COSIGNED:
            head.pop(member)
    assert verify(record).returncode == 1, "the notes still have the cosignatures"
    for head in record["logs"]:
        head["note"] = "".join(head["note"].splitlines(keepends=True)[:-1])
    assert verify(record).returncode == 0
    for head in record["logs"]:
        head.pop("note")
    assert verify(record).returncode == 0


def what_a_counterpart_says_of_logs_makes_no_record_look_cut():
    """It names incarnations, and logs of posts, that were never there."""
    for named in ([0, 9, 1, 64, 1, 1], [0, 1, 1, 5, 1, 7], [64, 9, 1]):
        record = a_record()

        def alter(leaf, named=named):
            leaf[3] = named if leaf[0] == 1 else leaf[3]

        key = key_of(line.federation, "liaison log")
        sign_again(record, key, alter)
        result = verify(record)
        assert result.returncode == 3 and NOT_HERE.search(result.stdout), (named, result)
        assert "incomplete, unless an entry names what never was. What is here holds: " in result.stdout, result
        assert result.stdout.count("NOT cosigned by another party") == 1, result


def sign_as_officer(record, entry, key, officer, alter):
    """The entry as that officer of the same party would sign it, with what `alter` makes of its content."""
    aad = aad_of(record, party_of(record, entry["log"]))
    content = cbor2.loads(cbor2.loads(bytes.fromhex(entry["cose"]))[2])
    content[2] = officer
    alter(content)
    cose = sign1(key, aad, cbor2.dumps(content))
    leaf = [entry["position"], sha256(cbor2.dumps([aad, cose[2]])), sha256(cbor2.dumps(cose[3])), []]
    entry.update(cose=cbor2.dumps(cose).hex(), leaf=cbor2.dumps(leaf).hex(), receipt="")


def aad_of(record, sender, context="liaison entry"):
    roster = [bytes.fromhex(party) for party in record["roster"]]
    return cbor2.dumps([context, bytes.fromhex(record["channel"]), sender, [party for party in roster if party != sender]])


def party_of(record, log):
    return bytes.fromhex(record["roster"][log // 64])


def sign1(key, aad, payload):
    protected = bytes.fromhex("a10127")
    return [protected, {}, payload, key.sign(cbor2.dumps(["Signature1", protected, aad, payload]))]


def add_verdict(record, side, ranges):
    """A verdict that the side's post files at the end of its log."""
    log = log_of(side)
    key = side.post_key("liaison statement", b"")
    position = sum(entry["log"] == log for entry in record["entries"])
    aad = aad_of(record, party_of(record, log))
    cose = sign1(key, aad, cbor2.dumps([4, 2, None, bytes(8), bytes(16), [1795320300, ranges]]))
    leaf = [position, sha256(cbor2.dumps([aad, cose[2]])), sha256(cbor2.dumps(cose[3])), []]
    record["entries"].append({
        "log": log, "incarnation": 1, "position": position, "cose": cbor2.dumps(cose).hex(), "leaf": cbor2.dumps(leaf).hex(),
        "receipt": "", "reference": f"{side.post_name.upper()} {position + 1:04}/26"})


def message_of(record, side):
    """A message of that side's, as it stands in the record."""
    return next(entry for entry in record["entries"] if entry["log"] == log_of(side) and
                cbor2.loads(cbor2.loads(bytes.fromhex(entry["cose"]))[2])[0] == 1)


def what_is_there_as_a_leaf_alone_was_refused_or_left_out():
    """The exporting post refuses nothing of its own, and what it refuses of others it names in a verdict."""
    record = a_record()
    own = message_of(record, line.alliance)
    assert own["receipt"] != ""
    own["cose"] = ""
    result = verify(record)
    assert result.returncode == 1 and f"{own['reference']} has a receipt" in result.stderr and result.stdout == "", result
    assert "its signed bytes were left out" in result.stderr, result

    def told(says, side=None, without_receipt=False, ranges=()):
        record = a_record()
        entry = message_of(record, line.alliance if without_receipt else line.federation)
        entry.update(cose="", receipt="")
        place = [entry["log"], entry["incarnation"], entry["position"]]
        if side is not None:
            add_verdict(record, side, [[*place[:2], place[2] + first, count, reason] for first, count, reason in ranges])
        result = verify(record)
        assert says in result.stdout, (says, result)
        as_json = json.loads(line.alliance.run("verify", "--json", line.folder / "forged.json").stdout)
        assert as_json["verified"] is (result.returncode == 0) and as_json["leaves_alone"] == 1, as_json
        assert as_json["unexplained"] == ([] if result.returncode == 0 else [
            {"log": entry["log"], "incarnation": 1, "entries": 1}]), as_json
        return result

    alone = ": 1 entry is here as a leaf alone, and no verdict says that it was refused\n"
    for options in ({}, {"without_receipt": True},
                    {"side": line.alliance, "ranges": [(0, 1, 0)]},  # accepted
                    {"side": line.alliance, "ranges": [(-1, 1, 69), (1, 9, 69)]},  # what stands beside it
                    {"side": line.federation, "ranges": [(0, 1, 69)]},  # the author's own word
                    {"side": line.alliance, "without_receipt": True, "ranges": [(0, 1, 69)]}):
        result = told(alone, **options)
        assert result.returncode == 3 and "\nverified" not in result.stdout, (options, result)
        assert "NOT VERIFIED: the record is incomplete, unless more was refused than verdicts say." in result.stdout, result
    for ranges in ([(0, 1, 69)], [(-1, 3, 69)], [(-1, 1, 69), (0, 2, 66)]):
        result = told("\n1 entry is here as a leaf alone: refused, as a verdict of another party says\n", line.alliance,
                      ranges=ranges)
        assert result.returncode == 0 and "\nverified: " in result.stdout, result


def a_leaf_names_the_signatures_of_its_entry():
    """The author's own tree says that something else was signed with these words."""
    record = a_record()
    entry = message_of(record, line.federation)

    def alter(leaf):
        leaf[2] = sha256(leaf[2]) if leaf[0] == entry["position"] else leaf[2]

    sign_again(record, key_of(line.federation, "liaison log"), alter)
    result = verify(record)
    assert result.returncode == 1 and f"{entry['reference']} is not the entry that its leaf names" in result.stderr, result


def a_party_gives_itself_no_receipt():
    """Sound in all else: by the post's own key, over just this entry."""
    def receipted(by, key):
        record = a_record()
        entry = message_of(record, line.alliance)
        identity = cbor2.loads(bytes.fromhex(entry["leaf"]))[1]
        payload = cbor2.dumps([log_of(by), entry["log"], 1, [entry["position"], 1], [],
                               sha256(cbor2.dumps([entry["position"], identity])), bytes(8), 1795320300])
        aad = aad_of(record, party_of(record, log_of(by)), "liaison receipt")
        entry["receipt"] = cbor2.dumps(sign1(key, aad, payload)).hex()
        return verify(record), entry["reference"]

    own, other = (side.post_key("liaison statement", b"") for side in line.sides)
    assert receipted(line.federation, other)[0].returncode == 0
    for by, key in (line.alliance, own), (line.federation, own):
        result, reference = receipted(by, key)
        assert result.returncode == 1 and f"the receipt beside {reference} is not one of it" in result.stderr, result


def what_looks_like_a_proof_accuses_nobody():
    """Of a proof's form in all, and none: by another's key, of another log or incarnation, or with a path that leads nowhere."""
    record = a_record()
    key, another = (key_of(side, "liaison log") for side in line.sides[::-1])
    accused, other = head_of(record, key), head_of(record, another)

    def shown(root, size=7, by=key, origin=accused["origin"]):
        head = {"origin": origin, "size": size, "root": (bytes([root]) * 32).hex()}
        return [size, bytes([root]) * 32, by.sign(text_of(head).encode())]

    def accuse(*proof):
        record["equivocations"] = [
            {"log": accused["log"], "incarnation": 1, "held_at_ms": 0, "proof": cbor2.dumps(list(proof)).hex()}]
        return verify(record)

    one, two, larger = shown(1), shown(2), shown(2, size=8)
    result = accuse(one, two)
    assert result.returncode == 3 and f"log {accused['log']}, incarnation 1: FORKED" in result.stdout, result
    for proof in ([shown(1, by=another), shown(2, by=another)], [one, shown(2, by=another)], [shown(1, by=another), two],
                  [shown(1, origin=other["origin"]), shown(2, origin=other["origin"])],
                  [shown(1, origin="liaison/" + "0" * 32), shown(2, origin="liaison/" + "0" * 32)],
                  [one, one], [two, one], [one, larger, [bytes(32), []]], [one, larger, [bytes(32), [bytes(32)] * 4]],
                  [one, larger, [one[1], [bytes(32)]]]):
        result = accuse(*proof)
        assert result.returncode == 1 and "proves nothing" in result.stderr and result.stdout == "", (proof, result)


def nobody_speaks_for_a_party_by_letters_of_his_own():
    """One who holds no key of the party gives himself a credence, and for a log of his own an opening with the party's card."""
    key, log = Ed25519PrivateKey.generate(), log_of(line.alliance)

    def be_an_officer(content):
        content[5][3], content[5][4] = b"E" * 32, b"E" * 32
        content[5][5][0], content[5][5][3] = 99, bytes.fromhex(public_hex(key))

    def open_a_log(content):
        content[5][4] = b"E" * 32
        for post in content[5][5][4]:
            post[1] = post[2] = bytes.fromhex(public_hex(key))

    alter = {3: open_a_log, 4: be_an_officer}
    for forged in (3, 4), (4,):
        record = a_record()
        for entry in record["entries"]:
            content = cbor2.loads(cbor2.loads(bytes.fromhex(entry["cose"]))[2])
            entry["receipt"] = ""
            if entry["log"] == log and (content[0] in (1, 2) or content[0] == 3 and content[5][0] in forged):
                sign_as_officer(record, entry, key, 99, alter[content[5][0]] if content[0] == 3 else lambda content: None)
        if 3 in forged:
            head = head_of(record, key_of(line.alliance, "liaison log"))
            head["log_key"] = public_hex(key)
            sign_again(record, key, lambda leaf: None)
            record["logs"] = [head if each["log"] == log else
                              {name: value for name, value in each.items() if not name.startswith("cosig")} for each in record["logs"]]
        result = verify(record)
        assert result.returncode == 1 and "is a letter that is not by its party's authority" in result.stderr, (forged, result)


def verify_says_whose_record_it_is():
    """As the record's own letters name them: a stranger's that is as sound as ours would name others."""
    shown = [side.json("party", "show") for side in line.sides]
    export = line.folder / "alliance.json"
    told = line.alliance.json("verify", export)
    assert told["title"] == "Alliance - Federation" and told["channel"] == a_record()["channel"], told
    assert sorted((party["party"], party["name"], party["fingerprint"]) for party in told["parties"]) == sorted(
        (party["party"], party["name"], party["fingerprint"]) for party in shown), told
    assert sorted(post["post"] for party in told["parties"] for post in party["posts"]) == ["Embassy", "Headquarters"], told
    text = line.alliance.text("verify", export)
    for side, party in zip(line.sides, shown):
        words = "".join(f"  {row}\n" for row in party["fingerprint"].split("\n"))
        assert f"party {side.party_name}: {party['party']}\n{words}  post {side.post_name}: log " in text, text
    ids = [option for party in shown for option in ("--party", party["party"])]
    assert line.alliance.json("verify", export, *ids)["verified"] is True
    for words in (["verify", export], ["verify"]):
        result = line.alliance.run(*words, *ids, "--party", "00" * 32)
        assert result.returncode == 1 and "is not on this channel" in result.stderr and not result.stdout, result
        for wrong in ("", "Alliance", shown[0]["party"][:-1], shown[0]["party"] + "00", "x" * 64):
            result = line.alliance.run(*words, "--party", wrong)
            assert result.returncode == 2 and "takes a party id" in result.stderr and not result.stdout, result


def what_holds_but_is_not_whole_does_not_verify():
    """Nothing at all; or a party that falls silent, while the other's entries name more of it."""
    hollow = {**a_record(), "logs": [], "entries": []}
    result = verify(hollow)
    assert result.returncode == 3 and result.stdout.count("no log of it is here") == 2, result
    assert "NOT VERIFIED: the record is incomplete." in result.stdout and "\nverified" not in result.stdout, result
    result = line.alliance.run("verify", "--json", line.folder / "forged.json")
    assert result.returncode == 3 and json.loads(result.stdout)["verified"] is False, result
    for part in ("logs", "entries", "equivocations"):
        without = a_record()
        del without[part]
        assert "no export" in verify(without).stderr, part

    twice = a_record()
    twice["logs"].append(dict(twice["logs"][0]))
    result = verify(twice)
    assert result.returncode == 1 and f"log {twice['logs'][0]['log']}, incarnation 1 stands in the export twice" in \
        result.stderr and result.stdout == "", result
    twice["logs"][-1]["cosigner"] = "third.example"  # as where several posts cosigned one head: only, this one did not
    result = verify(twice)
    assert result.returncode == 1 and "twice" not in result.stderr and "do not hold" in result.stderr, result

    before = next(head for head in a_record()["logs"] if head["log"] == log_of(line.federation))
    line.wait_until_held(line.alliance, line.federation.send("Left out.", "-p", "immediate"))
    line.alliance.send("Its author has seen what is left out.", "-p", "immediate")
    cut = json.loads(line.alliance.text("log", "--json"))
    cut["logs"] = [before if head["log"] == before["log"] else head for head in cut["logs"]]
    cut["entries"] = [entry for entry in cut["entries"]
                      if entry["log"] != before["log"] or entry["position"] < before["size"]]
    result = verify(cut)
    assert result.returncode == 3 and NOT_HERE.search(result.stdout), result
    assert "NOT VERIFIED: the record is incomplete, unless an entry names what never was." in result.stdout, result
    assert "\nverified" not in result.stdout, result


def a_later_card_renames_nothing_that_is_past():
    """The authority names another post for the same slot, and both sides accept its card: the channel is what its openings say."""
    def told(side):
        channels = [{**channel, "cosigned_at": None} for channel in side.status()["channels"]]  # heads are cosigned at any time
        return side.json("log")["entries"], channels, [post["post"] for post in side.json("channel", "show")["posts"]]

    line.wait_until_quiet()
    line.wait_until_heads_agree()
    before = [told(side) for side in line.sides]
    assert all(any(entry["reference"].startswith("EMBASSY ") for entry in entries) for entries, _, _ in before), before
    post, card, side = line.folder / "chancery", line.folder / "chancery.card", line.federation
    side.text("post", "create", post, "--name", "Chancery", "--slot", "0", "--kind", "embassy", "--node", "ipn:2002.0",
              "--pin", side.pin(), "--yes")
    daemon = Daemon(line.programs["liaisond"], post, line.folder / "chancery.log")
    daemon.start()
    try:
        wait_for((post / "post.sock").exists, "the other post answers")
        side.text("card", "export", card, "--post", post)
    finally:
        daemon.end()
    for each in line.sides:
        each.text("card", "accept", card, "--yes")
    for each, was in zip(line.sides, before):
        assert told(each) == was, (told(each), was)
        result = each.run("verify")
        assert result.returncode == 0 and "\nverified: " in result.stdout, result
    assert "Chancery" in json.dumps(line.alliance.status()["keys"]), "the card is taken in"


def log_of(side):
    return next(post["log"] for post in side.json("channel", "show")["posts"] if post["post"] == side.post_name)


def main():
    global line
    with Line(pathlib.Path(sys.argv[1])) as line:
        line.wait_for_state(line.alliance, line.alliance.send("One."), "received")
        line.wait_for_state(line.federation, line.federation.send("Another."), "received")
        line.wait_until_heads_agree()
        run_tests(
            the_record_as_it_is_verifies,
            incarnations_count_from_one,
            nobody_cosigns_his_own_log,
            names_and_keys_beside_a_head_are_those_of_the_openings,
            a_note_is_the_one_that_its_head_makes,
            what_a_counterpart_says_of_logs_makes_no_record_look_cut,
            what_is_there_as_a_leaf_alone_was_refused_or_left_out,
            a_leaf_names_the_signatures_of_its_entry,
            a_party_gives_itself_no_receipt,
            what_looks_like_a_proof_accuses_nobody,
            nobody_speaks_for_a_party_by_letters_of_his_own,
            verify_says_whose_record_it_is,
            what_holds_but_is_not_whole_does_not_verify,
            a_later_card_renames_nothing_that_is_past,
        )


if __name__ == "__main__":
    main()
