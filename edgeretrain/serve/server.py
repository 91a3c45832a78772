"""Runs the page until it is stopped."""

import logging
import threading

from starlette.types import ASGIApp
from uvicorn import Config, Server

from edgeretrain.serve.address import Listening

_CONNECTIONS = 64
_SECONDS_TO_END = 2


def run(app: ASGIApp, listening: Listening, *, stop: threading.Event | None = None) -> None:
    """Serve until SIGINT or SIGTERM, which come back to the caller afterwards as what they mean there.

    Args:
        stop: ends it too, for a server in another thread.
    """
    logging.getLogger("uvicorn").setLevel(logging.ERROR)  # a client that sends nonsense is no news
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
    """Looks at an event ten times a second, as uvicorn does at its own signals."""

    def __init__(self, config: Config, stop: threading.Event) -> None:
        super().__init__(config)
        self._stop = stop

    async def on_tick(self, counter: int) -> bool:
        self.should_exit = self.should_exit or self._stop.is_set()
        return await super().on_tick(counter)
