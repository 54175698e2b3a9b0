#include "tokenizer/normalizer.h"

#include <utility>

namespace qzo::tokenizer {

namespace {

class NormalFormStep final : public Normalizer {
 public:
  explicit NormalFormStep(NormalForm form) : form_(form) {}
  void apply(std::string& text) const override { text = normalize(text, form_); }

 private:
  NormalForm form_;
};

class Lowercase final : public Normalizer {
 public:
  void apply(std::string& text) const override { text = lowercase(text); }
};

class Prepend final : public Normalizer {
 public:
  explicit Prepend(std::string prefix) : prefix_(std::move(prefix)) {}
  void apply(std::string& text) const override {
    if (!text.empty()) text.insert(0, prefix_);
  }

 private:
  std::string prefix_;
};

template <class Wanted>
class Replace final : public Normalizer {
 public:
  Replace(Wanted wanted, std::string replacement) : wanted_(std::move(wanted)), replacement_(std::move(replacement)) {}
  void apply(std::string& text) const override { text = replace_all(text, wanted_, replacement_); }

 private:
  Wanted wanted_;
  std::string replacement_;
};

class Strip final : public Normalizer {
 public:
  explicit Strip(Sides sides) : sides_(sides) {}
  void apply(std::string& text) const override {
    std::size_t begin = 0;
    std::size_t end = text.size();
    if (sides_ == Sides::kLeft || sides_ == Sides::kBoth) {
      while (begin < end && is_white_space(code_point_at(text, begin))) begin += character_length(text[begin]);
    }
    if (sides_ == Sides::kRight || sides_ == Sides::kBoth) {
      while (end > begin && is_white_space(code_point_at(text, previous_character(text, end)))) {
        end = previous_character(text, end);
      }
    }
    text = text.substr(begin, end - begin);
  }

 private:
  Sides sides_;
};

class Sequence final : public Normalizer {
 public:
  explicit Sequence(std::vector<NormalizerPtr> steps) : steps_(std::move(steps)) {}
  void apply(std::string& text) const override {
    for (const NormalizerPtr& step : steps_) step->apply(text);
  }

 private:
  std::vector<NormalizerPtr> steps_;
};

}  // namespace

NormalizerPtr make_normal_form(NormalForm form) { return std::make_unique<NormalFormStep>(form); }
NormalizerPtr make_lowercase() { return std::make_unique<Lowercase>(); }
NormalizerPtr make_prepend(std::string prefix) { return std::make_unique<Prepend>(std::move(prefix)); }
NormalizerPtr make_replace(std::string wanted, std::string replacement) {
  return std::make_unique<Replace<std::string>>(std::move(wanted), std::move(replacement));
}
NormalizerPtr make_replace(Regex wanted, std::string replacement) {
  return std::make_unique<Replace<Regex>>(std::move(wanted), std::move(replacement));
}
NormalizerPtr make_strip(Sides sides) { return std::make_unique<Strip>(sides); }
NormalizerPtr make_normalizer_sequence(std::vector<NormalizerPtr> steps) {
  return std::make_unique<Sequence>(std::move(steps));
}

std::string replace_all(std::string_view text, std::string_view wanted, std::string_view replacement) {
  std::string out;
  std::size_t from = 0;
  while (!wanted.empty()) {
    const std::size_t at = text.find(wanted, from);
    if (at == std::string_view::npos) break;
    out += text.substr(from, at - from);
    out += replacement;
    from = at + wanted.size();
  }
  out += text.substr(from);
  return out;
}

std::string replace_all(std::string_view text, const Regex& wanted, std::string_view replacement) {
  std::vector<Range> matches;
  wanted.find_all(text, matches);
  std::string out;
  std::size_t from = 0;
  for (const Range& match : matches) {
    out += text.substr(from, match.begin - from);
    out += replacement;
    from = match.end;
  }
  out += text.substr(from);
  return out;
}

}  // namespace qzo::tokenizer
