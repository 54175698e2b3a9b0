#pragma once
// Expressions by descent, in Jinja's order of precedence.

#include "tokenizer/chat_template/syntax.h"
#include "tokenizer/chat_template/token_stream.h"

namespace qzo::tokenizer::chat_template {

class ExpressionParser {
 public:
  explicit ExpressionParser(TokenStream& tokens) : tokens_(tokens) {}

  Expression any();       // with `x if y else z`
  Expression any_list();  // "a, b" is a list
  Expression without_condition();

 private:
  using Parse = Expression (ExpressionParser::*)();
  Expression left_to_right(Parse part, std::initializer_list<const char*> operators);
  Expression conjunction();
  Expression negation();
  Expression comparison();
  Expression sum();
  Expression concatenation();
  Expression product();
  Expression power();
  Expression unary();
  Expression primary();
  Expression number();
  Expression bracketed();
  Expression dict();
  Expression with_postfix(Expression value);
  Expression with_filters(Expression value);
  Expression subscript(Expression value);
  Expression test(Expression value);
  void arguments(Expression& call);
  Expression make(ExpressionKind kind, std::string name, std::vector<Expression> children) const;

  TokenStream& tokens_;
  int depth_ = 0;
};

}  // namespace qzo::tokenizer::chat_template
