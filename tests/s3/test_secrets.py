# SPDX-License-Identifier: LGPL-2.1-or-later
"""No key, no token and no signature is for anybody else to see."""

import os
import subprocess

import gi
import pytest

gi.require_version("Gst", "1.0")
from gi.repository import Gst  # noqa: E402

Gst.init(None)

SECRETS = ("secretKEYofTHEtest", "tokenTOKENtoken", "Signature=")
PIPELINES = {
    "s3src": "s3src name=it ! fakesink",
    "s3sink": "fakesrc num-buffers=12 sizetype=fixed sizemax=1000000 ! s3sink name=it part-size=5242880",
    "s3hlssink": "videotestsrc num-buffers=30 ! video/x-raw,width=64,height=64 ! x264enc ! h264parse ! it.video "
    "s3hlssink name=it",
}
SCRIPT = """
import sys, gi
gi.require_version("Gst", "1.0")
from gi.repository import Gst
Gst.init(None)
pipeline = Gst.parse_launch(sys.argv[3])
it = pipeline.get_by_name("it")
it.set_property("uri", "s3://testbucket/secret/index.m3u8")
it.set_property("endpoint-uri", sys.argv[1])
if sys.argv[2] == "properties":
    it.set_property("access-key", "AKtest")
    it.set_property("secret-access-key", "secretKEYofTHEtest")
    it.set_property("session-token", "tokenTOKENtoken")
pipeline.set_state(Gst.State.PLAYING)
message = pipeline.get_bus().timed_pop_filtered(
    20 * Gst.SECOND, Gst.MessageType.ERROR | Gst.MessageType.EOS)
print(message.type, message.get_structure().to_string())
print(Gst.debug_bin_to_dot_data(pipeline, Gst.DebugGraphDetails.VERBOSE))
for spec in it.list_properties():
    if spec.flags & 1:
        print(spec.name, it.get_property(spec.name))
Gst.debug_bin_to_dot_file_with_ts(pipeline, Gst.DebugGraphDetails.ALL, "all")
pipeline.set_state(Gst.State.NULL)
"""


def secret_environment(s3, given, **changes):
    """Keys that the gateway refuses, so that what an error says is looked at too."""
    names = {"AWS_ACCESS_KEY_ID": "AKtest", "AWS_SECRET_ACCESS_KEY": "secretKEYofTHEtest", "AWS_SESSION_TOKEN": "tokenTOKENtoken"}
    if given == "properties":
        names = dict.fromkeys(names)
    return s3.env(**names, **changes)


@pytest.mark.parametrize("element", PIPELINES)
def test_secrets_can_be_set_and_not_be_read(s3, element):
    it = Gst.ElementFactory.make(element)
    for name in ("access-key", "secret-access-key", "session-token"):
        it.set_property(name, "HUSHHUSH")
        assert not it.find_property(name).flags & 1  # G_PARAM_READABLE
        with pytest.raises(TypeError):
            it.get_property(name)


@pytest.mark.parametrize("given", ["properties", "environment"])
@pytest.mark.parametrize("element", PIPELINES)
def test_no_secret_in_log_at_level_9_dot_files_properties_or_messages(s3, tmp_path, element, given):
    log = tmp_path / "log"
    quiet = ",GST_REGISTRY:2,GST_PLUGIN_LOADING:2,x264enc:2,videotestsrc:2,GST_SCHEDULING:4"
    environment = secret_environment(
        s3, given, GST_DEBUG="*:9" + quiet, GST_DEBUG_FILE=str(log), GST_DEBUG_DUMP_DOT_DIR=str(tmp_path)
    )
    said = subprocess.run(
        ["/usr/bin/python3", "-c", SCRIPT, s3.endpoint, given, PIPELINES[element]],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    dots = list(tmp_path.glob("*.dot"))
    everything = said.stdout + said.stderr + log.read_text(errors="replace") + "".join(p.read_text() for p in dots)
    assert dots and element in everything and "testbucket/secret" in everything
    # A request was sent, and refused.
    assert "GST_MESSAGE_ERROR" in said.stdout and "403" in said.stdout
    for secret in SECRETS:
        assert secret not in everything


def test_no_secret_in_what_a_definition_prints_of_itself(s3):
    program = os.environ["CLIPS_BUILD_ROOT"] + "/tools/gst-clips"
    environment = secret_environment(s3, "environment", AWS_ENDPOINT_URL=s3.endpoint)
    environment.pop("G_DEBUG", None)
    for options in (["--print-launch"], ["--progress=json"]):
        words = [program, "run", *options, "proxy", "input=s3://testbucket/in.mov", "output=s3://testbucket/secret.mp4"]
        said = subprocess.run(words, env=environment, capture_output=True, text=True, timeout=60, check=False)
        assert "testbucket" in said.stdout + said.stderr
        for secret in SECRETS:
            assert secret not in said.stdout + said.stderr
