# SPDX-License-Identifier: LGPL-2.1-or-later
"""The documentation says what the code does: properties, messages and examples are compared with the build."""

import re
import shlex
import subprocess

import pytest
from ours import ELEMENTS, PLUGINS, SOURCE, Gst

PAGES = sorted((SOURCE / "docs").rglob("*.md")) + [SOURCE / "README.md"]
# Definitions are documented by their own page, checked below.
CODED = [(plugin, name) for plugin, name in ELEMENTS if plugin != "clipspipelines"]
DEFINITIONS = [name for plugin, name in ELEMENTS if plugin == "clipspipelines"]


def rows(text):
    """The first cells of all table rows that name something in backticks."""
    return set(re.findall(r"^\| `([a-z0-9-]+)`", text, re.MULTILINE))


def section(text, title):
    match = re.search(rf"^## {title}\n(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL)
    return match.group(1) if match else ""


@pytest.mark.parametrize("plugin,name", CODED)
def test_page_lists_exactly_the_properties_of_the_element(plugin, name):
    page = SOURCE / "docs" / "elements" / f"{name}.md"
    assert page.exists(), f"{page.relative_to(SOURCE)} is missing"
    element = Gst.ElementFactory.make(name)
    code = {spec.name for spec in element.list_properties() if spec.owner_type == element.__gtype__}
    assert rows(section(page.read_text(), "Properties")) == code


def posted_messages(plugin):
    """name -> fields of the structures that a plugin's sources build for its messages."""
    messages = {}
    for path in sorted((SOURCE / "plugins" / PLUGINS[plugin]).glob("gst*.cpp")):
        # missing-plugin is GStreamer's own message, documented there.
        for call in re.finditer(r'gst_structure_new\(\s*"(?!missing-plugin")([a-z][a-z0-9-]*)"(.*?)\)\s*[;,)]', path.read_text(), re.DOTALL):
            fields = re.findall(r'"([a-z][a-z0-9-]*)",\s*G(?:ST)?_TYPE', call.group(2))
            messages.setdefault(call.group(1), set()).update(fields)
    return messages


@pytest.mark.parametrize("plugin", sorted({plugin for plugin, _ in CODED}))
def test_every_message_and_field_is_on_a_page_of_the_plugin(plugin):
    pages = "".join(
        section((SOURCE / "docs" / "elements" / f"{name}.md").read_text(), "Messages")
        for owner, name in CODED
        if owner == plugin and (SOURCE / "docs" / "elements" / f"{name}.md").exists()
    )
    missing = [
        word
        for message, fields in posted_messages(plugin).items()
        for word in (message, *fields)
        if f"`{word}`" not in pages
    ]
    assert missing == []


@pytest.mark.parametrize("name", DEFINITIONS)
def test_definition_page_lists_exactly_its_parameters(name):
    page = SOURCE / "docs" / "pipelines" / f"{name.removesuffix('bin')}.md"
    assert page.exists(), f"{page.relative_to(SOURCE)} is missing"
    element = Gst.ElementFactory.make(name)
    code = {spec.name for spec in element.list_properties() if spec.owner_type == element.__gtype__}
    assert rows(section(page.read_text(), "Parameters")) == code


def examples():
    """(page, command) for every command line in a shell block of the documentation."""
    for page in PAGES:
        for block in re.findall(r"^```(?:sh|shell|console)\n(.*?)^```", page.read_text(), re.MULTILINE | re.DOTALL):
            for line in block.replace("\\\n", " ").splitlines():
                line = line.strip().removeprefix("$ ")
                if line.startswith(("gst-launch-1.0 ", "gst-clips ")):
                    yield page.relative_to(SOURCE), line


@pytest.mark.parametrize("page,line", examples())
def test_example_command_is_accepted(page, line):
    """A gst-launch example parses with these elements and properties; a gst-clips one passes the runner's check."""
    words = shlex.split(line.split(" > ")[0].split(" | ")[0], comments=True)
    if words[0] == "gst-launch-1.0":
        assert Gst.parse_launchv([w for w in words[1:] if not re.fullmatch(r"-[a-zA-Z]+", w)])
        return
    command = [w for w in words[1:] if not w.startswith("-")]
    assert subprocess.run(["gst-clips", command[0], "--help"], capture_output=True).returncode == 0
    if command[0] == "run" and not command[1].endswith(".pipeline"):
        element = Gst.ElementFactory.make(command[1] + "bin")
        assert element, f"there is no definition {command[1]}"
        for word in command[2:]:
            assert element.find_property(word.split("=")[0]), f"{command[1]} has no parameter {word}"
