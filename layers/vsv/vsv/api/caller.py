"""The caller of a function, and the caller's permissions.

People sign in and belong to groups. The scanner's workstation is a machine, which has a scope but
no name. API Gateway and AppSync check tokens; functions check permissions again, so that neither
check is the only one.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Self

from vsv.errors import Forbidden

__all__ = ["IMPORT_SCOPE", "TECHNICIANS", "Caller"]

TECHNICIANS: Final = "Technicians"
# The name of the scope within its resource server: "vsv/import", say.
IMPORT_SCOPE: Final = "import"


@dataclass(frozen=True)
class Caller:
    """The owner of a token. ``username`` is None for a machine, which has ``scopes``."""

    username: str | None
    groups: frozenset[str] = frozenset()
    scopes: frozenset[str] = frozenset()

    @classmethod
    def of(cls, claims: Mapping[str, Any] | None, client_id: str | None = None) -> Self:
        """Return the caller whose token has these claims.

        ``client_id`` is the app client; None if it was compared before, as by AppSync. An ID token
        names its client as ``aud`` and its user as ``cognito:username``, an access token as
        ``client_id`` and ``username``. A token from client credentials names no user. Raises
        Forbidden if there are no claims, or the token is another client's.
        """
        if not claims:
            raise Forbidden("nobody is signed in")
        if client_id is not None and (claims.get("client_id") or claims.get("aud")) != client_id:
            raise Forbidden("this token was given out for another application")
        name = claims.get("cognito:username") or claims.get("username")
        return cls(
            str(name) if name else None,
            _groups(claims.get("cognito:groups")),
            frozenset(str(claims.get("scope") or "").split()),
        )

    def person(self) -> str:
        """Return the person's name. Raises Forbidden for a machine."""
        if self.username is None:
            raise Forbidden("this is for people; a machine's token does not open it")
        return self.username

    def technician(self) -> str:
        """Return the technician's name. Raises Forbidden for anyone else."""
        name = self.person()
        if TECHNICIANS not in self.groups:
            raise Forbidden(f"this is for the group {TECHNICIANS}")
        return name

    def scanner(self) -> None:
        """Raise Forbidden unless this is a machine that may import slides."""
        if self.username is not None:
            raise Forbidden(
                "this is for the scanner's workstation; a person's token does not open it"
            )
        if not any(scope.rpartition("/")[2] == IMPORT_SCOPE for scope in self.scopes):
            raise Forbidden("this token has no right to hand over slides")


def _groups(claim: Any) -> frozenset[str]:
    """Return the groups of a token: a list; behind API Gateway a text, ``a,b`` or ``[a b]``."""
    if isinstance(claim, str):
        if claim.startswith("[") and claim.endswith("]"):
            return frozenset(claim[1:-1].split())
        return frozenset(claim.split(","))
    return frozenset(map(str, claim or ()))
