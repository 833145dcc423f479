# SPDX-License-Identifier: LGPL-2.1-or-later
"""Fixtures: `s3` is a gateway that lives as long as the test program, `faults` a proxy before it."""

import os

import pytest
from s3server import DelayProxy, FaultProxy, Gateway, missing


@pytest.fixture(scope="session")
def s3():
    reason = missing()
    if reason:
        pytest.skip(reason)
    gateway = Gateway()
    yield gateway
    gateway.stop()


@pytest.fixture(scope="session")
def _fault_proxy(s3):
    proxy = FaultProxy(s3.port)
    yield proxy
    proxy.stop()


@pytest.fixture
def faults(_fault_proxy):
    """A proxy without rules; give its `endpoint` to the element under test."""
    _fault_proxy.reset()
    yield _fault_proxy
    _fault_proxy.reset()


@pytest.fixture(scope="session")
def distant(s3):
    """The gateway as if 30 ms away, each way, at 60 MiB/s a connection."""
    proxy = DelayProxy(s3.port, 30, 60)
    yield proxy
    proxy.stop()


@pytest.fixture
def keys(s3, monkeypatch):
    """The gateway's keys in the environment, as a user would have them, and no proxy."""
    for name in list(os.environ):
        if name.startswith("AWS_") or name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    for name, value in s3.env().items():
        if name.startswith("AWS_"):
            monkeypatch.setenv(name, value)
