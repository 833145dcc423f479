# SPDX-License-Identifier: LGPL-2.1-or-later
"""A TCP proxy that makes loopback as slow as a distant store.

usage: delayproxy.py LISTEN-PORT TARGET-PORT DELAY-MS [MIB-PER-SECOND]

Bytes leave DELAY-MS after they came in, each way; each connection and direction carries at most
MIB-PER-SECOND (0, the default: no limit). At most one bandwidth-delay product and a bit is held.
"""

import asyncio
import sys


async def relay(reader, writer, delay, rate):
    loop = asyncio.get_running_loop()
    queue = asyncio.Queue(maxsize=128)

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

    sender = asyncio.create_task(send())
    free = loop.time()
    try:
        while True:
            data = await reader.read(262144)
            now = loop.time()
            free = max(free, now) + (len(data) / rate if rate else 0)
            await queue.put((free + delay, data))
            if not data or sender.done():
                break
        await sender
    except (ConnectionError, asyncio.CancelledError):
        pass
    finally:
        sender.cancel()


async def main():
    listen, target, delay = int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]) / 1000
    rate = float(sys.argv[4]) * 1048576 if len(sys.argv) > 4 else 0

    async def serve(reader, writer):
        try:
            back_reader, back_writer = await asyncio.open_connection(
                "127.0.0.1", target, limit=1 << 20
            )
        except ConnectionError:
            writer.close()
            return
        try:
            await asyncio.gather(
                relay(reader, back_writer, delay, rate), relay(back_reader, writer, delay, rate)
            )
        finally:
            for end in (writer, back_writer):
                end.transport.abort()

    server = await asyncio.start_server(serve, "127.0.0.1", listen, limit=1 << 20, backlog=128)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
