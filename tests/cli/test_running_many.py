# SPDX-License-Identifier: LGPL-2.1-or-later
"""The files of docs/cookbook/running-many: each has only fields that its engine knows, and its command does its share."""

import json
import os
import re
import shlex
import subprocess
import sys

import boto3
import botocore.validate
import pytest
import yaml

sys.path.insert(0, os.path.dirname(__file__))
from runner import DEFINITIONS, PROGRAM, ROOT, environment  # noqa: E402

FILES = ROOT / "docs/cookbook/running-many"


@pytest.fixture
def work(tmp_path):
    """Six jobs, each a copy of a small file, and the environment in which the preset proxy copies."""
    folder = tmp_path / "definitions"
    folder.mkdir()
    (folder / "proxy.pipeline").write_text((DEFINITIONS / "copy.pipeline").read_text().replace("name=copy", "name=proxy", 1))
    (tmp_path / "source").write_bytes(b"x" * 5000)
    (tmp_path / "out").mkdir()
    jobs = [{"job_id": f"job-{i}", "input_url": str(tmp_path / "source"), "output_url": f"{tmp_path}/out/{i}",
             "preset": "proxy"} for i in range(6)]
    (tmp_path / "jobs.jsonl").write_text("\n".join(map(json.dumps, jobs)))
    return tmp_path


def run(work, words, **variables):
    """Runs a command of one of the files on the local jobs."""
    assert words[0] == "gst-clips"
    words = [word.replace("s3://videos/jobs.jsonl", str(work / "jobs.jsonl")) for word in words]
    env = environment(GST_CLIPS_PIPELINE_PATH=f"{work / 'definitions'}:{ROOT / 'pipelines'}", **variables)
    done = subprocess.run([PROGRAM, *words[1:]], env=env, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, ""), done
    return [json.loads(line) for line in done.stdout.splitlines()]


def all_done(work):
    return sorted(os.listdir(work / "out")) == [str(i) for i in range(6)]


def only(value, *known):
    assert set(value) <= set(known), set(value) - set(known)


def test_the_manifest_of_the_cookbook_is_read(work):
    # In a share behind its end there is nothing to do, but all of it is checked.
    told = run(work, ["gst-clips", "job", f"--index-from-environment={FILES / 'jobs.jsonl'}"], GST_CLIPS_INDEX="9999")
    assert told == [{"event": "summary", "engine": "GST_CLIPS_INDEX", "index": 9999, "count": None, "jobs": 3,
                     "succeeded": 0, "failed": []}]


def test_fly_machine(work):
    machine = json.loads((FILES / "fly-machine.json").read_text())
    # https://docs.machines.dev: CreateMachineRequest and fly.MachineConfig
    only(machine, "name", "region", "config", "lease_ttl", "skip_launch", "skip_service_registration")
    config = machine["config"]
    only(config, "image", "init", "env", "guest", "auto_destroy", "restart", "stop_config", "files", "metadata", "mounts",
         "schedule", "services", "checks", "processes", "metrics", "dns", "size", "standbys", "statics")
    only(config["init"], "exec", "cmd", "entrypoint", "tty", "swap_size_mb", "kernel_args")
    only(config["guest"], "cpu_kind", "cpus", "memory_mb", "gpu_kind", "gpus", "host_dedication_id", "kernel_args")
    assert config["guest"]["cpu_kind"] in ("shared", "performance") and config["guest"]["memory_mb"] % 256 == 0
    assert config["restart"] == {"policy": "no"} and config["auto_destroy"] is True
    only(config["stop_config"], "signal", "timeout")
    env = config["env"]
    assert all(isinstance(value, str) for value in env.values())
    env |= {"INPUT_URL": str(work / "source"), "OUTPUT_URL": f"{work}/out/fly"}
    (told,) = run(work, config["init"]["exec"], **env)
    assert told["status"] == "success" and os.listdir(work / "out") == ["fly"]


def test_kubernetes_indexed_job(work):
    job = yaml.safe_load((FILES / "kubernetes-indexed-job.yaml").read_text())
    # https://kubernetes.io/docs/reference/kubernetes-api: Job v1 batch, PodSpec, Container
    only(job, "apiVersion", "kind", "metadata", "spec")
    assert (job["apiVersion"], job["kind"]) == ("batch/v1", "Job")
    assert re.fullmatch(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?", job["metadata"]["name"])
    spec = job["spec"]
    only(spec, "completionMode", "completions", "parallelism", "backoffLimitPerIndex", "maxFailedIndexes", "backoffLimit",
         "activeDeadlineSeconds", "ttlSecondsAfterFinished", "podFailurePolicy", "template", "suspend",
         "podReplacementPolicy", "successPolicy", "manualSelector", "selector", "managedBy")
    assert spec["completionMode"] == "Indexed"
    pod = spec["template"]["spec"]
    only(pod, "restartPolicy", "terminationGracePeriodSeconds", "containers", "serviceAccountName", "volumes",
         "nodeSelector", "tolerations", "securityContext")
    # Both backoffLimitPerIndex and podFailurePolicy ask for it.
    assert pod["restartPolicy"] == "Never"
    (container,) = pod["containers"]
    only(container, "name", "image", "command", "args", "env", "envFrom", "resources", "volumeMounts", "securityContext")
    for rule in spec["podFailurePolicy"]["rules"]:
        only(rule, "action", "onPodConditions", "onExitCodes")
        assert rule["action"] in ("FailJob", "FailIndex", "Ignore", "Count")
        codes = rule.get("onExitCodes")
        if codes:
            assert codes["operator"] in ("In", "NotIn") and 0 not in codes["values"]
            assert codes["containerName"] == container["name"]
    env = {entry["name"]: entry["value"] for entry in container["env"]}
    assert env["GST_CLIPS_COUNT"] == str(spec["completions"])
    for index in range(spec["completions"]):
        run(work, container["command"], JOB_COMPLETION_INDEX=str(index), **env)
    assert all_done(work)


def test_aws_batch_array(work):
    client = boto3.client("batch", region_name="eu-central-1", aws_access_key_id="none", aws_secret_access_key="none")
    given = {}
    for operation, name in (("RegisterJobDefinition", "job-definition"), ("SubmitJob", "submit-job")):
        given[operation] = json.loads((FILES / f"aws-batch-{name}.json").read_text())
        shape = client.meta.service_model.operation_model(operation).input_shape
        report = botocore.validate.ParamValidator().validate(given[operation], shape)
        assert not report.has_errors(), report.generate_report()
    definition, submitted = given["RegisterJobDefinition"], given["SubmitJob"]
    assert submitted["jobDefinition"] == definition["jobDefinitionName"]
    # AWS sets these itself and refuses them from others.
    container = definition["containerProperties"]
    env = {entry["name"]: entry["value"] for entry in container["environment"]}
    assert not any(name.startswith("AWS_BATCH") for name in env)
    size = submitted["arrayProperties"]["size"]
    for index in range(size):
        run(work, container["command"], AWS_BATCH_JOB_ARRAY_INDEX=str(index), AWS_BATCH_JOB_ARRAY_SIZE=str(size), **env)
    assert all_done(work)


def test_slurm_array(work):
    path = FILES / "slurm-array.sbatch"
    text = path.read_text()
    options = dict(re.findall(r"^#SBATCH --([a-z-]+)(?:=(.*))?$", text, re.M))
    low, high = map(int, options["array"].split("-"))
    assert (low, f"--array-size={high + 1}" in text, "requeue" in options) == (0, True, True)
    assert subprocess.run(["sh", "-n", path]).returncode == 0
    words = shlex.split(text.split("exec ")[1].replace('"$1"', str(work / "jobs.jsonl")))
    for index in range(low, high + 1):
        # Each alone, as when one member is submitted again.
        run(work, words, SLURM_ARRAY_TASK_ID=str(index), SLURM_ARRAY_TASK_COUNT="1", SLURM_ARRAY_TASK_MIN=str(index),
            SLURM_ARRAY_TASK_MAX=str(index), SLURM_ARRAY_TASK_STEP="1")
    assert all_done(work)


def test_every_file_is_on_the_page():
    page = (ROOT / "docs/cookbook/running-many.md").read_text()
    for path in FILES.iterdir():
        assert f"running-many/{path.name}" in page
