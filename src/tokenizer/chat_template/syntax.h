#pragma once
// A parsed template.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tokenizer/chat_template/value.h"

namespace qzo::tokenizer::chat_template {

enum class ExpressionKind : std::uint8_t {
  kConstant,
  kName,
  kList,
  kDict,  // kDict: keys and values in turn
  kAttribute,
  kItem,
  kSlice,  // kSlice: the value, then begin, end, step (none if left out)
  kCall,
  kFilter,
  kTest,  // the value, then the arguments
  kNot,
  kNegate,
  kAnd,
  kOr,
  kConditional,  // kConditional: condition, value, other value
  kBinary,       // `name` is the operator
};

struct NamedExpression;

struct Expression {
  ExpressionKind kind = ExpressionKind::kConstant;
  int line = 0;
  std::string name;
  Value constant;
  std::vector<Expression> children;
  std::vector<NamedExpression> named;  // keyword arguments
};

struct NamedExpression {
  NamedExpression(std::string name, Expression value) : first(std::move(name)), second(std::move(value)) {}
  std::string first;
  Expression second;
};

enum class StatementKind : std::uint8_t { kText, kOutput, kIf, kFor, kSet, kMacro, kBreak, kContinue };
using Block = std::vector<Statement>;

struct Branch {
  Expression condition;
  Block body;
};

struct Statement {
  StatementKind kind = StatementKind::kText;
  int line = 0;
  std::string text;                  // kText; name of a macro; object of `set object.member`
  std::vector<std::string> targets;  // kFor, kSet; parameters of a macro
  std::optional<Expression> value;   // kOutput, kFor, kSet (none: the text of `body`)
  std::optional<Expression> filter;  // kFor
  std::vector<Branch> branches;      // kIf
  std::vector<Expression> defaults;  // kMacro: of the last parameters
  Block body;                        // kFor, kSet, kMacro
  Block otherwise;                   // kIf, kFor
};

// UserError with the line for what is malformed or not implemented.
Block parse(std::string_view text, const std::string& source);

}  // namespace qzo::tokenizer::chat_template
