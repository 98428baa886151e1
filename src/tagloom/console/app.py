"""The routes of the console: its pages, and its assets, which browsers cache forever."""

from starlette.exceptions import HTTPException
from starlette.responses import FileResponse, Response
from starlette.routing import BaseRoute, Mount
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from tagloom.console.framework.handlers import PageHandlers, PageRoute
from tagloom.console.framework.rendering import Renderer
from tagloom.console.routes import PAGES
from tagloom.server.body_reader import BulkBodies
from tagloom.server.problems import RouteNotFound
from tagloom.services import Services


class Assets(StaticFiles):
    """Serves the assets. A file name has the hash of the content, so browsers cache it forever."""

    def file_response(self, *args: object, **kwargs: object) -> FileResponse:
        """Returns the file with headers that make browsers cache it."""
        response = super().file_response(*args, **kwargs)  # type: ignore[arg-type]
        response.headers["cache-control"] = "public, max-age=31536000, immutable"
        response.headers["x-content-type-options"] = "nosniff"
        return response  # type: ignore[return-value]

    async def get_response(self, path: str, scope: Scope) -> Response:
        """Returns the asset at `path`. Raises: RouteNotFound: there is no such file."""
        try:
            return await super().get_response(path, scope)
        except HTTPException as error:
            raise RouteNotFound("There is no such asset.") from error


def console_routes(services: Services, bulk_bodies: BulkBodies, *, public_url: str | None = None) -> list[BaseRoute]:
    """Returns the routes of every page and of the assets. Uploads use the places of `bulk_bodies`.

    `public_url` is the address that browsers use. If it is https, cookies are sent over https only.

    Raises: AssetsMissing: the browser assets are not built.
    """
    renderer = Renderer()
    handlers = PageHandlers(services, renderer, bulk_bodies, public_url)
    return [
        Mount("/assets", Assets(directory=renderer.static)),
        *(handlers.route(page) for page in PAGES),
        PageRoute("/{anything:path}", handlers.page_not_found, methods=["GET"]),
    ]
