"""Links of visitors and users to users."""

from msgspec import UNSET

from tagloom.http.framework.bodies import read_json
from tagloom.http.framework.context import Answer, Call
from tagloom.http.framework.schemas import LinkBody
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

    async def delete_link(self, call: Call) -> Answer:
        """Separates the person from their user."""
        person, origin, environment = call.person(self.kind), call.origin, call.environment
        dry_run, key = call.flag("dry_run"), call.idempotency_key()
        separate = call.services.identities.separate_person
        return Answer(
            await call.in_thread(lambda: separate(environment, person, origin, dry_run=dry_run, idempotency_key=key))
        )


USERS = IdentityHandlers("user")
VISITORS = IdentityHandlers("visitor")
