"""List prices of us-east-1 in US dollars, without free tiers and discounts.

Looked up in November 2026 in what others publish of AWS's price list; AWS's own pages could not be
read. ``is_checked`` says whether a source was found that has the very figure: all others are from
memory, and are to be looked up before anybody relies on them. A GB of AWS's has 2**30 bytes.
"""

from dataclasses import dataclass
from typing import Final

__all__ = ["PRICES", "Price", "usd"]


@dataclass(frozen=True)
class Price:
    """One price: dollars for ``per`` of the unit."""

    what: str
    dollars: float
    per: int
    unit: str
    source: str
    is_checked: bool = True


_LIST: Final = "Infracost's tests (a copy of AWS's price list)"
_EFS: Final = "Cloudburn, EFS pricing, March 2026; re:Post, elastic throughput"
_MEMORY: Final = "not verified"
_GB: Final = "GB"
_MONTH: Final = "GB and month"

PRICES: Final = {
    "lambda-s": Price("Lambda, duration", 0.0000166667, 1, "GB and second", _LIST),
    "lambda": Price("Lambda, requests", 0.20, 10**6, "requests", _LIST),
    "api": Price("API Gateway, REST", 3.50, 10**6, "requests", _LIST),
    "transition": Price("Step Functions, Standard", 0.025, 1000, "transitions", _LIST),
    "datasync": Price("DataSync, Basic mode", 0.0125, 1, _GB, _MEMORY, False),
    "efs": Price("EFS Standard", 0.30, 1, _MONTH, _EFS),
    "efs-ia": Price("EFS Infrequent Access", 0.016, 1, _MONTH, _MEMORY, False),
    "efs-archive": Price("EFS Archive", 0.008, 1, _MONTH, _MEMORY, False),
    "efs-read": Price("EFS elastic throughput, read", 0.03, 1, _GB, _EFS),
    "efs-write": Price("EFS elastic throughput, written", 0.06, 1, _GB, _EFS),
    "efs-ia-read": Price("EFS Infrequent Access, read or moved", 0.01, 1, _GB, _LIST),
    "efs-backup": Price("AWS Backup of EFS, warm", 0.05, 1, _MONTH, _MEMORY, False),
    "s3": Price("S3 Standard", 0.023, 1, _MONTH, _LIST),
    "s3-put": Price("S3 Standard, PUT, LIST", 0.005, 1000, "requests", _LIST),
    "s3-get": Price("S3 Standard, GET, HEAD", 0.0004, 1000, "requests", _LIST),
    "cdn": Price("CloudFront, HTTPS, US", 0.01, 10_000, "requests", _LIST),
    "cdn-gb": Price("CloudFront, to viewers in US and Europe, first 10 TB", 0.085, 1, _GB, _LIST),
    "ddb-write": Price("DynamoDB on demand, written", 0.625, 10**6, "units", "Airbyte, July 2025"),
    "ddb-read": Price("DynamoDB on demand, read", 0.125, 10**6, "units", "Airbyte, July 2025"),
    "ddb": Price("DynamoDB, storage", 0.25, 1, _MONTH, _LIST),
    "ddb-pitr": Price("DynamoDB, point-in-time recovery", 0.20, 1, _MONTH, _LIST),
    "appsync": Price("AppSync, queries and edits", 4.00, 10**6, "operations", "AWSi, AppSync"),
    "appsync-message": Price("AppSync, real-time updates", 2.00, 10**6, "messages", _MEMORY, False),
    "appsync-minute": Price("AppSync, connections", 0.08, 10**6, "minutes", _MEMORY, False),
    "mau": Price("Cognito Essentials, beyond 10,000 people", 0.015, 1, "person", _MEMORY, False),
    "m2m": Price("Cognito, machine's tokens", 2.25, 1000, "tokens", "Vantage, April 2025"),
    "m2m-client": Price("Cognito, machine's client", 6.00, 1, "month", _MEMORY, False),
    "kms": Price("KMS, a key", 1.00, 1, "month", _LIST),
    "kms-sign": Price("KMS, RSA 2048", 0.03, 10_000, "requests", _LIST),
    "secret": Price("Secrets Manager, a secret", 0.40, 1, "month", _MEMORY, False),
    "logs": Price("CloudWatch Logs, taken in", 0.50, 1, _GB, _LIST),
    "alarm": Price("CloudWatch, an alarm", 0.10, 1, "month", _MEMORY, False),
    "metric": Price("CloudWatch, a metric of one's own", 0.30, 1, "month", _MEMORY, False),
    "dashboard": Price("CloudWatch, a dashboard", 3.00, 1, "month", _MEMORY, False),
}


def usd(name: str, amount: float) -> float:
    """Return the dollars for ``amount`` of the price's units; bytes where the unit is GB."""
    price = PRICES[name]
    units = amount / 2**30 if price.unit in (_GB, _MONTH) else amount
    return price.dollars * units / price.per
