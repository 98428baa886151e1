"""The use cases of attributes: the catalogue of an environment, its values, and what uses an attribute."""

from collections.abc import Callable, Sequence

from tagloom.base import limits as base_limits
from tagloom.base.text import printable
from tagloom.people.problems import AttributeInUse
from tagloom.ports.imports import SavedMapping
from tagloom.ports.population import Population
from tagloom.ports.writes import DeleteAttribute, PutAttribute, WriteOptions
from tagloom.tribes.definitions import Tribes, check_description
from tagloom.words.attribute_rules import HasAttribute
from tagloom.words.attributes import Attribute, AttributeName, AttributeValues
from tagloom.words.changes import Origin
from tagloom.words.mappings import AttributeColumn
from tagloom.words.receipts import Receipt
from tagloom.words.rules import Definition, walk
from tagloom.words.tenants import Environment


class AttributeDetails(AttributeValues, frozen=True, kw_only=True):
    """An attribute with its most frequent values, and the tribes and mappings of the space that name it."""

    tribes: tuple[str, ...] = ()
    mappings: tuple[str, ...] = ()


class AttributeCatalogue:
    """The use cases of the attributes of all environments. The attributes of a person are in `People`."""

    def __init__(
        self,
        tribes: Tribes,
        population_of: Callable[[Environment], Population],
        list_mappings: Callable[[str], Sequence[SavedMapping]] = lambda space: (),
    ) -> None:
        self._tribes = tribes
        self._population_of = population_of
        self._list_mappings = list_mappings

    def list_attributes(self, environment: Environment) -> tuple[Attribute, ...]:
        """Returns all attributes by name, each with the number of people who have a value."""
        return self._population_of(environment).list_attributes()

    def get_attribute(
        self, environment: Environment, name: AttributeName, *, limit: int = base_limits.PAGE_ITEMS_DEFAULT
    ) -> AttributeDetails:
        """Returns one attribute with its most frequent values, and what uses it. Raises: AttributeNotFound."""
        found = self._population_of(environment).values_of_attribute(name, limit)
        mappings = tuple(each.name for each in self._list_mappings(environment.space) if _sets(each, name))
        return AttributeDetails(
            attribute=found.attribute,
            version=found.version,
            distinct=found.distinct,
            values=found.values,
            least=found.least,
            greatest=found.greatest,
            tribes=self.tribes_of(environment, name),
            mappings=mappings,
        )

    def tribes_of(self, environment: Environment, name: AttributeName) -> tuple[str, ...]:
        """Returns the tribes whose rules name an attribute, ordered by id."""
        definitions = self._tribes.definitions(environment.space)
        return tuple(sorted(tribe for tribe, definition in definitions.items() if _names(definition, name)))

    def put_attribute(
        self, environment: Environment, write: PutAttribute, origin: Origin, *, dry_run: bool = False
    ) -> Receipt:
        """Creates an attribute, or changes its description. Raises: BodyInvalid; the errors of `PutAttribute`."""
        if write.description is not None:
            check_description(write.description)
        return self._population_of(environment).write(write, WriteOptions(origin, dry_run))

    def delete_attribute(
        self,
        environment: Environment,
        name: AttributeName,
        origin: Origin,
        *,
        force: bool = False,
        dry_run: bool = False,
    ) -> Receipt:
        """Deletes an attribute, and removes its values from all people. A dry run changes nothing.

        Raises: AttributeNotFound; AttributeInUse: tribes use the attribute, and `force` is False.
        """
        population = self._population_of(environment)
        tribes = () if force else self.tribes_of(environment, name)
        if tribes and any(each.name == name for each in population.list_attributes()):
            raise AttributeInUse(
                f"The attribute '{printable(name)}' is used by these tribes: {', '.join(tribes)}. "
                "Change their rules first, or force the deletion.",
                tribes=list(tribes),
            )
        return population.write(DeleteAttribute(name), WriteOptions(origin, dry_run))


def _names(definition: Definition, name: AttributeName) -> bool:
    return any(isinstance(node, HasAttribute) and node.attribute == name for node, _, _ in walk(definition.rule))


def _sets(saved: SavedMapping, name: AttributeName) -> bool:
    return any(isinstance(each, AttributeColumn) and each.attribute == name for each in saved.mapping.columns)
