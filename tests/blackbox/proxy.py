"""The lossy way between the couriers: a proxy with a socket in each party's network namespace.

usage: proxy.py SEED NAMESPACE_FD...

In the namespace of each party it listens at a port for each other one (world.py: PROXY_PORT + that one's number), and passes
what comes on to that one's courier. While faults are on, each connection and each direction of it draws its lots from the
seed, the two parties and the connection's number: it is refused or goes through; bytes come late, slowly, in other pieces;
a direction stands still for a while; the connection is cut, or a byte is changed, at a place that is drawn; what was recorded
of it is said to the courier again later. A way between two parties may be cut for a while as a whole.

Lines on standard input: `faults` begins them, `heal` cuts all connections and ends them. When standard input ends it prints
what it did, as one JSON object, and ends.
"""

import asyncio
import collections
import contextlib
import json
import random
import socket
import struct
import sys

from world import PORT, PROXY_PORT, inside

PIECE = 16_384
RECORD_MAX = 65_536  # of a connection's bytes from the end that dialed
REPLAY_S = 5
RESET = struct.pack("ii", 1, 0)  # SO_LINGER: closing throws away what is not delivered, and says so


def listener_in(namespace, port):
    with inside(namespace):
        listening = socket.socket()
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listening.bind(("127.0.0.1", port))
    listening.setblocking(False)
    listening.listen(64)
    return listening


async def connection_in(namespace):
    """A connection to the courier there."""
    with inside(namespace):
        connecting = socket.socket()
    connecting.setblocking(False)
    try:
        await asyncio.get_running_loop().sock_connect(connecting, ("127.0.0.1", PORT))
        return await asyncio.open_connection(sock=connecting)
    except OSError:
        connecting.close()
        raise


class Lots:
    """What will happen to one direction of one connection."""

    def __init__(self, chance):
        self.chance = chance
        self.delay_s = chance.choice((0, 0, 0, 0.01, 0.1, 0.4)) * chance.random()
        self.bytes_per_s = chance.choice((0, 0, 0, 0, 0, 2_000, 20_000))
        self.pieces = chance.random() < 0.3  # split and merged anew
        self.stall_at = self.place(0.12)
        self.stall_s = chance.uniform(1, 25)
        self.change_at = self.place(0.1)
        self.cut_at = self.place(0.25)
        self.cut_by_reset = chance.random() < 0.5

    def place(self, part):
        """A byte of the stream; None for a direction to which this does not happen."""
        if self.chance.random() >= part:
            return None
        return round(10 ** self.chance.uniform(0, 5))


class Direction:
    """The bytes that go one way on a connection."""

    def __init__(self, way, lots, reader, writer):
        self.way, self.lots, self.reader, self.writer = way, lots, reader, writer
        self.passed = 0
        self.counts = way.proxy.counts

    def reaches(self, place, piece):
        return place is not None and self.passed <= place < self.passed + len(piece)

    async def suffer(self, piece):
        """The piece as it is passed on, in parts; None: the connection is cut instead."""
        lots = self.lots
        if lots.delay_s:
            self.counts["delayed"] += 1
            await asyncio.sleep(lots.delay_s * lots.chance.random())
        if self.reaches(lots.stall_at, piece):
            self.counts["stalled"] += 1
            await asyncio.sleep(lots.stall_s)
        if self.reaches(lots.cut_at, piece):
            self.counts["cut"] += 1
            if lots.cut_by_reset:
                reset(self.writer)
            return None
        if self.reaches(lots.change_at, piece):
            self.counts["bytes changed"] += 1
            at = lots.change_at - self.passed
            piece = piece[:at] + bytes([piece[at] ^ 1 << lots.chance.randrange(8)]) + piece[at + 1:]
        return piece

    async def write(self, piece):
        lots, at = self.lots, 0
        while at < len(piece):
            size = len(piece)
            if lots.pieces and self.way.proxy.faults:
                size = lots.chance.choice((1, 5, 50, 500, 5_000))
                self.counts["split"] += 1
            if lots.bytes_per_s and self.way.proxy.faults:
                size = min(size, max(1, lots.bytes_per_s // 20))
                self.counts["slowed"] += 1
                await asyncio.sleep(0.05)
            self.writer.write(piece[at:at + size])
            await self.writer.drain()
            at += size
            await asyncio.sleep(0)

    async def read(self):
        piece = await self.reader.read(PIECE)
        if piece and self.lots.pieces and self.way.proxy.faults and self.lots.chance.random() < 0.3:
            await asyncio.sleep(0.03)  # more comes, and goes on in one with this
            with contextlib.suppress(asyncio.TimeoutError):
                piece += await asyncio.wait_for(self.reader.read(PIECE), 0.01)
                self.counts["merged"] += 1
        return piece

    async def run(self, record=None):
        while piece := await self.read():
            if record is not None:
                record += piece[:RECORD_MAX - len(record)]
            size = len(piece)
            if self.way.proxy.faults:
                piece = await self.suffer(piece)
                if piece is None:
                    raise ConnectionResetError
            await self.write(piece)
            self.passed += size
            self.counts["bytes"] += size
        with contextlib.suppress(OSError):
            self.writer.write_eof()


def reset(writer):
    with contextlib.suppress(OSError):
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)


class Way:
    """From one party to another, in that direction of dialing."""

    def __init__(self, proxy, seed, dialer, reached):
        self.proxy, self.dialer, self.reached = proxy, dialer, reached
        self.seed = f"{seed} way {dialer} {reached}"
        self.number = 0
        self.connections = set()  # tasks

    async def listen(self):
        listening = listener_in(self.proxy.namespaces[self.dialer], PROXY_PORT + self.reached)
        self.server = await asyncio.start_server(self.accept, sock=listening)

    async def accept(self, reader, writer):
        task = asyncio.current_task()
        self.connections.add(task)
        try:
            await self.serve(reader, writer)
        except (OSError, asyncio.CancelledError):
            pass
        finally:
            self.connections.discard(task)
            writer.close()

    async def serve(self, reader, writer):
        counts = self.proxy.counts
        self.number += 1
        chance = random.Random(f"{self.seed} {self.number}")
        lots = [Lots(random.Random(f"{self.seed} {self.number} {direction}")) for direction in ("there", "back")]
        refused, replayed = chance.random() < 0.1, chance.random() < 0.15
        counts["connections"] += 1
        if self.proxy.faults and (refused or frozenset((self.dialer, self.reached)) in self.proxy.cut):
            counts["refused"] += 1
            reset(writer)
            return
        there_reader, there_writer = await connection_in(self.proxy.namespaces[self.reached])
        record = bytearray()
        directions = [
            asyncio.create_task(Direction(self, lots[0], reader, there_writer).run(record)),
            asyncio.create_task(Direction(self, lots[1], there_reader, writer).run())]
        try:
            await self.until_over(directions)
        finally:
            for direction in directions:
                direction.cancel()
            there_writer.close()
        if self.proxy.faults and replayed and record:
            counts["replayed"] += 1
            await asyncio.wait_for(self.replay(bytes(record)), REPLAY_S)

    async def until_over(self, directions):
        """Both have ended, or one was cut or broke."""
        for direction in asyncio.as_completed(directions):
            with contextlib.suppress(OSError):
                await direction
                continue
            return

    async def replay(self, record):
        """Says all that was recorded to the courier again, whatever it answers."""
        with contextlib.suppress(OSError, asyncio.TimeoutError):
            reader, writer = await connection_in(self.proxy.namespaces[self.reached])
            try:
                writer.write(record)
                await writer.drain()
                while await reader.read(PIECE):
                    pass
            finally:
                writer.close()

    def cut_all(self):
        for task in list(self.connections):
            task.cancel()


class Proxy:
    def __init__(self, seed, namespaces):
        self.namespaces = namespaces
        self.faults = False
        self.cut = set()  # pairs of parties between which nothing goes for a while
        self.counts = collections.Counter()
        self.chance = random.Random(f"{seed} cuts")
        numbers = range(len(namespaces))
        self.ways = [Way(self, seed, one, other) for one in numbers for other in numbers if one != other]

    async def cut_ways(self):
        """Now and then no connection goes between two parties for a while."""
        pairs = sorted({tuple(sorted((way.dialer, way.reached))) for way in self.ways})
        while True:
            await asyncio.sleep(self.chance.uniform(3, 25))
            pair = frozenset(self.chance.choice(pairs))
            lasts_s = self.chance.uniform(1, 12)
            if self.faults:
                self.counts["ways cut"] += 1
                self.cut.add(pair)
                for way in self.ways:
                    if {way.dialer, way.reached} == pair:
                        way.cut_all()
            await asyncio.sleep(lasts_s)
            self.cut.discard(pair)

    async def obey(self):
        loop = asyncio.get_running_loop()
        words = asyncio.StreamReader()
        await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(words), sys.stdin)
        while word := (await words.readline()).decode().strip():
            self.faults = word == "faults"
            if not self.faults:
                self.cut.clear()
                for way in self.ways:
                    way.cut_all()

    async def run(self):
        for way in self.ways:
            await way.listen()
        print("listening", flush=True)
        cutting = asyncio.create_task(self.cut_ways())
        await self.obey()
        cutting.cancel()
        for way in self.ways:
            way.cut_all()
        await asyncio.sleep(0)
        print(json.dumps(self.counts), flush=True)


if __name__ == "__main__":
    asyncio.run(Proxy(sys.argv[1], [int(number) for number in sys.argv[2:]]).run())
