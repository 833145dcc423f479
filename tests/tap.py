# SPDX-License-Identifier: LGPL-2.1-or-later
"""Runs pytest and reports each test case as a line of TAP, so that Meson counts cases and not files.

usage: tap.py PYTEST-ARGUMENT...
"""

import sys

import pytest


class TapReporter:
    """A pytest plugin: one `ok`/`not ok` line a test case, the failure's text behind `#`."""

    def __init__(self):
        self.count = 0

    def _line(self, passed, name, directive=""):
        self.count += 1
        print(f"{'ok' if passed else 'not ok'} {self.count} - {name.replace('#', '_')}{directive}", flush=True)

    def pytest_runtest_logreport(self, report):
        if report.skipped:
            reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
            self._line(True, report.nodeid, " # SKIP " + reason.replace("\n", " "))
        elif report.failed:
            for line in str(report.longrepr).splitlines():
                print("# " + line)
            self._line(False, report.nodeid + ("" if report.when == "call" else f" ({report.when})"))
        elif report.when == "call":
            self._line(True, report.nodeid)

    def pytest_collectreport(self, report):
        if report.failed:
            for line in str(report.longrepr).splitlines():
                print("# " + line)
            self._line(False, f"collect {report.nodeid}")


def main():
    print("TAP version 13")
    reporter = TapReporter()
    status = pytest.main(["-p", "no:terminal", "-p", "no:cacheprovider", *sys.argv[1:]], plugins=[reporter])
    print(f"1..{reporter.count}")
    # Failures are said in TAP; anything else (usage, internal error, nothing collected) is the status.
    return 0 if status in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED) else int(status)


if __name__ == "__main__":
    sys.exit(main())
