# SPDX-License-Identifier: LGPL-2.1-or-later
"""Rules that every file of the tree keeps."""

import subprocess

from ours import SOURCE

CODE = (".c", ".h", ".cpp", ".hpp", ".py", ".sh", ".build", ".pipeline", ".txt")
SCRIPTS = ("check", "try", "Dockerfile", ".ci/run", ".ci/install", ".ci/fuzz", ".ci/bare", ".ci/image", ".ci/collect-runtime")


def tracked():
    listing = subprocess.run(["git", "ls-files"], cwd=SOURCE, capture_output=True, text=True)
    assert listing.returncode == 0, listing.stderr
    return [SOURCE / line for line in listing.stdout.splitlines()]


def text_files():
    for path in tracked():
        relative = str(path.relative_to(SOURCE))
        if relative.startswith("tests/fuzz/corpus/") or not path.is_file():
            continue
        if path.suffix in CODE or relative in SCRIPTS:
            yield relative, path.read_text()


def test_every_source_file_names_its_licence():
    missing = [name for name, text in text_files() if "SPDX-License-Identifier: LGPL-2.1-or-later" not in text[:600]]
    assert missing == []


def test_no_plugin_folder_includes_another():
    """A plugin folder depends on common/ and on lib/ at most."""
    folders = ["scenecut", "cliprange", "s3", "publish", "pipelines"]
    wrong = [
        (name, other)
        for name, text in text_files()
        for other in folders
        if name.startswith("plugins/")
        and not name.startswith(f"plugins/{other}/")
        and any(line.startswith("#include") and f'"{other}/' in line.replace("../", "") for line in text.splitlines())
    ]
    assert wrong == []


def test_cores_include_no_gstreamer_header():
    """Shells are gst*.cpp and plugin.cpp; what they stand on is plain C++ and is tested without GStreamer."""
    wrong = [
        name
        for name, text in text_files()
        if name.startswith("plugins/")
        and name.endswith((".cpp", ".hpp"))
        and not name.startswith("plugins/common/")
        and not name.rsplit("/", 1)[1].startswith(("gst", "plugin."))
        and any(line.startswith("#include <gst/") for line in text.splitlines())
    ]
    assert wrong == []


def test_no_large_file_is_kept():
    large = [str(path.relative_to(SOURCE)) for path in tracked() if path.is_file() and path.stat().st_size > 500_000]
    assert large == []
