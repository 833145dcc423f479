# SPDX-License-Identifier: LGPL-2.1-or-later
"""Starts the S3 gateway and the proxies of the tests. Used by conftest.py and by benchmarks."""

import ctypes
import functools
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
PROGRAMS = ("ceph-mon", "ceph-osd", "radosgw", "radosgw-admin", "monmaptool", "curl", "openssl")


def missing():
    """Why no gateway can be started here, or None."""
    absent = [name for name in PROGRAMS if shutil.which(name) is None]
    try:
        import boto3  # noqa: F401
    except ImportError:
        absent.append("python3-boto3")
    if absent:
        return "no S3 server to test against; missing: " + ", ".join(absent)
    return None


def free_ports(count):
    """Ports that were free a moment ago, below the range that outgoing connections take."""
    found = []
    start = 20000 + (os.getpid() * 37) % 10000
    for port in range(start, 32000):
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        found.append(port)
        if len(found) == count:
            return found
    raise RuntimeError("no free ports")


def wait_for_port(port, process):
    for _ in range(200):
        if process.poll() is not None:
            raise RuntimeError(f"{process.args[1]} ended with {process.returncode}")
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.02)
    raise RuntimeError(f"nothing listens on port {port}")


def end_with_parent():
    """In a child process: it ends when whoever started it does, however that was."""
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG


class Gateway:
    """A running Ceph gateway: one bucket, one user, a certificate of its own.

    sts: with temporary credentials; a wrong key then is AccessDenied and not SignatureDoesNotMatch.
    """

    def __init__(self, sts=True):
        self.directory = tempfile.mkdtemp(prefix="clips-s3-")
        self.access_key = "testaccesskey"
        self.secret_key = "testsecretkey0123456789"
        self.bucket = "testbucket"
        self.region = "us-east-1"
        self._settings = {
            "S3_DIR": self.directory,
            "S3_ACCESS_KEY": self.access_key,
            "S3_SECRET_KEY": self.secret_key,
            "S3_BUCKET": self.bucket,
            "S3_OWNER": str(os.getpid()),
            "S3_STS": "true" if sts else "false",
        }
        # Ceph's own commands fail now and then on a busy machine, and a port that is free now may be
        # somebody else's before a daemon has it.
        for tries_left in (2, 1, 0):
            self.port, self.tls_port, monitor = free_ports(3)
            self._settings["S3_PORT"] = str(self.port)
            self._settings["S3_TLS_PORT"] = str(self.tls_port)
            self._settings["S3_MON_PORT"] = str(monitor)
            try:
                self._script("start")
                return
            except BaseException as fault:
                self.stop()
                if not tries_left or not isinstance(fault, RuntimeError):
                    raise

    def _script(self, verb):
        # Not through a pipe: the daemons would keep it open.
        with tempfile.TemporaryFile(mode="w+") as said:
            status = subprocess.run(
                [HERE / "rgw.sh", verb],
                env={**os.environ, **self._settings},
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=said,
                timeout=120,
                check=False,
            ).returncode
            said.seek(0)
            if status:
                raise RuntimeError(f"rgw.sh {verb} failed:\n{said.read()}")

    def stop(self):
        self._script("stop")

    @property
    def endpoint(self):
        return f"http://127.0.0.1:{self.port}"

    @property
    def tls_endpoint(self):
        return f"https://127.0.0.1:{self.tls_port}"

    @property
    def ca_file(self):
        return os.path.join(self.directory, "cert.pem")

    def env(self, **changes):
        """An environment with this gateway's keys and no other source of credentials."""
        clean = {k: v for k, v in os.environ.items() if not k.startswith("AWS_")}
        clean.update(
            AWS_ACCESS_KEY_ID=self.access_key,
            AWS_SECRET_ACCESS_KEY=self.secret_key,
            AWS_REGION=self.region,
            AWS_CONFIG_FILE="/dev/null",
            AWS_SHARED_CREDENTIALS_FILE="/dev/null",
            AWS_EC2_METADATA_DISABLED="true",
        )
        for name, value in changes.items():
            if value is None:
                clean.pop(name, None)
            else:
                clean[name] = str(value)
        return clean

    @functools.cached_property
    def boto(self):
        """An independent client, for looking at what is in the store."""
        return self.boto_client("s3")

    def boto_client(self, service):
        import boto3
        from botocore.config import Config

        return boto3.client(
            service,
            endpoint_url=self.endpoint,
            region_name=self.region,
            aws_access_key_id=self.access_key,
            aws_secret_access_key=self.secret_key,
            config=Config(retries={"max_attempts": 1}, s3={"addressing_style": "path"}),
        )

    def put(self, key, data, bucket=None, **options):
        return self.boto.put_object(Bucket=bucket or self.bucket, Key=key, Body=data, **options)

    def get(self, key, bucket=None):
        return self.boto.get_object(Bucket=bucket or self.bucket, Key=key)["Body"].read()

    def head(self, key, bucket=None):
        """The object's headers, or None when there is no such object."""
        try:
            return self.boto.head_object(Bucket=bucket or self.bucket, Key=key)
        except self.boto.exceptions.ClientError as error:
            if error.response["ResponseMetadata"]["HTTPStatusCode"] == 404:
                return None
            raise

    def keys(self, prefix="", bucket=None):
        pages = self.boto.get_paginator("list_objects_v2").paginate(
            Bucket=bucket or self.bucket, Prefix=prefix
        )
        return [entry["Key"] for page in pages for entry in page.get("Contents", [])]

    def uploads(self, bucket=None):
        """The keys of multipart uploads that were begun and neither completed nor aborted."""
        reply = self.boto.list_multipart_uploads(Bucket=bucket or self.bucket)
        return [entry["Key"] for entry in reply.get("Uploads", [])]


class _Process:
    def __init__(self, script, *arguments):
        self.process = subprocess.Popen(
            [sys.executable, str(HERE / script), *map(str, arguments)],
            stdin=subprocess.DEVNULL,
            preexec_fn=end_with_parent,
        )
        wait_for_port(self.port, self.process)

    @property
    def endpoint(self):
        return f"http://127.0.0.1:{self.port}"

    def stop(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()


class FaultProxy(_Process):
    """See faultproxy.py."""

    def __init__(self, target_port):
        self.directory = tempfile.mkdtemp(prefix="clips-s3-proxy-")
        self.control = Path(self.directory) / "control"
        self.log = Path(self.directory) / "log"
        self.log.touch()
        (self.port,) = free_ports(1)
        self._rules = 0
        super().__init__("faultproxy.py", self.port, target_port, self.control, self.log)

    def fault(self, method, regex, count, action):
        """Adds a rule; a rule stands until reset()."""
        with open(self.control, "a", encoding="utf-8") as rules:
            # Rules count by line: equal text on another line is another rule, also after reset().
            rules.write(f"{method} {regex} {count} {action}\n")

    def reset(self):
        """Forgets rules and requests."""
        # Blank lines keep line numbers, and with them the rules' counters, apart.
        self._rules += 16
        self.control.write_text("\n" * self._rules, encoding="utf-8")
        self.log.write_text("", encoding="utf-8")

    def requests(self, method=None):
        lines = self.log.read_text(encoding="utf-8").splitlines()
        found = [json.loads(line) for line in lines]
        return [r for r in found if method in (None, r["method"])]

    def stop(self):
        super().stop()
        shutil.rmtree(self.directory, ignore_errors=True)


class DelayProxy(_Process):
    """See delayproxy.py."""

    def __init__(self, target_port, delay_ms, mib_per_second=0, *options):
        (self.port,) = free_ports(1)
        super().__init__("delayproxy.py", *options, self.port, target_port, delay_ms, mib_per_second)
