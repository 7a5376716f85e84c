"""What stock tools say of the bytes that we write: usage: test_wire.py BUILD

tshark decodes the sessions of two real lines' couriers, on closed links and under TLS, with a message and its receipt in each;
openssl verifies an exported entry from the bytes that doc/PROTOCOL.md names; python3-cbor2 reads everything that the programs
write (written.py lists it) and writes the same bytes again.

A line is set up and used with recorders between all its programs, and led into what happens seldom: bundles in fragments and by
a relay, copies that do not open, a post restored from a backup, a log that forks.
"""

import base64
import collections
import concurrent.futures
import contextlib
import json
import pathlib
import shutil
import sqlite3
import subprocess
import sys

import cbor2
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from capture import CLIENT, CONTACT_HEADER_SIZE, SERVER, Recorder, complaints, decrypted, refusals, transfers, values, write_capture
from courier_world import has_test_hooks
from line import SCENARIO, Daemon, Line, free_port, wait_for
from officer import encode, open_secret_file, passphrase_of, signing_aad
from opener import PostKeys, rows_of
from post_shell import LINK_RECEIVED, LINK_SEND, LINK_TAKEN, Client, Skip, run_tests
from written import CONTENT, IS_FRAGMENT, POST_ROWS, SEALED_AT, STATEMENTS, VERBS, Written, frames

sys.path.append(str(SCENARIO.parent))
from envelope_differential import expand, raw  # noqa: E402: it lies one folder up

ED25519_PREFIX = bytes.fromhex("302a300506032b6570032100")  # SubjectPublicKeyInfo, RFC 8410
SESSION_TERMINATING = "6"  # XFER_REFUSE, RFC 9174 5.2.4
RELAY_NODE = "ipn:3003.0"
LONG = "A long text, which goes in fragments.\n" * 900  # 33 kB
MESSAGE, RECEIPT, RETURNED = ("entry", 1), ("statement", 1), ("returned", 1)
HEADS_STATEMENT = 2
ANCHOR_SLOTS, ANCHOR_SLOT_SIZE, ANCHOR_HEAD_SIZE = 2, 16384, 24  # post/anchor_file.h


class Wire:
    """The line with its recorders, and what was taken down from disks on the way."""

    def __init__(self, build):
        self.links, self.apis = [], {}
        self.posts = {}  # side's name -> PostKeys
        self.rows = []  # (row of a post, in a snapshot)
        self.courier_rows = []
        self.files = collections.defaultdict(list)
        self.keys = None
        self.line = Line(build, fresh=True, prepare=self.prepare)
        self.written = Written()

    def prepare(self, line):
        self.line = line
        for side in line.sides:
            side.link_socket = line.folder / f"{side.name}-link.sock"
            side.api_folder = line.folder / f"{side.name}-api"
            side.api_folder.mkdir()
            side.use_post(side.post_folder)
            self.links.append(Recorder.unix(side.link_socket, lambda side=side: side.path("courier.sock")))
            self.apis[side.name] = Recorder.unix(side.api_folder / "post.sock", lambda side=side: side.path("post.sock"))
            self.posts[side.name] = PostKeys()
        self.between = Recorder.tcp(lambda: line.federation.port)
        line.alliance.dialed_port = self.between.port
        if has_test_hooks(line.programs["liaison-courierd"]):
            self.keys = line.folder / "keys.log"
            line.alliance.courier_lines.append(f"keylog {self.keys}")

    def take_down(self):
        """What stands on the disks of both sides; the daemons are down."""
        for side in self.line.sides:
            rows = rows_of(side.path("store.db"))
            self.posts[side.name].add(rows)
            self.rows += rows
            self.courier_rows += rows_of(side.courier_folder / "queue.db")
            anchor = pathlib.Path(side.path("anchor")).read_bytes()
            for slot in range(ANCHOR_SLOTS):
                data = anchor[slot * ANCHOR_SLOT_SIZE:]
                size = int.from_bytes(data[12:16], "big")
                if data[:8] == b"liaisonA":
                    self.files["anchor"].append(data[ANCHOR_HEAD_SIZE:ANCHOR_HEAD_SIZE + size])

    def on_links(self, kind, end):
        """All sealed bytes in messages of that kind between posts and couriers."""
        return {
            message[SEALED_AT[kind]] for recorder in self.links for connection in list(recorder.connections)
            for message in map(cbor2.loads, frames(recorder.heard(connection, end))) if message[0] == kind}

    def sent(self):
        return self.on_links(LINK_SEND, SERVER)

    def delivered(self):
        return self.on_links(LINK_RECEIVED, CLIENT)

    @contextlib.contextmanager
    def watching(self, side):
        """`liaison watch` runs; yields a function that says which events it has told of."""
        before = len(self.apis[side.name].connections)
        told = self.line.folder / f"{side.name}-watched"
        with open(told, "wb") as out:
            watcher = subprocess.Popen(
                [self.line.programs["liaison"], "watch", "--json"], stdout=out, stdin=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL, env=side.command_environment())
        try:
            wait_for(lambda: any(
                self.apis[side.name].heard(connection, SERVER)
                for connection in self.apis[side.name].connections[before:]), "watch is answered")
            yield lambda: [json.loads(row)["event"] for row in told.read_text().splitlines(True) if row.endswith("\n")]
        finally:
            watcher.terminate()
            watcher.wait(20)


wire = None


def carried(bundles):
    """The destinations of bundles, by how often, and their payloads, those of fragments put together."""
    destinations, payloads, fragments = collections.Counter(), [], collections.defaultdict(dict)
    for bundle in bundles:
        primary, payload = wire.written.bundle(bundle)
        scheme, (node, service) = primary[3]
        assert scheme == 2
        destinations[f"ipn:{node}.{service}"] += 1
        if primary[1] & IS_FRAGMENT:
            offset, size = primary[8:10]
            fragments[encode(primary[4:7]), size][offset] = payload
        else:
            payloads.append(payload)
    for (_, size), parts in fragments.items():
        payloads.append(b"".join(parts[offset] for offset in sorted(parts)))
        assert len(payloads[-1]) == size
    return destinations, payloads


def capture_file(name):
    return wire.line.folder / f"{name}.pcap"


def check_decoded(name, connections, preferences, nodes, heard, delivered):
    """tshark decodes all of it and complains of nothing. Its bundles are those that stand in the bytes `heard`, and in these is
    all that was `delivered` to posts. What they hold, by how often."""
    if shutil.which("tshark") is None:
        raise Skip("tshark is not installed")
    capture = capture_file(name)
    write_capture(capture, connections)
    malformed, remarks = complaints(capture, preferences)
    allowed = {"Unknown type code"}  # what is sealed has no dissector: tshark notes that of each payload
    refused = refusals(capture, preferences)
    assert refused <= {SESSION_TERMINATING}, refused
    if refused:
        # What one side began while the other ended the session is refused, and carried in the next. tshark notes of it that there
        # is no acknowledgment, and, since it relates a refusal to the segment before the last, that a single one has no relation.
        allowed |= {"XFER_SEGMENT has no related XFER_ACK", "XFER_REFUSE has no related XFER_SEGMENT(s)"}
    assert malformed == "" and remarks <= allowed, (malformed, remarks)
    named, decoded, statuses = values(
        capture, preferences, "bpv7 || tcpcl.v4.mhdr.type == 7", "tcpcl.v4.sess_init.nodeid_data", "bpv7.primary.dst_uri",
        "bpv7.crc_status")
    assert set(named) == nodes, named
    destinations, payloads = carried(bundle for data in heard for bundle in transfers(data))
    assert collections.Counter(decoded) == destinations, (decoded, destinations)
    assert len(statuses) >= 2 * len(decoded) and set(statuses) == {"1"}, statuses  # "Good"; each block has one
    assert len(delivered) >= 4 and delivered <= set(payloads), (len(delivered), len(payloads))
    opened = collections.Counter(wire.written.sealed(payload, wire.posts.values()) for payload in payloads)
    assert None not in opened, opened
    return opened


# ---- the line, under TLS ----


def the_line_is_used_and_ended():
    line, (alliance, federation) = wire.line, wire.line.sides
    with wire.watching(alliance) as alliance_told, wire.watching(federation) as federation_told:
        message = alliance.send("For the wire.", "-p", "flash", "-s", "Wire")
        line.wait_until_held(federation, message)
        federation.json("ack", message, "--yes")
        answer = federation.json("reply", message, "-m", "From the wire.", "-p", "flash", "--yes")["reference"]
        line.wait_until_held(alliance, answer)
        line.wait_for_state(alliance, message, "answered")
        line.wait_until_held(federation, alliance.json("send", "--yes", stdin=LONG)["reference"])
        federation.json("officer", "create", federation.folder / "second.key", "--name", "N. Orlova",
                        LIAISON_OFFICER=str(federation.folder / "second.key"))
        federation.json("channel", "open", "--with", "Alliance", "--yes")
        wait_for(lambda: "channel" in alliance_told(), "the alliance hears of another officer")
        assert {"state", "arrived"} <= set(alliance_told()) and "arrived" in federation_told()
    use_every_command()
    line.wait_until_quiet()
    line.end()
    wire.take_down()
    wire.under_tls = list(wire.between.connections)
    wire.delivered_under_tls = wire.delivered()


def use_every_command():
    line, (alliance, federation) = wire.line, wire.line.sides
    card, sealed = line.folder / "federation.card", line.folder / "alliance.sealed"
    federation.text("card", "export", card)
    wire.files["card"].append(card.read_bytes())
    alliance.text("card", "export", sealed, "--for", card)
    wire.files["sealed card"].append(sealed.read_bytes())
    federation.text("card", "accept", sealed, "--sealed", "--yes")
    keying = line.folder / "keying-2"
    alliance.text("keying", "make", keying, "--with", "Federation", "--number", "2")
    wire.files["keying"].append(keying.read_bytes())
    assert federation.run("keying", "accept", alliance.folder / "card", "--keep").returncode == 1
    federation.text("keying", "accept", keying, "--keep")
    federation.text("keying", "accept", keying)
    with Client(federation) as client:
        assert client.ask(99)[1] != 0
    for side in line.sides:
        wait_for(lambda side=side: side.run("verify").returncode == 0, "the first heads are there", 90)
        assert side.json("verify")["verified"]
        wire.files["export"].append(json.loads(side.text("log", "--json")))
    annex = line.folder / "annex"
    alliance.text("post", "create", annex, "--name", "Annex", "--kind", "mission", "--slot", "5", "--node", "ipn:4004.0",
                  "--pin", "00" * 32, "--yes")
    wire.files["post file"].append((annex / "post.init").read_bytes())


def tshark_decodes_sessions_under_TLS_with_a_key_log():
    if wire.keys is None:
        raise Skip("this build has no test hooks, so no key log")
    capture = capture_file("tls")
    write_capture(capture, wire.under_tls)
    heard = [data for number in range(len(wire.under_tls)) for data in decrypted(capture, wire.keys, number).values()]
    nodes = {side.node for side in wire.line.sides}
    opened = check_decoded(
        "tls", wire.under_tls, ("-o", f"tls.keylog_file:{wire.keys}"), nodes, heard, wire.delivered_under_tls)
    assert opened[MESSAGE] >= 3 and opened[RECEIPT] >= 2, opened
    assert values(capture, (), "bpv7", "bpv7.primary.dst_uri") == [[]]  # without the keys nothing of it can be read


# ---- closed links, by way of a relay ----


def tshark_decodes_sessions_on_closed_links():
    line, (alliance, federation) = wire.line, wire.line.sides
    relay = Daemon(line.programs["liaison-courierd"], line.folder / "relay", line.folder / "relay.log")
    subprocess.run([*relay.command, "--init", "--node", RELAY_NODE], check=True, capture_output=True, timeout=30)
    port = free_port()
    recorders = {alliance: Recorder.tcp(lambda: port), federation: Recorder.tcp(lambda: federation.port)}
    for folder, lines in (
            (alliance.courier_folder, [
                f"node {alliance.node}", f"listen 127.0.0.1:{alliance.port}", f"post {alliance.link_socket}",
                f"neighbour relay node {RELAY_NODE} closed address 127.0.0.1:{recorders[alliance].port} dial",
                f"path {federation.node} via relay"]),
            (line.folder / "relay", [
                f"node {RELAY_NODE}", f"listen 127.0.0.1:{port}", f"neighbour alliance node {alliance.node} closed",
                f"neighbour federation node {federation.node} closed address 127.0.0.1:{recorders[federation].port} dial"]),
            (federation.courier_folder, [
                f"node {federation.node}", f"listen 127.0.0.1:{federation.port}", f"post {federation.link_socket}",
                f"neighbour relay node {RELAY_NODE} closed", f"path {alliance.node} via relay"])):
        (folder / "courier.conf").write_text("\n".join(lines) + "\n")
    relay.start()
    sent_before = wire.sent()
    try:
        line.start()
        for side in line.sides:
            message = side.send("On a closed link.", "-p", "flash")
            line.wait_until_held(side.other, message)
            line.wait_for_state(side, message, "received")
        line.wait_until_held(federation, alliance.json("send", "--yes", stdin=LONG)["reference"])
        line.wait_until_quiet()
        line.end()
    finally:
        assert relay.end() == 0, relay.log()
    wire.take_down()
    heard = []
    for recorder in recorders.values():
        recorder.close()
        heard += [recorder.heard(connection, sender)[CONTACT_HEADER_SIZE:]
                  for connection in recorder.connections for sender in (CLIENT, SERVER)]
    connections = [connection for recorder in recorders.values() for connection in recorder.connections]
    nodes = {RELAY_NODE, alliance.node, federation.node}
    opened = check_decoded("closed", connections, (), nodes, heard, wire.delivered() & wire.sent() - sent_before)
    # A message and a receipt each way, each on two links.
    assert opened[MESSAGE] >= 4 and opened[RECEIPT] >= 4, opened


# ---- openssl ----


def openssl_verifies_exported_entries():
    line = wire.line
    export = wire.files["export"][0]
    roster = [bytes.fromhex(party) for party in export["roster"]]
    line.alliance.start_post()
    officers = {
        (officer["party"], officer["officer"]): officer["key"] for officer in line.alliance.json("channel", "show")["officers"]}
    line.alliance.post.end()
    verified = 0
    for entry in export["entries"]:
        protected, _, payload, signature = cbor2.loads(bytes.fromhex(entry["cose"]))
        content = cbor2.loads(payload)
        if content[0] != 1:
            continue
        aad = signing_aad("liaison entry", bytes.fromhex(export["channel"]), roster[entry["log"] // 64], roster)
        name = "Alliance" if entry["reference"].startswith("HEADQUARTERS") else "Federation"
        files = {"signed": encode(["Signature1", protected, aad, payload]), "signature": signature}
        key = base64.b64encode(ED25519_PREFIX + bytes.fromhex(officers[name, content[2]])).decode()
        files["key"] = f"-----BEGIN PUBLIC KEY-----\n{key}\n-----END PUBLIC KEY-----\n".encode()
        for file, data in files.items():
            (line.folder / file).write_bytes(data)
        command = ["openssl", "pkeyutl", "-verify", "-rawin", "-pubin", "-inkey", line.folder / "key", "-in",
                   line.folder / "signed", "-sigfile", line.folder / "signature"]
        result = subprocess.run(command, capture_output=True)
        assert result.returncode == 0, result
        (line.folder / "signed").write_bytes(files["signed"][:-1] + bytes([files["signed"][-1] ^ 1]))
        assert subprocess.run(command, capture_output=True).returncode != 0
        verified += 1
    assert verified >= 2


# ---- what happens seldom ----


def all_is_queued_somewhere_when_it_ends():
    """A delivery for a post that is down, a part of a message, and copies that wait for a link."""
    line, (alliance, federation) = wire.line, wire.line.sides
    line.configure()
    line.start()
    federation.post.end()
    queue = federation.courier_folder / "queue.db"
    alliance.send("For a post that is down.", "-p", "priority", "--ack-by", "+60")
    wait_for(lambda: has_courier_row(queue, b"D"), "the other courier keeps it", 60)
    wire.between.allowance = 15_000
    alliance.json("send", "--yes", stdin=LONG)
    wait_for(lambda: has_courier_row(queue, b"U"), "a part of a message is there", 60)
    for daemon in (alliance.courier, alliance.post, federation.courier):
        assert daemon.end() == 0, line.logs()
    wire.take_down()
    wire.between.allowance = None
    line.start()
    line.wait_until_quiet(120)


def has_courier_row(queue, letter):
    with contextlib.suppress(sqlite3.Error):  # it was copied while it was written
        return any(key[:1] == letter for key, _ in rows_of(queue))
    return False


def copies_that_do_not_open_are_answered():
    line, (alliance, federation) = wire.line, wire.line.sides
    sealed = next(
        message[5] for connection in list(wire.links[0].connections)
        for message in map(cbor2.loads, frames(wire.links[0].heard(connection, SERVER))) if message[0] == LINK_SEND)
    for side in line.sides:
        assert side.courier.end() == 0, line.logs()
    with federation.courier_without_heads() as courier:
        spoiled = sealed[:-1] + bytes([sealed[-1] ^ 1])
        courier.send([LINK_RECEIVED, 1 << 40, alliance.node, 1, spoiled])
        seen = set()
        while not {LINK_TAKEN, LINK_SEND} <= seen:
            seen.add(courier.next()[0])
        federation.send("Handed over to one who does not take it.")
        courier.next()
    federation.send("Waits for a courier.")
    line.end()
    wire.take_down()


def a_post_that_is_restored_begins_a_new_incarnation():
    line, (alliance, federation) = wire.line, wire.line.sides
    restored, backup = federation.folder / "restored", line.folder / "backup"
    line.start()
    line.wait_until_quiet(120)
    wait_for(lambda: all(side.status()["channels"][0]["heads"] == "agree" for side in line.sides), "heads were compared", 60)
    federation.text("backup", backup)
    lost = federation.send("Sent after the backup.", "-p", "flash")
    line.wait_for_state(federation, lost, "received")
    line.wait_until_held(alliance, lost)
    line.end()
    federation.text("restore", backup, restored)
    federation.use_post(restored)
    alliance.start()
    with wire.watching(alliance) as told:
        line.start()
        wait_for(lambda: "alert" in told(), "the alliance hears of a new incarnation", 60)
    message = federation.send("Back again.", "-p", "flash")
    line.wait_until_held(alliance, message)
    assert message.startswith("EMBASSY.2 "), message
    wait_for(lambda: lost in {row["reference"] for row in federation.json("inbox", "--sent")}, "what was lost is given back", 60)
    heads = line.wait_until_heads_agree(120)
    assert sorted(head.split()[1] for head in heads) == ["1", "1", "2"], heads
    line.end()
    wire.take_down()


def a_log_that_forks_leaves_a_proof():
    """The alliance's disks are set back to an older day, all of them, and it signs another entry with the same number."""
    line, (alliance, federation) = wire.line, wire.line.sides
    folders = (alliance.post_folder, alliance.courier_folder)
    # Else it would tell of those first when it starts again, and of no others before that has gone.
    while not has_told_of_its_heads(alliance):
        line.start()
        wait_for(lambda: has_told_of_its_heads(alliance), "the alliance has told of its heads", 60)
        line.end()
    for folder in folders:
        shutil.copytree(folder, f"{folder}-older", ignore=shutil.ignore_patterns("*.sock"))
    line.start()
    first = alliance.send("Signed first.", "-p", "flash")
    line.wait_until_held(federation, first)
    size = int(first.split()[1].split("/")[0])
    wait_for(lambda: largest_head(federation, first) == size, "the federation holds the head", 60)
    # Nothing else is older or more urgent, so the alliance has this before it can know that it lost what it names.
    for daemon in alliance.daemons:
        assert daemon.end() == 0, line.logs()
    refused = federation.json("ack", first, "--yes")["reference"]
    line.end()
    for folder in folders:
        shutil.rmtree(folder)
        pathlib.Path(f"{folder}-older").rename(folder)
    alliance.start_post()
    # It must say so itself before it hears what the other side holds, and then begins anew; and it says nothing, and files nothing,
    # before a courier has told which heads it keeps.
    with alliance.courier_without_heads():
        second = alliance.send("Signed second.", "-p", "flash")
        assert second == first
        wait_for(lambda: size in heads_to_be_sent(alliance), "the alliance tells of its head", 60)
    line.start()
    wait_for(lambda: federation.status()["channels"][0]["heads"] == "forked", "the federation has a proof", 60)
    assert federation.show(first)["text"] == "Signed first."
    line.wait_for_state(alliance, second, "refused", 60)
    line.wait_for_state(federation, refused, "refused", 60)
    wire.files["export"].append(json.loads(federation.text("log", "--json")))
    assert wire.files["export"][-1]["equivocations"]
    line.end()
    wire.take_down()


def largest_head(side, reference):
    """The size of the head that the side holds of the log of that entry."""
    export = side.json("log")
    log = next(entry["log"] for entry in export["entries"] if entry["reference"] == reference)
    return max(head["size"] for head in export["logs"] if head["log"] == log)


def rows_now(side, table):
    """The post's rows of that table while it runs; none where they were just being written."""
    with contextlib.suppress(sqlite3.Error):
        return [cbor2.loads(value) for key, value in rows_of(side.path("store.db")) if POST_ROWS[key[0]] == table]
    return []


def heads_to_be_sent(side):
    """The sizes of its own log in the statements of heads that wait to be sent."""
    # record/schema.h: the kind of the statement, and its COSE.
    payloads = [cbor2.loads(cbor2.loads(row[19])[2]) for row in rows_now(side, "STATEMENT") if row[15] == HEADS_STATEMENT]
    return {payload[2][0][2] for payload in payloads}


def has_told_of_its_heads(side):
    """True if it has told of all heads, nobody has asked it to tell of them again, and nothing of that waits to be sent."""
    lines = rows_now(side, "LINE")
    # record/schema.h: the largest head of each log; the sum of those that were told to that log's post; what that asks for.
    held = sum((line[3] << 34) + line[4] for line in lines)
    return any(line[15] == held for line in lines) and not any(line[19] for line in lines) and not heads_to_be_sent(side)


# ---- cbor2 ----


def cbor2_writes_again_what_crosses_between_post_and_courier():
    opened = collections.Counter()
    for recorder in wire.links:
        for connection in recorder.connections:
            for end in (CLIENT, SERVER):
                opened.update(wire.written.link(recorder.heard(connection, end), wire.posts.values()))
    assert opened[MESSAGE] >= 10 and opened[RECEIPT] >= 10, opened
    entries, statements = {("entry", kind) for kind in CONTENT}, {("statement", kind) for kind in STATEMENTS}
    assert set(opened) >= {RETURNED} | entries | statements, opened
    # One copy was spoiled on purpose.
    assert opened[None] == 1, opened


def cbor2_writes_again_what_commands_and_posts_say():
    for recorder in wire.apis.values():
        for connection in recorder.connections:
            wire.written.api(recorder.heard(connection, CLIENT), recorder.heard(connection, SERVER))


def cbor2_writes_again_the_bundles_of_every_session():
    """Those of closed links were looked at when tshark had decoded them, and those under TLS, where there was a key log."""
    bundles = wire.written.seen["primary block"] + wire.written.seen["primary block of a fragment"]
    assert bundles >= 12, bundles


def cbor2_writes_again_what_stands_in_files():
    posts, written = wire.posts, wire.written
    for card in wire.files["card"]:
        written.card(card)
    for sealed in wire.files["sealed card"]:
        written.sealed_card(sealed, posts["federation"])
    for data in wire.files["post file"]:
        for letter in written.same("post file", data)[4]:
            written.entry(letter)
    for kind in ("keying", "anchor"):
        for data in wire.files[kind]:
            written.same(kind, data)
    for side in wire.line.sides:
        for letter in written.same("letters", (side.folder / "party/letters").read_bytes()):
            written.entry(letter)
        written.same("officers", (side.folder / "party/officers").read_bytes())
    secret_files = [
        (path.read_bytes(), passphrase_of(side)) for side in wire.line.sides
        for path in (side.folder / "officer.key", *(side.folder / "party").iterdir()) if path.name not in ("letters", "officers")]
    with concurrent.futures.ThreadPoolExecutor(2) as openers:  # that is meant to be dear
        for (data, _), opened in zip(secret_files, openers.map(lambda file: open_secret_file(*file), secret_files)):
            written.same("secret file", data)
            check_secret(*opened)


def check_secret(purpose, public, secret):
    written = wire.written
    article = "an" if purpose[0] in "ao" else "a"
    written.same(f"public part of {article} {purpose}", public)
    if purpose == "reserved keying":
        for packet in written.same("secret part of a reserved keying", secret):
            written.same("keying packet", packet)
    else:
        assert len(secret) == 32


def cbor2_writes_again_what_stands_in_stores():
    wire.written.post_rows(wire.rows, wire.posts.values())
    wire.written.courier_rows(wire.courier_rows)


def cbor2_writes_again_what_is_exported():
    for export in wire.files["export"]:
        for entry in export["entries"]:
            wire.written.entry(bytes.fromhex(entry["cose"]))
            wire.written.same("leaf", bytes.fromhex(entry["leaf"]))
            if entry["receipt"]:
                wire.written.statement(bytes.fromhex(entry["receipt"]), 1)
        for proof in export["equivocations"]:
            wire.written.same("equivocation", bytes.fromhex(proof["proof"]))


def keys_are_derived_from_what_cbor2_writes():
    """Never written, but what keys are made of: a post's statement key, and the leaves of a keying."""
    for post in wire.posts.values():
        seed = expand(post.root_seed, encode(["liaison statement", b""]), 32)
        assert raw(Ed25519PrivateKey.from_private_bytes(seed).public_key()) == post.statement_key
    number, first, second, root = cbor2.loads(wire.files["keying"][0])[2:6]
    recorder, checked = wire.apis["alliance"], 0
    for connection in recorder.connections:
        for _, verb, *arguments in map(cbor2.loads, frames(recorder.heard(connection, CLIENT))):
            if VERBS.get(verb) != "KEYING_ACCEPT" or cbor2.loads(arguments[0])[2] != number:
                continue
            own, other, slot, sending, _, receiving = cbor2.loads(arguments[0])[3:9]
            for sender, leaves, slots in (
                    (own, sending, lambda at: [slot, at]), (other, receiving, lambda at: [at, slot])):
                side = int(sender != min(first, second))
                assert leaves == b"".join(
                    expand(root, encode(["liaison keying leaf", side, *slots(at), False]), 32) for at in range(64))
            checked += 1
    assert checked == 1, checked


def nothing_that_is_written_is_missing():
    assert not wire.written.not_listed(), wire.written.not_listed()
    expected, seen = wire.written.expected(), set(wire.written.seen)
    assert seen <= expected, f"not listed: {sorted(seen - expected)}"
    assert expected <= seen, f"not seen: {sorted(expected - seen)}"
    for kind, count in sorted(wire.written.seen.items()):
        print(f"# {count} {kind}")


if __name__ == "__main__":
    wire = Wire(sys.argv[1])
    with wire.line:
        run_tests(
            the_line_is_used_and_ended,
            tshark_decodes_sessions_under_TLS_with_a_key_log,
            tshark_decodes_sessions_on_closed_links,
            openssl_verifies_exported_entries,
            all_is_queued_somewhere_when_it_ends,
            copies_that_do_not_open_are_answered,
            a_post_that_is_restored_begins_a_new_incarnation,
            a_log_that_forks_leaves_a_proof,
            cbor2_writes_again_what_crosses_between_post_and_courier,
            cbor2_writes_again_what_commands_and_posts_say,
            cbor2_writes_again_the_bundles_of_every_session,
            cbor2_writes_again_what_stands_in_files,
            cbor2_writes_again_what_stands_in_stores,
            cbor2_writes_again_what_is_exported,
            keys_are_derived_from_what_cbor2_writes,
            nothing_that_is_written_is_missing,
        )
