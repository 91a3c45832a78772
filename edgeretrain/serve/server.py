"""Runs the page until it is stopped."""

import logging
import threading

from starlette.types import ASGIApp
from uvicorn import Config, Server

from edgeretrain.serve.address import Listening

_CONNECTIONS = 64
_SECONDS_TO_END = 2


def run(app: ASGIApp, listening: Listening, *, stop: threading.Event | None = None) -> None:
    """Serve until SIGINT or SIGTERM, which are raised again in the caller afterwards.

    Args:
        stop: ends it as well, for a server in another thread.
    """
    logging.getLogger("uvicorn").setLevel(logging.ERROR)  # invalid requests of clients need no message
    config = Config(
        app,
        loop="asyncio",
        http="h11",
        ws="none",
        lifespan="off",
        interface="asgi3",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        limit_concurrency=_CONNECTIONS,
        timeout_graceful_shutdown=_SECONDS_TO_END,
    )
    server = _Stoppable(config, stop) if stop is not None else Server(config)
    server.run(sockets=[listening.socket])


class _Stoppable(Server):
    """Checks an event ten times a second, as uvicorn does its own signals."""

    def __init__(self, config: Config, stop: threading.Event) -> None:
        super().__init__(config)
        self._stop = stop

    async def on_tick(self, counter: int) -> bool:
        self.should_exit = self.should_exit or self._stop.is_set()
        return await super().on_tick(counter)
