"""The reference page: the OpenAPI document for people, whole in one page that loads nothing from anywhere."""

import json
from html import escape
from importlib import resources
from typing import Any

Json = dict[str, Any]


def reference_page(document: Json) -> str:
    """The page as HTML, without script."""
    style = resources.files("tagloom.http").joinpath("reference.css").read_text("utf-8")
    info, schemas = document["info"], document["components"]["schemas"]
    menu, sections = [], []
    for group in document["tags"]:
        name = group["name"]
        found = [
            (verb, path, operation)
            for path, operations in document["paths"].items()
            for verb, operation in operations.items()
            if name in operation["tags"]
        ]
        links = "".join(f'<a href="#{op["operationId"]}">{escape(op["summary"])}</a>' for _, _, op in found)
        menu.append(f"<h2>{escape(name)}</h2>{links}")
        cards = "".join(_card(verb, path, operation) for verb, path, operation in found)
        sections.append(
            f'<h2 id="{escape(name)}">{escape(name)}</h2><p class="soft">{_text(group["description"])}</p>{cards}'
        )
    shapes = "".join(_shape(name, schema) for name, schema in sorted(schemas.items()))
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(info["title"])}</title>'
        f'<meta name="viewport" content="width=device-width, initial-scale=1"><style>{style}</style></head><body>'
        f'<div class="frame"><nav aria-label="Contents">{"".join(menu)}<h2>Shapes</h2><a href="#shapes">All shapes</a>'
        f"</nav><main><h1>{escape(info['title'])}</h1>"
        f'<p class="lead">{_text(info["description"])}</p>'
        f'<p class="soft">Version {escape(info["version"])} · <a href="/openapi.json">openapi.json</a></p>'
        f"<pre>curl -H 'Authorization: Bearer $TOKEN' https://…/v2/organizations</pre>"
        f'{"".join(sections)}<h2 id="shapes">Shapes</h2>{shapes}</main></div></body></html>'
    )


def _card(verb: str, path: str, operation: Json) -> str:
    parts = []
    if operation.get("description"):
        parts.append(f"<p>{_text(operation['description'])}</p>")
    scopes = operation.get("x-scopes")
    if scopes is not None:
        needs = " and ".join(f"<code>{escape(scope)}</code>" for scope in scopes) or "any valid token"
        parts.append(f'<p class="soft">Needs {needs}.</p>')
    rows = "".join(
        f"<tr><td><code>{escape(each['name'])}</code></td><td>{escape(each['in'])}</td>"
        f"<td>{_type(each['schema'])}</td><td>{_text(each.get('description', ''))}</td></tr>"
        for each in operation["parameters"]
    )
    if rows:
        parts.append(f"<h4>Parameters</h4><table>{rows}</table>")
    if "requestBody" in operation:
        parts.append(f"<h4>Body</h4>{_content(operation['requestBody']['content'])}")
    answers = "".join(
        f"<tr><td><code>{status}</code></td><td>{_text(answer['description'])}</td>"
        f"<td>{_content(answer.get('content', {})) if int(status) < 400 else ''}</td></tr>"
        for status, answer in operation["responses"].items()
    )
    parts.append(f"<h4>Answers</h4><table>{answers}</table>")
    return (
        f'<details id="{operation["operationId"]}"><summary><span class="verb {verb}">{verb.upper()}</span>'
        f'<span class="path">{escape(path).replace("/", "/<wbr>")}</span>'
        f'<span class="what">{escape(operation["summary"])}</span></summary>'
        f'<div class="body">{"".join(parts)}</div></details>'
    )


def _shape(name: str, schema: Json) -> str:
    required = schema.get("required", ())
    rows = "".join(
        f"<tr><td><code>{escape(field)}</code></td><td>{_type(each)}</td>"
        f"<td>{'' if field in required else 'optional'}</td><td>{_text(each.get('description', ''))}</td></tr>"
        for field, each in schema.get("properties", {}).items()
    )
    table = f"<table>{rows}</table>" if rows else f"<pre>{escape(json.dumps(schema, indent=2))}</pre>"
    return (
        f'<details id="shape-{escape(name)}"><summary><span class="path">{escape(name)}</span></summary>'
        f'<div class="body"><p>{_text(schema.get("description", ""))}</p>{table}</div></details>'
    )


def _content(content: Json) -> str:
    return "<br>".join(f"<code>{escape(kind)}</code> {_type(each['schema'])}" for kind, each in content.items())


def _type(schema: Json | bool) -> str:
    if isinstance(schema, bool):
        return "any" if schema else "none"
    if "$ref" in schema:
        name = escape(schema["$ref"].rpartition("/")[2])
        return f'<a href="#shape-{name}">{name}</a>'
    if "enum" in schema:
        return " | ".join(f"<code>{escape(str(each))}</code>" for each in schema["enum"])
    if "anyOf" in schema:
        return " or ".join(_type(each) for each in schema["anyOf"])
    if schema.get("type") == "array":
        return f"list of {_type(schema.get('items', {}))}"
    default = f", default <code>{escape(json.dumps(schema['default']))}</code>" if "default" in schema else ""
    return escape(str(schema.get("type", "any"))) + default


def _text(text: str) -> str:
    pieces = text.split("`")
    return "".join(
        f"<code>{escape(piece)}</code>" if index % 2 else escape(piece) for index, piece in enumerate(pieces)
    )
