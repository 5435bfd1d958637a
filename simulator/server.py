"""Server for the application, on the loopback address only."""

from __future__ import annotations

from aiohttp import web

from simulator.app import build_app
from simulator.state import Simulator

HOST = "127.0.0.1"
SHUTDOWN_GRACE = 0.1  # seconds that open requests get to end when the server stops, then they are cancelled


class Server:
    """HTTP server that stops promptly even if requests hang."""

    def __init__(self, sim: Simulator) -> None:
        self._runner = web.AppRunner(
            build_app(sim), handler_cancellation=True, shutdown_timeout=SHUTDOWN_GRACE, access_log=None
        )

    async def start(self, port: int = 0) -> int:
        """Listen on `port`, or on any free port if it is 0, and return the port."""
        await self._runner.setup()
        await web.TCPSite(self._runner, HOST, port).start()
        return int(self._runner.addresses[0][1])

    async def stop(self) -> None:
        await self._runner.cleanup()


def base_url(port: int) -> str:
    return f"http://{HOST}:{port}/client/v4"
