// SPDX-License-Identifier: LGPL-2.1-or-later
// Replies of a store: as XML, as the cause of a failure, as temporary credentials.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "credentials.hpp"
#include "failure.hpp"
#include "text.hpp"
#include "uri.hpp"
#include "xml.hpp"

using namespace clips::s3;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (const auto document = parse_xml(text)) {
    document->child_text("Code");
    const auto again = parse_xml("<a>" + xml_escape(document->text) + "</a>");
    if (!again || again->text != document->text) std::abort();
  }
  for (const int status : {200, 301, 400, 403, 404, 503}) {
    const Failure failure =
        judge({.status = status, .headers = {}, .body = std::string(text)},
              {.host = "host", .bucket = "bucket", .versioned = false, .now = WallTime()}, true);
    for (const std::string& shown : {failure.error.reason, failure.error.detail,
                                     failure.error.s3_code, failure.error.request_id}) {
      if (has_control_characters(shown)) std::abort();
    }
    if (!failure.region.empty() && !is_region_name(failure.region)) std::abort();
  }
  if (const auto credentials = parse_sts_reply(text)) {
    if (has_control_characters(credentials->session_token)) std::abort();
  }
  return 0;
}
