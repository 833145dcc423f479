// SPDX-License-Identifier: LGPL-2.1-or-later
#include "failure.hpp"

#include <gst/gst.h>
#include <gtest/gtest.h>

#include "common/handles.hpp"

using namespace clips;
using namespace clips::tool;

namespace {

class Failure : public ::testing::Test {
 protected:
  static void SetUpTestSuite() { gst_init(nullptr, nullptr); }

  // The problem that an element of this factory makes of an error, inside a pipeline.
  Problem of(const char* factory, GQuark domain, int code, const char* text = "Something.") {
    const auto pipeline = ElementRef::sink(gst_pipeline_new("p"));
    GstElement* element = gst_element_factory_make(factory, "e");
    if (!element) throw std::runtime_error(factory);
    gst_bin_add(GST_BIN(pipeline.get()), element);
    const ErrorPtr error(g_error_new_literal(domain, code, text));
    const auto message =
        MessageRef::adopt(gst_message_new_error(GST_OBJECT_CAST(element), error.get(), "debug"));
    return problem_of(message.get());
  }
};

}  // namespace

TEST_F(Failure, whatever_a_source_demuxer_or_decoder_reports_is_the_inputs_fault) {
  for (const char* factory : {"filesrc", "qtdemux", "matroskademux", "avdec_h264", "h264parse",
                              "uridecodebin", "decodebin"}) {
    EXPECT_EQ(ExitCode::bad_input, of(factory, GST_STREAM_ERROR, GST_STREAM_ERROR_FAILED).exit)
        << factory;
    EXPECT_EQ(ExitCode::bad_input,
              of(factory, GST_RESOURCE_ERROR, GST_RESOURCE_ERROR_NOT_FOUND).exit)
        << factory;
  }
}

TEST_F(Failure, whatever_a_sink_reports_is_the_outputs_fault) {
  for (const int code : {GST_RESOURCE_ERROR_NOT_FOUND, GST_RESOURCE_ERROR_OPEN_WRITE,
                         GST_RESOURCE_ERROR_NOT_AUTHORIZED, GST_RESOURCE_ERROR_NO_SPACE_LEFT})
    EXPECT_EQ(ExitCode::not_published, of("filesink", GST_RESOURCE_ERROR, code).exit);
}

TEST_F(Failure, a_sink_that_its_bin_has_let_go_of_is_still_a_sink) {
  const auto sink = ElementRef::sink(gst_element_factory_make("filesink", "e"));
  const ErrorPtr error(
      g_error_new_literal(GST_RESOURCE_ERROR, GST_RESOURCE_ERROR_NOT_FOUND, "Something."));
  const auto message =
      MessageRef::adopt(gst_message_new_error(GST_OBJECT_CAST(sink.get()), error.get(), nullptr));
  EXPECT_EQ(ExitCode::not_published, problem_of(message.get()).exit);
}

TEST_F(Failure, between_them_the_code_decides) {
  EXPECT_EQ(ExitCode::failed, of("x264enc", GST_STREAM_ERROR, GST_STREAM_ERROR_ENCODE).exit);
  EXPECT_EQ(ExitCode::failed, of("mp4mux", GST_STREAM_ERROR, GST_STREAM_ERROR_MUX).exit);
  EXPECT_EQ(ExitCode::not_published,
            of("mp4mux", GST_RESOURCE_ERROR, GST_RESOURCE_ERROR_NO_SPACE_LEFT).exit);
  EXPECT_EQ(ExitCode::bad_input,
            of("identity", GST_STREAM_ERROR, GST_STREAM_ERROR_TYPE_NOT_FOUND).exit);
  EXPECT_EQ(ExitCode::usage, of("identity", GST_RESOURCE_ERROR, GST_RESOURCE_ERROR_SETTINGS).exit);
}

TEST_F(Failure, missing_plugins_come_before_all) {
  EXPECT_EQ(ExitCode::missing_plugin,
            of("decodebin", GST_CORE_ERROR, GST_CORE_ERROR_MISSING_PLUGIN).exit);
  EXPECT_EQ(ExitCode::missing_plugin,
            of("decodebin", GST_STREAM_ERROR, GST_STREAM_ERROR_CODEC_NOT_FOUND).exit);
}

TEST_F(Failure, fields_are_words_and_the_text_is_one_line_without_secrets) {
  const Problem problem = of("filesrc", GST_RESOURCE_ERROR, GST_RESOURCE_ERROR_NOT_FOUND,
                             "No such file \"a\nb\": http://u:p@host/k?signature=1");
  EXPECT_EQ("resource", problem.domain);
  EXPECT_EQ("not-found", problem.code);
  EXPECT_EQ("/GstPipeline:p/GstFileSrc:e", problem.source);
  EXPECT_EQ("No such file \"a\\nb\": http://...@host/k?...", problem.message);
  EXPECT_FALSE(problem.consequence);
}

TEST_F(Failure, a_stream_that_broke_off_is_a_consequence) {
  EXPECT_TRUE(of("filesrc", GST_STREAM_ERROR, GST_STREAM_ERROR_FAILED).consequence);
}
