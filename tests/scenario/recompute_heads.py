#!/usr/bin/python3
"""Recomputes the head of every log from what `liaison log --json` exported, with nothing of liaison's code.

Reads one JSON object from the file named (or standard input): channel, roster, logs, entries (doc/PROTOCOL.md,
"Export"). For each log it rebuilds the identity of every entry from its signed bytes, the leaves from the
identities, the RFC 6962 tree from the leaves, and compares the root with the head that the log's author signed.
Needs python3 alone; with python3-cryptography the head's signature is checked too.

An export out of which a log was cut is refused: each log of which an entry is there, or whose size a leaf names, must have a
head of its newest incarnation, and each party of the roster a log. What lies beyond a head is not counted.

Prints a line `LOG INCARNATION SIZE ROOT` for each log; exits 1 with a sentence at the first thing that does not hold.
"""
import base64
import hashlib
import json
import sys

try:
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
except ImportError:
    Ed25519PublicKey = None


def sha256(data):
    return hashlib.sha256(data).digest()


def head(major, argument):
    for size, code in ((1, 24), (2, 25), (4, 26), (8, 27)):
        if argument < 24:
            return bytes([major << 5 | argument])
        if argument < 1 << (8 * size):
            return bytes([major << 5 | code]) + argument.to_bytes(size, "big")
    raise ValueError("too large")


def encode(item):
    if isinstance(item, int):
        return head(0, item)
    if isinstance(item, bytes):
        return head(2, len(item)) + item
    if isinstance(item, str):
        return head(3, len(item.encode())) + item.encode()
    if isinstance(item, list):
        return head(4, len(item)) + b"".join(encode(each) for each in item)
    raise TypeError(type(item))


def item_end(data, at):
    """Where the CBOR item at `at` ends, and (major type, argument, where its content starts)."""
    major, small = data[at] >> 5, data[at] & 31
    at += 1
    if small < 24:
        argument = small
    elif small < 28:
        size = 1 << (small - 24)
        argument = int.from_bytes(data[at:at + size], "big")
        at += size
    else:
        raise ValueError("not deterministic CBOR")
    start = at
    if major in (2, 3):
        at += argument
    elif major == 4:
        for _ in range(argument):
            at = item_end(data, at)[0]
    elif major == 5:
        for _ in range(2 * argument):
            at = item_end(data, at)[0]
    if at > len(data):
        raise ValueError("truncated")
    return at, (major, argument, start)


def elements(data):
    """The encoded elements of a CBOR array that is the whole of `data`."""
    end, (major, count, at) = item_end(data, 0)
    if major != 4 or end != len(data):
        raise ValueError("not one array")
    parts = []
    for _ in range(count):
        following = item_end(data, at)[0]
        parts.append(data[at:following])
        at = following
    return parts


def string_content(data):
    _, (major, argument, start) = item_end(data, 0)
    if major != 2:
        raise ValueError("not a byte string")
    return data[start:start + argument]


def tree_root(leaves):
    """RFC 6962, section 2.1."""
    if not leaves:
        return sha256(b"")
    if len(leaves) == 1:
        return sha256(b"\0" + leaves[0])
    split = 1
    while split * 2 < len(leaves):
        split *= 2
    return sha256(b"\1" + tree_root(leaves[:split]) + tree_root(leaves[split:]))


def check_entry(entry, channel, sender, recipients):
    """The leaf's identity and signatures hash are those of the signed bytes."""
    cose = elements(bytes.fromhex(entry["cose"]))
    leaf = elements(bytes.fromhex(entry["leaf"]))
    aad = encode(["liaison entry", channel, sender, recipients])
    identity = sha256(encode([aad, string_content(cose[2])]))
    where = "log %d, incarnation %d, position %d" % (entry["log"], entry["incarnation"], entry["position"])
    if len(cose) != 4 or len(leaf) != 4 or leaf[0] != encode(entry["position"]):
        raise SystemExit("%s: the leaf is of another form" % where)
    if string_content(leaf[1]) != identity:
        raise SystemExit("%s: the leaf names another entry than the one exported" % where)
    if string_content(leaf[2]) != sha256(cose[3]):
        raise SystemExit("%s: the leaf names other signatures than those exported" % where)


def check_log(log, export):
    channel = bytes.fromhex(export["channel"])
    roster = [bytes.fromhex(party) for party in export["roster"]]
    sender = roster[log["log"] // 64]
    recipients = [party for party in roster if party != sender]
    entries = sorted((entry for entry in export["entries"]
                      if (entry["log"], entry["incarnation"]) == (log["log"], log["incarnation"])),
                     key=lambda entry: entry["position"])[:log["size"]]
    name = "log %d, incarnation %d" % (log["log"], log["incarnation"])
    if [entry["position"] for entry in entries] != list(range(log["size"])):
        raise SystemExit("%s: the export does not hold every entry below its size" % name)
    for entry in entries:
        check_entry(entry, channel, sender, recipients)
    root = tree_root([bytes.fromhex(entry["leaf"]) for entry in entries])
    if root != bytes.fromhex(log["root"]):
        raise SystemExit("%s: the entries do not give the root of the head" % name)
    number, incarnation = log["log"] % 64, log["incarnation"]
    origin = "liaison/" + sha256(encode(["liaison log origin", channel, sender, number, incarnation]))[:16].hex()
    if origin != log["origin"]:
        raise SystemExit("%s: the head has another origin" % name)
    text = "%s\n%d\n%s\n" % (origin, log["size"], base64.b64encode(root).decode())
    if Ed25519PublicKey is not None:
        try:
            key = Ed25519PublicKey.from_public_bytes(bytes.fromhex(log["log_key"]))
            key.verify(bytes.fromhex(log["signature"]), text.encode())
        except (InvalidSignature, ValueError):
            raise SystemExit("%s: the head's signature is not one of its log key" % name) from None
    print(log["log"], log["incarnation"], log["size"], root.hex())


def newest_held(export):
    """The newest incarnation of each log of which an entry is there."""
    newest = {}
    for entry in export["entries"]:
        newest[entry["log"]] = max(entry["incarnation"], newest.get(entry["log"], 1))
    return newest


def check_no_log_is_cut_out(export):
    """What leaves name beyond that is their authors' word, which may be anything."""
    heads = {(log["log"], log["incarnation"]) for log in export["logs"]}
    for log, incarnation in sorted(newest_held(export).items()):
        if (log, incarnation) not in heads:
            raise SystemExit("log %d, incarnation %d: entries are of it, and its head is not here" % (log, incarnation))
    for index, party in enumerate(export["roster"]):
        if index not in {log // 64 for log, _ in heads}:
            raise SystemExit("party %s: no log of it is here" % party)


def main():
    with open(sys.argv[1], encoding="utf-8") if len(sys.argv) > 1 else sys.stdin as source:
        export = json.load(source)
    if not export["logs"]:
        raise SystemExit("the export holds no log")
    check_no_log_is_cut_out(export)
    for log in sorted(export["logs"], key=lambda log: (log["log"], log["incarnation"])):
        check_log(log, export)


if __name__ == "__main__":
    try:
        main()
    except (KeyError, IndexError, TypeError, ValueError) as error:
        raise SystemExit("this is not of the form of an export: %s" % error) from None
