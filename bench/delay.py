"""Be a long line: pass on what comes to a port half a round trip later, in either direction.

usage: python -m bench.delay PORT TARGET_PORT ROUND_TRIP_SECONDS
"""

from __future__ import annotations

import asyncio
import contextlib
import sys

CHUNK = 65536


async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, delay: float) -> None:
    """Pass bytes on, each chunk a delay after it came, with any number of them on their way."""
    loop = asyncio.get_running_loop()
    on_the_way: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()

    async def arrive() -> None:
        while True:
            due, data = await on_the_way.get()
            await asyncio.sleep(due - loop.time())
            if not data:
                writer.close()
                return
            writer.write(data)
            await writer.drain()

    arriving = asyncio.create_task(arrive())
    with contextlib.suppress(ConnectionError):
        while data := await reader.read(CHUNK):
            on_the_way.put_nowait((loop.time() + delay, data))
    on_the_way.put_nowait((loop.time() + delay, b""))
    await arriving


async def serve(port: int, target: int, round_trip: float) -> None:
    """Serve until killed; a connection costs a round trip before its first byte, as over a real line."""

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(round_trip)
        there, back = await asyncio.open_connection("127.0.0.1", target)
        half = round_trip / 2
        await asyncio.gather(carry(reader, back, half), carry(there, writer, half), return_exceptions=True)

    server = await asyncio.start_server(connected, "0.0.0.0", port)  # noqa: S104  a namespace of its own
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])))
