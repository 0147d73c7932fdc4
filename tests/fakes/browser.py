"""A real browser, driven over its debugging protocol: what a person sees and does."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import itertools
import json
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp

CHROMIUM = shutil.which("chromium")


class Browser:
    """One page. `requests`: the addresses that it asked; `faults`: what its console says went wrong."""

    def __init__(self, connection: aiohttp.ClientWebSocketResponse, session: str) -> None:
        self.requests: list[str] = []
        self.faults: list[str] = []
        self._connection = connection
        self._session = session
        self._ids = itertools.count(10)
        self._waiting: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._reader = asyncio.ensure_future(self._read())

    async def send(self, method: str, **params: Any) -> dict[str, Any]:
        number = next(self._ids)
        answer = self._waiting[number] = asyncio.get_running_loop().create_future()
        message = {"id": number, "method": method, "params": params, "sessionId": self._session}
        await self._connection.send_json(message)
        return await asyncio.wait_for(answer, 30)

    async def open(self, url: str) -> None:
        await self.send("Page.navigate", url=url)

    async def run(self, script: str) -> Any:
        """What an expression of the page comes to."""
        answer = await self.send("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        return answer["result"].get("value")

    async def until(self, script: str) -> Any:
        """What the expression comes to, once that is something."""
        async with asyncio.timeout(60):
            while True:
                with contextlib.suppress(KeyError):  # while a page goes and the next one comes there is nothing to ask
                    if value := await self.run(script):
                        return value
                await asyncio.sleep(0.05)

    async def show(self, *, width: int, height: int = 900, dark: bool = False) -> None:
        """As on a screen so wide, in a light or a dark room."""
        await self.send(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 600
        )
        theme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        await self.send("Emulation.setEmulatedMedia", features=[theme])

    async def picture(self) -> bytes:
        """The whole page, as PNG."""
        answer = await self.send("Page.captureScreenshot", captureBeyondViewport=True)
        return base64.b64decode(answer["data"])

    async def _read(self) -> None:
        async for message in self._connection:
            event = json.loads(message.data)
            if (number := event.get("id")) in self._waiting:
                future = self._waiting.pop(number)
                if not future.done():
                    future.set_result(event.get("result", {}))
            elif event.get("method") == "Network.requestWillBeSent":
                self.requests.append(event["params"]["request"]["url"])
            elif event.get("method") == "Runtime.exceptionThrown" or (
                event.get("method") == "Log.entryAdded" and event["params"]["entry"]["level"] in ("warning", "error")
            ):
                self.faults.append(json.dumps(event["params"]))


@contextlib.asynccontextmanager
async def browser(profile: Path) -> AsyncIterator[Browser]:
    """A browser with a fresh profile in the folder `profile`."""
    assert CHROMIUM is not None
    process = await asyncio.create_subprocess_exec(
        CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--remote-debugging-port=0", "--no-first-run",
        f"--user-data-dir={profile}", "about:blank", stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        assert process.stderr is not None
        async with asyncio.timeout(60):
            async for line in process.stderr:
                if b"DevTools listening on " in line:
                    address = line.decode().split("listening on ")[1].strip()
                    break
        rest = asyncio.ensure_future(process.stderr.read())
        async with aiohttp.ClientSession() as session, session.ws_connect(address, max_msg_size=0) as connection:
            await connection.send_json({"id": 1, "method": "Target.getTargets"})
            targets = (await _answer(connection, 1))["targetInfos"]
            page = next(target["targetId"] for target in targets if target["type"] == "page")
            params = {"targetId": page, "flatten": True}
            await connection.send_json({"id": 2, "method": "Target.attachToTarget", "params": params})
            opened = Browser(connection, (await _answer(connection, 2))["sessionId"])
            for domain in ("Page", "Network", "Runtime", "Log"):
                await opened.send(f"{domain}.enable")
            yield opened
        rest.cancel()
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


async def _answer(connection: aiohttp.ClientWebSocketResponse, number: int) -> dict[str, Any]:
    async for message in connection:
        event = json.loads(message.data)
        if event.get("id") == number:
            return event["result"]
    raise AssertionError("the browser ended")
