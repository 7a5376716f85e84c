"""Backup and restore of a post while its line is in use: usage: test_restore.py BUILD

The embassy is lost with its disk, restored into a new directory, restored once more, and started as it was beside what
was restored; the headquarters goes on all the time.
"""

import os
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
import time

from line import SANITIZER, Line, wait_for
from officer import Officer
from post_shell import run_tests

SAID = re.compile(r"^liaison: [^\n]{8,400}$", re.MULTILINE)
KIND_INCARNATION = "INCARNATION"
EPOCHS = b"\x40"  # tables of record/schema.h
EPOCH_USE = b"\x47"
FLASH = 4

line = None
facts = {}


def rows(side, table):
    """How many rows of a table a post's store holds. The daemon keeps it locked, so that a copy is looked at."""
    copy = line.folder / "copy"
    shutil.rmtree(copy, ignore_errors=True)
    copy.mkdir()
    for name in ("store.db", "store.db-wal"):
        if os.path.exists(side.path(name)):
            shutil.copy(side.path(name), copy)
    with sqlite3.connect(copy / "store.db") as database:
        return database.execute("SELECT count(*) FROM rows WHERE substr(key, 1, 1) = ?", (table,)).fetchone()[0]


def exchange(seconds=30):
    """One message each way, received; how long both took."""
    begun = time.monotonic()
    for side in line.sides:
        message = side.send(f"The line goes on: {time.monotonic()}", "-p", "flash")
        line.wait_for_state(side, message, "received", seconds)
        line.wait_until_held(side.other, message, seconds)
    return time.monotonic() - begun


def references(side):
    return {row["reference"]: row for row in side.inbox()}


def own(side):
    return {row["reference"]: row for row in side.json("inbox", "--sent")}


def incarnation_entry(side, incarnation):
    rows_of = [entry for entry in side.json("log")["entries"] if entry["incarnation"] == incarnation and entry["position"] == 0]
    return rows_of[0] if rows_of else None


def channel_of(side):
    channel, = side.status()["channels"]
    return channel


def nothing_is_missing():
    wait_for(lambda: all(not channel_of(side)["gaps"] for side in line.sides), "nothing is missing", 90)


def nobody_is_accused():
    for side in line.sides:
        assert channel_of(side)["heads"] not in ("forked", "differ"), side.status()
        for word in ("forked", "two entries with one number"):
            assert word not in side.post.log(), side.post.log()[-2000:]


def restore(side, name):
    folder = side.folder / name
    side.json("restore", facts["backup"], folder)
    side.use_post(folder)
    side.write_courier_configuration()


# ---- backing up ----


def a_backup_is_made_while_the_line_is_in_use():
    federation = line.federation
    facts["before"] = federation.send("Before the backup.", "-p", "flash")
    line.wait_for_state(federation, facts["before"], "received")
    facts["backup"] = line.folder / "embassy.backup"
    stop = threading.Event()
    sent = {side: [] for side in line.sides}

    def talk(side):
        officer = Officer(side)
        while not stop.is_set():
            sent[side].append(officer.send("while a backup is made", FLASH)[3])
            time.sleep(0.01)
        officer.close()

    talkers = [threading.Thread(target=talk, args=(side,)) for side in line.sides]
    for talker in talkers:
        talker.start()
    wait_for(lambda: all(sent.values()), "both sides talk")
    before = {side: len(messages) for side, messages in sent.items()}
    made = federation.json("backup", facts["backup"])
    after = {side: len(messages) for side, messages in sent.items()}
    stop.set()
    for talker in talkers:
        talker.join()
    assert made["verified"] is True and made["bytes"] == facts["backup"].stat().st_size, made
    said = line.folder / "said.backup"
    shown = federation.text("backup", said)
    assert shown == f"{said}: {said.stat().st_size} bytes, read back to the end: with its passphrase it can be restored\n", shown
    assert (facts["backup"].stat().st_mode & 0o777) == 0o600
    assert all(after[side] > before[side] for side in line.sides), sent
    for side, messages in sent.items():
        line.wait_until_held(side.other, messages[-1])
    line.wait_until_quiet()
    facts["during"] = sent[line.alliance]
    assert b"while a backup" not in facts["backup"].read_bytes()


def changed(data, at):
    return data[:at] + bytes([data[at] ^ 0x01]) + data[at + 1:]


def every_other_file_and_place_is_refused_with_one_sentence():
    federation, target = line.federation, line.folder / "target"
    data = facts["backup"].read_bytes()
    head = 17 + 8 + 16 + 24
    first = int.from_bytes(data[head:head + 4], "big")
    places = {  # each field of the head and of a chunk, and some content
        "the mark": 0, "operations": 17 + 3, "memory": 17 + 7, "salt": 17 + 8, "stream": head - 1, "length": head + 3,
        "length beyond all bounds": head, "first chunk": head + 4, "tag": head + 4 + first - 1, "second length": head + 4 + first,
        "middle": len(data) // 2, "last byte": len(data) - 1}
    files = {f"a flipped bit: {name}": changed(data, at) for name, at in places.items()}
    files.update({f"cut to {size}": data[:size] for size in (0, 1, head - 1, head, head + 2, head + 4, len(data) // 2, len(data) - 1)})
    files.update({"something behind": data + b"\0", "no backup": b"liaison\n" * 100, "another backup's end": data + data[head:]})
    for name, content in files.items():
        path = line.folder / "wrong.backup"
        path.write_bytes(content)
        refused(["restore", path, target], ("damaged", "cut short", "no backup"), name)
        assert not target.exists(), name
    passphrase = {"LIAISON_PASSPHRASE_FILE": str(line.alliance.folder / "passphrase")}
    refused(["restore", facts["backup"], target], ("passphrase",), "another passphrase", **passphrase)
    assert not target.exists()
    target.mkdir()
    (target / "something").write_text("of value")
    refused(["restore", facts["backup"], target], ("not empty",), "a directory that is in use")
    assert [path.name for path in target.iterdir()] == ["something"]
    (target / "something").unlink()
    before = sorted(path.name for path in federation.post_folder.iterdir())
    refused(["restore", facts["backup"], federation.post_folder], ("a post runs in",), "over a running post")
    assert sorted(path.name for path in federation.post_folder.iterdir()) == before
    refused(["restore", facts["backup"], line.folder / "no" / "such"], ("No such file",), "no place")
    refused(["restore", line.folder, target], ("regular file",), "a directory as a backup")
    refused(["backup", facts["backup"]], ("exists",), "a backup over a backup")
    assert facts["backup"].read_bytes() == data
    exchange()


def refused(words, expected, name, **environment):
    result = line.federation.run(*words, **environment)
    sentences = SAID.findall(result.stderr)
    assert result.returncode == 1 and len(sentences) == 1 and any(part in sentences[0] for part in expected), (name, result)
    assert result.stdout == "", (name, result)


def a_kill_in_the_middle_leaves_nothing_that_a_post_would_start_from():
    federation, target = line.federation, line.folder / "killed"
    command = [str(line.programs["liaison"]), "restore", str(facts["backup"]), str(target)]
    for delay in (0.05, 0.2, 0.4, 0.6, 0.8, 1.0):
        process = subprocess.Popen(
            command, env={**os.environ, **SANITIZER, **federation.environment}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(delay)
        process.send_signal(signal.SIGKILL)
        killed = process.wait(20) == -signal.SIGKILL
        if target.exists():
            assert not (killed and (target / "store.db").exists()) or (target / "store.db").stat().st_size > 0
            shutil.rmtree(target)


# ---- the loss ----


def the_post_is_lost_with_its_disk():
    alliance, federation = line.sides
    facts["theirs"] = [alliance.send(f"To be lost, number {number}.", "-p", "flash") for number in range(3)]
    for message in facts["theirs"]:
        line.wait_for_state(alliance, message, "received")
    facts["ours"] = [federation.send(f"Sent, then lost, number {number}.", "-p", "flash") for number in range(2)]
    for message in facts["ours"]:
        line.wait_for_state(federation, message, "received")
    facts["read"] = federation.json("ack", facts["theirs"][0], "--yes")["reference"]
    line.wait_for_state(alliance, facts["theirs"][0], "read")
    federation.post.kill()
    # On their way, while there is no post.
    facts["under way"] = [alliance.send(f"On its way, number {number}.", "-p", "immediate") for number in range(3)]
    facts["answer"] = alliance.json("reply", facts["ours"][0], "-m", "An answer to what is lost.", "-p", "flash", "--yes")["reference"]
    time.sleep(1)
    federation.courier.end()
    shutil.copytree(federation.post_folder, federation.folder / "old", ignore=shutil.ignore_patterns("*.sock"))
    shutil.rmtree(federation.post_folder)


def restored_it_waits_for_its_courier_before_it_files_anything():
    federation = line.federation
    restore(federation, "restored")
    assert [path.name for path in federation.post_folder.iterdir()] == ["store.db"]
    assert (federation.post_folder.stat().st_mode & 0o777) == 0o700
    federation.start_post()
    assert rows(federation, EPOCHS) == 0
    result = federation.run("send", "-m", "Too early.", "--yes")
    assert result.returncode == 1 and "courier" in SAID.findall(result.stderr)[0], result
    facts["restored at"] = time.monotonic()
    federation.courier.start()


def what_it_received_comes_back():
    alliance, federation = line.sides
    wanted = {*facts["theirs"], *facts["during"], *facts["under way"], facts["answer"]}
    wait_for(lambda: wanted <= set(references(federation)), "what was received since the backup is back", 30)
    facts["seconds until all was back"] = time.monotonic() - facts["restored at"]
    for message in wanted:
        line.wait_for_state(alliance, message, alliance.show(message)["state"] if message == facts["theirs"][0] else "received")
        shown = federation.show(message)
        assert shown["cose"] == alliance.show(message)["cose"]


def what_it_sent_comes_back_under_its_old_numbers():
    alliance, federation = line.sides
    wait_for(lambda: set(facts["ours"]) <= set(own(federation)), "what was sent since the backup is back", 30)
    for message in facts["ours"]:
        line.wait_for_state(federation, message, "answered" if message == facts["ours"][0] else "received", 60)
        assert federation.show(message)["cose"] == alliance.show(message)["cose"]
        assert federation.show(message)["receipt"] != ""
    assert federation.show(facts["theirs"][0])["state"] == "read"  # its own acknowledgment is back, too
    nothing_is_missing()


def it_has_opened_an_incarnation_that_the_other_side_receipted():
    entry = wait_for(lambda: incarnation_entry(line.federation, 2), "the new incarnation is there", 30)
    reference = entry["reference"]
    assert re.fullmatch(r"EMBASSY\.2 0001/\d\d", reference), reference
    wait_for(lambda: line.federation.show(reference)["state"] == "received", "it is receipted", 30)
    assert line.alliance.show(reference)["kind"] == KIND_INCARNATION


def the_line_goes_on_both_ways_at_once_by_last_resort():
    facts["seconds both ways"] = exchange()
    assert rows(line.federation, EPOCHS) == 0
    sent = line.federation.send("No number is given twice.", "-p", "flash")
    assert re.fullmatch(r"EMBASSY\.2 \d{4}/\d\d", sent), sent
    assert sent not in facts["ours"] and set(facts["ours"]) <= set(own(line.federation))


def then_under_the_prekeys_of_the_next_keying():
    alliance, federation = line.sides
    used = rows(federation, EPOCH_USE)
    keying = line.folder / "keying-2"
    alliance.json("keying", "make", keying, "--with", "Federation", "--number", "2")
    assert federation.status()["keys"][0]["keys"] == "restored", federation.status()["keys"]
    said = federation.text("keying", "accept", keying)
    assert "Keying 2 is accepted" in said and "erased" in said, said
    wait_for(lambda: rows(federation, EPOCHS) > 0, "there are epochs again", 30)
    exchange()
    wait_for(lambda: rows(federation, EPOCH_USE) >= max(used, 1), "the epochs are used", 30)
    exchange()


def both_records_are_the_same_and_verify():
    line.wait_until_quiet()
    heads = line.wait_until_heads_agree()
    assert {tuple(head.split()[:2]) for head in heads} == {("0", "1"), ("64", "1"), ("64", "2")} or \
        {tuple(head.split()[:2]) for head in heads} == {("64", "1"), ("0", "1"), ("0", "2")}, heads
    for side in line.sides:
        assert "verified" in side.text("verify")
        channel = channel_of(side)
        assert channel["heads"] == "agree" and channel["gaps"] == [] and len(channel["branches"]) == 1, channel
        branch, = channel["branches"]
        assert branch["incarnation"] == 2 and branch["follows"] == 1 and branch["size"] < branch["known"], branch
        assert "BRANCHED: " in side.text("status")
    nobody_is_accused()


# ---- once more ----


def the_same_backup_is_restored_once_more():
    federation = line.federation
    known = set(references(federation)) | set(own(federation))
    federation.post.kill()
    federation.courier.end()
    restore(federation, "restored-2")
    federation.start()
    entry = wait_for(lambda: incarnation_entry(federation, 3), "it has opened a third incarnation", 30)
    assert re.fullmatch(r"EMBASSY\.3 0001/\d\d", entry["reference"]), entry
    # The backup is older than the keying in use: it hears again after the next.
    message = federation.send("It speaks.", "-p", "flash")
    line.wait_until_held(line.alliance, message)
    keying = line.folder / "keying-3"
    line.alliance.json("keying", "make", keying, "--with", "Federation", "--number", "3")
    assert federation.json("keying", "accept", keying)["number"] == 3
    line.wait_for_state(federation, message, "received", 60)
    wait_for(lambda: known <= set(references(federation)) | set(own(federation)), "all is back once more", 90)
    exchange()
    nothing_is_missing()
    line.wait_until_quiet()
    heads = line.wait_until_heads_agree()
    assert len(heads) == 4, heads
    nobody_is_accused()


def the_old_post_started_beside_the_restored_one_is_shown_and_ends_nothing():
    alliance, federation = line.sides
    restored = federation.post_folder
    federation.post.end()
    federation.courier.end()
    federation.use_post(federation.folder / "old")
    federation.write_courier_configuration()
    federation.start()
    first = federation.send("The old one, by itself.", "-p", "flash")  # in its own incarnation, which nobody else writes
    assert re.fullmatch(r"EMBASSY \d{4}/\d\d", first), first
    wait_for(lambda: "another has opened" in federation.post.log() or "not opened here" in federation.post.log(),
             "the old post hears of the other", 30)
    line.wait_until_held(alliance, first)
    facts["by the old one"] = first

    federation.post.end()
    federation.courier.end()
    federation.use_post(restored)
    federation.write_courier_configuration()
    federation.start()
    second = federation.send("The restored one.", "-p", "flash")
    line.wait_until_held(alliance, second)
    line.wait_for_state(federation, second, "received")
    for side in line.sides:
        assert channel_of(side)["branches"], side.status()
        assert all(daemon.is_running() for daemon in side.daemons)
    nobody_is_accused()


def all_daemons_end_well():
    line.end()
    for side in line.sides:
        assert "Sanitizer" not in side.post.log() and "lost, number" not in side.post.log()
    print(f"# all was back {facts['seconds until all was back']:.1f} s after the courier's start, and a message went each way "
          f"in {facts['seconds both ways']:.1f} s", flush=True)


if __name__ == "__main__":
    with Line(sys.argv[1]) as line:
        run_tests(
            a_backup_is_made_while_the_line_is_in_use,
            every_other_file_and_place_is_refused_with_one_sentence,
            a_kill_in_the_middle_leaves_nothing_that_a_post_would_start_from,
            the_post_is_lost_with_its_disk,
            restored_it_waits_for_its_courier_before_it_files_anything,
            what_it_received_comes_back,
            what_it_sent_comes_back_under_its_old_numbers,
            it_has_opened_an_incarnation_that_the_other_side_receipted,
            the_line_goes_on_both_ways_at_once_by_last_resort,
            then_under_the_prekeys_of_the_next_keying,
            both_records_are_the_same_and_verify,
            the_same_backup_is_restored_once_more,
            the_old_post_started_beside_the_restored_one_is_shown_and_ends_nothing,
            all_daemons_end_well,
        )
