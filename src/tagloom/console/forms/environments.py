"""The environment that a form of the settings is about."""

from tagloom.base.problems import ParameterInvalid
from tagloom.console.framework.context import PageRequest
from tagloom.words.tenants import ENVIRONMENT_NAMES, Environment


def environment_of(request: PageRequest) -> Environment:
    """Returns the environment that a form of the settings names. Raises: ParameterInvalid."""
    name = request.text("of")
    if name not in ENVIRONMENT_NAMES:
        raise ParameterInvalid("There is no such environment.", parameter="of")
    return request.services.access.get_environment(request.space.id, name)
