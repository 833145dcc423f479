# SPDX-License-Identifier: LGPL-2.1-or-later
"""gst-clips probe, job and task with objects of a real server: in, out, and through presigned URLs."""

import json
import os
import subprocess
import sys
from pathlib import Path

import boto3
import pytest
from botocore.config import Config
from cliptest import media

sys.path.insert(0, str(Path(__file__).parent.parent / "cli"))
from runner import PROGRAM, environment  # noqa: E402

SECRETS = ("testsecretkey", "Signature=", "testaccesskey")


@pytest.fixture(scope="module")
def film(s3):
    made = media("closed2s")
    s3.put("originals/a film?.mp4", Path(made.path).read_bytes())
    return made


def call(s3, *words, **variables):
    env = environment(**{k: v for k, v in s3.env(AWS_ENDPOINT_URL_S3=s3.endpoint, **variables).items() if k.startswith(
        ("AWS_", *variables))})
    done = subprocess.run([PROGRAM, *words], env=env, capture_output=True, text=True, timeout=60)
    assert not any(secret in done.stdout + done.stderr for secret in SECRETS), done
    return done


def packets(path):
    return subprocess.run(["ffmpeg", "-v", "error", "-i", path, "-map", "0", "-c", "copy", "-f", "streamhash", "-"],
                          capture_output=True, check=True).stdout


def test_an_object_has_the_facts_of_its_file(s3, film):
    told = json.loads(call(s3, "probe", "s3://testbucket/originals/a film?.mp4").stdout)
    local = json.loads(call(s3, "probe", film.path).stdout)
    assert told.pop("uri") != local.pop("uri") and told == local


def test_a_missing_object_is_exit_code_4(s3, film):
    done = call(s3, "probe", "s3://testbucket/absent.mp4")
    assert done.returncode == 4 and "absent.mp4" in done.stderr and done.stderr.count("\n") == 1


def job(s3, **variables):
    done = call(s3, "job", **{"JOB_ID": "s3", **variables})
    return done.returncode, json.loads(done.stdout)


@pytest.mark.parametrize("preset", ["default", "proxy"])
def test_a_job_goes_from_object_to_object(s3, film, tmp_path, preset):
    status, told = job(s3, INPUT_URL="s3://testbucket/originals/a film?.mp4", PRESET=preset,
                       OUTPUT_URL=f"s3://testbucket/out/{preset}.mp4")
    assert status == 0, told
    stored = s3.get(f"out/{preset}.mp4")
    (output,) = told["outputs"]
    assert output["uri"] == f"s3://testbucket/out/{preset}.mp4" and output["bytes"] == len(stored) == told["bytes"]
    assert s3.head(f"out/{preset}.mp4")["ContentType"] == "video/mp4"
    assert told["media"]["video"]["frames"] == len(film.times) and told["media"]["size"] == len(stored)
    (tmp_path / "got.mp4").write_bytes(stored)
    if preset == "default":
        assert packets(tmp_path / "got.mp4") == packets(film.path)


def test_an_ingest_job_goes_from_object_to_prefix(s3, film):
    variables = {"INPUT_URL": "s3://testbucket/originals/a film?.mp4", "PRESET": "ingest",
                 "OUTPUT_URL": "s3://testbucket/out/ingest/"}
    done = call(s3, "job", "proxy-preset=ultrafast", "master-preset=ultrafast", JOB_ID="s3", **variables)
    assert done.returncode == 0, done
    told = json.loads(done.stdout)
    stored = {f"s3://testbucket/{key}": s3.head(key)["ContentLength"] for key in s3.keys("out/ingest/")}
    assert {o["uri"]: o["bytes"] for o in told["outputs"]} == stored
    assert told["outputs"][-1]["uri"] == "s3://testbucket/out/ingest/ingest.json" and told["bytes"] == sum(stored.values())


@pytest.mark.parametrize("signature", ["s3", "s3v4"])
def test_presigned_urls_are_read_and_written(s3, film, tmp_path, signature):
    client = boto3.client("s3", endpoint_url=s3.endpoint, region_name=s3.region, aws_access_key_id=s3.access_key,
                          aws_secret_access_key=s3.secret_key,
                          config=Config(signature_version=signature, s3={"addressing_style": "path"}))
    get, put = (client.generate_presigned_url(f"{verb}_object", ExpiresIn=300, Params={"Bucket": s3.bucket, "Key": key})
                for verb, key in (("get", "originals/a film?.mp4"), ("put", "out/presigned.mp4")))
    status, told = job(s3, INPUT_URL=get, OUTPUT_URL=put)
    assert status == 0, told
    (tmp_path / "got.mp4").write_bytes(s3.get("out/presigned.mp4"))
    assert packets(tmp_path / "got.mp4") == packets(film.path)
    head = s3.head("out/presigned.mp4")
    # The older signature is made over the type, and none was signed.
    assert (head["ContentType"] == "video/mp4") == (signature == "s3v4") and told["outputs"][0]["etag"] == head["ETag"]


def test_a_failed_job_leaves_no_object(s3, film):
    for output in ("s3://testbucket/out/none.mp4", "s3://nosuchbucket/out/none.mp4"):
        source = "s3://testbucket/absent.mp4" if "testbucket" in output else film.path
        status, told = job(s3, INPUT_URL=source, OUTPUT_URL=output)
        assert status == (4 if "testbucket" in output else 5) and told["outputs"] == []
    assert s3.head("out/none.mp4") is None
    expired = s3.boto.generate_presigned_url("put_object", ExpiresIn=300, Params={"Bucket": s3.bucket, "Key": "out/none.mp4"})
    status, told = job(s3, INPUT_URL=film.path, OUTPUT_URL=expired.replace("Signature=", "Signature=0"))
    assert status == 5 and "403" in told["error"]["message"] and s3.head("out/none.mp4") is None


def test_arguments_manifest_and_result_can_be_objects(s3, film, tmp_path):
    s3.put("tasks/args.json", json.dumps({"input": "s3://testbucket/originals/a film?.mp4"}).encode())
    done = call(s3, "task", "probe", "--args-file=s3://testbucket/tasks/args.json",
                "--result-file=s3://testbucket/tasks/result.json")
    assert done.returncode == 0, done
    assert json.loads(s3.get("tasks/result.json"))["probe"]["streams"][0]["frames"] == len(film.times)
    s3.put("jobs.jsonl", json.dumps({"job_id": "a", "input_url": film.path, "output_url": f"{tmp_path}/a.mp4"}).encode())
    done = call(s3, "job", "--index-from-environment=s3://testbucket/jobs.jsonl", JOB_COMPLETION_INDEX="0")
    assert done.returncode == 0 and os.listdir(tmp_path) == ["a.mp4"]
