"""The API reference. Swagger UI renders it in the browser from the server's OpenAPI document."""

from tagloom.console.framework.context import Answer, Html, PageRequest


def reference(request: PageRequest) -> Answer:
    """Shows the API reference, also without sign-in."""
    return Html("reference.html", {"title": "API reference"})
