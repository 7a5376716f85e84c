#!/usr/bin/env python3
"""Bundles against code that is not ours: python3-cbor2 re-encodes every block to the same bytes, a second
writer makes bundles that our reader must read as meant, and tshark decodes ours without complaint."""
import io
import os
import random
import shutil
import struct
import subprocess
import sys
import tempfile

try:
    import cbor2
except ImportError:
    print("1..0 # SKIP python3-cbor2 is not installed")
    sys.exit(77)

TOOL = sys.argv[1]
count = 0


def result(name, good, directive=""):
    global count
    count += 1
    print(f"{'ok' if good else 'not ok'} {count} - {name}{directive}")
    if not good:
        sys.exit(1)


def crc16(data):
    crc = 0xFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x8408 if crc & 1 else 0)
    return crc ^ 0xFFFF


def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


def seal(items, kind):
    """A block's bytes, with its checksum."""
    if kind == 0:
        return cbor2.dumps(items)
    size = 2 if kind == 1 else 4
    data = cbor2.dumps(items + [bytes(size)])
    value = crc16(data) if kind == 1 else crc32c(data)
    return data[:-size] + value.to_bytes(size, "big")


def run(mode, text=""):
    done = subprocess.run([TOOL, mode], input=text, capture_output=True, text=True, timeout=60)
    if done.returncode != 0:
        sys.exit(f"{TOOL} {mode} failed: {done.stderr}")
    return done.stdout.splitlines()


def check_canonical(samples):
    for sample in samples:
        data = bytes.fromhex(sample)
        assert data[0] == 0x9F and data[-1] == 0xFF
        stream = io.BytesIO(data[1:-1])
        decoder = cbor2.CBORDecoder(stream)
        first = True
        while stream.tell() < len(data) - 2:
            start = stream.tell()
            block = decoder.decode()
            encoded = data[1 + start:1 + stream.tell()]
            assert cbor2.dumps(block, canonical=True) == encoded
            kind = block[2] if first else block[3]
            assert kind == 2
            assert seal(block[:-1], kind) == encoded
            if not first and block[0] != 1:
                assert cbor2.dumps(cbor2.loads(block[4]), canonical=True) == block[4]
            first = False
    return True


def eid(rng):
    """An endpoint id: CBOR value and text."""
    if rng.random() < 0.3:
        name = rng.choice(["a", "node-1", "x.y_z"])
        demux = rng.choice(["", "1", "~group", "a/b?c#d"])
        return [1, f"//{name}/{demux}"], f"dtn://{name}/{demux}"
    allocator = rng.choice([0, 0, 1, 977000, 2**32 - 1])
    node = rng.choice([1, 23, 24, 255, 65536, 2**32 - 1])
    service = rng.choice([0, 1, 4, 300, 2**32])
    text = f"ipn:{allocator}.{node}.{service}" if allocator else f"ipn:{node}.{service}"
    if rng.random() < 0.5:
        return [2, [allocator, node, service]], text
    return [2, [allocator << 32 | node, service]], text


def number(rng):
    return rng.choice([0, 1, 23, 24, 255, 256, 65535, 65536, 2**32, 2**64 - 1])


def random_bundle(rng):
    """A sound bundle from the second writer, and the line that our reader must give."""
    flags = rng.choice([0, 4, 0x20, 0x40, 0x74000, 0x80, 1 << 40])
    fragment = rng.random() < 0.3 and not flags & 4
    payload = rng.randbytes(rng.choice([0, 1, 30, 300, 3000]))
    destination, source, report = eid(rng), eid(rng), eid(rng)
    creation, sequence, lifetime = number(rng), number(rng), number(rng)
    kind = rng.choice([1, 2])
    primary = [7, flags | (1 if fragment else 0), kind, destination[0], source[0], report[0],
               [creation, sequence], lifetime]
    offset, total = 0, len(payload)
    if fragment:
        offset = rng.choice([0, 5, 2**32])
        total = offset + len(payload) + rng.choice([0, 1, 1000])
        primary += [offset, total]
    blocks = []
    numbers = rng.sample(range(2, 1000), 6)
    if creation == 0 or rng.random() < 0.5:
        blocks.append([7, numbers[0], rng.choice([0, 1]), rng.choice([0, 1, 2]), cbor2.dumps(number(rng))])
    if rng.random() < 0.5:
        hops = [rng.choice([1, 30, 255]), rng.choice([0, 30, 255])]
        blocks.append([10, numbers[1], 0x10, rng.choice([0, 1, 2]), cbor2.dumps(hops)])
    if rng.random() < 0.5:
        blocks.append([6, numbers[2], 0, rng.choice([0, 1, 2]), cbor2.dumps(eid(rng)[0])])
    if rng.random() < 0.5:
        blocks.append([rng.choice([2, 192, 2**40]), numbers[3], rng.choice([0, 0x17]), rng.choice([0, 1, 2]),
                       rng.randbytes(20)])
    rng.shuffle(blocks)
    blocks.append([1, 1, rng.choice([0, 1]), rng.choice([0, 1, 2]), payload])
    data = b"\x9f" + seal(primary, kind) + b"".join(seal(block, block[3]) for block in blocks) + b"\xff"
    line = " ".join(["OK", str(primary[1]), destination[1], source[1], report[1]]
                    + [str(number) for number in (creation, sequence, lifetime, offset, total)]
                    + [f"{b[0]}:{b[1]}:{b[2]}:{b[3]}:{b[4].hex()}" for b in blocks])
    return data, line


def check_second_writer():
    rng = random.Random(2)
    made = [random_bundle(rng) for _ in range(500)]
    lines = run("read", "".join(data.hex() + "\n" for data, _ in made))
    for (data, expected), line in zip(made, lines, strict=True):
        if line != expected:
            sys.exit(f"{data.hex()}\nexpected {expected}\ngot      {line}")
    return True


def check_tshark(samples):
    with tempfile.NamedTemporaryFile(suffix=".pcap") as capture:
        capture.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 262144, 147))
        for i, sample in enumerate(samples):
            data = bytes.fromhex(sample)
            capture.write(struct.pack("<IIII", i, 0, len(data), len(data)) + data)
        capture.flush()
        done = subprocess.run(
            ["tshark", "-r", capture.name, "-o", 'uat:user_dlts:"User 0 (DLT=147)","bpv7","0","","0",""',
             "-o", "bpv7.bp_reassemble_payload:FALSE",
             "-T", "fields", "-e", "_ws.malformed", "-e", "_ws.expert.message", "-e", "bpv7.crc_status",
             "-e", "bpv7.primary.version", "-E", "separator=|"],
            capture_output=True, text=True, timeout=120, env={**os.environ, "HOME": "/nonexistent"})
    lines = done.stdout.splitlines()
    assert len(lines) == len(samples), done.stderr
    for sample, line in zip(samples, lines):
        malformed, expert, status, version = line.split("|")
        # 1 is "Good" in tshark's table; every block has a checksum, so there are at least three of them.
        good = malformed == "" and version == "7"
        good = good and set(status.split(",")) == {"1"} and status.count(",") >= 2
        # What is sealed has no dissector; tshark notes that, and nothing else.
        if not good or expert not in ("", "Unknown type code"):
            sys.exit(f"tshark does not agree: {line}\n{sample}")
    return True


def main():
    samples = run("samples")
    assert len(samples) > 48
    print("TAP version 13")
    result("cbor2 writes every block of ours to the same bytes", check_canonical(samples))
    result("bundles of a second writer are read as meant", check_second_writer())
    if shutil.which("tshark"):
        result("tshark decodes our bundles without complaint", check_tshark(samples))
    else:
        result("tshark decodes our bundles without complaint", True, " # SKIP tshark is not installed")
    print(f"1..{count}")


main()
