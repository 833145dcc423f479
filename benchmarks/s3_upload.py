# SPDX-License-Identifier: LGPL-2.1-or-later
"""Uploads to a gateway on this machine, in pairs: s3sink against `aws s3 cp` and rclone, and parallel against serial
parts with 30 ms of delay each way. Prints ratios of interleaved runs and peak memory.

usage: s3_upload.py [MIB] [PAIRS]       (1024 and 5; exit status 1 when a goal is missed)

Goals: at least twice as fast as `aws s3 cp` with at most 60 MiB of memory; at least 3.3 times as fast as parts of
8 MiB one after the other where the store is 30 ms away.

Client and gateway share the machine. Where it has few cores the gateway's share of the time, which no client
changes, draws the ratio to 1; so the clients are also compared at a store that throws everything away.
"""

import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tests", "s3"))
from discard_store import DiscardStore  # noqa: E402
from s3server import DelayProxy, Gateway, missing  # noqa: E402

# For the gateway's programs: memory that was freed is used again. Else a sixth of a run is the kernel's clearing of
# pages, whoever uploads.
MEMORY = {"MALLOC_TRIM_THRESHOLD_": "8000000000", "MALLOC_MMAP_THRESHOLD_": "33554432"}


def peak(pid):
    """Peak KiB of a running process; what wait4() says begins with the peak of the process that forked it."""
    try:
        with open(f"/proc/{pid}/status", encoding="ascii") as status:
            return next((int(line.split()[1]) for line in status if line.startswith("VmHWM:")), 0)
    except OSError:
        return 0


def timed(command, env):
    """Seconds, CPU seconds and peak KiB of a command that has to succeed."""
    with tempfile.TemporaryFile() as said:
        started = time.monotonic()
        process = subprocess.Popen(command, env=env, stdout=subprocess.DEVNULL, stderr=said)
        memory = 0
        while True:
            memory = max(memory, peak(process.pid))
            pid, status, usage = os.wait4(process.pid, os.WNOHANG)
            if pid:
                break
            time.sleep(0.01)
        took = time.monotonic() - started
        process.returncode = status
        if status:
            said.seek(0)
            sys.exit(f"{command[0]} failed: {said.read().decode()}")
    return took, usage.ru_utime + usage.ru_stime, memory


def launch(endpoint, bucket, path, **values):
    command = ["gst-launch-1.0", "-q", "filesrc", f"location={path}", "blocksize=262144", "!", "s3sink"]
    command += [f"uri=s3://{bucket}/bench", f"endpoint-uri={endpoint}"]
    return command + [f"{name.replace('_', '-')}={value}" for name, value in values.items()]


def compare(title, gateway, size, pairs, ours, theirs, env):
    """Ratio of the times, and our peak in MiB; medians. Without a gateway what is stored is not looked at."""
    runs = []
    for _ in range(pairs):
        pair = []
        for command in (ours, theirs):
            pair.append(timed(command, env))
            if gateway:
                stored = gateway.head("bench")["ContentLength"]
                assert stored == size, f"{command[0]} stored {stored} bytes"
                gateway.boto.delete_object(Bucket=gateway.bucket, Key="bench")
        runs.append(pair)
    ratios = sorted(b[0] / a[0] for a, b in runs)
    middle = [statistics.median(r[side][field] for r in runs) for side in (0, 1) for field in (0, 1, 2)]
    print(
        f"{title}: {statistics.median(ratios):.2f} times as fast ({ratios[0]:.2f} to {ratios[-1]:.2f}); "
        f"{size / middle[0] / 2**20:.0f} against {size / middle[3] / 2**20:.0f} MiB/s, "
        f"CPU {middle[1]:.2f} against {middle[4]:.2f} s, peak {middle[2] / 1024:.0f} against {middle[5] / 1024:.0f} MiB",
        flush=True,
    )
    return statistics.median(ratios), middle[2] / 1024


def aws_copy(aws, endpoint, ca_file, path, bucket):
    command = [aws, "--endpoint-url", endpoint, "--ca-bundle", ca_file, "s3", "cp", "--only-show-errors"]
    return [*command, path, f"s3://{bucket}/bench"]


def main():
    reason = missing()
    if reason:
        print(reason)
        return 77
    mib = int(sys.argv[1]) if len(sys.argv) > 1 else 1024
    pairs = int(sys.argv[2]) if len(sys.argv) > 2 else 5
    folder = tempfile.mkdtemp(prefix="clips-bench-")
    os.environ.update(MEMORY)
    gateway = Gateway()
    for name in MEMORY:
        del os.environ[name]
    discard = DiscardStore()
    proxy = DelayProxy(gateway.port, 30, 60)
    met = True
    try:
        path = os.path.join(folder, "data")
        with open(path, "wb") as file:
            for _ in range(mib):
                file.write(os.urandom(1 << 20))
        size = mib << 20
        env = gateway.env(
            RCLONE_CONFIG_BENCH_TYPE="s3",
            RCLONE_CONFIG_BENCH_PROVIDER="Ceph",
            RCLONE_CONFIG_BENCH_ENV_AUTH="true",
            RCLONE_CONFIG_BENCH_ENDPOINT=gateway.endpoint,
            AWS_DEFAULT_REGION=gateway.region,
        )
        ours = launch(gateway.endpoint, gateway.bucket, path)
        # Debian's, also where another one stands before it in the path.
        aws = "/usr/bin/aws" if os.path.exists("/usr/bin/aws") else shutil.which("aws")
        if aws:
            ways = {
                "plain HTTP": (gateway.endpoint, {}),
                "plain HTTP, data not signed": (gateway.endpoint, {"payload_signing": "never"}),
                "TLS": (gateway.tls_endpoint, {"ca_file": gateway.ca_file}),
            }
            for way, (endpoint, values) in ways.items():
                copy = aws_copy(aws, endpoint, gateway.ca_file, path, gateway.bucket)
                sink = launch(endpoint, gateway.bucket, path, **values)
                ratio, peak = compare(f"s3sink over {way}, against aws s3 cp", gateway, size, pairs, sink, copy, env)
                met = met and ratio >= 2 and peak <= 60
            copy = aws_copy(aws, discard.endpoint, gateway.ca_file, path, gateway.bucket)
            sink = launch(discard.endpoint, gateway.bucket, path)
            compare("s3sink into a store that throws it away, against aws s3 cp", None, size, pairs, sink, copy, env)
        if shutil.which("rclone"):
            copy = ["rclone", "copyto", path, f"bench:{gateway.bucket}/bench"]
            compare("s3sink, against rclone", gateway, size, pairs, ours, copy, env)
        small = os.path.join(folder, "small")
        shutil.copy(path, small)
        os.truncate(small, min(size, 512 << 20))
        size = os.path.getsize(small)
        serial = launch(proxy.endpoint, gateway.bucket, small, max_inflight=1, part_size=8 << 20)
        for title, values in (("the parts of the default", {}), ("16 parts", {"max_inflight": 16})):
            sink = launch(proxy.endpoint, gateway.bucket, small, **values)
            ratio, _ = compare(f"30 ms away, {title} against one at a time", gateway, size, pairs, sink, serial, env)
            met = met and ratio >= 3.3
    finally:
        proxy.stop()
        discard.stop()
        gateway.stop()
        shutil.rmtree(folder)
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
