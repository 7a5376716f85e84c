#!/usr/bin/python3
"""Checks the worked examples of doc/PROTOCOL.md, written from that page and with none of our code.

usage: check_examples.py PROGRAM PROTOCOL.md error.h [--write]

PROGRAM (built from show_examples.c) prints what envelope/ makes. Each of its examples must stand in the page
as it is, be deterministic CBOR to python3-cbor2, and follow from the fixed keys and the rules of the page as
they are written again here. With --write the page's examples are brought up to date first. Prints TAP.
"""

import base64
import hashlib
import re
import subprocess
import sys

import cbor2
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

TIME = 1795320300
NOT_CBOR = {"alliance party id", "federation party id", "channel id", "registry version",
            "identity of the message", "leaf hash", "wire entry, padded", "wire returned entry, padded"}
HEX_COLUMNS = 96
PROTECTED = bytes.fromhex("a10127")  # {1: -8}


def sha256(*parts):
    return hashlib.sha256(b"".join(parts)).digest()


def encode(value):
    return cbor2.dumps(value, canonical=True)


def public(byte):
    key = Ed25519PrivateKey.from_private_bytes(bytes([byte]) * 32).public_key()
    return key.public_bytes(Encoding.Raw, PublicFormat.Raw)


def prekey(byte):
    key = X25519PrivateKey.from_private_bytes(bytes([byte]) * 32).public_key()
    return key.public_bytes(Encoding.Raw, PublicFormat.Raw)


def signed_by(byte, signature, data):
    try:
        Ed25519PublicKey.from_public_bytes(public(byte)).verify(signature, data)
    except InvalidSignature:
        return False
    return True


ALLIANCE, FEDERATION = sha256(public(0x01)), sha256(public(0x02))
ROSTER = sorted([ALLIANCE, FEDERATION])
OTHERS = {ALLIANCE: [FEDERATION], FEDERATION: [ALLIANCE]}
HEADQUARTERS_LOG, EMBASSY_LOG = ROSTER.index(ALLIANCE) * 64, ROSTER.index(FEDERATION) * 64


class Examples:
    """What the program printed, and the checks of it; each yields what must hold."""

    def __init__(self, lines):
        self.all = dict(line.split(" = ") for line in lines)
        self.all = {name: bytes.fromhex(value) for name, value in self.all.items()}
        self.channel = self["channel id"]

    def __getitem__(self, name):
        return self.all[name]

    def aad(self, context, channel, sender, recipients):
        return encode([context, channel, sender, recipients])

    def entry_aad(self):
        return self.aad("liaison entry", self.channel, FEDERATION, [ALLIANCE])

    def card_aad(self):
        return self.aad("liaison entry", b"", FEDERATION, [])

    def is_signed(self, name, aad, payload, key):
        protected, unprotected, held, signature = cbor2.loads(self[name])
        structure = encode(["Signature1", protected, aad, held])
        return (protected, unprotected, held) == (PROTECTED, {}, payload) and \
            signed_by(key, signature, structure)

    def parties_and_channel(self):
        yield self["alliance party id"] == ALLIANCE and self["federation party id"] == FEDERATION
        yield cbor2.loads(self["terms"]) == {1: 1, 2: "The emergency line", 3: 65536, 4: 200, 5: 60,
                                             6: 1209600, 7: [21600, 10800, 1800, 600]}
        yield self.channel == sha256(encode(["liaison channel", ROSTER, self["terms"], b"\x21" * 16]))
        yield self["aad of an entry"] == self.entry_aad()

    def message(self):
        registry = self["registry version"]
        text = "Exercise ends at 0600Z.\nPlease confirm that your side has been told."
        payload = encode([1, 4, 1, registry, b"\x36" * 16, [TIME, text, {1: "Exercise", 3: TIME + 1800}]])
        yield self["message content"] == payload
        yield self["identity of the message"] == sha256(encode([self.entry_aad(), payload]))
        yield self["bytes signed"] == encode(["Signature1", PROTECTED, self.entry_aad(), payload])
        yield self.is_signed("message, signed", self.entry_aad(), payload, 0x0c)

    def message_of_two(self):
        identity = self["identity of the message"]
        options = {2: [identity, b"\x42" * 32], 4: b"\x42" * 32}
        body = [TIME + 60, "Both of us.", options]
        payload = encode([1, 1, [1, 2], self["registry version"], b"\x37" * 16, body])
        yield self["message content of two"] == payload
        protected, unprotected, held, signers = cbor2.loads(self["message, signed by two"])
        yield (protected, unprotected, held, len(signers)) == (b"", {}, payload, 2)
        for (header, empty, signature), key in zip(signers, (0x0c, 0x0d)):
            structure = encode(["Signature", b"", PROTECTED, self.entry_aad(), payload])
            yield (header, empty) == (PROTECTED, {}) and signed_by(key, signature, structure)

    def other_contents(self):
        zeros = bytes(8)
        yield self["acknowledgment content"] == encode(
            [2, 1, 1, zeros, b"\x38" * 16,
             [TIME + 120, self["identity of the message"], "Not yet by the principal"]])
        yield self["verdict content"] == encode(
            [4, 1, None, zeros, b"\x39" * 16,
             [TIME + 5, [[0, 1, 0, 3, 0], [0, 1, 3, 1, 71], [64, 2, 0, 1, 0]]]])
        yield self["incarnation content"] == encode(
            [5, 1, None, zeros, b"\x3a" * 16, [TIME, 1, 40, b"\x43" * 32]])

    def letter(self, id_byte, *letter):
        return encode([3, 1, 0, bytes(8), bytes([id_byte]) * 16, list(letter)])

    def card_letters(self):
        founding = self.letter(0x31, 1, TIME - 86400, 0, None, None,
                               ["Federation", public(0x02), sha256(public(0x04))])
        yield self["founding content"] == founding
        yield self.is_signed("founding letter", self.card_aad(), founding, 0x02)
        previous = sha256(encode([self.card_aad(), founding]))
        post = self.letter(0x32, 2, TIME - 86400, 1, previous, None,
                           [0, 2, "Embassy", "dtn://embassy.federation/", public(0x06), b"\x41" * 32])
        yield self["post content"] == post
        yield self.is_signed("post letter", self.card_aad(), post, 0x02)

    def channel_letters(self):
        card = [self["founding letter"], self["post letter"]]
        opening = self.letter(0x33, 3, TIME - 86400, 0, None, None,
                              [ROSTER, self["terms"], b"\x21" * 16, card, [[0, public(0x08), public(0x0a)]]])
        yield self["opening content"] == opening
        yield self.is_signed("opening letter", self.entry_aad(), opening, 0x02)
        previous = sha256(encode([self.entry_aad(), opening]))
        credence = self.letter(0x34, 4, TIME - 86400, 1, previous, None,
                               [1, "A. Petrov", "Watch officer", public(0x0c), {1: 4}])
        yield self["credence content"] == credence
        previous = sha256(encode([self.entry_aad(), credence]))
        yield self["agrement content"] == self.letter(
            0x35, 5, TIME - 86400, 2, previous, None, [ROSTER.index(ALLIANCE), [1, 300]],
            {2: "As agreed on 20 November.", 4: TIME + 31536000})
        yield self["registry version"] == sha256(previous)[:8]

    def leaf_and_wire(self):
        heads = [HEADQUARTERS_LOG, 1, 7]
        cose = self["message, signed"]
        fourth = encode(cbor2.loads(cose)[3])
        leaf = encode([0, self["identity of the message"], sha256(fourth), heads])
        yield self["leaf"] == leaf
        yield self["leaf hash"] == sha256(b"\0", leaf)
        item = encode([self.channel[:2], 1, 0, heads, cbor2.loads(cose)])
        yield self["wire entry, padded"] == item + bytes(-len(item) % 16) and len(item) < 1024
        item = encode([self.channel[:2], EMBASSY_LOG, 1, 0, heads, cbor2.loads(cose)])
        yield self["wire returned entry, padded"] == item + bytes(-len(item) % 16) and len(item) < 1024
        yield self["seal info"] == encode(["liaison seal", FEDERATION, 0, public(0x06), ALLIANCE, 0,
                                           public(0x05), 20])

    def receipt(self):
        digest = sha256(encode([0, self["identity of the message"]]), encode([1, b"\x44" * 32]))
        receipt = encode([HEADQUARTERS_LOG, EMBASSY_LOG, 1, [0, 1], [1, 1, 69], digest,
                          self["registry version"], TIME + 2])
        yield self["receipt"] == receipt
        yield self.is_signed("receipt, signed",
                             self.aad("liaison receipt", self.channel, ALLIANCE, [FEDERATION]), receipt, 0x05)

    def checkpoint(self, party, size, root):
        origin = "liaison/" + sha256(encode(["liaison log origin", self.channel, party, 0, 1]))[:16].hex()
        return "%s\n%d\n%s\n" % (origin, size, base64.b64encode(root).decode())

    def heads(self):
        by, time, (own, other), (old_size, proof) = cbor2.loads(self["heads"])
        root = sha256(b"\1", self["leaf hash"], b"\x45" * 32)
        yield (by, time, old_size, proof) == (EMBASSY_LOG, TIME + 60, 1, [b"\x45" * 32])
        yield own[:4] == [EMBASSY_LOG, 1, 2, root] and len(own) == 5
        yield signed_by(0x08, own[4], self.checkpoint(FEDERATION, 2, root).encode())
        yield other[:4] == [HEADQUARTERS_LOG, 1, 7, b"\x46" * 32] and other[5] == time
        text = self.checkpoint(ALLIANCE, 7, b"\x46" * 32)
        yield signed_by(0x07, other[4], text.encode())
        yield signed_by(0x0a, other[6], ("cosignature/v1\ntime %d\n" % time + text).encode())
        yield self.is_signed("heads, signed", self.aad("liaison heads", self.channel, FEDERATION, [ALLIANCE]),
                             self["heads"], 0x06)

    def missing(self):
        missing = encode([EMBASSY_LOG, HEADQUARTERS_LOG, 1, [7, 2, 10, 2**32 - 10]])
        yield self["missing"] == missing
        yield self.is_signed("missing, signed", self.aad("liaison missing", self.channel, FEDERATION, [ALLIANCE]),
                             missing, 0x06)

    def prekeys_and_card(self):
        prekeys = encode([0, 1, 20, TIME - 300, 604800, [prekey(0x11), prekey(0x12)], prekey(0x13)])
        yield self["prekeys"] == prekeys
        aad = self.aad("liaison prekeys", b"", FEDERATION, [])
        yield self.is_signed("prekeys, signed", aad, prekeys, 0x06)
        letters = [cbor2.loads(self[name]) for name in ("founding letter", "post letter")]
        yield self["card"] == encode(["liaison card", 1, letters, [cbor2.loads(self["prekeys, signed"])],
                                      [[0, "198.51.100.7:4556"]]])
        yield self["cannot open"] == encode([0, [b"\x47" * 32]])
        aad = self.aad("liaison cannot open", b"", FEDERATION, [ALLIANCE])
        yield self.is_signed("cannot open, signed", aad, self["cannot open"], 0x06)

    def deterministic(self):
        for name, value in self.all.items():
            if name not in NOT_CBOR:
                yield encode(cbor2.loads(value)) == value


# ---- the page ----

BLOCK = re.compile(r"^    ([a-z][a-z ,]*) =\n((?:      [0-9a-f]+\n)+)", re.MULTILINE)


def block(name, value):
    digits = value.hex()
    lines = [digits[i:i + HEX_COLUMNS] for i in range(0, len(digits), HEX_COLUMNS)]
    return "    %s =\n" % name + "".join("      %s\n" % line for line in lines)


def write_page(path, examples):
    with open(path, encoding="utf-8") as page:
        text = page.read()
    text = BLOCK.sub(lambda match: block(match[1], examples.all[match[1]]) if match[1] in examples.all
                     else match[0], text)
    with open(path, "w", encoding="utf-8") as page:
        page.write(text)


def page_holds(path, examples):
    """Every example stands in the page, once, as it is."""
    with open(path, encoding="utf-8") as page:
        found = [(match[1], match[0]) for match in BLOCK.finditer(page.read())]
    for name, value in examples.all.items():
        yield [text for known, text in found if known == name] == [block(name, value)]


def reasons_agree(path, header):
    """The reasons of section 9 are those of the error table."""
    with open(header, encoding="utf-8") as source:
        table = re.findall(r'X\((REFUSED_[A-Z]+), (\d+), "([^"]*)"\)', source.read())
    with open(path, encoding="utf-8") as page:
        listed = re.findall(r"^\| (\d+) \| (REFUSED_[A-Z]+) \| (.*) \|$", page.read(), re.MULTILINE)
    yield len(table) > 0
    yield [(number, name, text) for name, number, text in table] == listed


def main():
    program, page, header = sys.argv[1:4]
    output = subprocess.run([program], stdout=subprocess.PIPE, check=True, encoding="ascii").stdout
    examples = Examples(output.splitlines())
    if sys.argv[4:] == ["--write"]:
        write_page(page, examples)
    checks = [examples.parties_and_channel, examples.message, examples.message_of_two,
              examples.other_contents, examples.card_letters, examples.channel_letters,
              examples.leaf_and_wire, examples.receipt,
              examples.heads, examples.missing, examples.prekeys_and_card, examples.deterministic,
              lambda: page_holds(page, examples), lambda: reasons_agree(page, header)]
    names = [check.__name__ for check in checks[:-2]] + ["page_holds", "reasons_agree"]
    print("1..%d" % len(checks))
    failed = 0
    for number, (name, check) in enumerate(zip(names, checks), 1):
        results = list(check())
        good = len(results) > 0 and all(results)
        failed += not good
        wrong = "" if good else " (wrong: %s)" % [i for i, result in enumerate(results) if not result]
        print("%s %d - %s%s" % ("ok" if good else "not ok", number, name.replace("_", " "), wrong))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
