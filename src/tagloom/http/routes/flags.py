"""The routes of feature flags. Their paths end as the OpenFeature Remote Evaluation Protocol says."""

from tagloom.http import flags
from tagloom.http.framework.addresses import E
from tagloom.http.framework.parameters import Parameter
from tagloom.http.framework.routing import Route
from tagloom.http.problems import FlagRequestInvalid
from tagloom.tribes.flags import Flag
from tagloom.tribes.problems import FlagNotFound

IF_NONE_MATCH = Parameter(name="If-None-Match", description="The ETag of the last answer.")

FLAGS: tuple[Route, ...] = (
    Route(
        method="POST",
        path=f"{E}/ofrep/v1/evaluate/flags",
        handler=flags.evaluate_flags,
        group="Decisions",
        summary="Evaluate all feature flags for a person",
        scopes=("decisions",),
        headers=(IF_NONE_MATCH,),
        body=flags.EvaluationBody,
        answer=flags.FlagsAnswer,
        problems=(FlagRequestInvalid,),
    ),
    Route(
        method="POST",
        path=f"{E}/ofrep/v1/evaluate/flags/{{flag}}",
        handler=flags.evaluate_flag,
        group="Decisions",
        summary="Evaluate one feature flag for a person",
        scopes=("decisions",),
        body=flags.EvaluationBody,
        answer=Flag,
        problems=(FlagRequestInvalid, FlagNotFound),
    ),
)
