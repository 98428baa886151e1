"""The methods of both clients. Each is a function that makes a request, and is sent by the client's sender.

The synchronous client returns answers and iterators, the asynchronous client awaitables and asynchronous iterators.
"""

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from inspect import Parameter, signature
from typing import Any, Concatenate, Generic, ParamSpec, Self, TypeVar, cast, get_args, overload

from tagloom_client import (
    attributes,
    deliveries,
    event_sources,
    events,
    identities,
    imports,
    lists,
    people,
    requests,
    syncs,
    tribe_alerts,
    tribes,
)
from tagloom_client.asking import Ask, Lines, Place
from tagloom_client.async_sender import AsyncSender
from tagloom_client.models import Page
from tagloom_client.sender import Sender

Given = ParamSpec("Given")
Made = TypeVar("Made")
Answer = TypeVar("Answer")


class _Method(ABC, Generic[Given, Made]):
    """A method of both clients. `Methods` replaces it by a plain function in each client.

    The overloads of `__get__` give the types of these functions.

    `make` makes the request for the client's place, and the sender's method `send` sends it.
    """

    send: str

    def __init__(self, make: Callable[Concatenate[Place, Given], Made]) -> None:
        self.make = make

    @abstractmethod
    def answer_of(self, made: Any, *, is_async: bool) -> Any:
        """Returns the annotation of the answer, by the annotation of the request, such as `Ask[Receipt]`."""

    def function(self, name: str, owner: type[Any], *, is_async: bool) -> Callable[..., Any]:
        """Returns the method of a client as a plain function, with the signature that its callers see."""
        make, send = self.make, self.send

        def method(self: Any, *args: Any, **kwargs: Any) -> Any:
            return getattr(self, send)(make(self.place, *args, **kwargs))

        async def awaited(self: Any, *args: Any, **kwargs: Any) -> Any:
            return await getattr(self, send)(make(self.place, *args, **kwargs))

        made = signature(make)
        parameters = [Parameter("self", Parameter.POSITIONAL_OR_KEYWORD), *list(made.parameters.values())[1:]]
        answer = self.answer_of(made.return_annotation, is_async=is_async)
        found: Any = awaited if is_async and send == "send" else method
        found.__signature__ = made.replace(parameters=parameters, return_annotation=answer)
        found.__name__, found.__qualname__, found.__doc__ = name, f"{owner.__qualname__}.{name}", make.__doc__
        found.__module__ = owner.__module__
        return cast(Callable[..., Any], found)


class One(_Method[Given, Ask[Answer]], Generic[Given, Answer]):
    """A method with one answer."""

    send = "send"

    def answer_of(self, made: Any, *, is_async: bool) -> Any:
        return get_args(made)[0]

    @overload
    def __get__(self, client: None, owner: type[Any]) -> Self: ...
    @overload
    def __get__(self, client: Sender, owner: type[Any]) -> Callable[Given, Answer]: ...
    @overload
    def __get__(self, client: AsyncSender, owner: type[Any]) -> Callable[Given, Awaitable[Answer]]: ...
    def __get__(self, client: Sender | AsyncSender | None, owner: type[Any]) -> Any:
        return self


class Pages(_Method[Given, Ask[Page[Answer]]], Generic[Given, Answer]):
    """A method that yields the items of all pages."""

    send = "send_pages"

    def answer_of(self, made: Any, *, is_async: bool) -> Any:
        return _iterator(is_async)[get_args(get_args(made)[0])[0]]

    @overload
    def __get__(self, client: None, owner: type[Any]) -> Self: ...
    @overload
    def __get__(self, client: Sender, owner: type[Any]) -> Callable[Given, Iterator[Answer]]: ...
    @overload
    def __get__(self, client: AsyncSender, owner: type[Any]) -> Callable[Given, AsyncIterator[Answer]]: ...
    def __get__(self, client: Sender | AsyncSender | None, owner: type[Any]) -> Any:
        return self


class Streamed(_Method[Given, Lines[Answer]], Generic[Given, Answer]):
    """A method that yields the decoded lines of a streamed answer."""

    send = "send_lines"

    def answer_of(self, made: Any, *, is_async: bool) -> Any:
        return _iterator(is_async)[get_args(made)[0]]

    @overload
    def __get__(self, client: None, owner: type[Any]) -> Self: ...
    @overload
    def __get__(self, client: Sender, owner: type[Any]) -> Callable[Given, Iterator[Answer]]: ...
    @overload
    def __get__(self, client: AsyncSender, owner: type[Any]) -> Callable[Given, AsyncIterator[Answer]]: ...
    def __get__(self, client: Sender | AsyncSender | None, owner: type[Any]) -> Any:
        return self


class Bytes(_Method[Given, Ask[None]]):
    """A method that yields the bytes of a streamed answer."""

    send = "send_stream"

    def answer_of(self, made: Any, *, is_async: bool) -> Any:
        return _iterator(is_async)[bytes]

    @overload
    def __get__(self, client: None, owner: type[Any]) -> Self: ...
    @overload
    def __get__(self, client: Sender, owner: type[Any]) -> Callable[Given, Iterator[bytes]]: ...
    @overload
    def __get__(self, client: AsyncSender, owner: type[Any]) -> Callable[Given, AsyncIterator[bytes]]: ...
    def __get__(self, client: Sender | AsyncSender | None, owner: type[Any]) -> Any:
        return self


def _iterator(is_async: bool) -> Any:
    return AsyncIterator if is_async else Iterator


class Methods:
    """The functions of the modules of requests as methods, without their first argument."""

    def __init_subclass__(cls) -> None:
        """Gives a client its methods as plain functions, which `help` and `inspect` show like any other."""
        super().__init_subclass__()
        if Methods in cls.__bases__:
            for name, each in vars(Methods).items():
                if isinstance(each, _Method) and name not in vars(cls):
                    setattr(cls, name, each.function(name, cls, is_async=issubclass(cls, AsyncSender)))

    # The installation and its tenants.
    is_ready = One(requests.is_ready)
    get_limits = One(requests.get_limits)
    list_organizations = Pages(requests.list_organizations)
    list_spaces = Pages(requests.list_spaces)
    create_space = One(requests.create_space)
    list_environments = Pages(requests.list_environments)
    get_environment = One(requests.get_environment)
    set_catalogue = One(requests.set_catalogue)
    set_retention = One(requests.set_retention)
    set_identity = One(requests.set_identity)
    set_time_zone = One(requests.set_time_zone)
    list_tokens = Pages(requests.list_tokens)
    create_token = One(requests.create_token)
    revoke_token = One(requests.revoke_token)

    # People.
    list_people = Pages(requests.list_people)
    get_person = One(requests.get_person)
    put_person = One(requests.put_person)
    erase_person = One(requests.erase_person)
    get_tags_of = One(requests.get_tags_of)
    set_tags_of = One(requests.set_tags_of)
    add_tag = One(requests.add_tag)
    remove_tag = One(requests.remove_tag)
    set_attributes = One(attributes.set_attributes)
    replace_attributes = One(attributes.replace_attributes)
    delete_people = One(people.delete_people)
    download_person_data = Bytes(people.download_person_data)
    link_person = One(identities.link_person)
    separate_person = One(identities.separate_person)
    settle_link = One(identities.settle_link)
    list_open_links = Pages(identities.list_open_links)

    # Taggings.
    upload = One(requests.upload)
    tag_people = One(requests.tag_people)
    export_taggings = Streamed(requests.export_taggings)
    download_taggings = Bytes(requests.download_taggings)

    # Events.
    record_events = One(events.record_events)
    upload_events = One(events.upload_events)
    list_events = Pages(events.list_events)
    list_recent_events = Pages(events.list_recent_events)
    list_event_types = Pages(events.list_event_types)
    export_events = Streamed(events.export_events)
    download_events = Bytes(events.download_events)

    # Event sources.
    list_event_sources = Pages(event_sources.list_event_sources)
    get_event_source = One(event_sources.get_event_source)
    create_event_source = One(event_sources.create_event_source)
    put_event_source = One(event_sources.put_event_source)
    delete_event_source = One(event_sources.delete_event_source)
    replace_write_key = One(event_sources.replace_write_key)
    create_secret_key = One(event_sources.create_secret_key)
    revoke_secret_key = One(event_sources.revoke_secret_key)
    create_identity_secret = One(event_sources.create_identity_secret)
    delete_identity_secret = One(event_sources.delete_identity_secret)
    list_rejected_messages = One(event_sources.list_rejected_messages)

    # The catalogue.
    list_tags = Pages(requests.list_tags)
    get_tag = One(requests.get_tag)
    put_tag = One(requests.put_tag)
    move_tag = One(requests.move_tag)
    release_tag = One(requests.release_tag)
    merge_tags = One(requests.merge_tags)
    delete_tag = One(requests.delete_tag)
    export_people_with = Streamed(requests.export_people_with)
    download_people_with = Bytes(requests.download_people_with)
    list_aliases = Pages(requests.list_aliases)

    # Attributes.
    list_attributes = Pages(attributes.list_attributes)
    get_attribute = One(attributes.get_attribute)
    put_attribute = One(attributes.put_attribute)
    delete_attribute = One(attributes.delete_attribute)

    # Tribes.
    list_tribes = Pages(tribes.list_tribes)
    get_tribe = One(tribes.get_tribe)
    create_tribe = One(tribes.create_tribe)
    put_tribe = One(tribes.put_tribe)
    delete_tribe = One(tribes.delete_tribe)
    count_tribe = One(tribes.count_tribe)
    get_metrics = One(tribes.get_metrics)
    preview_rule = One(tribes.preview_rule)
    overlap_of = One(tribes.overlap_of)
    list_members = Pages(tribes.list_members)
    get_membership = One(tribes.get_membership)
    export_members = Streamed(tribes.export_members)
    download_members = Bytes(tribes.download_members)
    tag_tribe = One(tribes.tag_tribe)
    explain = One(tribes.explain)
    decide = One(tribes.decide)
    decide_many = One(tribes.decide_many)
    list_tribe_alerts = Pages(tribe_alerts.list_tribe_alerts)
    get_tribe_alert = One(tribe_alerts.get_tribe_alert)
    put_tribe_alert = One(tribe_alerts.put_tribe_alert)
    delete_tribe_alert = One(tribe_alerts.delete_tribe_alert)

    # Lists.
    create_list = One(lists.create_list)
    upload_list = One(lists.upload_list)
    change_list = One(lists.change_list)
    upload_to_list = One(lists.upload_to_list)
    delete_list = One(lists.delete_list)

    # History.
    list_changes = Pages(requests.list_changes)
    get_change = One(requests.get_change)
    undo = One(requests.undo)
    undo_all = One(requests.undo_all)

    # Imports and mappings.
    create_import = One(imports.create_import)
    create_import_from_url = One(imports.create_import_from_url)
    list_imports = One(imports.list_imports)
    get_import = One(imports.get_import)
    watch_import = Streamed(imports.watch_import)
    ask_import = One(imports.ask_import)
    cancel_import = One(imports.cancel_import)
    delete_import = One(imports.delete_import)
    delete_import_file = One(imports.delete_import_file)
    put_import_mapping = One(imports.put_import_mapping)
    list_rejected = Streamed(imports.list_rejected)
    download_rejected = Bytes(imports.download_rejected)
    infer_mapping = One(imports.infer_mapping)
    list_mappings = One(imports.list_mappings)
    get_mapping = One(imports.get_mapping)
    put_mapping = One(imports.put_mapping)
    delete_mapping = One(imports.delete_mapping)

    # Syncs.
    list_syncs = Pages(syncs.list_syncs)
    get_sync = One(syncs.get_sync)
    infer_source_mapping = One(syncs.infer_source_mapping)
    create_sync = One(syncs.create_sync)
    put_sync = One(syncs.put_sync)
    delete_sync = One(syncs.delete_sync)
    run_sync = One(syncs.run_sync)
    push_records = One(syncs.push_records)
    list_sync_runs = One(syncs.list_sync_runs)

    # Deliveries.
    list_deliveries = Pages(deliveries.list_deliveries)
    get_delivery = One(deliveries.get_delivery)
    create_delivery = One(deliveries.create_delivery)
    put_delivery = One(deliveries.put_delivery)
    delete_delivery = One(deliveries.delete_delivery)
    run_delivery = One(deliveries.run_delivery)
    list_delivery_runs = One(deliveries.list_delivery_runs)
