#include "qzo/core/json_file.h"

#include <cstddef>
#include <iterator>
#include <optional>
#include <utility>
#include <vector>

#include "qzo/core/error.h"
#include "qzo/core/fs.h"
#include "qzo/core/text.h"

namespace qzo::core {

namespace {

// Columns count characters, not bytes.
std::string position_text(std::string_view bytes, std::size_t offset) {
  std::size_t line = 1;
  std::size_t column = 1;
  for (const char c : bytes.substr(0, offset)) {
    if (c == '\n') {
      ++line;
      column = 1;
    } else if ((static_cast<unsigned char>(c) & 0xC0) != 0x80) {
      ++column;
    }
  }
  return text("line ", line, ", column ", column);
}

// Reads a text and leaves in `*consumed` how far the parser has come: its events carry no position.
class TrackedIterator {
 public:
  using iterator_category = std::input_iterator_tag;
  using value_type = char;
  using difference_type = std::ptrdiff_t;
  using pointer = const char*;
  using reference = const char&;

  TrackedIterator(std::string_view bytes, std::size_t at, std::size_t* consumed)
      : bytes_(bytes), at_(at), consumed_(consumed) {}
  reference operator*() const { return bytes_[at_]; }
  TrackedIterator& operator++() {
    *consumed_ = ++at_;
    return *this;
  }
  TrackedIterator operator++(int) {
    const TrackedIterator before = *this;
    ++*this;
    return before;
  }
  bool operator==(const TrackedIterator& other) const { return at_ == other.at_; }

 private:
  std::string_view bytes_;
  std::size_t at_;
  std::size_t* consumed_;
};

// The reason in a message of nlohmann's, which stands behind the exception's name and the place.
std::string reason_of(const nlohmann::detail::exception& error) {
  std::string_view reason = error.what();
  if (const auto name = reason.find("] "); name != std::string_view::npos) reason.remove_prefix(name + 2);
  // Only up to the quoted text of the file, where a dash means nothing.
  const auto last_read = reason.find("last read: ");
  if (const auto dash = reason.find(" - "); dash < last_read) reason.remove_prefix(dash + 3);
  return printable(reason, 200);
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
      throw UserError(text(source_, ": the key ", quoted(path_to(name)), " appears twice, again at ", here(),
                           "; keep one of them"));
    }
    key_ = name;
    return true;
  }

  bool parse_error(std::size_t read, const std::string&, const nlohmann::detail::exception& error) override {
    throw UserError(text(source_, ": not valid JSON at ", last_of(read), ": ", reason_of(error)));
  }

  [[nodiscard]] TrackedIterator begin() { return {bytes_, 0, &consumed_}; }
  [[nodiscard]] TrackedIterator end() { return {bytes_, bytes_.size(), &consumed_}; }

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
      throw UserError(text(source_, ": JSON nested deeper than ", max_depth_, " levels at ", here(),
                           "; such a file is not accepted"));
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
  [[nodiscard]] std::string last_of(std::size_t read) const { return position_text(bytes_, read == 0 ? 0 : read - 1); }
  // Exact behind strings and brackets; behind a number the parser has looked one character ahead.
  [[nodiscard]] std::string here() const { return last_of(consumed_); }
  [[nodiscard]] std::string path_to(const std::string& name) const {
    std::string path;
    for (const std::string& part : names_) path += part.empty() ? "" : part + ".";
    return path + name;
  }

  std::string_view bytes_;
  std::string source_;
  int max_depth_;
  std::size_t consumed_ = 0;
  // Pointers stay valid: a container grows only at its end, and only the innermost one is open for growth.
  std::vector<Json*> stack_;
  std::vector<std::string> names_;
  std::string key_;
};

}  // namespace

Json parse_json(std::string_view bytes, const std::string& source, int max_depth) {
  if (const std::size_t sound = valid_utf8_length(bytes); sound != bytes.size()) {
    throw UserError(text(source, ": not valid JSON at ", position_text(bytes, sound),
                         ": the text is not UTF-8; convert the file to UTF-8"));
  }
  StrictBuilder builder(bytes, source, max_depth);
  Json::sax_parse(builder.begin(), builder.end(), &builder);
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
    } else if (c == ',') {
      key.clear();  // an element of an array has no key, even behind an object whose last key is still here
    } else if ((c == '}' || c == ']') && !path.empty()) {
      path.pop_back();
    }
  }
  return lines;
}

}  // namespace qzo::core
