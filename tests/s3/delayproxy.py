# SPDX-License-Identifier: LGPL-2.1-or-later
"""A TCP proxy that makes loopback as slow as a distant store.

usage: delayproxy.py [--line] [--count FILE] LISTEN-PORT TARGET-PORT DELAY-MS [MIB-PER-SECOND]

Bytes leave DELAY-MS after they came in, each way; each connection and direction carries at most
MIB-PER-SECOND (0, the default: no limit). With --line that is what all connections share, and to
open one takes a round trip as well. There is no slow start: a connection is fast from its first byte.

What is under way is limited to one bandwidth-delay product, as by a TCP window, so that a client
that hangs up has made the server send no more than it would have from afar. --count: the first
8 bytes of FILE say how many have been handed to clients (little endian).
"""

import argparse
import asyncio
import mmap
import socket
import struct
from contextlib import suppress
from dataclasses import dataclass

# What is read at once. On a line no more than it carries in a millisecond: the first bytes of an
# answer are not to wait for many others.
PIECE, LINE_PIECE = 262144, 32768


class Line:
    """One direction: says when the last of some bytes has been put onto it."""

    def __init__(self, rate):
        self.rate, self.free = rate, 0.0

    def carries(self, size, now):
        self.free = max(self.free, now) + (size / self.rate if self.rate else 0)
        return self.free


class UnderWay:
    """The bytes of one connection and direction that have left and not arrived."""

    def __init__(self, most):
        self.most, self.now, self.ended, self.changed = most, 0, False, asyncio.Event()

    async def begin(self, size):
        """False: nothing more will arrive."""
        while self.now and self.now + size > self.most and not self.ended:
            self.changed.clear()
            await self.changed.wait()
        self.now += size
        return not self.ended

    def arrived(self, size):
        self.now -= size
        self.changed.set()

    def end(self, _):
        self.ended = True
        self.changed.set()


async def relay(reader, writer, line, delay, way, delivered=None):
    loop = asyncio.get_running_loop()
    queue, under_way = asyncio.Queue(), UnderWay(way.window)

    async def send():
        while True:
            due, data = await queue.get()
            wait = due - loop.time()
            if wait > 0.0005:
                await asyncio.sleep(wait)
            if not data:
                if writer.can_write_eof():
                    writer.write_eof()
                return
            writer.write(data)
            await writer.drain()
            if delivered:
                delivered(len(data))
            under_way.arrived(len(data))

    sender = asyncio.create_task(send())
    sender.add_done_callback(under_way.end)
    try:
        while True:
            data = await reader.read(way.piece)
            if not await under_way.begin(len(data)):
                break
            queue.put_nowait((line.carries(len(data), max(loop.time(), way.opened)) + delay, data))
            if not data:
                break
        await sender
    except (OSError, asyncio.CancelledError):
        pass
    finally:
        sender.cancel()


@dataclass
class Way:
    """What both directions of a connection have in common."""

    window: int
    piece: int
    opened: float


def counter(path):
    """Adds to the number in a file that another process reads."""
    if not path:
        return None
    with open(path, "r+b") as file:
        shared = mmap.mmap(file.fileno(), 8)

    def add(size):
        struct.pack_into("<Q", shared, 0, struct.unpack_from("<Q", shared)[0] + size)

    return add


async def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("--line", action="store_true")
    parser.add_argument("--count")
    parser.add_argument("listen", type=int)
    parser.add_argument("target", type=int)
    parser.add_argument("delay_ms", type=float)
    parser.add_argument("mib_per_second", type=float, nargs="?", default=0)
    given = parser.parse_args()
    delay, rate = given.delay_ms / 1000, given.mib_per_second * 1048576
    piece, buffer = (LINE_PIECE, 65536) if given.line else (PIECE, 1 << 20)
    window = max(4 * piece, int(rate * 2 * delay)) if rate else 32 << 20
    up, down, count = Line(rate), Line(rate), counter(given.count)

    async def serve(reader, writer):
        now = asyncio.get_running_loop().time()
        way = Way(window, piece, now + 2 * delay if given.line else now)
        try:
            back_reader, back_writer = await asyncio.open_connection(
                "127.0.0.1", given.target, limit=buffer
            )
        except ConnectionError:
            writer.close()
            return
        if given.line:
            # What the system holds would be under way as well.
            writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, buffer)
            writer.transport.set_write_buffer_limits(high=0)
        there, back = (up, down) if given.line else (Line(rate), Line(rate))
        try:
            await asyncio.gather(
                relay(reader, back_writer, there, delay, way),
                relay(back_reader, writer, back, delay, way, count),
            )
        finally:
            for end in (writer, back_writer):
                end.transport.abort()

    server = await asyncio.start_server(
        serve, "127.0.0.1", given.listen, limit=buffer, backlog=128
    )
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):
        asyncio.run(main())
