"""Changes of slides, as the table's stream has them."""

from typing import Any

import pytest
from boto3.dynamodb.types import TypeSerializer


@pytest.fixture
def stream_record():
    """Return a function that makes a record of the stream of a slide before and after a change."""
    serialize = TypeSerializer().serialize

    def image(fields: dict[str, Any]) -> dict[str, Any]:
        return {name: serialize(value) for name, value in fields.items()}

    def make(
        image_id: str = "1", before: dict | None = None, after: dict | None = None
    ) -> dict[str, Any]:
        change: dict[str, Any] = {"Keys": {"ImageID": {"S": image_id}}}
        if before is not None:
            change["OldImage"] = image({"ImageID": image_id, **before})
        if after is not None:
            change["NewImage"] = image({"ImageID": image_id, **after})
        name = "INSERT" if before is None else "REMOVE" if after is None else "MODIFY"
        return {"eventName": name, "dynamodb": change}

    return make
