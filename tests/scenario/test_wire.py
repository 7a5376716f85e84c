"""What stock tools say of the bytes that we write: usage: test_wire.py BUILD

openssl verifies an exported entry from the bytes that doc/PROTOCOL.md names; python3-cbor2 reads everything that we write
and writes the same bytes again. (Sessions and bundles decoded by tshark: courier_tshark.py.)
"""

import base64
import json
import subprocess
import sys

import cbor2

from capture import Recorder
from line import Line
from officer import encode, signing_aad
from post_shell import LINK_HELLO, Stream, run_tests

ED25519_PREFIX = bytes.fromhex("302a300506032b6570032100")  # SubjectPublicKeyInfo, RFC 8410
line = None


def same(data, what):
    assert encode(cbor2.loads(data)) == data, what


def entries():
    return json.loads(line.alliance.text("log", "--json"))


def openssl_verifies_an_exported_entry():
    line.wait_until_held(line.federation, line.alliance.send("For openssl.", "-p", "flash"))
    export = entries()
    roster = [bytes.fromhex(party) for party in export["roster"]]
    officers = {
        (officer["party"], officer["officer"]): officer["key"] for officer in line.alliance.json("channel", "show")["officers"]}
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
    assert verified >= 1


def cbor2_writes_entries_leaves_and_receipts_again():
    for entry in entries()["entries"]:
        cose = bytes.fromhex(entry["cose"])
        same(cose, entry["reference"])
        same(cbor2.loads(cose)[2], entry["reference"])
        same(bytes.fromhex(entry["leaf"]), entry["reference"])
        if entry["receipt"]:
            receipt = bytes.fromhex(entry["receipt"])
            same(receipt, entry["reference"])
            same(cbor2.loads(receipt)[2], entry["reference"])


def cbor2_writes_cards_and_key_files_again():
    side = line.alliance
    card = (side.folder / "card").read_bytes()
    same(card, "card")
    for item in (*cbor2.loads(card)[2], *cbor2.loads(card)[3]):
        same(item[2], "payload in the card")
    for path in (side.folder / "officer.key", *(side.folder / "party").iterdir()):
        same(path.read_bytes(), path.name)
    keying = line.folder / "spare"
    side.text("keying", "make", keying, "--with", "Federation", "--number", "2")
    same(keying.read_bytes(), "keying")


def cbor2_writes_the_link_frames_and_what_is_sealed_again():
    side = line.alliance
    side.courier.end()
    with Stream(side.path("courier.sock")) as stream:
        stream.send([LINK_HELLO, 1, 2, side.node])
        side.send("For the link.")
        raw = b""
        while not any(message[0] == 2 for message in frames(raw)):
            raw += stream.socket.recv(1 << 16)
    seen = set()
    for content in frames_raw(raw):
        same(content, "frame")
        message = cbor2.loads(content)
        seen.add(message[0])
        if message[0] == 2:
            same(message[5], "sealed")
    assert {1, 2} <= seen, seen
    side.courier.start()
    line.wait_until_quiet()


def frames_raw(raw):
    while len(raw) >= 4 and len(raw) >= 4 + int.from_bytes(raw[:4], "big"):
        size = int.from_bytes(raw[:4], "big")
        yield raw[4:4 + size]
        raw = raw[4 + size:]


def frames(raw):
    return [cbor2.loads(content) for content in frames_raw(raw)]


def transfers(data):
    """The bundles in one direction of a TCPCLv4 session (RFC 9174): messages in turn, segments put together."""
    at, bundle = 6, b""  # after the contact header
    def number(size):
        nonlocal at
        at += size
        return int.from_bytes(data[at - size:at], "big")
    while at < len(data):
        kind = number(1)
        if kind == 7:  # SESS_INIT
            at += 2 + 8 + 8
            at += number(2)
            at += number(4)
        elif kind == 1:  # XFER_SEGMENT
            flags = number(1)
            at += 8
            if flags & 2:
                at += number(4)
            size = number(8)
            bundle += data[at:at + size]
            at += size
            if flags & 1:
                yield bundle
                bundle = b""
        else:
            at += {2: 1 + 8 + 8, 3: 1 + 8, 4: 0, 5: 2, 6: 2}[kind]


def cbor2_writes_the_blocks_of_bundles_again():
    line.end()
    for side in line.sides:
        side.write_courier_configuration(closed=True)
    recorder = Recorder.tcp(lambda: line.federation.port)
    configuration = line.alliance.courier_folder / "courier.conf"
    configuration.write_text(configuration.read_text().replace(
        f"address 127.0.0.1:{line.federation.port}", f"address 127.0.0.1:{recorder.port}"))
    line.start()
    for side in line.sides:
        line.wait_until_held(side.other, side.send("On a closed link.", "-p", "flash"))
    line.wait_until_quiet()
    line.end()
    count = 0
    for from_client in (True, False):
        for bundle in transfers(recorder.heard(recorder.connections[-1], from_client)):
            assert bundle[:1] == b"\x9f" and bundle[-1:] == b"\xff"  # RFC 9171: an indefinite array of blocks
            blocks = cbor2.loads(bundle)
            assert b"\x9f" + b"".join(encode(block) for block in blocks) + b"\xff" == bundle
            count += 1
    assert count >= 4, count


if __name__ == "__main__":
    with Line(sys.argv[1]) as line:
        run_tests(
            openssl_verifies_an_exported_entry,
            cbor2_writes_entries_leaves_and_receipts_again,
            cbor2_writes_cards_and_key_files_again,
            cbor2_writes_the_link_frames_and_what_is_sealed_again,
            cbor2_writes_the_blocks_of_bundles_again,
        )
