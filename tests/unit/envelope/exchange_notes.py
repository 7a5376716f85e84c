#!/usr/bin/python3
"""Exchanges notes, proofs and evidence with another implementation of the same standards: this one.

Written from C2SP signed-note, tlog-checkpoint and tlog-cosignature, RFC 6962 and doc/PROTOCOL.md, with
python3-cryptography and python3-cbor2 and none of our code. Takes the path of the note_exchange program, which
writes what is judged here and judges what is written here. Ends with 77 (skipped) where a module is missing.
"""

import base64
import hashlib
import random
import subprocess
import sys

try:
    import cbor2
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
except ImportError as error:
    print("skipped:", error)
    sys.exit(77)


def sha256(data):
    return hashlib.sha256(data).digest()


# ---- RFC 6962, section 2.1 ----

def leaf_hash(data):
    return sha256(b"\x00" + data)


def split(count):
    return 1 << (count - 1).bit_length() - 1


def root(leaves):
    if not leaves:
        return sha256(b"")
    if len(leaves) == 1:
        return leaves[0]
    k = split(len(leaves))
    return sha256(b"\x01" + root(leaves[:k]) + root(leaves[k:]))


def path(m, leaves):
    if len(leaves) == 1:
        return []
    k = split(len(leaves))
    if m < k:
        return path(m, leaves[:k]) + [root(leaves[k:])]
    return path(m - k, leaves[k:]) + [root(leaves[:k])]


def subproof(m, leaves, whole=True):
    if m == len(leaves):
        return [] if whole else [root(leaves)]
    k = split(len(leaves))
    if m <= k:
        return subproof(m, leaves[:k], whole) + [root(leaves[k:])]
    return subproof(m - k, leaves[k:], False) + [root(leaves[:k])]


# ---- C2SP ----

def key_of(seed):
    return Ed25519PrivateKey.from_private_bytes(seed).public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)


def sign(seed, text):
    return Ed25519PrivateKey.from_private_bytes(seed).sign(text.encode())


def verifies(key, signature, text):
    try:
        Ed25519PublicKey.from_public_bytes(key).verify(signature, text.encode())
        return True
    except InvalidSignature:
        return False


def key_id(name, kind, key):
    return sha256(name.encode() + b"\n" + bytes([kind]) + key)[:4]


def head_text(origin, size, tree_root):
    return f"{origin}\n{size}\n{base64.b64encode(tree_root).decode()}\n"


def cosigned_text(time, text):
    return f"cosignature/v1\ntime {time}\n{text}"


def line(name, kind, key, signature):
    return f"\N{EM DASH} {name} {base64.b64encode(key_id(name, kind, key) + signature).decode()}\n"


def write_note(text, name, seed, cosigner_name, cosigner_seed, time):
    cosignature = time.to_bytes(8, "big") + sign(cosigner_seed, cosigned_text(time, text))
    return (text + "\n" + line(name, 1, key_of(seed), sign(seed, text)) +
            line(cosigner_name, 4, key_of(cosigner_seed), cosignature))


def read_lines(note):
    """The text of a note and its signatures: (name, key id) -> signature."""
    text, _, lines = note.rpartition("\n\n")
    found = {}
    for one in lines.splitlines():
        dash, name, encoded = one.split(" ")
        assert dash == "\N{EM DASH}"
        signature = base64.b64decode(encoded, validate=True)
        found[name, signature[:4]] = signature[4:]
    return text + "\n", found


# ---- doc/PROTOCOL.md ----

def log_origin(channel, party, slot, incarnation):
    hashed = cbor2.dumps(["liaison log origin", channel, party, slot, incarnation], canonical=True)
    return "liaison/" + sha256(hashed)[:16].hex()


def cosigner_name(channel, party, slot):
    hashed = cbor2.dumps(["liaison cosigner", channel, party, slot], canonical=True)
    return "liaison/" + sha256(hashed)[:16].hex() + "/cosigner"


# ---- the exchange ----

def ask(*arguments, data=b""):
    arguments = [value.hex() if isinstance(value, bytes) else str(value) for value in arguments]
    done = subprocess.run([sys.argv[1], *arguments], input=data, stdout=subprocess.PIPE, timeout=60)
    assert done.returncode in (0, 1), f"{arguments}: {done.returncode}"
    return done.stdout.decode()


def judged(verdict, expected, what):
    assert verdict.split()[0] == expected, f"{what}: {verdict.strip()}, not {expected}"


def ours_are_read_here(chance):
    for leaves in (0, 1, 2, 7, 8, 100):
        seed, cosigner_seed, channel, party = (chance.randbytes(32) for _ in range(4))
        slot, cosigner_slot = chance.randrange(64), chance.randrange(64)
        incarnation, time = chance.choice((1, 23, 24, 300, 65535)), chance.randrange(2**33)
        note = ask("write", seed, cosigner_seed, channel, party, slot, incarnation, cosigner_slot, leaves, time)
        origin = log_origin(channel, party, slot, incarnation)
        name = cosigner_name(channel, party, cosigner_slot)
        text, signatures = read_lines(note)
        assert text == head_text(origin, leaves, root([leaf_hash(i.to_bytes(8, "big")) for i in range(leaves)]))
        assert len(signatures) == 2
        assert verifies(key_of(seed), signatures[origin, key_id(origin, 1, key_of(seed))], text)
        dated = signatures[name, key_id(name, 4, key_of(cosigner_seed))]
        assert int.from_bytes(dated[:8], "big") == time
        assert verifies(key_of(cosigner_seed), dated[8:], cosigned_text(time, text))
        assert note == write_note(text, origin, seed, name, cosigner_seed, time)


def notes_from_here_are_read(chance):
    for size in (0, 9, 2**32, 2**63):
        seed, cosigner_seed, tree_root = (chance.randbytes(32) for _ in range(3))
        time = chance.choice((0, 1795320225, 2**63 - 1))
        origin, name = "example.com/log", "witness.example/w1"
        text = head_text(origin, size, tree_root)
        note = write_note(text, origin, seed, name, cosigner_seed, time)
        known = ("open", origin, key_of(seed), name, key_of(cosigner_seed))
        verdict = ask(*known, data=note.encode())
        assert verdict == f"OK {size} {time} {tree_root.hex()}\n", verdict

        unknown = line("stranger", 6, bytes(32), chance.randbytes(2428))
        judged(ask(*known, data=(note + unknown).encode()), "OK", "a line of an unknown key")
        twice = line(name, 1, key_of(cosigner_seed), sign(cosigner_seed, text))
        judged(ask(*known, data=(note + twice).encode()), "MALFORMED", "a name that signs twice")
        other = head_text(origin, size ^ 1, tree_root) + note[len(text):]
        judged(ask(*known, data=other.encode()), "BAD_SIGNATURE" if size < 2**63 else "OUT_OF_RANGE", "another size")
        judged(ask(*known, data=note.encode()[:-1]), "MALFORMED", "a note without its end")
        judged(ask("open", origin, key_of(cosigner_seed), name, key_of(cosigner_seed), data=note.encode()),
               "NOT_FOUND", "another log key")


def proofs_from_here_are_judged(chance):
    leaves = [leaf_hash(bytes([i])) for i in range(70)]
    for _ in range(12):
        size = chance.randrange(2, len(leaves) + 1)
        index = chance.randrange(size)
        proof = cbor2.dumps(path(index, leaves[:size]), canonical=True)
        known = ("inclusion", index, size, leaves[index])
        judged(ask(*known, root(leaves[:size]), data=proof), "OK", f"leaf {index} of {size}")
        judged(ask(*known, root(leaves[:size - 1]), data=proof), "BAD_PROOF", f"leaf {index} of {size}")

        old = chance.randrange(1, size)
        proof = cbor2.dumps(subproof(old, leaves[:size]), canonical=True)
        known = ("consistency", old, size, root(leaves[:old]))
        judged(ask(*known, root(leaves[:size]), data=proof), "OK", f"{old} in {size}")
        judged(ask(*known, root(leaves[1:size + 1]), data=proof), "BAD_PROOF", f"{old} in {size}")


def evidence_from_here_is_judged(chance):
    seed, origin = chance.randbytes(32), "liaison/" + chance.randbytes(16).hex()
    known = ("evidence", origin, key_of(seed))
    one = [leaf_hash(bytes([i])) for i in range(40)]
    other = one[:10] + [leaf_hash(bytes([1, i])) for i in range(30)]

    def head(leaves, size):
        tree_root = root(leaves[:size])
        return [size, tree_root, sign(seed, head_text(origin, size, tree_root))]

    def evidence(shown, old, held, new):
        if old == new:
            return sorted([head(shown, old), head(held, new)])
        return [head(shown, old), head(held, new), [root(held[:old]), subproof(old, held[:new])]]

    for old, new in ((11, 11), (40, 40), (11, 12), (16, 40), (32, 33), (39, 40), (17, 31)):
        what = f"a fork at {old} and {new}"
        judged(ask(*known, data=cbor2.dumps(evidence(one, old, other, new), canonical=True)), "OK", what)
        if old == new:
            continue
        judged(ask(*known, data=cbor2.dumps(evidence(one, old, one, new), canonical=True)), "BAD_PROOF",
               f"no fork at {old} and {new}")
        spoiled = evidence(one, old, one, new)
        spoiled[2][0] = root(other[:old])
        judged(ask(*known, data=cbor2.dumps(spoiled, canonical=True)), "BAD_PROOF", f"a spoiled proof at {old}")


def main():
    chance = random.Random(6962)
    for test in (ours_are_read_here, notes_from_here_are_read, proofs_from_here_are_judged,
                 evidence_from_here_is_judged):
        test(chance)
        print("ok", test.__name__)


main()
