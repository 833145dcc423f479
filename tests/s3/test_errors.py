# SPDX-License-Identifier: LGPL-2.1-or-later
"""What goes wrong at a store, for source and sink alike: one clear error with its fields, soon, and nothing left."""

import shutil
import subprocess
import time

import gi
import pytest
from s3server import Gateway

gi.require_version("Gst", "1.0")
from gi.repository import Gst  # noqa: E402

Gst.init(None)

MIB = 1 << 20
PIPELINES = {
    "source": "s3src name=it ! fakesink",
    "one request": "fakesrc num-buffers=2 sizetype=fixed sizemax=1000 ! s3sink name=it",
    "parts": f"fakesrc num-buffers=40 sizetype=fixed sizemax={MIB} ! s3sink name=it part-size=5242880",
    "many objects": "fakesrc num-buffers=2 sizetype=fixed sizemax=1000 ! s3sink name=it next-file=buffer",
    "hls": "videotestsrc num-buffers=50 ! video/x-raw,width=160,height=120 ! x264enc speed-preset=ultrafast ! "
    "h264parse ! it.video  s3hlssink name=it",
}

pytestmark = pytest.mark.usefixtures("keys")


@pytest.fixture(scope="session")
def plain(s3):
    """A gateway without STS, which tells a wrong key from a lack of permission."""
    gateway = Gateway(sts=False)
    yield gateway
    gateway.stop()


@pytest.fixture(params=PIPELINES)
def kind(request):
    """Which pipeline fails."""
    return request.param


class Failed:
    def __init__(self, error, details):
        self.error, self.details = error, details

    def __call__(self, kind, code, status=None, s3_code=None, says=""):
        if isinstance(code, tuple):
            code = code[0] if kind == "source" else code[1]
        error, details = self.error, self.details
        assert error.matches(Gst.ResourceError.quark(), code), (error.code, error.message)
        assert error.message.startswith(f"Could not {'read' if kind == 'source' else 'write'} s3://"), error.message
        assert error.message.endswith(".") and says in error.message
        if status:
            assert details.get_uint("http-status-code") == (True, status)
            assert details.get_string("request-id")
        else:
            assert details is None or not details.has_field("http-status-code")
        if s3_code:
            assert details.get_string("s3-error-code") == s3_code


OPEN = (Gst.ResourceError.OPEN_READ, Gst.ResourceError.OPEN_WRITE)


def fail(server, kind, key="thing", bucket="testbucket", **values):
    """Runs the pipeline, which has to end with one error and leave nothing."""
    key += {"many objects": "-{index}", "hls": "/index.m3u8"}.get(kind, "")
    pipeline = Gst.parse_launch(PIPELINES[kind])
    it = pipeline.get_by_name("it")
    it.set_property("endpoint-uri", values.pop("endpoint_uri", server.endpoint))
    it.set_property("uri", f"s3://{bucket}/{key}")
    for name, value in values.items():
        it.set_property(name.replace("_", "-"), value)
    before = server.keys() if server else None
    bus = pipeline.get_bus()
    begin = time.monotonic()
    pipeline.set_state(Gst.State.PLAYING)
    errors = []
    while not errors or bus.have_pending():
        assert time.monotonic() - begin < 10, "no error within 10 s"
        message = bus.timed_pop_filtered(Gst.SECOND // 10, Gst.MessageType.ERROR | Gst.MessageType.EOS)
        if not message:
            continue
        assert message.type == Gst.MessageType.ERROR, "EOS and no error"
        if "Internal data" not in message.parse_error()[0].message:  # a source's, for what is behind it
            errors.append((message.parse_error()[0], message.parse_error_details()))
    time.sleep(0.1)
    while message := bus.pop_filtered(Gst.MessageType.ERROR | Gst.MessageType.EOS):
        assert message.type == Gst.MessageType.ERROR
        assert "Internal data" in message.parse_error()[0].message
    pipeline.set_state(Gst.State.NULL)
    assert len(errors) == 1, [e.message for e, _ in errors]
    assert server.keys() == before
    end = time.monotonic() + 5
    while server.uploads() and time.monotonic() < end:
        time.sleep(0.05)
    assert server.uploads() == []
    return Failed(*errors[0])


def test_no_such_bucket(s3, kind):
    failed = fail(s3, kind, bucket="no-such-bucket")
    failed(kind, Gst.ResourceError.NOT_FOUND, 404, "NoSuchBucket", '"no-such-bucket"')


def test_wrong_secret_key(s3, kind):
    failed = fail(s3, kind, access_key=s3.access_key, secret_access_key="wrong")
    failed(kind, Gst.ResourceError.NOT_AUTHORIZED, 403)


def test_wrong_secret_key_is_told_from_a_lack_of_permission(plain, kind):
    failed = fail(plain, kind, access_key=plain.access_key, secret_access_key="wrong")
    failed(kind, Gst.ResourceError.NOT_AUTHORIZED, 403, "SignatureDoesNotMatch", "the secret access key is wrong")
    failed = fail(plain, kind, access_key="nobody", secret_access_key="wrong")
    failed(kind, Gst.ResourceError.NOT_AUTHORIZED, 403, "InvalidAccessKeyId", "does not know the access key")


def test_no_permission(s3, kind):
    s3.put("private", b"x")
    failed = fail(s3, kind, key="private", anonymous=True)
    failed(kind, Gst.ResourceError.NOT_AUTHORIZED, 403, "AccessDenied", "access denied")


def test_no_credentials(s3, kind, monkeypatch):
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    failed = fail(s3, kind)
    failed(kind, Gst.ResourceError.NOT_AUTHORIZED, says="AWS_ACCESS_KEY_ID")


def test_expired_token(s3, faults, kind):
    faults.fault("*", "thing", 99, "status:400:ExpiredToken")
    s3.put("thing-token", b"x")
    values = {"session_token": "T", "access_key": "A", "secret_access_key": "S"}
    failed = fail(s3, kind, key="thing-token", endpoint_uri=faults.endpoint, **values)
    failed(kind, Gst.ResourceError.NOT_AUTHORIZED, 400, "ExpiredToken", "has expired")


def test_wrong_region_that_the_store_does_not_correct(s3, faults, kind):
    faults.fault("*", "thing", 99, "status:400:AuthorizationHeaderMalformed")
    failed = fail(s3, kind, endpoint_uri=faults.endpoint, region="eu-nowhere-9")
    failed(kind, Gst.ResourceError.SETTINGS, 400, "AuthorizationHeaderMalformed", "the region is wrong")


def test_clock_that_stays_wrong(s3, faults, kind):
    """One that the store's date corrects is test_clock_that_is_20_minutes_off_is_corrected."""
    faults.fault("*", "thing", 99, "skew")
    failed = fail(s3, kind, endpoint_uri=faults.endpoint)
    failed(kind, Gst.ResourceError.NOT_AUTHORIZED, 403, "RequestTimeTooSkewed", "clock")


# These two wait for the few seconds in which a first contact is tried again.


@pytest.mark.parametrize("kind", ["source", "parts"])
def test_name_that_does_not_resolve(s3, kind):
    failed = fail(s3, kind, endpoint_uri="http://no-such-host.invalid")
    failed(kind, OPEN, says="no-such-host.invalid")


@pytest.mark.parametrize("kind", ["source", "parts"])
def test_refused_connection(s3, kind):
    fail(s3, kind, endpoint_uri="http://127.0.0.1:1")(kind, OPEN, says="no connection")


def test_unknown_certificate_authority(s3, kind):
    fail(s3, kind, endpoint_uri=s3.tls_endpoint)(kind, OPEN, says="ca-file")


def test_settings_are_told_without_the_network(s3, faults, kind):
    for name, value in (("region", "not a region"), ("endpoint_uri", "gopher://x")):
        fail(s3, kind, **{"endpoint_uri": faults.endpoint, name: value})(kind, Gst.ResourceError.SETTINGS)
    assert faults.requests() == []


@pytest.mark.parametrize("uri,says", [
    ("s3://b/thing", '"b" is not the name of a bucket'), ("/tmp/thing", "does not begin with s3://")])
def test_a_uri_that_names_no_object_is_told_with_the_reason(s3, kind, uri, says):
    failed = fail(s3, kind, uri=uri)
    assert failed.error.matches(Gst.ResourceError.quark(), Gst.ResourceError.SETTINGS)
    assert says in failed.error.message, failed.error.message


@pytest.mark.parametrize("offset", ["-20m", "+20m"])
def test_clock_that_is_20_minutes_off_is_corrected(s3, tmp_path, offset):
    """A source and a sink in one process, signed with the store's time."""
    if shutil.which("faketime") is None:
        pytest.skip("no faketime to set the clock wrong with")
    s3.put("clock", b"right in time")
    command = ["faketime", "-f", offset, "gst-launch-1.0", "-q", "s3src", "uri=s3://testbucket/clock"]
    command += [f"endpoint-uri={s3.endpoint}", "!", "s3sink", f"uri=s3://testbucket/clock{offset}", f"endpoint-uri={s3.endpoint}"]
    environment = s3.env(FAKETIME_DONT_FAKE_MONOTONIC="1")
    subprocess.run(command, env=environment, timeout=30, check=True)
    assert s3.get(f"clock{offset}") == b"right in time"
