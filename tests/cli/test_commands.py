# SPDX-License-Identifier: LGPL-2.1-or-later
"""The other commands, the help, the man page and the completion of gst-clips."""

import json
import os
import re
import shutil
import subprocess
import sys

import jsonschema
import pytest
from cliptest import media

sys.path.insert(0, os.path.dirname(__file__))
from runner import DEFINITIONS, PROGRAM, ROOT, call, environment, one_error  # noqa: E402

COMMANDS = re.findall(r"^  ([a-z]+) .*", call("--help").text.split("Commands:")[1].split("Options:")[0], re.M)
SHIPPED = sorted(p.stem for p in (ROOT / "pipelines").glob("*.pipeline"))


def test_help_names_commands_that_exist_and_each_has_its_own_help():
    assert COMMANDS == ["run", "clip", "export", "cuts", "ingest", "convert", "list", "describe", "check", "probe", "job", "task", "clean"]
    for command in COMMANDS:
        result = call(command, "--help")
        assert result.status == 0 and result.stderr == ""
        assert result.text.startswith("Usage:\n  gst-clips") and command in result.text.splitlines()[1]


def test_version_names_both_versions():
    assert re.fullmatch(r"gst-clips \d+\.\d+\.\d+ \(GStreamer \d+\.\d+\.\d+\)\n", call("--version").text)


@pytest.mark.parametrize("words, says", [
    ([], "Say what to do"),
    (["rnu"], "Did you mean \"run\"?"),
    (["x\ny"], "There is no command \"x\\ny\"."),
    (["wash-everything"], "See: gst-clips --help"),
    (["copy", "input=a"], "Did you mean \"run copy\"?"),
    (["list", "all"], "one word too many"),
    (["describe"], "which one definition"),
    (["describe", "nope"], "no definition named \"nope\""),
    (["check"], "which one file"),
    (["check", "/nonexistent.pipeline"], "/nonexistent.pipeline"),
    (["--bad-option", "list"], "bad-option"),
])
def test_a_wrong_call_is_one_line_and_exit_code_2(words, says):
    result = call(*words)
    assert result.status == 2, result
    assert says in one_error(result)


@pytest.mark.parametrize("words", [["list"], ["describe", "copy"], ["describe", "--json", "copy"], ["probe", "FILM"]])
def test_a_document_that_cannot_be_written_is_a_failure(words):
    film = media("closed2s").path
    with open("/dev/full", "wb") as full:
        done = subprocess.run([PROGRAM, *(word.replace("FILM", film) for word in words)], stdout=full, stderr=subprocess.PIPE,
                              env=environment(), timeout=20)
    assert done.returncode == 5
    assert done.stderr == b"gst-clips: Could not write to standard output: No space left on device.\n"


def test_list_shows_every_definition_and_a_wrong_file_does_not_hinder_it(tmp_path):
    (tmp_path / "bad.pipeline").write_text("[Pipeline]\nformat=9\n")
    result = call("list", env=environment(GST_CLIPS_PIPELINE_PATH=f"{tmp_path}:{DEFINITIONS}"))
    assert result.status == 0
    names = [line.split()[0] for line in result.text.splitlines()]
    assert set(names) >= {"bars", "copy", "invert"} and names == sorted(names)
    assert len(result.lines) == 1 and "bad.pipeline" in result.lines[0]


def test_list_as_json_has_every_field():
    found = {d["name"]: d for d in json.loads(call("list", "--json").text)}
    assert set(found) >= {"bars", "copy", "invert", *SHIPPED}
    assert found["copy"] == {
        "name": "copy", "element": "copybin", "long-name": "Copy", "klass": "Generic",
        "description": "Copies the bytes of a file, for the tests of the runner", "missing": [],
    }


def test_describe_shows_types_ranges_defaults_and_choices():
    text = call("describe", "bars").text
    assert re.search(r"^  quality  \(int from 0 to 100, default 85\)$", text, re.M), text
    assert re.search(r"^  output  \(uri, required\)$", text, re.M), text
    assert re.search(r"^      - snow$", text, re.M), text
    assert re.search(r"^      - absent  \(unavailable, missing: nosuchelement\)$", text, re.M), text


@pytest.mark.parametrize("name", ["bars", "copy", *SHIPPED])
def test_describe_as_json_is_a_valid_json_schema(name):
    schema = json.loads(call("describe", name, "--json").text)
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    jsonschema.Draft202012Validator.check_schema(schema)


def test_the_schema_takes_what_the_runner_takes_and_refuses_the_rest():
    validator = jsonschema.Draft202012Validator(json.loads(call("describe", "bars", "--json").text))
    assert validator.is_valid({"output": "a.mkv", "quality": 100, "pattern": "snow", "live": True})
    for wrong in ({}, {"output": "a", "quality": 101}, {"output": "a", "pattern": "plaid"},
                  {"output": "a", "nothing": 1}, {"output": "a", "live": "yes, please"}):
        assert not validator.is_valid(wrong), wrong


@pytest.mark.parametrize("name", ["copy", "invert", *SHIPPED])
def test_check_finds_no_fault_in_our_definitions(name):
    path = DEFINITIONS / f"{name}.pipeline"
    result = call("check", path if path.exists() else ROOT / "pipelines" / f"{name}.pipeline")
    assert result.status == 0, result
    assert result.text.endswith("no fault found\n")


@pytest.mark.parametrize("change, says, status", [
    (("format=1", "format=2"), "format", 2),
    (("bind=source::location", "bind=sauce::location"), "sauce", 2),
    (("bind=pace::sleep-time", "bind=pace::no-such-property"), "pause", 2),
    (("filesrc name=source", "filesrc name=source ! !"), "", 2),
    (("filesrc name=source", "nosuchsrc name=source"), "nosuchsrc", 3),
    (("[Parameter pause]", "[Parameter input]"), "input", 2),
])
def test_check_tells_file_and_fault_in_one_line(tmp_path, change, says, status):
    text = (DEFINITIONS / "copy.pipeline").read_text()
    assert change[0] in text
    path = tmp_path / "copy.pipeline"
    path.write_text(text.replace(*change, 1))
    result = call("check", path)
    assert result.status == status, result
    line = one_error(result)
    assert "copy.pipeline" in line and says in line


# The man page


def man_text():
    return (ROOT / "tools/gst-clips.1").read_text()


def test_the_man_page_has_no_fault():
    if not shutil.which("mandoc"):
        pytest.skip("mandoc is not installed")
    done = subprocess.run(["mandoc", "-T", "lint", "-W", "warning", ROOT / "tools/gst-clips.1"],
                          capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, ""), done.stdout


@pytest.mark.parametrize("command", COMMANDS)
def test_the_man_page_has_every_command_and_option(command):
    text = man_text().replace("\\-", "-").replace("Fl -", "--")
    assert f".It Cm {command}" in text
    for option in re.findall(r"--([a-z-]+)", call(command, "--help").text):
        assert f"--{option}" in text.replace("-- ", "--") or option.startswith("help") or option == "version", option


# The completion


def complete(line, cwd=None, wordbreaks=None):
    """What bash would offer behind a line, by its own rules of splitting words."""
    script = f"""
    {f'COMP_WORDBREAKS={wordbreaks!r}' if wordbreaks is not None else ''}
    source {ROOT}/tools/completions/gst-clips
    COMP_LINE=$1 COMP_POINT=${{#1}}
    _gst_clips
    printf '%s\\n' "${{COMPREPLY[@]}}"
    """
    path = f"{os.path.dirname(PROGRAM)}:{os.environ['PATH']}"
    done = subprocess.run(["bash", "-c", script, "bash", line], capture_output=True, text=True, cwd=cwd,
                          env=environment(PATH=path), timeout=20)
    assert done.stderr == ""
    return [word for word in done.stdout.splitlines() if word]


def test_commands_complete():
    assert complete("gst-clips ") == COMMANDS + ["--help", "--version"]
    assert complete("gst-clips de") == ["describe"]
    assert complete("gst-clips complete") == []


def test_definition_names_complete(tmp_path):
    assert set(complete("gst-clips run ", cwd=tmp_path)) >= {"bars", "copy", "invert"}
    assert complete("gst-clips describe ba", cwd=tmp_path) == ["bars"]


def test_definition_files_complete_too(tmp_path):
    (tmp_path / "mine.pipeline").write_text("")
    assert complete("gst-clips check mi", cwd=tmp_path) == ["mine.pipeline"]


def test_keys_complete_unless_they_are_set():
    assert complete("gst-clips run copy ") == ["input=", "output=", "block=", "pause=", "fail-after="]
    assert complete("gst-clips run --progress=json copy input=x ou") == ["output="]
    assert "input=" not in complete("gst-clips run copy input=x ")


def test_values_of_choices_and_booleans_complete():
    assert complete("gst-clips run bars pattern=") == ["smpte", "snow", "black"]
    assert complete("gst-clips run bars pattern=s") == ["smpte", "snow"]
    assert complete("gst-clips run bars live=") == ["true", "false"]
    assert complete("gst-clips run bars encoder=p") == ["png"]
    assert complete("gst-clips run bars pattern=s", wordbreaks=" ") == ["pattern=smpte", "pattern=snow"]


def test_file_names_complete_behind_their_keys(tmp_path):
    (tmp_path / "holiday one.mov").write_text("")
    assert complete("gst-clips run copy input=hol", cwd=tmp_path) == ["holiday one.mov"]


def test_cuts_completes_like_run_with_its_definition(tmp_path):
    (tmp_path / "film.mp4").write_text("")
    assert complete("gst-clips cuts fi", cwd=tmp_path) == ["film.mp4"]
    assert complete("gst-clips cuts film.mp4 meth") == ["method="]
    assert complete("gst-clips cuts film.mp4 format=e") == ["edl"]


def test_tasks_complete():
    assert complete("gst-clips task de") == ["detect_scenes"]
    assert "temp_clip" in complete("gst-clips task ")


def test_options_complete():
    assert complete("gst-clips run --pr") == [
        "--progress=auto", "--progress=bar", "--progress=json", "--progress=none", "--print-launch"]
    assert complete("gst-clips run --progress=j") == ["json"]
    # An ingest is several runs: it has no one graph to print or to draw.
    assert complete("gst-clips ingest --p") == ["--progress=auto", "--progress=bar", "--progress=json", "--progress=none"]
    assert complete("gst-clips convert --to=o") == ["otio"]
    assert complete("gst-clips clean --d") == ["--dry-run"]
    assert complete("gst-clips job --t") == ["--time-limit="]
    assert complete("gst-clips cuts --mo") == ["--move="]
    assert complete("gst-clips list --") == ["--help", "--json"]
