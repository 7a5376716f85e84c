"""Checks what envelope/ makes, with code of its own on python3-cryptography and python3-cbor2.

usage: envelope_differential.py EXAMPLE PROTOCOL.md    where EXAMPLE is built from tests/unit/envelope/example.c

HPKE (RFC 9180, modes base and psk), COSE, the keying tree, padding, derived seeds and fingerprints are
written again here from doc/PROTOCOL.md, whose section 11 must hold the values of example 0. Prints TAP.
"""

import base64
import hashlib
import hmac
import re
import subprocess
import sys

import cbor2
from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

NUMBERS = range(12)

# ---- HKDF and HPKE: DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, ChaCha20Poly1305 ----


def hmac256(key, data):
    return hmac.new(key, data, hashlib.sha256).digest()


def expand(key, info, size):
    out, block = b"", b""
    for number in range(1, 256):
        if len(out) >= size:
            break
        block = hmac256(key, block + info + bytes([number]))
        out += block
    return out[:size]


KEM = b"KEM" + (0x0020).to_bytes(2, "big")
HPKE = b"HPKE" + b"".join(number.to_bytes(2, "big") for number in (0x0020, 0x0001, 0x0003))


def labeled_extract(suite, salt, label, value):
    return hmac256(salt or bytes(32), b"HPKE-v1" + suite + label + value)


def labeled_expand(suite, key, label, info, size):
    return expand(key, size.to_bytes(2, "big") + b"HPKE-v1" + suite + label + info, size)


def raw(key):
    return key.public_bytes(Encoding.Raw, PublicFormat.Raw)


def derive_key_pair(seed):
    return X25519PrivateKey.from_private_bytes(
        labeled_expand(KEM, labeled_extract(KEM, b"", b"dkp_prk", seed), b"sk", b"", 32))


def schedule(shared, enc, receiver, info, psk, psk_id):
    """Key and nonce of sequence 0, from the result of X25519 on either side."""
    shared_secret = labeled_expand(KEM, labeled_extract(KEM, b"", b"eae_prk", shared), b"shared_secret",
                                   enc + receiver, 32)
    context = (bytes([1 if psk else 0]) + labeled_extract(HPKE, b"", b"psk_id_hash", psk_id) +
               labeled_extract(HPKE, b"", b"info_hash", info))
    secret = labeled_extract(HPKE, shared_secret, b"secret", psk)
    return (labeled_expand(HPKE, secret, b"key", context, 32),
            labeled_expand(HPKE, secret, b"base_nonce", context, 12))


def hpke_open(private, enc, info, aad, ciphertext, psk=b"", psk_id=b""):
    shared = private.exchange(X25519PublicKey.from_public_bytes(enc))
    key, nonce = schedule(shared, enc, raw(private.public_key()), info, psk, psk_id)
    return ChaCha20Poly1305(key).decrypt(nonce, ciphertext, aad)


def hpke_seal(receiver, seed, info, aad, plaintext, psk=b"", psk_id=b""):
    ephemeral = derive_key_pair(seed)
    enc = raw(ephemeral.public_key())
    shared = ephemeral.exchange(X25519PublicKey.from_public_bytes(receiver))
    key, nonce = schedule(shared, enc, receiver, info, psk, psk_id)
    return enc, ChaCha20Poly1305(key).encrypt(nonce, plaintext, aad)


# ---- the checks: each takes the example's values by name ----


def encode(value):
    return cbor2.dumps(value, canonical=True)


def sha256(data):
    return hashlib.sha256(data).digest()


def refused(function, error, *arguments):
    try:
        function(*arguments)
    except error:
        return True
    return False


def check_signed_by_one(of):
    protected, unprotected, payload, signature = cbor2.loads(of["signed_by_one"])
    assert (protected, unprotected, payload) == (bytes.fromhex("a10127"), {}, of["payload_of_one"])
    structure = encode(["Signature1", protected, of["aad"], payload])
    assert structure == of["to_be_signed_by_one"]
    content = cbor2.loads(payload)
    assert content[:3] == [1, 1, 1] and len(content) == 6 and content[4] == bytes(range(1, 17))
    key = Ed25519PublicKey.from_public_bytes(of["officer_1_key"])
    key.verify(signature, structure)
    assert refused(key.verify, InvalidSignature, signature, structure + b"\0")
    assert Ed25519PrivateKey.from_private_bytes(of["officer_1_seed"]).sign(structure) == signature
    assert encode([protected, {}, payload, signature]) == of["signed_by_one"]
    assert sha256(encode(signature)) == of["signatures_hash_of_one"]


def check_signed_by_two(of):
    protected, unprotected, payload, signers = cbor2.loads(of["signed_by_two"])
    assert (protected, unprotected, payload) == (b"", {}, of["payload_of_two"])
    structure = encode(["Signature", b"", bytes.fromhex("a10127"), of["aad"], payload])
    assert structure == of["to_be_signed_by_two"]
    assert cbor2.loads(payload)[:3] == [1, 1, [1, 2]]
    assert [signer[:2] for signer in signers] == 2 * [[bytes.fromhex("a10127"), {}]]
    for signer, key in zip(signers, (of["officer_1_key"], of["officer_2_key"])):
        Ed25519PublicKey.from_public_bytes(key).verify(signer[2], structure)
    assert encode([b"", {}, payload, signers]) == of["signed_by_two"]
    assert sha256(encode(signers)) == of["signatures_hash_of_two"]


def check_keying(of):
    title, version, number, first, second, root, checksum = cbor2.loads(of["keying"])
    assert (title, version, number) == ("liaison keying", 1, 1)
    assert [first, second] == sorted([of["party_a"], of["party_b"]]) and root == of["keying_root"]
    assert checksum == sha256(of["keying"][:-9])[:8]


def leaf_of(of, sender, receiver, sender_slot, receiver_slot, last_resort):
    side = 0 if sender <= receiver else 1
    return expand(of["keying_root"],
                  encode(["liaison keying leaf", side, sender_slot, receiver_slot, last_resort]), 32)


def check_packet(of):
    a, b = of["party_a"], of["party_b"]
    packet = cbor2.loads(of["packet"])
    assert packet[:6] == ["liaison keying packet", 1, 1, a, b, 2]
    assert packet[6:10] == [b"".join(leaves) for leaves in (
        [leaf_of(of, a, b, 2, slot, False) for slot in range(64)],
        [leaf_of(of, a, b, 2, slot, True) for slot in range(64)],
        [leaf_of(of, b, a, slot, 2, False) for slot in range(64)],
        [leaf_of(of, b, a, slot, 2, True) for slot in range(64)])]
    assert sha256(of["packet"]) == of["packet_hash"]
    assert packet[10] == sha256(of["packet"][:-9])[:8] and len(packet) == 11


def check_psk(of):
    leaf = leaf_of(of, of["party_a"], of["party_b"], 2, 5, False)
    assert leaf == of["leaf"]
    for _ in range(3):
        leaf = expand(leaf, b"liaison keying next", 32)
    assert leaf == of["leaf_3"]
    assert expand(leaf, b"liaison keying psk", 32) == of["psk_3"]
    assert expand(leaf, b"liaison keying id", 32)[:3] == of["psk_id_3"]
    leaf = leaf_of(of, of["party_a"], of["party_b"], 2, 5, True)
    assert expand(leaf, b"liaison keying psk", 32) == of["last_resort_psk"]
    assert expand(leaf, b"liaison keying id", 32)[:3] == of["last_resort_psk_id"]


def check_padding(of):
    item = of["signed_by_one"] if of["number"] % 2 == 0 else of["signed_by_two"]
    size = len(item)
    step = 16 if size < 1024 else 1 << size.bit_length() - 5
    assert of["plaintext"] == item + bytes(-size % step)


def check_sealed(of):
    private = derive_key_pair(of["receiver_seed"])
    assert raw(private.public_key()) == of["receiver_key"]
    assert private.private_bytes(Encoding.Raw, PrivateFormat.Raw, NoEncryption()) == of["receiver_secret"]
    protected, headers, ciphertext = cbor2.loads(of["sealed"])
    assert protected == bytes.fromhex("a101182a") and list(headers) == [-4, -5]
    aad = encode(["Encrypt0", protected, b""])
    psk, psk_id = of["psk_3"], of["psk_id_3"]
    assert headers[-5] == psk_id
    assert hpke_open(private, headers[-4], of["info"], aad, ciphertext, psk, psk_id) == of["plaintext"]
    assert refused(hpke_open, InvalidTag, private, headers[-4], of["info"], aad, ciphertext)
    enc, again = hpke_seal(of["receiver_key"], of["ephemeral_seed"], of["info"], aad, of["plaintext"], psk,
                           psk_id)
    assert cbor2.dumps([protected, {-4: enc, -5: psk_id}, again]) == of["sealed"]


def check_sealed_base(of):
    protected, headers, ciphertext = cbor2.loads(of["sealed_base"])
    assert list(headers) == [-4]
    aad = encode(["Encrypt0", protected, b""])
    private = derive_key_pair(of["receiver_seed"])
    assert hpke_open(private, headers[-4], of["info"], aad, ciphertext) == of["plaintext"]
    assert len(of["sealed"]) - len(of["sealed_base"]) == 5


def check_derived(of):
    assert expand(of["root_seed"], encode(["liaison log", of["party_a"]]), 32) == of["derived_seed"]


def check_entropy(of):
    def stream(counter, size):
        nonce = bytes(4) + bytes(4) + counter.to_bytes(8, "big")  # the block counter, then RFC 8439's nonce
        return Cipher(algorithms.ChaCha20(of["entropy_seed"], nonce), None).encryptor().update(bytes(size))

    assert stream(0, 16) == of["entropy_first_16"]
    assert stream(1, 100) == of["entropy_next_100"]


def check_fingerprint(of):
    words = ("ALFA BRAVO CHARLIE DELTA ECHO FOXTROT GOLF HOTEL INDIA JULIETT KILO LIMA MIKE NOVEMBER OSCAR "
             "PAPA QUEBEC ROMEO SIERRA TANGO UNIFORM VICTOR WHISKEY X-RAY YANKEE ZULU "
             "TWO THREE FOUR FIVE SIX SEVEN").split()
    names = dict(zip("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", words))
    symbols = base64.b32encode(of["party_a"][:15]).decode()
    lines = [" ".join(names[symbol] for symbol in symbols[i:i + 4]) for i in range(0, 24, 4)]
    assert "\n".join(lines).encode() == of["fingerprint"]


# What the page does not give whole: it names the parts, or gives the seed.
NOT_ON_THE_PAGE = {
    "to_be_signed_by_one", "to_be_signed_by_two", "payload_of_two", "packet", "plaintext", "keying_root", "officer_1_seed",
    "officer_2_seed", "receiver_seed", "ephemeral_seed", "root_seed", "entropy_seed", "entropy_first_16", "entropy_next_100"}


def check_page(of):
    if of["number"] != 0:
        return
    page = open(sys.argv[2], encoding="utf-8").read()
    digits = re.sub(r"\s", "", page)
    for name in of.keys() - NOT_ON_THE_PAGE - {"number"}:
        if name == "fingerprint":
            assert re.sub(r"\s", "", of[name].decode()) in digits, name
        else:
            assert of[name].hex() in digits, name
    for name, head in (("one", "846a5369676e61747572653143a10127"), ("two", "85695369676e61747572654043a10127")):
        size = len(of[f"payload_of_{name}"])
        assert of[f"to_be_signed_by_{name}"].hex().startswith(head)
        assert f"to be signed by {name}: {head}, 5876 aad, 58{size:02x} payload" in page, name
        assert f"signed by {name} ({len(of[f'signed_by_{name}'])} bytes)" in page, name
    assert f"sealed, psk_3 ({len(of['sealed'])} bytes)" in page
    assert f"sealed, base mode ({len(of['sealed_base'])} bytes)" in page
    assert f"slot 2    {len(of['packet'])} bytes" in page


CHECKS = [check_signed_by_one, check_signed_by_two, check_keying, check_packet, check_psk, check_padding,
          check_sealed, check_sealed_base, check_derived, check_entropy, check_fingerprint,
          check_page]


def example(program, number):
    output = subprocess.run([program, str(number)], check=True, stdout=subprocess.PIPE).stdout.decode()
    values = dict(line.split(" ") for line in output.splitlines())
    return {"number": number, **{name: bytes.fromhex(value) for name, value in values.items()}}


def main():
    examples = [example(sys.argv[1], number) for number in NUMBERS]
    print(f"1..{len(CHECKS)}")
    failed = False
    for number, check in enumerate(CHECKS, 1):
        try:
            for of in examples:
                check(of)
            print(f"ok {number} - {check.__name__}")
        except Exception as error:  # whatever goes wrong with what our code made is a failed test
            print(f"not ok {number} - {check.__name__}: {type(error).__name__} {error}")
            failed = True
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
