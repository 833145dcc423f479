// SPDX-License-Identifier: LGPL-2.1-or-later
#include <glib.h>
#include <gtest/gtest.h>

#include <limits>
#include <string>

#include "definition.hpp"

using namespace clips;

namespace {

constexpr const char* kWhole = R"(# a comment
[Pipeline]
format=1
name=thumb
long-name=Thumbnail maker
klass=Bin/Transcoder
description=Makes a picture

[Graph]
source=uridecodebin name=decode
output=mp4mux name=mux ! filesink name=file

[Branch video]
from=decode
caps=video/x-raw
launch=queue ! ${encoder}
to=mux
to-properties=trak-timescale=120000
optional=true
stream=picture
if=video

[Branch audio]
from=decode.src_1
launch=queue name=sound
to=mux.audio_0
multiple=true
if=!encoder=b

[Choice encoder]
description=What encodes
default=a
a=x264enc name=enc pass=qual
b=openh264enc name=other

[Parameter input]
type=uri
required=true
description=The input
bind=decode::uri

[Parameter quality]
type=int
minimum=0
maximum=100
default=85
unset=0
description=The quality
bind=enc::quantizer,sound::max-size-buffers; other::qp-min

[Parameter rate]
type=fraction
default=25
template=video/x-raw,framerate={}
description=The rate
bind=sound::caps

[Parameter preset]
type=choice
values=slow;fast
default=fast
description=The speed
bind=enc::speed-preset

[Parameter video]
type=boolean
default=true
description=Whether there are pictures

[Pad sink]
element=decode.sink
caps=video/x-raw
)";

Definition parsed(std::string_view text) {
  auto definition = parse_definition(text, "thumb.pipeline");
  if (!definition) throw std::runtime_error(definition.error().to_string());
  return *std::move(definition);
}

std::string replaced(std::string text, const std::string& what, const std::string& with) {
  const auto at = text.find(what);
  if (at == std::string::npos) throw std::runtime_error("the test looks for: " + what);
  return text.replace(at, what.size(), with);
}

Value read(ValueType type, const char* text, const ValueLimits& limits = {}) {
  auto value = parse_value(type, text, limits);
  if (!value) throw std::runtime_error(value.error());
  return *value;
}

std::string refusal(ValueType type, std::string_view text, const ValueLimits& limits = {}) {
  const auto value = parse_value(type, text, limits);
  return value ? "accepted" : value.error();
}

}  // namespace

// --- Definitions ---

TEST(Definition, a_whole_file_is_read) {
  const auto definition = parsed(kWhole);
  EXPECT_EQ("thumb", definition.name);
  EXPECT_EQ("thumbbin", definition.element_name());
  ASSERT_EQ(2u, definition.graph.size());
  EXPECT_EQ("uridecodebin name=decode", definition.graph[0].second.text);
  ASSERT_EQ(2u, definition.branches.size());
  const auto& video = definition.branches[0];
  EXPECT_EQ("decode", video.from->element);
  EXPECT_EQ("picture", video.slot);
  EXPECT_TRUE(video.optional);
  EXPECT_EQ("video", video.condition->parameter);
  ASSERT_EQ(1u, video.to_properties.size());
  EXPECT_EQ("trak-timescale", video.to_properties[0].first);
  EXPECT_EQ("120000", video.to_properties[0].second);
  const auto& audio = definition.branches[1];
  EXPECT_EQ("src_1", audio.from->pad);
  EXPECT_EQ("audio_0", audio.to->pad);
  EXPECT_EQ("audio", audio.slot);
  EXPECT_TRUE(audio.multiple);
  EXPECT_TRUE(audio.condition->negated);
  EXPECT_EQ("b", audio.condition->value);
  EXPECT_EQ("decode", definition.sink.target.element);
  EXPECT_FALSE(definition.src.present);
}

TEST(Definition, parameters_keep_the_order_of_the_file) {
  std::string names;
  for (const auto& parameter : parsed(kWhole).parameters) names += parameter.name + " ";
  EXPECT_EQ("encoder input quality rate preset video ", names);
}

TEST(Definition, a_bind_has_alternatives_and_several_targets) {
  const auto definition = parsed(kWhole);
  const auto& binds = definition.find_parameter("quality")->binds;
  ASSERT_EQ(2u, binds.size());
  ASSERT_EQ(2u, binds[0].size());
  EXPECT_EQ("enc", binds[0][0].element);
  EXPECT_EQ("quantizer", binds[0][0].property);
  EXPECT_EQ("sound", binds[0][1].element);
  EXPECT_EQ("other", binds[1][0].element);
}

TEST(Definition, a_choice_is_a_parameter_with_the_alternatives_as_values) {
  const auto definition = parsed(kWhole);
  const auto& encoder = *definition.find_parameter("encoder");
  EXPECT_EQ((std::vector<std::string>{"a", "b"}), encoder.limits.choices);
  EXPECT_EQ(Value(std::string("a")), *encoder.default_value);
  EXPECT_EQ("x264enc name=enc pass=qual", encoder.alternatives[0].fragment.text);
}

TEST(Definition, a_choice_without_default_is_auto) {
  const auto definition = parsed(replaced(kWhole, "default=a\n", ""));
  const auto& encoder = *definition.find_parameter("encoder");
  EXPECT_EQ((std::vector<std::string>{"auto", "a", "b"}), encoder.limits.choices);
  EXPECT_EQ(Value(std::string("auto")), *encoder.default_value);
}

TEST(Definition, carriage_returns_and_blanks_around_keys_and_values_do_not_matter) {
  const auto definition = parsed(replaced(kWhole, "name=thumb\n", "  name =  thumb \r\n"));
  EXPECT_EQ("thumb", definition.name);
}

// One fault, and the place that the error has to name.
struct Fault {
  const char* behaviour;
  const char* what;
  const char* with;
  const char* error;
};

class DefinitionFault : public ::testing::TestWithParam<Fault> {};

TEST_P(DefinitionFault, names_file_line_group_and_key) {
  const auto& fault = GetParam();
  const auto definition = parse_definition(replaced(kWhole, fault.what, fault.with), "t.pipeline");
  ASSERT_FALSE(definition) << "was accepted";
  EXPECT_EQ(0u, definition.error().to_string().find(fault.error))
      << definition.error().to_string() << "\nshould begin with\n"
      << fault.error;
}

INSTANTIATE_TEST_SUITE_P(
    Every, DefinitionFault,
    ::testing::Values(
        Fault{"unknown_group", "[Graph]", "[Grave]", "t.pipeline:9: [Grave]: is an unknown group"},
        Fault{"group_without_name", "[Branch video]", "[Branch]",
              "t.pipeline:13: [Branch]: needs a name"},
        Fault{"group_with_bad_name", "[Branch video]", "[Branch Video]",
              "t.pipeline:13: [Branch Video]: needs a name"},
        Fault{"group_twice", "[Branch audio]", "[Branch video]",
              "t.pipeline:23: [Branch video]: has the group [Branch video] a second time; it is in "
              "line 13 already"},
        Fault{"malformed_group_line", "[Graph]", "[Graph",
              "t.pipeline:9: [Pipeline]: has the malformed group line “[Graph”"},
        Fault{"key_twice", "format=1\n", "format=1\nformat=1\n",
              "t.pipeline:4: [Pipeline] format: stands a second time; it is in line 3 already"},
        Fault{"key_before_group", "# a comment", "name=x",
              "t.pipeline:1: name: stands before the first group"},
        Fault{"line_that_is_nothing", "format=1", "format 1",
              "t.pipeline:3: [Pipeline]: has the line “format 1”"},
        Fault{"control_character", "format=1", "format=\f1",
              "t.pipeline:3: [Pipeline]: has a line with a control character"},
        Fault{"malformed_key", "format=1", "for mat=1",
              "t.pipeline:3: [Pipeline]: has the malformed key “for mat”"},
        Fault{"unknown_pipeline_key", "klass=", "class=",
              "t.pipeline:6: [Pipeline] class: is an unknown key; this group has format"},
        Fault{"unknown_branch_key", "to=mux\n", "too=mux\n",
              "t.pipeline:17: [Branch video] too: is an unknown key"},
        Fault{"unknown_parameter_key", "unset=0", "reset=0",
              "t.pipeline:47: [Parameter quality] reset: is an unknown key"},
        Fault{"unknown_pad_key", "element=decode.sink", "elements=decode.sink",
              "t.pipeline:71: [Pad sink] elements: is an unknown key"},
        Fault{"no_format", "format=1\n", "", "t.pipeline:2: [Pipeline] format: is missing"},
        Fault{"other_format", "format=1", "format=2",
              "t.pipeline:3: [Pipeline] format: must be 1, not “2”"},
        Fault{"no_name", "name=thumb\n", "", "t.pipeline:2: [Pipeline] name: is missing"},
        Fault{"bad_name", "name=thumb", "name=my thumb",
              "t.pipeline:4: [Pipeline] name: must have"},
        Fault{"empty_value", "long-name=Thumbnail maker",
              "long-name=", "t.pipeline:5: [Pipeline] long-name: is empty"},
        Fault{"no_graph",
              "[Graph]\nsource=uridecodebin name=decode\noutput=mp4mux name=mux ! "
              "filesink name=file\n",
              "", "t.pipeline: [Graph]: is missing"},
        Fault{"empty_graph",
              "source=uridecodebin name=decode\noutput=mp4mux name=mux ! filesink "
              "name=file\n",
              "", "t.pipeline:9: [Graph]: has no chain"},
        Fault{"open_quote", "filesink name=file", "filesink name=\"file",
              "t.pipeline:11: [Graph] output: has a quote that is never closed"},
        Fault{"unknown_escape", "filesink name=file", "filesink name=\\file",
              "t.pipeline:11: [Graph] output: has a backslash before something else"},
        Fault{"unknown_token", "${encoder}", "${decoder}",
              "t.pipeline:16: [Branch video] launch: has the unknown token “${decoder}”"},
        Fault{"token_that_is_a_parameter", "${encoder}", "${preset}",
              "t.pipeline:16: [Branch video] launch: has the unknown token “${preset}”"},
        Fault{"malformed_token", "${encoder}", "${en coder}",
              "t.pipeline:16: [Branch video] launch: has the malformed token “${en coder}”"},
        Fault{"launch_without_unset", "bind=enc::speed-preset",
              "bind=enc::speed-preset\nlaunch=queue !",
              "t.pipeline:64: [Parameter preset] launch: needs unset"},
        Fault{"launch_with_token", "unset=0\n", "unset=0\nlaunch=${encoder}\n",
              "t.pipeline:48: [Parameter quality] launch: has a token"},
        Fault{"launch_that_nothing_uses", "unset=0\n", "unset=0\nlaunch=queue !\n",
              "t.pipeline:48: [Parameter quality] launch: is used by no ${quality} token"},
        Fault{"open_token", "${encoder}", "${encoder",
              "t.pipeline:16: [Branch video] launch: has a ${ that is never closed"},
        Fault{"token_twice", "queue ! ${encoder}", "${encoder} ! ${encoder}",
              "t.pipeline:16: [Branch video] launch: uses “${encoder}” a second time"},
        Fault{"choice_that_nothing_uses", "queue ! ${encoder}", "queue name=enc",
              "t.pipeline:30: [Choice encoder]: is used by no ${encoder} token"},
        Fault{"element_name_twice", "queue name=sound", "queue name=mux",
              "t.pipeline:25: [Branch audio] launch: names a second element “mux”"},
        Fault{"element_name_of_an_alternative", "queue name=sound", "queue name=other",
              "t.pipeline:25: [Branch audio] launch: names a second element “other”"},
        Fault{"from_nowhere", "from=decode\n", "from=demux\n",
              "t.pipeline:14: [Branch video] from: names the element “demux”"},
        Fault{"from_its_own_element", "from=decode.src_1", "from=sound",
              "t.pipeline:24: [Branch audio] from: names an element of the branch itself"},
        Fault{"malformed_from", "from=decode.src_1", "from=decode.src 1",
              "t.pipeline:24: [Branch audio] from: must be an element or element.pad"},
        Fault{"to_nowhere", "to=mux.audio_0", "to=muxer.audio_0",
              "t.pipeline:26: [Branch audio] to: names the element “muxer”"},
        Fault{"no_launch", "launch=queue ! ${encoder}\n", "",
              "t.pipeline:13: [Branch video] launch: is missing"},
        Fault{"stream_without_from", "from=decode\n", "",
              "t.pipeline:14: [Branch video] caps: needs from"},
        Fault{"pad_properties_without_to", "to=mux\n", "",
              "t.pipeline:17: [Branch video] to-properties: needs to"},
        Fault{"malformed_pad_property", "to-properties=trak-timescale=120000",
              "to-properties=trak-timescale",
              "t.pipeline:18: [Branch video] to-properties: must be property=value"},
        Fault{"no_boolean", "optional=true", "optional=maybe",
              "t.pipeline:19: [Branch video] optional: must be true or false, not “maybe”"},
        Fault{"shared_stream_of_other_element", "from=decode.src_1\nlaunch=queue name=sound",
              "stream=picture\nfrom=mux\nlaunch=queue name=sound",
              "t.pipeline:13: [Branch video] stream: is shared with [Branch audio]"},
        Fault{"shared_stream_once_and_often", "from=decode.src_1",
              "from=decode.src_1\nstream=picture",
              "t.pipeline:13: [Branch video] multiple: differs from [Branch audio]"},
        Fault{"if_of_unknown_parameter", "if=video", "if=vid",
              "t.pipeline:21: [Branch video] if: names the unknown parameter “vid”"},
        Fault{"if_of_number", "if=video", "if=quality",
              "t.pipeline:21: [Branch video] if: must be a boolean parameter"},
        Fault{"if_of_boolean_with_value", "if=video", "if=video=true",
              "t.pipeline:21: [Branch video] if: must be a boolean parameter"},
        Fault{"if_of_choice_without_value", "if=!encoder=b", "if=encoder",
              "t.pipeline:28: [Branch audio] if: needs a value"},
        Fault{"if_of_choice_with_unknown_value", "if=!encoder=b", "if=encoder=c",
              "t.pipeline:28: [Branch audio] if: must be one of a, b, not “c”"},
        Fault{"choice_default_unknown", "default=a\n", "default=c\n",
              "t.pipeline:32: [Choice encoder] default: must be one of a, b, not “c”"},
        Fault{"choice_without_alternatives",
              "a=x264enc name=enc pass=qual\nb=openh264enc name=other\n", "",
              "t.pipeline:30: [Choice encoder]: has no alternative"},
        Fault{"choice_called_auto", "b=openh264enc", "auto=openh264enc",
              "t.pipeline:34: [Choice encoder] auto: is what a choice without a default"},
        Fault{"choice_with_token", "b=openh264enc", "b=${encoder}",
              "t.pipeline:34: [Choice encoder] b: has a token"},
        Fault{"choice_with_a_name_twice", "x264enc name=enc pass=qual",
              "x264enc name=enc ! queue name=enc",
              "t.pipeline:33: [Choice encoder] a: names a second element “enc”"},
        Fault{"no_type", "type=uri\n", "", "t.pipeline:36: [Parameter input] type: is missing"},
        Fault{"unknown_type", "type=uri", "type=url",
              "t.pipeline:37: [Parameter input] type: must be boolean, int,"},
        Fault{"no_description", "description=The input\n", "",
              "t.pipeline:36: [Parameter input] description: is missing"},
        Fault{"default_of_required", "required=true", "required=true\ndefault=x",
              "t.pipeline:39: [Parameter input] default: is never used"},
        Fault{"number_without_default", "default=85\n", "",
              "t.pipeline:42: [Parameter quality] default: is missing"},
        Fault{"default_above_maximum", "default=85", "default=101",
              "t.pipeline:46: [Parameter quality] default: must be between 0 and 100, not “101”"},
        Fault{"default_below_minimum", "default=85", "default=-1",
              "t.pipeline:46: [Parameter quality] default: must be between 0 and 100, not “-1”"},
        Fault{"default_of_other_type", "default=85", "default=high",
              "t.pipeline:46: [Parameter quality] default: must be a whole number"},
        Fault{"unset_out_of_range", "unset=0", "unset=-5",
              "t.pipeline:47: [Parameter quality] unset: must be between 0 and 100"},
        Fault{"maximum_below_minimum", "maximum=100", "maximum=-100",
              "t.pipeline:45: [Parameter quality] maximum: must be at least 0, not “-100”"},
        Fault{"range_of_text", "description=The input", "description=The input\nminimum=0",
              "t.pipeline:40: [Parameter input] minimum: is for numbers"},
        Fault{"values_of_number", "minimum=0\n", "values=0;1\n",
              "t.pipeline:44: [Parameter quality] values: is for parameters of type choice"},
        Fault{"choice_without_values", "values=slow;fast\n", "",
              "t.pipeline:58: [Parameter preset] values: is missing"},
        Fault{"value_twice", "values=slow;fast", "values=fast;fast",
              "t.pipeline:60: [Parameter preset] values: has “fast” twice"},
        Fault{"default_that_is_no_value", "default=fast", "default=medium",
              "t.pipeline:61: [Parameter preset] default: must be one of slow, fast"},
        Fault{"bind_to_nothing", "bind=decode::uri", "bind=source::uri",
              "t.pipeline:40: [Parameter input] bind: names the element “source”, which no graph, "
              "branch or choice offers"},
        Fault{"malformed_bind", "bind=decode::uri", "bind=decode.uri",
              "t.pipeline:40: [Parameter input] bind: must be element::property"},
        Fault{"empty_bind_item", "bind=decode::uri", "bind=;decode::uri",
              "t.pipeline:40: [Parameter input] bind: has an empty item"},
        Fault{"no_bind", "bind=decode::uri\n", "",
              "t.pipeline:36: [Parameter input] bind: is missing"},
        Fault{"template_without_place", "framerate={}", "framerate=25",
              "t.pipeline:54: [Parameter rate] template: must contain {}"},
        Fault{"template_of_text", "bind=decode::uri", "bind=decode::uri\ntemplate=x{}",
              "t.pipeline:41: [Parameter input] template: is for numbers"},
        Fault{"reserved_parameter", "[Parameter rate]", "[Parameter name]",
              "t.pipeline:51: [Parameter name]: has a name that every bin uses itself"},
        Fault{"parameter_and_choice_of_one_name", "[Parameter rate]", "[Parameter encoder]",
              "t.pipeline:51: [Parameter encoder]: has the name of another"},
        Fault{"pad_of_unknown_element", "element=decode.sink", "element=nothing.sink",
              "t.pipeline:71: [Pad sink] element: names the element “nothing”"},
        Fault{"pad_without_element", "element=decode.sink\n", "",
              "t.pipeline:70: [Pad sink] element: is missing"}),
    [](const auto& fault) { return std::string(fault.param.behaviour); });

TEST(Definition, bytes_that_are_no_text_are_refused) {
  const auto message = [](std::string_view text) {
    return parse_definition(text, "x").error().message;
  };
  EXPECT_EQ("is not UTF-8", message("[Pipeline]\nname=\xff\n"));
  EXPECT_EQ("contains a NUL byte, so it is no pipeline definition",
            message(std::string_view("[Pipe\0line]", 11)));
  EXPECT_EQ("is larger than 1 MiB, so it is no pipeline definition",
            message(std::string(kMaximumDefinitionSize + 1, '#')));
  EXPECT_EQ("is missing", message(""));
}

TEST(Definition, what_is_accepted_means_the_same_to_gkeyfile) {
  const auto groups = parse_key_file(kWhole, "t.pipeline");
  ASSERT_TRUE(groups);
  GKeyFile* peer = g_key_file_new();
  ASSERT_TRUE(
      g_key_file_load_from_data(peer, kWhole, static_cast<gsize>(-1), G_KEY_FILE_NONE, nullptr));
  for (const auto& group : *groups) {
    for (const auto& entry : group.entries) {
      gchar* value = g_key_file_get_string(peer, group.name.c_str(), entry.key.c_str(), nullptr);
      ASSERT_NE(nullptr, value) << group.name << " " << entry.key;
      EXPECT_EQ(unescape_key_file_string(entry.raw).value(), value);
      g_free(value);
    }
  }
  g_key_file_free(peer);
}

// --- gst-launch text ---

TEST(LaunchText, finds_factories_names_and_tokens) {
  const auto scan = scan_launch_text(
      "filesrc name=source location=\"a ! b name=no\" ! video/x-raw, format=(string){ I420, NV12 } "
      "! x264enc option-string='a b' name=\"enc\"! ${tail} mux. audiotestsrc ! queue ! "
      "mux.audio_0");
  ASSERT_TRUE(scan);
  std::string found;
  for (const auto& element : scan->elements) found += element.factory + ":" + element.name + " ";
  EXPECT_EQ("filesrc:source x264enc:enc audiotestsrc: queue: ", found);
  EXPECT_EQ(std::vector<std::string>{"tail"}, scan->tokens);
}

TEST(LaunchText, a_range_with_blanks_is_no_element) {
  const auto scan = scan_launch_text("videoscale ! video/x-raw,width=[ 1, 100 ] ! fakesink");
  ASSERT_TRUE(scan);
  EXPECT_EQ(2u, scan->elements.size());
}

// --- Values ---

TEST(Value, time_reads_seconds_units_and_clock_notation) {
  const auto ns = [](const char* text) {
    return std::get<std::uint64_t>(read(ValueType::Time, text));
  };
  EXPECT_EQ(12'500'000'000u, ns("12.5"));
  EXPECT_EQ(12'500'000'000u, ns("12.5s"));
  EXPECT_EQ(1u, ns("0.000000001"));
  EXPECT_EQ(400'000'000u, ns("400ms"));
  EXPECT_EQ(1'500u, ns("1.5us"));
  EXPECT_EQ(5u, ns("5ns"));
  EXPECT_EQ(150'000'000'000u, ns("2.5m"));
  EXPECT_EQ(3'600'000'000'000u, ns("1h"));
  EXPECT_EQ(62'500'000'000u, ns("1:02.5"));
  EXPECT_EQ(3'723'500'000'000u, ns("1:02:03.5"));
  EXPECT_EQ(kTimeNone, ns("none"));
}

TEST(Value, time_refuses_what_it_could_not_keep) {
  for (const char* text : {"", "-1", "1.", ".5", "1e3", "0.0000000001", "1.5ns", "18446744074",
                           "1:60", "1:60:00", "1:2:3:4", "12 s", "s", "1d", "nan"})
    EXPECT_NE("accepted", refusal(ValueType::Time, text)) << text;
}

TEST(Value, numbers_keep_to_their_type) {
  EXPECT_EQ(Value(std::int64_t{-2147483648}), read(ValueType::Int, "-2147483648"));
  EXPECT_NE("accepted", refusal(ValueType::Int, "2147483648"));
  EXPECT_NE("accepted", refusal(ValueType::UInt, "-1"));
  EXPECT_NE("accepted", refusal(ValueType::UInt, "4294967296"));
  EXPECT_EQ(Value(std::numeric_limits<std::int64_t>::min()),
            read(ValueType::Int64, "-9223372036854775808"));
  EXPECT_EQ(Value(std::numeric_limits<std::uint64_t>::max()),
            read(ValueType::UInt64, "18446744073709551615"));
  EXPECT_NE("accepted", refusal(ValueType::UInt64, "18446744073709551616"));
  EXPECT_EQ(Value(0.25), read(ValueType::Double, "0.25"));
  for (const char* text : {"inf", "nan", "1,5", "", " 1", "0x10", "1e999"})
    EXPECT_NE("accepted", refusal(ValueType::Double, text)) << text;
}

TEST(Value, a_fraction_is_reduced_and_has_a_positive_denominator) {
  EXPECT_EQ(Value(Fraction{25, 1}), read(ValueType::Fraction, "50/2"));
  EXPECT_EQ(Value(Fraction{25, 1}), read(ValueType::Fraction, "25"));
  EXPECT_EQ(Value(Fraction{-1, 2}), read(ValueType::Fraction, "-2/4"));
  for (const char* text : {"1/0", "1/-2", "1.5", "/", "1/", "-2147483648/1"})
    EXPECT_NE("accepted", refusal(ValueType::Fraction, text)) << text;
}

TEST(Value, a_range_holds_at_its_ends_and_not_beyond) {
  const ValueLimits limits{Value(Fraction{1, 3}), Value(Fraction{60, 1}), {}};
  EXPECT_EQ("accepted", refusal(ValueType::Fraction, "1/3", limits));
  EXPECT_EQ("accepted", refusal(ValueType::Fraction, "60", limits));
  EXPECT_EQ("must be between 1/3 and 60/1, not “61”", refusal(ValueType::Fraction, "61", limits));
  EXPECT_EQ("must be between 1/3 and 60/1, not “33/100”",
            refusal(ValueType::Fraction, "33/100", limits));
  const ValueLimits half{Value(std::uint64_t{2}), {}, {}};
  EXPECT_EQ("must be at least 2, not “1”", refusal(ValueType::UInt, "1", half));
}

TEST(Value, no_limit_holds_for_the_time_none) {
  const ValueLimits limits{{}, Value(std::uint64_t{1'000'000'000}), {}};
  EXPECT_EQ("accepted", refusal(ValueType::Time, "none", limits));
  EXPECT_EQ("must be at most 1s, not “2”", refusal(ValueType::Time, "2", limits));
}

TEST(Value, locations_are_paths_or_uris_and_any_bytes_of_a_path_are_kept) {
  const std::string odd = "/tmp/a 'b' \"c\" ! d\n%n \xff.mp4";
  EXPECT_EQ(Value(odd), read(ValueType::Filename, odd.c_str()));
  EXPECT_EQ(odd, to_path(odd).value());
  EXPECT_EQ("file:///tmp/a%20'b'%20%22c%22%20!%20d%0A%25n%20%FF.mp4", to_uri(odd).value());
  EXPECT_EQ(odd, to_path(to_uri(odd).value()).value());
  EXPECT_EQ("s3://bucket/key", to_uri("s3://bucket/key").value());
  EXPECT_EQ("must not be empty", refusal(ValueType::Uri, ""));
  EXPECT_NE("accepted", refusal(ValueType::Uri, "s3://"));
  EXPECT_NE("accepted", refusal(ValueType::Uri, "http://host/a\nb"));
  EXPECT_NE("accepted", refusal(ValueType::Filename, "http://host/a"));
  EXPECT_NE("accepted", refusal(ValueType::Uri, std::string_view("a\0b", 3)));
}

TEST(Value, a_shown_location_has_no_credentials) {
  EXPECT_EQ("https://host/a.mp4",
            display_location("https://user:secret@host/a.mp4?X-Amz-Signature=secret#x"));
  EXPECT_EQ("s3://bucket/a@b", display_location("s3://bucket/a@b"));
  EXPECT_EQ("a?b\xef\xbf\xbd", display_location("a\nb\xff"));
}

TEST(Value, what_is_printed_reads_back_as_the_same) {
  struct Case {
    ValueType type;
    Value value;
  };
  for (const auto& [type, value] :
       {Case{ValueType::Boolean, Value(true)}, Case{ValueType::Int, Value(std::int64_t{-7})},
        Case{ValueType::UInt64, Value(kTimeNone)}, Case{ValueType::Double, Value(0.1)},
        Case{ValueType::Double, Value(1e300)},
        Case{ValueType::Time, Value(std::uint64_t{1'000'000'001})},
        Case{ValueType::Time, Value(kTimeNone)}, Case{ValueType::Time, Value(kTimeNone - 1)},
        Case{ValueType::Fraction, Value(Fraction{30000, 1001})}}) {
    const auto text = format_value(type, value);
    EXPECT_EQ(value, read(type, text.c_str())) << text;
  }
}
