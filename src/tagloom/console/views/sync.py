"""The form of a sync: its source, what the columns mean, when it runs, and what stops it."""

from typing import Any

from msgspec.structs import replace

from tagloom.base.problems import Problem
from tagloom.console.forms.mapping_form import STEPS, USES, mapping_of, read_fields, shown_meaning
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
from tagloom.console.framework.context import Answer, Html, Redirect, Toast, Visit
from tagloom.console.views.imports import FORMATS
from tagloom.egress.secrets import variable_of
from tagloom.imports.mapping_inference import Beginning, beginning_in, propose
from tagloom.syncs.problems import SyncInvalid
from tagloom.words.mappings import Mapping, check_mapping
from tagloom.words.syncs import Sync

NO_MEANING: dict[str, Any] = {"columns": (), "samples": {}, "mapping": None, "read": (), "uses": USES, "steps": STEPS}


def ask_new(visit: Visit) -> Answer:
    """The form of a new one."""
    return _form(visit, None, DraftFields(owns="yes"))


def create(visit: Visit) -> Answer:
    """Makes it; or reads the first rows of its source."""
    return _edited(visit, None)


def ask_edit(visit: Visit) -> Answer:
    """The form of one that is kept."""
    stored = visit.loom.syncs.get_sync(visit.environment, visit.values["sync"])
    return _form(visit, stored, shown_draft(stored.draft))


def edit(visit: Visit) -> Answer:
    """Changes it; or reads the first rows of its source."""
    return _edited(visit, visit.loom.syncs.get_sync(visit.environment, visit.values["sync"]))


def _edited(visit: Visit, stored: Sync | None) -> Answer:
    fields = read_draft(visit.text)
    # Without a mapping nothing can be made yet: then the first rows say what there is.
    is_looking = visit.text("then") == "look" or not (fields.mapping or visit.texts("column"))
    try:
        if is_looking:
            return _form(visit, stored, fields, _looked(visit, fields))
        saved = _saved(visit, stored, fields)
    except Problem as problem:
        # What was typed stays, beside what is wrong with it.
        place = place_of(problem, fields) or ("source" if is_looking else "")
        return _form(visit, stored, fields, _typed(visit), problem, place)
    text = f"“{saved.id}” was saved." if stored else f"“{saved.id}” was created; it has not run yet."
    return Redirect(visit.to(f"sync/{saved.id}"), Toast(text))


def _form(
    visit: Visit,
    stored: Sync | None,
    fields: DraftFields,
    meaning: dict[str, Any] | None = None,
    problem: Problem | None = None,
    problem_at: str = "",
) -> Answer:
    here = "Edit" if stored else "New sync"
    way = [(stored.id, visit.to(f"sync/{stored.id}"))] if stored else []
    context = {
        "title": f"Edit {stored.id}" if stored else here,
        "breadcrumb": [("Syncs", visit.to("syncs")), *way, (here, None)],
        "sync": stored,
        "fields": fields,
        "of": fields.mapping,
        "kinds": SOURCE_KINDS,
        "modes": SYNC_MODES,
        "formats": FORMATS,
        "kept": visit.loom.mappings.list_mappings(visit.space.id),
        "variable": variable_of(visit.signed.organization.id, "crm"),
        "reach": visit.loom.installation.reach,
        "problem": problem,
        "problem_at": problem_at,
    }
    return Html("sync_edit.html", context | (meaning or NO_MEANING), status=problem.status if problem else 200)


# What the columns mean.


def _looked(visit: Visit, fields: DraftFields) -> dict[str, Any]:
    """The first rows of the source, by the mapping that is typed, chosen, or else proposed."""
    beginning = _beginning(visit, fields)
    if _is_typed(visit, fields):
        return shown_meaning(_typed_mapping(visit, fields), beginning)
    if fields.mapping:
        return shown_meaning(visit.loom.mappings.get_mapping(visit.space.id, fields.mapping).mapping, beginning)
    return shown_meaning(replace(propose(beginning).mapping, prefix=fields.under), beginning)


def _beginning(visit: Visit, fields: DraftFields) -> Beginning:
    if fields.kind != "push":
        return visit.loom.sources.begin(visit.signed.organization.id, source_of(fields), is_over=visit.has_left.is_set)
    records = visit.text("records").strip()
    if not records:
        raise SyncInvalid(
            "Paste a record or two, as they will be pushed, or choose a mapping that is kept.", field="$.records"
        )
    return beginning_in([f"{records}\n".encode()], "ndjson")


def _is_typed(visit: Visit, fields: DraftFields) -> bool:
    """Whether the form has columns, and they are those of the mapping that is chosen."""
    return bool(visit.texts("column")) and visit.text("of") == fields.mapping


def _typed_mapping(visit: Visit, fields: DraftFields) -> Mapping:
    base = visit.loom.mappings.get_mapping(visit.space.id, fields.mapping).mapping if fields.mapping else Mapping()
    prefix = visit.text("prefix").strip() or fields.under
    return check_mapping(mapping_of(read_fields(visit.form), prefix=prefix, base=base))


def _typed(visit: Visit) -> dict[str, Any]:
    """The columns as they were typed, of which nobody says what stands in them."""
    prefix = Mapping(prefix=visit.text("prefix").strip())
    return {**NO_MEANING, "columns": read_fields(visit.form), "mapping": prefix, "of": visit.text("of")}


# Saving.


def _saved(visit: Visit, stored: Sync | None, fields: DraftFields) -> Sync:
    by, syncs, id = visit.signed.actor, visit.loom.syncs, stored.id if stored else visit.text("id").strip()
    name = _keep(visit, fields, id) if _is_typed(visit, fields) else fields.mapping
    draft = draft_of(fields, name, stored.draft if stored else None)
    if stored is None:
        return syncs.create_sync(visit.environment, id, draft, by=by)
    return syncs.put_sync(visit.environment, id, draft, revision=visit.integer("revision"), by=by)


def _keep(visit: Visit, fields: DraftFields, sync: str) -> str:
    """Keeps what the columns mean under the name that was typed; what is kept so already gets no further version."""
    mapping, mappings = _typed_mapping(visit, fields), visit.loom.mappings
    name = visit.text("keep").strip() or fields.mapping or sync
    if not any(each.name == name and each.mapping == mapping for each in mappings.list_mappings(visit.space.id)):
        mappings.put_mapping(visit.space.id, name, mapping, by=visit.signed.actor)
    return name
