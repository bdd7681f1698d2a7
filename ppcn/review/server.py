"""The server of the page: addresses, answers, and a socket of this machine alone."""

import json
import logging
import socket
import threading
from collections.abc import Awaitable, Callable
from concurrent.futures import CancelledError
from contextlib import suppress
from pathlib import Path
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Route

from ppcn.dataset.decisions import Verdict
from ppcn.errors import UserError
from ppcn.review.guard import App, Guard
from ppcn.review.pictures import LAYERS
from ppcn.review.session import CAMERAS, Session, Shown, decision_about

logger = logging.getLogger(__name__)

PAGE = Path(__file__).parent / "page"
FILES = {"/": "index.html"} | {f"/{p.name}": p.name for p in PAGE.glob("*.[cj]s*")}
ADDRESS = "127.0.0.1"
# Addresses of pictures hold a number of the server's run and of the trial, so they never change.
KEPT = {"Cache-Control": "private, max-age=86400, immutable"}
# A decision about a pair takes no more, bytes.
LONGEST_REQUEST = 1_000_000

Values = dict[str, Any]


class _Answers:
    """What the page asks for; every method answers one request, beside others."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def overview(self, request: Request) -> Response:
        return JSONResponse(self._session.overview())

    def details(self, request: Request) -> Response:
        return JSONResponse(self._session.details(self.index(request)))

    def unchanged(self, request: Request) -> Response:
        return JSONResponse({"unchanged": self._session.is_unchanged(self.index(request))})

    def picture(self, request: Request) -> Response:
        shown, layer = self._shown(request), request.path_params["layer"]
        if layer not in LAYERS:
            return _problem("no such picture", 404)
        return Response(self._session.picture(shown, layer), 200, KEPT, "image/jpeg")

    def photo(self, request: Request) -> Response:
        index, camera = self.index(request), request.path_params["camera"]
        if camera not in CAMERAS:
            return _problem("no such photo", 404)
        is_whole = request.query_params.get("whole") == "1"
        return Response(self._session.photo(index, camera, is_whole), 200, KEPT, "image/jpeg")

    def windows(self, request: Request) -> Response:
        try:
            return JSONResponse({"windows": self._session.windows(self._shown(request))})
        except CancelledError:
            return _problem("another pair was asked for", 409)

    def decide(self, index: int, values: Values) -> Values:
        self._session.decide(index, decision_about(values))
        return self._session.details(index)

    def try_points(self, index: int, values: Values) -> Values:
        decision = decision_about({**values, "verdict": Verdict.POINTS.value})
        assert decision
        return self._session.try_points(index, decision)

    def index(self, request: Request) -> int:
        """The pair that a request is about."""
        index = int(request.path_params["index"])
        if index >= len(self._session.catalogue.entries):
            raise UserError("no such pair")
        return index

    def _shown(self, request: Request) -> Shown:
        trial = request.query_params.get("trial", "0")
        return Shown(self.index(request), int(trial) if trial.isdecimal() else 0)


def make_app(session: Session, port: int) -> App:
    """The page, and what it asks for.

    Args:
        session: what it is about.
        port: of the server.
    """
    answers, pair = _Answers(session), "/api/pairs/{index:int}"
    routes = [Route(path, _file(name)) for path, name in FILES.items()]
    routes += [
        Route("/api/pairs", _answer(answers.overview)),
        Route(pair, _answer(answers.details)),
        Route(f"{pair}/unchanged", _answer(answers.unchanged)),
        Route(f"{pair}/windows", _answer(answers.windows)),
        Route(f"{pair}/pictures/{{layer:str}}", _answer(answers.picture)),
        Route(f"{pair}/photos/{{camera:str}}", _answer(answers.photo)),
        Route(f"{pair}/decision", _take(answers.index, answers.decide), methods=["POST"]),
        Route(f"{pair}/trial", _take(answers.index, answers.try_points), methods=["POST"]),
    ]
    return Guard(Starlette(routes=routes), port)


def serve(session: Session, port: int, say: Callable[[str], None]) -> None:
    """Serve the page until Ctrl-C.

    Args:
        session: what it is about.
        port: 0 for any that is free.
        say: is told the address once it can be opened.

    Raises:
        UserError: the port is taken.
    """
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as listening:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listening.bind((ADDRESS, port))
        except OSError as error:
            problem = f"port {port} cannot be used ({error.strerror}); name another"
            raise UserError(problem) from None
        listening.listen()
        port = listening.getsockname()[1]
        config = uvicorn.Config(
            make_app(session, port),
            # What goes wrong is logged where it does; requests that Ctrl-C cuts off are no error.
            log_level="critical",
            lifespan="off",
            server_header=False,
            timeout_graceful_shutdown=1,
        )
        threading.Thread(target=_warm_up, args=(session,), daemon=True).start()
        # Whoever connects from here on waits until the server runs.
        say(f"http://{ADDRESS}:{port}/")
        try:
            uvicorn.Server(config).run(sockets=[listening])
        finally:
            session.worker.close()


def _warm_up(session: Session) -> None:
    # The page says what is wrong with a photo once somebody looks at it.
    with suppress(UserError):
        session.warm_up()


def _file(name: str) -> Callable[[Request], Response]:
    return lambda request: FileResponse(PAGE / name)


def _answer(function: Callable[[Request], Response]) -> Callable[[Request], Response]:
    """An answer whose errors are sentences for the page."""

    def answer(request: Request) -> Response:
        try:
            return function(request)
        except UserError as error:
            return _problem(str(error), 422)
        except Exception:
            return _unforeseen(request)

    return answer


def _take(
    index_of: Callable[[Request], int], function: Callable[[int, Values], Values]
) -> Callable[[Request], Awaitable[Response]]:
    """An answer to something that is sent."""

    async def answer(request: Request) -> Response:
        body = bytearray()
        async for chunk in request.stream():
            body += chunk
            if len(body) > LONGEST_REQUEST:
                return _problem("that is too much", 413)
        try:
            values = json.loads(body.decode(errors="replace"))
            if not isinstance(values, dict):
                return _problem("send a JSON object", 400)
            result = await run_in_threadpool(function, index_of(request), values)
        except UserError as error:
            return _problem(str(error), 422)
        except json.JSONDecodeError:
            return _problem("send a JSON object", 400)
        except Exception:
            return _unforeseen(request)
        return JSONResponse(result)

    return answer


def _unforeseen(request: Request) -> Response:
    """What the page is told of an error that nobody foresaw; the log has all of it."""
    logger.exception("%s", request.url.path)
    return _problem("something went wrong; the terminal has the details", 500)


def _problem(sentence: str, status: int) -> Response:
    return JSONResponse({"error": sentence}, status)
