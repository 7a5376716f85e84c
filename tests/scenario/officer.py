"""An officer who does without the command line: opens the key file, signs as doc/PROTOCOL.md says, speaks the local API.

Written from the documents with libsodium (through ctypes), cbor2 and cryptography, so it is also a second hand at the formats.
"""

import ctypes
import os
import time

import cbor2
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from post_shell import SUBMIT

CHANNELS, CHANNEL = 7, 8
MESSAGE, ACKNOWLEDGMENT = 1, 2
PROTECTED = bytes.fromhex("a10127")
ARGON2ID13 = 2
AWAITS_COURIER = 63
AGAIN_S, PATIENCE_S = 0.05, 30


def encode(item):
    return cbor2.dumps(item, canonical=True)


def secret_file_key(sodium, passphrase, salt, operations, memory_kib):
    key = ctypes.create_string_buffer(32)
    size = ctypes.c_ulonglong
    if sodium.crypto_pwhash(key, size(32), passphrase, size(len(passphrase)), salt, size(operations),
                            ctypes.c_size_t(memory_kib * 1024), ARGON2ID13) != 0:
        raise MemoryError
    return key


def load_sodium():
    sodium = ctypes.CDLL("libsodium.so.23")
    assert sodium.sodium_init() >= 0
    return sodium


def open_secret_file(data, passphrase):
    """Purpose, public part and secret of a file that cli/secret_file.h describes."""
    sodium = load_sodium()
    *header, sealed = cbor2.loads(data)
    mark, version, purpose, public, operations, memory_kib, salt, nonce = header
    assert mark == "liaison secret file" and version == 1
    key = secret_file_key(sodium, passphrase, salt, operations, memory_kib)
    # The additional data: the first eight elements as they stand, without the array's head.
    additional = b"".join(map(encode, header))
    secret = ctypes.create_string_buffer(len(sealed))
    secret_size = ctypes.c_ulonglong()
    if sodium.crypto_aead_xchacha20poly1305_ietf_decrypt(
            secret, ctypes.byref(secret_size), None, sealed, ctypes.c_ulonglong(len(sealed)), additional,
            ctypes.c_ulonglong(len(additional)), nonce, key) != 0:
        raise ValueError("the passphrase is another, or the file is damaged")
    return purpose, public, secret.raw[:secret_size.value]


def make_quick_secret_file(data, passphrase):
    """The same file with the same passphrase, which is as cheap to guess as to use: for tests that use it often."""
    sodium = load_sodium()
    purpose, public, secret = open_secret_file(data, passphrase)
    header = ["liaison secret file", 1, purpose, public, 1, 64, os.urandom(16), os.urandom(24)]
    key = secret_file_key(sodium, passphrase, header[6], *header[4:6])
    additional = b"".join(map(encode, header))
    sealed = ctypes.create_string_buffer(len(secret) + 16)
    assert sodium.crypto_aead_xchacha20poly1305_ietf_encrypt(
        sealed, None, secret, ctypes.c_ulonglong(len(secret)), additional, ctypes.c_ulonglong(len(additional)), None,
        header[7], key) == 0
    return encode([*header, sealed.raw])


def signing_aad(context, channel, sender, roster):
    return encode([context, channel, sender, sorted(party for party in roster if party != sender)])


def sign1(key, aad, payload):
    """COSE_Sign1, RFC 9052, section 4.4."""
    to_be_signed = encode(["Signature1", PROTECTED, aad, payload])
    return encode([PROTECTED, {}, payload, key.sign(to_be_signed)])


def passphrase_of(side):
    return (side.folder / "passphrase").read_bytes().split(b"\n")[0]


class Officer:
    """The officer of a side, with a connection to its post."""

    def __init__(self, side):
        key_file = (side.folder / "officer.key").read_bytes()
        purpose, public, seed = open_secret_file(key_file, passphrase_of(side))
        assert purpose == "officer key"
        self.side = side
        self.party, self.number, self.name = cbor2.loads(public)[:3]
        self.key = Ed25519PrivateKey.from_private_bytes(seed)
        self.client = None
        self.connect()
        (self.channel, _, _, parties), = self.ask(CHANNELS)[0]
        self.roster = sorted(party for party, _ in parties)
        self.registry = self.ask(CHANNEL, self.channel)[4]
        self.aad = signing_aad("liaison entry", self.channel, self.party, self.roster)

    def connect(self):
        self.close()
        self.client = self.side.client(timeout=30)

    def close(self):
        if self.client is not None:
            self.client.close()
        self.client = None

    def ask(self, verb, *arguments):
        """The results; RuntimeError for a refusal."""
        reply = self.client.ask(verb, *arguments)
        if reply[1] != 0:
            raise RuntimeError(f"the post refuses verb {verb}: error {reply[1:]}")
        return reply[2:]

    def sign(self, kind, precedence, body):
        content = [kind, precedence, self.number, self.registry, os.urandom(16), body]
        return sign1(self.key, self.aad, encode(content))

    def sign_message(self, text, precedence=1, **options):
        body = [int(time.time()), text]
        names = {1: "subject", 2: "references", 3: "ack_by", 4: "answers"}
        given = {key: options[name] for key, name in names.items() if name in options}
        return self.sign(MESSAGE, precedence, body + [given] if given else body)

    def submit(self, cose):
        """log, incarnation, position, reference: on the post's disk. Where the post has yet to hear of its courier, again."""
        end = time.monotonic() + PATIENCE_S
        while True:
            try:
                return self.ask(SUBMIT, self.channel, cose)
            except RuntimeError as refused:
                if f"error [{AWAITS_COURIER}," not in str(refused) or time.monotonic() > end:
                    raise
            time.sleep(AGAIN_S)

    def send(self, text, precedence=1, **options):
        return self.submit(self.sign_message(text, precedence, **options))
