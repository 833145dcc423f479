// SPDX-License-Identifier: LGPL-2.1-or-later
#include <gst/gst.h>
#include <gtest/gtest.h>

#include <stdexcept>

#include "common/guard.hpp"
#include "common/handles.hpp"
#include "common/instance.hpp"

using namespace clips;

class Common : public ::testing::Test {
 protected:
  static void SetUpTestSuite() { gst_init(nullptr, nullptr); }
};

TEST_F(Common, adopt_takes_the_reference_over_and_retain_adds_one) {
  GstCaps* caps = gst_caps_new_empty_simple("video/x-raw");
  {
    const auto owner = CapsRef::adopt(caps);
    EXPECT_EQ(1, GST_CAPS_REFCOUNT_VALUE(caps));
    const auto second = CapsRef::retain(caps);
    EXPECT_EQ(2, GST_CAPS_REFCOUNT_VALUE(caps));
    const CapsRef copy = second;
    EXPECT_EQ(3, GST_CAPS_REFCOUNT_VALUE(caps));
    gst_caps_ref(caps);
  }
  EXPECT_EQ(1, GST_CAPS_REFCOUNT_VALUE(caps));
  gst_caps_unref(caps);
}

TEST_F(Common, release_gives_the_reference_away) {
  auto owner = CapsRef::adopt(gst_caps_new_any());
  GstCaps* caps = owner.release();
  EXPECT_FALSE(owner);
  EXPECT_EQ(1, GST_CAPS_REFCOUNT_VALUE(caps));
  gst_caps_unref(caps);
}

TEST_F(Common, guard_turns_an_exception_into_one_element_error) {
  const auto bin = ElementRef::sink(gst_bin_new("guarded"));
  const auto bus = BusRef::adopt(gst_bus_new());
  gst_element_set_bus(bin.get(), bus.get());
  EXPECT_EQ(GST_FLOW_ERROR, guard(bin.get(), GST_FLOW_ERROR, []() -> GstFlowReturn {
              throw std::runtime_error("%s what went wrong");
            }));
  const auto message = MessageRef::adopt(gst_bus_pop_filtered(bus.get(), GST_MESSAGE_ERROR));
  ASSERT_TRUE(message);
  gchar* details = nullptr;
  GError* error = nullptr;
  gst_message_parse_error(message.get(), &error, &details);
  EXPECT_NE(nullptr, strstr(details, "%s what went wrong"));
  g_clear_error(&error);
  g_free(details);
  EXPECT_FALSE(MessageRef::adopt(gst_bus_pop_filtered(bus.get(), GST_MESSAGE_ERROR)));
  gst_element_set_bus(bin.get(), nullptr);
}

TEST_F(Common, private_state_is_constructed_and_destroyed_in_place) {
  struct State {
    explicit State(int* counter) : alive(counter) { ++*alive; }
    ~State() { --*alive; }
    int* alive;
  };
  int alive = 0;
  alignas(State) unsigned char memory[sizeof(State)] = {};
  construct_private<State>(memory, &alive);
  EXPECT_EQ(1, alive);
  destroy_private<State>(memory);
  EXPECT_EQ(0, alive);
}
