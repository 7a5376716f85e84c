"""What `liaison status` and `inbox` say of a post that this program plays: usage: status.py LIAISON"""

import json
import os
import socket
import struct
import subprocess
import sys
import tempfile
import threading

import cbor2

from post_shell import run_tests
from terminal import shown_on_terminal

LIAISON = os.path.abspath(sys.argv[1])
LIMIT_S = 60
CHANNEL, ENTRIES, STATUS = 8, 11, 14
ID = b"\x01" * 32
NO_COUNTS = [0, 0, 0, 0]
AMPLE, LOW, SCARCE, LAST = 1, 2, 3, 4
TERMS = {1: 1, 2: "the line", 3: 65536, 4: 200, 5: 60, 6: 1209600, 7: [21600, 10800, 1800, 600]}
PARTIES = [[bytes([number]) * 32, name, True, None, None] for number, name in ((1, "Alliance"), (2, "Federation"))]
POSTS = [[0, 0, "Headquarters", "ipn:1001.0"], [64, 0, "Embassy/A", "ipn:2002.0"]]


def receive(connection):
    size = struct.unpack(">I", connection.recv(4, socket.MSG_WAITALL))[0]
    return cbor2.loads(connection.recv(size, socket.MSG_WAITALL))


def serve(listener, gaps, rest, rows=(), disk=(AMPLE, NO_COUNTS, False)):
    answers = {
        STATUS: [[[ID, "the line", [0, 0, 0, 0], None, 2, None, [2, 0, 0, 1], gaps, []]], True, *rest, 1, *disk],
        ENTRIES: [list(rows), b""],
        CHANNEL: [cbor2.dumps(TERMS, canonical=True), bytes(16), 2, 0, bytes(8), PARTIES, POSTS, []],
    }
    connection = listener.accept()[0]
    connection.settimeout(LIMIT_S)
    with connection:
        while connection.recv(1, socket.MSG_PEEK):
            number, verb = receive(connection)[:2]
            content = cbor2.dumps([number, 0, *answers[verb]])
            connection.sendall(struct.pack(">I", len(content)) + content)


def status(gaps, *options, rest=([], [], []), **answers):
    with tempfile.TemporaryDirectory(prefix="liaison-status-") as folder, socket.socket(socket.AF_UNIX) as listener:
        listener.bind(folder + "/post.sock")
        listener.listen(1)
        listener.settimeout(LIMIT_S)
        server = threading.Thread(target=serve, args=(listener, gaps, rest), kwargs=answers)
        server.start()
        result = subprocess.run(
            [LIAISON, "status", "--post", folder, *options], capture_output=True, encoding="utf-8", timeout=LIMIT_S, check=True)
        server.join(LIMIT_S)
        return result.stdout


def what_is_missing_is_named_as_references_are():
    gaps = [[0, 1, 7, 1], [64, 2, 0, 3]]
    text = status(gaps)
    assert "  MISSING: HEADQUARTERS 0008\n" in text, text
    assert "  MISSING: EMBASSY/A.2 0001 to EMBASSY/A.2 0003\n" in text, text
    told = json.loads(status(gaps, "--json"))["channels"][0]["gaps"]
    assert [(gap["from"], gap["to"]) for gap in told] == [
        ("HEADQUARTERS 0008", "HEADQUARTERS 0008"), ("EMBASSY/A.2 0001", "EMBASSY/A.2 0003")], told


def nothing_missing_is_nothing_said():
    assert "MISSING" not in status([])


def what_is_wrong_is_told_with_its_time_its_source_and_the_cure():
    at, end = 1795320300000, 1797912300
    rest = [[["direct", "ipn:2002.0", 3, at, 700]], [[34, 8, at, "ipn:2002.0"], [11, 1, at, ""]],
        [["Federation", "Embassy", 1, 1, None, 29, end], ["Federation", "Consulate", 1, 1, 2, 29, end],
         ["Union", "Mission", 4, 1, None, 29, end], ["Union", "Legation", 3, 1, None, 0, end],
         ["Third", "Seat", 2, None, None, 0, None]]]
    text = status([], rest=rest)
    lines = text.splitlines()
    assert "  1 FLASH received and not acknowledged" in lines and "  2 ROUTINE received and not acknowledged" in lines, text
    assert "  route direct to ipn:2002.0: silent since 220405Z NOV 26, 700 bytes queued" in lines, text
    assert "  refused 8: the sealed bytes cannot be opened with the keys held here (last 220405Z NOV 26 from ipn:2002.0)" in text, text
    assert "(last 220405Z NOV 26)" in text, text
    assert text.count("hold different keyings: compare their numbers") == 1, text
    assert "keys to Embassy of Federation: keying 1, 29 prekeys left, until 220405Z DEC 26" in lines, text
    assert "keys to Consulate of Federation: keying 1, keying 2 accepted but not seen to be held there yet, 29 prekeys" in text, text
    assert "keys to Mission of Union: keying 1, LAST RESORT, until the next keying: this post was restored" in lines, text
    assert "keys to Legation of Union: keying 1, LAST RESORT, until it publishes new prekeys" in text, text
    assert "keys to Seat of Third: NONE: exchange cards, then liaison keying make or accept" in lines, text
    told = json.loads(status([], "--json", rest=rest))
    assert [(each["keys"], each["last_resort"], each["next_keying"]) for each in told["keys"]] == [
        ("prekeys", False, None), ("prekeys", False, 2), ("restored", True, None), ("doubted", True, None),
        ("none", False, None)], told
    assert told["refused"][0]["last_from"] == "ipn:2002.0" and told["channels"][0]["unread"] == [2, 0, 0, 1], told


def a_disk_that_fills_up_is_told_with_what_waits_for_it_and_the_cure():
    text = status([])
    assert "DISK" not in text and "left with" not in text, text
    for level, word, says in ((LOW, "low", "ROUTINE messages and backups are refused"),
            (SCARCE, "scarce", "only urgent messages and letters"), (LAST, "last", "not even a FLASH")):
        disk = (level, [7, 0, 0, 2], False)
        lines = status([], disk=disk).splitlines()
        said = [line for line in lines if line.startswith("DISK: ")]
        assert len(said) == 1 and says in said[0] and "free some room" in said[0], lines
        left = [line for line in lines if line.endswith(" left with the courier for want of room on the post's disk")]
        assert [line.split()[:2] for line in left] == [["2", "FLASH"], ["7", "ROUTINE"]], lines
        told = json.loads(status([], "--json", disk=disk))
        assert (told["disk"], told["left_with_courier"]) == (word, [7, 0, 0, 2]), told
    assert json.loads(status([], "--json"))["disk"] == "ample"
    lines = status([], disk=(AMPLE, NO_COUNTS, True)).splitlines()
    assert [line for line in lines if "DISK" in line] == [lines[lines.index("courier: connected") + 1]], lines
    text = "".join(lines)
    assert "the courier's disk is nearly full: it refuses what leaves and what comes, or soon will" in text, lines
    assert "free some room" in text, lines
    assert [json.loads(status([], "--json", disk=(AMPLE, NO_COUNTS, full)))["courier_full"] for full in (False, True)] == [
        False, True]


def row(number, subject, own, receipt_due, acknowledgment_due):
    return [ID, 64, 1, number, f"HEADQUARTERS {number:04}/26", bytes([number]) * 32, 1, 3, 1795320300, subject, 1,
            "Lt. Col. V. Petrov-Vodkin", own, 4, 1795320300000, [], receipt_due, acknowledgment_due]


def shown(columns, words, **answers):
    """On a terminal of so many columns; without one where that is None."""
    with tempfile.TemporaryDirectory(prefix="liaison-status-") as folder, socket.socket(socket.AF_UNIX) as listener:
        listener.bind(folder + "/post.sock")
        listener.listen(1)
        listener.settimeout(LIMIT_S)
        server = threading.Thread(target=serve, args=(listener, [[64, 1, 7, 1]]), kwargs=answers)
        server.start()
        command = [LIAISON, *words, "--post", folder]
        if columns is None:
            text = subprocess.run(command, capture_output=True, encoding="utf-8", timeout=LIMIT_S, check=True).stdout
        else:
            text, code = shown_on_terminal(command, {**os.environ, "TERM": "dumb"}, columns)
            assert code == 0, text
        server.join(LIMIT_S)
        return text


def no_word_is_broken_where_the_terminal_ends():
    at, end = 1795320300000, 1797912300
    rest = [[["direct", "ipn:2002.0", 3, at, 700]], [[34, 8, at, "ipn:2002.0"], [11, 1, at, ""]],
        [["Federation of the Northern Straits", "Embassy", 1, 1, 2, 29, end], ["Third", "Seat", 2, None, None, 0, None]]]
    rows = [row(1, "Unmanned aircraft over the strait, east of the agreed line", False, None, 1795320300),
            row(2, "Ours", True, 1795320300, 1795320300), row(3, "", False, None, None)]
    for words in (["inbox"], ["status"]):
        whole = shown(None, words, rest=rest, rows=rows)
        assert max(map(len, whole.splitlines())) > 80, whole
        for columns in (80, 60, 100):
            text = shown(columns, words, rest=rest, rows=rows)
            assert max(map(len, text.splitlines())) <= columns and text.split() == whole.split(), text
            for line in whole.splitlines():  # each begins as it does without a terminal
                assert any(each and line.startswith(each) for each in text.splitlines()), (line, text)


if __name__ == "__main__":
    run_tests(what_is_missing_is_named_as_references_are, nothing_missing_is_nothing_said,
        what_is_wrong_is_told_with_its_time_its_source_and_the_cure,
        a_disk_that_fills_up_is_told_with_what_waits_for_it_and_the_cure, no_word_is_broken_where_the_terminal_ends)
