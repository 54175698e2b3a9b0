#include "qzo/core/json_file.h"

#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "qzo/core/error.h"
#include "qzo/core/fs.h"
#include "qzo/core/text.h"

namespace qzo::core {

namespace {

std::string position_text(std::string_view text_bytes, std::size_t offset) {
  std::size_t line = 1;
  std::size_t column = 1;
  for (std::size_t i = 0; i < std::min(offset, text_bytes.size()); ++i) {
    if (text_bytes[i] == '\n') {
      ++line;
      column = 1;
    } else {
      ++column;
    }
  }
  return text("line ", line, ", column ", column);
}

// Builds the value itself, so that duplicate keys and deep nesting are seen before they do harm.
class StrictBuilder : public nlohmann::json_sax<Json> {
 public:
  StrictBuilder(std::string_view bytes, std::string source, int max_depth)
      : bytes_(bytes), source_(std::move(source)), max_depth_(max_depth) {}

  Json root;

  bool null() override { return add(nullptr); }
  bool boolean(bool value) override { return add(value); }
  bool number_integer(number_integer_t value) override { return add(value); }
  bool number_unsigned(number_unsigned_t value) override { return add(value); }
  bool number_float(number_float_t value, const string_t&) override { return add(value); }
  bool string(string_t& value) override { return add(std::move(value)); }
  bool binary(binary_t&) override { return false; }

  bool start_object(std::size_t) override { return open(Json::object()); }
  bool end_object() override { return close(); }
  bool start_array(std::size_t) override { return open(Json::array()); }
  bool end_array() override { return close(); }

  bool key(string_t& name) override {
    if (stack_.back()->contains(name)) {
      throw UserError(text(source_, ": the key ", quoted(path_to(name)), " appears twice; keep one of them"));
    }
    key_ = name;
    return true;
  }

  bool parse_error(std::size_t position, const std::string&, const nlohmann::detail::exception& error) override {
    // nlohmann's sentence ends with the reason after the last "; " or " - ".
    std::string reason = error.what();
    if (const auto dash = reason.find(" - "); dash != std::string::npos) reason = reason.substr(dash + 3);
    throw UserError(text(source_, ": not valid JSON at ", position_text(bytes_, position == 0 ? 0 : position - 1), ": ",
                         reason.substr(0, 200)));
  }

 private:
  template <class Value>
  Json* place(Value&& value) {
    if (stack_.empty()) {
      root = std::forward<Value>(value);
      return &root;
    }
    Json& parent = *stack_.back();
    if (parent.is_array()) {
      parent.push_back(std::forward<Value>(value));
      return &parent.back();
    }
    return &(parent[key_] = std::forward<Value>(value));
  }
  template <class Value>
  bool add(Value&& value) {
    place(std::forward<Value>(value));
    return true;
  }
  bool open(Json container) {
    if (static_cast<int>(stack_.size()) >= max_depth_) {
      throw UserError(text(source_, ": JSON nested deeper than ", max_depth_, " levels; such a file is not accepted"));
    }
    names_.push_back(!stack_.empty() && stack_.back()->is_object() ? key_ : "");
    stack_.push_back(place(std::move(container)));
    return true;
  }
  bool close() {
    stack_.pop_back();
    names_.pop_back();
    return true;
  }
  [[nodiscard]] std::string path_to(const std::string& name) const {
    std::string path;
    for (const std::string& part : names_) path += part.empty() ? "" : part + ".";
    return path + name;
  }

  std::string_view bytes_;
  std::string source_;
  int max_depth_;
  // Pointers stay valid: a container grows only at its end, and only the innermost one is open for growth.
  std::vector<Json*> stack_;
  std::vector<std::string> names_;
  std::string key_;
};

}  // namespace

Json parse_json(std::string_view bytes, const std::string& source, int max_depth) {
  if (!valid_utf8(bytes)) throw UserError(text(source, ": not valid JSON: the text is not UTF-8"));
  StrictBuilder builder(bytes, source, max_depth);
  Json::sax_parse(bytes.begin(), bytes.end(), &builder);
  return std::move(builder.root);
}

Json read_json(const std::filesystem::path& file, std::uint64_t max_bytes) {
  return parse_json(read_file(file, max_bytes), file.string());
}

std::map<std::string, int> json_key_lines(std::string_view bytes) {
  std::map<std::string, int> lines;
  std::vector<std::string> path;
  std::optional<std::pair<std::string, int>> last_string;  // a string that may turn out to be a key
  std::string key;
  int line = 1;
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    const char c = bytes[i];
    if (c == '\n') ++line;
    if (c == '"') {
      std::string value;
      for (++i; i < bytes.size() && bytes[i] != '"'; ++i) {
        if (bytes[i] == '\\') ++i;
        if (i < bytes.size()) value += bytes[i];
      }
      last_string = {std::move(value), line};
    } else if (c == ':' && last_string) {
      key = last_string->first;
      std::string full;
      for (const std::string& part : path) full += part.empty() ? "" : part + ".";
      lines.emplace(full + key, last_string->second);
      last_string.reset();
    } else if (c == '{' || c == '[') {
      path.push_back(std::exchange(key, ""));
    } else if ((c == '}' || c == ']') && !path.empty()) {
      path.pop_back();
    }
  }
  return lines;
}

}  // namespace qzo::core
