#include "tokenizer/pre_tokenizer.h"

#include <algorithm>
#include <utility>

#include "tokenizer/normalizer.h"
#include "tokenizer/unicode.h"

namespace qzo::tokenizer {

namespace {

struct Stretch {
  Range range;
  bool match = false;
};

// Matches and what lies between them, covering `length` bytes.
void cover(const std::vector<Range>& matches, std::size_t length, Invert invert, std::vector<Stretch>& out) {
  const bool inverted = invert == Invert::kYes;
  out.clear();
  std::size_t from = 0;
  for (const Range& match : matches) {
    if (from != match.begin) out.push_back({{from, match.begin}, inverted});
    out.push_back({match, !inverted});
    from = match.end;
  }
  if (from != length) out.push_back({{from, length}, inverted});
}

// A match joins the stretch before it, unless that is a match too.
void merge_with_previous(std::vector<Stretch>& stretches) {
  std::vector<Stretch> out;
  bool after_match = false;
  for (const Stretch& stretch : stretches) {
    if (stretch.match && !after_match && !out.empty()) {
      out.back().range.end = stretch.range.end;
    } else {
      out.push_back(stretch);
    }
    after_match = stretch.match;
  }
  stretches = std::move(out);
}

void merge_with_next(std::vector<Stretch>& stretches) {
  std::vector<Stretch> out;
  bool before_match = false;
  for (auto stretch = stretches.rbegin(); stretch != stretches.rend(); ++stretch) {
    if (stretch->match && !before_match && !out.empty()) {
      out.back().range.begin = stretch->range.begin;
    } else {
      out.push_back(*stretch);
    }
    before_match = stretch->match;
  }
  std::reverse(out.begin(), out.end());
  stretches = std::move(out);
}

void merge_neighbours_of_a_kind(std::vector<Stretch>& stretches) {
  std::vector<Stretch> out;
  for (const Stretch& stretch : stretches) {
    if (!out.empty() && out.back().match == stretch.match) {
      out.back().range.end = stretch.range.end;
    } else {
      out.push_back(stretch);
    }
  }
  stretches = std::move(out);
}

void arrange(std::vector<Stretch>& stretches, SplitBehaviour behaviour) {
  switch (behaviour) {
    case SplitBehaviour::kIsolated:
      return;
    case SplitBehaviour::kRemoved:
      std::erase_if(stretches, [](const Stretch& stretch) { return stretch.match; });
      return;
    case SplitBehaviour::kMergedWithPrevious:
      return merge_with_previous(stretches);
    case SplitBehaviour::kMergedWithNext:
      return merge_with_next(stretches);
    case SplitBehaviour::kContiguous:
      return merge_neighbours_of_a_kind(stretches);
  }
}

// A step that cuts each word at matches.
class Splitter : public PreTokenizer {
 public:
  Splitter(SplitBehaviour behaviour, Invert invert) : behaviour_(behaviour), invert_(invert) {}

  void apply(Words& words) const override {
    std::vector<Word> cut;
    std::vector<Range> matches;
    std::vector<Stretch> stretches;
    for (const Word& word : words.words) {
      find_all(word.text, matches);
      cover(matches, word.text.size(), invert_, stretches);
      arrange(stretches, behaviour_);
      for (const Stretch& stretch : stretches) {
        const Range& range = stretch.range;
        if (range.begin == range.end) continue;
        cut.push_back({word.text.substr(range.begin, range.end - range.begin), word.at_start && range.begin == 0});
      }
    }
    words.words = std::move(cut);
  }

 protected:
  virtual void find_all(std::string_view text, std::vector<Range>& matches) const = 0;

 private:
  SplitBehaviour behaviour_;
  Invert invert_;
};

class Split final : public Splitter {
 public:
  Split(std::variant<std::string, Regex> pattern, SplitBehaviour behaviour, Invert invert)
      : Splitter(behaviour, invert), pattern_(std::move(pattern)) {}

 protected:
  void find_all(std::string_view text, std::vector<Range>& matches) const override {
    if (const Regex* regex = std::get_if<Regex>(&pattern_)) {
      regex->find_all(text, matches);
      return;
    }
    matches.clear();
    const std::string& wanted = std::get<std::string>(pattern_);
    if (wanted.empty()) return;
    for (std::size_t at = text.find(wanted); at != std::string_view::npos; at = text.find(wanted, at + wanted.size())) {
      matches.push_back({at, at + wanted.size()});
    }
  }

 private:
  std::variant<std::string, Regex> pattern_;
};

class Digits final : public Splitter {
 public:
  explicit Digits(DigitGroups groups)
      : Splitter(groups == DigitGroups::kSingle ? SplitBehaviour::kIsolated : SplitBehaviour::kContiguous,
                 Invert::kNo) {}

 protected:
  void find_all(std::string_view text, std::vector<Range>& matches) const override {
    matches.clear();
    for (std::size_t at = 0; at < text.size();) {
      const std::size_t next = at + character_length(text[at]);
      if (is_number(code_point_at(text, at))) matches.push_back({at, next});
      at = next;
    }
  }
};

class PrefixSpace final : public PreTokenizer {
 public:
  void apply(Words& words) const override {
    for (Word& word : words.words) {
      if (!word.text.starts_with(' ')) word.text = words.changed.emplace_back(" " + std::string(word.text));
    }
  }
};

class Metaspace final : public PreTokenizer {
 public:
  explicit Metaspace(MetaspaceOptions options)
      : options_(std::move(options)), split_(options_.mark, SplitBehaviour::kMergedWithNext, Invert::kNo) {}

  void apply(Words& words) const override {
    for (Word& word : words.words) {
      std::string text = replace_all(word.text, " ", options_.mark);
      const bool prepends =
          options_.scheme == PrependScheme::kAlways || (options_.scheme == PrependScheme::kFirst && word.at_start);
      if (prepends && !text.starts_with(options_.mark)) text.insert(0, options_.mark);
      word.text = words.changed.emplace_back(std::move(text));
    }
    if (options_.split) split_.apply(words);
  }

 private:
  MetaspaceOptions options_;
  Split split_;
};

class Sequence final : public PreTokenizer {
 public:
  explicit Sequence(std::vector<PreTokenizerPtr> steps) : steps_(std::move(steps)) {}
  void apply(Words& words) const override {
    for (const PreTokenizerPtr& step : steps_) step->apply(words);
  }

 private:
  std::vector<PreTokenizerPtr> steps_;
};

}  // namespace

PreTokenizerPtr make_split(std::variant<std::string, Regex> pattern, SplitBehaviour behaviour, Invert invert) {
  return std::make_unique<Split>(std::move(pattern), behaviour, invert);
}
PreTokenizerPtr make_digits(DigitGroups groups) { return std::make_unique<Digits>(groups); }
PreTokenizerPtr make_prefix_space() { return std::make_unique<PrefixSpace>(); }
PreTokenizerPtr make_metaspace(MetaspaceOptions options) { return std::make_unique<Metaspace>(std::move(options)); }
PreTokenizerPtr make_pre_tokenizer_sequence(std::vector<PreTokenizerPtr> steps) {
  return std::make_unique<Sequence>(std::move(steps));
}

}  // namespace qzo::tokenizer
