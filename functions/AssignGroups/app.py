"""Before Cognito signs a token: groups of the identity provider become groups of ours.

Called by Cognito (trigger "pre token generation", V1_0) at each sign-in and each renewal. What the
provider said of a person's groups lies in the attribute ``profile``, as of the last sign-in. Who is
in none of ours gets no token: everyone with a token may look at slides.

Sources: "Pre token generation Lambda trigger" in Cognito's developer guide.
"""

import json
import os
from collections.abc import Mapping
from typing import Any, Final

# Set by Cognito, for people of an identity provider.
_FEDERATED: Final = "EXTERNAL_PROVIDER"
# A standard attribute, which each pool has: custom ones could never be removed from a pool again.
_ATTRIBUTE: Final = "profile"
_GROUPS: Final = {
    "Technicians": "OIDC_TECHNICIANS_GROUP",
    "Pathologists": "OIDC_PATHOLOGISTS_GROUP",
}


class InNoGroupError(Exception):
    """The person is in no group that may see slides. Cognito passes the message on."""


def provider_groups(claim: str) -> frozenset[str]:
    """Names in what Cognito makes of the claim: ``["a", "b"]``, ``[a, b]``, or a single name."""
    text = claim.strip()
    if not (text.startswith("[") and text.endswith("]")):
        return frozenset({text})
    try:
        return frozenset(each for each in json.loads(text) if isinstance(each, str))
    except ValueError:
        return frozenset(each.strip() for each in text[1:-1].split(","))


def our_groups(claim: str, settings: Mapping[str, str]) -> list[str]:
    """Our groups for the provider's; the settings name a group of the provider's for each."""
    theirs = provider_groups(claim) - {""}  # an empty setting names no group
    return [ours for ours, setting in _GROUPS.items() if settings.get(setting) in theirs]


def lambda_handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Put a person of the provider into groups; leave Cognito's own people as they are."""
    person = event["request"]["userAttributes"]
    # Cognito's own people can write their profile, so it is read of nobody whose origin is unknown:
    # without a status, there is an error and no token.
    if person["cognito:user_status"] != _FEDERATED:
        return event
    groups = our_groups(person.get(_ATTRIBUTE, ""), os.environ)
    if not groups:
        raise InNoGroupError("your account is in no group that may see slides")
    event["response"] = {
        "claimsOverrideDetails": {
            "claimsToSuppress": [_ATTRIBUTE],  # up to 2 kB that nobody asks for
            "groupOverrideDetails": {"groupsToOverride": groups},
        }
    }
    return event
