"""Deliveries of the events of an environment, and their runs."""

from tagloom.http.framework.bodies import read_json
from tagloom.http.framework.context import Answer, Call
from tagloom.http.framework.delivery_schemas import DeliveriesPage, DeliveryRunsPage, NewDelivery
from tagloom.http.framework.etags import etag, expected_revision, required_if_match
from tagloom.http.framework.paging import page_of
from tagloom.ports.problems import DeliveryChanged
from tagloom.words.deliveries import DeliveryDraft


async def list_deliveries(call: Call) -> Answer:
    """Returns a page of deliveries by id."""
    environment = call.environment
    found = await call.in_thread(lambda: call.services.deliveries.list_deliveries(environment))
    items, next_cursor = page_of(call, found, lambda delivery: delivery.id)
    return Answer(DeliveriesPage(items=items, next_cursor=next_cursor))


async def create_delivery(call: Call) -> Answer:
    """Creates a delivery."""
    environment, by = call.environment, call.principal.name
    body = await read_json(call, NewDelivery)
    draft = DeliveryDraft(**{name: getattr(body, name) for name in DeliveryDraft.__struct_fields__})
    created = await call.in_thread(
        lambda: call.services.deliveries.create_delivery(
            environment, body.id, draft, with_history=body.with_history, by=by
        )
    )
    place = f"/v2/spaces/{environment.space}/environments/{environment.name}/deliveries/{created.id}"
    return Answer(created, status=201, headers=((b"location", place.encode("ascii")), etag(created.revision)))


async def get_delivery(call: Call) -> Answer:
    """Returns one delivery."""
    environment, delivery = call.environment, call.values["delivery"]
    found = await call.in_thread(lambda: call.services.deliveries.get_delivery(environment, delivery))
    return Answer(found, headers=(etag(found.revision),))


async def put_delivery(call: Call) -> Answer:
    """Replaces the delivery if If-Match matches."""
    environment, delivery, by = call.environment, call.values["delivery"], call.principal.name
    expected = required_if_match(call, "delivery")
    draft = await read_json(call, DeliveryDraft)
    stored = await call.in_thread(lambda: call.services.deliveries.get_delivery(environment, delivery))
    revision = expected_revision(stored.revision, expected, DeliveryChanged, f"The delivery '{delivery}'")
    changed = await call.in_thread(
        lambda: call.services.deliveries.put_delivery(environment, delivery, draft, revision=revision, by=by)
    )
    return Answer(changed, headers=(etag(changed.revision),))


async def delete_delivery(call: Call) -> Answer:
    """Deletes the delivery and its runs."""
    environment, delivery, by = call.environment, call.values["delivery"], call.principal.name
    await call.in_thread(lambda: call.services.deliveries.delete_delivery(environment, delivery, by=by))
    return Answer(None, status=204)


async def run_delivery(call: Call) -> Answer:
    """Starts a run."""
    environment, delivery, by = call.environment, call.values["delivery"], call.principal.name
    run = await call.in_thread(lambda: call.services.deliveries.run_delivery(environment, delivery, by=by))
    return Answer(run, status=202)


async def list_delivery_runs(call: Call) -> Answer:
    """Returns a page of runs, the newest first."""
    environment, delivery = call.environment, call.values["delivery"]
    before, limit = call.find_integer("before"), call.integer("limit")
    runs = await call.in_thread(
        lambda: call.services.deliveries.list_runs(environment, delivery, before=before, limit=limit)
    )
    return Answer(DeliveryRunsPage(items=runs))
