#include <utility>

#include "qzo/core/text.h"

#include "tokenizer/chat_template/evaluator.h"

namespace qzo::tokenizer::chat_template {

namespace {

using Kind = ExpressionKind;

constexpr std::size_t kStepsOfExpression = 10;
constexpr int kDeepestCall = 50;

std::size_t size_of(const Value& value) {
  if (value.text() != nullptr) return value.text()->size();
  return value.list() != nullptr ? value.list()->size() : 0;
}

}  // namespace

Value Evaluator::look_up(const std::string& name) const {
  for (auto scope = scopes_.rbegin(); scope != scopes_.rend(); ++scope) {
    if (const auto found = scope->find(name); found != scope->end()) return found->second;
  }
  for (const char* global : {"namespace", "range", "raise_exception", "dict"}) {
    if (name == global) return Value(Value::Content(Function{name, nullptr}));
  }
  return Value(Value::Content(Undefined{name}));
}

Value Evaluator::evaluate(const Expression& expression) {
  line_ = expression.line;
  Value value = evaluate_inner(expression);
  spend(kStepsOfExpression + size_of(value) / 8);
  return value;
}

Value Evaluator::evaluate_inner(const Expression& expression) {
  const auto child = [&](std::size_t place) { return evaluate(expression.children[place]); };
  switch (expression.kind) {
    case Kind::kConstant:
      return expression.constant;
    case Kind::kName:
      return look_up(expression.name);
    case Kind::kList: {
      List out;
      for (const Expression& item : expression.children) {
        out.push_back(evaluate(item));
        check_nesting(out.back());
      }
      return Value::list(std::move(out));
    }
    case Kind::kDict: {
      Dict out;
      for (std::size_t i = 0; i < expression.children.size(); i += 2) {
        std::string key = to_text(child(i));
        out.emplace_back(std::move(key), child(i + 1));
        check_nesting(out.back().second);
      }
      return Value::dict(std::move(out));
    }
    case Kind::kAttribute:
      return attribute(expression);
    case Kind::kItem: {
      const Value owner = child(0);
      if (owner.undefined()) throw Failure{core::quoted(owner.as<Undefined>()->name) + " is undefined"};
      const Value key = child(1);
      return key.text() != nullptr && owner.dict() == nullptr ? member(owner, *key.text()) : item(owner, key);
    }
    case Kind::kSlice:
      return slice(child(0), child(1), child(2), child(3));
    case Kind::kCall:
      return call(expression);
    case Kind::kFilter:
      return apply_filter(expression.name, child(0), arguments_of(expression));
    case Kind::kTest:
      return Value(Value::Content(apply_test(expression.name, child(0), arguments_of(expression))));
    case Kind::kNot:
      return Value(Value::Content(!truth(child(0))));
    case Kind::kNegate:
      return binary("-", Value(Value::Content(std::int64_t{0})), child(0));
    case Kind::kAnd: {
      Value left = child(0);
      return truth(left) ? child(1) : left;
    }
    case Kind::kOr: {
      Value left = child(0);
      return truth(left) ? left : child(1);
    }
    case Kind::kConditional:
      if (truth(child(0))) return child(1);
      return expression.children.size() > 2 ? child(2) : Value(Value::Content(Undefined{"a value without else"}));
    case Kind::kBinary: {
      const Value left = child(0);
      return binary(expression.name, left, child(1));
    }
  }
  return {};
}

Value Evaluator::attribute(const Expression& expression) {
  const Value owner = evaluate(expression.children[0]);
  line_ = expression.line;
  if (owner.undefined()) {
    throw Failure{core::text(core::quoted(owner.as<Undefined>()->name), " is undefined, so it has no ",
                             core::quoted(expression.name))};
  }
  return member(owner, expression.name);
}

Value Evaluator::member(const Value& owner, const std::string& name) const {
  if (const auto* space = owner.as<std::shared_ptr<Namespace>>()) {
    const Value* found = find((*space)->members, name);
    return found != nullptr ? *found : Value(Value::Content(Undefined{name}));
  }
  // As in Python, a dict's methods hide its keys behind a dot.
  if (is_method(owner, name)) return Value(Value::Content(Function{name, std::make_shared<const Value>(owner)}));
  if (const Dict* dict = owner.dict()) {
    const Value* found = find(*dict, name);
    if (found != nullptr) return *found;
  }
  return Value(Value::Content(Undefined{name}));
}

Arguments Evaluator::arguments_of(const Expression& expression) {
  Arguments out;
  for (std::size_t i = 1; i < expression.children.size(); ++i) out.values.push_back(evaluate(expression.children[i]));
  for (const auto& [name, value] : expression.named) out.named.emplace_back(name, evaluate(value));
  line_ = expression.line;
  return out;
}

Value Evaluator::call(const Expression& expression) {
  const Value callee = evaluate(expression.children[0]);
  const Arguments arguments = arguments_of(expression);
  if (const auto* function = callee.as<Function>()) {
    return function->owner ? call_method(*function->owner, function->name, arguments)
                           : call_global(function->name, arguments);
  }
  if (const auto* macro = callee.as<Macro>()) return call_macro(*macro->statement, arguments);
  if (callee.undefined()) {
    throw Failure{
        core::text("the function or method ", core::quoted(callee.as<Undefined>()->name), " is not implemented")};
  }
  throw Failure{core::text(kind_name(callee), " cannot be called")};
}

Value Evaluator::call_global(const std::string& name, const Arguments& arguments) {
  for (const auto& [unused, value] : arguments.named) check_nesting(value);
  if (name == "namespace") {
    auto space = std::make_shared<Namespace>();
    space->members = arguments.named;
    return Value(Value::Content(std::move(space)));
  }
  if (name == "dict") return Value::dict(arguments.named);
  if (name == "raise_exception") {
    const Value* message = arguments.find(0, "message");
    throw Failure{"the template refuses the conversation: " + (message == nullptr ? "" : to_text(*message))};
  }
  std::int64_t bounds[3] = {0, 0, 1};  // range
  for (std::size_t i = 0; i < arguments.values.size() && i < 3; ++i) {
    const auto* value = arguments.values[i].as<std::int64_t>();
    if (value == nullptr) throw Failure{"range needs integers"};
    bounds[arguments.values.size() == 1 ? 1 : i] = *value;
  }
  List out;
  for (std::int64_t i = bounds[0]; bounds[2] > 0 ? i < bounds[1] : bounds[2] < 0 && i > bounds[1];) {
    spend(0);
    out.push_back(Value(Value::Content(i)));
    if (out.size() > 100'000 || __builtin_add_overflow(i, bounds[2], &i)) throw Failure{"the range is too long"};
  }
  return Value::list(std::move(out));
}

Value Evaluator::call_macro(const Statement& macro, const Arguments& arguments) {
  if (++calls_ > kDeepestCall)
    throw Failure{core::text("macros call each other deeper than ", kDeepestCall, " levels")};
  const std::size_t required = macro.targets.size() - macro.defaults.size();
  Scope scope;
  for (std::size_t i = 0; i < macro.targets.size(); ++i) {
    const std::string& name = macro.targets[i];
    const Value* given = arguments.find(i, name);
    if (given != nullptr) {
      scope[name] = *given;
    } else {
      scope[name] = i < required ? Value(Value::Content(Undefined{name})) : evaluate(macro.defaults[i - required]);
    }
  }
  // A macro sees the variables of the template, not those of its caller.
  std::vector<Scope> callers(std::make_move_iterator(scopes_.begin() + 1), std::make_move_iterator(scopes_.end()));
  scopes_.resize(1);
  scopes_.push_back(std::move(scope));
  std::string text;
  execute(macro.body, text);
  scopes_.resize(1);
  scopes_.insert(scopes_.end(), std::make_move_iterator(callers.begin()), std::make_move_iterator(callers.end()));
  --calls_;
  return Value::text(std::move(text));
}

}  // namespace qzo::tokenizer::chat_template
