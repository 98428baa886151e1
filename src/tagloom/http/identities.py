"""Links of visitors and users to users."""

from msgspec import UNSET

from tagloom.http.framework.bodies import read_json
from tagloom.http.framework.context import Answer, Call
from tagloom.http.framework.schemas import LinkBody, OpenLinksPage, SettleBody
from tagloom.words.people import Kind
from tagloom.words.person_ids import parse_id


class IdentityHandlers:
    """The handlers for the links of one kind of people."""

    def __init__(self, kind: Kind) -> None:
        self.kind = kind

    async def put_link(self, call: Call) -> Answer:
        """Links the person to a user."""
        person, origin, environment = call.person(self.kind), call.origin, call.environment
        dry_run, key = call.flag("dry_run"), call.idempotency_key()
        body = await read_json(call, LinkBody)
        user = parse_id(body.user, field="$.user")
        policy = None if body.policy is UNSET else body.policy
        link = call.services.identities.link_person
        return Answer(
            await call.in_thread(
                lambda: link(environment, person, user, origin, policy=policy, dry_run=dry_run, idempotency_key=key)
            )
        )

    async def settle_link(self, call: Call) -> Answer:
        """Decides about the open link of the person."""
        person, origin, environment = call.person(self.kind), call.origin, call.environment
        dry_run, key = call.flag("dry_run"), call.idempotency_key()
        body = await read_json(call, SettleBody)
        settle = call.services.identities.settle_link
        return Answer(
            await call.in_thread(
                lambda: settle(environment, person, body.policy, origin, dry_run=dry_run, idempotency_key=key)
            )
        )

    async def delete_link(self, call: Call) -> Answer:
        """Separates the person from their user."""
        person, origin, environment = call.person(self.kind), call.origin, call.environment
        dry_run, key = call.flag("dry_run"), call.idempotency_key()
        separate = call.services.identities.separate_person
        return Answer(
            await call.in_thread(lambda: separate(environment, person, origin, dry_run=dry_run, idempotency_key=key))
        )


async def list_open_links(call: Call) -> Answer:
    """Returns a page of the links about which a teammate must decide."""
    environment, limit, cursor = call.environment, call.integer("limit"), call.find_text("cursor")
    found = await call.in_thread(
        lambda: call.services.identities.list_open_links(environment, limit=limit, cursor=cursor)
    )
    return Answer(OpenLinksPage(found.items, found.next_cursor))


USERS = IdentityHandlers("user")
VISITORS = IdentityHandlers("visitor")
