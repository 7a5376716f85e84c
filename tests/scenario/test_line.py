"""One message across, one receipt back, and everything that the command line says about it: usage: test_line.py BUILD"""

import base64
import json
import pathlib
import re
import subprocess
import sys
import time

import cbor2
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from line import Line, wait_for
from officer import Officer
from post_shell import run_tests

SAID = re.compile(r"^liaison: [^\n]{8,400}$", re.MULTILINE)

line = None
facts = {}


def the_set_up_printed_json_for_every_command():
    assert line.json_commands >= {
        "party create", "officer create", "post create", "card export", "card accept", "keying make", "keying accept",
        "channel open", "channel show", "status"}, line.json_commands
    assert not (line.folder / "keying").exists()  # erased once accepted


def a_message_goes_across_and_is_shown_as_it_was_signed():
    alliance, federation = line.sides
    text = "Unmanned aircraft over the strait is ours, off course.\n\tDo not engage. Zażółć — 海峡."
    sent = alliance.json("send", "-m", text, "-p", "flash", "-s", "Aircraft", "--ack-by", "+30", "--yes")
    message = facts["message"] = sent["reference"]
    assert re.fullmatch(r"HEADQUARTERS \d{4,}/\d\d", message)
    line.wait_for_state(alliance, message, "received")
    line.wait_until_held(federation, message)
    shown = federation.show(message)
    assert shown["text"] == text and shown["subject"] == "Aircraft" and shown["precedence"] == "FLASH"
    assert shown["officer"] == "A. Rowe" and shown["own"] is False and shown["kind"] == "MESSAGE"
    assert alliance.show(message)["receipt"] != ""
    assert alliance.show(message)["cose"] == shown["cose"]
    rendered = federation.text("show", message)
    for words in (message, "FLASH", "A. Rowe", "Aircraft", "Do not engage", "海峡"):
        assert words in rendered, (words, rendered)


def the_acknowledgment_makes_it_read_and_the_reply_answered():
    alliance, federation = line.sides
    message = facts["message"]
    assert [row["reference"] for row in federation.json("inbox", "--unread")] == [message]
    acknowledgment = federation.json("ack", message, "--note", "seen by the watch", "--yes")["reference"]
    line.wait_for_state(alliance, message, "read")
    assert federation.json("inbox", "--unread") == []
    answer = facts["answer"] = federation.json(
        "reply", message, "-m", "Understood. Holding fire.", "-p", "flash", "--yes")["reference"]
    line.wait_for_state(alliance, message, "answered")
    line.wait_until_held(alliance, answer)
    assert "seen by the watch" in alliance.text("show", acknowledgment)
    assert [row["reference"] for row in federation.json("inbox", "-c", "alliance")] == [message]
    card = alliance.text("card", "show")
    assert "\033" not in card and re.search(r"\n {40,}\n {40,}\n {4}\S", card), card  # a quiet border of four modules
    assert "ANSWERS" in alliance.text("show", answer)
    line.wait_for_state(federation, answer, "received")
    alliance.json("ack", answer, "--yes")
    line.wait_for_state(federation, answer, "read")


def the_author_sees_every_state_once_and_in_order():
    message = facts["message"]
    states = line.alliance.show(message)["times"]
    assert [state["state"] for state in states] == [
        "released", "queued", "carried", "received", "read", "answered"], states
    times = [state["at_ms"] for state in states]
    assert times == sorted(times)
    assert abs(times[0] / 1000 - time.time()) < 600
    assert "federation" in states[2]["detail"]  # by which route


def the_reader_sees_what_its_own_side_did():
    assert line.federation.states(facts["message"]) == ["read", "answered"]


def a_text_from_a_file_or_standard_input_goes_across_too():
    alliance, federation = line.sides
    words = " ".join(f"w{i}" for i in range(201))
    file = line.folder / "text"
    file.write_text(words + "\n")
    refused = alliance.run("send", file, "-p", "flash", "--yes")
    assert refused.returncode == 1 and "PRIORITY" in refused.stderr, refused
    references = [
        alliance.json("send", file, "-p", "priority", "--yes")["reference"],
        alliance.json("send", "--yes", stdin="from standard input\n")["reference"],
        alliance.json("send", "-", "--yes", stdin="from standard input, said so")["reference"],
    ]
    texts = [words, "from standard input", "from standard input, said so"]
    for reference, text in zip(references, texts):
        line.wait_until_held(federation, reference)
        assert federation.show(reference)["text"] == text


def the_longest_text_that_the_terms_allow_goes_across():
    alliance, federation = line.sides
    longest = alliance.json("channel", "show")["terms"]["text_size_max"]
    file = line.folder / "long"
    file.write_text("x" * (longest + 1))
    assert alliance.run("send", file, "--yes").returncode == 1
    file.write_text("é" * (longest // 2))
    reference = alliance.json("send", file, "--yes")["reference"]
    line.wait_until_held(federation, reference)
    assert federation.show(reference)["text"] == "é" * (longest // 2)


def numbers_of_the_references_have_no_gap():
    for side in line.sides:
        numbers = sorted(
            int(entry["reference"].split()[1].split("/")[0])
            for entry in side.json("log")["entries"] if entry["reference"].startswith("HEADQUARTERS"))
        assert numbers == list(range(1, len(numbers) + 1)), numbers


def a_sealed_card_is_accepted_with_the_words_to_compare():
    sealed = line.folder / "sealed-card"
    line.alliance.run("card", "export", sealed, "--for", line.federation.folder / "card")
    shown = line.alliance.json("card", "show")
    told = line.federation.json("card", "accept", sealed, "--sealed", "--yes")
    assert told["accepted"] is True and told["party"] == shown["party"] and told["fingerprint"] == shown["fingerprint"], told
    assert shown["fingerprint"] in line.federation.text("card", "accept", sealed, "--sealed", "--yes")


def status_tells_of_courier_route_and_agreement():
    line.wait_until_quiet()
    for side in line.sides:
        status = wait_for(lambda side=side: (lambda status: status if status["channels"][0]["heads"] == "agree" else None)(
            side.status()), f"the {side.name} says that heads agree", 90)
        assert status["courier_connected"] is True
        assert [(route["neighbour"], route["state"]) for route in status["routes"]] == [(side.other.node, "up")], status
        assert status["channels"][0]["waiting_for_receipt"] == [0, 0, 0, 0]
        assert status["refused"] == [], status
        text = side.text("status")
        assert "heads agree" in text and "courier: connected" in text and ": keying 1, 30 prekeys left, until " in text, text


def both_sides_give_the_same_heads_to_a_stranger():
    heads = line.wait_until_heads_agree()
    assert len(heads) == 2, heads
    for head in heads:
        log, incarnation, size, root = head.split()
        assert log in ("0", "64") and incarnation == "1" and int(size) >= 5 and len(root) == 64


def verify_holds_for_the_post_and_for_an_export():
    for side in line.sides:
        verified = wait_for(lambda side=side: (lambda told: told if all(log["cosigned"] for log in told["logs"]) else None)(
            side.json("verify")), f"both heads are cosigned at the {side.name}", 60)
        assert verified["verified"] is True and verified["signatures"] >= 10
        assert len(verified["logs"]) == 2
        assert verified["receipts"] >= 5
        assert not any(verified[kind] for kind in ("without_head", "missing", "forked", "absent")), verified
        export = line.folder / f"{side.name}.json"
        export.write_text(side.text("log", "--json"))
        assert side.json("verify", export)["verified"] is True
        assert "\nverified: " in side.text("verify")
        notes = subprocess.run(
            ["/usr/bin/python3", pathlib.Path(__file__).parent / "check_notes.py", export], capture_output=True, encoding="utf-8",
            timeout=60, check=False)
        assert notes.stdout.count(" cosigned by ") == 2 and notes.returncode == 0, notes
    assert len(line.alliance.text("log").splitlines()) == len(line.alliance.json("log")["entries"])


def a_record():
    return json.loads((line.folder / "alliance.json").read_text())


def verify(record):
    """What `verify` and recompute_heads.py say of a record that was changed."""
    path = line.folder / "changed.json"
    path.write_text(json.dumps(record))
    heads = subprocess.run(
        ["/usr/bin/python3", pathlib.Path(__file__).parent / "recompute_heads.py", path], capture_output=True,
        encoding="utf-8", timeout=60)
    assert "Traceback" not in heads.stderr, heads.stderr
    return line.alliance.run("verify", path), heads


def an_export_that_was_changed_does_not_verify():
    message = facts["message"]
    changes = {
        "text": lambda record: change(record, "cose", -80),
        "signature": lambda record: change(record, "cose", -1),
        "leaf": lambda record: change(record, "leaf", 10),
        "receipt": lambda record: change(record, "receipt", -1),
        "receipt of another": lambda record: swap(record, "receipt"),
        "reference": lambda record: entry_of(record).update(reference="HEADQUARTERS 9999/26"),
        "reference's year": lambda record: entry_of(record).update(reference=message[:-2] + "99"),
        "order": lambda record: record["entries"][0].update(position=1),
        "entry twice": lambda record: record["entries"].append(record["entries"][-1]),
        "size": lambda record: record["logs"][0].update(size=record["logs"][0]["size"] - 1),
        "root": lambda record: record["logs"][0].update(root="00" * 32),
        "head's signature": lambda record: record["logs"][1].update(signature="00" * 64),
        "missing entry": lambda record: record["entries"].pop(0),
        "channel": lambda record: record.update(channel="00" * 32),
        "roster": lambda record: record.update(roster=record["roster"][::-1]),
        "proof": lambda record: record["equivocations"].append({"log": 0, "incarnation": 1, "proof": "82"}),
        "cosignature": lambda record: record["logs"][0].update(cosignature="00" * 64),
    }
    seen_only_by_verify = ("signature", "text", "receipt", "receipt of another", "reference", "reference's year", "entry twice",
                           "proof", "cosignature")

    def entry_of(record):
        return next(entry for entry in record["entries"] if entry["reference"] == message)

    def change(record, member, at):
        data = bytearray.fromhex(entry_of(record)[member])
        data[at] ^= 1
        entry_of(record)[member] = data.hex()

    def swap(record, member):
        other = next(entry for entry in record["entries"]
                     if entry["log"] == entry_of(record)["log"] and entry[member] not in ("", entry_of(record)[member]))
        entry_of(record)[member] = other[member]

    for name, alter in changes.items():
        record = a_record()
        alter(record)
        result, heads = verify(record)
        assert result.returncode == 1 and SAID.search(result.stderr), (name, result)
        if name not in seen_only_by_verify:
            assert heads.returncode == 1, name


def a_log_that_was_cut_out_of_an_export_is_missed():
    """Its head, and an entry that nothing binds then; or all of it; from either side's log."""
    for log in (0, 64):
        without_head = a_record()
        without_head["logs"] = [head for head in without_head["logs"] if head["log"] != log]
        last = max((entry for entry in without_head["entries"] if entry["log"] == log), key=lambda entry: entry["position"])
        without_head["entries"].remove(last)
        without_log = a_record()
        for part in ("logs", "entries"):
            without_log[part] = [each for each in without_log[part] if each["log"] != log]
        for record in (without_head, without_log, {**a_record(), "logs": []}):
            result, heads = verify(record)
            assert result.returncode == 1 and len(SAID.findall(result.stderr)) == 1, result
            assert "left out" in result.stderr, result
            assert heads.returncode == 1 and heads.stderr.count("\n") == 1, heads
        result, heads = verify(without_head)
        assert f"log {log}, incarnation 1" in result.stderr and f"log {log}, incarnation 1" in heads.stderr


def a_proof_that_a_log_forked_is_checked():
    """Two heads of one size and two roots, both signed by the log's key; and what looks like them."""
    record = a_record()
    key = line.federation.post_key("liaison log", bytes.fromhex(record["channel"]))
    public = key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw).hex()
    head = next(head for head in record["logs"] if head["log_key"] == public)

    def shown(root, size=7):
        text = f"{head['origin']}\n{size}\n{base64.b64encode(root).decode()}\n"
        return [size, root, key.sign(text.encode())]

    def prove(*heads):
        record["equivocations"] = [
            {"log": head["log"], "incarnation": 1, "held_at_ms": 0, "proof": cbor2.dumps(list(heads)).hex()}]
        return verify(record)[0]

    one, two = shown(b"\x01" * 32), shown(b"\x02" * 32)
    result = prove(one, two)
    assert result.returncode == 3 and f"log {head['log']}, incarnation 1: FORKED" in result.stdout, result
    assert "NOT VERIFIED: the record is forked." in result.stdout and "\nverified" not in result.stdout, result
    result = line.alliance.run("verify", "--json", line.folder / "changed.json")
    assert result.returncode == 3 and json.loads(result.stdout)["verified"] is False, result
    for heads in ((two, one), (one, one), (one, shown(b"\x02" * 32, 8)), (one, [7, b"\x02" * 32, one[2]])):
        result = prove(*heads)
        assert result.returncode == 1 and "proves nothing" in result.stderr, (heads, result)


def what_an_export_does_not_hold_is_said():
    record = a_record()
    for head in record["logs"]:
        for member in ("cosigner", "cosigner_key", "cosigned_at", "cosignature", "note"):
            head.pop(member)
    result, _ = verify(record)
    assert result.returncode == 0 and result.stdout.count("NOT cosigned") == 2, result
    export = line.folder / "more.json"
    sent = line.alliance.send("Beyond the head.")
    line.wait_for_state(line.alliance, sent, "received")
    record = json.loads(line.alliance.text("log", "--json"))
    log = next(entry["log"] for entry in record["entries"] if entry["reference"] == sent)
    head = next(head for head in a_record()["logs"] if head["log"] == log)
    record["logs"] = [head, *(each for each in record["logs"] if each["log"] != log)]
    export.write_text(json.dumps(record))
    assert re.search("lies? beyond the head", line.alliance.text("verify", export))
    verified = line.alliance.json("verify", export)
    held = sum(entry["log"] == log for entry in record["entries"])
    assert verified["uncovered"] == sum(part["entries"] for part in verified["beyond_head"])
    assert verified["beyond_head"] == [{"log": log, "incarnation": 1, "entries": held - head["size"]}], verified


def what_an_export_says_moves_no_cursor():
    export = json.loads((line.folder / "alliance.json").read_text())
    export["entries"][0].update(reference="\x1b[2K\nverified\u202e", leaf="00")
    path = line.folder / "escape.json"
    path.write_text(json.dumps(export))
    result = line.alliance.run("verify", path)
    assert result.returncode == 1 and result.stderr.count("\n") == 1, result
    assert "<U+001B>" in result.stderr and not set("\x1b\u202e") & set(result.stderr), result


def lists_longer_than_a_reply_are_given_whole():
    officer = Officer(line.alliance)
    sent = [officer.send("one of many", subject=f"number {number}")[3] for number in range(150)]
    officer.close()
    line.wait_until_held(line.federation, sent[-1])
    line.wait_until_quiet()
    for side, words in ((line.federation, ["inbox"]), (line.alliance, ["inbox", "--sent"])):
        rows = [row for row in side.json(*words) if row["subject"].startswith("number ")]
        assert [row["reference"] for row in rows] == sent
        assert [row["subject"] for row in rows] == [f"number {number}" for number in range(150)]


def watch_rings_and_tells_a_hook_of_what_arrives():
    alliance, federation = line.sides
    told = line.folder / "told"
    hook = f'echo "$LIAISON_EVENT $LIAISON_PRECEDENCE $LIAISON_REFERENCE" >> {told}'
    with open(line.folder / "watched", "w+b") as out, open(line.folder / "rung", "w+b") as rung:
        watcher = subprocess.Popen(
            [str(line.programs["liaison"]), "watch", "--json", "--bell", "--hook", hook], stdout=out, stderr=rung,
            stdin=subprocess.DEVNULL, env={**federation.environment, "PATH": "/usr/bin:/bin", "ASAN_OPTIONS": "detect_leaks=0"})
        try:
            wait_for(lambda: b"watching" in (line.folder / "watched").read_bytes(), "the watcher watches")
            message = alliance.send("Watch this.", "-p", "flash")
            wait_for(lambda: told.exists() and f"arrived FLASH {message}" in told.read_text(), "the hook is told")
            wait_for(lambda: pathlib.Path(rung.name).read_bytes().count(b"\a") >= 4, "it has rung four times", 3)
        finally:
            watcher.terminate()
            watcher.wait(10)
        out.seek(0)
        events = [json.loads(row) for row in out.read().splitlines()]
    assert any(event["event"] == "arrived" and event["reference"] == message for event in events), events


def watch_tells_the_author_each_state_as_it_happens():
    alliance, _ = line.sides
    watched = line.folder / "watched"
    message = None

    def states():
        rows = [json.loads(row) for row in watched.read_text().splitlines(keepends=True) if row.endswith("\n")]
        return [row for row in rows if row["event"] == "state" and row["reference"] == message]

    with open(watched, "wb") as out:
        watcher = subprocess.Popen(
            [str(line.programs["liaison"]), "watch", "--json"], stdout=out, stderr=subprocess.DEVNULL,
            stdin=subprocess.DEVNULL, env={**alliance.environment, "ASAN_OPTIONS": "detect_leaks=0"})
        try:
            wait_for(lambda: b"watching" in watched.read_bytes(), "the watcher watches")
            message = alliance.send("From one state to the next.", "-p", "flash")
            wait_for(lambda: "received" in [row["state"] for row in states()], "the watcher tells that it is received")
        finally:
            watcher.terminate()
            watcher.wait(10)
    told = [row["state"] for row in states()]
    assert told == ["released", "queued", "carried", "received"], told
    for count, row in enumerate(states(), 1):
        assert [moment["state"] for moment in row["times"]] == told[:count], row


# ---- wrong input ----


def wrong_input():
    """Command lines that are wrong, the changes of environment with them, and words of the answer."""
    folder = line.folder
    garbage, empty, full = folder / "garbage", folder / "empty", folder / "full"
    garbage.write_bytes(b"\x00\xffno such thing\n")
    garbage.chmod(0o600)
    empty.touch()
    full.mkdir()
    (full / "file").touch()
    card = bytearray((line.federation.folder / "card").read_bytes())
    card[len(card) // 2] ^= 1
    (folder / "damaged-card").write_bytes(card)
    other_passphrase = {"LIAISON_PASSPHRASE_FILE": str(line.federation.folder / "passphrase")}
    short = folder / "short"
    short.write_text("short\n")
    short.chmod(0o600)
    new = folder / "new"
    say = ["-m", "text", "--yes"]
    opening = f"EMBASSY 0001/{facts['answer'][-2:]}"
    another_year = facts["answer"][:-2] + "99"
    make_post = ["post", "create", new, "--name", "Annex", "--node", "ipn:3.0", "--pin", "00" * 32, "--yes"]
    return [
        (["nonsense"], {}, "no command 'nonsense'"),
        (["card", "burn"], {}, "no command"),
        (["send", "--nonsense"], {}, "no option '--nonsense'"),
        (["send", "-m"], {}, "needs a value"),
        (["send", "--yes=no", "-m", "text"], {}, "takes no value"),
        (["inbox", "extra"], {}, "one operand too many"),
        (["reply"], {}, "it takes"),
        (["send", "--yes"], {}, "no text"),
        (["send", "-m", "text", garbage, "--yes"], {}, "not both"),
        (["send", folder / "absent", "--yes"], {}, "absent"),
        (["send", folder, "--yes"], {}, "not a regular file"),
        (["send", garbage, "--yes"], {}, "character: take it out"),
        (["send", "-m", "red \x1b[31m", "--yes"], {}, "character: take it out"),
        (["send", "-m", "turned \u202e", "--yes"], {}, "character: take it out"),
        (["send", "-s", "two\nlines", *say], {}, "--subject is to be one line"),
        (["send", "-s", "x" * 201, *say], {}, "--subject has 201 bytes, and 200 are the most"),
        (["inbox", "-c", "Nowhere"], {}, "Nowhere"),
        (["help", "nonsense"], {}, "no command 'nonsense'"),
        (["send", "-p", "urgent", *say], {}, "no precedence"),
        (["send", "-p", "flash", "-m", "word " * 201, "--yes"], {}, "200 words"),
        (["send", "--ack-by", "yesterday", *say], {}, "date-time group"),
        (["send", "--ack-by", "010000Z JAN 20", *say], {}, "past"),
        (["send", "-c", "Nowhere", *say], {}, "Nowhere"),
        (["send", "-m", "text"], {}, "--yes"),
        (["send", *say], other_passphrase, "passphrase"),
        (["send", *say], {"LIAISON_PASSPHRASE_FILE": str(folder / "absent")}, "absent"),
        (["send", *say], {"LIAISON_OFFICER": str(line.federation.folder / "officer.key")}, "another party"),
        (["send", *say], {"LIAISON_OFFICER": str(garbage)}, "officer key"),
        (["send", *say], {"LIAISON_OFFICER": ""}, "LIAISON_OFFICER"),
        (["send", *say], {"LIAISON_POST": str(full)}, "liaisond --dir"),
        (["status"], {"LIAISON_POST": ""}, "LIAISON_POST"),
        (["status"], {"LIAISON_POST": "/" + "long" * 40}, "too long"),
        (["reply", "EMBASSY 9999/26", *say], {}, "EMBASSY 9999/26"),
        (["reply", "not a reference", *say], {}, "no reference"),
        (["reply", "NOWHERE 0001/26", *say], {}, "no post"),
        (["ack", facts["message"], "--yes"], {}, "our own"),
        (["ack", "EMBASSY 9999/26", "--yes"], {}, "EMBASSY 9999/26"),
        (["ack", facts["answer"], "--yes"], {}, "acknowledged already, at "),
        (["ack", opening, "--yes"], {}, "no message"),
        (["reply", opening, *say], {}, "no message"),
        (["show", another_year], {}, f"that number is {facts['answer']}"),
        (["ack", another_year, "--yes"], {}, f"that number is {facts['answer']}"),
        (["reply", another_year, *say], {}, f"that number is {facts['answer']}"),
        (["show", "EMBASSY 0/26"], {}, "no reference"),
        (["show", "EMBASSY 99999999999999999999/26"], {}, "no reference"),
        (["log", "-c", "Nowhere"], {}, "Nowhere"),
        (["verify", garbage], {}, "cannot be read"),
        (["verify", folder / "absent"], {}, "absent: No such file"),
        (["party", "create"], {}, "it takes"),
        (["party", "create", new], {}, "--name"),
        (["party", "create", full, "--name", "Third", "--yes"], {}, "not empty"),
        (["party", "create", new, "--name", "x" * 65, "--yes"], {}, "name"),
        (["party", "create", new, "--name", "Third", "--yes"], {"LIAISON_PASSPHRASE_FILE": str(short)}, "shorter"),
        (["party", "show"], {"LIAISON_PARTY": str(full)}, "full"),
        ([*make_post, "--kind", "palace"], {}, "no kind"),
        ([*make_post, "--slot", "64"], {}, "0 to 63"),
        ([*make_post, "--pin", "1234"], {}, "64 hexadecimal"),
        (make_post[:5], {}, "--node"),
        (make_post, other_passphrase, "passphrase"),
        (["officer", "create", new], {}, "--name"),
        (["officer", "create", line.alliance.folder / "officer.key", "--name", "B"], {}, "exists"),
        (["officer", "create", new, "--name", "B", "--highest", "top"], {}, "no precedence"),
        (["card", "show", garbage], {}, "not a valid card"),
        (["card", "show", empty], {}, "not a valid card"),
        (["card", "accept", folder / "damaged-card", "--yes"], {}, "not a valid card"),
        (["card", "accept", line.federation.folder / "card"], {}, "--yes"),
        (["card", "accept", garbage, "--sealed", "--yes"], {}, "accepting the card"),
        (["card", "export", garbage], {}, "exists"),
        (["card", "export", new, "--for", garbage], {}, "not a valid card"),
        (["keying", "accept", garbage], {}, "not a keying"),
        (["keying", "make", new, "--with", "Nobody"], {}, "Nobody"),
        (["keying", "make", new], {}, "--with"),
        (["keying", "make", new, "--with", "Federation", "--number", "0"], {}, "whole number"),
        (["channel", "open"], {}, "--with"),
        (["channel", "open", "--with", "Federation", "--heads-interval", "9", "--yes"], {}, "whole number"),
        (["channel", "open", "--with", "Nobody", "--yes"], {}, "Nobody"),
        (["channel", "open", "--with", "Federation", "--yes"], other_passphrase, "passphrase"),
        (["channel", "show", "-c", "Nowhere"], {}, "Nowhere"),
        (["watch", "--bell-from", "top"], {}, "no precedence"),
        (["backup", garbage], {}, "exists"),
        (["restore", garbage, new], {}, "no backup"),
        (["restore", folder / "absent", new], {}, "absent"),
        (["restore", garbage], {}, "it takes"),
    ]


def in_json_too(words):
    first_option = next((at for at, word in enumerate(words) if str(word).startswith("-")), len(words))
    return [*words[:first_option], "--json", *words[first_option:]]


def every_wrong_input_gets_one_sentence_and_an_exit_status():
    line.wait_until_quiet()
    before = line.alliance.json("log")["entries"]
    wrong = []
    for words, environment, expected in wrong_input():
        result = line.alliance.run(*words, **environment)
        sentences = SAID.findall(result.stderr)
        shown = result.stdout if expected != "--yes" else ""  # what would be signed or accepted is shown first
        if result.returncode not in (1, 2) or len(sentences) != 1 or expected not in sentences[0] or shown:
            wrong.append((words, result.returncode, result.stdout, result.stderr))
        in_json = line.alliance.run(*in_json_too(words), **environment)
        try:
            told = json.loads(in_json.stdout)["error"]
        except (ValueError, KeyError, TypeError):
            told = None
        if in_json.returncode != result.returncode or told is None or expected not in told:
            wrong.append((words, "--json", in_json.returncode, in_json.stdout, in_json.stderr))
        (line.folder / "new").unlink() if (line.folder / "new").is_file() else None
    assert not wrong, "\n".join(map(str, wrong))
    assert line.alliance.json("log")["entries"] == before
    assert not (line.folder / "new").exists()


def every_command_explains_itself():
    listing = line.alliance.text("--help")
    assert max(map(len, listing.splitlines())) <= 80, listing
    commands = re.findall(r"^  ([a-z]+(?: [a-z]+)?)  +\S", listing, re.MULTILINE)
    assert len(commands) >= 22, listing
    for command in commands:
        text = line.alliance.text(*command.split(), "--help")
        assert text.startswith(f"liaison {command}") and "--json" in text
        assert line.alliance.text("help", *command.split()) == text
        assert max(map(len, text.splitlines())) <= 80, text
    assert line.alliance.run().returncode == 2
    assert line.alliance.text("--version").startswith("liaison ")


def all_four_daemons_end_well_and_say_nothing_of_content():
    line.end()
    for side in line.sides:
        for daemon in side.daemons:
            log = daemon.log()
            assert "Sanitizer" not in log and "Understood" not in log and "strait" not in log, log
    for side in line.sides:
        left = {path.name for path in side.post_folder.iterdir()} | {path.name for path in side.courier_folder.iterdir()}
        assert not {"post.sock", "courier.sock", "post.init", "courier.lock"} & left, left


def started_again_the_record_is_as_it_was():
    line.start()
    assert line.alliance.show(facts["message"])["state"] == "answered"
    assert line.federation.holds(facts["message"])
    message = line.federation.send("After the restart.", "-p", "immediate")
    line.wait_until_held(line.alliance, message)
    line.wait_for_state(line.federation, message, "received")
    line.wait_until_heads_agree()


if __name__ == "__main__":
    with Line(sys.argv[1], fresh=True) as line:
        run_tests(
            the_set_up_printed_json_for_every_command,
            a_message_goes_across_and_is_shown_as_it_was_signed,
            the_acknowledgment_makes_it_read_and_the_reply_answered,
            the_author_sees_every_state_once_and_in_order,
            the_reader_sees_what_its_own_side_did,
            a_text_from_a_file_or_standard_input_goes_across_too,
            the_longest_text_that_the_terms_allow_goes_across,
            numbers_of_the_references_have_no_gap,
            a_sealed_card_is_accepted_with_the_words_to_compare,
            status_tells_of_courier_route_and_agreement,
            both_sides_give_the_same_heads_to_a_stranger,
            verify_holds_for_the_post_and_for_an_export,
            an_export_that_was_changed_does_not_verify,
            a_log_that_was_cut_out_of_an_export_is_missed,
            a_proof_that_a_log_forked_is_checked,
            what_an_export_does_not_hold_is_said,
            what_an_export_says_moves_no_cursor,
            lists_longer_than_a_reply_are_given_whole,
            watch_rings_and_tells_a_hook_of_what_arrives,
            watch_tells_the_author_each_state_as_it_happens,
            every_wrong_input_gets_one_sentence_and_an_exit_status,
            every_command_explains_itself,
            all_four_daemons_end_well_and_say_nothing_of_content,
            started_again_the_record_is_as_it_was,
        )
