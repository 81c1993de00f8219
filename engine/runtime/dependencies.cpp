#include "engine/runtime/dependencies.h"

#include <algorithm>

#include "engine/ops/op_spec.h"

namespace forger {
namespace {

/// Bytes [begin, end) of the arena (space 0) or of a variable (space 1, 2, ...).
struct Range {
  size_t space, begin, end;

  bool overlaps(const Range& other) const { return space == other.space && begin < other.end && other.begin < end; }
};

struct Accesses {
  std::vector<Range> reads, writes;
  bool cooperative = false;
};

class Analysis {
 public:
  explicit Analysis(const Program& program) : program_(program) {
    for (const Launch& launch : program.launches) {
      accesses_.push_back(of(program.graph.node(launch.node)));
      accesses_.back().cooperative = launch.kernel.cooperative();
    }
  }

  std::vector<std::vector<int>> run() const {
    const size_t count = accesses_.size();
    std::vector<std::vector<int>> dependencies(count);
    std::vector<std::vector<bool>> reaches(count);  // [i][j]: i waits for j, perhaps through others
    for (size_t i = 0; i < count; ++i) {
      reaches[i].assign(count, false);
      for (size_t j = i; j-- > 0;) {  // the latest first: it covers what it waits for itself
        if (reaches[i][j] || !conflict(accesses_[j], accesses_[i])) continue;
        dependencies[i].push_back(static_cast<int>(j));
        reaches[i][j] = true;
        for (size_t k = 0; k < j; ++k) {
          if (reaches[j][k]) reaches[i][k] = true;
        }
      }
      std::reverse(dependencies[i].begin(), dependencies[i].end());
    }
    return dependencies;
  }

 private:
  Accesses of(const Node& node) const {
    Accesses a;
    for (ValueId id : node.inputs) add(a.reads, id);
    for (ValueId id : node.outputs) add(a.writes, id);
    const int block = program_.memory.workspace_block[static_cast<size_t>(node.id)];
    if (block >= 0) {
      const size_t begin = program_.memory.block_offsets[static_cast<size_t>(block)];
      a.writes.push_back({0, begin, begin + program_.memory.blocks[static_cast<size_t>(block)].bytes});
    }
    return a;
  }

  void add(std::vector<Range>& ranges, ValueId id) const {
    const Location& where = program_.memory.values[static_cast<size_t>(id)];
    const size_t bytes = program_.graph.type(id).bytes();
    if (where.kind == Location::Kind::input) return;  // nobody writes to inputs
    const size_t begin = where.kind == Location::Kind::arena ? program_.memory.block_offsets[where.index] : 0;
    ranges.push_back({where.kind == Location::Kind::arena ? 0 : 1 + where.index, begin, begin + bytes});
  }

  static bool any_overlap(const std::vector<Range>& a, const std::vector<Range>& b) {
    return std::any_of(a.begin(), a.end(), [&](const Range& x) {
      return std::any_of(b.begin(), b.end(), [&](const Range& y) { return x.overlaps(y); });
    });
  }
  static bool conflict(const Accesses& earlier, const Accesses& later) {
    return (earlier.cooperative && later.cooperative) || any_overlap(earlier.writes, later.reads) ||
           any_overlap(earlier.writes, later.writes) || any_overlap(earlier.reads, later.writes);
  }

  const Program& program_;
  std::vector<Accesses> accesses_;
};

}  // namespace

std::vector<std::vector<int>> launch_dependencies(const Program& program) {
  return Analysis(program).run();
}

std::vector<int> critical_path(const std::vector<std::vector<int>>& dependencies) {
  std::vector<int> length(dependencies.size(), 1), before(dependencies.size(), -1);
  int last = -1;
  for (size_t i = 0; i < dependencies.size(); ++i) {
    for (int j : dependencies[i]) {
      if (length[static_cast<size_t>(j)] + 1 <= length[i]) continue;
      length[i] = length[static_cast<size_t>(j)] + 1;
      before[i] = j;
    }
    if (last < 0 || length[i] > length[static_cast<size_t>(last)]) last = static_cast<int>(i);
  }
  std::vector<int> path;
  for (; last >= 0; last = before[static_cast<size_t>(last)]) path.push_back(last);
  std::reverse(path.begin(), path.end());
  return path;
}

}  // namespace forger
