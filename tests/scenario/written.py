"""All that the programs write in CBOR, and whether python3-cbor2 writes the same bytes.

WRITTEN lists everything, with the sources that write it; test_wire.py catches each and hands it to a Written, which reads it,
writes it again in deterministic CBOR (RFC 8949, section 4.2.1), compares, looks into the byte strings that hold more, and
counts what it has seen. What is listed and was not seen, and a source that writes and is not listed, are failures.
"""

import collections
import pathlib
import re

import cbor2

from opener import bucket, encode, first_item
from post_shell import LINK_RECEIVED, LINK_SEND

# The post's rows whose values are not CBOR of their own: hashes, keys, nothing; COSE is looked at as what it is.
PLAIN_ROWS = {"HERE", "AGAIN", "CHANNEL_TAG", "FOLD", "TREE", "AHEAD", "ADVANCE", "SENT", "REQUEUE", "ACK_BY"}
COSE_ROWS, SEALED_ROWS = {"CARD_LETTER", "COSE"}, {"SEALED"}
# Which fields of a row hold CBOR, and what.
ROW_FIELDS = {
    "ENTRY": {1: "leaf", 11: "state times"}, "CHANNEL": {1: "terms"}, "RECEIPT": {3: "statement"}, "PREKEYS": {-1: "statement"},
    "STATEMENT": {19: "statement"}}
EVIDENCE_HEADS, EVIDENCE_ENTRY = 1, 2
SEALED_AT = {LINK_SEND: 5, LINK_RECEIVED: 4}  # base/link.h: which element holds sealed bytes
IS_FRAGMENT = 1  # RFC 9171, section 4.2.3
# The courier's rows that hold bytes as they came, a number, an id, or nothing.
COURIER_PLAIN_ROWS = {"WAITING", "BUNDLE", "TIMER", "SEEN", "FRAGMENT", "PAYLOAD", "SHARE"}
# What the codecs know and none of our programs writes.
LINK_NOT_WRITTEN, BLOCKS_NOT_WRITTEN = {"ROUTE_WANTED"}, {"INTEGRITY", "CONFIDENTIALITY"}
# Written where a post's disk is full: post_disk.py holds its bytes against cbor2's.
LINK_SEEN_ELSEWHERE = {"LEFT"}

SOURCE = pathlib.Path(__file__).parent.parent.parent


def named(names, prefix=""):
    return {f"{prefix}{name}" for name in names}


def numbered(path, pattern):
    """Number -> name, by a pattern over a file of ours without its comments: a number that is added there is expected here."""
    text = re.sub(r"/\*.*?\*/", "", (SOURCE / path).read_text(), flags=re.DOTALL)
    names = {ord(number[1]) if number[0] == "'" else int(number, 0): name for name, number in re.findall(pattern, text)}
    assert len(names) > 3, (path, pattern)
    return names


def enumerated(path, enum, prefix):
    body = re.search(rf"\benum {enum} \{{(.*?)\}}", (SOURCE / path).read_text(), re.DOTALL).group(1)
    return {int(number): name for name, number in re.findall(rf"\b{prefix}_(\w+) = (\d+)", body)}


LINK = enumerated("base/link.h", "link_type", "LINK")
VERBS = enumerated("base/local.h", "local_verb", "LOCAL")
NOTICES = enumerated("base/local.h", "local_notice", "LOCAL")
CONTENT = enumerated("envelope/content.h", "content_kind", "CONTENT")
LETTERS = enumerated("envelope/letter.h", "letter_kind", "LETTER")
STATEMENTS = enumerated("envelope/statement.h", "statement_kind", "STATEMENT")
BLOCKS = numbered("carry/bundle.h", r"\bBLOCK_(\w+) = (\d+)")
POST_ROWS = numbered("record/schema.h", r"\bTABLE_(\w+)\s*=\s*(0x[0-9a-f]{2})")
COURIER_ROWS = numbered("carry/queue_rows.c", r"#define TABLE_(\w+)\s+('.')")


# What is written, how it is caught, and the sources that write it.
WRITTEN = {
    "between post and courier: a recorder in between": (
        named(set(LINK.values()) - LINK_NOT_WRITTEN - LINK_SEEN_ELSEWHERE, "link "), ["base/link.c"]),
    "the local API, requests: a recorder between commands and post": (
        named(VERBS.values(), "request "),
        ["cli/client.c", "cli/submit.c", "cli/card.c", "cli/keying.c", "cli/channel_open.c", "cli/registry.c", "cli/entries.c",
         "cli/export.c", "post/request.c"]),
    "the local API, replies and notices: the same": (
        named(VERBS.values(), "reply ") | named(NOTICES.values(), "notice ") | {"error"},
        ["record/run.c", "record/query.c", "record/query_channel.c", "record/query_parties.c", "record/query_state.c",
         "record/query_status.c", "record/query_awaited.c", "record/query_gaps.c", "record/submit.c", "record/provision.c",
         "record/registry_apply.c"]),
    "bundles: recorders between couriers, on closed links and under TLS": (
        {"primary block", "primary block of a fragment"} | named(set(BLOCKS.values()) - BLOCKS_NOT_WRITTEN, "block ") | named(
            ("PREVIOUS_NODE", "AGE", "HOP_COUNT"), "data of block "),
        ["carry/bundle_write.c", "carry/eid.c"]),
    "sealed copies: handed over on the link, in the stores": (
        {"sealed", "sealed card"}, ["envelope/cose_seal.c"]),
    "what was sealed: opened with the receiver's keys": (
        {"wire entry", "wire returned", "wire statement"}, ["envelope/wire.c"]),
    "entries and letters: opened, exported, in cards and stores": (
        {"entry", "content", "leaf", "terms"} | named(CONTENT.values(), "content of a kind: ") | named(
            LETTERS.values(), "letter: "),
        ["envelope/cose_sign.c", "envelope/content.c", "envelope/letter.c", "envelope/terms.c", "envelope/fields.c"]),
    "statements, receipts among them: opened, exported, in cards and stores": (
        {"statement", *named(STATEMENTS.values(), "statement: ")}, ["envelope/statement.c", "envelope/merkle.c"]),
    "cards: exported, sealed and opened": (
        {"card"}, ["envelope/card.c"]),
    "keyings: the file that is carried, and what a post and a reserve are given": (
        {"keying", "keying packet"}, ["envelope/keying.c"]),
    "files of a party and of an officer: read, and opened with their passphrase": (
        {"secret file", "public part of an authority key", "public part of a successor key", "public part of an officer key",
         "public part of a reserved keying", "secret part of a reserved keying", "letters", "officers"},
        ["cli/secret_file.c", "cli/officer_key.c", "cli/party_directory.c", "cli/reserve.c"]),
    "files of a post: read": (
        {"post file", "anchor"}, ["envelope/post_file.c", "record/anchor.c"]),
    "rows of a post: read from its store": (
        {"state times", "equivocation"}, ["record/schema.c", "record/log.c", "envelope/equivocation.c"]),
    "rows of a courier: read from its queue": (
        named(set(COURIER_ROWS.values()) - COURIER_PLAIN_ROWS, "courier's row "), ["carry/queue_rows.c", "carry/queue_heads.c"]),
    # Never written, but signed, sealed, hashed or derived from: the test encodes these by cbor2 when it verifies signatures
    # with openssl, opens seals, recomputes heads and derives keys.
    "never written": (set(), ["envelope/aad.c", "envelope/checkpoint.c", "envelope/derive.c"]),
}

# Rows of the post that need weeks or a third party, or stand there for a moment only. One function writes them all
# (schema_write), from lists of fields; tests/unit/record reads each.
ROWS_NOT_PROVOKED = {"FORMER", "AGREED", "AWAITED", "PUBLISHED", "RETRY", "PLACE", "RETURNING"}


def writing_sources():
    """The sources of the programs that write CBOR."""
    folders = ("base", "envelope", "record", "carry", "post", "courier", "cli")
    return {
        f"{folder}/{path.name}" for folder in folders for path in (SOURCE / folder).glob("*.c")
        if path.name != "cbor_write.c" and re.search(r"\bcbor_write_\w+\(", path.read_text())}


class Written:
    def __init__(self):
        self.seen = collections.Counter()

    def same(self, kind, data):
        """The item that is all of `data`, which cbor2 writes in the same bytes."""
        item = cbor2.loads(data)
        assert encode(item) == data, f"{kind}: {data.hex()} is not what cbor2 writes of {item!r}"
        self.seen[kind] += 1
        return item

    # ---- content ----

    def entry(self, data):
        """COSE of an entry or letter; the kind of its content."""
        protected, unprotected, payload, signature = self.same("entry", data)
        assert unprotected == {} and len(signature) == 64 and protected == bytes.fromhex("a10127"), data.hex()
        content = self.same("content", payload)
        self.seen[f"content of a kind: {CONTENT[content[0]]}"] += 1
        if CONTENT[content[0]] == "LETTER":
            self.letter(content[5])
        return content[0]

    def letter(self, letter):
        kind, parameters = LETTERS[letter[0]], letter[5]
        self.seen[f"letter: {kind}"] += 1
        if kind == "OPENING":
            self.same("terms", parameters[1])
            for card_letter in parameters[3]:
                self.entry(card_letter)

    def statement(self, data, kind=None):
        """COSE of a statement; a number of STATEMENTS says which it must be, where that is known."""
        payload = self.same("statement", data)[2]
        # By the number of elements; "missing" has numbers where heads have a list.
        item = cbor2.loads(payload)
        found = {8: 1, 7: 3, 2: 4}.get(len(item)) or (2 if isinstance(item[2], list) else 5)
        assert kind in (None, found), (kind, item)
        self.same(f"statement: {STATEMENTS[found]}", payload)

    def sealed(self, data, posts):
        """A sealed copy; what it holds if one of `posts` (PostKeys) has its keys: ("entry", "returned" or "statement", kind), or
        None."""
        self.same("sealed", data)
        for post in posts:
            plain = post.open(data)
            if plain is not None:
                return self.wire(plain)
        return None

    @staticmethod
    def unpadded(plain):
        """The item at the front of what was sealed, and its size."""
        item, size = first_item(plain)
        assert plain[size:] == bytes(bucket(size) - size), plain.hex()
        return item, size

    def sealed_card(self, data, post):
        self.same("sealed card", data)
        plain = post.open_card(data)
        self.card(plain[:self.unpadded(plain)[1]])

    def wire(self, plain):
        item, size = self.unpadded(plain)
        if len(item) == 5:
            self.same("wire entry", plain[:size])
            return "entry", self.entry(encode(item[4]))
        if len(item) == 6:
            self.same("wire returned", plain[:size])
            return "returned", self.entry(encode(item[5]))
        self.same("wire statement", plain[:size])
        self.statement(encode(item[2]), item[1])
        return "statement", item[1]

    def card(self, data):
        item = self.same("card", data)
        for letter in item[2]:
            self.entry(encode(letter))
        for prekeys in item[3]:
            self.statement(encode(prekeys), 3)

    # ---- between programs ----

    def link(self, data, posts):
        """All that one end of a link has sent. What was opened of it."""
        opened = []
        for content in frames(data):
            kind = cbor2.loads(content)[0]
            message = self.same(f"link {LINK[kind]}", content)
            if kind in SEALED_AT:
                opened.append(self.sealed(message[SEALED_AT[kind]], posts))
        return opened

    def api(self, requests, replies):
        """What both ends of one connection to a post have said."""
        verbs = {}
        for content in frames(requests):
            number, verb, *arguments = cbor2.loads(content)
            verbs[number] = VERBS.get(verb)
            if verbs[number] is not None:
                self.same(f"request {verbs[number]}", content)
                self.arguments(verbs[number], arguments)
        for content in frames(replies):
            number, second, *results = cbor2.loads(content)
            if number == 0:
                self.same(f"notice {NOTICES[second]}", content)
            elif second != 0:
                self.same("error", content)
            else:
                self.same(f"reply {verbs[number]}", content)
                self.results(verbs[number], results)

    def arguments(self, verb, arguments):
        if verb == "SUBMIT":
            self.entry(arguments[1])
        elif verb == "KEYING_ACCEPT":
            self.same("keying packet", arguments[0])
        elif verb == "CARD_SEAL":
            self.card(arguments[0])

    def results(self, verb, results):
        if verb == "CARD_EXPORT":
            self.card(results[0])
        elif verb == "CARD_SEAL":
            self.same("sealed card", results[0])
        elif verb == "CHANNEL":
            self.same("terms", results[0])
        elif verb == "PARTIES":
            for party in results[0]:
                self.card(party[-1])
        elif verb == "EVIDENCE":
            for proof in results[0]:
                self.same("equivocation", proof[3])
        elif verb == "ENTRY":
            self.entry(results[1])
            self.same("leaf", results[2])
            if results[3] is not None:
                self.statement(results[3], 1)

    # ---- between couriers ----

    def bundle(self, data):
        """A bundle; its primary block and its payload."""
        assert data[:1] == b"\x9f" and data[-1:] == b"\xff", data.hex()  # RFC 9171, section 4.1
        blocks = cbor2.loads(data)
        assert b"\x9f" + b"".join(map(encode, blocks)) + b"\xff" == data, data.hex()
        self.seen["primary block of a fragment" if blocks[0][1] & IS_FRAGMENT else "primary block"] += 1
        for block in blocks[1:]:
            self.seen[f"block {BLOCKS[block[0]]}"] += 1
            if BLOCKS[block[0]] != "PAYLOAD":
                self.same(f"data of block {BLOCKS[block[0]]}", block[4])
        return blocks[0], blocks[-1][4]

    # ---- stores ----

    def post_rows(self, rows, posts):
        for key, value in rows:
            table = POST_ROWS[key[0]]
            if table in PLAIN_ROWS:
                continue
            if table in COSE_ROWS:
                self.entry(value)
                continue
            if table in SEALED_ROWS:
                self.sealed(value, posts)
                continue
            item = self.same(f"row {table}", value)
            for field, what in ROW_FIELDS.get(table, {}).items():
                self.field(what, item[field])
            if table == "EVIDENCE" and item[0] == EVIDENCE_ENTRY:
                self.entry(item[4])
            elif table == "EVIDENCE":
                assert item[0] == EVIDENCE_HEADS, item
                self.same("equivocation", item[4])

    def field(self, what, value):
        if value == b"":
            return  # there is none
        if what == "statement":
            self.statement(value)
        else:
            self.same(what, value)

    def courier_rows(self, rows):
        for key, value in rows:
            table = COURIER_ROWS[key[0]]
            if table not in COURIER_PLAIN_ROWS:
                self.same(f"courier's row {table}", value)

    # ---- what is missing ----

    def expected(self):
        listed = set().union(*(kinds for kinds, _ in WRITTEN.values()))
        rows = set(POST_ROWS.values()) - PLAIN_ROWS - COSE_ROWS - SEALED_ROWS - ROWS_NOT_PROVOKED
        return listed | named(rows, "row ")

    def not_listed(self):
        """Sources that write CBOR and stand in no line of WRITTEN, and lines that name others."""
        listed = {path for _, paths in WRITTEN.values() for path in paths}
        return listed ^ writing_sources()


def frames(raw):
    """The contents of whole frames: u32 size, content."""
    while len(raw) >= 4 and len(raw) >= 4 + int.from_bytes(raw[:4], "big"):
        size = int.from_bytes(raw[:4], "big")
        yield raw[4:4 + size]
        raw = raw[4 + size:]
