"""AWS's quotas that bear on the deployment, each with the page that says so.

Looked up in November 2026. Those of an account may be lower at first, and others by the time this
is read: Service Quotas in the console shows them.
"""

from dataclasses import dataclass
from typing import Final

__all__ = ["QUOTAS", "Quota"]


@dataclass(frozen=True)
class Quota:
    """One limit. ``is_adjustable``: AWS raises it on request."""

    what: str
    value: float
    is_adjustable: bool
    page: str


def _quotas(*quotas: tuple[str, str, float, bool, str]) -> dict[str, Quota]:
    return {name: Quota(*rest) for name, *rest in quotas}  # type: ignore[arg-type]


_LAMBDA: Final = "Lambda quotas"
_SCALING: Final = "Lambda scaling behavior"
_EFS: Final = "Amazon EFS performance specifications"
_STEPS: Final = "Step Functions service quotas"
_DATASYNC: Final = "AWS DataSync quotas"
_HOT: Final = "Best practices for designing and using partition keys effectively in DynamoDB"

QUOTAS: Final = _quotas(
    ("concurrency", "Lambda: environments at once, all functions", 1000, True, _LAMBDA),
    ("rate", "Lambda: requests a second for each unit of that", 10, False, _LAMBDA),
    ("scaling", "Lambda: new environments in 10 s, each function", 1000, False, _SCALING),
    (
        "connections",
        "EFS: connections (one an environment)",
        25_000,
        False,
        "Using Amazon EFS with Lambda",
    ),
    ("efs-reads", "EFS elastic: reading operations a second", 900_000, True, _EFS),
    ("efs-writes", "EFS elastic: writing operations a second", 500_000, True, _EFS),
    ("efs-read-gib", "EFS elastic: GiB/s read, at least, by region", 20, True, _EFS),
    ("efs-write-gib", "EFS elastic: GiB/s written, at least, by region", 1, True, _EFS),
    (
        "api",
        "API Gateway: requests a second (bucket 5,000)",
        10_000,
        True,
        "Amazon API Gateway quotas",
    ),
    ("edge", "CloudFront: requests a second, a distribution", 250_000, True, "CloudFront quotas"),
    ("edge-gbps", "CloudFront: Gbit/s, a distribution", 150, True, "CloudFront quotas"),
    ("tasks", "DataSync: tasks", 100, True, _DATASYNC),
    ("queued", "DataSync: executions that wait for one task", 50, False, _DATASYNC),
    ("files", "DataSync: files an execution, Basic mode", 50_000_000, False, _DATASYNC),
    ("filter", "DataSync: characters of an execution's filter", 102_400, False, _DATASYNC),
    ("history", "Step Functions: events of an execution", 25_000, False, _STEPS),
    ("payload", "Step Functions: bytes between states", 262_144, False, _STEPS),
    ("transitions", "Step Functions: state transitions a second *", 1500, True, _STEPS),
    ("starts", "Step Functions: StartExecution a second *", 300, True, _STEPS),
    ("wcu", "DynamoDB: units written a second, a partition", 1000, False, _HOT),
    ("rcu", "DynamoDB: units read a second, a partition", 3000, False, _HOT),
    ("sign", "KMS: RSA signatures a second **", 500, True, "AWS KMS: Request quotas"),
)
