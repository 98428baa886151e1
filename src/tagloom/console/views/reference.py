"""The reference of the API as a page. Swagger UI makes it in the browser, of the server's own OpenAPI document."""

from tagloom.console.visit import Answer, Html, Visit


def reference(visit: Visit) -> Answer:
    """Every request and every shape of the API, for everybody."""
    return Html("reference.html", {"title": "API reference"})
