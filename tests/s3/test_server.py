# SPDX-License-Identifier: LGPL-2.1-or-later
"""The test server itself: what the other tests of this folder lean on."""

import os
import subprocess
import sys
import time
from pathlib import Path

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError


def client(s3, endpoint, **options):
    return boto3.client(
        "s3",
        endpoint_url=endpoint,
        region_name=s3.region,
        aws_access_key_id=s3.access_key,
        aws_secret_access_key=options.pop("secret", s3.secret_key),
        config=Config(retries={"max_attempts": 0}, s3={"addressing_style": "path"}),
        **options,
    )


def test_gateway_keeps_what_was_put(s3):
    s3.put("kept", b"some bytes")
    assert s3.get("kept") == b"some bytes"
    assert s3.head("never put") is None
    assert s3.uploads() == []


def test_gateway_refuses_a_wrong_key(s3):
    with pytest.raises(ClientError) as refused:
        client(s3, s3.endpoint, secret="wrong").list_objects_v2(Bucket=s3.bucket)
    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 403


def test_gateway_speaks_tls_with_its_own_certificate(s3):
    s3.put("tls", b"x")
    over_tls = client(s3, s3.tls_endpoint, verify=s3.ca_file)
    assert over_tls.head_object(Bucket=s3.bucket, Key="tls")["ContentLength"] == 1


def test_faults_hit_the_requests_they_name_and_no_other(s3, faults):
    through = client(s3, faults.endpoint)
    faults.fault("PUT", "unlucky", 1, "status:503:SlowDown")
    through.put_object(Bucket=s3.bucket, Key="lucky", Body=b"1")
    with pytest.raises(ClientError) as refused:
        through.put_object(Bucket=s3.bucket, Key="unlucky", Body=b"2")
    assert refused.value.response["Error"]["Code"] == "SlowDown"
    through.put_object(Bucket=s3.bucket, Key="unlucky", Body=b"3")
    assert s3.get("unlucky") == b"3"
    assert [r["fault"] for r in faults.requests("PUT")] == ["", "status:503:SlowDown", ""]


@pytest.mark.parametrize("action", ["reset", "half-reply", "drop-reply"])
def test_a_cut_connection_is_an_error_at_the_client(s3, faults, action):
    s3.put("cut", b"x" * 1000)
    faults.fault("GET", "cut", 1, action)
    with pytest.raises((BotoCoreError, OSError)):
        client(s3, faults.endpoint).get_object(Bucket=s3.bucket, Key="cut")["Body"].read()
    body = client(s3, faults.endpoint).get_object(Bucket=s3.bucket, Key="cut")["Body"].read()
    assert body == b"x" * 1000


def test_wrong_checksum_is_refused(s3, faults):
    with pytest.raises(ClientError) as refused:
        client(s3, faults.endpoint).put_object(
            Bucket=s3.bucket, Key="sum", Body=b"x", ChecksumSHA256="AAAA"
        )
    assert refused.value.response["Error"]["Code"] == "BadDigest"


def test_distant_gateway_answers_late_but_right(s3, distant):
    data = bytes(range(256)) * 4096
    s3.put("far", data)
    far = client(s3, distant.endpoint)
    far.head_object(Bucket=s3.bucket, Key="far")
    begin = time.monotonic()
    far.head_object(Bucket=s3.bucket, Key="far")
    assert time.monotonic() - begin >= 0.06
    assert far.get_object(Bucket=s3.bucket, Key="far")["Body"].read() == data


def test_servers_end_with_whoever_started_them():
    """Killed, it can stop nothing itself."""
    program = (
        "import os, sys, time; sys.path.insert(0, sys.argv[1])\n"
        "from s3server import DelayProxy, FaultProxy, Gateway\n"
        "g = Gateway(); p = [DelayProxy(g.port, 1), FaultProxy(g.port)]\n"
        "pids = [open(f'{g.directory}/{name}.pid').read().strip() for name in ('mon', 'osd', 'rgw')]\n"
        "print(*pids, *(x.process.pid for x in p), flush=True); time.sleep(60)\n"
    )
    command = [sys.executable, "-c", program, str(Path(__file__).parent)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        pids = process.stdout.readline().split()
        assert len(pids) == 5 and all(os.path.exists(f"/proc/{pid}") for pid in pids)
        process.kill()
    end = time.monotonic() + 10

    def alive(pid):
        try:
            return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
        except OSError:
            return False

    while (left := [pid for pid in pids if alive(pid)]) and time.monotonic() < end:
        time.sleep(0.1)
    assert left == []
