// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace clips::s3 {

// An element of a store's reply. Attributes are not kept: no S3 reply that we read has any beyond
// a namespace. Names are without their prefix.
struct XmlElement {
  std::string name;
  std::string text;  // of the element itself, entities resolved
  std::vector<XmlElement> children;

  const XmlElement* child(std::string_view name) const;
  // The text of a child, trimmed; empty when there is none.
  std::string_view child_text(std::string_view name) const;
};

// Reads a document of limited depth and size. What is not well-formed, or has a document type (the
// way to entity bombs), is none.
std::optional<XmlElement> parse_xml(std::string_view document);
std::string xml_escape(std::string_view text);

}  // namespace clips::s3
