"""Sign-in, redirects, proxies and certificates."""

from __future__ import annotations

import socket
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import ModuleType

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tests.scanscope.workstation import (
    SECRET,
    Cloud,
    Reply,
    Station,
    imported,
)

# Each of them starts processes.
pytestmark = pytest.mark.slow


def serve_tls(cloud: Cloud, folder: Path) -> Path:
    """Give the cloud a fresh certificate for localhost; returns the authority's PEM file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    authority, private = folder / "authority.pem", folder / "server.pem"
    authority.write_bytes(certificate.public_bytes(pem))
    private.write_bytes(
        key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(authority, private)
    cloud.server.socket = context.wrap_socket(cloud.server.socket, server_side=True)
    return authority


def test_an_expired_token_is_renewed_once(station: Station, cloud: Cloud) -> None:
    """A 401 leads to one new token and one more call."""
    station.slide("x.svs")
    station.slide("y.svs")
    unauthorized = Reply({"message": "Unauthorized"}, 401)
    cloud.script("x.svs", unauthorized, imported)
    assert station.run().code == 0
    assert len(cloud.granted) == 2
    assert station.files() == {}

    station.slide("x.svs")
    cloud.script("x.svs", unauthorized)
    finished = station.run()
    assert finished.code == 2
    assert "refuses our token: HTTP 401 Unauthorized" in finished.log
    assert list(station.files()) == ["x.svs"]


@pytest.mark.parametrize(
    "refusal",
    [
        Reply({"error": "invalid_client", "error_description": SECRET}, 400),
        Reply({"access_token": "two\nlines"}),
        Reply(b"<html>", 200),
        Reply(b"", 302, {"Location": "/elsewhere"}),
    ],
    ids=["refused", "no token", "no JSON", "redirect"],
)
def test_a_refused_login_is_a_configuration_error(
    station: Station, cloud: Cloud, refusal: Reply
) -> None:
    """Exit code 2, a line that names the setting, and no call without a token."""
    station.slide("x.svs")
    cloud.token_script = [refusal]
    finished = station.run()
    assert finished.code == 2
    assert "[login] token_url refuses us: HTTP" in finished.log
    assert (cloud.calls, cloud.strangers) == ([], [])
    assert list(station.files()) == ["x.svs"]


def test_a_redirect_is_not_followed(station: Station, cloud: Cloud) -> None:
    """The token goes to the configured address only."""
    station.slide("x.svs")
    cloud.script("x.svs", Reply(b"", 307, {"Location": f"{cloud.url}/elsewhere"}))
    assert station.run().code == 1
    assert cloud.strangers == []


def test_an_unreachable_api_is_left_for_the_next_run(station: Station, cloud: Cloud) -> None:
    """Connection refused or no answer in time: exit code 4, and every file is still there."""
    station.slide("x.svs")
    with socket.create_server(("127.0.0.1", 0)) as silent:  # accepts, never answers
        station.settings["api"] |= {
            "api_url": f"http://127.0.0.1:{silent.getsockname()[1]}",
            "timeout_s": "0.1",
        }
        slow = station.run()
    station.settings["api"]["timeout_s"] = "60"
    refused = station.run()
    assert (slow.code, refused.code) == (4, 4)
    assert "timed out" in slow.log
    assert "refused" in refused.log
    assert list(station.files()) == ["x.svs"]
    station.settings["api"]["api_url"] = f"{cloud.url}/Prod/"
    assert station.run().code == 0


def test_a_proxy_is_used_but_not_for_this_machine(station: Station, cloud: Cloud) -> None:
    """HTTP_PROXY and HTTPS_PROXY count, as everywhere; loopback addresses go straight."""
    station.slide("x.svs")
    assert station.run(http_proxy="http://127.0.0.1:9", no_proxy="").code == 0
    station.slide("x.svs")
    station.settings["api"] |= {"api_url": "http://api.invalid/Prod", "allow_http": "yes"}
    assert station.run(http_proxy=cloud.url, no_proxy="").code == 0
    assert cloud.called() == ["x.svs", "x.svs"]


def test_a_certificate_is_verified(
    station: Station, cloud: Cloud, tmp_path: Path, script: ModuleType
) -> None:
    """An unknown authority is unreachable, not trusted; ca_bundle makes it known."""
    authority = serve_tls(cloud, tmp_path)
    station.slide("x.svs")
    tls = cloud.url.replace("http://127.0.0.1", "https://localhost")
    station.settings["api"]["api_url"] = f"{tls}/Prod"
    station.settings["login"]["token_url"] = f"{tls}/oauth2/token"
    finished = station.run()
    assert finished.code == 4
    assert "CERTIFICATE_VERIFY_FAILED" in finished.log
    assert cloud.granted == []
    station.settings["api"]["ca_bundle"] = authority.name
    assert station.run().code == 0
    assert station.files() == {}
