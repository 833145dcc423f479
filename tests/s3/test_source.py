# SPDX-License-Identifier: LGPL-2.1-or-later
"""s3src against a real server: what it reads, how it fails, and what it lets nobody see."""

import hashlib
import http.client
import random
import time

import gi
import pytest

gi.require_version("Gst", "1.0")
from gi.repository import GLib, Gst  # noqa: E402
from timing import quickest_within  # noqa: E402

Gst.init(None)

MIB = 1 << 20

pytestmark = pytest.mark.usefixtures("keys")


def source(server, key, **properties):
    element = Gst.ElementFactory.make("s3src")
    element.set_property("uri", f"s3://testbucket/{key}")
    element.set_property("endpoint-uri", server.endpoint)
    for name, value in properties.items():
        element.set_property(name.replace("_", "-"), value)
    return element


class Run:
    """Runs a pipeline of elements in a row to its end."""

    def __init__(self, *elements, timeout=20):
        self.pipeline = Gst.Pipeline()
        for element in elements:
            self.pipeline.add(element)
        for first, second in zip(elements, elements[1:]):
            assert first.link(second)
        self.timeout = timeout
        self.errors = []
        self.warnings = []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.pipeline.set_state(Gst.State.NULL)

    def to_the_end(self):
        """True at EOS, False at an error; errors and warnings are kept."""
        bus = self.pipeline.get_bus()
        begin = time.monotonic()
        self.pipeline.set_state(Gst.State.PLAYING)
        eos = False
        while time.monotonic() - begin < self.timeout:
            kinds = Gst.MessageType.ERROR | Gst.MessageType.EOS | Gst.MessageType.WARNING
            message = bus.timed_pop_filtered(50 * Gst.MSECOND, kinds)
            if message is None:
                if self.errors or eos:
                    break
            elif message.type == Gst.MessageType.ERROR:
                error, _ = message.parse_error()
                self.errors.append((message.src.get_name(), error, message.parse_error_details()))
            elif message.type == Gst.MessageType.WARNING:
                self.warnings.append(message.parse_warning()[0].message)
            else:
                eos = True
        else:
            pytest.fail("neither an end nor an error")
        self.seconds = time.monotonic() - begin
        return eos and not self.errors


def collector(digest):
    sink = Gst.ElementFactory.make("fakesink")
    sink.set_property("sync", False)
    sink.set_property("signal-handoffs", True)

    def take(_, buffer, __):
        ok, mapped = buffer.map(Gst.MapFlags.READ)
        assert ok
        digest.update(mapped.data)
        buffer.unmap(mapped)

    sink.connect("handoff", take)
    return sink


def read_all(element, timeout=20):
    digest = hashlib.sha256()
    with Run(element, collector(digest), timeout=timeout) as run:
        assert run.to_the_end(), run.errors
    return digest.hexdigest()


def failure(element, timeout=20):
    """The one error of reading with this element."""
    with Run(element, Gst.ElementFactory.make("fakesink"), timeout=timeout) as run:
        assert not run.to_the_end()
        assert len(run.errors) == 1, run.errors
        assert run.seconds < 10
    _, error, details = run.errors[0]
    assert error.message.startswith("Could not read ") and error.message.endswith(".")
    return error, details


def noise(size, seed=1):
    return random.Random(seed).randbytes(size)


# --- reading


@pytest.mark.parametrize("size", [0, 1, 65535, 65536, 131072, 131073, 5 * MIB + 7])
def test_objects_of_all_sizes_are_read_whole(s3, size):
    data = noise(size)
    s3.put("sized", data)
    assert read_all(source(s3, "sized")) == hashlib.sha256(data).hexdigest()


@pytest.mark.parametrize("key", ["a b/ä+?x#y%41&=.bin", "x/../y", "//twice//", "~!*'()$,:;@[]{}|\\^`\"<>"])
def test_the_key_of_a_uri_is_verbatim(s3, key):
    s3.put(key, key.encode())
    assert read_all(source(s3, key)) == hashlib.sha256(key.encode()).hexdigest()


def test_bucket_and_key_name_the_object_as_well(s3):
    s3.put("named", b"by parts")
    element = Gst.ElementFactory.make("s3src")
    element.set_property("bucket", s3.bucket)
    element.set_property("key", "named")
    element.set_property("endpoint-uri", s3.endpoint)
    assert element.get_property("uri") == "s3://testbucket/named"
    assert read_all(element) == hashlib.sha256(b"by parts").hexdigest()


def test_elements_are_made_from_the_uri_and_keep_it(s3):
    element = Gst.Element.make_from_uri(Gst.URIType.SRC, "s3://testbucket/a b?c#d%41", None)
    assert element.get_factory().get_name() == "s3src"
    assert element.get_uri() == "s3://testbucket/a b?c#d%41"
    for wrong in ("s3://testbucket", "s3://testbucket/", "s3:///key", "s3://a b/c"):
        with pytest.raises(GLib.Error):
            element.set_uri(wrong)


@pytest.mark.parametrize("style", ["path", "virtual-host"])
def test_both_addressing_styles_over_plain_http_and_tls(s3, style):
    data = noise(300000)
    s3.put("styled", data)
    for scheme, port in (("http", s3.port), ("https", s3.tls_port)):
        element = source(s3, "styled", ca_file=s3.ca_file)
        element.set_property("endpoint-uri", f"{scheme}://s3.localhost:{port}")
        element.set_property("addressing", style)
        assert read_all(element) == hashlib.sha256(data).hexdigest()


def test_seeks_all_over_a_large_object_give_the_right_bytes(s3):
    """1 GiB made of blocks that hold their own number; a hash per block."""
    block = noise(MIB)
    parts = []
    upload = s3.boto.create_multipart_upload(Bucket=s3.bucket, Key="large")["UploadId"]
    for number in range(1, 9):
        first = (number - 1) * 128
        body = b"".join(i.to_bytes(8, "big") + block[8:] for i in range(first, first + 128))
        part = s3.boto.upload_part(
            Bucket=s3.bucket, Key="large", UploadId=upload, PartNumber=number, Body=body
        )
        parts.append({"PartNumber": number, "ETag": part["ETag"]})
    s3.boto.complete_multipart_upload(
        Bucket=s3.bucket, Key="large", UploadId=upload, MultipartUpload={"Parts": parts}
    )
    element = source(s3, "large")
    pad = element.get_static_pad("src")
    dice = random.Random(5)
    pipeline = Gst.Pipeline()
    pipeline.add(element)
    assert pad.activate_mode(Gst.PadMode.PULL, True)
    element.set_state(Gst.State.PAUSED)
    try:
        assert pad.query_duration(Gst.Format.BYTES) == (True, 1024 * MIB)
        for index in [0, 1023, *(dice.randrange(1024) for _ in range(60))]:
            flow, buffer = pad.get_range(index * MIB, MIB)
            assert flow == Gst.FlowReturn.OK
            expected = hashlib.sha256(index.to_bytes(8, "big") + block[8:]).digest()
            assert hashlib.sha256(buffer.extract_dup(0, MIB)).digest() == expected
        assert pad.get_range(1024 * MIB, 10)[0] == Gst.FlowReturn.EOS
        flow, buffer = pad.get_range(1024 * MIB - 5, 10)
        assert flow == Gst.FlowReturn.OK and buffer.get_size() == 5
    finally:
        element.set_state(Gst.State.NULL)
        s3.boto.delete_object(Bucket=s3.bucket, Key="large")


def test_seek_in_push_mode_goes_on_at_the_new_place(s3):
    data = noise(3 * MIB)
    s3.put("pushed", data)
    digest = hashlib.sha256()
    with Run(source(s3, "pushed"), collector(digest)) as run:
        run.pipeline.set_state(Gst.State.PAUSED)
        run.pipeline.get_state(5 * Gst.SECOND)
        sink = run.pipeline.iterate_sinks().next()[1]
        assert sink.seek_simple(Gst.Format.BYTES, Gst.SeekFlags.FLUSH, 2 * MIB)
        assert run.to_the_end(), run.errors
    assert digest.digest() == hashlib.sha256(data[2 * MIB :]).digest()


def test_stopped_element_reads_again_from_the_start(s3):
    s3.put("twice", noise(200000))
    element = source(s3, "twice")
    digests = []
    for _ in range(2):
        digest = hashlib.sha256()
        with Run(element, collector(digest)) as run:
            assert run.to_the_end(), run.errors
        run.pipeline.remove(element)
        digests.append(digest.hexdigest())
    assert digests == [hashlib.sha256(noise(200000)).hexdigest()] * 2


def test_a_version_is_read_although_there_is_a_newer_one(s3):
    s3.boto.create_bucket(Bucket="versioned")
    s3.boto.put_bucket_versioning(
        Bucket="versioned", VersioningConfiguration={"Status": "Enabled"}
    )
    old = s3.put("v", b"old", bucket="versioned")["VersionId"]
    s3.put("v", b"new", bucket="versioned")
    element = source(s3, "x", version_id=old)
    element.set_property("uri", "s3://versioned/v")
    assert read_all(element) == hashlib.sha256(b"old").hexdigest()
    element = source(s3, "x")
    element.set_property("uri", "s3://versioned/v")
    assert read_all(element) == hashlib.sha256(b"new").hexdigest()


def test_replaced_object_is_an_error_and_never_mixed_bytes(s3):
    s3.put("replaced", b"A" * (8 * MIB))
    seen = set()
    sink = Gst.ElementFactory.make("fakesink")
    sink.set_property("signal-handoffs", True)

    def take(_, buffer, __):
        seen.update(buffer.extract_dup(0, buffer.get_size()))
        if len(seen) == 1 and s3.head("replaced")["ContentLength"] == 8 * MIB:
            s3.put("replaced", b"B" * (8 * MIB + 1))

    sink.connect("handoff", take)
    with Run(source(s3, "replaced", cache_size=2 * MIB), sink) as run:
        assert not run.to_the_end()
    assert "was replaced" in run.errors[0][1].message
    assert run.errors[0][1].matches(Gst.ResourceError.quark(), Gst.ResourceError.READ)
    assert seen == {ord("A")}


# --- errors: what source and sink share stands in test_errors.py


def check(error, details, code, status=None, s3_code=None):
    assert error.matches(Gst.ResourceError.quark(), code), (error.code, error.message)
    if status:
        assert details.get_uint("http-status-code") == (True, status)
        assert details.get_string("request-id")
    else:
        assert details is None or not details.has_field("http-status-code")
    if s3_code:
        assert details.get_string("s3-error-code") == s3_code
        assert s3_code in error.message


def test_no_such_object(s3):
    error, details = failure(source(s3, "absent"))
    check(error, details, Gst.ResourceError.NOT_FOUND, 404, "NoSuchKey")
    assert "s3://testbucket/absent" in error.message


def test_uri_of_a_bucket_alone_is_told_without_the_network(s3, faults):
    element = source(faults, "x")
    element.set_property("uri", "s3://only-a-bucket")
    check(*failure(element), Gst.ResourceError.SETTINGS)
    assert faults.requests() == []


def test_wrong_region_is_corrected(s3, faults):
    """The gateway takes any region; one that does not is played by the unit tests of the client."""
    s3.put("region", b"x")
    assert read_all(source(faults, "region", region="eu-nowhere-9"))


# --- faults on the way


@pytest.mark.parametrize(
    "action",
    [
        "status:500:InternalError",
        "status:503:SlowDown",
        "busy:429",
        "busy:408",
        "reset",
        "half-reply",
        "drop-reply",
    ],
)
def test_faults_are_survived_with_every_byte_right(s3, faults, action):
    data = noise(4 * MIB)
    s3.put("faulty", data)
    faults.fault("GET", "faulty", "1/3", action)
    assert read_all(source(faults, "faulty")) == hashlib.sha256(data).hexdigest()
    assert any(request["fault"] == action for request in faults.requests())


def test_stalled_reply_is_taken_up_again(s3, faults):
    data = noise(MIB)
    s3.put("stalled", data)
    faults.fault("GET", "stalled", 1, "stall-reply:30")
    element = source(faults, "stalled", stall_timeout=Gst.SECOND)
    assert read_all(element) == hashlib.sha256(data).hexdigest()


def test_trouble_that_passes_is_one_warning(s3, faults):
    s3.put("trouble", b"x")
    faults.fault("GET", "trouble", 3, "status:503:SlowDown")
    with Run(source(faults, "trouble"), Gst.ElementFactory.make("fakesink")) as run:
        assert run.to_the_end()
    assert len(run.warnings) == 1 and "SlowDown" in run.warnings[0]


def test_store_that_never_recovers_is_one_error(s3, faults):
    s3.put("hopeless", b"x")
    faults.fault("GET", "hopeless", 99, "status:503:SlowDown")
    element = source(faults, "hopeless", retry_attempts=3)
    check(*failure(element), Gst.ResourceError.READ, 503, "SlowDown")
    assert len(faults.requests()) == 3


@pytest.mark.parametrize("when", ["first request", "later request"])
def test_stop_during_a_stalled_request_takes_less_than_100_ms(s3, faults, when):
    s3.put("hang", noise(4 * MIB))

    def stop_while_it_hangs():
        faults.reset()
        if when == "first request":
            faults.fault("GET", "hang", 1, "stall:60")
        with Run(source(faults, "hang"), Gst.ElementFactory.make("fakesink")) as run:
            run.pipeline.set_state(Gst.State.PAUSED)
            if when == "later request":
                assert run.pipeline.get_state(20 * Gst.SECOND)[0] == Gst.StateChangeReturn.SUCCESS
                faults.fault("GET", "hang", 99, "stall:60")
                run.pipeline.set_state(Gst.State.PLAYING)
            time.sleep(0.5)
            begin = time.monotonic()
            assert run.pipeline.set_state(Gst.State.NULL) == Gst.StateChangeReturn.SUCCESS
            return time.monotonic() - begin

    quickest_within(0.1, stop_while_it_hangs)


def test_proxy_of_the_environment_is_used(s3, faults, monkeypatch):
    """The fault proxy takes absolute URLs as a proxy does: it passes on what it gets."""
    s3.put("proxied", b"x")
    element = source(s3, "proxied")
    element.set_property("endpoint-uri", "http://no-such-host.invalid")
    monkeypatch.setenv("http_proxy", faults.endpoint)
    with Run(element, Gst.ElementFactory.make("fakesink")) as run:
        run.to_the_end()
    assert faults.requests()[0]["path"].startswith("http://no-such-host.invalid/testbucket/")


# --- credentials for real


def test_role_is_assumed_at_the_gateways_own_sts(s3, tmp_path, monkeypatch):
    s3.put("role", b"by role")
    config = tmp_path / "config"
    config.write_text(
        "[profile base]\n"
        f"aws_access_key_id = {s3.access_key}\naws_secret_access_key = {s3.secret_key}\n"
        "[profile tester]\nrole_arn = arn:aws:iam:::role/tester\nsource_profile = base\n"
    )
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(config))
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", s3.endpoint)
    assert read_all(source(s3, "role", profile="tester")) == hashlib.sha256(b"by role").hexdigest()


# --- figures


def rate_of_one_request_per_block(distant, key, blocks):
    connection = http.client.HTTPConnection("127.0.0.1", distant.port)
    begin = time.monotonic()
    for index in range(blocks):
        span = f"bytes={index << 18}-{((index + 1) << 18) - 1}"
        connection.request("GET", f"/testbucket/{key}", headers={"Range": span})
        assert len(connection.getresponse().read()) == 1 << 18
    return (blocks << 18) / (time.monotonic() - begin)


def test_read_ahead_makes_a_distant_store_near(s3, distant):
    """A floor that holds on a busy machine; the benchmark measures the real ratio, with a demuxer on a long object."""
    s3.put("far", noise(4 * MIB) * 24, ACL="public-read")
    slow = rate_of_one_request_per_block(distant, "far", 12)
    begin = time.monotonic()
    read_all(source(distant, "far"))
    assert 96 * MIB / (time.monotonic() - begin) > 3 * slow
