#!/usr/bin/env python3
"""Makes tests/data/tokenizer/chat.json: what transformers renders for every chat template at hand and for small ones.

Needs `pip install transformers jinja2`; made with transformers 5.23.0. Arguments: tokenizer_config.json files with a
chat_template (their templates are stored in the result, so that the test needs no other file), and GGUF files with one
(`pip install gguf`).
"""

import json
import pathlib
import sys

from transformers.utils.chat_template_utils import _compile_jinja_template as compile_template

OUT = pathlib.Path(__file__).resolve().parent.parent / "tests" / "data" / "tokenizer" / "chat.json"
SYSTEM = {"role": "system", "content": "You are brief."}
QUESTION = {"role": "user", "content": "  Is 2 < 3?\n\"Yes\" or 'no'? é 🚀 "}
ANSWER = {"role": "assistant", "content": "Yes.\n"}
THOUGHT = {"role": "assistant", "content": "<think>\n\nTwo, three.\n</think>\n\n\nYes."}
CALL = {"role": "assistant", "content": "", "tool_calls": [
    {"type": "function", "function": {"name": "add", "arguments": {"b": 2.5, "a": [1, None, True, "é \"x\"\n"]}}},
    {"function": {"name": "now", "arguments": {}}}]}
RESULT = {"role": "tool", "content": "3.5"}
TOOLS = [{"type": "function", "function": {"name": "add", "description": "Adds & <shows>.", "parameters": {
    "type": "object", "properties": {"a": {"type": "array"}, "b": {"type": "number"}}, "required": ["a"]}}}]
CONVERSATIONS = [
    {"messages": [QUESTION]},
    {"messages": [QUESTION], "add_generation_prompt": True},
    {"messages": [SYSTEM, QUESTION], "add_generation_prompt": True},
    {"messages": [SYSTEM, QUESTION, ANSWER, QUESTION], "add_generation_prompt": True},
    {"messages": [QUESTION, ANSWER, QUESTION, ANSWER]},
    {"messages": [SYSTEM, QUESTION, THOUGHT]},
    {"messages": [QUESTION, THOUGHT, QUESTION, THOUGHT]},
    {"messages": [QUESTION], "add_generation_prompt": True, "enable_thinking": False},
    {"messages": [QUESTION, CALL, RESULT, RESULT, ANSWER], "tools": TOOLS},
    {"messages": [SYSTEM, QUESTION, CALL, RESULT], "tools": TOOLS, "add_generation_prompt": True},
    {"messages": [QUESTION, {"role": "assistant", "content": "Hm.", "reasoning_content": "\nI see\n"}]},
]
# Each shows what its name says; rendered with CONVERSATIONS[3] and bos_token.
SMALL = {
    "white space": "a\n  {% if true %}\n b\n  {%- if true %} c {% endif -%}  \n d\n{% endif %}\n  {# note #}\ne {{ 1 }}\n\n {{- 2 -}} \n f\n",
    "kept white space": "a\n  {%+ if true %}b\n{%+ endif +%}\nc\r\nd\n\n",
    "loop": "{% for m in messages %}{{ loop.index }}{{ loop.revindex0 }}{{ loop.first }}{{ loop.last }}{{ loop.length }}{{ m.role }}{% if not loop.last %}{{ loop.nextitem.role }}{% endif %},{% endfor %}",
    "loop else, if, break": "{% for m in messages if m.role == 'user' %}{{ loop.index }}{{ loop.length }}{% else %}none{% endfor %}{% for x in [] %}{% else %}none{% endfor %}{% for i in range(9) %}{% if i == 1 %}{% continue %}{% elif i > 3 %}{% break %}{% endif %}{{ i }}{% endfor %}",
    "scopes": "{% set x = 1 %}{% for i in [1, 2] %}{% set x = x + i %}{{ x }}{% endfor %}{{ x }}{% if true %}{% set x = 9 %}{% endif %}{{ x }}{% set ns = namespace(a=1) %}{% for i in [1, 2] %}{% set ns.a = ns.a * 3 %}{% set ns.b = i %}{% endfor %}{{ ns.a }}{{ ns.b }}{% set a, b = 'p', 'q' %}{{ b ~ a ~ 1 }}",
    "set block": "{% set text %} <{{ bos_token }}> {% endset %}[{{ text|trim }}]{{ text|length }}",
    "macro": "{% macro turn(role, text='none', end='!') %}<{{ role }}>{{ text }}{{ end }}{% endmacro %}{{ turn('a') }}{{ turn('b', end='?') }}{{ turn(text='t', role='c') }}{{ turn('x', 'y', 'z') | upper }}",
    "slices": "{% for s in [messages[1:], messages[::-1], messages[:-1], messages[-2:], messages[3:0:-2], messages[9:]] %}{{ s | map(attribute='role') | join('-') }};{% endfor %}{{ 'aé🚀z'[::-1] }}{{ 'aé🚀z'[1:3] }}{{ 'aé'[-1] }}",
    "strings": "{{ ' a b  '.strip() }}|{{ 'xxaxx'.strip('x') }}|{{ 'xxaxx'.rstrip('xa') }}|{{ 'a,b,c'.split(',') }}|{{ ' a  b '.split() }}|{{ 'a,b,c'.split(',', 1)[-1] }}|{{ 'Ab'.upper() ~ 'Ab'.lower() }}|{{ 'hello world'.title() }}|{{ 'hELLO'.capitalize() }}|{{ 'abab'.replace('b', 'c', 1) }}|{{ 'abc'.startswith(('x', 'a')) }}|{{ '-'.join(['a', 'b']) }}|{{ 'aéb'.find('b') }}|{{ 'aa'.count('a') }}",
    "filters": "{{ messages | length }}{{ 'é🚀' | length }}{{ nothing | default('d') }}{{ '' | d('e', true) }}{{ [1, 2] | first }}{{ [1, 2] | last }}{{ [3, 1] | join('+') }}{{ {'a': 1} | items | map('last') | list }}{{ ' 7 ' | int + 1 }}{{ 3.9 | int }}{{ -2 | abs }}{{ 'a\nb\n\nc' | indent(2) }}{{ 'a\nb' | indent(1, true) }}{{ [1, 0, 2] | select | list }}{{ [1, 2, 3] | reject('odd') | list }}{{ messages | selectattr('role', 'equalto', 'user') | list | length }}{{ ['a', 'b'] | map('upper') | join }}{{ [1, 2] | reverse | list }}{{ 'ab' | replace('a', 'c') | capitalize }}",
    "tojson": "{{ {'a': [1, 2.0, none, true, 'é\"\\n<&>\\u0001'], 'b': {}} | tojson }}{{ [] | tojson(indent=2) }}{{ {'a': [1, {'b': []}], 'c': 'd'} | tojson(indent=4) }}{{ 0.1 if true }}",
    "tests": "{{ x is defined }}{{ x is undefined }}{{ none is none }}{{ 'a' is string }}{{ {} is mapping }}{{ [] is iterable }}{{ 'a' is sequence }}{{ 3 is odd }}{{ 3 is divisibleby 3 }}{{ 3 is number }}{{ true is boolean }}{{ false is false }}{{ 1 is true }}{{ not x is defined }}{{ x is not defined and 'a' in 'cat' }}{{ 2 is in [1, 2] }}{{ 1 is eq 1 }}",
    "operators": "{{ 1 + 2 * 3 - 4 // 3 % 2 }}{{ 7 / 2 }}{{ -7 // 2 }}{{ -7 % 3 }}{{ 1 < 2 and not 2 <= 1 or false }}{{ 'a' < 'b' }}{{ 'a' * 3 }}{{ [1] + [2, 'x'] }}{{ 1 == 1.0 }}{{ 'k' in {'k': 1} }}{{ 3 not in [1] }}{{ 'y' if 0 else 'n' }}{{ 'y' if 0 }}{{ none or 'z' }}{{ 0 and 1 }}{{ (1, 'a', none) | list }}{{ 2.50 }}{{ 1 ~ none ~ true }}",
    "dicts": "{% set d = {'a': 1, 'items': 2} %}{{ d.a }}{{ d['items'] }}{{ d.get('b', 'none') }}{{ d.get('b') }}{% for k, v in d.items() %}{{ k }}{{ v }}{% endfor %}{% for k in d %}{{ k }}{% endfor %}{{ d.keys() | list }}{{ d.b is defined }}{{ d }}",
    "generation": "{% for m in messages %}{% if m.role == 'assistant' %}{% generation %}{{ m.content }}{% endgeneration %}{% else %}<{{ m.content }}>{% endif %}{% endfor %}",
    "strings in tags": "{{ 'a}}b' ~ \"%}\" }}{{ 'it''s' }}{{ '\\x41\\u00e9\\\\\\'' }}{{ {'a': {'b': 1}}['a']['b'] }}{% if '{%' in bos_token %}x{% endif %}{{ [1,2,] }}",
}


def template_of(path):
    if path.endswith(".gguf"):
        from gguf import GGUFReader
        return GGUFReader(path).fields["tokenizer.chat_template"].contents()
    return json.loads(pathlib.Path(path).read_text())["chat_template"]


def answers(template, conversations):
    compiled = compile_template(template)
    out = []
    for variables in conversations:
        variables = {"bos_token": "<s>", "eos_token": "</s>", "add_generation_prompt": False, **variables}
        out.append({"variables": variables, "text": compiled.render(**variables)})
    return out


def main():
    cases = [{"name": name, "template": template, "answers": answers(template, CONVERSATIONS[3:4])}
             for name, template in SMALL.items()]
    for path in sys.argv[1:]:
        path = pathlib.Path(path)
        name = path.stem if path.suffix == ".gguf" else path.parent.name
        template = template_of(str(path))
        cases.append({"name": name, "template": template, "answers": answers(template, CONVERSATIONS)})
    OUT.write_text(json.dumps(cases, ensure_ascii=True, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()
