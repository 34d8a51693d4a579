"""Health and metrics over HTTP, for whoever watches the process: /healthz, /readyz, /metrics."""

from __future__ import annotations

import asyncio
import ipaddress
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST
from yarl import URL

from bot.health import Health
from bot.metrics import Metrics

_log = logging.getLogger(__name__)


@asynccontextmanager
async def serving(host: str, port: int, health: Health, metrics: Metrics) -> AsyncIterator[None]:
    """Serve them meanwhile; not at all where the port is 0.

    A port that is taken is reported and done without: people's questions come first. On a loopback
    address, requests that name another host are refused: a web page that somebody has open could
    send them.
    """
    if not port:
        yield
        return

    async def healthz(_: web.Request) -> web.Response:
        return web.json_response({"alive": True})

    async def readyz(_: web.Request) -> web.Response:
        troubles = await health.troubles()
        ready = not any(troubles.values())
        parts = {name: trouble or "ok" for name, trouble in troubles.items()}
        return web.json_response({"ready": ready, "parts": parts}, status=200 if ready else 503)

    async def page(_: web.Request) -> web.Response:
        await health.troubles()
        body = await asyncio.to_thread(metrics.page)
        return web.Response(body=body, headers={"Content-Type": CONTENT_TYPE_LATEST})

    app = web.Application(middlewares=[_for_this_machine] if _is_loopback(host) else [])
    app.router.add_get("/healthz", healthz)
    app.router.add_get("/readyz", readyz)
    app.router.add_get("/metrics", page)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        try:
            await web.TCPSite(runner, host, port).start()
        except OSError as error:
            _log.warning(
                "Health and metrics are not served: %s port %d cannot be used (%s). "
                "Set EREN_HEALTH_PORT to another, or to 0 for none.",
                host, port, error.strerror,
            )  # fmt: skip
        yield
    finally:
        await runner.cleanup()


@web.middleware
async def _for_this_machine(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    if not _is_loopback(URL(f"http://{request.host}").host or ""):
        raise web.HTTPForbidden(text="Only for this machine.")
    return await handler(request)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
