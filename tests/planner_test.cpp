// The memory planner against brute force on random graphs, and updates in place.
#include <doctest/doctest.h>

#include <map>
#include <random>

#include "engine/memory/planner.h"
#include "engine/ops/op_spec.h"
#include "engine/ops/ops.h"
#include "engine/runtime/session.h"

using namespace forger;

namespace {

const Provider* const kReference[] = {&reference_provider()};

/// A random graph of elementwise ops, reductions, views and matrix products over a few variables.
Graph random_graph(uint32_t seed) {
  std::mt19937 random(seed);
  const auto below = [&](size_t n) { return std::uniform_int_distribution<size_t>(0, n - 1)(random); };
  Graph g;
  std::vector<Value> values;
  for (int i = 0; i < 3; ++i)
    values.push_back(g.variable("v" + std::to_string(i), {DType::f32, {4, 4}}, Initializer::uniform(-1, 1)));
  for (int i = 0; i < 40; ++i) {
    const Value a = values[below(values.size())], b = values[below(values.size())];
    switch (below(6)) {
      case 0:
        values.push_back(tanh(a));
        break;
      case 1:
        values.push_back(scale(add(a, b), 0.5));
        break;
      case 2:
        values.push_back(tanh(matmul(a, b)));
        break;
      case 3:
        values.push_back(reshape(reshape(a, {16}), {4, 4}));
        break;
      case 4:
        values.push_back(broadcast_to(reduce_mean(a, {0}), {4, 4}));
        break;
      case 5:
        values.push_back(sub(a, b));
        break;
    }
  }
  for (int i = 0; i < 3; ++i) {
    if (below(4) > 0) g.update("v" + std::to_string(i), scale(values[below(values.size())], 1.5));
  }
  for (int i = 0; i < 4; ++i) g.output("y" + std::to_string(i), values[3 + below(values.size() - 3)]);
  return g;
}

}  // namespace

TEST_CASE("pack: blocks that live together never overlap, and the arena holds them all") {
  std::mt19937 random(1);
  for (int round = 0; round < 200; ++round) {
    std::vector<BlockRequest> blocks;
    size_t total = 0;
    for (int i = 0; i < 30; ++i) {
      const int first = static_cast<int>(random() % 50);
      blocks.push_back({random() % 5000, first, first + static_cast<int>(random() % 10)});
      total += (blocks.back().bytes + 63) / 64 * 64;
    }
    const Packing p = pack(blocks, 64);
    size_t most_at_once = 0;
    for (int t = 0; t < 60; ++t) {
      size_t live = 0;
      for (const auto& b : blocks) live += b.first <= t && t <= b.last ? (b.bytes + 63) / 64 * 64 : 0;
      most_at_once = std::max(most_at_once, live);
    }
    CHECK(p.bytes >= most_at_once);
    CHECK(p.bytes <= total);
    for (size_t i = 0; i < blocks.size(); ++i) {
      CHECK(p.offsets[i] % 64 == 0);
      CHECK(p.offsets[i] + blocks[i].bytes <= p.bytes);
      for (size_t j = 0; j < i; ++j) {
        const bool together = blocks[i].first <= blocks[j].last && blocks[j].first <= blocks[i].last;
        const bool overlap = p.offsets[i] < p.offsets[j] + blocks[j].bytes && p.offsets[j] < p.offsets[i] + blocks[i].bytes;
        CHECK_FALSE((together && overlap));
      }
    }
  }
}

TEST_CASE("plan: on random graphs, memory reused gives the same numbers as memory of its own for every value") {
  for (uint32_t seed = 0; seed < 300; ++seed) {
    CAPTURE(seed);
    const Graph g = random_graph(seed);
    VariableStore planned_store(host_device()), plain_store(host_device());
    Session planned(compile(g, kReference, {}, {}), planned_store, seed);

    // The same program with a plan that shares nothing: every value a block of its own, updates copied at the end.
    Program apart = compile(g, kReference, {}, {});
    MemoryPlan& m = apart.memory;
    m.blocks.clear();
    m.block_offsets.clear();
    m.final_copies.clear();
    for (const Node& node : apart.graph.nodes()) {
      for (ValueId id : node.outputs) {
        if (node.op->name == "variable") continue;
        if (node.op->is_view) {
          m.values[static_cast<size_t>(id)] = m.values[static_cast<size_t>(node.inputs[0])];
          continue;
        }
        m.values[static_cast<size_t>(id)] = {Location::Kind::arena, m.block_offsets.size()};
        m.block_offsets.push_back(m.block_offsets.size() * 256);
      }
    }
    m.arena_bytes = m.block_offsets.size() * 256;
    for (size_t i = 0; i < apart.graph.variables().size(); ++i) {
      const Variable& v = apart.graph.variables()[i];
      if (v.updated != v.current) m.final_copies.push_back({v.updated, i});
    }
    Session plain(std::move(apart), plain_store, seed);

    for (int step = 0; step < 3; ++step) {
      planned.run();
      plain.run();
      for (int i = 0; i < 4; ++i) CHECK(planned.output("y" + std::to_string(i)) == plain.output("y" + std::to_string(i)));
      for (int i = 0; i < 3; ++i) CHECK(planned_store.read("v" + std::to_string(i)) == plain_store.read("v" + std::to_string(i)));
    }
    CHECK(planned.program().memory.arena_bytes <= plain.program().memory.arena_bytes);
  }
}

TEST_CASE("plan: weights are updated in place unless something still reads the old ones") {
  for (const bool read_later : {false, true}) {
    Graph g;
    const Value w = g.variable("w", {DType::f32, {8}}, Initializer::ones());
    const Value lr = g.variable("lr", {DType::f32, {}}, Initializer::constant(0.5));
    const Value slot = g.variable("slot", {DType::f32, {8}}, Initializer::zeros());
    const Value p[] = {w}, grad[] = {fill(g, 1.0, {8})}, s[] = {slot};
    const auto u = sgd_momentum(lr, p, grad, s, 0.0);
    g.update("w", u.parameters[0]);
    g.update("slot", u.slots[0]);
    if (read_later) g.output("old", scale(w, 3.0));  // after the update in program order
    VariableStore variables(host_device());
    Session session(compile(g, kReference, {}, {}), variables, 0);  // as written: passes may move the reader up
    CHECK(session.program().memory.final_copies.size() == (read_later ? 1 : 0));
    session.run();
    session.run();
    if (read_later) CHECK(session.output("old")[0] == doctest::Approx(1.5));
    float first;
    std::memcpy(&first, variables.read("w").data(), sizeof first);
    CHECK(first == doctest::Approx(0.0));
  }
}
