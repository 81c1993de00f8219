// forger report: writes a run's report.html again, with what came after training.
#include "training/report.h"

#include <filesystem>

#include "cli/commands.h"
#include "training/checkpoint_sampler.h"

namespace forger {

void add_report(CommandLine& line) {
  Command command = line.add("report", "write a run's report.html again, with its evaluation");
  auto run = std::make_shared<std::string>();
  command.option("run", *run, "run directory or checkpoint").required();
  command.run([run] {
    const Checkpoint checkpoint = find_checkpoint(*run, [](const std::string& note) { fmt::print("{}\n", note); });
    const std::filesystem::path parent = std::filesystem::path(checkpoint.path).parent_path();
    const std::string directory = parent.empty() ? std::string(".") : parent.string();
    write_report(directory, gan_of(checkpoint), checkpoint.config, checkpoint.step);
    fmt::print("{}/report.html\n", directory);
    return 0;
  });
}

}  // namespace forger
