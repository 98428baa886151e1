"""The routes of organizations, spaces, environments and access tokens."""

from tagloom.accounts.problems import TooManyTokens
from tagloom.http import tenants
from tagloom.http.framework.addresses import ORGANIZATION, SPACE, V2, E
from tagloom.http.framework.parameters import AT_LEAST, CURSOR, LIMIT, Parameter
from tagloom.http.framework.routing import Route
from tagloom.http.framework.schemas import (
    EnvironmentAnswer,
    EnvironmentPatch,
    EnvironmentsPage,
    NewSpace,
    NewToken,
    NewTokenAnswer,
    OrganizationsPage,
    SpacesPage,
    TokensPage,
)
from tagloom.ports.problems import OrganizationNotFound, SpaceExists, TokenNotFound
from tagloom.words.tenants import Space

TENANTS: tuple[Route, ...] = (
    Route(
        method="GET",
        path=f"{V2}/organizations",
        handler=tenants.list_organizations,
        group="Tenants",
        summary="List the organization of the token",
        scopes=(),
        parameters=(LIMIT, CURSOR),
        answer=OrganizationsPage,
        problems=(OrganizationNotFound,),
    ),
    Route(
        method="GET",
        path=f"{ORGANIZATION}/spaces",
        handler=tenants.list_spaces,
        group="Tenants",
        summary="List the spaces of an organization",
        scopes=(),
        parameters=(LIMIT, CURSOR),
        answer=SpacesPage,
    ),
    Route(
        method="POST",
        path=f"{ORGANIZATION}/spaces",
        handler=tenants.create_space,
        group="Tenants",
        summary="Create a space with its three environments",
        scopes=("admin",),
        body=NewSpace,
        answer=Space,
        status=201,
        problems=(SpaceExists,),
    ),
    Route(
        method="GET",
        path=f"{SPACE}/environments",
        handler=tenants.list_environments,
        group="Tenants",
        summary="List the environments of a space",
        scopes=(),
        parameters=(LIMIT, CURSOR),
        answer=EnvironmentsPage,
    ),
    Route(
        method="GET",
        path=E,
        handler=tenants.get_environment,
        group="Tenants",
        summary="Read an environment and its version",
        scopes=(),
        parameters=(AT_LEAST,),
        answer=EnvironmentAnswer,
    ),
    Route(
        method="PATCH",
        path=E,
        handler=tenants.patch_environment,
        group="Tenants",
        summary="Open or close the catalogue, or set the retention of history, links of visitors or the time zone",
        description="In a closed catalogue a line with an unknown tag is rejected, with the nearest known tag. "
        "A retention that deletes existing history needs delete_history=true. A dry run shows what it would delete. "
        "The settings of identity apply to events that arrive after five seconds. "
        "The time zone can change until the first event is recorded.",
        parameters=(
            Parameter(name="dry_run", description="Only show what it would delete.", kind="flag", default=False),
            Parameter(name="delete_history", description="Delete the older history.", kind="flag", default=False),
        ),
        scopes=("admin",),
        body=EnvironmentPatch,
        answer=EnvironmentAnswer,
    ),
    Route(
        method="GET",
        path=f"{ORGANIZATION}/tokens",
        handler=tenants.list_tokens,
        group="Tokens",
        summary="List tokens, without their secrets",
        scopes=("admin",),
        parameters=(LIMIT, CURSOR),
        answer=TokensPage,
    ),
    Route(
        method="POST",
        path=f"{ORGANIZATION}/tokens",
        handler=tenants.create_token,
        group="Tokens",
        summary="Create a token; its secret is shown only once",
        scopes=("admin",),
        body=NewToken,
        answer=NewTokenAnswer,
        status=201,
        problems=(TooManyTokens,),
    ),
    Route(
        method="DELETE",
        path=f"{ORGANIZATION}/tokens/{{token}}",
        handler=tenants.revoke_token,
        group="Tokens",
        summary="Revoke a token",
        scopes=("admin",),
        status=204,
        problems=(TokenNotFound,),
    ),
)
