"""How CloudFront checks the signed cookies of a request, for the local edge."""

import base64
import binascii
import json
import time
from collections.abc import Callable, Mapping
from fnmatch import fnmatchcase
from typing import Any, Final, cast

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_der_public_key

_STANDARD: Final = str.maketrans("-_~", "+=/")
_HASHES: Final[Mapping[str, hashes.HashAlgorithm]] = {
    "SHA1": hashes.SHA1(),  # noqa: S303  what CloudFront takes where no algorithm is named
    "SHA256": hashes.SHA256(),
}


class CookieVerifier:
    """Knows the public half of the one key whose cookies count."""

    def __init__(
        self, key_pair_id: str, public_key: bytes, now: Callable[[], float] = time.time
    ) -> None:
        self._key_pair_id = key_pair_id
        self._public_key = cast("RSAPublicKey", load_der_public_key(public_key))
        self._now = now

    def allows(self, cookies: Mapping[str, str], url: str) -> bool:
        """Tell whether the cookies hold a policy of our key that opens ``url`` now."""
        if cookies.get("CloudFront-Key-Pair-Id") != self._key_pair_id:
            return False
        algorithm = _HASHES.get(cookies.get("CloudFront-Hash-Algorithm", "SHA1"))
        policy = _decode(cookies.get("CloudFront-Policy", ""))
        signature = _decode(cookies.get("CloudFront-Signature", ""))
        if algorithm is None or not policy or not signature:
            return False
        try:
            self._public_key.verify(signature, policy, padding.PKCS1v15(), algorithm)
        except InvalidSignature:
            return False
        (statement,) = json.loads(policy)["Statement"]
        condition: dict[str, Any] = statement["Condition"]
        in_time = self._now() < condition["DateLessThan"]["AWS:EpochTime"]
        return in_time and fnmatchcase(url, statement["Resource"])


def _decode(value: str) -> bytes:
    """Return what CloudFront's base64 holds; nothing where it is none."""
    try:
        return base64.b64decode(value.translate(_STANDARD), validate=True)
    except binascii.Error:
        return b""
