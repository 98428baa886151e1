"""Organizations, spaces, environments and tokens."""

import msgspec
from msgspec import UNSET

from tagloom.http.framework.bodies import read_json
from tagloom.http.framework.context import Answer, Call
from tagloom.http.framework.paging import page_of
from tagloom.http.framework.schemas import (
    EnvironmentAnswer,
    EnvironmentItem,
    EnvironmentPatch,
    EnvironmentsPage,
    NewSpace,
    NewToken,
    NewTokenAnswer,
    OrganizationsPage,
    SpacesPage,
    TokenItem,
    TokensPage,
)
from tagloom.words.changes import Freed
from tagloom.words.retention import retention_text
from tagloom.words.tenants import Environment


async def list_organizations(call: Call) -> Answer:
    """Returns the organization of the token. A token can see no other organization."""
    principal = call.principal
    own = await call.in_thread(lambda: call.services.access.get_organization(principal, principal.organization))
    items, next_cursor = page_of(call, (own,), lambda each: each.id)
    return Answer(OrganizationsPage(items=items, next_cursor=next_cursor))


async def list_spaces(call: Call) -> Answer:
    """Returns the spaces that the token can see."""
    organization, principal = call.values["organization"], call.principal
    spaces = await call.in_thread(lambda: call.services.access.list_spaces(organization, principal))
    items, next_cursor = page_of(call, spaces, lambda space: space.id)
    return Answer(SpacesPage(items=items, next_cursor=next_cursor))


async def create_space(call: Call) -> Answer:
    """Creates a space with its three environments."""
    organization = call.values["organization"]
    body = await read_json(call, NewSpace)
    space = None if body.id is UNSET else body.id
    actor = call.principal.name
    created = await call.in_thread(
        lambda: call.services.access.create_space(organization, body.name, space, actor=actor)
    )
    location = f"/v2/spaces/{created.id}/environments".encode("ascii")
    return Answer(created, status=201, headers=((b"location", location),))


async def list_environments(call: Call) -> Answer:
    """Returns the environments of a space: development, staging and production."""
    space = call.values["space"]
    found = await call.in_thread(lambda: call.services.access.list_environments(space))
    items, next_cursor = page_of(call, found, lambda each: each.name)
    shown = tuple(
        EnvironmentItem(
            space=each.space,
            name=each.name,
            catalogue=each.catalogue,
            retention=retention_text(each.retention_seconds),
            identity=each.identity,
            time_zone=each.time_zone,
        )
        for each in items
    )
    return Answer(EnvironmentsPage(items=shown, next_cursor=next_cursor))


async def get_environment(call: Call) -> Answer:
    """Returns one environment."""
    return Answer(await _shown(call, call.environment))


async def patch_environment(call: Call) -> Answer:
    """Opens or closes the catalogue, and sets the retention of history, the settings of links and the time zone."""
    environment, actor, state = call.environment, call.principal.name, call.state
    body = await read_json(call, EnvironmentPatch)
    is_dry_run, deleted_history = call.flag("dry_run"), None
    retention, catalogue, identity = body.retention, body.catalogue, body.identity
    access, time_zone = state.services.access, body.time_zone
    if time_zone is not UNSET and not is_dry_run:
        environment = await call.in_thread(lambda: access.put_time_zone(environment, time_zone, actor=actor))
    if retention is not UNSET:
        delete_history = call.flag("delete_history")
        environment, deleted_history = await call.in_thread(
            lambda: state.services.retentions.put(
                environment, retention, delete_history=delete_history, dry_run=is_dry_run, actor=actor
            )
        )
    if catalogue is not UNSET and not is_dry_run:
        environment = await call.in_thread(lambda: access.put_catalogue(environment, catalogue, actor=actor))
    if identity is not UNSET and not is_dry_run:
        settings = identity.settings(environment.identity)
        environment = await call.in_thread(lambda: access.put_identity(environment, settings, actor=actor))
    return Answer(await _shown(call, environment, deleted_history))


async def _shown(call: Call, environment: Environment, deleted_history: Freed | None = None) -> EnvironmentAnswer:
    changes = call.services.changes
    return EnvironmentAnswer(
        space=environment.space,
        name=environment.name,
        catalogue=environment.catalogue,
        retention=retention_text(environment.retention_seconds),
        identity=environment.identity,
        time_zone=environment.time_zone,
        version=await call.in_thread(lambda: changes.version(environment)),
        horizon=await call.in_thread(lambda: changes.horizon(environment)),
        deleted_history=deleted_history,
    )


async def list_tokens(call: Call) -> Answer:
    """Returns the tokens of an organization, without their secrets."""
    organization = call.values["organization"]
    tokens = await call.in_thread(lambda: call.services.access.list_tokens(organization))
    items, next_cursor = page_of(call, tokens, lambda token: f"{token.created_at} {token.id}")
    emails = await call.in_thread(lambda: call.services.access.emails_of(items))
    shown = tuple(
        TokenItem(**msgspec.structs.asdict(token), teammate=emails.get(token.account or "")) for token in items
    )
    return Answer(TokensPage(items=shown, next_cursor=next_cursor))


async def create_token(call: Call) -> Answer:
    """Creates a token, and returns its secret once. The token belongs to the teammate of the calling token, if any."""
    organization, principal = call.values["organization"], call.principal
    body = await read_json(call, NewToken)
    token, secret = await call.in_thread(
        lambda: call.services.access.create_token(
            organization,
            body.name,
            body.scopes,
            days=body.expires_in_days,
            account=principal.account,
            actor=principal.name,
        )
    )
    answer = NewTokenAnswer(**msgspec.structs.asdict(token), secret=secret)
    location = f"/v2/organizations/{organization}/tokens/{token.id}".encode()
    return Answer(answer, status=201, headers=((b"location", location), (b"cache-control", b"no-store")))


async def revoke_token(call: Call) -> Answer:
    """Revokes a token."""
    organization, token, actor = call.values["organization"], call.values["token"], call.principal.name
    await call.in_thread(lambda: call.services.access.revoke_token(organization, token, actor=actor))
    return Answer(None, status=204)
