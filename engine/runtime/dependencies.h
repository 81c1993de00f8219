// Which launches of a program must wait for which: all others may run side by side.
#pragma once

#include "engine/runtime/program.h"

namespace forger {

/// For each launch the earlier ones that it must wait for, in ascending order: those that write what it reads, read what
/// it writes, or write what it writes, told by bytes of the arena and by variable; and of launches whose blocks wait for each
/// other (PreparedKernel::cooperative) the one before. Launches that others of the list wait
/// for already are left out. After all launches come the final copies of updates, which wait for everything: they have
/// no entries.
std::vector<std::vector<int>> launch_dependencies(const Program& program);

/// The longest chain of launches, each of which waits for the one before.
std::vector<int> critical_path(const std::vector<std::vector<int>>& dependencies);

}  // namespace forger
