"""SlideCatalogue: every field of the GraphQL API, resolved from the slide table."""

from typing import Any

from aws_lambda_powertools.event_handler import AppSyncResolver

from vsv import aws
from vsv.catalogue import Record
from vsv.imports.wiring import catalogue
from vsv.logs import observed

app = AppSyncResolver()  # type: ignore[no-untyped-call]


def _page(records: list[Record], token: str | None) -> dict[str, Any]:
    return {"items": records, "nextToken": token}


@app.resolver(type_name="Query", field_name="getSlide")
def get_slide(ImageID: str) -> Record | None:  # noqa: N803  the schema's name
    """One slide, or null."""
    return catalogue().get(ImageID)


@app.resolver(type_name="Query", field_name="getSlides")
def get_slides(ImageIDs: list[str]) -> list[Record | None]:  # noqa: N803  the schema's name
    """The slides in the order asked for, null for each unknown one."""
    return catalogue().get_many(ImageIDs)


@app.resolver(type_name="Query", field_name="querySlidesByStatus")
def query_slides_by_status(
    Status: str,  # noqa: N803  the schema's name
    limit: int | None = None,
    nextToken: str | None = None,  # noqa: N803  the schema's name
) -> dict[str, Any]:
    """A page of the slides of one review status, by slide ID."""
    return _page(*catalogue().by_status(Status, limit, nextToken))


@app.resolver(type_name="Query", field_name="listSlides")
def list_slides(
    limit: int | None = None,
    nextToken: str | None = None,  # noqa: N803  the schema's name
) -> dict[str, Any]:
    """A page of all slides."""
    return _page(*catalogue().all_slides(limit, nextToken))


@observed
def lambda_handler(event: dict[str, Any], context: Any) -> Any:
    """Resolve one field for AppSync."""
    return aws.to_json(app.resolve(event, context))
