"""Put a server under load: with wrk where it is on PATH, else with connections of our own.

Each connection sends one request after the other, and each brings the next of the cookies, so
that two requests of one session hardly ever meet.
"""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path
from statistics import quantiles
from tempfile import NamedTemporaryFile
from time import perf_counter

SCRIPT = Path(__file__).with_name("load.lua")


@dataclass(frozen=True)
class Load:
    """What the clients saw: requests per second, and milliseconds of latency."""

    per_second: float
    p50: float
    p99: float


def generator(seconds: float) -> str:
    """What loads for such a time: wrk counts in whole seconds."""
    return "wrk" if seconds >= 1 and shutil.which("wrk") else "asyncio"


def load(port: int, cookies: list[str], path: str, connections: int, seconds: float) -> Load:
    """Load `path` for a time; raises AssertionError if any answer is not a 200."""
    if generator(seconds) == "wrk":
        return _wrk(port, cookies, path, connections, seconds)
    return asyncio.run(_clients(port, cookies, path, connections, seconds))


def _wrk(port: int, cookies: list[str], path: str, connections: int, seconds: float) -> Load:
    with NamedTemporaryFile("w", suffix=".txt") as file:
        file.write("\n".join(cookies))
        file.flush()
        command = ["wrk", "-t1", f"-c{connections}", f"-d{round(seconds)}s", "-s", str(SCRIPT)]
        done = subprocess.run(
            [*command, f"http://127.0.0.1:{port}{path}", "--", file.name],
            capture_output=True,
            text=True,
            check=True,
        )
    seen = json.loads(done.stdout.splitlines()[-1])
    if seen["errors"]:
        raise AssertionError(f"{seen['errors']} answers were not a 200, or none at all")
    return Load(seen["per_second"], seen["p50"], seen["p99"])


async def _clients(
    port: int, cookies: list[str], path: str, connections: int, seconds: float
) -> Load:
    requests = cycle([_request(path, cookie) for cookie in cookies])
    start = perf_counter()
    clients = [_client(port, requests, start + seconds) for _ in range(connections)]
    latencies = [latency for each in await asyncio.gather(*clients) for latency in each]
    took = perf_counter() - start
    percentiles = quantiles(latencies, n=100, method="inclusive")
    return Load(len(latencies) / took, percentiles[49] * 1e3, percentiles[98] * 1e3)


def _request(path: str, cookie: str) -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nCookie: {cookie}\r\n\r\n".encode()


async def _client(port: int, requests: Iterator[bytes], until: float) -> list[float]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    latencies: list[float] = []
    try:
        while perf_counter() < until or len(latencies) < 2:
            start = perf_counter()
            writer.write(next(requests))
            head = await reader.readuntil(b"\r\n\r\n")
            if not head.startswith(b"HTTP/1.1 200"):
                raise AssertionError(head.decode())
            await reader.readexactly(2)
            latencies.append(perf_counter() - start)
    finally:
        writer.close()
        await writer.wait_closed()
    return latencies
