"""Compares our CBOR reader and writer with python3-cbor2, over random items; the same ones on every run.

usage: cbor_differential.py ECHO CORPUS...    where ECHO is the program built from tests/unit/base/cbor_echo.c, and CORPUS
                                              what a fuzz target goes out from (tests/fuzz/corpus)

- Whatever cbor2 writes within our profile is accepted and written again to the same bytes.
- Items that hold one thing outside the profile are refused for that.
- Of mutated bytes, exactly those are accepted that cbor2 decodes, within the profile, and encodes to the
  same.
- So it is with what fuzz targets have found: all of their inputs, whichever reader they were for.
- cbor2 encodes the messages of the post-courier link to the same bytes.

Prints TAP.
"""

import base64
import io
import pathlib
import random
import subprocess
import sys

import cbor2
# The decoder written in Python, since only its table of tags that turn into other objects can be emptied.
from cbor2 import decoder as python_decoder
from cbor2.types import CBORDecodeError, CBORTag

python_decoder.semantic_decoders.clear()

DEPTH_MAX = 16  # base/cbor.h
ITEMS = 2000
MUTANTS = 4000
PLAIN_TAGS = [6, 16, 18, 23, 24, 61, 98, 256, 65535, 65536, 2**32, 2**64 - 1]


class Pairs:
    """A map as the list of its pairs, in the order in which they are to be written."""

    def __init__(self, pairs):
        self.pairs = pairs


def encode(value):
    """Deterministic CBOR by cbor2, but for the order of a map's keys.

    cbor2's canonical order is that of RFC 7049 (shorter keys first), so maps are written here, pair by pair.
    """
    if isinstance(value, Pairs):
        return head(5, len(value.pairs)) + b"".join(encode(k) + encode(v) for k, v in value.pairs)
    if isinstance(value, dict):
        pairs = sorted((encode(k), encode(v)) for k, v in value.items())
        return head(5, len(pairs)) + b"".join(k + v for k, v in pairs)
    if isinstance(value, (list, tuple)):
        return head(4, len(value)) + b"".join(encode(item) for item in value)
    if isinstance(value, CBORTag):
        return head(6, value.tag) + encode(value.value)
    return cbor2.dumps(value, canonical=True)


def head(major, argument):
    """The head of an item: cbor2's for an unsigned integer, with the type changed."""
    encoded = bytearray(cbor2.dumps(argument))
    encoded[0] |= major << 5
    return bytes(encoded)


def random_integer(rng):
    bits = rng.choice([3, 5, 8, 16, 32, 64])
    value = rng.getrandbits(bits) if rng.random() < 0.7 else 2**bits - 1
    return -1 - value if rng.random() < 0.4 else value


def random_text(rng):
    alphabet = "abc \n\0äß水\U00010151\uffff\U0010ffff"
    return "".join(rng.choice(alphabet) for _ in range(rng.choice([0, 1, 5, 23, 24, 260])))


def random_key(rng):
    return rng.choice([random_integer, random_text, lambda r: r.randbytes(r.randrange(4))])(rng)


def random_item(rng, depth):
    kind = rng.randrange(9 if depth else 6)
    if kind <= 1:
        return random_integer(rng)
    if kind == 2:
        return rng.randbytes(rng.choice([0, 1, 23, 24, 255, 256]))
    if kind == 3:
        return random_text(rng)
    if kind == 4:
        return rng.choice([False, True])
    if kind == 5:
        return None
    if kind == 6:
        return [random_item(rng, depth - 1) for _ in range(rng.choice([0, 1, 2, 3, 24]))]
    if kind == 7:
        return {random_key(rng): random_item(rng, depth - 1) for _ in range(rng.randrange(5))}
    return CBORTag(rng.choice(PLAIN_TAGS), random_item(rng, depth - 1))


def longer_head(rng):
    """An item whose argument is not in its shortest form."""
    major = rng.randrange(7)
    size = rng.choice([1, 2, 4, 8])
    limit = 24 if size == 1 else 2 ** (4 * size)
    information = {1: 24, 2: 25, 4: 26, 8: 27}[size]
    return bytes([major << 5 | information]) + rng.randrange(limit).to_bytes(size, "big")


def unsorted_map(rng):
    keys = sorted(encode(key) for key in {rng.randrange(-50, 50) for _ in range(6)} | {0, 1})
    at = rng.randrange(len(keys) - 1)
    if rng.random() < 0.5:
        keys[at], keys[at + 1] = keys[at + 1], keys[at]
    else:
        keys[at + 1] = keys[at]
    return head(5, len(keys)) + b"".join(key + b"\xf6" for key in keys)


OUTSIDE = [
    ("floats", "UNSUPPORTED", lambda rng: cbor2.dumps(rng.uniform(-1e9, 1e9), canonical=rng.random() < 0.5)),
    ("undefined", "UNSUPPORTED", lambda rng: cbor2.dumps(cbor2.undefined)),
    ("simple values", "UNSUPPORTED",
        lambda rng: cbor2.dumps(cbor2.CBORSimpleValue(rng.choice([0, 16, 19, 32, 100, 255])))),
    ("bignums", "UNSUPPORTED", lambda rng: cbor2.dumps(rng.choice([2**64, 2**100, -2**64 - 1, -2**99]))),
    ("longer heads", "NOT_CANONICAL", longer_head),
    ("unsorted and repeated keys", "NOT_CANONICAL", unsorted_map),
    ("indefinite arrays", "NOT_CANONICAL", lambda rng: b"\x9f" + encode(random_item(rng, 2)) + b"\xff"),
    ("indefinite maps", "NOT_CANONICAL", lambda rng: b"\xbf" + encode(rng.randrange(99)) + b"\xf4\xff"),
    ("indefinite strings", "NOT_CANONICAL", lambda rng: rng.choice([b"\x5f\x41a\xff", b"\x7f\x61a\xff"])),
    ("deep nesting", "TOO_DEEP", lambda rng: b"\x81" * (DEPTH_MAX + rng.randrange(40)) + b"\x80"),
    ("text that is not UTF-8", "NOT_TEXT",
        lambda rng: rng.choice([b"\x61\x80", b"\x62\xc0\x80", b"\x63\xed\xa0\x80", b"\x64\xf4\x90\x80\x80"])),
]


def around(rng, encoded):
    """The item inside an array, a map or a tag, after items that are good."""
    good = encode(random_item(rng, 1))
    return rng.choice([b"\x82" + good + encoded, b"\xa1\x00" + encoded, b"\xc6" + encoded, encoded])


def within_profile(value, depth=0):
    """Whether what cbor2 decoded has only what base/cbor.h accepts."""
    if isinstance(value, (list, tuple, dict, CBORTag)) or hasattr(value, "items"):
        if depth == DEPTH_MAX:
            return False
    if isinstance(value, CBORTag):
        return value.tag not in (2, 3) and within_profile(value.value, depth + 1)
    if isinstance(value, (list, tuple)):
        return all(within_profile(item, depth + 1) for item in value)
    if hasattr(value, "items"):
        return all(within_profile(k, depth + 1) and within_profile(v, depth + 1) for k, v in value.items())
    return value is None or isinstance(value, (bool, int, bytes, str))


def acceptable(encoded):
    """What cbor2 says of these bytes: True, False, or None where it cannot tell."""
    try:
        decoder = python_decoder.CBORDecoder(io.BytesIO(encoded))
        value = decoder.decode()
        if decoder.fp.read(1) != b"" or not within_profile(value):
            return False
        return encode(value) == encoded
    except TypeError:
        return None  # a map or tag as a key: Python cannot hash it
    except (CBORDecodeError, EOFError, ValueError, OverflowError, MemoryError, RecursionError):
        return False


def mutate(rng, encoded):
    mutant = bytearray(encoded)
    for _ in range(1 + rng.randrange(2)):
        at = rng.randrange(len(mutant))
        choice = rng.randrange(4)
        if choice == 0:
            mutant[at] ^= 1 << rng.randrange(8)
        elif choice == 1:
            mutant[at] = rng.randrange(256)
        elif choice == 2:
            mutant.insert(at, rng.randrange(256))
        elif len(mutant) > 1:
            del mutant[at]
    return bytes(mutant)


def ask(echo, items):
    """Our program's answer to each item."""
    text = "".join(item.hex() + "\n" for item in items)
    output = subprocess.run([echo], input=text, capture_output=True, text=True, check=True).stdout
    answers = output.splitlines()
    if len(answers) != len(items):
        raise SystemExit(f"{len(items)} items asked, {len(answers)} answered")
    return answers


def differences(items, answers, expected):
    return [f"{item.hex()}: {answer}, expected {want}" for item, answer, want in zip(items, answers, expected)
        if answer != want]


def check_generated(echo, rng):
    items = [encode(random_item(rng, 1 + number % (DEPTH_MAX - 1))) for number in range(ITEMS)]
    items = [item for item in items if len(item) < 60000]
    assert len(items) > ITEMS * 0.9
    return differences(items, ask(echo, items), ["ok " + item.hex() for item in items])


def check_outside(echo, rng, error, make):
    items = [around(rng, make(rng)) for _ in range(100)]
    return differences(items, ask(echo, items), [error] * len(items))


def check_agreement(echo, name, items):
    wrong, accepted, untold = [], 0, 0
    for item, answer in zip(items, ask(echo, items)):
        verdict = acceptable(item)
        accepted += answer.startswith("ok ")
        if verdict is None:
            untold += 1
        elif verdict != answer.startswith("ok "):
            wrong.append(f"{item.hex()}: {answer}, by cbor2 {verdict}")
    print(f"# of {len(items)} {name} {accepted} accepted, {untold} that Python cannot hold")
    if accepted < len(items) // 20 or untold > len(items) // 20:
        wrong.append("too few cases tell anything")
    return wrong


def check_mutants(echo, rng):
    return check_agreement(echo, "mutants", [mutate(rng, encode(random_item(rng, 3))) for _ in range(MUTANTS)])


def check_corpus(echo, path):
    """The first byte of each input says for which reader it is."""
    lines = pathlib.Path(path).read_text(encoding="ascii").split()
    items = [base64.b64decode(line)[1:] for line in lines]
    return check_agreement(echo, "fuzzed inputs", [item for item in items if item])


def check_link(echo):
    lines = subprocess.run([echo, "link"], capture_output=True, text=True, check=True).stdout.splitlines()
    wrong = []
    for line in lines:
        value = cbor2.loads(bytes.fromhex(line))
        if not isinstance(value, list) or cbor2.dumps(value, canonical=True).hex() != line:
            wrong.append(line[:200])
    types = {cbor2.loads(bytes.fromhex(line))[0] for line in lines}
    if types != set(range(1, 12)):
        wrong.append(f"types {sorted(types)}")
    return wrong


def main():
    echo = sys.argv[1]
    rng = random.Random(8949)
    results = [("generated items are accepted and come back", check_generated(echo, rng))]
    for name, error, make in OUTSIDE:
        results.append((f"refused as {error}: {name}", check_outside(echo, rng, error, make)))
    results.append(("mutated items are accepted exactly where cbor2 agrees", check_mutants(echo, rng)))
    for path in sys.argv[2:]:
        results.append((f"so are those that the fuzz target {pathlib.Path(path).name} has found", check_corpus(echo, path)))
    results.append(("cbor2 encodes link messages to the same bytes", check_link(echo)))
    print(f"1..{len(results)}")
    for number, (name, wrong) in enumerate(results, 1):
        print(f"{'not ok' if wrong else 'ok'} {number} - {name}")
        for line in wrong[:10]:
            print(f"# {line}")
    return 1 if any(wrong for _, wrong in results) else 0


if __name__ == "__main__":
    sys.exit(main())
