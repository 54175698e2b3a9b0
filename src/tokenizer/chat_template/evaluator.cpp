#include "tokenizer/chat_template/evaluator.h"

#include <utility>

#include "qzo/core/text.h"

#include "tokenizer/chat_template/lexer.h"

namespace qzo::tokenizer::chat_template {

namespace {

constexpr std::size_t kMostSteps = 100'000'000;  // about a second
constexpr std::size_t kStepsOfIteration = 200;

Value loop_variable(const List& items, std::size_t at) {
  const auto integer = [](std::size_t value) { return Value(Value::Content(static_cast<std::int64_t>(value))); };
  const std::size_t count = items.size();
  return Value::dict({{"index", integer(at + 1)},
                      {"index0", integer(at)},
                      {"revindex", integer(count - at)},
                      {"revindex0", integer(count - at - 1)},
                      {"first", Value(Value::Content(at == 0))},
                      {"last", Value(Value::Content(at + 1 == count))},
                      {"length", integer(count)},
                      {"previtem", at == 0 ? Value(Undefined{"loop.previtem"}) : items[at - 1]},
                      {"nextitem", at + 1 == count ? Value(Undefined{"loop.nextitem"}) : items[at + 1]}});
}

}  // namespace

Evaluator::Evaluator(std::map<std::string, Value> variables, const std::string& source)
    : source_(source), left_(kMostSteps) {
  scopes_.push_back(std::move(variables));
}

std::string Evaluator::run(const Block& block) {
  std::string out;
  try {
    execute(block, out);
  } catch (const Failure& failure) {
    refuse(line_, failure.sentence);
  }
  return out;
}

void Evaluator::refuse(int line, const std::string& sentence) const { fail(source_, line, sentence); }

void Evaluator::spend(std::size_t amount) {
  if (amount + 1 > left_) refuse(line_, core::text("the template takes more than ", kMostSteps, " steps"));
  left_ -= amount + 1;
}

Evaluator::Flow Evaluator::execute(const Block& block, std::string& out) {
  for (const Statement& statement : block) {
    line_ = statement.line;
    spend(0);
    const Flow flow = execute_one(statement, out);
    if (flow != Flow::kNext) return flow;
  }
  return Flow::kNext;
}

Evaluator::Flow Evaluator::execute_one(const Statement& statement, std::string& out) {
  switch (statement.kind) {
    case StatementKind::kText:
      spend(statement.text.size());
      out += statement.text;
      return Flow::kNext;
    case StatementKind::kOutput: {
      const std::string text = to_text(evaluate(*statement.value));
      spend(text.size());
      out += text;
      return Flow::kNext;
    }
    case StatementKind::kIf:
      return execute_if(statement, out);
    case StatementKind::kFor:
      return execute_for(statement, out);
    case StatementKind::kSet:
      execute_set(statement);
      return Flow::kNext;
    case StatementKind::kMacro:
      scopes_.back()[statement.text] = Value(Value::Content(Macro{&statement}));
      return Flow::kNext;
    case StatementKind::kBreak:
      return Flow::kBreak;
    case StatementKind::kContinue:
      return Flow::kContinue;
  }
  return Flow::kNext;
}

Evaluator::Flow Evaluator::execute_if(const Statement& statement, std::string& out) {
  for (const Branch& branch : statement.branches) {
    if (truth(evaluate(branch.condition))) return execute(branch.body, out);
  }
  return execute(statement.otherwise, out);
}

Evaluator::Flow Evaluator::execute_for(const Statement& statement, std::string& out) {
  List items = items_of(evaluate(*statement.value));
  if (statement.filter) {
    List chosen;
    for (Value& item : items) {
      scopes_.emplace_back();
      assign(statement, item);
      if (truth(evaluate(*statement.filter))) chosen.push_back(std::move(item));
      scopes_.pop_back();
    }
    items = std::move(chosen);
  }
  if (items.empty()) return execute(statement.otherwise, out);
  for (std::size_t at = 0; at < items.size(); ++at) {
    spend(kStepsOfIteration);
    scopes_.emplace_back();
    assign(statement, items[at]);
    scopes_.back()["loop"] = loop_variable(items, at);
    const Flow flow = execute(statement.body, out);
    scopes_.pop_back();
    if (flow == Flow::kBreak) break;
  }
  return Flow::kNext;
}

void Evaluator::execute_set(const Statement& statement) {
  Value value;
  if (statement.value) {
    value = evaluate(*statement.value);
  } else {
    std::string text;
    scopes_.emplace_back();
    execute(statement.body, text);
    scopes_.pop_back();
    value = Value::text(std::move(text));
  }
  if (statement.text.empty()) return assign(statement, value);
  const Value owner = look_up(statement.text);
  const auto* space = owner.as<std::shared_ptr<Namespace>>();
  if (space == nullptr) throw Failure{core::text("only members of a namespace can be set, not of ", kind_name(owner))};
  check_nesting(value);
  for (auto& [name, member] : (*space)->members) {
    if (name == statement.targets.front()) {
      member = std::move(value);
      return;
    }
  }
  (*space)->members.emplace_back(statement.targets.front(), std::move(value));
}

void Evaluator::assign(const Statement& statement, const Value& value) {
  const std::vector<std::string>& names = statement.targets;
  if (names.size() == 1) {
    scopes_.back()[names.front()] = value;
    return;
  }
  const List parts = items_of(value);
  if (parts.size() != names.size()) {
    throw Failure{core::text(parts.size(), " values for ", names.size(), " variables")};
  }
  for (std::size_t i = 0; i < names.size(); ++i) scopes_.back()[names[i]] = parts[i];
}

}  // namespace qzo::tokenizer::chat_template
