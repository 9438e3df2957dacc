"""One error root for the house. A subclass knows its HTTP status; its message says what, which value, and the cure."""

from __future__ import annotations

from collections.abc import Mapping


class DeskhandError(Exception):
    status = 500
    title = "Internal error"
    headers: Mapping[str, str] = {}
    """What goes along with the answer over HTTP."""


class BadInput(DeskhandError):
    """The caller can mend it: a file, an option, a request body."""

    status = 422
    title = "Bad input"


class NotFound(DeskhandError):
    status = 404
    title = "Not found"


class Conflict(DeskhandError):
    status = 409
    title = "Conflict"


class NotAllowed(DeskhandError):
    status = 401
    title = "Not allowed"
    headers: Mapping[str, str] = {"WWW-Authenticate": "Bearer"}


class Unavailable(DeskhandError):
    """A part that we need is down: Redis, SQL, the action server, no bundle."""

    status = 503
    title = "Unavailable"


class BadBundle(DeskhandError):
    """A bundle that must not be loaded: wrong schema, hash, dimension, row count, or a failing probe."""

    status = 503
    title = "Bad bundle"
