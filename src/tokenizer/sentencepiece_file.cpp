// The bytes of a tokenizer.model. Field numbers: sentencepiece_model.proto.

#include "qzo/core/error.h"
#include "qzo/core/text.h"

#include "tokenizer/protobuf.h"
#include "tokenizer/sentencepiece_model.h"

namespace qzo::tokenizer {

namespace {

[[noreturn]] void refuse(const std::string& source, const std::string& reason) {
  throw core::UserError(core::text(source, ": neither a SentencePiece model nor tiktoken ranks (", reason,
                                   "); the file is damaged or of another kind"));
}

// A damaged message shows at its end only, so each reader ends with this.
void check_end(const ProtobufReader& fields, const std::string& source) {
  if (fields.damaged()) refuse(source, "a field is cut off or of no known kind");
}

Piece read_piece(std::string_view message, const std::string& source) {
  Piece piece;
  ProtobufReader fields(message);
  while (fields.next()) {
    if (fields.number() == 1) piece.text = fields.bytes();
    if (fields.number() == 2) piece.score = fields.fp32();
    if (fields.number() != 3) continue;
    if (fields.integer() < 1 || fields.integer() > 6) refuse(source, core::text("piece type ", fields.integer()));
    piece.type = static_cast<PieceType>(fields.integer());
  }
  check_end(fields, source);
  return piece;
}

void read_trainer(std::string_view message, SentencePieceModel& model) {
  ProtobufReader fields(message);
  while (fields.next()) {
    switch (fields.number()) {
      case 3:
        if (fields.integer() < 1 || fields.integer() > 4) {
          refuse(model.source, core::text("model type ", fields.integer()));
        }
        model.model = static_cast<PieceModel>(fields.integer());
        break;
      case 24:
        if (fields.integer() != 0) {
          throw core::UserError(model.source + ": treat_whitespace_as_suffix is not implemented");
        }
        break;
      case 35:
        model.byte_fallback = fields.integer() != 0;
        break;
      case 46:
        model.bos_text = fields.bytes();
        break;
      case 47:
        model.eos_text = fields.bytes();
        break;
      default:
        break;
    }
  }
  check_end(fields, model.source);
}

void read_normalizer(std::string_view message, SentencePieceModel& model) {
  ProtobufReader fields(message);
  while (fields.next()) {
    switch (fields.number()) {
      case 2:
        model.charsmap = fields.bytes();
        break;
      case 3:
        model.dummy_prefix = fields.integer() != 0;
        break;
      case 4:
        model.remove_extra_spaces = fields.integer() != 0;
        break;
      case 5:
        model.escape_spaces = fields.integer() != 0;
        break;
      default:
        break;
    }
  }
  check_end(fields, model.source);
}

}  // namespace

SentencePieceModel parse_sentencepiece(std::string_view bytes, const std::string& source) {
  SentencePieceModel model;
  model.source = source;
  ProtobufReader fields(bytes);
  while (fields.next()) {
    if (fields.number() == 1) model.pieces.push_back(read_piece(fields.bytes(), source));
    if (fields.number() == 2) read_trainer(fields.bytes(), model);
    if (fields.number() == 3) read_normalizer(fields.bytes(), model);
  }
  check_end(fields, source);
  if (model.pieces.empty()) refuse(source, "no pieces");
  if (model.model == PieceModel::kWord) throw core::UserError(source + ": word models are not implemented");
  return model;
}

}  // namespace qzo::tokenizer
