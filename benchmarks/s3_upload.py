# SPDX-License-Identifier: LGPL-2.1-or-later
"""Uploads to a gateway on this machine, in pairs: s3sink against `aws s3 cp` and rclone, and parallel against serial
parts with 30 ms of delay each way. Prints ratios of interleaved runs and peak memory.

usage: s3_upload.py [MIB] [PAIRS]       (1024 and 5)
"""

import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tests", "s3"))
from s3server import DelayProxy, Gateway, missing  # noqa: E402


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
    runs = []
    for _ in range(pairs):
        pair = []
        for command in (ours, theirs):
            pair.append(timed(command, env))
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


def main():
    reason = missing()
    if reason:
        print(reason)
        sys.exit(77)
    mib = int(sys.argv[1]) if len(sys.argv) > 1 else 1024
    pairs = int(sys.argv[2]) if len(sys.argv) > 2 else 5
    folder = tempfile.mkdtemp(prefix="clips-bench-")
    gateway = Gateway()
    proxy = None
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
                copy = [aws, "--endpoint-url", endpoint, "--ca-bundle", gateway.ca_file, "s3", "cp", "--only-show-errors"]
                copy += [path, f"s3://{gateway.bucket}/bench"]
                sink = launch(endpoint, gateway.bucket, path, **values)
                compare(f"s3sink over {way}, against aws s3 cp", gateway, size, pairs, sink, copy, env)
        if shutil.which("rclone"):
            copy = ["rclone", "copyto", path, f"bench:{gateway.bucket}/bench"]
            compare("s3sink, against rclone", gateway, size, pairs, ours, copy, env)
        proxy = DelayProxy(gateway.port, 30, 60)
        small = os.path.join(folder, "small")
        shutil.copy(path, small)
        os.truncate(small, min(size, 512 << 20))
        size = os.path.getsize(small)
        for parts in (4, 8):
            compare(
                f"30 ms away, {parts} parts at a time against one",
                gateway,
                size,
                max(1, pairs // 2),
                launch(proxy.endpoint, gateway.bucket, small, max_inflight=parts),
                launch(proxy.endpoint, gateway.bucket, small, max_inflight=1),
                env,
            )
    finally:
        if proxy:
            proxy.stop()
        gateway.stop()
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
