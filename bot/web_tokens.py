"""JSON web tokens of other systems: whether one is good, and what it says."""

from __future__ import annotations

from typing import Any

import jwt

from retrieval.errors import BadInput, NotAllowed


def claims(token: str, key: str, method: str) -> dict[str, Any]:
    """`key` is the shared secret (HS...) or the public key (RS..., ES...). Raises NotAllowed for any other token."""
    try:
        found: dict[str, Any] = jwt.decode(token, key, algorithms=[method])
    except jwt.InvalidKeyError as error:
        raise BadInput(f"the key does not fit the method {method}: {error}; mend jwt_method or the key") from error
    except jwt.PyJWTError as error:
        raise NotAllowed(f"this is no good web token ({error}); sign it with our key by {method}") from error
    return found
