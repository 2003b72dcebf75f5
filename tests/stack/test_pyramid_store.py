"""PyramidStore s3, deployed: a slide stays on screen after its file has left EFS."""

import io
import json

import pytest
from PIL import Image

from tests.conftest import ROOT
from tests.stack.conftest import run_stack
from vsv.geometry import Size
from vsv.pyramid.deepzoom import DeepZoom

pytestmark = pytest.mark.stack


@pytest.fixture
def bucket(stack):
    """Yield the bucket of pyramids, the stack deployed to use it; afterwards it is as it was."""
    run_stack("up", VSV_PYRAMID_STORE="s3")
    try:
        config = json.loads((ROOT / ".local" / "stack.json").read_text())
        assert config["api_url"] == stack.api_url
        yield config["pyramid_bucket"]
    finally:
        run_stack("up")


def test_a_slide_on_s3_is_viewed_after_it_left_efs(stack, bucket, new_slide, bring_in, viewer):
    image_id, path = new_slide(size=(1025, 769))
    assert bring_in(path)["status"] == "IMPORTED"
    on_efs = {each.name for each in stack.efs.glob(f"{image_id}*")}
    assert on_efs == {f"{image_id}.svs", f"{image_id}.index", f"{image_id}_index"}
    (stack.efs / path.name).unlink()

    s3, pyramid = stack.client("s3"), DeepZoom(Size(1025, 769), Size(256, 256))
    for tile in pyramid.tiles():
        image_path = f"{image_id}_files/{tile.level}/{tile.col}_{tile.row}.jpeg"
        answer = viewer.get(f"/DeepZoom/{image_path}")
        assert answer.status_code == 200, answer.text
        assert answer.headers["Content-Type"] == "image/jpeg"
        kept = s3.get_object(Bucket=bucket, Key=image_path)["Body"].read()
        assert answer.content == kept
        assert Image.open(io.BytesIO(kept)).size == pyramid.tile_at(tile).box.size
    assert viewer.get(f"/DeepZoom/{image_id}.dzi").content == (
        s3.get_object(Bucket=bucket, Key=f"{image_id}.dzi")["Body"].read()
    )
    for name in ("label", "macro"):
        answer = viewer.get(f"/DeepZoom/{image_id}_files/{name}.jpeg")
        assert Image.open(io.BytesIO(answer.content)).format == "JPEG"
