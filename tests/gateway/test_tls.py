"""TLS by flags: the same endpoint, on a connection that nobody reads."""

import datetime
import json
import ssl
import subprocess
import sys
import urllib.request

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tests.gateway.test_process import HELLO, calls, serving

pytestmark = pytest.mark.slow


@pytest.fixture
def certificate(tmp_path):
    """(certificate, key) of 127.0.0.1, signed by itself, as PEM files."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.datetime.now(datetime.UTC)
    built = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    chain, secret = tmp_path / "chain.pem", tmp_path / "key.pem"
    chain.write_bytes(built.public_bytes(serialization.Encoding.PEM))
    plain = serialization.NoEncryption()
    secret.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, plain)
    )
    return str(chain), str(secret)


@pytest.mark.parametrize("options", [(), ("--workers", "2")])
def test_answers_whole_and_streamed_over_tls(own_process, certificate, options):
    """The URL says https; a client that trusts the certificate gets both; the calls are in the book."""
    settings, env = own_process()
    chain, key = certificate
    trust = ssl.create_default_context(cafile=chain)
    with serving(env, "--tls-cert", chain, "--tls-key", key, *options) as (process, url, _):
        assert url.startswith("https://127.0.0.1:")
        for stream in (False, True):
            body = json.dumps({"model": "good", "messages": HELLO, "stream": stream}).encode()
            request = urllib.request.Request(
                url.replace("127.0.0.1", "localhost") + "/v1/chat/completions",
                body,
                {"content-type": "application/json"},
            )
            with urllib.request.urlopen(request, timeout=20, context=trust) as answer:
                data = answer.read()
            assert data.endswith(b"data: [DONE]\n\n") if stream else json.loads(data)["choices"]
        process.terminate()
        assert process.wait(20) == 0
    assert [(row["status"], row["stream"]) for row in calls(settings)] == [("ok", False), ("ok", True)]


@pytest.mark.parametrize(
    ("files", "said"),
    [
        (("--tls-cert", "chain"), "belong together"),
        (("--tls-key", "key"), "belong together"),
        (("--tls-cert", "nowhere.pem", "--tls-key", "key"), "No such file"),
        (("--tls-cert", "key", "--tls-key", "chain"), "cannot be used"),
    ],
)
def test_a_certificate_that_cannot_be_used_is_named(own_process, certificate, files, said):
    """Exit code 2, and what is wrong; nothing is served."""
    _, env = own_process()
    chain, key = certificate
    named = [{"chain": chain, "key": key}.get(word, word) for word in files]
    command = [sys.executable, "-m", "daybook", "serve", "--port", "0", *named]
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr
