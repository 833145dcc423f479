# SPDX-License-Identifier: LGPL-2.1-or-later
"""Pipeline definitions from outside: the registry, gst-inspect-1.0, gst-launch-1.0 and the example applications."""

import os
import pathlib
import re
import shutil
import subprocess
import sys
import time

import pytest

SOURCE = pathlib.Path(os.environ["CLIPS_SOURCE_ROOT"])
BUILD = pathlib.Path(os.environ["CLIPS_BUILD_ROOT"])

DEFINITION = """[Pipeline]
format=1
name=NAME
long-name=Test definition
klass=Bin/Test
description=What a test looks at

[Graph]
chain=fakesrc num-buffers=3 ! ${way} ! fakesink name=sink

[Choice way]
description=Which way
default=plain
plain=queue name=plain
absent=nosuchelement name=absent

[Parameter size]
type=uint
minimum=2
maximum=MAXIMUM
default=5
description=A size in buffers
bind=plain::max-size-buffers

[Parameter pause]
type=time
default=1.5
description=A pause
bind=plain::max-size-time
"""


class Home:
    """A search path and a registry of their own."""

    def __init__(self, folder):
        self.definitions = folder / "definitions"
        self.definitions.mkdir()
        self.registry = folder / "registry.bin"
        self.env = dict(
            os.environ,
            GST_CLIPS_PIPELINE_PATH=str(self.definitions),
            GST_REGISTRY=str(self.registry),
            GST_PLUGIN_PATH=str(BUILD / "plugins" / "pipelines"),
            GST_DEBUG_NO_COLOR="1",
        )

    def write(self, name, maximum=10, text=DEFINITION):
        path = self.definitions / f"{name}.pipeline"
        path.write_text(text.replace("NAME", name).replace("MAXIMUM", str(maximum)))
        return path

    def run(self, *command, **env):
        return subprocess.run(
            command, env=dict(self.env, **env), capture_output=True, text=True, timeout=120, errors="replace"
        )

    def inspect(self, name):
        return self.run("gst-inspect-1.0", name)

    def elements(self):
        printed = self.run("gst-inspect-1.0", "clipspipelines").stdout
        return set(re.findall(r"^  (\w+bin): ", printed, re.MULTILINE))


@pytest.fixture(scope="module")
def stock(tmp_path_factory):
    """A registry that knows the stock plugins; scanning them once is enough."""
    home = Home(tmp_path_factory.mktemp("stock"))
    home.run("gst-inspect-1.0", "fakesrc")
    return home


@pytest.fixture
def home(tmp_path, stock):
    home = Home(tmp_path)
    shutil.copy(stock.registry, home.registry)
    return home


def test_gst_inspect_documents_every_parameter_with_range_default_and_choices(home):
    home.write("probe")
    printed = home.inspect("probebin").stdout
    assert "Test definition" in printed and "What a test looks at" in printed and "Bin/Test" in printed
    assert re.search(r"size +: A size in buffers\n.*\n +Unsigned Integer. Range: 2 - 10 Default: 5", printed)
    assert re.search(r"pause +: A pause \(in nanoseconds\)\n.*\n +Unsigned Integer64. .*Default: 1500000000", printed)
    assert re.search(r"way +: Which way\n.*\n +Enum .* Default: 0, \"plain\"", printed)
    assert re.search(r"\(0\): plain +- queue name=plain", printed)
    assert re.search(r"\(1\): absent +- unavailable, as nosuchelement is not installed", printed)


def test_gst_inspect_documents_every_parameter_of_proxybin():
    printed = subprocess.run(["gst-inspect-1.0", "proxybin"], capture_output=True, text=True, check=True).stdout
    text = (SOURCE / "pipelines" / "proxy.pipeline").read_text()
    names = re.findall(r"^\[(?:Parameter|Choice) ([a-z0-9-]+)\]", text, re.MULTILINE)
    assert {"input", "output", "crf"} <= set(names)
    for name in names:
        found = re.search(rf"^  {name} +: (.+)\n +flags: .*\n +(.+)", printed, re.MULTILINE)
        assert found and found[1], name
        assert "Default" in found[2], f"{name}: {found[2]}"


def test_registry_notices_added_changed_and_removed_definitions(home):
    assert home.elements() == set()
    home.write("one")
    assert home.elements() == {"onebin"}
    home.write("two")
    assert home.elements() == {"onebin", "twobin"}
    home.write("two", maximum=77)
    assert "Range: 2 - 77" in home.inspect("twobin").stdout
    (home.definitions / "one.pipeline").unlink()
    assert home.elements() == {"twobin"}


def test_registry_is_not_scanned_anew_without_a_change(home):
    home.write("one")
    home.elements()
    before = home.registry.stat().st_mtime_ns
    time.sleep(0.01)
    home.elements()
    assert home.registry.stat().st_mtime_ns == before


def test_one_bad_definition_is_a_warning_and_hinders_no_other(home):
    home.write("good")
    bad = home.write("bad", text=DEFINITION.replace("type=uint", "type=integer"))
    (home.definitions / "binary.pipeline").write_bytes(b"\x00\xff\x00" * 100)
    (home.definitions / "folder.pipeline").mkdir()
    (home.definitions / "dangling.pipeline").symlink_to("/nowhere")
    done = home.run("gst-inspect-1.0", "clipspipelines", GST_DEBUG="2", GST_REGISTRY=str(home.registry) + ".new")
    assert re.findall(r"^  (\w+bin): ", done.stdout, re.MULTILINE) == ["goodbin"]
    warnings = [line for line in done.stderr.splitlines() if "clipspipelines" in line]
    assert any(f"{bad}:18: [Parameter size] type: must be boolean" in line for line in warnings), warnings
    assert "binary.pipeline: contains a NUL byte" in done.stderr
    assert home.run("gst-launch-1.0", "goodbin").returncode == 0


def test_scanning_makes_no_element(home):
    """Elements in plugin_init or class_init would run inside of the registry scanner."""
    home.write("one")
    done = home.run(
        "gst-inspect-1.0", "clipspipelines", GST_DEBUG="GST_ELEMENT_FACTORY:5", GST_REGISTRY_FORK="no",
        GST_REGISTRY=str(home.registry) + ".new",
    )
    assert "onebin" in done.stdout
    assert "GST_ELEMENT_FACTORY" in done.stderr
    assert "creating element" not in done.stderr.lower()


def test_choice_is_shown_available_even_if_its_plugin_was_scanned_later(home):
    """The class is made while the registry is being filled; what it says must hold afterwards."""
    home.write("one")
    done = home.run("gst-inspect-1.0", "onebin", GST_REGISTRY_FORK="no", GST_REGISTRY=str(home.registry) + ".new")
    assert re.search(r"\(0\): plain +- queue name=plain", done.stdout), done.stdout


def test_gst_launch_runs_a_definition_with_its_parameters(home):
    home.write("one")
    done = home.run("gst-launch-1.0", "onebin", "size=7", "pause=2000000000", "way=plain")
    assert done.returncode == 0, done.stderr
    assert "Got EOS" in done.stdout


def test_unavailable_choice_names_what_to_install(home):
    home.write("one")
    done = home.run("gst-launch-1.0", "onebin", "way=absent")
    assert done.returncode != 0
    assert "onebin needs the element nosuchelement, which is not installed." in done.stderr


VIDEO = ["ffmpeg", "-v", "error", "-y", "-f", "lavfi", "-i", "testsrc=size=160x120:rate=25:duration=0.6"]


@pytest.fixture(scope="module")
def video(tmp_path_factory):
    path = tmp_path_factory.mktemp("media") / "it's a \"video\" ! name=x.mkv"
    subprocess.run([*VIDEO, "-pix_fmt", "yuv420p", path], check=True)
    return path


def frames(path):
    return int(
        subprocess.run(
            ["ffprobe", "-v", "error", "-count_packets", "-select_streams", "v", "-of", "csv=p=0"]
            + ["-show_entries", "stream=nb_read_packets", path],
            capture_output=True, text=True, check=True,
        ).stdout.strip().strip(",")
    )


EXAMPLES = {
    "C": [str(BUILD / "docs" / "examples" / "embed")],
    "Python": [sys.executable, str(SOURCE / "docs" / "examples" / "embed.py")],
}


@pytest.mark.parametrize("language", EXAMPLES)
def test_example_application_makes_a_proxy(language, video, tmp_path):
    done = subprocess.run([*EXAMPLES[language], str(video), str(tmp_path / "proxy.mp4")], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert frames(tmp_path / "proxy.mp4") == 15


@pytest.mark.parametrize("language", EXAMPLES)
def test_example_application_says_what_is_wrong(language, tmp_path):
    done = subprocess.run(
        [*EXAMPLES[language], str(tmp_path / "none.mp4"), str(tmp_path / "proxy.mp4")], capture_output=True, text=True
    )
    assert done.returncode == 1
    assert done.stderr.strip() and "Traceback" not in done.stderr


@pytest.mark.parametrize("name", ["embed.c", "embed.py"])
def test_example_application_is_short(name):
    assert len((SOURCE / "docs" / "examples" / name).read_text().splitlines()) < 40
