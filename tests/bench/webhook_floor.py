"""The least that sending webhooks takes: aiohttp, the same body, the same signature, 64 at a time, and nothing written down.

    python -m tests.bench.webhook_floor URL COUNT BYTES

Prints how many seconds that took, and how many of the processor.
"""

import asyncio
import base64
import hashlib
import hmac
import json
import secrets
import sys
import time
import uuid

import aiohttp

IN_FLIGHT = 64


async def send_all(url: str, count: int, size: int) -> tuple[float, float]:
    """Send signed messages, and return the seconds by the clock and of the processor."""
    secret, body = secrets.token_bytes(32), b"x" * size
    left = iter(range(count))

    async def send(session: aiohttp.ClientSession) -> None:
        for _ in left:
            id, timestamp = str(uuid.uuid4()), str(int(time.time()))
            signature = base64.b64encode(hmac.digest(secret, b".".join((id.encode(), timestamp.encode(), body)), hashlib.sha256)).decode()
            headers = {"webhook-id": id, "webhook-timestamp": timestamp, "webhook-signature": f"v1,{signature}"}
            async with session.post(url, data=body, headers={**headers, "Content-Type": "application/json"}) as response:
                await response.read()
                assert response.status == 204

    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        began, spent = time.perf_counter(), time.process_time()
        async with asyncio.TaskGroup() as group:
            for _ in range(IN_FLIGHT):
                group.create_task(send(session))
        return time.perf_counter() - began, time.process_time() - spent


if __name__ == "__main__":
    print(json.dumps(asyncio.run(send_all(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))))
