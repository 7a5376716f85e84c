"""What `liaison status` says of a post that this program plays: usage: status.py LIAISON"""

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

LIAISON = os.path.abspath(sys.argv[1])
LIMIT_S = 20
CHANNEL, ENTRIES, STATUS = 8, 11, 14
ID = b"\x01" * 32
TERMS = {1: 1, 2: "the line", 3: 65536, 4: 200, 5: 60, 6: 1209600, 7: [21600, 10800, 1800, 600]}
PARTIES = [[bytes([number]) * 32, name, True, None, None] for number, name in ((1, "Alliance"), (2, "Federation"))]
POSTS = [[0, 0, "Headquarters", "ipn:1001.0"], [64, 0, "Embassy/A", "ipn:2002.0"]]


def receive(connection):
    size = struct.unpack(">I", connection.recv(4, socket.MSG_WAITALL))[0]
    return cbor2.loads(connection.recv(size, socket.MSG_WAITALL))


def serve(listener, gaps):
    answers = {
        STATUS: [[[ID, "the line", [0, 0, 0, 0], None, 2, None, gaps, []]], True, [], [], 1],
        ENTRIES: [[], b""],
        CHANNEL: [cbor2.dumps(TERMS, canonical=True), bytes(16), 2, 0, bytes(8), PARTIES, POSTS, []],
    }
    connection = listener.accept()[0]
    connection.settimeout(LIMIT_S)
    with connection:
        while connection.recv(1, socket.MSG_PEEK):
            number, verb = receive(connection)[:2]
            content = cbor2.dumps([number, 0, *answers[verb]])
            connection.sendall(struct.pack(">I", len(content)) + content)


def status(gaps, *options):
    with tempfile.TemporaryDirectory(prefix="liaison-status-") as folder, socket.socket(socket.AF_UNIX) as listener:
        listener.bind(folder + "/post.sock")
        listener.listen(1)
        listener.settimeout(LIMIT_S)
        server = threading.Thread(target=serve, args=(listener, gaps))
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


if __name__ == "__main__":
    run_tests(what_is_missing_is_named_as_references_are, nothing_missing_is_nothing_said)
