#pragma once
// A Bpe from what files hold: token texts by id and merges as pairs of texts.

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "tokenizer/bpe.h"

namespace qzo::tokenizer {

struct MergeText {
  std::string_view left;
  std::string_view right;
};

// "Ġ t". UserError naming `where` unless there are two texts with one space between.
MergeText split_merge(std::string_view line, const std::string& where);

// Rank = position in `merges`. For Alphabet::kBytes the texts are in GPT-2's byte alphabet. "" in `tokens` is no token;
// of equal texts the lowest id counts. UserError naming `source` if a merge uses or makes a token that is not there.
std::unique_ptr<Bpe> make_bpe(const std::vector<std::string>& tokens, const std::vector<MergeText>& merges,
                              const BpeOptions& options, const std::string& source);

}  // namespace qzo::tokenizer
