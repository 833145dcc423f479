# SPDX-License-Identifier: LGPL-2.1-or-later
"""scenecut in whole pipelines: real decoders and encoders behind and before it, and other programs as judges."""

import json
import os
import pathlib
import re
import shlex
import subprocess
import time
from fractions import Fraction

import cv2
import gi
import numpy as np
import pytest
from cliptest import Video, packets
from cliptest.codec import draw_filters

gi.require_version("Gst", "1.0")
from gi.repository import Gst  # noqa: E402

Gst.init(None)

ROOT = pathlib.Path(os.environ["CLIPS_SOURCE_ROOT"])
WIDTH, HEIGHT = 384, 288
LENGTHS = [40, 26, 61, 33, 19, 50, 31]
CUTS = [int(x) for x in np.cumsum(LENGTHS)[:-1]]
FRAMES = sum(LENGTHS)
METHODS = {"correl": cv2.HISTCMP_CORREL, "chisqr": cv2.HISTCMP_CHISQR, "intersect": cv2.HISTCMP_INTERSECT,
           "bhattacharyya": cv2.HISTCMP_BHATTACHARYYA}


def scenes():
    """I420 frames: each scene is a soft random texture of its own colours that drifts slowly."""
    random = np.random.default_rng(42)
    for length in LENGTHS:
        texture = cv2.resize(random.integers(30, 226, (14, 18), np.uint8), (WIDTH + 80, HEIGHT + 40),
                             interpolation=cv2.INTER_CUBIC)
        chroma = [cv2.resize(random.integers(70, 186, (5, 6), np.uint8), (WIDTH // 2, HEIGHT // 2)) for _ in range(2)]
        for i in range(length):
            grain = random.integers(-2, 3, (HEIGHT, WIDTH))
            luma = texture[i // 4 : i // 4 + HEIGHT, i : i + WIDTH].astype(int) + grain
            yield np.concatenate([np.clip(luma, 16, 235).astype(np.uint8).ravel()] + [c.ravel() for c in chroma])


def encode(path, rate="25", options=("-c:v", "libx264", "-preset", "veryfast", "-crf", "20", "-g", "250"), frames=scenes):
    command = ["ffmpeg", "-v", "error", "-nostdin", "-y", "-f", "rawvideo", "-pix_fmt", "yuv420p", "-s",
               f"{WIDTH}x{HEIGHT}", "-r", rate, "-i", "/dev/stdin", "-vf", draw_filters(WIDTH, HEIGHT), *options, path]
    with subprocess.Popen(command, stdin=subprocess.PIPE) as ffmpeg:
        for frame in frames():
            ffmpeg.stdin.write(frame.tobytes())
        ffmpeg.stdin.close()
        assert ffmpeg.wait() == 0
    return str(path)


@pytest.fixture(scope="session")
def film(tmp_path_factory):
    """A film at 24000/1001 with hard cuts at CUTS, a number in every picture."""
    return encode(tmp_path_factory.mktemp("film") / "film.mp4", "24000/1001")


class Run:
    def __init__(self):
        self.errors, self.cuts, self.summary, self.eos = [], [], None, False

    def take(self, message):
        if message.type == Gst.MessageType.ERROR:
            self.errors.append(message.parse_error()[0])
        elif message.type == Gst.MessageType.EOS:
            self.eos = True
        elif message.type == Gst.MessageType.ELEMENT:
            fields = message.get_structure()
            if fields.get_name() == "scenecut":
                self.cuts.append({fields.nth_field_name(i): fields.get_value(fields.nth_field_name(i))
                                  for i in range(fields.n_fields())})
            elif fields.get_name() == "scenecut-summary":
                self.summary = (fields.get_value("frames"), fields.get_value("cuts"))

    @property
    def frames(self):
        return [cut["frame"] for cut in self.cuts]


def play(pipeline, timeout=60):
    run = Run()
    bus = pipeline.get_bus()
    end = time.monotonic() + timeout
    pipeline.set_state(Gst.State.PLAYING)
    while not run.eos and not run.errors:
        assert time.monotonic() < end, "neither EOS nor an error"
        message = bus.timed_pop(Gst.SECOND // 10)
        if message:
            run.take(message)
    pipeline.set_state(Gst.State.NULL)
    return run


def launch(description, film=None, **locations):
    """Plays a pipeline; `f` reads the film, other names are elements with a location."""
    pipeline = Gst.parse_launch(description)
    for name, location in {"f": film, **locations}.items():
        if location:
            pipeline.get_by_name(name).set_property("location", str(location))
    return play(pipeline)


def test_every_cut_of_a_decoded_film_is_found_on_its_frame_with_its_exact_time(film):
    run = launch("filesrc name=f ! decodebin ! scenecut ! fakesink", film)
    assert run.frames == CUTS
    assert run.summary == (FRAMES, len(CUTS))
    times = [Fraction(p).limit_denominator(10**9) for p in sorted(p["pts"] for p in packets(film))]
    for cut in run.cuts:
        assert abs(cut["stream-time"] - times[cut["frame"]] * 10**9) <= 1000
        assert cut["stream-time"] == cut["running-time"]
        assert cut["kind"] == "cut" and cut["score"] > 0.5


@pytest.mark.parametrize("settings", ["", "gradual=false", "min-duration=900000000", "method=chisqr threshold=1"])
def test_every_cut_is_an_idr_frame_of_the_encoder_behind(film, tmp_path, settings):
    out = tmp_path / "out.mp4"
    run = launch(
        f"filesrc name=f ! decodebin ! scenecut force-key-units=true {settings} ! "
        "x264enc key-int-max=1000 option-string=scenecut=0 speed-preset=ultrafast bframes=2 b-adapt=false ! "
        "video/x-h264,profile=main ! h264parse ! mp4mux ! filesink name=o", film, o=out)
    assert not run.errors
    assert run.frames
    video = Video(str(out), WIDTH, HEIGHT)
    number_at = {round(pts, 4): number for pts, number in zip(video.pts, video.number)}
    assert list(video.number) == list(range(FRAMES))
    keys = [number_at[round(p["pts"], 4)] for p in packets(str(out)) if p["key"]]
    if "min-duration" in settings:
        # A boundary that is dropped for the clip that follows it may keep its key frame.
        assert set(keys) >= {0, *run.frames} and set(keys) <= {0, *CUTS}
    else:
        assert keys == [0, *run.frames]
    # Key frames of H.264 that are no IDR would not do: count the slices of type 5.
    annexb = subprocess.run(["ffmpeg", "-v", "error", "-i", out, "-c", "copy", "-bsf:v", "h264_mp4toannexb", "-f", "h264",
                             "-"], capture_output=True, check=True).stdout
    idr = [m for m in re.finditer(rb"\x00\x00\x01([\x65\x25\x45\x05])(?=[\x80-\xff])", annexb)]
    assert len(idr) == len(keys)


def dissolving():
    """I420 frames: three scenes, 20 and 48 frames of dissolve between them."""
    shots = {}
    for frame, scene in zip(scenes(), np.repeat(range(len(LENGTHS)), LENGTHS)):
        shots.setdefault(scene, []).append(frame)
    last = shots[0]
    yield from last
    for scene, length in ((2, 20), (5, 48)):
        new = shots[scene]
        for i in range(length):
            k = (i + 1) / (length + 1)
            yield (last[-1] * (1 - k) + new[0] * k + 0.5).astype(np.uint8)
        yield from new
        last = new


def test_a_dissolve_has_its_idr_frame_where_the_new_scene_takes_over(tmp_path):
    film, out = tmp_path / "film.mp4", tmp_path / "out.mp4"
    encode(film, frames=dissolving)
    run = launch(
        "filesrc name=f ! decodebin ! scenecut force-key-units=true ! "
        "x264enc key-int-max=1000 option-string=scenecut=0 speed-preset=ultrafast ! h264parse ! mp4mux ! "
        "filesink name=o", film, o=out)
    assert not run.errors
    assert [cut["kind"] for cut in run.cuts] == ["dissolve", "dissolve"]
    for cut, middle in zip(run.cuts, (LENGTHS[0] + 10, LENGTHS[0] + 20 + LENGTHS[2] + 24)):
        assert abs(cut["frame"] - middle) <= 3
    video = packets(str(out))
    start = min(p["pts"] for p in video)
    keys = [round((p["pts"] - start) * 25) for p in video if p["key"]]
    assert keys == [0, *run.frames]


def test_the_result_does_not_depend_on_the_decoders_threads(film):
    runs = [launch(f"filesrc name=f ! qtdemux ! h264parse ! avdec_h264 max-threads={n} ! scenecut ! fakesink", film)
            for n in (1, 4)]
    assert runs[0].cuts == runs[1].cuts
    assert runs[0].frames == CUTS


def test_min_duration_holds_for_every_clip_and_keeps_the_tiling(film, tmp_path):
    for least in (500, 1000, 1500, 2500, 20000):
        out = tmp_path / "cuts.json"
        run = launch(f"filesrc name=f ! decodebin ! scenecut name=s min-duration={least * 10**6} ! fakesink "
                     "s.cuts ! filesink name=o", film, o=out)
        assert not run.errors
        clips = json.loads(out.read_text())["clips"]
        assert clips[0]["start-frame"] == 0 and clips[-1]["end-frame"] == FRAMES
        assert all(a["end-frame"] == b["start-frame"] and a["end"] == b["start"] for a, b in zip(clips, clips[1:]))
        if len(clips) > 1:
            assert all(c["end"] - c["start"] >= least * 10**6 for c in clips)


# --- parity with OpenCV ---------------------------------------------------------------------------


def opencv_values(path):
    """compareHist of each frame with the one before, as the old systems' pass computes it."""
    capture = cv2.VideoCapture(path)
    before, values = None, {name: [] for name in METHODS}
    while True:
        good, frame = capture.read()
        if not good:
            return values
        histogram = np.concatenate([cv2.calcHist([frame], [c], None, [256], [0, 256]) for c in range(3)])
        histogram = cv2.normalize(histogram, histogram).flatten()
        if before is not None:
            for name, method in METHODS.items():
                values[name].append(cv2.compareHist(before, histogram, method))
        before = histogram


def thresholds(values):
    """Thresholds that split the values everywhere, each in the middle of a gap: no rounding decides."""
    ordered = np.unique(values)
    gaps = np.diff(ordered)
    middles = (ordered[1:] + ordered[:-1]) / 2
    wide = gaps > 1e-9 * np.abs(middles)
    chosen = middles[wide & (middles > 0)]
    return chosen[:: max(1, len(chosen) // 8)]


def expected_cuts(values, threshold, name):
    under = name in ("correl", "intersect")
    return [i + 1 for i, value in enumerate(values) if (value < threshold if under else value > threshold)]


@pytest.fixture(scope="session", params=["film", "full range", "webm", "grainy mpeg4"])
def compared(film, tmp_path_factory, request):
    """A file and what OpenCV says of it."""
    folder = tmp_path_factory.mktemp("compared")
    path = film
    if request.param == "full range":
        path = encode(folder / "full.mp4", options=("-pix_fmt", "yuvj420p", "-c:v", "libx264", "-preset", "ultrafast"))
    elif request.param == "webm":
        path = encode(folder / "film.webm", options=("-c:v", "libvpx", "-deadline", "realtime", "-cpu-used", "8"))
    elif request.param == "grainy mpeg4":
        path = encode(folder / "film.avi", options=("-c:v", "mpeg4", "-q:v", "8"))
    return path, opencv_values(path)


@pytest.mark.parametrize("name", METHODS)
def test_parity_methods_find_the_frames_of_the_opencv_pass_over_the_file(compared, name):
    path, values = compared[0], compared[1][name]
    assert len(values) == FRAMES - 1
    chosen = thresholds(values)
    assert len(chosen) >= 5
    for threshold in chosen:
        run = launch(f"filesrc name=f ! decodebin ! scenecut method={name} threshold={threshold:.17g} ! fakesink", path)
        assert run.frames == expected_cuts(values, threshold, name)
        assert all(0 <= cut["score"] <= 1 for cut in run.cuts)


@pytest.mark.parametrize("name", METHODS)
def test_parity_methods_on_bgr_and_grey_frames_equal_opencv_on_the_same_bytes(tmp_path, name):
    random = np.random.default_rng(5)
    shape = (41, 53, 3)
    # From noise that hardly changes to whole new pictures.
    frames, picture = [], random.integers(0, 256, shape, np.uint8)
    for i in range(120):
        part = random.random() ** 4
        mask = random.random(shape[:2]) < part
        picture = np.where(mask[..., None], random.integers(0, 1 + random.integers(1, 256), shape, np.uint8), picture)
        frames.append(picture.astype(np.uint8))
    raw = tmp_path / "frames.bgr"
    stride = (53 * 3 + 3) // 4 * 4
    raw.write_bytes(b"".join(np.pad(f.reshape(41, -1), ((0, 0), (0, stride - 159))).tobytes() for f in frames))
    values, before = [], None
    for frame in frames:
        histogram = np.concatenate([cv2.calcHist([frame], [c], None, [256], [0, 256]) for c in range(3)])
        histogram = cv2.normalize(histogram, histogram).flatten()
        if before is not None:
            values.append(cv2.compareHist(before, histogram, METHODS[name]))
        before = histogram
    for threshold in thresholds(values):
        run = launch(
            f"filesrc name=f blocksize={stride * 41} ! video/x-raw,format=BGR,width=53,height=41,framerate=25/1 ! "
            f"scenecut method={name} threshold={threshold:.17g} ! fakesink", raw)
        assert run.frames == expected_cuts(values, threshold, name)


def test_the_default_of_correl_is_that_of_the_old_system(film):
    values = opencv_values(film)["correl"]
    run = launch("filesrc name=f ! decodebin ! scenecut method=correl ! fakesink", film)
    assert run.frames == expected_cuts(values, 0.6, "correl")


# --- the cut list ---------------------------------------------------------------------------------


def cut_list(film, tmp_path, form, sink="filesink"):
    out = tmp_path / f"cuts.{form}"
    run = launch(f"filesrc name=f ! decodebin ! scenecut name=s cutlist-format={form} ! fakesink s.cuts ! {sink} name=o",
                 film, o=out)
    assert not run.errors and run.frames == CUTS
    return out


def test_json_is_the_contract(film, tmp_path):
    cuts = json.loads(cut_list(film, tmp_path, "json").read_text())
    assert cuts["format"] == "clips-cutlist/1"
    assert cuts["source"] == {"uri": Gst.filename_to_uri(film), "width": WIDTH, "height": HEIGHT, "frame-rate": "24000/1001",
                              "variable": False, "frames": FRAMES, "duration": cuts["source"]["duration"]}
    assert abs(cuts["source"]["duration"] - FRAMES * 1001 * 10**9 // 24000) < 10**6
    assert cuts["detector"] == {"method": "adaptive", "threshold": 0.45, "min-duration": 0, "version": "1.22.0"}
    assert [c["frame"] for c in cuts["cuts"]] == CUTS
    assert [c["start-frame"] for c in cuts["clips"]] == [0, *CUTS]
    assert [c["end-frame"] for c in cuts["clips"]] == [*CUTS, FRAMES]
    for cut, clip in zip(cuts["cuts"], cuts["clips"][1:]):
        assert cut["time"] == clip["start"] and isinstance(cut["time"], int)


def test_ffmpeg_reads_the_chapters_of_ffmetadata(film, tmp_path):
    meta = cut_list(film, tmp_path, "ffmetadata")
    out = tmp_path / "chapters.mkv"
    subprocess.run(["ffmpeg", "-v", "error", "-i", film, "-f", "ffmetadata", "-i", meta, "-map", "0", "-map_chapters", "1",
                    "-c", "copy", out], check=True)
    chapters = json.loads(subprocess.run(["ffprobe", "-v", "error", "-show_chapters", "-of", "json", out],
                                         capture_output=True, check=True).stdout)["chapters"]
    starts = [float(c["start_time"]) for c in chapters]
    assert starts == pytest.approx([f * 1001 / 24000 for f in [0, *CUTS]], abs=1e-6)
    assert chapters[0]["tags"]["title"] == "Clip 1"


def test_ffmpeg_reads_the_cues_of_webvtt(film, tmp_path):
    vtt = cut_list(film, tmp_path, "webvtt")
    cues = json.loads(subprocess.run(["ffprobe", "-v", "error", "-f", "webvtt", "-show_packets", "-of", "json", vtt],
                                     capture_output=True, check=True).stdout)["packets"]
    exact = [f * 1001 / 24000 for f in [0, *CUTS]]
    starts = [float(c["pts_time"]) for c in cues]
    assert all(0 <= start - time < 0.001 for start, time in zip(starts, exact)) and len(starts) == len(exact)


def test_x264_puts_key_frames_where_the_qpfile_says(film, tmp_path):
    qpfile = cut_list(film, tmp_path, "qpfile")
    raw, out = tmp_path / "film.y4m", tmp_path / "out.264"
    subprocess.run(["ffmpeg", "-v", "error", "-i", film, "-f", "yuv4mpegpipe", raw], check=True)
    subprocess.run(["x264", "--quiet", "--preset", "ultrafast", "--no-scenecut", "--keyint", "infinite", "--qpfile", qpfile,
                    "-o", out, raw], check=True, capture_output=True)
    frames = json.loads(subprocess.run(["ffprobe", "-v", "error", "-show_entries", "frame=key_frame", "-of", "json", out],
                                       capture_output=True, check=True).stdout)["frames"]
    assert [i for i, f in enumerate(frames) if f["key_frame"]] == [0, *CUTS]


def test_edl_and_csv_and_otio_and_losslesscut_name_the_cuts(film, tmp_path):
    events = re.findall(r"^(\d{3})  AX       V     C        (\S+) (\S+) \2 \3\r?$",
                        cut_list(film, tmp_path, "edl").read_bytes().decode(), re.MULTILINE)
    assert [e[1] for e in events] == [f"00:00:{f // 24:02}:{f % 24:02}" for f in [0, *CUTS]]
    rows = cut_list(film, tmp_path, "csv").read_text().split("\n")[1:]
    assert [int(r.split(",")[1]) - 1 for r in rows if r] == [0, *CUTS]
    otio = json.loads(cut_list(film, tmp_path, "otio").read_text())
    clips = otio["tracks"]["children"][0]["children"]
    assert [c["source_range"]["start_time"]["value"] for c in clips] == [0, *CUTS]
    rows = cut_list(film, tmp_path, "losslesscut").read_text().split("\n")
    assert [float(r.split(",")[0]) for r in rows if r] == pytest.approx([f * 1001 / 24000 for f in [0, *CUTS]], abs=1e-6)


@pytest.mark.parametrize("order", ["before", "after", "alone", "queue"])
def test_the_cuts_pad_needs_no_queue_and_no_order(film, tmp_path, order):
    out = tmp_path / "cuts.json"
    description = {
        "before": "scenecut name=s s.cuts ! filesink name=o filesrc name=f ! decodebin ! s.sink s.src ! fakesink",
        "after": "filesrc name=f ! decodebin ! scenecut name=s ! fakesink s.cuts ! filesink name=o",
        "alone": "filesrc name=f ! decodebin ! scenecut name=s s.cuts ! filesink name=o",
        "queue": "filesrc name=f ! decodebin ! queue ! scenecut name=s ! queue ! fakesink sync=true max-lateness=0 "
                 "s.cuts ! queue ! filesink name=o",
    }[order]
    run = launch(description.replace("sync=true max-lateness=0", "sync=false"), film, o=out)
    assert not run.errors
    assert [c["frame"] for c in json.loads(out.read_text())["cuts"]] == CUTS


def test_the_document_can_be_filed_whole_or_not_at_all(film, tmp_path):
    if not Gst.ElementFactory.find("urisinkbin"):
        pytest.skip("the plugin publish is not built")
    out = tmp_path / "cuts.json"
    run = launch("filesrc name=f ! decodebin ! scenecut name=s ! fakesink s.cuts ! filepublishsink name=o", film, o=out)
    assert not run.errors and [c["frame"] for c in json.loads(out.read_text())["cuts"]] == CUTS
    out.unlink()
    # A failure is never an empty list, nor a short one.
    broken = "filesrc name=f ! decodebin ! scenecut name=s ! identity error-after=200 ! fakesink s.cuts ! filepublishsink name=o"
    assert launch(broken, film, o=out).errors
    assert not out.exists()


# --- seeking and reuse ----------------------------------------------------------------------------


def test_a_seek_before_playing_analyses_what_is_played_with_times_of_the_file(film):
    pipeline = Gst.parse_launch("filesrc name=f ! decodebin ! scenecut name=s ! fakesink")
    pipeline.get_by_name("f").set_property("location", film)
    pipeline.set_state(Gst.State.PAUSED)
    assert pipeline.get_state(10 * Gst.SECOND)[0] == Gst.StateChangeReturn.SUCCESS
    # Frame 50 starts at 2.085416666 s.
    first = -(-50 * 1001 * Gst.SECOND // 24000)
    assert pipeline.seek(1.0, Gst.Format.TIME, Gst.SeekFlags.FLUSH | Gst.SeekFlags.ACCURATE, Gst.SeekType.SET, first,
                         Gst.SeekType.NONE, -1)
    run = play(pipeline)
    assert run.frames == [c - 50 for c in CUTS if c > 50]
    assert run.summary[0] == FRAMES - 50
    for cut in run.cuts:
        exact = (cut["frame"] + 50) * 1001 * Gst.SECOND // 24000
        assert abs(cut["stream-time"] - exact) < 10**6
        assert abs(cut["running-time"] - (exact - first)) < 10**6


@pytest.mark.parametrize("settings", ["", "force-key-units=true"])
def test_seeks_while_playing_start_the_analysis_anew(film, tmp_path, settings):
    out = tmp_path / "cuts.json"
    pipeline = Gst.parse_launch(f"filesrc name=f ! decodebin ! scenecut name=s {settings} ! fakesink sync=true "
                                "s.cuts ! filesink name=o")
    pipeline.get_by_name("f").set_property("location", film)
    pipeline.get_by_name("o").set_property("location", str(out))
    pipeline.set_state(Gst.State.PLAYING)
    assert pipeline.get_state(10 * Gst.SECOND)[0] == Gst.StateChangeReturn.SUCCESS
    for _ in range(5):
        time.sleep(0.15)
        assert pipeline.seek_simple(Gst.Format.TIME, Gst.SeekFlags.FLUSH | Gst.SeekFlags.ACCURATE, 0)
    # The last one plays all that is left at once.
    pipeline.get_state(10 * Gst.SECOND)
    sink = next(e for e in pipeline.iterate_sinks() if e.get_factory().get_name() == "fakesink")
    sink.set_property("sync", False)
    assert pipeline.seek_simple(Gst.Format.TIME, Gst.SeekFlags.FLUSH | Gst.SeekFlags.ACCURATE, 0)
    run = play(pipeline)
    assert not run.errors
    cuts = json.loads(out.read_text())
    assert [c["frame"] for c in cuts["cuts"]] == CUTS
    assert cuts["source"]["frames"] == FRAMES


def test_a_pipeline_is_played_again_with_the_same_result(film):
    pipeline = Gst.parse_launch("filesrc name=f ! decodebin name=d scenecut name=s ! fakesink")
    pipeline.get_by_name("f").set_property("location", film)
    # gst-launch links a pad that comes and goes the first time only.
    sink = pipeline.get_by_name("s").get_static_pad("sink")
    pipeline.get_by_name("d").connect("pad-added", lambda _, pad: pad.link(sink))
    for _ in range(3):
        assert play(pipeline).frames == CUTS


def test_joined_files_are_counted_through_and_told_in_running_time(film, tmp_path):
    out = tmp_path / "cuts.json"
    pipeline = Gst.parse_launch("concat name=c ! scenecut name=s ! fakesink s.cuts ! filesink name=o "
                                "filesrc name=f ! decodebin ! c. filesrc name=g ! decodebin ! c.")
    pipeline.get_by_name("f").set_property("location", film)
    pipeline.get_by_name("g").set_property("location", film)
    pipeline.get_by_name("o").set_property("location", str(out))
    run = play(pipeline)
    assert not run.errors
    assert run.frames == [*CUTS, FRAMES, *(FRAMES + c for c in CUTS)]
    cuts = json.loads(out.read_text())
    assert [c["end-frame"] for c in cuts["clips"]] == [*run.frames, 2 * FRAMES]
    assert all(a["end"] <= b["end"] for a, b in zip(cuts["clips"], cuts["clips"][1:]))


def test_a_table_of_contents_reaches_downstream(film):
    pipeline = Gst.parse_launch("filesrc name=f ! decodebin ! scenecut name=s ! fakesink name=k")
    pipeline.get_by_name("f").set_property("location", film)
    seen = []

    def probe(pad, info):
        event = info.get_event()
        if event.type == Gst.EventType.TOC:
            toc, _ = event.parse_toc()
            seen.extend(entry.get_start_stop_times()[1:] for entry in toc.get_entries())
        return Gst.PadProbeReturn.OK

    pipeline.get_by_name("k").get_static_pad("sink").add_probe(Gst.PadProbeType.EVENT_DOWNSTREAM, probe)
    run = play(pipeline)
    assert [start for start, _ in seen] == [0, *(c["stream-time"] for c in run.cuts)]
    assert all(a[1] == b[0] for a, b in zip(seen, seen[1:]))


# --- the house ------------------------------------------------------------------------------------


def test_decoded_frames_are_not_copied_on_the_way(film):
    """What goes in and what comes out is the same memory."""
    pipeline = Gst.parse_launch("filesrc name=f ! decodebin ! scenecut name=s force-key-units=true ! fakesink")
    pipeline.get_by_name("f").set_property("location", film)
    inside, outside = [], []

    def record(into):
        def probe(pad, info):
            into.append((info.get_buffer().pts, hash(info.get_buffer().peek_memory(0))))
            return Gst.PadProbeReturn.OK
        return probe

    s = pipeline.get_by_name("s")
    s.get_static_pad("sink").add_probe(Gst.PadProbeType.BUFFER, record(inside))
    s.get_static_pad("src").add_probe(Gst.PadProbeType.BUFFER, record(outside))
    assert not play(pipeline).errors
    assert inside == outside and len(inside) == FRAMES


EXAMPLES = re.findall(r"^(gst-launch-1\.0 .*scenecut.*)$", (ROOT / "docs/elements/scenecut.md").read_text(), re.MULTILINE)


@pytest.mark.parametrize("number", range(len(EXAMPLES)))
def test_the_examples_of_the_page_run_and_leak_nothing(film, tmp_path, number):
    (tmp_path / "film.mp4").write_bytes(pathlib.Path(film).read_bytes())
    done = subprocess.run(shlex.split(EXAMPLES[number]), cwd=tmp_path, capture_output=True, text=True, timeout=60,
                          env=dict(os.environ, GST_TRACERS="leaks", GST_DEBUG="GST_TRACER:7", GST_DEBUG_NO_COLOR="1"))
    assert done.returncode == 0, done.stderr[-2000:]
    alive = [line for line in done.stderr.splitlines() if ":: object-alive," in line]
    assert alive == []
    made = [p.name for p in tmp_path.iterdir() if p.name != "film.mp4"]
    if "location=" in EXAMPLES[number].split("film.mp4", 1)[1]:
        assert len(made) == 1 and (tmp_path / made[0]).stat().st_size > 100
    else:
        assert f"scenecut-summary, frames=(guint64){FRAMES}" in done.stdout
        assert ("scenecut, index=(uint)0, frame=(guint64)40" in done.stdout) == ("method=" not in EXAMPLES[number])


def test_there_are_examples():
    assert len(EXAMPLES) >= 5
