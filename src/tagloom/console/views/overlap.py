"""The overlap of tribes as an UpSet chart: each region has the number of people in exactly its tribes."""

from tagloom.base.problems import ParameterInvalid
from tagloom.console.framework.context import Answer, Html, PageRequest
from tagloom.console.views.tribes import colour_of
from tagloom.words.tribes import OverlapRegion

TRIBES_MAX = 5  # Five tribes have 31 regions. More are not readable in one chart.


def overlap(request: PageRequest) -> Answer:
    """Shows the regions of the chosen tribes, largest first."""
    skipped = request.services.tribes.needing_context(request.space.id)
    tribes = [each for each in request.services.tribes.list_tribes(request.space.id) if each.id not in skipped]
    colours = request.services.boards.get_board(request.space.id).colours
    chosen = [each for each in tribes if each.id in request.texts("tribe")]
    if len(chosen) > TRIBES_MAX:
        raise ParameterInvalid(f"An overlap compares at most {TRIBES_MAX} tribes.", parameter="tribe")
    version, regions = 0, tuple[OverlapRegion, ...]()
    if len(chosen) > 1:
        version, regions = request.services.targeting.overlap(request.environment, [each.id for each in chosen])
    return Html(
        "overlap.html",
        {
            "title": "Overlap",
            "breadcrumb": [("Tribes", request.to("tribes")), ("Overlap", None)],
            "tribes": tribes,
            "chosen": chosen,
            "colours": {each.id: colour_of(each, colours.get(each.id)) for each in tribes},
            "regions": regions,
            "largest": max((region.count for region in regions), default=1),
            "version": version,
            "tribes_max": TRIBES_MAX,
        },
    )
