"""The people of the local stack: a technician and a pathologist."""

import contextlib
import secrets
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from mypy_boto3_cognito_idp import CognitoIdentityProviderClient

PEOPLE: Final = {"technician": "Technicians", "pathologist": "Pathologists"}
MAY: Final = {
    "technician": "reviews slides: judges, corrects, sends, archives and deletes them",
    "pathologist": "finds and views slides, and changes nothing",
}


def new_password() -> str:
    """Return a random password that the pool's policy accepts."""
    return secrets.token_urlsafe(18) + "aA1!"


def ensure_person(
    cognito: "CognitoIdentityProviderClient", pool_id: str, username: str, password: str
) -> None:
    """Create ``username`` in its group, or give the existing account this password."""
    with contextlib.suppress(cognito.exceptions.UsernameExistsException):
        cognito.admin_create_user(
            UserPoolId=pool_id,
            Username=username,
            UserAttributes=[
                {"Name": "email", "Value": f"{username}@example.org"},
                {"Name": "email_verified", "Value": "true"},
            ],
            TemporaryPassword=password,
            MessageAction="SUPPRESS",
        )
    cognito.admin_set_user_password(
        UserPoolId=pool_id, Username=username, Password=password, Permanent=True
    )
    cognito.admin_add_user_to_group(
        UserPoolId=pool_id, Username=username, GroupName=PEOPLE[username]
    )
