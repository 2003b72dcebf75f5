"""The edge: images for those who have a session's cookies, and the API around nobody."""

import base64
import json

import httpx
import pytest

pytestmark = pytest.mark.stack


@pytest.fixture(scope="module")
def slide(new_slide, bring_in):
    image_id, path = new_slide()
    assert bring_in(path)["status"] == "IMPORTED"
    return image_id


def session(stack, who: str = "pathologist") -> dict[str, str]:
    """Return the cookies that somebody gets for their token."""
    answer = httpx.post(
        f"{stack.viewer_url}Session",
        headers={"Authorization": f"Bearer {stack.tokens(who)['IdToken']}"},
        timeout=120,
    )
    assert answer.status_code == 200, answer.text
    assert answer.json()["session"]
    pairs = (each.partition(";")[0] for each in answer.headers.get_list("Set-Cookie"))
    return dict(pair.split("=", 1) for pair in pairs)


def get(stack, path: str, cookies: dict[str, str], **headers: str) -> httpx.Response:
    cookie = "; ".join(f"{name}={value}" for name, value in cookies.items())
    return httpx.get(
        f"{stack.viewer_url}DeepZoom/{path}", headers={"Cookie": cookie, **headers}, timeout=120
    )


@pytest.mark.parametrize("who", ["pathologist", "technician"])
def test_images_at_the_edge_are_those_of_the_api(stack, viewer, slide, who):
    cookies = session(stack, who)
    for path in (
        f"{slide}.dzi",
        f"{slide}.dzi?tilesize=300&overlap=1",
        f"{slide}_files/10/0_0.jpeg",
        f"{slide}_files/9/0_0.png?tilesize=300&overlap=1",
        f"{slide}_files/label.jpeg",
        f"{slide}_files/10/0_0.jpeg?session=0d6b4c3e-4f4f-4ab3-8b07-1f9f4f3f2c11",
    ):
        at_the_edge, of_the_api = get(stack, path, cookies), viewer.get(f"/DeepZoom/{path}")
        assert at_the_edge.status_code == of_the_api.status_code == 200, path
        assert at_the_edge.content == of_the_api.content
        for header in ("Content-Type", "ETag", "Cache-Control"):
            assert at_the_edge.headers[header] == of_the_api.headers[header]
        tag = {"If-None-Match": at_the_edge.headers["ETag"]}
        assert get(stack, path, cookies, **tag).status_code == 304
    assert get(stack, "nobody.dzi", cookies).status_code == 404


def test_nobody_sees_images_without_cookies_of_ours(stack, slide):
    cookies = session(stack)
    token = stack.tokens("pathologist")["IdToken"]
    path = f"{slide}_files/10/0_0.jpeg"
    assert get(stack, path, {}).status_code == 403
    assert get(stack, path, {}, Authorization=f"Bearer {token}").status_code == 403
    policy = json.loads(base64.b64decode(cookies["CloudFront-Policy"].translate(_STANDARD)))
    policy["Statement"][0]["Condition"]["DateLessThan"]["AWS:EpochTime"] += 9999
    longer = base64.b64encode(json.dumps(policy).encode()).decode().translate(_SAFE)
    assert get(stack, path, cookies | {"CloudFront-Policy": longer}).status_code == 403
    for name in cookies:
        fewer = {each: value for each, value in cookies.items() if each != name}
        assert get(stack, path, fewer).status_code == 403, name


_STANDARD = str.maketrans("-_~", "+=/")
_SAFE = str.maketrans("+=/", "-_~")


def test_the_functions_own_address_takes_no_strangers(stack):
    """On AWS CloudFront alone may call it; here everyone who holds the account's keys."""
    config = stack.client("lambda").get_function_url_config(
        FunctionName=next(
            each["FunctionName"]
            for each in stack.client("lambda").list_functions(MaxItems=100)["Functions"]
            if "ImageRequest" in each["FunctionName"]
        ),
        Qualifier="live",
    )
    assert config["AuthType"] == "AWS_IAM"
    address = config["FunctionUrl"].split("/")[2].partition(".")[0]
    url = f"{stack.aws_endpoint_url}/_aws/lambda-url/{address}/DeepZoom/x.dzi"
    token = stack.tokens("technician")["IdToken"]
    assert httpx.get(url, timeout=120).status_code == 403
    refused = httpx.get(url, headers={"Authorization": f"Bearer {token}"}, timeout=120)
    assert refused.status_code == 403
