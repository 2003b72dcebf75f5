"""Who asks, and what they may do.

People sign in and belong to groups; the scanner's workstation is a machine, which has a scope and
no name. The gateway and AppSync check tokens; what is asked here is asked again in the function, so
that neither alone holds the door.
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
    """The one whose token it is. ``username`` is None for a machine, which has ``scopes``."""

    username: str | None
    groups: frozenset[str] = frozenset()
    scopes: frozenset[str] = frozenset()

    @classmethod
    def of(cls, claims: Mapping[str, Any] | None, client_id: str | None = None) -> Self:
        """The caller whose token has these claims. Raises Forbidden where there are none.

        A token of another app client than ``client_id`` is refused, too; None where the door has
        compared it, as AppSync does. An ID token names its client as ``aud``, an access token as
        ``client_id``.

        An ID token names its user as ``cognito:username``, an access token as ``username``; one
        from client credentials names nobody.
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
        """The person's name. Raises Forbidden for a machine."""
        if self.username is None:
            raise Forbidden("this is for people; a machine's token does not open it")
        return self.username

    def technician(self) -> str:
        """The technician's name. Raises Forbidden for anyone else."""
        name = self.person()
        if TECHNICIANS not in self.groups:
            raise Forbidden(f"this is for the group {TECHNICIANS}")
        return name

    def scanner(self) -> None:
        """Raises Forbidden unless this is a machine that may hand over slides."""
        if self.username is not None:
            raise Forbidden(
                "this is for the scanner's workstation; a person's token does not open it"
            )
        if not any(scope.rpartition("/")[2] == IMPORT_SCOPE for scope in self.scopes):
            raise Forbidden("this token has no right to hand over slides")


def _groups(claim: Any) -> frozenset[str]:
    """The groups of a token: a list; behind API Gateway a text, ``a,b`` or ``[a b]``."""
    if isinstance(claim, str):
        if claim.startswith("[") and claim.endswith("]"):
            return frozenset(claim[1:-1].split())
        return frozenset(claim.split(","))
    return frozenset(map(str, claim or ()))
