// One function per subcommand: each adds itself to the command line.
#pragma once

#include "cli/command_line.h"

namespace forger {

void add_list(CommandLine& line);
void add_summary(CommandLine& line);
void add_doctor(CommandLine& line);
void add_explain(CommandLine& line);
void add_train(CommandLine& line);
void add_sample(CommandLine& line);
void add_eval(CommandLine& line);
void add_report(CommandLine& line);
void add_walk(CommandLine& line);
void add_export(CommandLine& line);
void add_import(CommandLine& line);
void add_verify(CommandLine& line);
void add_bench(CommandLine& line);
void add_completion(CommandLine& line);

}  // namespace forger
