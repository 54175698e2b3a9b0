#include "tokenizer/chat_template/expression_parser.h"

#include <array>
#include <charconv>
#include <utility>

#include "tokenizer/chat_template/builtins.h"

namespace qzo::tokenizer::chat_template {

namespace {

using Kind = ExpressionKind;

std::vector<Expression> two(Expression left, Expression right) {
  std::vector<Expression> out;
  out.push_back(std::move(left));
  out.push_back(std::move(right));
  return out;
}

}  // namespace

Expression ExpressionParser::make(Kind kind, std::string name, std::vector<Expression> children) const {
  Expression out;
  out.kind = kind;
  out.line = tokens_.line();
  out.name = std::move(name);
  out.children = std::move(children);
  return out;
}

Expression ExpressionParser::any() {
  const Depth depth(depth_, tokens_);
  Expression value = without_condition();
  while (tokens_.take_name("if")) {
    Expression condition = without_condition();
    Expression out = make(Kind::kConditional, "", two(std::move(condition), std::move(value)));
    if (tokens_.take_name("else")) out.children.push_back(any());
    value = std::move(out);
  }
  return value;
}

Expression ExpressionParser::any_list() {
  Expression first = any();
  if (!tokens_.at_operator(",")) return first;
  Expression out = make(Kind::kList, "", {});
  out.children.push_back(std::move(first));
  while (tokens_.take_operator(",")) out.children.push_back(any());
  return out;
}

Expression ExpressionParser::without_condition() {
  Expression left = conjunction();
  while (tokens_.take_name("or")) left = make(Kind::kOr, "", two(std::move(left), conjunction()));
  return left;
}

Expression ExpressionParser::conjunction() {
  Expression left = negation();
  while (tokens_.take_name("and")) left = make(Kind::kAnd, "", two(std::move(left), negation()));
  return left;
}

Expression ExpressionParser::negation() {
  const Depth depth(depth_, tokens_);
  if (!tokens_.take_name("not")) return comparison();
  return make(Kind::kNot, "", {negation()});
}

Expression ExpressionParser::comparison() {
  constexpr std::array<std::string_view, 6> kOperators = {"==", "!=", "<", ">", "<=", ">="};
  Expression left = sum();
  bool chained = false;
  while (true) {
    std::string name;
    for (const std::string_view candidate : kOperators) {
      if (tokens_.at_operator(candidate)) name = candidate;
    }
    if (tokens_.at_name("in")) name = "in";
    if (tokens_.at_name("not") && tokens_.at_name("in", 1)) name = "not in";
    if (name.empty()) return left;
    if (chained) tokens_.refuse("a chain of comparisons is not implemented; join them with \"and\"");
    tokens_.next();
    if (name == "not in") tokens_.next();
    left = make(Kind::kBinary, name, two(std::move(left), sum()));
    chained = true;
  }
}

Expression ExpressionParser::left_to_right(Parse part, std::initializer_list<const char*> operators) {
  Expression left = (this->*part)();
  while (true) {
    const char* found = nullptr;
    for (const char* name : operators) {
      if (tokens_.take_operator(name)) {
        found = name;
        break;
      }
    }
    if (found == nullptr) return left;
    left = make(Kind::kBinary, found, two(std::move(left), (this->*part)()));
  }
}

Expression ExpressionParser::sum() { return left_to_right(&ExpressionParser::concatenation, {"+", "-"}); }
Expression ExpressionParser::concatenation() { return left_to_right(&ExpressionParser::product, {"~"}); }
Expression ExpressionParser::product() { return left_to_right(&ExpressionParser::power, {"*", "//", "/", "%"}); }

Expression ExpressionParser::power() {
  Expression value = unary();
  if (tokens_.at_operator("**")) tokens_.refuse("the operator ** is not implemented");
  return value;
}

Expression ExpressionParser::unary() {
  const Depth depth(depth_, tokens_);
  if (tokens_.take_operator("-")) return with_filters(make(Kind::kNegate, "", {with_postfix(primary())}));
  return with_filters(with_postfix(primary()));
}

Expression ExpressionParser::number() {
  const Token& token = tokens_.next();
  Expression out = make(Kind::kConstant, "", {});
  const char* end = token.text.data() + token.text.size();
  std::int64_t integer = 0;
  double real = 0;
  const bool whole = token.kind == TokenKind::kInteger;
  const auto result =
      whole ? std::from_chars(token.text.data(), end, integer) : std::from_chars(token.text.data(), end, real);
  if (result.ec != std::errc()) tokens_.refuse(core::text("the number ", token.text, " is too large"));
  out.constant = whole ? Value(Value::Content(integer)) : Value(Value::Content(real));
  return out;
}

Expression ExpressionParser::primary() {
  if (tokens_.at(TokenKind::kInteger) || tokens_.at(TokenKind::kFloat)) return number();
  if (tokens_.at(TokenKind::kString)) {
    Expression out = make(Kind::kConstant, "", {});
    std::string text;
    while (tokens_.at(TokenKind::kString)) text += tokens_.next().text;  // neighbours are one string
    out.constant = Value::text(std::move(text));
    return out;
  }
  if (!tokens_.at(TokenKind::kName)) return bracketed();
  Expression out = make(Kind::kName, tokens_.next().text, {});
  const std::string& name = out.name;
  const bool yes = name == "true" || name == "True";
  if (yes || name == "false" || name == "False") {
    out.kind = Kind::kConstant;
    out.constant = Value(Value::Content(yes));
  } else if (name == "none" || name == "None") {
    out.kind = Kind::kConstant;
  }
  return out;
}

Expression ExpressionParser::bracketed() {
  if (tokens_.at_operator("{")) return dict();
  const bool round = tokens_.take_operator("(");
  if (!round && !tokens_.take_operator("[")) tokens_.unexpected("a value");
  const char* close = round ? ")" : "]";
  Expression list = make(Kind::kList, "", {});
  bool comma = false;
  while (!tokens_.at_operator(close)) {
    list.children.push_back(any());
    comma = tokens_.take_operator(",");
    if (!comma) break;
  }
  tokens_.expect_operator(close);
  if (round && list.children.size() == 1 && !comma) return std::move(list.children.front());
  return list;
}

Expression ExpressionParser::dict() {
  Expression out = make(Kind::kDict, "", {});
  tokens_.expect_operator("{");
  while (!tokens_.at_operator("}")) {
    out.children.push_back(any());
    tokens_.expect_operator(":");
    out.children.push_back(any());
    if (!tokens_.take_operator(",")) break;
  }
  tokens_.expect_operator("}");
  return out;
}

Expression ExpressionParser::with_postfix(Expression value) {
  for (int count = 0;; ++count) {
    // Each step is a level of the tree.
    if (count > Depth::kMost) tokens_.refuse("too many attributes, items and calls behind each other");
    if (tokens_.take_operator(".")) {
      std::vector<Expression> owner;
      owner.push_back(std::move(value));
      value = make(Kind::kAttribute, "", std::move(owner));
      value.name = tokens_.expect_name("the name of a member");
    } else if (tokens_.at_operator("[")) {
      value = subscript(std::move(value));
    } else if (tokens_.at_operator("(")) {
      std::vector<Expression> callee;
      callee.push_back(std::move(value));
      value = make(Kind::kCall, "", std::move(callee));
      arguments(value);
    } else {
      return value;
    }
  }
}

Expression ExpressionParser::subscript(Expression value) {
  tokens_.expect_operator("[");
  std::vector<Expression> parts;
  parts.push_back(std::move(value));
  bool slice = false;
  for (int part = 0; part < 3; ++part) {
    if (tokens_.at_operator(":") || tokens_.at_operator("]")) {
      parts.push_back(make(Kind::kConstant, "", {}));
    } else {
      parts.push_back(any());
    }
    if (!tokens_.take_operator(":")) break;
    slice = true;
  }
  tokens_.expect_operator("]");
  if (!slice) return make(Kind::kItem, "", std::move(parts));
  while (parts.size() < 4) parts.push_back(make(Kind::kConstant, "", {}));
  return make(Kind::kSlice, "", std::move(parts));
}

void ExpressionParser::arguments(Expression& call) {
  tokens_.expect_operator("(");
  while (!tokens_.at_operator(")")) {
    if (tokens_.at(TokenKind::kName) && tokens_.at_operator("=", 1)) {
      std::string name = tokens_.next().text;
      tokens_.next();
      call.named.emplace_back(std::move(name), any());
    } else {
      if (tokens_.at_operator("*") || tokens_.at_operator("**"))
        tokens_.refuse("* and ** arguments are not implemented");
      call.children.push_back(any());
    }
    if (!tokens_.take_operator(",")) break;
  }
  tokens_.expect_operator(")");
}

Expression ExpressionParser::with_filters(Expression value) {
  for (int count = 0;; ++count) {
    if (count > Depth::kMost) tokens_.refuse("too many filters behind each other");
    if (tokens_.take_operator("|")) {
      std::vector<Expression> filtered;
      filtered.push_back(std::move(value));
      value = make(Kind::kFilter, tokens_.expect_name("the name of a filter"), std::move(filtered));
      if (!is_filter(value.name)) tokens_.refuse("the filter " + core::quoted(value.name) + " is not implemented");
      if (tokens_.at_operator("(")) arguments(value);
    } else if (tokens_.take_name("is")) {
      value = test(std::move(value));
    } else {
      return value;
    }
  }
}

Expression ExpressionParser::test(Expression value) {
  const bool negated = tokens_.take_name("not");
  std::vector<Expression> tested;
  tested.push_back(std::move(value));
  const std::string name = tokens_.at_name("in") ? tokens_.next().text : tokens_.expect_name("the name of a test");
  Expression out = make(Kind::kTest, name, std::move(tested));
  if (!is_test(name)) tokens_.refuse("the test " + core::quoted(name) + " is not implemented");
  if (tokens_.at_operator("(")) {
    arguments(out);
  } else if (takes_argument(name)) {
    out.children.push_back(with_postfix(primary()));
  }
  if (!negated) return out;
  return make(Kind::kNot, "", {std::move(out)});
}

}  // namespace qzo::tokenizer::chat_template
