"""Checks the signed notes of an export by the rules of C2SP alone, with none of our code: usage: check_notes.py EXPORT

c2sp.org/signed-note, tlog-checkpoint and tlog-cosignature, with hashlib and python3-cryptography.
"""

import base64
import hashlib
import json
import sys

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

ED25519, COSIGNATURE = 1, 4


def key_id(name, kind, key):
    return hashlib.sha256(name.encode() + b"\n" + bytes([kind]) + key).digest()[:4]


def verify(key, signature, text):
    Ed25519PublicKey.from_public_bytes(key).verify(signature, text.encode())


def parse(note):
    """The text with its last line end, and the signatures by name."""
    text, lines = note.rsplit("\n\n", 1)
    signatures = {}
    assert lines.endswith("\n")
    for line in lines.splitlines():
        dash, name, value = line.split(" ")
        assert dash == "\u2014" and name not in signatures, line
        signatures[name] = base64.b64decode(value, validate=True)
    return text + "\n", signatures


def check(log):
    text, signatures = parse(log["note"])
    origin, size, root = text.splitlines()
    assert (origin, int(size), base64.b64decode(root).hex()) == (log["origin"], log["size"], log["root"]), text
    key, signature = bytes.fromhex(log["log_key"]), signatures.pop(origin)
    assert signature[:4] == key_id(origin, ED25519, key)
    verify(key, signature[4:], text)
    for name, cosignature in signatures.items():
        key = bytes.fromhex(log["cosigner_key"])
        assert name == log["cosigner"] and cosignature[:4] == key_id(name, COSIGNATURE, key) and len(cosignature) == 76
        time = int.from_bytes(cosignature[4:12], "big")
        verify(key, cosignature[12:], f"cosignature/v1\ntime {time}\n{text}")
        print(f"{origin} {size} cosigned by {name} at {time}")
    print(f"{origin} {size} signed")


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        for log in json.load(file)["logs"]:
            check(log)


if __name__ == "__main__":
    main()
