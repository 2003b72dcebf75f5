"""The cookies by which CloudFront shows images to those who have signed in.

CloudFront keeps tiles at its edges, where nothing reads tokens. It checks signed cookies instead: a
policy that says what may be seen and until when, with a signature of our key. Everybody who has the
cookies sees every slide, as does every person who may sign in.
"""

import base64
import json
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from mypy_boto3_kms.client import KMSClient

__all__ = ["EXPIRED", "VALID_S", "ImageCookies", "Sign", "kms_signature"]

Sign = Callable[[bytes], bytes]
"""Signs a message of at most 4,096 bytes: RSASSA-PKCS1-v1_5 with SHA-256."""

# As long as an ID token lives, by which cookies are got: one who is locked out sees no image an
# hour later, two at most.
VALID_S: Final = 3600

# Any host: only the distribution that trusts our key takes the signature at all.
_IMAGES: Final = "https://*/DeepZoom/*"
# What a query string and a cookie cannot hold, in CloudFront's own base64.
_SAFE: Final = str.maketrans("+=/", "-_~")

# Cookies without a value replace those that a browser has.
EXPIRED: Final[Mapping[str, str]] = dict.fromkeys(
    (
        "CloudFront-Policy",
        "CloudFront-Signature",
        "CloudFront-Key-Pair-Id",
        "CloudFront-Hash-Algorithm",
    ),
    "",
)


class ImageCookies:
    """Issues cookies.

    ``key_pair_id`` is CloudFront's name for the public half of the key that ``sign`` signs with.
    """

    def __init__(self, key_pair_id: str, sign: Sign, now: Callable[[], float] = time.time) -> None:
        self._key_pair_id = key_pair_id
        self._sign = sign
        self._now = now

    def issue(self) -> dict[str, str]:
        """Return cookies that are valid for ``VALID_S`` seconds from now."""
        until = int(self._now()) + VALID_S
        condition = {"DateLessThan": {"AWS:EpochTime": until}}
        statement = {"Resource": _IMAGES, "Condition": condition}
        policy = json.dumps({"Statement": [statement]}, separators=(",", ":")).encode()
        return {
            "CloudFront-Policy": _encode(policy),
            "CloudFront-Signature": _encode(self._sign(policy)),
            "CloudFront-Key-Pair-Id": self._key_pair_id,
            "CloudFront-Hash-Algorithm": "SHA256",
        }


def kms_signature(kms: "KMSClient", key: str) -> Sign:
    """Return what signs by the KMS key of this ARN, which alone has the private half."""

    def sign(message: bytes) -> bytes:
        return kms.sign(
            KeyId=key,
            Message=message,
            MessageType="RAW",
            SigningAlgorithm="RSASSA_PKCS1_V1_5_SHA_256",
        )["Signature"]

    return sign


def _encode(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii").translate(_SAFE)
