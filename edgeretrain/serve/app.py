"""The page's routes. Every request passes the `Guard` first; the body of a refused request is not read."""

import asyncio
import base64
import hashlib
import html
from collections.abc import Callable
from dataclasses import dataclass
from importlib.resources import files

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from edgeretrain.classifier import Classifier
from edgeretrain.errors import EdgeretrainError, UnreadablePhoto
from edgeretrain.serve.auth import OWN_HEADER, Guard
from edgeretrain.serve.live import LiveView, shown_scores
from edgeretrain.serve.photos_store import BadClassName, PhotosStore
from edgeretrain.stream.sources import Notify, ignore
from edgeretrain.version import __version__

MAX_UPLOAD = 20_000_000
"""Bytes of an upload."""

UPLOAD_SECONDS = 120.0
"""How long an upload may take: 20 MB at 1.3 Mbit/s."""

MAX_UPLOADS = 4
"""Uploads held in memory at the same time."""

_WAIT_SECONDS = 1.0  # how long a request for the state waits for a newer frame
_POLL_SECONDS = 0.02  # between two looks for a newer frame

_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
_HEADERS = {
    "content-security-policy": _POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",  # the first URL holds the token
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-store",
}

_ASSETS = {
    "style.css": ("edgeretrain.serve", "style.css", "text/css"),
    "page.js": ("edgeretrain.serve", "page.js", "text/javascript"),
    "icon.svg": ("edgeretrain.serve", "icon.svg", "image/svg+xml"),
    "family.css": ("edgeretrain.report", "style.css", "text/css"),  # the style of the report
}


@dataclass(frozen=True)
class AppResources:
    """What the page shows and works with.

    Attributes:
        live: must be running.
        model: its name, for the page.
        store: where photos are saved; None: nowhere.
        reject_below: the top score below which an uploaded photo is none of the classes, 0 to 1.
        notify: called with the reason when a photo cannot be saved.
    """

    classifier: Classifier
    live: LiveView
    model: str
    store: PhotosStore | None = None
    reject_below: float = 0.0
    notify: Notify = ignore


def make_app(resources: AppResources, guard: Guard, *, log_request: Notify | None = None) -> ASGIApp:
    """The page as an ASGI application.

    Args:
        log_request: called with one line for each request, without its query, which may hold the token.
    """
    return _Gate(_Pages(resources).app(), guard, log_request)


class _Gate:
    """Refuses requests that the guard does not allow, and adds `_HEADERS` to every response."""

    def __init__(self, app: ASGIApp, guard: Guard, log_request: Notify | None) -> None:
        self._app, self._guard, self._log_request = app, guard, log_request

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        request = Request(scope)
        extra_headers: dict[str, str] = {}

        async def send_on(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(raw=list(message["headers"]))
                for key, value in {**_HEADERS, **extra_headers}.items():
                    headers.setdefault(key, value)
                message = {**message, "headers": headers.raw}
                if self._log_request is not None:
                    client = request.client.host if request.client else "-"
                    self._log_request(f"{client} {request.method} {scope['path']} {message['status']}")
            await send(message)

        refusal = self._refusal(request)
        if refusal is None and scope["path"] == "/" and "token" in request.query_params:
            # No redirect: a browser that was led here by a link from elsewhere would not send a Strict cookie along.
            # The page's script takes the token out of the address.
            extra_headers["set-cookie"] = self._guard.cookie
        await (self._app if refusal is None else refusal)(scope, receive, send_on)

    def _refusal(self, request: Request) -> Response | None:
        guard = self._guard
        if not guard.host_allowed(request.headers.get("host", "")):
            return problem(request, 403, "This page cannot be opened under this name. Open it as http://localhost.")
        shown = request.query_params.get("token") if request.scope["path"] == "/" else None
        if shown is not None and not guard.token_right(shown):
            return problem(request, 403, "This token is wrong.", form=True)
        if shown is None and not guard.cookie_right(request.cookies):
            return problem(
                request,
                401,
                "This page needs the token that was printed or set when the server was started.",
                form=True,
            )
        if request.method not in ("GET", "HEAD") and not guard.from_own_page(request.headers):
            return problem(request, 403, "This request did not come from the page itself.")
        return None


class _Pages:
    """The routes behind the gate."""

    def __init__(self, resources: AppResources) -> None:
        self._resources = resources
        self._uploads = 0
        self._decoding = asyncio.Semaphore(1)  # a large photo takes 300 MB while it is decoded
        self._assets = {
            name: Response((files(package) / file).read_bytes(), media_type=kind)
            for name, (package, file, kind) in _ASSETS.items()
        }
        self._page = Response((files("edgeretrain.serve") / "page.html").read_bytes(), media_type="text/html")

    def app(self) -> Starlette:
        """The routes."""
        routes = [
            Route("/", self.page),
            Route("/setup", self.setup),
            Route("/state", self.state),
            Route("/frame", self.frame),
            Route("/classify", self.classify, methods=["POST"]),
            Route("/photos", self.save, methods=["POST"]),
            *(Route(f"/{name}", self.asset) for name in self._assets),
        ]
        app = Starlette(routes=routes, exception_handlers={HTTPException: _http_problem})
        app.router.redirect_slashes = False  # it would repeat the Host header, whatever stands there
        return app

    async def page(self, _: Request) -> Response:
        """The page itself."""
        return self._page

    async def asset(self, request: Request) -> Response:
        """Its style, script and icon."""
        return self._assets[request.scope["path"][1:]]

    async def setup(self, _: Request) -> Response:
        """What does not change with every frame."""
        store = self._resources.store
        return JSONResponse(
            {
                "version": __version__,
                "model": self._resources.model,
                "classes": None if store is None else await run_in_threadpool(store.counts),
                "max_upload": MAX_UPLOAD,
            }
        )

    async def state(self, request: Request) -> Response:
        """The newest prediction, as soon as its number differs from `?after=NUMBER`, or else after a second."""
        live = self._resources.live
        after = request.query_params.get("after", "")
        number = int(after) if after.isascii() and after.isdigit() and len(after) < 16 else -1
        for _ in range(round(_WAIT_SECONDS / _POLL_SECONDS)):
            if live.number != number:
                break
            await asyncio.sleep(_POLL_SECONDS)
        return JSONResponse(live.state())

    async def frame(self, request: Request) -> Response:
        """The newest frame as JPEG; its number is in the header X-Frame."""
        number, jpeg = await run_in_threadpool(self._resources.live.jpeg)
        if not number:
            return problem(request, 503, "The camera has not sent a picture yet.")
        return Response(jpeg, media_type="image/jpeg", headers={"x-frame": str(number)})

    async def classify(self, request: Request) -> Response:
        """What is on an uploaded photo; the request's body is the file."""
        return await self._with_upload(request, self._classify)

    async def save(self, request: Request) -> Response:
        """Save an uploaded photo, or a frame that the page shows, as class `?label=NAME`."""
        if self._resources.store is None:
            return problem(request, 404, "To save photos, start `edgeretrain serve` with --photos FOLDER.")
        return await self._with_upload(request, self._save)

    def _classify(self, request: Request, content: bytes) -> Response:
        classifier = self._resources.classifier
        scores = classifier.probabilities(content)
        top = classifier.ranked(scores, 1)[0]
        return JSONResponse(
            {
                "label": top.label if top.score >= self._resources.reject_below else None,
                "score": round(top.score, 4),
                "scores": shown_scores(classifier, scores),
            }
        )

    def _save(self, request: Request, content: bytes) -> Response:
        store = self._resources.store
        assert store is not None
        saved = store.save(request.query_params.get("label", ""), content)
        return JSONResponse({"saved": saved, "classes": store.counts()}, status_code=201)

    async def _with_upload(self, request: Request, work: Callable[[Request, bytes], Response]) -> Response:
        """Read the body within its limits, then do the work with it in a thread."""
        if self._uploads >= MAX_UPLOADS:
            return problem(request, 503, "Too many uploads at this moment. Try again.", close=True)
        self._uploads += 1
        try:
            content = await asyncio.wait_for(_body(request), UPLOAD_SECONDS)
            if content is None:
                megabytes = MAX_UPLOAD // 1_000_000
                return problem(
                    request, 413, f"The photo is larger than {megabytes} MB. Choose a smaller one.", close=True
                )
            async with self._decoding:
                return await run_in_threadpool(work, request, content)
        except (TimeoutError, asyncio.TimeoutError):  # two classes until Python 3.11
            return problem(request, 408, "The upload took too long. Try again, closer to the device.", close=True)
        except ClientDisconnect:
            return Response(status_code=400)
        except UnreadablePhoto as error:
            return problem(request, 422, f"This photo cannot be read: {error.reason}. Choose another one.")
        except BadClassName as error:
            return problem(request, 422, str(error))
        except EdgeretrainError as error:
            self._resources.notify(str(error))
            return problem(request, 507, str(error))
        except MemoryError:
            return problem(request, 507, "There is not enough memory for this photo. Choose a smaller one.")
        finally:
            self._uploads -= 1


async def _body(request: Request) -> bytes | None:
    """The body; None when it is larger than MAX_UPLOAD, of which no more than that is read."""
    content_length = request.headers.get("content-length", "0")
    if not content_length.isdigit() or int(content_length) > MAX_UPLOAD:
        return None
    content = bytearray()
    async for chunk in request.stream():
        content += chunk
        if len(content) > MAX_UPLOAD:
            return None
    return bytes(content)


def problem(request: Request, status: int, message: str, *, form: bool = False, close: bool = False) -> Response:
    """A response that says what is wrong: JSON for the page's script, else a small page.

    Args:
        form: ask for the token.
        close: end the connection: the rest of the request is not read.
    """
    headers = {"connection": "close"} if close else {}
    if OWN_HEADER in request.headers:
        return JSONResponse({"error": message}, status_code=status, headers=headers)
    text = (files("edgeretrain.serve") / "message.html").read_text("utf-8")
    before, _, rest = text.partition("<form")
    _, _, after = rest.partition("</form>")
    text = text if form else before + after
    style = text.split("<style>")[1].split("</style>")[0]
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    headers["content-security-policy"] = _POLICY.replace("style-src 'self'", f"style-src 'sha256-{digest}'")
    return Response(
        text.replace("{{ message }}", html.escape(message)), status, headers=headers, media_type="text/html"
    )


async def _http_problem(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    message = {404: "There is no such page.", 405: "This page does not accept such a request."}.get(
        error.status_code, error.detail
    )
    response = problem(request, error.status_code, message)
    response.headers.update(error.headers or {})
    return response
