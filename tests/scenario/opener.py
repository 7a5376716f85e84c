"""Opens what posts seal to each other: doc/PROTOCOL.md, sections 4 and 11, with the keys that stand in their stores."""

import io
import pathlib
import shutil
import sqlite3
import sys
import tempfile

import cbor2
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

sys.path.append(str(pathlib.Path(__file__).parent.parent))
from envelope_differential import hpke_open  # noqa: E402: it lies one folder up

# record/schema.h: the tables that hold what a seal needs.
POST, PARTY, PARTY_POST, EPOCH, PSK, LAST_PSK = b"\x01", b"\x10", b"\x13", b"\x40", b"\x41", b"\x45"
ENC_STRUCTURE = bytes.fromhex("8368456e63727970743044a101182a40")


def encode(item):
    return cbor2.dumps(item, canonical=True)


def rows_of(database):
    """The rows (key, value) of a store whose daemon is down; the store is left as it is."""
    with tempfile.TemporaryDirectory() as folder:
        copy = pathlib.Path(folder) / "store"
        for end in ("", "-wal"):
            path = pathlib.Path(f"{database}{end}")
            if path.exists():
                shutil.copy(path, f"{copy}{end}")
        connection = sqlite3.connect(copy)
        try:
            return [(bytes(key), bytes(value)) for key, value in connection.execute("SELECT key, value FROM rows")]
        finally:
            connection.close()


def first_item(data):
    """The item at the front of `data`, and its size."""
    stream = io.BytesIO(data)
    item = cbor2.CBORDecoder(stream).decode()
    return item, stream.tell()


class PostKeys:
    """The keys of one post, from as many states of its store as are given."""

    def __init__(self):
        self.parties, self.posts, self.epochs, self.psks = {}, {}, {}, {}

    def add(self, rows):
        for key, value in rows:
            table, rest = key[:1], key[1:]
            if table == POST:
                row = cbor2.loads(value)
                self.party, self.slot, self.statement_key = row[0], row[1], row[8]
                self.root_seed, self.last_resort, self.last_resort_key = row[9:12]
            elif table == PARTY:
                self.parties[rest[0]] = cbor2.loads(value)[0]
            elif table == PARTY_POST:
                self.posts[rest[0], rest[1]] = cbor2.loads(value)[3]
            elif table == EPOCH:
                self.epochs[int.from_bytes(rest, "big")] = cbor2.loads(value)[0]
            elif table in (PSK, LAST_PSK):
                epoch = int.from_bytes(rest[5:9], "big") if table == PSK else None
                self.psks.setdefault(rest[:3], set()).add((rest[3], rest[4], epoch, cbor2.loads(value)[1]))

    def open(self, sealed):
        """The plaintext, with its padding; None if it is not sealed to this post."""
        _, unprotected, ciphertext = cbor2.loads(sealed)
        for party, slot, epoch, psk in self.psks.get(unprotected[-5], ()):
            secret = self.last_resort if epoch is None else self.epochs.get(epoch)
            if secret is None or (party, slot) not in self.posts:
                continue
            info = ["liaison seal", self.parties[party], slot, self.posts[party, slot], self.party, self.slot,
                    self.statement_key, epoch]
            plain = self._decrypt(secret, unprotected[-4], info, ciphertext, psk, unprotected[-5])
            if plain is not None:
                return plain
        return None

    def open_card(self, sealed):
        """A card that was sealed to this post, in base mode."""
        _, unprotected, ciphertext = cbor2.loads(sealed)
        info = ["liaison card", self.party, self.slot, self.last_resort_key]
        return self._decrypt(self.last_resort, unprotected[-4], info, ciphertext, b"", b"")

    @staticmethod
    def _decrypt(secret, enc, info, ciphertext, psk, psk_id):
        private = X25519PrivateKey.from_private_bytes(secret)
        try:
            return hpke_open(private, enc, encode(info), ENC_STRUCTURE, ciphertext, psk, psk_id)
        except InvalidTag:
            return None


def bucket(size):
    """doc/PROTOCOL.md, section 11, "Padding"."""
    step = 16 if size < 1024 else 1 << (size.bit_length() - 5)
    return -(-size // step) * step
