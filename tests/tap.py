# SPDX-License-Identifier: LGPL-2.1-or-later
"""Runs pytest and reports each test case as a line of TAP, so that Meson counts cases and not files.

usage: tap.py PYTEST-ARGUMENT...
"""

import os
import sys

import pytest

# TAP has standard output for itself; what pytest and the tests print goes to standard error.
TAP = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)


class TapReporter:
    """A pytest plugin: one `ok`/`not ok` line a test case, the failure's text behind `#`."""

    def __init__(self):
        self.count = 0

    def _line(self, passed, name, directive=""):
        self.count += 1
        verdict = "ok" if passed else "not ok"
        print(f"{verdict} {self.count} - {name.replace('#', '_')}{directive}", file=TAP, flush=True)

    def _comment(self, text):
        for line in text.splitlines():
            print("# " + line, file=TAP)

    def pytest_runtest_logreport(self, report):
        if report.skipped:
            reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
            self._line(True, report.nodeid, " # SKIP " + reason.replace("\n", " "))
        elif report.failed:
            self._comment(str(report.longrepr))
            self._line(False, report.nodeid + ("" if report.when == "call" else f" ({report.when})"))
        elif report.when == "call":
            self._line(True, report.nodeid)

    def pytest_collectreport(self, report):
        if report.failed:
            self._comment(str(report.longrepr))
            self._line(False, f"collect {report.nodeid}")


def main():
    print("TAP version 13", file=TAP, flush=True)
    reporter = TapReporter()
    status = pytest.main(["-q", "-p", "no:cacheprovider", *sys.argv[1:]], plugins=[reporter])
    print(f"1..{reporter.count}", file=TAP, flush=True)
    # Failures are said in TAP; anything else (usage, internal error, nothing collected) is the status.
    return 0 if status in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED) else int(status)


if __name__ == "__main__":
    sys.exit(main())
