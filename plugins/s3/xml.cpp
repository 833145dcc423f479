// SPDX-License-Identifier: LGPL-2.1-or-later
#include "xml.hpp"

#include <charconv>

#include "text.hpp"

namespace clips::s3 {

namespace {

constexpr std::size_t kLargestDocument = 16 << 20;
constexpr int kDeepest = 24;

bool is_blank(char c) {
  return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}
bool ends_name(char c) {
  return is_blank(c) || c == '>' || c == '/' || c == '<' || c == '=';
}

void append_utf8(std::string& out, unsigned code) {
  if (code < 0x80) {
    out += static_cast<char>(code);
  } else if (code < 0x800) {
    out += static_cast<char>(0xc0 | (code >> 6));
    out += static_cast<char>(0x80 | (code & 0x3f));
  } else if (code < 0x10000) {
    out += static_cast<char>(0xe0 | (code >> 12));
    out += static_cast<char>(0x80 | ((code >> 6) & 0x3f));
    out += static_cast<char>(0x80 | (code & 0x3f));
  } else {
    out += static_cast<char>(0xf0 | (code >> 18));
    out += static_cast<char>(0x80 | ((code >> 12) & 0x3f));
    out += static_cast<char>(0x80 | ((code >> 6) & 0x3f));
    out += static_cast<char>(0x80 | (code & 0x3f));
  }
}

class Reader {
 public:
  explicit Reader(std::string_view text) : rest_(text) {}

  std::optional<XmlElement> document() {
    if (!skip_misc()) return std::nullopt;
    XmlElement root;
    if (!element(root, 0) || !skip_misc() || !rest_.empty()) return std::nullopt;
    return root;
  }

 private:
  bool take(std::string_view token) {
    if (!rest_.starts_with(token)) return false;
    rest_.remove_prefix(token.size());
    return true;
  }

  void skip_blanks() {
    while (!rest_.empty() && is_blank(rest_.front())) rest_.remove_prefix(1);
  }

  bool skip_past(std::string_view token) {
    const auto found = rest_.find(token);
    if (found == std::string_view::npos) return false;
    rest_.remove_prefix(found + token.size());
    return true;
  }

  // Blanks, comments and processing instructions around the root.
  bool skip_misc() {
    take("\xef\xbb\xbf");
    for (;;) {
      skip_blanks();
      if (take("<?")) {
        if (!skip_past("?>")) return false;
      } else if (take("<!--")) {
        if (!skip_past("-->")) return false;
      } else {
        return true;
      }
    }
  }

  std::string_view name() {
    std::size_t end = 0;
    while (end < rest_.size() && !ends_name(rest_[end])) ++end;
    const std::string_view result = rest_.substr(0, end);
    rest_.remove_prefix(end);
    return result;
  }

  // Up to and with the end of a start tag; `empty` says that it was <name/>.
  bool attributes(bool& empty) {
    for (;;) {
      skip_blanks();
      if (take("/>")) {
        empty = true;
        return true;
      }
      if (take(">")) {
        empty = false;
        return true;
      }
      if (name().empty()) return false;
      skip_blanks();
      if (!take("=")) return false;
      skip_blanks();
      if (rest_.empty() || (rest_.front() != '"' && rest_.front() != '\'')) return false;
      const char quote = rest_.front();
      rest_.remove_prefix(1);
      if (!skip_past(std::string_view(&quote, 1))) return false;
    }
  }

  bool entity(std::string& out) {
    const auto semicolon = rest_.substr(0, 12).find(';');
    if (semicolon == std::string_view::npos) return false;
    const std::string_view body = rest_.substr(0, semicolon);
    rest_.remove_prefix(semicolon + 1);
    if (body == "amp") {
      out += '&';
    } else if (body == "lt") {
      out += '<';
    } else if (body == "gt") {
      out += '>';
    } else if (body == "quot") {
      out += '"';
    } else if (body == "apos") {
      out += '\'';
    } else if (body.size() > 1 && body.front() == '#') {
      const bool hex = body[1] == 'x';
      const std::string_view digits = body.substr(hex ? 2 : 1);
      unsigned code = 0;
      const auto [end, error] =
          std::from_chars(digits.data(), digits.data() + digits.size(), code, hex ? 16 : 10);
      if (error != std::errc() || end != digits.data() + digits.size() || code == 0 ||
          code > 0x10ffff || (code >= 0xd800 && code < 0xe000)) {
        return false;
      }
      append_utf8(out, code);
    } else {
      return false;
    }
    return true;
  }

  bool element(XmlElement& out, int depth) {
    if (depth > kDeepest || !take("<")) return false;
    const std::string_view full_name = name();
    if (full_name.empty() || full_name.front() == '!') return false;
    const auto colon = full_name.rfind(':');
    out.name = full_name.substr(colon == std::string_view::npos ? 0 : colon + 1);
    bool empty = false;
    if (!attributes(empty)) return false;
    if (empty) return true;
    for (;;) {
      const auto mark = rest_.find_first_of("<&");
      if (mark == std::string_view::npos) return false;
      out.text.append(rest_.substr(0, mark));
      rest_.remove_prefix(mark);
      if (take("&")) {
        if (!entity(out.text)) return false;
      } else if (take("<![CDATA[")) {
        const auto end = rest_.find("]]>");
        if (end == std::string_view::npos) return false;
        out.text.append(rest_.substr(0, end));
        rest_.remove_prefix(end + 3);
      } else if (take("<!--")) {
        if (!skip_past("-->")) return false;
      } else if (take("<?")) {
        if (!skip_past("?>")) return false;
      } else if (take("</")) {
        if (name() != full_name) return false;
        skip_blanks();
        return take(">");
      } else if (!element(out.children.emplace_back(), depth + 1)) {
        return false;
      }
    }
  }

  std::string_view rest_;
};

}  // namespace

const XmlElement* XmlElement::child(std::string_view wanted) const {
  for (const XmlElement& element : children) {
    if (element.name == wanted) return &element;
  }
  return nullptr;
}

std::string_view XmlElement::child_text(std::string_view wanted) const {
  const XmlElement* found = child(wanted);
  return found ? trim(found->text) : std::string_view();
}

std::optional<XmlElement> parse_xml(std::string_view document) {
  if (document.size() > kLargestDocument) return std::nullopt;
  return Reader(document).document();
}

std::string xml_escape(std::string_view text) {
  std::string result;
  for (const char c : text) {
    switch (c) {
      case '&':
        result += "&amp;";
        break;
      case '<':
        result += "&lt;";
        break;
      case '>':
        result += "&gt;";
        break;
      case '"':
        result += "&quot;";
        break;
      default:
        result += c;
    }
  }
  return result;
}

}  // namespace clips::s3
