#pragma once
// Runs a parsed template.

#include <map>
#include <string>
#include <vector>

#include "tokenizer/chat_template/builtins.h"
#include "tokenizer/chat_template/syntax.h"

namespace qzo::tokenizer::chat_template {

class Evaluator {
 public:
  // `variables` are those of the caller. The block and `source` must outlive this.
  Evaluator(std::map<std::string, Value> variables, const std::string& source);

  // What the block writes. UserError.
  std::string run(const Block& block);

 private:
  using Scope = std::map<std::string, Value>;
  enum class Flow { kNext, kBreak, kContinue };

  Flow execute(const Block& block, std::string& out);
  Flow execute_one(const Statement& statement, std::string& out);
  Flow execute_if(const Statement& statement, std::string& out);
  Flow execute_for(const Statement& statement, std::string& out);
  void execute_set(const Statement& statement);
  void assign(const Statement& statement, const Value& value);

  Value evaluate(const Expression& expression);
  Value evaluate_inner(const Expression& expression);
  Value attribute(const Expression& expression);
  Value member(const Value& owner, const std::string& name) const;
  Value call(const Expression& expression);
  Value call_global(const std::string& name, const Arguments& arguments);
  Value call_macro(const Statement& macro, const Arguments& arguments);
  Arguments arguments_of(const Expression& expression);
  [[nodiscard]] Value look_up(const std::string& name) const;
  void spend(std::size_t amount);
  [[noreturn]] void refuse(int line, const std::string& sentence) const;

  const std::string& source_;
  std::vector<Scope> scopes_;
  std::size_t left_;  // of the steps and characters that a rendering may take
  int calls_ = 0;
  int line_ = 0;
};

}  // namespace qzo::tokenizer::chat_template
