// The three shells' ways to say the same table.
#include <fmt/ranges.h>

#include <algorithm>

#include "cli/completion.h"
#include "kernels/common/errors.h"

namespace forger {
namespace {

using Value = CompletionOption::Value;
using Commands = std::vector<CompletionCommand>;

std::string joined(const std::vector<std::string>& words) {
  return fmt::format("{}", fmt::join(words, " "));
}

template <class Items>
std::string names_of(const Items& items) {
  std::vector<std::string> names;
  for (const auto& item : items) names.push_back(item.name);
  return joined(names);
}

/// All values that a positional argument of a command can have, whichever place it is at.
std::vector<std::string> positional_choices(const CompletionCommand& command) {
  std::vector<std::string> choices;
  for (const CompletionOption& p : command.positionals) choices.insert(choices.end(), p.choices.begin(), p.choices.end());
  return choices;
}

bool takes_file(const CompletionCommand& command) {
  return std::any_of(command.positionals.begin(), command.positionals.end(),
                     [](const CompletionOption& p) { return p.value == Value::text; });
}

/// `text` with a backslash before each of `special`.
std::string escaped(const std::string& text, std::string_view special) {
  std::string out;
  for (const char c : text) {
    if (special.find(c) != std::string_view::npos) out += '\\';
    out += c;
  }
  return out;
}

/// In single quotes, for zsh and bash.
std::string quoted(const std::string& text) {
  std::string out = "'";
  for (const char c : text) out += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return out + "'";
}

std::string bash_script(const Commands& commands) {
  std::string values, words;
  for (const CompletionCommand& c : commands) {
    for (const CompletionOption& o : c.options) {
      if (o.value == Value::choice) {
        values +=
            fmt::format("    {}:{}) COMPREPLY=($(compgen -W '{}' -- \"$cur\")); return ;;\n", c.name, o.name, joined(o.choices));
      } else if (o.value == Value::text) {
        values +=
            fmt::format("    {}:{}) compopt -o filenames; COMPREPLY=($(compgen -f -- \"$cur\")); return ;;\n", c.name, o.name);
      } else if (o.value == Value::number) {
        values += fmt::format("    {}:{}) return ;;\n", c.name, o.name);
      }
    }
    words += fmt::format("    {}) options='{}' choices='{}' files={} ;;\n", c.name, names_of(c.options),
                         joined(positional_choices(c)), takes_file(c) ? 1 : 0);
  }
  return fmt::format(
      "# bash completion for forger, made by `forger completion bash`.\n"
      "_forger() {{\n"
      "  local cur=${{COMP_WORDS[COMP_CWORD]}} prev=${{COMP_WORDS[COMP_CWORD-1]}} command=${{COMP_WORDS[1]}}\n"
      "  local options='' choices='' files=0\n"
      "  COMPREPLY=()\n"
      "  if ((COMP_CWORD == 1)); then\n"
      "    COMPREPLY=($(compgen -W '{} --help --version' -- \"$cur\"))\n"
      "    return\n"
      "  fi\n"
      "  case $command:$prev in\n{}  esac\n"
      "  case $command in\n{}  esac\n"
      "  if [[ $cur == -* ]]; then\n"
      "    COMPREPLY=($(compgen -W \"$options\" -- \"$cur\"))\n"
      "    return\n"
      "  fi\n"
      "  COMPREPLY=($(compgen -W \"$choices\" -- \"$cur\"))\n"
      "  if ((files)); then compopt -o filenames; COMPREPLY+=($(compgen -f -- \"$cur\")); fi\n"
      "}}\n"
      "complete -F _forger forger\n",
      names_of(commands), values, words);
}

/// What follows "name[help]" in a specification of _arguments.
std::string zsh_value(const CompletionOption& o) {
  switch (o.value) {
    case Value::none:
      return "";
    case Value::number:
      return ":number: ";
    case Value::text:
      return ":file:_files";
    case Value::choice:
      break;
  }
  return fmt::format(":value:({})", escaped(joined(o.choices), ":"));
}

std::string zsh_script(const Commands& commands) {
  std::string names, cases;
  for (const CompletionCommand& c : commands) {
    names += fmt::format("    {}\n", quoted(escaped(c.name, ":") + ":" + c.help));
    cases += fmt::format("    {})\n      specs=(\n", c.name);
    for (const CompletionOption& o : c.options) {
      cases += fmt::format("        {}\n", quoted(fmt::format("{}[{}]{}", o.name, escaped(o.help, "[]:\\"), zsh_value(o))));
    }
    for (const CompletionOption& p : c.positionals) {
      const std::string values = p.value == Value::choice ? fmt::format("({})", joined(p.choices)) : "_files";
      cases += fmt::format("        {}\n", quoted(fmt::format(":{}:{}", p.name, values)));
    }
    cases += "      )\n      ;;\n";
  }
  return fmt::format(
      "#compdef forger\n"
      "# zsh completion for forger, made by `forger completion zsh`.\n"
      "_forger() {{\n"
      "  local -a commands specs\n"
      "  commands=(\n{}  )\n"
      "  if (( CURRENT == 2 )); then\n"
      "    _describe command commands\n"
      "    _arguments '--help[show help]' '--version[show the version]'\n"
      "    return\n"
      "  fi\n"
      "  shift words\n"
      "  (( CURRENT-- ))\n"
      "  case $words[1] in\n{}  esac\n"
      "  _arguments $specs\n"
      "}}\n"
      "if [[ $funcstack[1] == _forger ]]; then _forger \"$@\"; else compdef _forger forger; fi\n",
      names, cases);
}

std::string fish_quoted(const std::string& text) {
  return "'" + escaped(text, "'\\") + "'";
}

std::string fish_script(const Commands& commands) {
  std::string script =
      "# fish completion for forger, made by `forger completion fish`.\n"
      "complete -c forger -f\n"
      "complete -c forger -n __fish_use_subcommand -l help -d 'show help'\n"
      "complete -c forger -n __fish_use_subcommand -l version -d 'show the version'\n";
  for (const CompletionCommand& c : commands) {
    script += fmt::format("complete -c forger -n __fish_use_subcommand -a {} -d {}\n", c.name, fish_quoted(c.help));
    const std::string start = fmt::format("complete -c forger -n '__fish_seen_subcommand_from {}'", c.name);
    for (const CompletionOption& o : c.options) {
      std::string value;
      if (o.value == Value::choice) value = fmt::format(" -x -a {}", fish_quoted(joined(o.choices)));
      if (o.value == Value::number) value = " -x";
      if (o.value == Value::text) value = " -r -F";
      script += fmt::format("{} -l {}{} -d {}\n", start, o.name.substr(2), value, fish_quoted(o.help));
    }
    const auto choices = positional_choices(c);
    if (!choices.empty()) script += fmt::format("{} -a {}\n", start, fish_quoted(joined(choices)));
    if (takes_file(c)) script += start + " -F\n";
  }
  return script;
}

}  // namespace

std::string completion_script(const std::string& shell, const std::vector<CompletionCommand>& commands) {
  if (shell == "bash") return bash_script(commands);
  if (shell == "zsh") return zsh_script(commands);
  if (shell == "fish") return fish_script(commands);
  fail<ConfigError>("there are no completions for '{}', only for bash, zsh and fish", shell);
}

}  // namespace forger
