#include "models/classifier.h"

#include "engine/ops/ops.h"
#include "models/optimizer.h"

namespace forger {
namespace {

/// The network, with the features on the way.
struct Classifier {
  Value features, logits;
};

Classifier classify(Network& network, Value images, const ForwardPass& pass) {
  Layers x(network, images, pass);
  x.conv2d(16, 5).relu().max_pool(2);  // 14x14 for MNIST
  x.conv2d(32, 5).relu().max_pool(2);  // 7x7
  x.flatten().dense(kNumFeatures).relu();
  const Value features = x.value();
  x.dropout(0.5).dense(kNumClasses);
  return {features, x.value()};
}

}  // namespace

Value classifier_logits(Network& network, Value images, const ForwardPass& pass) {
  return classify(network, images, pass).logits;
}

Graph build_classifier_step(const Config& config, const RealData& data) {
  Graph graph;
  const int64_t batch = config.integer("batch"), rows = data.table.shape[0];
  const Value table = graph.input("data", data.table), labels = graph.input("labels", {DType::i32, {rows}});
  const Value seed = graph.variable("rng/seed", {DType::u64, {}}, Initializer::zeros());
  const Value step = graph.variable("rng/step", {DType::i64, {}}, Initializer::zeros());
  Network network(graph, "C");
  Optimizer optimizer(network, config, "c");
  const IndexDraw draw{.count = batch, .population = rows, .replacement = false, .stream = "classifier/epochs"};
  const Value indices = random_indices(seed, step, draw);
  const ForwardPass pass{.training = true, .track_statistics = true, .seed = seed, .step = step};
  const Value logits = classifier_logits(network, gather(table, indices), pass);  // [batch,10]
  const Value wanted = gather(labels, indices);                                   // [batch]
  const Value loss = softmax_cross_entropy(logits, wanted);
  optimizer.minimize(loss);
  graph.output("loss", loss);
  graph.output("logits", logits);
  graph.output("labels", wanted);
  graph.update("rng/step", increment(step));
  network.commit();
  optimizer.commit();
  return graph;
}

Graph build_classifier(const Shape& sample, int64_t count) {
  Graph graph;
  Network network(graph, "C");
  Shape shape = sample;
  shape.insert(shape.begin(), count);
  const Value images = graph.input("images", {DType::f32, shape});
  const Classifier c = classify(network, images, ForwardPass::inference());
  graph.output("features", c.features);
  graph.output("probabilities", softmax(c.logits));
  return graph;
}

}  // namespace forger
