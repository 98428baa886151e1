"""The form of a sync: source, mapping, mode, schedule and alerts."""

from typing import Any

from msgspec.structs import replace

from tagloom.base.problems import Problem
from tagloom.console.forms.mapping_form import NO_MEANING, mapping_of, read_fields, shown_meaning
from tagloom.console.forms.sync_form import (
    SOURCE_KINDS,
    SYNC_MODES,
    DraftFields,
    draft_of,
    place_of,
    read_draft,
    shown_draft,
    source_of,
)
from tagloom.console.framework.context import Answer, Html, PageRequest, Redirect, Toast
from tagloom.console.views.imports import FORMATS
from tagloom.egress.secrets import variable_of
from tagloom.imports.mapping_inference import Beginning, beginning_in, infer
from tagloom.syncs.problems import SyncInvalid
from tagloom.words.mappings import Mapping, check_mapping
from tagloom.words.syncs import Sync


def ask_new(request: PageRequest) -> Answer:
    """Shows the form of a new sync."""
    return _form(request, None, DraftFields(owns="yes"))


def create(request: PageRequest) -> Answer:
    """Creates a sync, or reads the first rows of its source."""
    return _edited(request, None)


def ask_edit(request: PageRequest) -> Answer:
    """Shows the form of a sync."""
    stored = request.services.syncs.get_sync(request.environment, request.values["sync"])
    return _form(request, stored, shown_draft(stored.draft))


def edit(request: PageRequest) -> Answer:
    """Changes a sync, or reads the first rows of its source."""
    return _edited(request, request.services.syncs.get_sync(request.environment, request.values["sync"]))


def _edited(request: PageRequest, stored: Sync | None) -> Answer:
    fields = read_draft(request.text)
    # Without a mapping nothing can be saved yet: the page reads the first rows and proposes one.
    reads_rows = request.text("then") == "rows" or not (fields.mapping or request.texts("column"))
    try:
        if reads_rows:
            return _form(request, stored, fields, _first_rows(request, fields))
        saved = _saved(request, stored, fields)
    except Problem as problem:
        # The form keeps the typed values, with the problem.
        place = place_of(problem, fields) or ("source" if reads_rows else "")
        return _form(request, stored, fields, _typed(request), problem, place)
    text = f"“{saved.id}” was saved." if stored else f"“{saved.id}” was created. It has not run yet."
    return Redirect(request.to(f"sync/{saved.id}"), Toast(text))


def _form(
    request: PageRequest,
    stored: Sync | None,
    fields: DraftFields,
    meaning: dict[str, Any] | None = None,
    problem: Problem | None = None,
    problem_at: str = "",
) -> Answer:
    here = "Edit" if stored else "New sync"
    way = [(stored.id, request.to(f"sync/{stored.id}"))] if stored else []
    context = {
        "title": f"Edit {stored.id}" if stored else here,
        "breadcrumb": [("Syncs", request.to("syncs")), *way, (here, None)],
        "sync": stored,
        "fields": fields,
        "of": fields.mapping,
        "kinds": SOURCE_KINDS,
        "modes": SYNC_MODES,
        "formats": FORMATS,
        "kept": request.services.mappings.list_mappings(request.space.id),
        "variable": variable_of(request.signed.organization.id, "crm"),
        "egress_policy": request.services.egress_policy,
        "problem": problem,
        "problem_at": problem_at,
    }
    return Html("sync_edit.html", context | (meaning or NO_MEANING), status=problem.status if problem else 200)


# The mapping.


def _first_rows(request: PageRequest, fields: DraftFields) -> dict[str, Any]:
    """Reads the first rows of the source with the mapping that is typed, chosen or else inferred."""
    beginning = _beginning(request, fields)
    if _is_typed(request, fields):
        return shown_meaning(_typed_mapping(request, fields), beginning)
    if fields.mapping:
        return shown_meaning(request.services.mappings.get_mapping(request.space.id, fields.mapping).mapping, beginning)
    return shown_meaning(replace(infer(beginning).mapping, prefix=fields.mirror_prefix), beginning)


def _beginning(request: PageRequest, fields: DraftFields) -> Beginning:
    if fields.kind != "push":
        return request.services.sources.begin(
            request.signed.organization.id, source_of(fields), is_over=request.has_left.is_set
        )
    records = request.text("records").strip()
    if not records:
        raise SyncInvalid("Paste one or two example records, or choose a saved mapping.", field="$.records")
    return beginning_in([f"{records}\n".encode()], "ndjson")


def _is_typed(request: PageRequest, fields: DraftFields) -> bool:
    """Returns whether the form has the columns of the chosen mapping."""
    return bool(request.texts("column")) and request.text("of") == fields.mapping


def _typed_mapping(request: PageRequest, fields: DraftFields) -> Mapping:
    base = (
        request.services.mappings.get_mapping(request.space.id, fields.mapping).mapping if fields.mapping else Mapping()
    )
    prefix = request.text("prefix").strip() or fields.mirror_prefix
    return check_mapping(mapping_of(read_fields(request.form), prefix=prefix, base=base))


def _typed(request: PageRequest) -> dict[str, Any]:
    """Returns the columns as typed, without samples."""
    prefix = Mapping(prefix=request.text("prefix").strip())
    return {**NO_MEANING, "columns": read_fields(request.form), "mapping": prefix, "of": request.text("of")}


# Saving.


def _saved(request: PageRequest, stored: Sync | None, fields: DraftFields) -> Sync:
    by, syncs, id = request.signed.actor, request.services.syncs, stored.id if stored else request.text("id").strip()
    name = _save_mapping(request, fields, id) if _is_typed(request, fields) else fields.mapping
    draft = draft_of(fields, name, stored.draft if stored else None)
    if stored is None:
        return syncs.create_sync(request.environment, id, draft, by=by)
    return syncs.put_sync(request.environment, id, draft, revision=request.integer("revision"), by=by)


def _save_mapping(request: PageRequest, fields: DraftFields, sync: str) -> str:
    """Saves the mapping under the typed name. An identical mapping gets no new version."""
    mapping, mappings = _typed_mapping(request, fields), request.services.mappings
    name = request.text("keep").strip() or fields.mapping or sync
    if not any(each.name == name and each.mapping == mapping for each in mappings.list_mappings(request.space.id)):
        mappings.put_mapping(request.space.id, name, mapping, by=request.signed.actor)
    return name
