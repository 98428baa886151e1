"""A typed client of the Tagloom Platform API."""

from tagloom_client import models, problems, rules
from tagloom_client.blocking import Tagloom
from tagloom_client.problems import AnswerInvalid, ConnectionFailed, ProblemError, TagloomError
from tagloom_client.retries import Retries
from tagloom_client.waiting import AsyncTagloom

__version__ = "0.1.0"

__all__ = [
    "AnswerInvalid",
    "AsyncTagloom",
    "ConnectionFailed",
    "ProblemError",
    "Retries",
    "Tagloom",
    "TagloomError",
    "models",
    "problems",
    "rules",
]
