#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Links the few stock plugins that the sanitizer lanes need into a folder. usage: link-plugins.py FOLDER PLUGINS"""

import pathlib
import sys

stock = pathlib.Path(__file__).resolve().parent.parent / ".ci" / "stock-plugins"
names = [line for line in stock.read_text().split("\n") if line and not line.startswith("#")]
folder, plugins = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
folder.mkdir(parents=True, exist_ok=True)
for name in names:
    library, link = plugins / f"libgst{name}.so", folder / f"libgst{name}.so"
    if library.exists() and not link.exists():
        link.symlink_to(library)
