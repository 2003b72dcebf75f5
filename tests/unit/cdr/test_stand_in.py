"""The stand-in for the CDR, as the tests of the stack use it over HTTP."""

import pytest

from local.standins.cdr import BASIC, CdrServer
from tests.unit.cdr.helpers import NOON, FakeCdr, Sending
from vsv.cdr.content import payload


def test_the_stand_in_obeys_over_http():
    import httpx

    with CdrServer() as cdr:
        body = payload(Sending(FakeCdr).record, NOON.isoformat())
        headers = {"Authorization": BASIC, "Idempotency-Key": "k"}
        assert httpx.post(cdr.url, json=body, headers=headers).status_code == 201
        assert httpx.post(cdr.url, json=body, headers=headers).status_code == 200
        assert httpx.post(cdr.url, json={**body, "width": 1}, headers=headers).status_code == 422
        assert httpx.post(cdr.url, json={}, headers=headers).status_code == 422
        assert httpx.post(cdr.url, json=body).status_code == 401
        received = httpx.get(f"{cdr.control_url}/received").json()
        assert [each["duplicate"] for each in received] == [False, True]
        mode = f"{cdr.control_url}/mode"
        assert httpx.post(mode, json={"mode": "down"}).status_code == 204
        with pytest.raises(httpx.ConnectError):
            httpx.post(cdr.url, json=body, headers=headers)
        assert httpx.post(mode, json={"mode": "up"}).status_code == 204
        assert httpx.post(cdr.url, json=body, headers=headers).status_code == 200
        assert httpx.post(mode, json={"mode": "asleep"}).status_code == 400
