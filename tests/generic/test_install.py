# SPDX-License-Identifier: LGPL-2.1-or-later
"""What `meson install` puts down works from outside the tree, in whatever prefix it stands."""

import json
import os
import re
import shlex
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest
from cliptest import Recipe, media, packets

SOURCE = Path(os.environ["CLIPS_SOURCE_ROOT"])


class Installed:
    """A staged installation, and how a program outside of the tree finds it."""

    def __init__(self, root, folder):
        options = json.loads(subprocess.run(
            ["meson", "introspect", "--buildoptions", os.environ["CLIPS_BUILD_ROOT"]],
            check=True, capture_output=True, text=True).stdout)
        option = {o["name"]: o["value"] for o in options}
        self.prefix = root / option["prefix"].lstrip("/")
        self.lib = self.prefix / option["libdir"]
        self.folder = folder
        ours = ("GST_", "CLIPS_", "LD_LIBRARY_PATH", "PYTHONPATH", "MESON", "PKG_CONFIG")
        self.env = {k: v for k, v in os.environ.items() if not k.startswith(ours)}
        self.env |= {
            "PATH": f"{self.prefix / option['bindir']}:/usr/bin:/bin",
            "GST_PLUGIN_PATH": str(self.lib / "gstreamer-1.0"),
            # compiled in is where they are once the stage is unpacked at its place
            "GST_CLIPS_PIPELINE_PATH": str(self.prefix / "share/gst-clips-1.0/pipelines"),
            "GST_REGISTRY": str(folder / "registry.bin"),
            "PKG_CONFIG_PATH": str(folder),
        }

    def run(self, *words):
        done = subprocess.run(list(map(str, words)), env=self.env, cwd=self.folder, text=True,
                              capture_output=True, check=False, timeout=60)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout


@pytest.fixture(scope="module", name="installed")
def staged(tmp_path_factory):
    root = tmp_path_factory.mktemp("stage")
    subprocess.run(["meson", "install", "-C", os.environ["CLIPS_BUILD_ROOT"], "--no-rebuild",
                    "--quiet", "--destdir", str(root)], check=True, capture_output=True)
    return Installed(root, tmp_path_factory.mktemp("outside"))


def test_elements_are_found(installed):
    text = installed.run("gst-inspect-1.0", "proxybin")
    assert re.search(r"Filename\s+" + re.escape(str(installed.lib)), text)
    assert str(SOURCE) not in text


def test_the_runner_runs(installed):
    assert "proxy" in installed.run("gst-clips", "list")
    source = media(Recipe("silent", seconds=1, tracks=()))
    installed.run("gst-clips", "run", "proxy", f"input={source.path}", "output=made.mp4")
    assert len(packets(str(installed.folder / "made.mp4"))) == 30


def test_an_application_builds_with_pkg_config_and_runs(installed):
    pc = (installed.lib / "pkgconfig/gst-clips-1.0.pc").read_text()
    (installed.folder / "gst-clips-1.0.pc").write_text(
        re.sub(r"^prefix=.*", f"prefix={installed.prefix}", pc, flags=re.M))
    flags = shlex.split(installed.run("pkg-config", "--cflags", "--libs", "gst-clips-1.0"))
    assert f"-I{installed.prefix}/include/gst-clips-1.0" in flags and "-lgst-clips-1.0" in flags
    # with the library in use, not only named
    shutil.copy(SOURCE / "docs/examples/embed.c", installed.folder)
    program = (installed.folder / "embed.c").read_text()
    (installed.folder / "embed.c").write_text("#include <gst-clips.h>\n" + program.replace(
        "if (argc != 3)", "if (!gst_clips_error_quark()) return 9;\n  if (argc != 3)"))
    installed.run("cc", "-Wall", "-Werror", "embed.c", "-o", "embed", *flags,
                  f"-Wl,-rpath,{installed.lib}")
    source = media(Recipe("silent", seconds=1, tracks=()))
    installed.run("./embed", source.path, "embedded.mp4")
    assert len(packets(str(installed.folder / "embedded.mp4"))) == 30


def test_manual_and_completion_are_installed(installed):
    assert (installed.prefix / "share/man/man1/gst-clips.1").exists()
    assert (installed.prefix / "share/bash-completion/completions/gst-clips").exists()


def test_a_tree_that_cannot_be_written_to_is_one_clear_error():
    # pytest's own folders are closed to other users
    with tempfile.TemporaryDirectory() as folder:
        tree = Path(folder)
        (tree / ".ci").mkdir()
        for name in ("try", "check", ".ci/writable"):
            shutil.copy(SOURCE / name, tree / name)
        tree.chmod(0o555)
        # root may write anywhere
        other = ["setpriv", "--reuid", "65534", "--clear-groups"] if os.getuid() == 0 else []
        for name in ("try", "check"):
            done = subprocess.run([*other, str(tree / name)], cwd="/tmp", capture_output=True,
                                  text=True, check=False, timeout=60)
            assert done.returncode == 1
            assert done.stderr.count("\n") == 1 and f"{tree} is not writable" in done.stderr
        tree.chmod(0o755)
