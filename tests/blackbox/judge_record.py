"""One side's export of one channel, read and checked with nothing but doc/PROTOCOL.md, python3-cbor2 and python3-cryptography.

Nothing here is of the line's code, nor of its other tests: who judges must not share their mistakes.
"""

import base64
import functools
import hashlib

import cbor2
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

MESSAGE, ACKNOWLEDGMENT, LETTER, VERDICT, INCARNATION = 1, 2, 3, 4, 5
FOUNDING, POST, OPENING, CREDENCE = 1, 2, 3, 4
ALGORITHM = bytes.fromhex("a10127")
SLOTS = 64


def sha256(*parts):
    return hashlib.sha256(b"".join(parts)).digest()


def encode(value):
    return cbor2.dumps(value, canonical=True)


def decode(data, what):
    """One item that is the whole of `data`, in deterministic form; ValueError otherwise."""
    try:
        value = cbor2.loads(data)
    except Exception as error:
        raise ValueError(f"{what} is not CBOR: {error}") from None
    if encode(value) != data:
        raise ValueError(f"{what} is not deterministic CBOR")
    return value


@functools.lru_cache(maxsize=65_536)
def is_signed(key, signature, data):
    try:
        Ed25519PublicKey.from_public_bytes(key).verify(signature, data)
    except (InvalidSignature, ValueError):
        return False
    return True


def root_of(hashes):
    """Of leaf hashes: RFC 6962, section 2.1."""
    if not hashes:
        return sha256()
    if len(hashes) == 1:
        return hashes[0]
    split = 1 << (len(hashes) - 1).bit_length() - 1
    return sha256(b"\1", root_of(hashes[:split]), root_of(hashes[split:]))


class Entry:
    """One entry: where it stands, what was signed, and what its leaf says."""

    def __init__(self, exported, record):
        self.log, self.incarnation, self.position = (exported[name] for name in ("log", "incarnation", "position"))
        self.reference = exported["reference"]
        self.key = self.log, self.incarnation, self.position
        self.where = f"log {self.log}, incarnation {self.incarnation}, position {self.position}"
        self.sender = record.roster[self.log // SLOTS]
        self.leaf_bytes, self.cose = bytes.fromhex(exported["leaf"]), bytes.fromhex(exported["cose"])
        self.receipt = bytes.fromhex(exported["receipt"])
        position, self.identity, self.signatures_hash, heads = decode(self.leaf_bytes, f"the leaf at {self.where}")
        self.heads = list(zip(heads[0::3], heads[1::3], heads[2::3], strict=True))
        self.kind = None
        if position != self.position:
            raise ValueError(f"{self.where}: its leaf is of position {position}")
        if self.cose:
            self.read_content(record.aad("liaison entry", self.sender))

    def read_content(self, aad):
        self.protected, unprotected, self.payload, self.signature = decode(self.cose, f"what is signed at {self.where}")
        if unprotected != {} or self.protected not in (ALGORITHM, b""):
            raise ValueError(f"{self.where}: another form of COSE")
        if sha256(encode([aad, self.payload])) != self.identity:
            raise ValueError(f"{self.where}: the leaf names another content than the one that is there")
        if sha256(encode(self.signature)) != self.signatures_hash:
            raise ValueError(f"{self.where}: the leaf names other signatures than those that are there")
        content = decode(self.payload, f"the content at {self.where}")
        self.kind, self.precedence, self.signers, self.registry, self.id, self.body = content

    def signatures(self, aad):
        """Pairs of the signature and the bytes that it is made over, one for each signer."""
        if self.protected == ALGORITHM:
            return [(self.signature, encode(["Signature1", ALGORITHM, aad, self.payload]))]
        signed = encode(["Signature", b"", ALGORITHM, aad, self.payload])
        return [(signature, signed) for header, empty, signature in self.signature]


class Keys:
    """What a party's own letters on the channel say: its authority, its posts, its officers."""

    def __init__(self, party):
        self.party = party
        self.authority = None
        self.posts = {}  # slot -> name, statement key, log key, cosigner key
        self.officers = {}

    def take_opening(self, parameters):
        """The card in it is signed by the authority whose key the party's id is the hash of."""
        parties, terms, nonce, card, posts = parameters
        aad = encode(["liaison entry", b"", self.party, []])
        named = {}
        for cose in card:
            protected, unprotected, payload, signature = decode(cose, "a letter of a card")
            letter_kind, _, _, _, _, facts, *_ = decode(payload, "a letter's content")[5]
            if letter_kind == FOUNDING:
                self.authority = facts[1]
                if sha256(self.authority) != self.party:
                    raise ValueError("a founding letter is of another party")
            if self.authority is None or not is_signed(self.authority, signature, encode(["Signature1", protected, aad, payload])):
                raise ValueError("a letter of a card is not signed by the party's authority")
            if letter_kind == POST:
                named[facts[0]] = facts[2], facts[4]
        for slot, log_key, cosigner_key in posts:
            self.posts[slot] = (*named[slot], log_key, cosigner_key)
        return parties, terms, nonce


class Record:
    """One export. `problems`: what does not hold in it, in sentences."""

    def __init__(self, export, side):
        self.side, self.export = side, export
        self.channel = bytes.fromhex(export["channel"])
        self.roster = [bytes.fromhex(party) for party in export["roster"]]
        self.problems = []
        self.signatures = self.receipts = 0
        self.entries = {}
        self.keys = {party: Keys(party) for party in self.roster}
        for exported in export["entries"]:
            try:
                entry = Entry(exported, self)
            except (ValueError, TypeError, KeyError, IndexError) as error:
                self.object(f"an entry is not of the form: {error}")
                continue
            if entry.key in self.entries:
                self.object(f"{entry.where} is there twice")
            self.entries[entry.key] = entry

    def object(self, problem):
        self.problems.append(f"{self.side}'s export: {problem}")

    def aad(self, context, sender):
        return encode([context, self.channel, sender, sorted(party for party in self.roster if party != sender)])

    def check(self):
        self.read_letters()
        for entry in self.entries.values():
            if entry.kind is not None:
                self.check_signatures(entry)
        self.check_heads()
        self.check_incarnations()
        for entry in self.entries.values():
            if entry.receipt:
                self.check_receipt(entry)
        if self.export["equivocations"]:
            self.object("somebody is accused of two stories")

    # ---- who may sign ----

    def letters(self):
        return [entry for _, entry in sorted(self.entries.items()) if entry.kind == LETTER]

    def read_letters(self):
        """Openings first: they bring the keys that all else is checked with."""
        for entry in self.letters():
            if entry.body[0] == OPENING:
                try:
                    parties, terms, nonce = self.keys[entry.sender].take_opening(entry.body[5])
                except (ValueError, KeyError) as error:
                    self.object(f"{entry.where}: {error}")
                    continue
                if parties != self.roster or sha256(encode(["liaison channel", parties, terms, nonce])) != self.channel:
                    self.object(f"{entry.where} opens another channel")
        for entry in self.letters():
            if entry.body[0] == CREDENCE:
                number, _, _, key, _ = entry.body[5]
                self.keys[entry.sender].officers[number] = key
        for party, keys in self.keys.items():
            if not keys.posts:
                self.object(f"party {party.hex()[:8]} has not opened the channel")

    def signing_keys(self, entry):
        keys = self.keys[entry.sender]
        if entry.signers is None:
            return [keys.posts[entry.log % SLOTS][1]] if entry.kind in (VERDICT, INCARNATION) else []
        if entry.signers == 0:
            return [keys.authority] if entry.kind == LETTER else []
        if entry.kind not in (MESSAGE, ACKNOWLEDGMENT):
            return []
        return [keys.officers.get(number) for number in ([entry.signers] if isinstance(entry.signers, int) else entry.signers)]

    def check_signatures(self, entry):
        try:
            keys = self.signing_keys(entry)
        except KeyError:
            keys = []
        signatures = entry.signatures(self.aad("liaison entry", entry.sender))
        if not keys or len(keys) != len(signatures) or not all(
                key and is_signed(key, *signature) for key, signature in zip(keys, signatures)):
            self.object(f"{entry.where} is not signed by who may sign it")
        self.signatures += len(signatures)

    # ---- trees ----

    def positions(self, log, incarnation):
        return sorted(position for a, b, position in self.entries if (a, b) == (log, incarnation))

    def incarnations(self, log):
        return sorted({incarnation for a, incarnation, _ in self.entries if a == log})

    def root(self, log, incarnation, size):
        """Recomputed from the leaves; None where one is missing."""
        hashes = []
        for position in range(size):
            entry = self.entries.get((log, incarnation, position))
            if entry is None:
                return None
            hashes.append(sha256(b"\0", entry.leaf_bytes))
        return root_of(hashes)

    def origin(self, log, incarnation):
        party = self.roster[log // SLOTS]
        return "liaison/" + sha256(encode(["liaison log origin", self.channel, party, log % SLOTS, incarnation]))[:16].hex()

    def check_heads(self):
        for head in self.export["logs"]:
            where = f"the head of log {head['log']}, incarnation {head['incarnation']}"
            try:
                self.check_head(head, where)
            except (ValueError, TypeError, KeyError, IndexError) as error:
                self.object(f"{where} is not of the form: {error!r}")
        newest = {(log, self.incarnations(log)[-1]) for log, _, _ in self.entries}
        for log, incarnation in newest - {(head["log"], head["incarnation"]) for head in self.export["logs"]}:
            self.object(f"log {log}, incarnation {incarnation} has no head")

    def check_head(self, head, where):
        log, incarnation, size, root = head["log"], head["incarnation"], head["size"], bytes.fromhex(head["root"])
        _, _, log_key, _ = self.keys[self.roster[log // SLOTS]].posts[log % SLOTS]
        origin = self.origin(log, incarnation)
        text = f"{origin}\n{size}\n{base64.b64encode(root).decode()}\n"
        if (origin, log_key.hex()) != (head["origin"], head["log_key"]):
            self.object(f"{where} has another origin or key than the letters give it")
        if not is_signed(log_key, bytes.fromhex(head["signature"]), text.encode()):
            self.object(f"{where} is not signed by its log's key")
        recomputed = self.root(log, incarnation, size)
        if recomputed is not None and recomputed != root:
            self.object(f"{where} is not that of its entries")
        self.signatures += 1
        lines = text + "\n" + self.note_line(origin, 1, log_key, bytes.fromhex(head["signature"]))
        if "cosignature" in head:
            lines += self.check_cosignature(head, where, text)
        if head.get("note") != lines:
            self.object(f"{where}: its note is another")

    def check_cosignature(self, head, where, text):
        """The line of a note that it makes. No post cosigns its own log."""
        cosigned = f"cosignature/v1\ntime {head['cosigned_at']}\n{text}".encode()
        signature = bytes.fromhex(head["cosignature"])
        self.signatures += 1
        for party, keys in self.keys.items():
            for slot, (_, _, _, cosigner_key) in keys.posts.items():
                name = "liaison/" + sha256(encode(["liaison cosigner", self.channel, party, slot]))[:16].hex() + "/cosigner"
                if (name, cosigner_key.hex()) == (head["cosigner"], head["cosigner_key"]):
                    if party == self.roster[head["log"] // SLOTS]:
                        self.object(f"{where} is cosigned by its own post")
                    if not is_signed(cosigner_key, signature, cosigned):
                        self.object(f"{where} bears a cosignature that does not verify")
                    return self.note_line(name, 4, cosigner_key, head["cosigned_at"].to_bytes(8, "big") + signature)
        self.object(f"{where} is cosigned by nobody's key")
        return ""

    @staticmethod
    def note_line(name, kind, key, signature):
        key_id = sha256(name.encode(), b"\n", bytes([kind]), key)[:4]
        return f"\u2014 {name} {base64.b64encode(key_id + signature).decode()}\n"

    def check_incarnations(self):
        """The first entry of each later one, and no other entry, names the last head that was held of one before."""
        for (log, incarnation, position), entry in self.entries.items():
            if (entry.kind == INCARNATION) != (incarnation > 1 and position == 0):
                self.object(f"{entry.where}: an incarnation begins where none does, or none where one does")
            elif entry.kind == INCARNATION:
                _, previous, size, root = entry.body
                recomputed = self.root(log, previous, size)
                if previous >= incarnation or (recomputed is not None and recomputed != root):
                    self.object(f"{entry.where}: it does not follow the incarnation that it names")

    # ---- receipts ----

    def check_receipt(self, entry):
        """Of another party's post, and for the very entries that are there."""
        try:
            protected, unprotected, payload, signature = decode(entry.receipt, "a receipt")
            by, log, incarnation, held, refused, digest, _, _ = decode(payload, "a receipt's content")
            sender = self.roster[by // SLOTS]
            key = self.keys[sender].posts[by % SLOTS][1]
            ranges = list(zip(held[0::2], held[1::2], strict=True)), list(zip(refused[0::3], refused[1::3], strict=True))
        except (ValueError, KeyError, IndexError, TypeError) as error:
            self.object(f"{entry.where}: its receipt is not of the form: {error!r}")
            return
        self.receipts += 1
        self.signatures += 1
        aad = self.aad("liaison receipt", sender)
        if sender == entry.sender or not is_signed(key, signature, encode(["Signature1", ALGORITHM, aad, payload])):
            self.object(f"{entry.where}: its receipt is not signed by another party's post")
        named = [(log, incarnation, position) for part in ranges for first, count in part
                 for position in range(first, first + count)]
        if entry.key not in named:
            self.object(f"{entry.where}: its receipt is for others")
        entry.is_receipted_as_held = any(first <= entry.position < first + count for first, count in ranges[0])
        if all(key in self.entries for key in named):
            pairs = b"".join(encode([key[2], self.entries[key].identity]) for key in named)
            if sha256(pairs) != digest:
                self.object(f"{entry.where}: its receipt is for other bytes")
