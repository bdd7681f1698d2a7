"""Who may talk to the server: the page that it served itself, and nobody else.

A browser runs pages of other web sites, too, and those can send requests to this machine. They
cannot hide where they come from: `Origin` and `Sec-Fetch-Site` tell, and `Host` tells of a foreign
name that was pointed to 127.0.0.1 (DNS rebinding).
"""

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Message, Receive, Send], Awaitable[None]]

NAMES = ("127.0.0.1", "localhost")
OWN_SITE = ("same-origin", "none")
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


class Guard:
    """Refuses requests of other sites, and has the browser refuse what other sites could do.

    Args:
        app: what answers the others.
        port: of the server.
    """

    def __init__(self, app: App, port: int) -> None:
        self._app = app
        self._hosts = {f"{name}:{port}" for name in NAMES}

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            return

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(raw=message["headers"])
                headers.update(HEADERS)
                headers.setdefault("Cache-Control", "no-store")
            await send(message)

        problem = self._problem(scope["method"], Headers(raw=scope["headers"]))
        answer: Any = JSONResponse({"error": problem}, 403) if problem else self._app
        await answer(scope, receive, send_guarded)

    def _problem(self, method: str, headers: Headers) -> str | None:
        """Why a request is refused."""
        host, origin = headers.get("host", ""), headers.get("origin")
        if host not in self._hosts:
            return "this server answers only under its own address"
        if origin is not None and origin != f"http://{host}":
            return "this server answers only its own page"
        if headers.get("sec-fetch-site", "none") not in OWN_SITE:
            return "this server answers only its own page"
        if method == "POST":
            if origin is None:
                return "this server answers only its own page"
            if headers.get("content-type", "").partition(";")[0].strip() != "application/json":
                return "send JSON"
        return None
