"""The application built from the table of routes, and its listening while a block runs."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web
from yarl import URL

from notifier.web.asking import Asking
from notifier.web.hints import ASKING
from notifier.web.middleware import KEYLESS, OPEN_TO_LOCALS, PAGES, guarded, mark, refusing, watched
from notifier.web.routes import ROUTES
from notifier.web.routing import endpoint
from notifier.web.services import SERVICES, Services

MAX_BODY_BYTES = 256 * 1024


def application(services: Services) -> web.Application:
    """Return the application. Without `[metrics] enabled` there is no /metrics."""
    app = web.Application(middlewares=[watched, refusing, guarded], client_max_size=MAX_BODY_BYTES)
    app[SERVICES] = services
    paths = {route.path for route in ROUTES if route.is_keyless}
    app[KEYLESS] = frozenset(paths)
    app[PAGES] = frozenset(route.path for route in ROUTES if route.is_page)
    app[OPEN_TO_LOCALS] = frozenset({"/"} if services.config.server.is_loopback else ())
    app[ASKING] = Asking(services.storage, services.clock)
    app.on_response_prepare.append(mark)
    for route in ROUTES:
        if route.path == "/metrics" and not services.config.metrics.enabled:
            continue
        app.router.add_route(route.method, _pattern(route.path), endpoint(route))
    return app


@asynccontextmanager
async def serving(app: web.Application, host: str, port: int, *, grace_s: float = 5.0) -> AsyncIterator[str]:
    """Listen while the block runs, then let calls in flight end for `grace_s`.

    Yields: the base URL; for port 0 it names the port that was found. Raises: OSError when the port is taken.
    """
    runner = web.AppRunner(app, handle_signals=False, access_log=None, shutdown_timeout=grace_s)
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port).start()
        yield str(URL.build(scheme="http", host=host, port=runner.addresses[0][1]))
    finally:
        await runner.cleanup()


def _pattern(path: str) -> str:
    """Let an id hold braces, which the router's own pattern does not match."""
    return path.replace("}", ":[^/]+}")
