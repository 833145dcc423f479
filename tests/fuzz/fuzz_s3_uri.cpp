// SPDX-License-Identifier: LGPL-2.1-or-later
// Object URIs and endpoints: what is accepted goes into a Host header and a request line.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "text.hpp"
#include "uri.hpp"

using namespace clips::s3;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto name = parse_object_uri(text);
  if (name) {
    const auto again = parse_object_uri(object_uri(*name));
    if (!again || !(*again == *name)) std::abort();
  }
  const auto endpoint = parse_endpoint(text);
  for (const auto& store :
       {endpoint.value_or(amazon_endpoint("us-east-1")), amazon_endpoint("x")}) {
    for (const Addressing addressing : {Addressing::automatic, Addressing::virtual_host}) {
      const Target target = resolve_target(store, addressing, name ? name->bucket : "bucket",
                                           name ? name->key : std::string(text));
      for (const std::string& sent : {target.host, target.path}) {
        if (has_control_characters(sent) || sent.find(' ') != std::string::npos) std::abort();
      }
      if (target.path.find_first_of("?#") != std::string::npos) std::abort();
    }
  }
  if (percent_decode(percent_encode(text, false)) != text) std::abort();
  return 0;
}
