"""The deployed API over HTTP: who gets in, and what comes out."""

import base64
import io
import json

import httpx
import pytest
from PIL import Image

from tests.conftest import ROOT, load_template

pytestmark = pytest.mark.stack


def routes() -> list[tuple[str, str]]:
    """Every route of the template, so that a new one without an authorizer fails here."""
    found = []
    for resource in load_template(ROOT / "func.template.yaml")["Resources"].values():
        for event in resource.get("Properties", {}).get("Events", {}).values():
            if event["Type"] == "Api":
                path = event["Properties"]["Path"].replace("{proxy+}", "x.dzi")
                found.append((event["Properties"]["Method"], path))
    return found


def test_the_template_has_the_routes_that_users_rely_on():
    assert {("GET", "/DeepZoom/x.dzi"), ("POST", "/ImportSlide")} <= set(routes())


@pytest.mark.parametrize(("method", "path"), routes())
def test_every_route_wants_a_token(api, stack, method, path):
    genuine = stack.tokens("pathologist")["IdToken"]
    head, _, signature = genuine.rpartition(".")
    forged = head + "." + signature[::-1]
    claims = json.loads(base64.urlsafe_b64decode(genuine.split(".")[1] + "=="))
    claims["cognito:groups"] = ["Technicians"]
    part = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
    edited = ".".join([genuine.split(".")[0], part, signature])
    for token in (None, "nonsense", forged, edited):
        with api(token) as client:
            answer = client.request(method, path, json={"filename": "x.svs", "size": 1})
        assert answer.status_code == 401, (token, answer.text)


def test_a_persons_token_does_not_open_import_nor_the_scanners_the_images(api, stack, scanner):
    with api(stack.tokens("technician")["IdToken"]) as technician:
        answer = technician.post("/ImportSlide", json={"filename": "x.svs", "size": 1})
        assert answer.status_code in (401, 403)
    answer = scanner.get("/DeepZoom/x.dzi")
    assert answer.status_code in (401, 403), answer.text


@pytest.fixture(scope="module")
def slide(new_slide, bring_in):
    image_id, path = new_slide()
    assert bring_in(path)["status"] == "IMPORTED"
    return image_id


def test_descriptor_tile_and_images_with_whatever_a_client_accepts(viewer, slide):
    for accept in ("*/*", "image/avif,image/webp,*/*;q=0.8", "application/json", None):
        headers = {"Accept": accept} if accept else {}
        request = viewer.build_request("GET", f"/DeepZoom/{slide}_files/10/0_0.jpeg")
        request.headers.pop("Accept", None)
        request.headers.update(headers)
        answer = viewer.send(request)
        assert answer.status_code == 200
        assert answer.headers["Content-Type"] == "image/jpeg"
        assert Image.open(io.BytesIO(answer.content)).size == (256, 256), accept
    assert viewer.get(f"/DeepZoom/{slide}.dzi").text.startswith("<?xml")
    for name in ("label", "thumbnail", "macro"):
        assert viewer.get(f"/DeepZoom/{slide}_files/{name}.jpeg").status_code == 200


def test_a_tile_that_the_viewer_has_is_not_sent_again(viewer, slide):
    for query in ({}, {"tilesize": "200", "overlap": "1"}):
        path = f"/DeepZoom/{slide}_files/9/0_0.jpeg"
        first = viewer.get(path, params=query)
        again = viewer.get(path, params=query, headers={"If-None-Match": first.headers["ETag"]})
        assert (again.status_code, again.content) == (304, b"")


def test_the_machines_token_lasts_and_bodies_may_be_binary(scanner):
    """With binary media types */* the gateway hands request bodies over in base64."""
    body = json.dumps({"filename": "Größe.svs", "size": -1}).encode()
    for kind in ("application/json", "application/octet-stream", "text/plain"):
        answer = scanner.post("/ImportSlide", content=body, headers={"Content-Type": kind})
        assert answer.status_code == 400
        assert "size" in answer.json()["detail"]


@pytest.mark.parametrize(
    "name",
    [
        "../x.svs",
        "/etc/x.svs",
        "a/../../x.svs",
        "x\0y.svs",
        "a\\b.svs",
        "x" * 300 + ".svs",
        "*.svs",
        "a|b.svs",
        "x.txt",
        "",
        7,
    ],
)
def test_wrong_names_are_refused_with_a_reason_and_start_nothing(scanner, stack, name):
    before = sorted(stack.efs.parent.iterdir())
    answer = scanner.post("/ImportSlide", json={"filename": name, "size": 1})
    assert answer.status_code == 400
    assert answer.headers["Content-Type"] == "application/problem+json"
    problem = answer.json()
    assert "filename" in problem["detail"]
    assert problem["instance"].startswith("urn:request:")
    assert "Traceback" not in answer.text
    assert sorted(stack.efs.parent.iterdir()) == before


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"\xff\xfe", b'{"size": 1e999}', b"null"])
def test_bodies_that_are_no_requests_are_refused(scanner, body):
    answer = scanner.post(
        "/ImportSlide", content=body, headers={"Content-Type": "application/json"}
    )
    assert answer.status_code == 400
    assert answer.json()["title"] == "Bad Request"


def test_slides_are_listed_for_those_who_are_signed_in(stack, slide):
    query = {
        "query": "query ($id: String!) { slide: getSlide(ImageID: $id) { ImageID Status SlideID "
        "__typename } listSlides(limit: 1000) { items { ImageID } nextToken } "
        'searchSlides(ScannedTo: "1999-12-31T00:00:00Z") { items { ImageID } } }',
        "variables": {"id": slide},
    }
    assert httpx.post(stack.graphql_url, json=query, timeout=600).status_code == 401
    token = stack.tokens("pathologist")["IdToken"]
    answer = httpx.post(
        stack.graphql_url, json=query, headers={"Authorization": token}, timeout=600
    )
    data = answer.raise_for_status().json()["data"]
    assert data["slide"] == {
        "ImageID": slide,
        "Status": "NEW",
        "SlideID": "S26-04711-A1",
        "__typename": "Slide",
    }
    assert slide in {item["ImageID"] for item in data["listSlides"]["items"]}
    assert slide not in {item["ImageID"] for item in data["searchSlides"]["items"]}
