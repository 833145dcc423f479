# SPDX-License-Identifier: LGPL-2.1-or-later
"""The Slurm file of the cookbook on a real Slurm of two nodes, one of which dies in the middle."""

import json
import os
import subprocess
import sys
import time

import pytest
from cliptest import media

sys.path.insert(0, os.path.dirname(__file__))
import slurm  # noqa: E402
from runner import ROOT, environment  # noqa: E402

JOBS = 8


@pytest.fixture
def cluster(tmp_path):
    reason = slurm.missing()
    if reason:
        pytest.skip(reason)
    directory = tmp_path / "slurm"
    directory.mkdir()
    cluster = slurm.Slurm(directory, ["node1", "node2"])
    yield cluster
    cluster.stop()


def frames(path):
    done = subprocess.run(["ffprobe", "-v", "error", "-count_frames", "-select_streams", "v", "-show_entries",
                           "stream=nb_read_frames", "-of", "csv=p=0", path], capture_output=True, text=True, check=True)
    assert done.stderr == ""
    return int(done.stdout)


def test_every_output_is_there_once_and_whole_after_a_node_has_died(cluster, tmp_path):
    out, logs = tmp_path / "out", tmp_path / "logs"
    out.mkdir()
    logs.mkdir()
    film = media("closed2s")
    manifest = tmp_path / "jobs.jsonl"
    manifest.write_text("".join(json.dumps({
        "job_id": f"job-{i}", "input_url": film.path, "output_url": f"{out}/{i}.mp4", "preset": "proxy",
        "settings": {"crf": 20 + i, "threads": 1}}) + "\n" for i in range(JOBS)))
    cluster.env |= environment()
    done = subprocess.run(["sbatch", "--parsable", ROOT / "docs/cookbook/running-many/slurm-array.sbatch", manifest],
                          env=cluster.env, cwd=logs, capture_output=True, text=True, timeout=30)
    assert done.returncode == 0, done.stderr

    def wait_for(what, seconds):
        end = time.monotonic() + seconds
        while not what():
            assert time.monotonic() < end, cluster.call("squeue").stdout + (cluster.directory / "slurmctld.log").read_text()
            time.sleep(0.2)

    # The first file is there, and both nodes are at work.
    wait_for(lambda: os.listdir(out) and set(cluster.running()) == {"node1", "node2"}, 120)
    begun = len(os.listdir(out))
    cluster.kill_node("node2")
    assert begun < JOBS
    wait_for(lambda: cluster.waiting() == 0, 400)

    assert sorted(os.listdir(out)) == sorted(f"{i}.mp4" for i in range(JOBS))
    assert [frames(f"{out}/{i}.mp4") for i in range(JOBS)] == [len(film.times)] * JOBS
    told = [json.loads(line) for log in logs.iterdir() for line in log.read_text().splitlines() if line.startswith("{")]
    succeeded = [t["job_id"] for t in told if t["event"] == "result" and t["status"] == "success"]
    assert set(succeeded) == {f"job-{i}" for i in range(JOBS)}
    # Four shares ended; the dead node's began once more.
    assert len([t for t in told if t["event"] == "summary"]) == 4
    assert "node2" in (cluster.directory / "slurmctld.log").read_text()
    assert cluster.call("sinfo", "-h", "-n", "node2", "-o", "%T").stdout.startswith("down")
