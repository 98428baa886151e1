"""The port that reads the attributes of an environment."""

from typing import Protocol

from tagloom.words.attributes import Attribute, AttributeName, AttributeValues


class AttributeReads(Protocol):
    """The reads about the attributes of one environment. The attributes of a person are in their record."""

    def list_attributes(self) -> tuple[Attribute, ...]:
        """Returns all attributes by name, with the number of people who have a value."""

    def values_of_attribute(self, name: AttributeName, limit: int) -> AttributeValues:
        """Returns the most frequent values of an attribute. Raises: AttributeNotFound."""
