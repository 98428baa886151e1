"""One tribe: the rule builder with its count, charts, explanations and exports."""

from collections.abc import Sequence
from typing import Any

import msgspec

from tagloom.base.problems import ParameterInvalid, Problem
from tagloom.console.forms import rule_editor
from tagloom.console.forms.attribute_values import TYPES
from tagloom.console.framework.charts import line_charts
from tagloom.console.framework.context import Answer, Download, Html, PageRequest, Redirect, Toast
from tagloom.console.framework.rendering import day, rule_text
from tagloom.console.views.attributes import types_of
from tagloom.console.views.lists import ListForm, change_context
from tagloom.console.views.tribe_alerts import alert_context
from tagloom.console.views.tribes import colour_of
from tagloom.files.table_encoding import CONTENT_TYPE_OF_FORMAT
from tagloom.people.export import encode_people
from tagloom.ports.problems import TribeChanged
from tagloom.tribes.audiences import Comparison, UnknownInRule
from tagloom.tribes.definitions import Draft, check
from tagloom.words.context_rules import NO_CONTEXT, Context, ContextValue, checked_context
from tagloom.words.people import Kind, Person
from tagloom.words.person_ids import parse_id
from tagloom.words.problems import RuleInvalid, TagProblem, TribeNeedsContext
from tagloom.words.rules import Definition, is_refused, parse_rule
from tagloom.words.tribes import Audience, Count, FlagReaders, Tribe, list_tag

FLAG_READERS: dict[FlagReaders, str] = {"off": "Nobody", "servers": "Servers"}
AUDIENCES: tuple[Audience, ...] = ("users", "visitors", "everyone")
NEW = Tribe(id="", name="", rule=rule_editor.closed(rule_editor.Group()), audience="users", revision=0)


class Edit(msgspec.Struct, frozen=True, kw_only=True):
    """A tribe in the form. `revision` is the saved revision that editing began with; 0 for a new tribe."""

    name: str
    description: str
    category: str
    audience: Audience
    flag: FlagReaders
    group: rule_editor.Group
    revision: int


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """The count of the rule in the form, or the problem of the rule.

    A rule whose members depend on the context of decisions has only `at_most`, the people whom it can find.
    """

    comparison: Comparison | None = None
    at_most: Count | None = None
    problem: Problem | None = None
    hints: tuple[str, ...] = ()


def new(request: PageRequest) -> Answer:
    """Shows an empty form."""
    edit = _edit_of(NEW, category=request.text("category"))
    return Html("tribe.html", _context(request, NEW, edit))


def show(request: PageRequest) -> Answer:
    """Shows a tribe with its form."""
    tribe = request.services.tribes.get_tribe(request.space.id, request.values["tribe"])
    return Html("tribe.html", _context(request, tribe, _edit_of(tribe)))


def _edit_of(tribe: Tribe, category: str = "") -> Edit:
    return Edit(
        name=tribe.name,
        description=tribe.description,
        category=tribe.category or category,
        audience=tribe.audience,
        flag=tribe.flag,
        group=rule_editor.opened(tribe.rule),
        revision=tribe.revision,
    )


def _context(request: PageRequest, tribe: Tribe, edit: Edit, **more: Any) -> dict[str, Any]:
    tribes = request.services.tribes.list_tribes(request.space.id)
    page = f"tribe/{tribe.id}" if tribe.id else "tribes/new"
    chosen = request.services.boards.get_board(request.space.id).colours.get(tribe.id)
    return {
        "title": tribe.name or "New tribe",
        "breadcrumb": [("Tribes", request.to("tribes")), (tribe.name or "New tribe", None)],
        "tribe": tribe,
        "edit": edit,
        "list_tag": list_tag(tribe.rule) if tribe.id else None,
        "colour": colour_of(tribe, chosen),
        "page": request.to(page),
        "names": {each.id: each.name for each in tribes},
        "choices": [each for each in tribes if each.id != tribe.id],
        "categories": sorted({each.category for each in tribes if each.category}),
        "audiences": AUDIENCES,
        "flag_readers": FLAG_READERS,
        "attributes": _known_attributes(request),
        "finding": find(request, tribe, edit),
        "is_by_request": tribe.id in request.services.tribes.needing_context(request.space.id),
        "may_edit": request.may("tribes"),
        "shape": rule_editor.shape_json(edit.group),
        "json_of": _json_of,
        "json": None,
        "json_problem": None,
        "confirming": False,
        "conflict": None,
        "focus": "",
        **change_context(ListForm()),
        **alert_context(request, tribe),
    } | more


def _known_attributes(request: PageRequest) -> tuple[tuple[str, str], ...]:
    """Returns the names and types that filters suggest. A page without an editor needs none."""
    if not request.may("tribes"):
        return ()
    return tuple((name, TYPES[type]) for name, type in types_of(request).items())


def _json_of(group: rule_editor.Group) -> str:
    """Returns the rule as JSON; empty while it is incomplete."""
    try:
        return rule_text(rule_editor.closed(group))
    except (RuleInvalid, TagProblem):
        return ""


# The count of a rule.


def find(request: PageRequest, tribe: Tribe, edit: Edit) -> Finding:
    """Counts the rule in the form and compares it with the saved rule. Cost: two counts and two samples."""
    try:
        rule = rule_editor.closed(edit.group)
        others = {
            each.id: each.rule for each in request.services.tribes.list_tribes(request.space.id) if each.id != tribe.id
        }
        check(rule, others, tribe=tribe.id)
        wanted = Definition(edit.audience, rule)
        comparison = request.services.targeting.compare(request.environment, wanted, tribe.id or None)
    except (RuleInvalid, TagProblem) as problem:
        return Finding(problem=problem)
    except TribeNeedsContext:
        unknown = request.services.targeting.unknown_tags(request.environment, rule)
        at_most = request.services.targeting.count_at_most(request.environment, wanted)
        return Finding(at_most=at_most, hints=hints(request, tribe, wanted, unknown))
    return Finding(comparison=comparison, hints=hints(request, tribe, wanted, comparison.unknown_tags))


def hints(request: PageRequest, tribe: Tribe, wanted: Definition, unknown: Sequence[UnknownInRule]) -> tuple[str, ...]:
    """Returns warnings about a rule: it never matches, it equals another tribe, or it uses unknown tags."""
    warnings = [_unknown_tag_hint(request, each) for each in unknown]
    warnings += [
        each.text for each in request.services.targeting.examine(request.environment, wanted, tribe.id or None)
    ]
    return tuple(warnings)


def _unknown_tag_hint(request: PageRequest, unknown: UnknownInRule) -> str:
    """Returns the warning about a tag that the catalogue does not have, but may have in a longer form."""
    containing = request.services.catalogue.list_tags(request.environment, search=unknown.tag, limit=1).total
    if containing:
        count = "One tag contains" if containing == 1 else f"{containing:,} tags contain"
        return f"{count} “{unknown.tag}”. Choose one."
    nearest = f" Did you mean {' or '.join(f'“{tag}”' for tag in unknown.nearest)}?" if unknown.nearest else ""
    return f"There is no tag “{unknown.tag}” here.{nearest}"


# The form.


def edit(request: PageRequest) -> Answer:
    """Executes the pressed button: a step of the builder, a preview, or a save."""
    tribe = _edited(request)
    step, _, name = request.text("do", "preview").partition(":")
    read = _read(request)
    match step:
        case "preview":
            context = _context(request, tribe, read)
            return Html("tribe_finding.html" if request.target is not None else "tribe.html", context)
        case "save":
            return _save(request, tribe, read, is_confirmed=False)
        case "save-now":
            return _save(request, tribe, read, is_confirmed=True)
        case "overwrite" if name.isdigit():
            # The teammate has seen the other revision and overwrites it.
            seen = msgspec.structs.replace(read, revision=int(name))
            return _save(request, tribe, seen, is_confirmed=True)
        case "use-json":
            return _use_json(request, tribe, read)
    known = rule_editor.STEPS.get(step)
    if known is None:
        raise ParameterInvalid("The form has an unknown step.", parameter="do")
    at = rule_editor.place_of(name)
    group = rule_editor.stepped(read.group, known, at)
    return _builder(
        request, tribe, msgspec.structs.replace(read, group=group), focus=rule_editor.focus_after(group, known, at)
    )


def _edited(request: PageRequest) -> Tribe:
    tribe = request.values.get("tribe")
    return NEW if tribe is None else request.services.tribes.get_tribe(request.space.id, tribe)


def _read(request: PageRequest) -> Edit:
    audience = request.text("audience", "users")
    if audience not in AUDIENCES:
        raise ParameterInvalid("The audience must be users, visitors or everyone.", parameter="audience")
    flag = request.text("flag", "off")
    if flag not in FLAG_READERS:
        raise ParameterInvalid("The flag must be off or servers.", parameter="flag")
    return Edit(
        name=request.text("name").strip(),
        description=request.text("description").strip(),
        category=request.text("category").strip(),
        audience=audience,
        flag=flag,
        group=rule_editor.read(request.form),
        revision=request.integer("revision"),
    )


def _builder(request: PageRequest, tribe: Tribe, read: Edit, **more: Any) -> Html:
    context = _context(request, tribe, read, **more)
    return Html("tribe_builder.html" if request.target is not None else "tribe.html", context)


def _use_json(request: PageRequest, tribe: Tribe, read: Edit) -> Html:
    text = request.text("json")
    try:
        group = rule_editor.opened(parse_rule(text))
    except (RuleInvalid, TagProblem) as problem:
        return _builder(request, tribe, read, json=text, json_problem=problem)
    return _builder(request, tribe, msgspec.structs.replace(read, group=group))


def _save(request: PageRequest, tribe: Tribe, read: Edit, *, is_confirmed: bool) -> Answer:
    draft = Draft(
        name=read.name,
        rule=rule_editor.closed(read.group),
        description=read.description,
        category=read.category,
        audience=read.audience,
        flag=read.flag,
    )
    if not tribe.id:
        created = request.services.tribes.create_tribe(request.space.id, draft, origin=request.origin)
        return Redirect(request.to(f"tribe/{created.id}"), Toast(f"The tribe “{created.name}” was created."))
    if tribe.revision != read.revision and not is_confirmed:
        return _confirmation(
            request, "tribe_conflict.html", _context(request, tribe, read, conflict=_last_change(request, tribe))
        )
    if not is_confirmed:
        context = _context(request, tribe, read, confirming=True)
        comparison = context["finding"].comparison
        if comparison is not None and comparison.entered + comparison.left > 0:
            return _confirmation(request, "tribe_confirm.html", context)
    try:
        saved = request.services.tribes.put_tribe(
            request.space.id, tribe.id, draft, revision=read.revision, origin=request.origin
        )
    except TribeChanged:
        now = request.services.tribes.get_tribe(request.space.id, tribe.id)
        return _confirmation(
            request, "tribe_conflict.html", _context(request, now, read, conflict=_last_change(request, now))
        )
    return Redirect(request.to(f"tribe/{tribe.id}"), Toast(f"The tribe “{saved.name}” was saved."))


def _last_change(request: PageRequest, tribe: Tribe) -> dict[str, Any]:
    """Returns the saved tribe and its last change."""
    changes = request.services.tribes.list_changes(request.space.id, tribe=tribe.id, limit=1)
    return {
        "saved": tribe,
        "saved_group": rule_editor.opened(tribe.rule),
        "change": changes[0] if changes else None,
    }


def _confirmation(request: PageRequest, template: str, context: dict[str, Any]) -> Html:
    """Returns a question: in the dialog, or without a script above the form."""
    if request.target is None:
        return Html("tribe.html", context)
    return Html(template, context, headers=(("hx-retarget", "#dialog"), ("hx-reswap", "innerHTML")))


# Charts, explanations and exports.


def _about(request: PageRequest, tribe: Tribe) -> dict[str, Any]:
    """Returns the values of every page about a tribe."""
    return {
        "title": tribe.name,
        "breadcrumb": [("Tribes", request.to("tribes")), (tribe.name, request.to(f"tribe/{tribe.id}"))],
        "tribe": tribe,
    }


def pictures(request: PageRequest) -> Answer:
    """Shows the size over the last 30 days, and the tags of the members."""
    tribe = request.services.tribes.get_tribe(request.space.id, request.values["tribe"])
    wanted = Definition(tribe.audience, tribe.rule)
    if tribe.id in request.services.tribes.needing_context(request.space.id):
        return Html("tribe_pictures.html", _about(request, tribe) | {"is_by_request": True})
    trend = request.services.targeting.trend(request.environment, wanted)
    return Html(
        "tribe_pictures.html",
        _about(request, tribe)
        | {
            "is_by_request": False,
            "trend": trend,
            "charts": line_charts([each.count for each in trend], [day(each.at) for each in trend]),
            "make_up": request.services.targeting.make_up(request.environment, wanted, limit=12),
        },
    )


def why(request: PageRequest) -> Answer:
    """Shows why a person is in the tribe or not."""
    tribe = request.services.tribes.get_tribe(request.space.id, request.values["tribe"])
    kind: Kind = "visitor" if request.text("kind") == "visitor" else "user"
    person = Person(kind, parse_id(request.text("person").strip(), field="person"))
    found = request.services.targeting.why(request.environment, tribe.id, person, _context_of(request))
    rules = {each.id: each.rule for each in request.services.tribes.list_tribes(request.space.id)}
    return Html(
        "tribe_why.html",
        _about(request, tribe)
        | {
            "person": person,
            "record": request.services.people.find_person(request.environment, person),
            "why": found,
            "type_of": types_of(request),
            "refused": {each.node for each in found.because if is_refused(tribe.rule, each.node, rules)},
            "names": {each.id: each.name for each in request.services.tribes.list_tribes(request.space.id)},
        },
    )


def _context_of(request: PageRequest) -> Context:
    """Returns the context in the form, which is JSON or empty. Raises: ParameterInvalid, BodyInvalid."""
    text = request.text("context").strip()
    if not text:
        return NO_CONTEXT
    try:
        values = msgspec.json.decode(text.encode("utf-8", "surrogatepass"), type=dict[str, ContextValue | None])
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ParameterInvalid('The context must be JSON such as {"platform": "ios"}.', parameter="context") from error
    return checked_context(values)


def export(request: PageRequest) -> Answer:
    """Exports all members, now or as of a version."""
    tribe = request.values["tribe"]
    wanted = request.text("format", "csv")
    format = next((each for each in CONTENT_TYPE_OF_FORMAT if each == wanted), None)
    if format is None:
        raise ParameterInvalid("The format must be csv, ndjson or parquet.", parameter="format")
    as_of = request.services.changes.version_as_of(request.environment, request.text("as_of") or None)
    version, chunks = request.services.targeting.members(request.environment, tribe, as_of=as_of)
    name = f"{tribe}-{request.environment.name}-v{version}.{format}"
    return Download(name, CONTENT_TYPE_OF_FORMAT[format], encode_people(chunks, format))
