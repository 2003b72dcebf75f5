"""Whose signature is it, and what may they: asked of the emulator by the stand-in for AppSync.

The emulator knows the functions' credentials and roles, and does not tell them. So it compares the
signature itself (Signature Version 4, as botocore makes it), and evaluates the role's policies.
"""

import base64
import hmac
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from ministack.core import iam_evaluator

__all__ = ["decide"]

_AUTHORIZATION: Final = re.compile(
    r"AWS4-HMAC-SHA256 Credential=(?P<key>\w+)/\d{8}/(?P<region>[a-z0-9-]+)/(?P<service>\w+)"
    r"/aws4_request, SignedHeaders=(?P<names>[a-z0-9;-]+), Signature=(?P<signature>[0-9a-f]{64})"
)
# What has to be signed, so that nobody uses it again elsewhere or later.
_SIGNED: Final = frozenset({"host", "x-amz-date"})
_MAX_AGE: Final = timedelta(minutes=5)


def decide(question: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the signer's ARN, and whether they may do an action; None for a wrong signature.

    The question has the signed request (``method``, ``url``, ``headers``, ``body`` in base64) and
    its ``service``; also an ``action`` and a ``resource``, unless it is the ARN alone that counts.
    """
    headers = {name.lower(): value for name, value in question["headers"].items()}
    match = _AUTHORIZATION.fullmatch(headers.get("authorization", ""))
    if match is None or match["service"] != question["service"]:
        return None
    names = match["names"].split(";")
    if not set(names) <= set(headers) or not set(names) >= _SIGNED or not _is_fresh(headers):
        return None
    credential = iam_evaluator.resolve_credential(
        match["key"], session_token=headers.get("x-amz-security-token")
    )
    if isinstance(credential, iam_evaluator.CredentialResolutionError):
        return None
    request = AWSRequest(
        question["method"],
        question["url"],
        data=base64.b64decode(question["body"]),
        headers={name: headers[name] for name in names},
    )
    request.context["timestamp"] = headers["x-amz-date"]
    keys = Credentials(match["key"], credential.secret_access_key, credential.session_token)
    signer = SigV4Auth(keys, match["service"], match["region"])
    signed = signer.string_to_sign(request, signer.canonical_request(request))
    if not hmac.compare_digest(signer.signature(signed, request), match["signature"]):
        return None
    answer = {"arn": credential.principal_arn}
    if "action" not in question:
        return answer
    action, resource = question["action"], question["resource"]
    return {**answer, "allowed": _allows(credential, match["region"], action, resource)}


def _is_fresh(headers: Mapping[str, str]) -> bool:
    try:
        signed_at = datetime.strptime(headers["x-amz-date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    except ValueError:
        return False
    return abs(datetime.now(UTC) - signed_at) < _MAX_AGE


def _allows(credential: Any, region: str, action: str, resource: str) -> bool:
    principal = iam_evaluator.resolve_principal(
        credential.access_key_id, credential.account_id, credential
    )
    if isinstance(principal, iam_evaluator.AuthError):
        return False
    if principal.policies is None:  # the account's owner
        return True
    asked = iam_evaluator.EvalContext(
        principal_arn=principal.arn,
        principal_type=principal.type,
        principal_account=principal.account,
        action=action,
        resource_arn=resource,
        region=region,
        principal_keys=principal.keys,
    )
    result = iam_evaluator.evaluate(asked, principal.policies, *principal.limits)
    return bool(result.decision == "Allow")
