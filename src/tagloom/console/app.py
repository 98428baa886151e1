"""The console's routes over a loom: its pages, and the assets that browsers keep for ever."""

from starlette.exceptions import HTTPException
from starlette.responses import FileResponse, Response
from starlette.routing import BaseRoute, Mount
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from tagloom.console.framework.handlers import PageHandlers, PageRoute
from tagloom.console.framework.rendering import Renderer
from tagloom.console.routes import PAGES
from tagloom.server.problems import RouteNotFound
from tagloom.services import Services


class Assets(StaticFiles):
    """Files named by their content: who has one never asks again."""

    def file_response(self, *args: object, **kwargs: object) -> FileResponse:
        """The file, to be kept."""
        response = super().file_response(*args, **kwargs)  # type: ignore[arg-type]
        response.headers["cache-control"] = "public, max-age=31536000, immutable"
        response.headers["x-content-type-options"] = "nosniff"
        return response  # type: ignore[return-value]

    async def get_response(self, path: str, scope: Scope) -> Response:
        """Raises: RouteNotFound, where there is no such file."""
        try:
            return await super().get_response(path, scope)
        except HTTPException as error:
            raise RouteNotFound("There is no such asset.") from error


def console_routes(services: Services, *, public_url: str | None = None) -> list[BaseRoute]:
    """Every page of the role table. `public_url` is how browsers reach the console; with https, cookies insist on it.

    Raises: AssetsMissing, when the browser assets were not built.
    """
    renderer = Renderer()
    door = PageHandlers(services, renderer, public_url)
    return [
        Mount("/assets", Assets(directory=renderer.static)),
        *(door.route(page) for page in PAGES),
        PageRoute("/{anything:path}", door.nowhere, methods=["GET"]),
    ]
