"""The routes of deliveries."""

from tagloom.base.problems import Problem
from tagloom.deliveries.problems import DeliveryBusy, DeliveryInvalid
from tagloom.http import deliveries
from tagloom.http.framework.addresses import E
from tagloom.http.framework.delivery_schemas import DeliveriesPage, DeliveryRunsPage, NewDelivery
from tagloom.http.framework.parameters import CURSOR, LIMIT, Parameter
from tagloom.http.framework.routing import Route
from tagloom.http.problems import PreconditionRequired
from tagloom.http.routes.syncs import BEFORE
from tagloom.ports.problems import (
    DeliveryChanged,
    DeliveryExists,
    DeliveryNotFound,
    TooManyDeliveries,
    TribeNotFound,
)
from tagloom.words.deliveries import Delivery, DeliveryDraft, DeliveryRun
from tagloom.words.problems import EmailInvalid, TribeNeedsContext
from tagloom.words.source_addresses import ExtraMissing

IF_MATCH = Parameter(name="If-Match", description="The ETag of the delivery as it was read; * takes any.")
DRAFT_PROBLEMS: tuple[type[Problem], ...] = (
    DeliveryInvalid,
    EmailInvalid,
    TribeNotFound,
    TribeNeedsContext,
    ExtraMissing,
)

DELIVERIES: tuple[Route, ...] = (
    Route(
        method="GET",
        path=f"{E}/deliveries",
        handler=deliveries.list_deliveries,
        group="Deliveries",
        summary="List deliveries",
        scopes=("events:read",),
        parameters=(LIMIT, CURSOR),
        answer=DeliveriesPage,
    ),
    Route(
        method="POST",
        path=f"{E}/deliveries",
        handler=deliveries.create_delivery,
        group="Deliveries",
        summary="Create a delivery",
        description="A named folder or bucket to which the recorded events are written on a schedule or on request, "
        "as parts by day.",
        scopes=("admin",),
        body=NewDelivery,
        answer=Delivery,
        status=201,
        problems=(*DRAFT_PROBLEMS, DeliveryExists, TooManyDeliveries),
    ),
    Route(
        method="GET",
        path=f"{E}/deliveries/{{delivery}}",
        handler=deliveries.get_delivery,
        group="Deliveries",
        summary="Read a delivery; its ETag is for If-Match",
        scopes=("events:read",),
        answer=Delivery,
        problems=(DeliveryNotFound,),
    ),
    Route(
        method="PUT",
        path=f"{E}/deliveries/{{delivery}}",
        handler=deliveries.put_delivery,
        group="Deliveries",
        summary="Replace a delivery",
        description="It continues at its position. Parts that were written stay where they are.",
        scopes=("admin",),
        headers=(IF_MATCH,),
        body=DeliveryDraft,
        answer=Delivery,
        problems=(*DRAFT_PROBLEMS, DeliveryNotFound, DeliveryChanged, PreconditionRequired),
    ),
    Route(
        method="DELETE",
        path=f"{E}/deliveries/{{delivery}}",
        handler=deliveries.delete_delivery,
        group="Deliveries",
        summary="Delete a delivery and its runs; the parts stay",
        scopes=("admin",),
        status=204,
        problems=(DeliveryNotFound,),
    ),
    Route(
        method="POST",
        path=f"{E}/deliveries/{{delivery}}/run",
        handler=deliveries.run_delivery,
        group="Deliveries",
        summary="Start a run now",
        description="A run that waits for its next try is tried at once.",
        scopes=("events:read", "people:read"),
        answer=DeliveryRun,
        status=202,
        problems=(DeliveryNotFound, DeliveryBusy),
    ),
    Route(
        method="GET",
        path=f"{E}/deliveries/{{delivery}}/runs",
        handler=deliveries.list_delivery_runs,
        group="Deliveries",
        summary="List the runs of a delivery, the newest first",
        scopes=("events:read",),
        parameters=(BEFORE, LIMIT),
        answer=DeliveryRunsPage,
        problems=(DeliveryNotFound,),
    ),
)
