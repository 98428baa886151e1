"""The reference of the API as a page. Swagger UI makes it in the browser, of the server's own OpenAPI document."""

from tagloom.console.framework.context import Answer, Html, PageRequest


def reference(request: PageRequest) -> Answer:
    """Every request and every shape of the API, for everybody."""
    return Html("reference.html", {"title": "API reference"})
