# SPDX-License-Identifier: LGPL-2.1-or-later
"""Counts the test cases of Meson's JUnit files. usage: count.py JUNIT.xml...

Prints `N passed, N failed, N skipped`; exits 1 when a case failed or none passed.
"""

import sys
import xml.etree.ElementTree as ElementTree

passed = failed = skipped = 0
for path in sys.argv[1:]:
    for case in ElementTree.parse(path).iter("testcase"):
        if case.find("failure") is not None or case.find("error") is not None:
            failed += 1
        elif case.find("skipped") is not None:
            skipped += 1
        else:
            passed += 1
print(f"{passed} passed, {failed} failed, {skipped} skipped")
sys.exit(1 if failed or not passed else 0)
