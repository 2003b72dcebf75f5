"""What a viewer gets from the handler."""

import base64


def get(handler, path):
    response = handler({"httpMethod": "GET", "path": f"/DeepZoom/{path}", "headers": {}}, None)
    assert response["statusCode"] == 200, response
    return base64.b64decode(response["body"])


def shown(handler, path):
    """Return what a viewer gets, be it text or not."""
    response = handler({"httpMethod": "GET", "path": f"/DeepZoom/{path}", "headers": {}}, None)
    return response["statusCode"], response["body"]
