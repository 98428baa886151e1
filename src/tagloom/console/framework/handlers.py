"""The HTTP handlers of the console: check the origin and the role, call the view, render its answer.

A request that writes must come from a page of this console. The session is in a cookie that scripts cannot read. The
content security policy of every answer forbids foreign and inline scripts.
"""

import asyncio
import base64
import traceback
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import parse_qsl, quote, urlsplit

import msgspec
import structlog
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from tagloom.accounts import limits as accounts_limits
from tagloom.accounts.problems import SignInNeeded
from tagloom.base.problems import BodyInvalid, BodyTooLarge, InternalFault, Problem
from tagloom.base.text import printable
from tagloom.console import limits
from tagloom.console.framework.context import Answer, Data, Download, Html, PageRequest, Redirect, Toast
from tagloom.console.framework.page_frame import frame_of, theme_of
from tagloom.console.framework.rendering import Renderer
from tagloom.console.framework.role_table import Page
from tagloom.console.problems import OriginRefused
from tagloom.server import limits as server_limits
from tagloom.server.body_pace import watch_for_end
from tagloom.server.body_reader import BulkBodies, read_whole
from tagloom.server.problems import MethodNotAllowed, RouteNotFound
from tagloom.server.thread_limits import Places
from tagloom.services import Services

log = structlog.get_logger("tagloom.console")

TOAST_COOKIE = "tagloom_toast"
SAFE = frozenset({"GET", "HEAD"})
# The places of problems, by the id of the element that htmx would replace. Other problems are shown in a toast.
PROBLEM_PLACES = {"dialog": ("#dialog-problem", "innerHTML"), "builder": ("#problems", "innerHTML")}
HEADERS = {
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "font-src 'self'; connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
    "referrer-policy": "same-origin",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "cross-origin-opener-policy": "same-origin",
    "cache-control": "no-store",
    "vary": "HX-Request, Cookie",
}


class PageRoute(Route):
    """A route of a page. A wrong method is answered with a problem document."""

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handles a request. Raises: MethodNotAllowed."""
        allowed = sorted(self.methods or ())
        if scope["method"] not in allowed:
            raise MethodNotAllowed(
                f"This address accepts {', '.join(allowed)}.", method=printable(scope["method"]), allowed=allowed
            )
        await self.app(scope, receive, send)


class PageHandlers:
    """Makes a request handler of each line of the role table."""

    def __init__(self, services: Services, renderer: Renderer, bulk_bodies: BulkBodies, public_url: str | None) -> None:
        self._services = services
        self._renderer = renderer
        self._bulk_bodies = bulk_bodies
        self._public_url = public_url
        self._threads = Places(server_limits.THREADS_AT_ONCE_MAX, owner=server_limits.THREADS_PER_ORGANIZATION_MAX)
        self._is_secure = public_url is not None and public_url.startswith("https://")
        # With this prefix, browsers accept the cookie only from this host and over TLS.
        prefix = "__Host-" if self._is_secure else ""
        self.session_cookie = f"{prefix}tagloom"
        self.ticket_cookie = f"{prefix}tagloom_ticket"

    def route(self, page: Page) -> Route:
        """Returns the route of a page."""

        async def endpoint(request: Request) -> Response:
            request.scope["tagloom.route"] = page.path
            return await self._answer(page, request)

        return PageRoute(page.path, endpoint, methods=[page.method])

    async def _answer(self, page: Page, request: Request) -> Response:
        page_request = self._begin(request)
        try:
            page_request.query_all = _fields(request.url.query)
            if request.method not in SAFE:
                self._check_origin(request.headers)
                if page.is_upload:
                    return await self._answer_upload(page, page_request, request)
                page_request.form = await _read_form(request)
            watching = asyncio.create_task(watch_for_end(request.receive, page_request.has_left))
            try:
                return await self._answer_view(page, page_request)
            finally:
                watching.cancel()
        except Problem as error:
            problem = error
            return await self._threads.run(
                lambda: self._problem_page(problem, page_request), owner=_owner(page_request)
            )
        except Exception:
            # As text: an exception renderer would log local variables, which can contain ids of people.
            request_id = request.scope.get("tagloom.request_id", "")
            log.error("request.failed", request_id=request_id, route=page.path, traceback=traceback.format_exc())
            fault = InternalFault(
                f"This page failed. The server log has the reason under the id {request_id}.", request_id=request_id
            )
            return await self._threads.run(lambda: self._problem_page(fault, page_request), owner=_owner(page_request))

    async def _answer_upload(self, page: Page, page_request: PageRequest, request: Request) -> Response:
        """Answers a form with a file. The view reads the body while it arrives.

        The role is checked before the body is received, and again after it.
        """
        await self._threads.run(lambda: page_request.enter(page.role))
        if page_request.found is None:
            return self._redirect(Redirect("/sign-in"), page_request)
        page_request.content_type = request.headers.get("content-type", "")

        def checked(chunks: Iterator[bytes]) -> Iterator[bytes]:
            yield from chunks
            # The teammate may have lost the permission during a long upload.
            page_request.enter(page.role)
            if page_request.found is None:
                raise SignInNeeded("The session ended during the upload. Sign in and upload the file again.")

        def answer(chunks: Iterator[bytes]) -> Response:
            page_request.body = checked(chunks)
            return self._response(page.view(page_request), page_request)

        try:
            return await self._bulk_bodies.read(
                request.scope,
                request.receive,
                limits.UPLOAD_BYTES_MAX + limits.FORM_BYTES_MAX,
                answer,
                caller=page_request.found.account.id,
                organization=_owner(page_request),
            )
        except BodyTooLarge as error:
            raise BodyTooLarge(
                f"The console accepts files of up to {limits.UPLOAD_BYTES_MAX:,} bytes.",
                bytes_max=limits.UPLOAD_BYTES_MAX,
            ) from error

    async def page_not_found(self, request: Request) -> Response:
        """Answers an address without a page. Raises: RouteNotFound: the client does not accept HTML."""
        problem = RouteNotFound("There is nothing at this address.")
        if "text/html" not in request.headers.get("accept", ""):
            raise problem
        page_request = self._begin(request)
        await self._threads.run(lambda: page_request.enter("teammate"))
        return await self._threads.run(lambda: self._problem_page(problem, page_request), owner=_owner(page_request))

    def _begin(self, request: Request) -> PageRequest:
        is_part = "hx-request" in request.headers and "hx-history-restore-request" not in request.headers
        # The browser shows the address of the page, not the address of a requested part.
        shown = urlsplit(request.headers.get("hx-current-url", "")) if is_part else request.url
        return PageRequest(
            services=self._services,
            path=request.url.path,
            query_all={},
            form={},
            values=request.path_params,
            target=request.headers.get("hx-target", "") if is_part else None,
            address=quote(shown.path, safe="/%") + (f"?{shown.query}" if shown.query else ""),
            cookies=request.cookies,
            client=request.client.host if request.client else "",
            agent=request.headers.get("user-agent", "")[: accounts_limits.CHARACTERS_PER_AGENT_MAX],
            secret=request.cookies.get(self.session_cookie, ""),
            ticket=request.cookies.get(self.ticket_cookie, ""),
            public_url=self._public_url or f"{request.url.scheme}://{request.headers.get('host', '')}",
        )

    def _check_origin(self, headers: Headers) -> None:
        """Checks that a page of this console sent the request. Raises: OriginRefused."""
        origin = headers.get("origin")
        if headers.get("sec-fetch-site", "same-origin") == "same-origin" and origin is not None:
            allowed = {headers.get("host", "").lower()}
            if self._public_url is not None:
                allowed.add(urlsplit(self._public_url).netloc.lower())
            if urlsplit(origin).netloc.lower() in allowed:
                return
        raise OriginRefused("The request came from another site. Open the console and try again there.")

    async def _answer_view(self, page: Page, page_request: PageRequest) -> Response:
        """Checks the role, calls the view and renders its answer."""
        await self._threads.run(lambda: page_request.enter(page.role))
        if page.role != "anyone" and page_request.found is None:
            back = page_request.address if page_request.path != "/" else ""
            to = "/sign-in" + (f"?next={quote(back, safe='')}" if back else "")
            return self._redirect(Redirect(to), page_request)
        return await self._threads.run(
            lambda: self._response(page.view(page_request), page_request), owner=_owner(page_request)
        )

    def _response(self, answer: Answer, page_request: PageRequest) -> Response:
        match answer:
            case Html():
                return self._html(answer, page_request)
            case Redirect():
                return self._redirect(answer, page_request)
            case Download():
                name = quote(answer.name, safe="")
                return StreamingResponse(
                    answer.chunks,
                    media_type=answer.content_type,
                    headers=HEADERS | {"content-disposition": f"attachment; filename*=UTF-8''{name}"},
                )
            case Data():
                return Response(
                    msgspec.json.encode(answer.value), answer.status, HEADERS, media_type="application/json"
                )

    def _html(self, answer: Html, page_request: PageRequest) -> Response:
        toast = answer.toast or (_toast_in(page_request.cookies) if page_request.target is None else None)
        context = self._context(answer.context, page_request) | {"toast": toast}
        html = self._renderer.render(answer.template, context)
        if answer.toast is not None and page_request.target is not None:
            html += self._renderer.render("toast_part.html", context)
        headers = HEADERS | dict(answer.headers)
        if answer.address is not None and page_request.target is not None:
            headers["hx-push-url"] = answer.address
        response = Response(html, answer.status, headers, media_type="text/html")
        if page_request.target is None and TOAST_COOKIE in page_request.cookies:
            response.delete_cookie(TOAST_COOKIE, path="/")
        return response

    def _context(self, context: Mapping[str, Any], page_request: PageRequest) -> dict[str, Any]:
        shared: dict[str, Any] = {"request": page_request, "now": page_request.now(), "to": None}
        if page_request.found_place is not None:
            shared["to"] = page_request.to
        if page_request.found is not None:
            shared["frame"] = frame_of(page_request)
        else:
            shared["frame"] = {"theme": theme_of(page_request)}
        return {**shared, **context}

    def _redirect(self, answer: Redirect, page_request: PageRequest) -> Response:
        # htmx has its own header for a redirect that replaces the whole page and the address.
        response: Response
        if page_request.target is not None:
            response = Response(status_code=204, headers=HEADERS | {"hx-redirect": answer.to})
        else:
            response = RedirectResponse(answer.to, 303, HEADERS)
        if answer.toast is not None:
            text = base64.urlsafe_b64encode(msgspec.json.encode(answer.toast)).decode("ascii")
            self._set_cookie(response, TOAST_COOKIE, text, seconds=60)
        for name, value, seconds in (
            (self.session_cookie, answer.session, accounts_limits.SESSION_SECONDS_MAX),
            (self.ticket_cookie, answer.ticket, limits.TICKET_SECONDS_MAX),
        ):
            if value is not None:
                self._set_cookie(response, name, value, seconds=seconds if value else 0)
        return response

    def _set_cookie(self, response: Response, name: str, value: str, *, seconds: int) -> None:
        response.set_cookie(
            name, value, max_age=seconds, path="/", secure=self._is_secure, httponly=True, samesite="lax"
        )

    def _problem_page(self, problem: Problem, page_request: PageRequest) -> Response:
        context: dict[str, Any] = {
            "title": problem.title().removesuffix("."),
            "problem": problem,
            "suggestion": problem.members.get("suggestion"),
            "breadcrumb": [("Problem", None)],
        }
        if page_request.target is not None:
            # The content of the page stays. The problem is shown beside it.
            place, swap = PROBLEM_PLACES.get(page_request.target, ("#toasts", "beforeend"))
            template = "problem_toast.html" if place == "#toasts" else "problem_part.html"
            html = self._renderer.render(template, self._context(context, page_request) | {"toast": None})
            where = {"hx-reswap": swap, "hx-retarget": place}
            return Response(html, problem.status, HEADERS | where, media_type="text/html")
        is_signed_in = page_request.found is not None
        template = "problem.html" if is_signed_in else "lonely_problem.html"
        html = self._renderer.render(template, self._context(context, page_request) | {"toast": None})
        headers = HEADERS
        if problem.status == 503:
            headers = HEADERS | {"retry-after": str(problem.members.get("retry_after", 1))}
        return Response(html, problem.status, headers, media_type="text/html")


def _owner(page_request: PageRequest) -> str:
    """Returns the organization whose share of threads a request uses; empty if nobody is signed in."""
    return "" if page_request.found is None else page_request.found.organization.id


def _toast_in(cookies: Mapping[str, str]) -> Toast | None:
    """Returns the toast that the previous page left in a cookie; None if there is none or it is invalid."""
    try:
        return msgspec.json.decode(base64.urlsafe_b64decode(cookies.get(TOAST_COOKIE, "")), type=Toast)
    except (ValueError, msgspec.DecodeError):
        return None


async def _read_form(request: Request) -> Mapping[str, Sequence[str]]:
    """Reads the fields of a form. Raises: BodyTooLarge, BodyInvalid, BodyTruncated."""
    try:
        body = await read_whole(request.scope, request.receive, limits.FORM_BYTES_MAX)
        return _fields(body.decode("utf-8"))
    except BodyTooLarge as error:
        raise BodyTooLarge(
            f"A form has at most {limits.FORM_BYTES_MAX} bytes.", bytes_max=limits.FORM_BYTES_MAX
        ) from error
    except UnicodeDecodeError as error:
        raise BodyInvalid("The form is not valid UTF-8.") from error


def _fields(text: str) -> Mapping[str, Sequence[str]]:
    """Parses the fields of a form or of a query. Raises: BodyInvalid."""
    try:
        pairs = parse_qsl(text, keep_blank_values=True, max_num_fields=limits.FORM_FIELDS_MAX)
    except ValueError as error:
        raise BodyInvalid(f"A form has at most {limits.FORM_FIELDS_MAX} fields.") from error
    fields: dict[str, list[str]] = {}
    for name, value in pairs:
        fields.setdefault(name, []).append(value)
    return fields
