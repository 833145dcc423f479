# SPDX-License-Identifier: LGPL-2.1-or-later
"""clipexport: what it copies and hides, what it says, and when it refuses."""

import http.server
import os
import pathlib
import re
import socket
import struct
import subprocess
import threading
import time

import pytest
from cliptest import Video, boxes, faults, media, verify
from cutting import SECOND, Gst, cut, ns
from sources import source as source_of, video_of

STREAM = "gst-stream-error-quark"
RESOURCE = "gst-resource-error-quark"


def exact(source, path, start, stop, **properties):
    result = cut(source.uri, path, start=ns(start), stop=ns(stop), **properties)
    assert not result.error, result.error
    report = verify(str(path), source, start, stop, views=("honour",))
    assert faults(report, "exact") == []
    return result, report


@pytest.fixture(scope="module")
def closed():
    return media("closed2s")


@pytest.fixture
def out(tmp_path):
    return tmp_path / "clip.mp4"


# -- edit ------------------------------------------------------------------------------------


def test_edit_shows_exactly_the_frames_of_the_range_untouched(closed, out):
    result, report = exact(closed, out, 3.5, 6.5, mode="edit")
    video = report["honour"]["video"]
    assert (video["first"], video["last"]) == (105, 194)
    assert video["bit_identical"] == 90
    assert abs(report["honour"]["audio"][0]["late_ms"]) < 0.1
    assert result.range["mode"] == "edit"
    assert result.range["lead-frames"] == 45
    assert result.range["lead-hidden"] is True


def test_players_that_ignore_edit_lists_see_the_lead_and_nothing_behind_the_end(closed, out):
    exact(closed, out, 3.5, 6.5, mode="edit")
    video = verify(str(out), closed, 3.5, 6.5, views=("ignore",))["ignore"]["video"]
    assert video["leak_before"] == 45
    # pictures behind the end only where earlier ones refer to them
    assert video["leak_after"] <= 2
    assert video["errors"] == 0


def test_a_clip_of_an_edit_listed_source_keeps_to_its_timeline(out):
    _, report = exact(media("editstart"), out, 0.0, 2.0, mode="edit")
    assert report["honour"]["video"]["first"] == 26


def test_every_sound_track_is_cut_by_the_same_clock(out):
    result, report = exact(media("multiaudio"), out, 3.51, 5.77, mode="edit")
    assert len(report["honour"]["audio"]) == 3
    assert len(result.range["tracks"]) == 4


def test_a_source_without_sound_is_cut(out):
    result, _ = exact(media("noaudio"), out, 3.5, 6.5, mode="edit")
    assert result.range["tracks"] == ["video avc1"]


def test_sound_without_picture_is_cut_to_the_sample(out):
    source = media("novideo")
    result = cut(source.uri, out, start=3_123_456_789, stop=5_000_000_000)
    assert not result.error
    track = boxes.layout(str(out))["tracks"][0]
    samples = round(track["edits"][0]["duration"] * 48000)
    assert samples == round(5.0 * 48000) - round(3.123456789 * 48000)
    # one packet is in front of the first sample that is heard, for the overlap
    assert 1024 <= track["edits"][0]["media_time"] < 2048


def test_variable_frame_rate_keeps_every_timestamp(out):
    _, report = exact(media("vfr"), out, 1.35, 3.9, mode="edit")
    assert report["honour"]["video"]["timing_spread_ms"] < 0.1


def test_opus_is_primed_for_eighty_milliseconds(out):
    exact(media("opusmp4"), out, 3.5, 6.5, mode="edit")
    sound = [t for t in boxes.layout(str(out))["tracks"] if t["kind"] == "soun"][0]
    assert sound["edits"][0]["media_time"] >= 0.08 * 48000


@pytest.mark.parametrize("name", ["opengop", "hevc", "hevcopen", "i50", "onegop", "frag"])
def test_every_structure_is_exact_with_edit_lists(name, out):
    source = media(name)
    shift = source.times[0]
    result = cut(source.uri, out, start=ns(3.5 + shift), stop=ns(5.7 + shift), mode="edit")
    assert not result.error
    report = verify(str(out), source, 3.5 + shift, 5.7 + shift, views=("honour",))
    if name == "opengop":
        # A clip that starts at a recovery point, not an IDR: one picture names another for
        # removal that is not there.
        assert report["honour"]["video"]["errors"] <= 1
        report["honour"]["video"]["errors"] = 0
    assert faults(report, "exact") == []


@pytest.mark.parametrize("name", ["intra", "prores"])
def test_quicktime_sources_give_quicktime_clips(name, tmp_path):
    clip = tmp_path / "clip.mov"
    _, report = exact(media(name), clip, 1.24, 3.0, mode="edit")
    assert report["layout"]["brands"][0] == "qt  "
    assert report["honour"]["video"]["leak_before"] == 0


# -- copy ------------------------------------------------------------------------------------


def test_copy_starts_at_the_key_frame_before_and_says_so(closed, out):
    result = cut(closed.uri, out, start=ns(3.5), stop=ns(6.5), mode="copy")
    report = verify(str(out), closed, 3.5, 6.5, views=("honour",))
    assert faults(report, "copy") == []
    assert report["honour"]["video"]["first"] == 60
    assert report["honour"]["video"]["last"] == 194
    assert result.range["start"] == 2 * SECOND
    assert result.range["lead-frames"] == 45
    assert result.range["lead-hidden"] is False
    assert result.actual == (2 * SECOND, ns(6.5), 135)


def test_a_start_just_behind_a_key_frame_keeps_to_it(closed, out):
    # within a packet of sound of it, where a demuxer's seek goes back one key frame more
    result, _ = exact(closed, out, 4.005, 6.5, mode="edit")
    assert result.range["first-frame"] == 121
    assert result.range["key-frame"] == 4 * SECOND


@pytest.mark.parametrize(
    "snap, start, first", [("before", 3.5, 60), ("after", 3.5, 120), ("nearest", 3.5, 120),
                           ("nearest", 2.5, 60), ("after", 4.0, 120)])
def test_copy_snaps_as_asked(closed, out, snap, start, first):
    result = cut(closed.uri, out, start=ns(start), stop=ns(6.5), mode="copy", snap=snap)
    assert not result.error
    video = Video(str(out), closed.width, closed.height)
    assert list(video.number) == list(range(first, 195))
    assert result.range["first-frame"] == first


# -- auto ------------------------------------------------------------------------------------


def test_auto_copies_where_the_range_starts_at_an_idr(closed, out):
    result, report = exact(closed, out, 4.0, 6.5)
    assert result.range["mode"] == "edit"
    assert "key frame" in result.range["reason"]
    assert report["honour"]["video"]["bit_identical"] == 75


def test_auto_copies_all_intra_sources_anywhere(tmp_path):
    result, _ = exact(media("prores"), tmp_path / "c.mov", 1.24, 3.0)
    assert result.range["mode"] == "edit"
    assert result.range["lead-frames"] == 0


def test_auto_re_encodes_only_what_it_must_between_key_frames(closed, out):
    result, report = exact(closed, out, 3.5, 9.5)
    assert result.range["mode"] == "smart"
    assert result.range["frames-copied"] + result.range["frames-encoded"] == 180
    assert report["honour"]["video"]["bit_identical"] == result.range["frames-copied"] >= 163


# -- smart -----------------------------------------------------------------------------------


@pytest.mark.parametrize("start, stop", [(3.5, 6.5), (4.0, 6.5), (3.9667, 6.0333), (0.1, 11.9)])
def test_smart_is_exact_for_players_that_ignore_edit_lists_too(closed, out, start, stop):
    _, report = exact(closed, out, start, stop, mode="smart")
    assert report["honour"]["video"]["worst_psnr_db"] > 50
    video = verify(str(out), closed, start, stop, compare=False, views=("ignore",))["ignore"]["video"]
    assert (video["leak_before"], video["leak_after"], video["errors"]) == (0, 0, 0)


def test_smart_has_one_sample_entry_with_both_parameter_sets(closed, out):
    exact(closed, out, 3.5, 6.5, mode="smart")
    track = boxes.layout(str(out))["tracks"][0]
    assert [e["format"] for e in track["entries"]] == ["avc1"]
    assert (track["entries"][0]["avcC"]["sps"], track["entries"][0]["avcC"]["pps"]) == (2, 2)
    source = boxes.layout(closed.path)["tracks"][0]["entries"][0]["avcC"]
    assert track["entries"][0]["avcC"]["profile"] == source["profile"]


def test_smart_decode_times_rise_evenly_across_the_seams(closed, out):
    exact(closed, out, 3.5, 6.5, mode="smart")
    stts = boxes.layout(str(out))["tracks"][0]["stts"]
    assert {delta for _, delta in stts} == {512}


def test_smart_of_interlaced_pictures_stays_interlaced(out):
    exact(media("i50"), out, 3.52, 6.52, mode="smart")
    probe = subprocess.run(
        ["ffprobe", "-v", "error", "-select_streams", "v", "-show_entries",
         "frame=interlaced_frame,top_field_first", "-of", "csv=p=0", str(out)],
        check=True, capture_output=True, text=True).stdout.split()
    assert set(probe) == {"1,1"} or set(probe) == {"1,0"}


def test_smart_of_hevc_keeps_hvc1_and_the_middle(out):
    result, report = exact(media("hevc"), out, 3.5, 7.5, mode="smart")
    assert result.range["mode"] == "smart"
    assert result.range["frames-copied"] >= 100
    assert report["honour"]["video"]["bit_identical"] >= result.range["frames-copied"]
    assert boxes.layout(str(out))["tracks"][0]["entries"][0]["format"] == "hvc1"


@pytest.mark.parametrize("first", [50, 57, 58, 59, 60, 61])
def test_smart_of_hevc_copies_from_open_key_frames_on(first, out):
    """Also if the range starts among the pictures that are stored behind a CRA and shown before."""
    source = media("hevcopen")
    result, report = exact(source, out, source.times[first], source.times[first + 90], mode="smart")
    assert result.range["mode"] == "smart"
    assert report["honour"]["video"]["bit_identical"] >= result.range["frames-copied"] >= 25
    ignored = verify(str(out), source, source.times[first], source.times[first + 90],
                     compare=False, views=("ignore",))["ignore"]["video"]
    assert (ignored["frames"], ignored["errors"]) == (90, 0)


def test_auto_copies_hevc_from_an_open_key_frame_on(out):
    source = media("hevcopen")
    result, _ = exact(source, out, source.times[120], source.times[170], mode="auto")
    assert result.range["mode"] == "edit"


def test_an_open_gop_without_a_closed_key_frame_falls_back_and_says_why(out):
    result, _ = exact(media("opengop"), out, 3.5, 6.5, mode="smart")
    assert result.range["mode"] == "exact"
    assert "refers across" in result.range["reason"]


def test_without_a_fallback_it_is_an_error(out):
    result = cut(media("opengop").uri, out, start=ns(3.5), stop=ns(6.5), mode="smart",
                 fallback="error")
    assert "codec is unsupported for the mode" in result.error
    assert not out.exists()


def test_the_fallback_copy_hides_by_edit_list(out):
    source = media("opengop")
    result = cut(source.uri, out, start=ns(3.5), stop=ns(6.5), mode="smart", fallback="copy")
    assert (result.error, result.range["mode"]) == ("", "edit")
    report = verify(str(out), source, 3.5, 6.5, views=("honour",))["honour"]["video"]
    assert (report["first"], report["last"], report["missing_count"]) == (105, 194, 0)


# -- intra refresh ---------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["auto", "edit", "exact"])
@pytest.mark.parametrize("name, first, last", [
    ("refresh", 60, 61), ("refresh", 75, 100), ("refresh", 130, 180), ("mkv-refresh", 75, 100)])
def test_gradual_refresh_is_decoded_from_where_its_pictures_are_whole(name, first, last, mode, out):
    source = source_of(name)
    times = source.times
    stop = times[last] if last < len(times) else times[-1] + 1
    result = cut(source.uri, out, start=ns(times[first]), stop=ns(stop), mode=mode)
    assert not result.error, result.error
    report = verify(str(out), source, times[first], stop, views=("honour",))
    found = faults(report, "exact")
    if mode == "edit":  # it refers to pictures that the clip is not about: FFmpeg says so
        found = [f for f in found if "decoder complaints" not in f]
    if last - first == 1:  # the sound of so short a clip cannot be placed
        found = [f for f in found if not f.startswith("audio")]
    assert found == []
    assert report["honour"]["video"]["frames"] == last - first


# -- exact -----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["closed2s", "opengop", "vfr", "hevc", "hevcopen", "prores"])
def test_exact_re_encodes_every_picture_and_copies_the_sound(name, tmp_path):
    clip = tmp_path / ("c." + media(name).recipe.ext)
    result, report = exact(media(name), clip, 1.32, 2.8, mode="exact")
    assert result.range["frames-encoded"] == result.range["frames"]
    assert result.range["frames-copied"] == 0
    assert report["honour"]["video"]["worst_psnr_db"] > 45


def test_exact_of_av1_gives_h264(out):
    result, _ = exact(media("av1"), out, 1.5, 2.5)
    assert result.range["mode"] == "exact"
    assert boxes.layout(str(out))["tracks"][0]["entries"][0]["format"] == "avc1"


def test_quality_is_the_quantizer(closed, tmp_path):
    sizes = []
    for quality in (10, 20, 40):
        clip = tmp_path / f"{quality}.mp4"
        assert not cut(closed.uri, clip, start=ns(3.5), stop=ns(4.5), mode="exact",
                       quality=quality).error
        sizes.append(os.path.getsize(clip))
    assert sizes[0] > 1.5 * sizes[1] > 3 * sizes[2]


# -- ranges ----------------------------------------------------------------------------------


def test_a_stop_past_the_end_is_the_end(closed, out):
    result, report = exact(closed, out, 10.0, 99.0, mode="edit")
    assert report["honour"]["video"]["last"] == 359
    assert result.range["stop-past-end"] is True


def test_no_stop_means_the_end(closed, out):
    result = cut(closed.uri, out, start=10 * SECOND, mode="edit")
    assert not result.error
    assert list(Video(str(out), 640, 360).number) == list(range(300, 360))
    assert result.range["stop-past-end"] is False


def test_one_frame_is_a_clip(closed, out):
    exact(closed, out, 3.5, 3.5333, mode="edit")


def test_frame_numbers_choose_the_same_frames(closed, out):
    result = cut(closed.uri, out, start_frame=105, stop_frame=195, mode="edit")
    assert not result.error
    assert list(Video(str(out), 640, 360).number) == list(range(105, 195))
    assert (result.range["first-frame"], result.range["last-frame"]) == (105, 194)


def test_clips_of_a_cut_list_tile_the_source(closed, tmp_path):
    cuts = [0, 1, 59, 60, 61, 140, 141, 200, 359, 360]
    seen = []
    for i, (a, b) in enumerate(zip(cuts, cuts[1:])):
        clip = tmp_path / f"{i}.mp4"
        assert not cut(closed.uri, clip, start_frame=a, stop_frame=b, mode="edit").error
        seen += list(Video(str(clip), 640, 360).number)
    assert seen == list(range(360))


# -- the file --------------------------------------------------------------------------------


def test_the_index_stands_in_front(closed, out):
    cut(closed.uri, out, start=ns(3.5), stop=ns(6.5), mode="edit")
    assert boxes.layout(str(out))["order"] == ["ftyp", "moov", "mdat"]


def test_without_faststart_it_stands_behind(closed, out):
    exact(closed, out, 3.5, 6.5, mode="edit", faststart=False)
    assert boxes.layout(str(out))["order"] == ["ftyp", "mdat", "moov"]


def test_the_same_cut_gives_the_same_bytes(closed, tmp_path):
    a, b = tmp_path / "a.mp4", tmp_path / "b.mp4"
    cut(closed.uri, a, start=ns(3.5), stop=ns(6.5), mode="edit")
    cut(closed.uri, b, start=ns(3.5), stop=ns(6.5), mode="edit")
    assert a.read_bytes() == b.read_bytes()


def test_a_rotated_video_stays_rotated(closed, tmp_path, out):
    quarter = struct.pack(">9i", 0, 1 << 16, 0, -1 << 16, 0, 0, 360 << 16, 0, 1 << 30)
    data = bytearray(open(closed.path, "rb").read())
    at = data.index(b"tkhd") + 44
    data[at:at + 36] = quarter
    rotated = tmp_path / "rotated.mp4"
    rotated.write_bytes(data)
    assert not cut(rotated.as_uri(), out, start=ns(1.0), stop=ns(2.0), mode="edit").error
    clip = out.read_bytes()
    at = clip.index(b"tkhd") + 44
    assert clip[at:at + 36] == quarter


def test_a_source_that_is_not_interleaved_gives_a_clip_that_is(closed, tmp_path, out):
    # all pictures, then all sound: the way some cameras and concatenators write
    source = closed
    data = bytearray(open(source.path, "rb").read())
    lay = boxes.layout(source.path)
    assert lay["order"].count("mdat") == 1
    result = cut(apart(data, tmp_path / "apart.mp4"), out, start=ns(2.2), stop=ns(9.9), mode="edit")
    assert not result.error
    report = verify(str(out), source, 2.2, 9.9, views=("honour",))
    assert faults(report, "exact") == []
    assert longest_gap(str(out)) < 2 * 1024 * 1024


def apart(data, path):
    """Rewrites a one-mdat file so that each track's chunks lie together."""
    order, at = [], 0
    stco = []
    while True:
        at = data.find(b"stco", at + 1)
        if at < 0:
            break
        count = struct.unpack_from(">I", data, at + 8)[0]
        stco.append((at + 12, list(struct.unpack_from(f">{count}I", data, at + 12))))
    mdat = data.index(b"mdat") + 4
    end = mdat - 8 + struct.unpack_from(">I", data, mdat - 8)[0]
    ends = sorted([o for _, chunks in stco for o in chunks] + [end])
    body, new = bytearray(), bytearray(data)
    for table, chunks in stco:
        for i, offset in enumerate(chunks):
            stop = ends[ends.index(offset) + 1]
            order.append(offset)
            struct.pack_into(">I", new, table + 4 * i, mdat + len(body))
            body += data[offset:stop]
    new[mdat:mdat + len(body)] = body
    path.write_bytes(new)
    return path.as_uri()


def longest_gap(path):
    """The most bytes between two neighbouring chunks of one track."""
    data = open(path, "rb").read()
    worst, at = 0, 0
    while True:
        at = data.find(b"stco", at + 1)
        if at < 0:
            return worst
        count = struct.unpack_from(">I", data, at + 8)[0]
        chunks = struct.unpack_from(f">{count}I", data, at + 12)
        worst = max([worst, *(b - a for a, b in zip(chunks, chunks[1:]))])


# -- messages --------------------------------------------------------------------------------


def test_the_range_is_said_before_the_first_byte_and_the_cost_at_the_end(closed, out):
    result = cut(closed.uri, out, start=ns(3.5), stop=ns(6.5), mode="edit")
    assert result.order == ["clip-range", "clip-done"]
    assert result.range["requested-start"] == ns(3.5)
    assert result.range["start"] == ns(3.5)
    assert result.range["stop"] == ns(6.5)
    assert result.range["key-frame"] == 2 * SECOND
    assert result.range["frames"] == result.range["frames-copied"] == 90
    assert result.range["frames-encoded"] == 0
    assert result.done["bytes"] == os.path.getsize(out)
    # the index and the range, not the file
    assert result.done["bytes-read"] < 0.6 * os.path.getsize(closed.path)


def test_a_track_without_data_in_the_range_is_left_out_and_said(closed, tmp_path, out):
    short = tmp_path / "short.mp4"
    subprocess.run(["ffmpeg", "-v", "error", "-y", "-t", "2", "-i", closed.path, "-i", closed.path,
                    "-map", "1:v", "-map", "0:a", "-c", "copy", str(short)], check=True)
    result = cut(short.as_uri(), out, start=ns(4.0), stop=ns(5.0), mode="edit")
    assert not result.error
    assert result.range["tracks"] == ["video avc1"]
    assert any("audio track" in w and "nothing in the range" in w for w in result.warnings)
    assert [t["kind"] for t in boxes.layout(str(out))["tracks"]] == ["vide"]


# -- errors ----------------------------------------------------------------------------------


@pytest.mark.parametrize("properties, code, words", [
    ({"start": 5 * SECOND, "stop": 4 * SECOND}, RESOURCE, "not before stop"),
    ({"start": 5 * SECOND, "stop": 5 * SECOND}, RESOURCE, "not before stop"),
    ({"start": 12 * SECOND, "stop": 13 * SECOND}, STREAM, "source ends at"),
    ({"start": ns(3.505), "stop": ns(3.520)}, STREAM, "between two frames"),
    ({"start": ns(3.5), "stop": ns(4.5), "max_lead_in": SECOND}, STREAM, "max-lead-in"),
    ({"start_frame": 9, "stop_frame": 3}, RESOURCE, "not before stop-frame"),
    ({"start_frame": 360}, STREAM, "source ends at"),
    ({"start": ns(4.5), "stop": ns(5.0), "mode": "copy", "snap": "after"}, STREAM, "snap=before"),
])
def test_what_cannot_be_cut_is_one_error_that_says_why(closed, out, properties, code, words):
    result = cut(closed.uri, out, **{"mode": "edit", **properties})
    assert words in result.error
    assert result.code.startswith(code)
    assert result.errors == 1
    assert not result.eos
    assert not out.exists()


def test_a_source_that_is_not_there(out):
    result = cut("file:///nowhere/at/all.mp4", out)
    assert result.code == f"{RESOURCE}/3"
    assert result.errors == 1


def test_no_source_at_all(out):
    assert "uri" in cut("", out).error


def test_a_source_that_is_not_a_movie(tmp_path, out):
    text = tmp_path / "error.mp4"
    text.write_text("<html>502 Bad Gateway</html>" * 100)
    result = cut(text.as_uri(), out)
    assert "not an MP4" in result.error
    assert result.errors == 1
    assert not out.exists()


def test_a_source_truncated_inside_the_range_gives_nothing(tmp_path, out):
    whole = tmp_path / "whole.mp4"
    subprocess.run(["ffmpeg", "-v", "error", "-y", "-i", media("closed2s").path, "-c", "copy",
                    "-movflags", "+faststart", str(whole)], check=True)
    data = whole.read_bytes()
    half = tmp_path / "half.mp4"
    half.write_bytes(data[:len(data) // 2])
    assert not cut(half.as_uri(), out, start=ns(1.0), stop=ns(3.0), mode="edit").error
    result = cut(half.as_uri(), tmp_path / "late.mp4", start=ns(5.0), stop=ns(11.0), mode="edit")
    assert "truncated" in result.error
    assert not (tmp_path / "late.mp4").exists()


def test_a_source_without_its_index_is_truncated(tmp_path, out):
    data = open(media("closed2s").path, "rb").read()
    assert data.index(b"moov") > data.index(b"mdat")
    half = tmp_path / "half.mp4"
    half.write_bytes(data[:len(data) // 2])
    assert "truncated" in cut(half.as_uri(), out, mode="edit").error


def test_an_empty_file(tmp_path, out):
    empty = tmp_path / "empty.mp4"
    empty.write_bytes(b"")
    assert cut(empty.as_uri(), out).errors == 1


def test_a_wrong_range_never_hangs_gst_launch(closed, out):
    # gst-launch 1.22 waits for ever for an error that came before its main loop
    for _ in range(10):
        run = subprocess.run(
            ["gst-launch-1.0", "-q", "clipexport", f"uri={closed.uri}", f"start={99 * SECOND}", "!",
             "filesink", f"location={out}"], capture_output=True, text=True, timeout=20)
        assert run.returncode != 0
        assert run.stderr.count("source ends at") == 1
        assert "failed to post" not in run.stderr


# -- the encoder -----------------------------------------------------------------------------


def test_an_encoder_of_another_codec_re_encodes_the_range(tmp_path):
    for name, mode in (("hevc", "exact"), ("hevc", "auto"), ("closed2s", "exact")):
        source = media(name)
        encoder, codec = ("x264enc", "h264") if name == "hevc" else ("x265enc", "hevc")
        result, _ = exact(source, tmp_path / "c.mp4", 3.5, 4.5, mode=mode, encoder=encoder)
        assert (result.range["mode"], result.range["frames-encoded"]) == ("exact", 30)
        assert video_of(tmp_path / "c.mp4") == codec


def test_any_encoder_of_h264_will_do(closed, tmp_path):
    others = [f.get_name() for f in Gst.ElementFactory.list_get_elements(
        Gst.ELEMENT_FACTORY_TYPE_VIDEO_ENCODER, Gst.Rank.NONE) if f.get_name() == "openh264enc"]
    if not others:
        pytest.skip("there is no encoder but x264enc and x265enc")
    result, _ = exact(closed, tmp_path / "c.mp4", 3.5, 4.5, mode="exact", encoder=others[0])
    assert result.range["frames-encoded"] == 30
    result = cut(closed.uri, tmp_path / "d.mp4", start=ns(3.5), stop=ns(6.5), mode="smart", encoder=others[0],
                 fallback="error")
    assert "x264enc, not openh264enc" in result.error


@pytest.mark.parametrize("encoder, code", [("nosuchenc", "gst-core-error-quark"), ("jpegenc", RESOURCE)])
def test_what_does_not_encode_is_an_error(closed, out, encoder, code):
    result = cut(closed.uri, out, start=ns(3.5), stop=ns(4.5), mode="exact", encoder=encoder)
    assert result.errors == 1 and encoder in result.error
    assert result.code.startswith(code)
    assert not result.eos


# -- HTTP ------------------------------------------------------------------------------------


# One of each container.
TRUNCATED = ["closed2s", "frag", "mov-mjpeg", "mkv", "vp9", "ts"]


def cut_short(source, path):
    """The first seven tenths of a file."""
    with open(source.path, "rb") as file:
        whole = file.read()
    path.write_bytes(whole[:len(whole) * 7 // 10])
    return str(path)


@pytest.mark.parametrize("mode", ["edit", "exact"])
@pytest.mark.parametrize("name", TRUNCATED)
def test_a_truncated_file_of_every_container_gives_nothing(name, mode, tmp_path, out):
    source = source_of(name)
    short = pathlib.Path(cut_short(source, tmp_path / "short"))
    end = source.times[-1]
    result = cut(short.as_uri(), out, start=ns(end / 2), stop=ns(end * 0.9), mode=mode)
    assert result.errors == 1 and "truncated" in result.error
    assert not result.eos


def is_bounded(asked):
    return asked and re.fullmatch(r"bytes=\d+-\d+", asked)


class Ranges(http.server.SimpleHTTPRequestHandler):
    """Serves one file with byte ranges and counts; `ranges` False: without."""

    protocol_version = "HTTP/1.1"
    path_on_disk = ""
    ranges = True
    requests: list = []
    connections: list = []

    def setup(self):
        super().setup()
        type(self).connections.append(self.client_address)

    def do_GET(self):
        data = open(self.path_on_disk, "rb").read()
        asked = self.headers.get("Range")
        type(self).requests.append(asked)
        if asked and self.ranges:
            a, b = asked.split("=")[1].split("-")
            a, b = int(a), min(int(b) if b else len(data) - 1, len(data) - 1)
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {a}-{b}/{len(data)}")
            data = data[a:b + 1]
        else:
            self.send_response(200)
        self.send_header("Content-Length", str(len(data)))
        if self.ranges:
            self.send_header("Accept-Ranges", "bytes")
        self.end_headers()
        try:
            self.wfile.write(data)
        except (BrokenPipeError, ConnectionResetError):
            pass

    def log_message(self, *_):
        pass


@pytest.fixture
def server():
    running = []

    def start(path, ranges=True):
        handler = type("Handler", (Ranges,), {"path_on_disk": path, "ranges": ranges,
                                              "requests": [], "connections": []})
        start.connections = handler.connections
        served = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        threading.Thread(target=served.serve_forever, daemon=True).start()
        running.append(served)
        return f"http://127.0.0.1:{served.server_port}/v.mp4", handler.requests

    yield start
    for served in running:
        served.shutdown()


def test_http_gives_the_same_bytes_as_a_file(server, closed, tmp_path):
    uri, requests = server(closed.path)
    a, b = tmp_path / "a.mp4", tmp_path / "b.mp4"
    assert not cut(uri, a, start=ns(3.5), stop=ns(6.5), mode="edit").error
    assert not cut(closed.uri, b, start=ns(3.5), stop=ns(6.5), mode="edit").error
    assert a.read_bytes() == b.read_bytes()
    assert all(is_bounded(r) for r in requests)
    assert len(requests) <= 3


@pytest.mark.parametrize("authorities", ["", "/etc/ssl/certs/ca-certificates.crt"])
def test_http_is_read_over_one_connection(server, closed, tmp_path, monkeypatch, authorities):
    monkeypatch.setenv("SSL_CERT_FILE", authorities)
    uri, requests = server(closed.path)
    assert not cut(uri, tmp_path / "a.mp4", start=ns(3.5), stop=ns(6.5), mode="edit").error
    assert len(requests) > 1
    assert len(server.connections) == 1


@pytest.mark.parametrize("name", ["frag", "mkv", "ts", "opusmp4"])
def test_http_is_asked_for_few_bounded_ranges_of_every_container(server, name, tmp_path):
    source = source_of(name)
    uri, requests = server(source.path)
    a, b = tmp_path / "a.mp4", tmp_path / "b.mp4"
    start, stop = (ns(source.times[n]) for n in (100, 150))
    assert not cut(uri, a, start=start, stop=stop, mode="edit").error
    assert not cut(source.uri, b, start=start, stop=stop, mode="edit").error
    assert a.read_bytes() == b.read_bytes()
    assert all(is_bounded(r) for r in requests)
    assert len(requests) <= 4


def test_http_without_ranges_is_an_error(server, closed, out):
    uri, _ = server(closed.path, ranges=False)
    result = cut(uri, out, start=ns(3.5), stop=ns(6.5), mode="edit")
    assert "byte ranges" in result.error
    assert result.errors == 1


@pytest.mark.parametrize("name", TRUNCATED)
def test_a_truncated_source_on_a_server_gives_nothing(server, name, tmp_path, out):
    source = source_of(name)
    uri, requests = server(cut_short(source, tmp_path / "short"))
    end = source.times[-1]
    result = cut(uri, out, start=ns(end / 2), stop=ns(end * 0.9), mode="edit")
    assert result.errors == 1 and "truncated" in result.error
    assert not result.eos
    assert len(requests) <= 6


def test_a_server_that_dies_inside_the_range_gives_nothing(closed, out):
    class Dying(Ranges):
        def do_GET(self):
            first, last = (int(n) for n in self.headers["Range"].removeprefix("bytes=").split("-"))
            if first == 0:
                return super().do_GET()
            with open(self.path_on_disk, "rb") as file:
                data = file.read()[first:last + 1]
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {first}-{last}/{os.path.getsize(self.path_on_disk)}")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data[:len(data) // 2])
            self.close_connection = True

    handler = type("Handler", (Dying,), {"path_on_disk": closed.path, "requests": []})
    served = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=served.serve_forever, daemon=True).start()
    result = cut(f"http://127.0.0.1:{served.server_port}/v.mp4", out, start=ns(6.5), stop=ns(9.5), mode="edit")
    served.shutdown()
    assert result.errors == 1
    assert not result.eos


def test_a_server_that_takes_a_range_and_sends_nothing_is_an_error(closed, out):
    size = os.path.getsize(closed.path)

    class Silent(Ranges):
        def do_GET(self):
            asked = self.headers.get("Range")
            if not asked or asked.startswith("bytes=0-"):
                return super().do_GET()
            self.send_response(206)
            self.send_header("Content-Range", asked.replace("=", " ").rstrip("-") + f"/{size}")
            self.send_header("Content-Length", "0")
            self.end_headers()

    handler = type("Handler", (Silent,), {"path_on_disk": closed.path, "requests": []})
    served = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=served.serve_forever, daemon=True).start()
    result = cut(f"http://127.0.0.1:{served.server_port}/v.mp4", out, start=ns(3.5), stop=ns(6.5),
                 mode="edit")
    served.shutdown()
    assert result.errors == 1
    assert not result.eos


# -- life ------------------------------------------------------------------------------------


def test_one_element_cuts_again_and_again(closed, tmp_path):
    pipeline = Gst.parse_launch("clipexport name=c mode=edit ! filesink name=f")
    c, f = pipeline.get_by_name("c"), pipeline.get_by_name("f")
    c.set_property("uri", closed.uri)
    for i in range(20):
        clip = tmp_path / f"{i}.mp4"
        c.set_property("start-frame", 17 * i)
        c.set_property("stop-frame", 17 * i + 10)
        f.set_property("location", str(clip))
        pipeline.set_state(Gst.State.PLAYING)
        message = pipeline.get_bus().timed_pop_filtered(
            20 * SECOND, Gst.MessageType.EOS | Gst.MessageType.ERROR)
        assert message and message.type == Gst.MessageType.EOS
        pipeline.set_state(Gst.State.NULL)
        assert c.get_property("actual-frames") == 10
        if i % 5 == 0:
            assert list(Video(str(clip), 640, 360).number) == list(range(17 * i, 17 * i + 10))


def test_it_can_be_stopped_at_any_moment(closed):
    for i in range(30):
        pipeline = Gst.parse_launch("clipexport name=c mode=edit ! fakesink sync=false")
        pipeline.get_by_name("c").set_property("uri", closed.uri)
        pipeline.set_state(Gst.State.PLAYING)
        pipeline.get_state(i * 300_000)
        assert pipeline.set_state(Gst.State.NULL) == Gst.StateChangeReturn.SUCCESS


def test_a_stalled_server_does_not_hold_it(closed):
    listener = socket.create_server(("127.0.0.1", 0))
    pipeline = Gst.parse_launch("clipexport name=c ! fakesink")
    pipeline.get_by_name("c").set_property(
        "uri", f"http://127.0.0.1:{listener.getsockname()[1]}/v.mp4")
    pipeline.set_state(Gst.State.PLAYING)
    time.sleep(0.3)
    before = time.monotonic()
    pipeline.set_state(Gst.State.NULL)
    assert time.monotonic() - before < 2
    listener.close()
