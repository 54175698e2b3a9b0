#include "tokenizer/sentencepiece_model.h"

#include <unordered_map>
#include <utility>

#include <sentencepiece_processor.h>

#include "qzo/core/error.h"
#include "qzo/core/text.h"

#include "tokenizer/normalizer.h"
#include "tokenizer/unicode.h"

namespace qzo::tokenizer {

namespace {

using sentencepiece::SentencePieceProcessor;

constexpr std::string_view kMark = "\xE2\x96\x81";  // U+2581: SentencePiece's space

std::unique_ptr<SentencePieceProcessor> load(std::string_view bytes, const std::string& source) {
  auto model = std::make_unique<SentencePieceProcessor>();
  const auto status = model->LoadFromSerializedProto(bytes);
  if (!status.ok()) {
    throw core::UserError(core::text(source, ": neither a SentencePiece model nor tiktoken ranks (", status.message(),
                                     "); the file is damaged or of another kind"));
  }
  return model;
}

// Protocol buffers merge a message that is written twice, so this, behind the file, switches one setting off:
// field 3 (normalizer_spec), two bytes: field 3 (add_dummy_prefix) = false.
constexpr std::string_view kNoDummyPrefix{"\x1A\x02\x18\x00", 4};

std::optional<std::int32_t> id_if_any(int id) { return id < 0 ? std::nullopt : std::optional<std::int32_t>(id); }

class SentencePieceTokenizer final : public Tokenizer {
 public:
  explicit SentencePieceTokenizer(SentencePieceParts parts) : parts_(std::move(parts)) {
    const std::vector<std::string> pieces = parts_.model->EncodeAsPieces("a");
    puts_space_in_front_ = !pieces.empty() && pieces.front().starts_with(kMark);
    size_ = parts_.model->GetPieceSize();
    for (const AddedToken& token : parts_.added_tokens) {
      finder_.add(token, token.text);
      added_.emplace(token.id, token);
      size_ = std::max(size_, token.id + 1);
    }
    if (parts_.dummy_prefix == DummyPrefix::kFirstSection) {
      without_prefix_ = load(parts_.bytes + std::string(kNoDummyPrefix), parts_.source);
    }
    parts_.bytes.clear();
  }

  std::vector<std::int32_t> encode(std::string_view text) const override {
    std::string repaired;
    if (!core::valid_utf8(text)) {
      repaired = replace_invalid_utf8(text);
      text = repaired;
    }
    std::vector<Section> sections;
    finder_.split(text, sections);
    std::vector<std::int32_t> ids;
    for (const Section& section : sections) {
      if (section.id >= 0) {
        ids.push_back(section.id);
        continue;
      }
      const bool first = section.text.data() == text.data();
      const SentencePieceProcessor& model = without_prefix_ && !first ? *without_prefix_ : *parts_.model;
      std::vector<int> section_ids;
      const auto status = model.Encode(section.text, &section_ids);
      if (!status.ok()) throw core::InternalError(core::text(parts_.source, ": SentencePiece: ", status.message()));
      ids.insert(ids.end(), section_ids.begin(), section_ids.end());
    }
    return ids;
  }

  std::string decode(const std::vector<std::int32_t>& ids, bool skip_special) const override {
    std::string out;
    for (const std::int32_t id : ids) append_text(id, skip_special, out);
    // The space that encode() put in front.
    if (puts_space_in_front_ && out.starts_with(' ')) out.erase(0, 1);
    return out;
  }

  std::int32_t vocabulary_size() const override { return size_; }
  std::optional<std::int32_t> bos() const override { return parts_.bos; }
  std::optional<std::int32_t> eos() const override { return parts_.eos; }
  bool adds_bos() const override { return parts_.adds_bos; }
  std::string description() const override { return core::text("SentencePiece model, ", size_, " tokens"); }

 private:
  void append_text(std::int32_t id, bool skip_special, std::string& out) const {
    if (const auto added = added_.find(id); added != added_.end()) {
      if (!(added->second.special && skip_special)) out += added->second.text;
      return;
    }
    const SentencePieceProcessor& model = *parts_.model;
    if (id < 0 || id >= model.GetPieceSize()) return;
    const std::string& piece = model.IdToPiece(id);
    if (model.IsByte(id)) {
      out += static_cast<char>(std::stoi(piece.substr(3, 2), nullptr, 16));  // "<0xE2>"
    } else if (model.IsControl(id) || model.IsUnknown(id)) {
      if (!skip_special) out += piece;
    } else {
      out += replace_all(piece, kMark, " ");
    }
  }

  SentencePieceParts parts_;
  std::unique_ptr<SentencePieceProcessor> without_prefix_;  // null: every section is encoded alike
  AddedTokenFinder finder_;
  std::unordered_map<std::int32_t, AddedToken> added_;
  std::int32_t size_ = 0;
  bool puts_space_in_front_ = false;
};

}  // namespace

SentencePieceParts::SentencePieceParts() = default;
SentencePieceParts::~SentencePieceParts() = default;
SentencePieceParts::SentencePieceParts(SentencePieceParts&&) noexcept = default;

SentencePieceParts parse_sentencepiece(std::string bytes, const std::string& source) {
  SentencePieceParts parts;
  parts.source = source;
  parts.model = load(bytes, source);
  parts.bytes = std::move(bytes);
  parts.bos = id_if_any(parts.model->bos_id());
  parts.eos = id_if_any(parts.model->eos_id());
  parts.adds_bos = parts.bos.has_value();
  return parts;
}

std::optional<std::int32_t> find_token(const SentencePieceParts& parts, std::string_view text) {
  for (const AddedToken& token : parts.added_tokens) {
    if (token.text == text) return token.id;
  }
  const int id = parts.model->PieceToId(text);  // the unknown piece's for texts that are none
  if (id < 0 || parts.model->IdToPiece(id) != text) return std::nullopt;
  return id;
}

std::unique_ptr<Tokenizer> make_sentencepiece(SentencePieceParts parts) {
  return std::make_unique<SentencePieceTokenizer>(std::move(parts));
}

}  // namespace qzo::tokenizer
