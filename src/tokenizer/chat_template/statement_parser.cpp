#include <set>
#include <utility>

#include "tokenizer/chat_template/expression_parser.h"
#include "tokenizer/chat_template/syntax.h"

namespace qzo::tokenizer::chat_template {

namespace {

class StatementParser {
 public:
  StatementParser(std::string_view text, const std::string& source) : tokens_(text, source), expressions_(tokens_) {}

  Block run() {
    Block block = statements({});
    if (!tokens_.at(TokenKind::kEnd)) tokens_.refuse(core::quoted(tokens_.peek(1).text) + " closes nothing");
    return block;
  }

 private:
  using Names = std::set<std::string_view>;

  // Up to the end or to a block that begins with one of `ends`, which is left to the caller.
  Block statements(const Names& ends) {
    const Depth depth(depth_, tokens_);
    Block out;
    while (!tokens_.at(TokenKind::kEnd)) {
      if (tokens_.at(TokenKind::kBlockBegin)) {
        if (ends.contains(tokens_.peek(1).text) || kClosing.contains(tokens_.peek(1).text)) return out;
        tokens_.next();
        block(out);
        continue;
      }
      Statement& statement = out.emplace_back();
      statement.line = tokens_.line();
      if (tokens_.at(TokenKind::kText)) {
        statement.text = tokens_.next().text;
      } else {
        tokens_.expect(TokenKind::kOutputBegin, "text or a tag");
        statement.kind = StatementKind::kOutput;
        statement.value = expressions_.any_list();
        tokens_.expect(TokenKind::kOutputEnd, "}}");
      }
    }
    return out;
  }

  void block(Block& out) {
    Statement statement;
    statement.line = tokens_.line();
    const std::string name = tokens_.expect_name("a statement");
    if (name == "if") {
      if_block(statement);
    } else if (name == "for") {
      for_block(statement);
    } else if (name == "set") {
      set_block(statement);
    } else if (name == "macro") {
      macro_block(statement);
    } else if (name == "break" || name == "continue") {
      if (loops_ == 0) tokens_.refuse(core::quoted(name) + " stands outside of a loop");
      statement.kind = name == "break" ? StatementKind::kBreak : StatementKind::kContinue;
      end_tag();
    } else if (name == "generation") {  // marks what an assistant says; its text stays in place
      end_tag();
      Block body = statements({"endgeneration"});
      close("endgeneration");
      for (Statement& inner : body) out.push_back(std::move(inner));
      return;
    } else {
      fail_statement(name);
    }
    out.push_back(std::move(statement));
  }

  [[noreturn]] void fail_statement(const std::string& name) {
    tokens_.refuse(core::text("the statement ", core::quoted(name), " is not implemented (implemented: if, for, set, ",
                              "macro, generation, break, continue)"));
  }
  void end_tag() { tokens_.expect(TokenKind::kBlockEnd, "the end of the tag"); }
  void close(std::string_view name) {
    if (!tokens_.at(TokenKind::kBlockBegin)) tokens_.refuse("expected {% " + std::string(name) + " %} before the end");
    tokens_.next();
    if (!tokens_.take_name(name)) tokens_.unexpected(core::quoted(name));
    end_tag();
  }

  void if_block(Statement& out) {
    out.kind = StatementKind::kIf;
    while (true) {
      Branch& branch = out.branches.emplace_back();
      branch.condition = expressions_.any_list();
      end_tag();
      branch.body = statements({"elif", "else", "endif"});
      if (!tokens_.at_name("elif", 1)) break;
      tokens_.next();
      tokens_.next();
    }
    otherwise(out, "endif");
  }

  void otherwise(Statement& out, std::string_view end) {
    if (tokens_.at_name("else", 1)) {
      close("else");
      out.otherwise = statements({end});
    }
    close(end);
  }

  void for_block(Statement& out) {
    out.kind = StatementKind::kFor;
    targets(out);
    if (!tokens_.take_name("in")) tokens_.unexpected("\"in\"");
    out.value = expressions_.without_condition();
    if (tokens_.take_name("if")) out.filter = expressions_.any();
    if (tokens_.at_name("recursive")) tokens_.refuse("recursive loops are not implemented");
    end_tag();
    ++loops_;
    out.body = statements({"else", "endfor"});
    --loops_;
    otherwise(out, "endfor");
  }

  void targets(Statement& out) {
    const bool round = tokens_.take_operator("(");
    do {
      out.targets.push_back(tokens_.expect_name("the name of a variable"));
    } while (tokens_.take_operator(","));
    if (round) tokens_.expect_operator(")");
  }

  void set_block(Statement& out) {
    out.kind = StatementKind::kSet;
    targets(out);
    if (out.targets.size() == 1 && tokens_.take_operator(".")) {
      out.text = std::move(out.targets.front());
      out.targets.front() = tokens_.expect_name("the name of a member");
    }
    if (tokens_.take_operator("=")) {
      out.value = expressions_.any_list();
      return end_tag();
    }
    if (tokens_.at_operator("|")) tokens_.refuse("filters of a set block are not implemented");
    end_tag();
    out.body = statements({"endset"});
    close("endset");
  }

  void macro_block(Statement& out) {
    out.kind = StatementKind::kMacro;
    out.text = tokens_.expect_name("the name of the macro");
    tokens_.expect_operator("(");
    while (!tokens_.at_operator(")")) {
      out.targets.push_back(tokens_.expect_name("the name of a parameter"));
      if (tokens_.take_operator("=")) {
        out.defaults.push_back(expressions_.any());
      } else if (!out.defaults.empty()) {
        tokens_.refuse("a parameter without a default stands behind one with a default");
      }
      if (!tokens_.take_operator(",")) break;
    }
    tokens_.expect_operator(")");
    end_tag();
    const int loops = std::exchange(loops_, 0);
    out.body = statements({"endmacro"});
    loops_ = loops;
    close("endmacro");
  }

  static inline const Names kClosing = {"elif", "else", "endif", "endfor", "endset", "endmacro", "endgeneration"};

  TokenStream tokens_;
  ExpressionParser expressions_;
  int depth_ = 0;
  int loops_ = 0;
};

}  // namespace

Block parse(std::string_view text, const std::string& source) { return StatementParser(text, source).run(); }

}  // namespace qzo::tokenizer::chat_template
