"""A store of images of each kind: a folder on EFS, and a bucket."""

import pytest

from tests.unit.image_store.helpers import BUCKET
from vsv import aws as clients
from vsv.storage.image_bucket import ImageBucket
from vsv.storage.image_folder import ImageFolder


@pytest.fixture
def s3(aws):
    """Moto's S3 with the bucket in it, by a client of the library's."""
    client = clients.s3()
    client.create_bucket(
        Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": "eu-central-1"}
    )
    return client


@pytest.fixture(params=["efs", "s3"])
def store(request, tmp_path):
    """Each kind of store: what one promises, the other must keep."""
    if request.param == "efs":
        return ImageFolder(tmp_path, "s1")
    request.getfixturevalue("s3")
    return ImageBucket(BUCKET, "s1")
