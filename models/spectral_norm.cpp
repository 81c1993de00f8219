#include "models/spectral_norm.h"

#include "engine/ops/ops.h"

namespace forger {
namespace {

constexpr double kTiny = 1e-24;  // inside the root: a zero vector stays zero

/// x / |x|, [1, n].
Value normalized(Value x) {
  const Value inverse = unary(ScalarOp::rsqrt, shift(reduce_sum(square(x), {0, 1}), kTiny));  // []
  return mul(x, broadcast_to(inverse, x.shape()));
}

}  // namespace

Value spectral_norm(Network& network, const std::string& name, Value weight, int64_t rows, bool advance) {
  Network::Normalized& known = network.normalized(name);
  if (known.weight == weight && (known.advanced || !advance)) return known.result;
  const PathScope scope(network.graph(), "spectral_norm");
  const Value matrix = reshape(weight, {rows, weight.type().size() / rows});
  const Value state = network.state(name + "/u", {1, rows}, Initializer::normal(0, 1));
  Value u = normalized(state);                    // [1, rows]
  const Value v = normalized(matmul(u, matrix));  // [1, columns]
  if (advance) {
    u = normalized(matmul(v, matrix, false, true));
    network.set(name + "/u", u);
  }
  const Value image = matmul(stop_gradient(u), matrix);  // [1, columns]
  const Value sigma = reduce_sum(mul(image, stop_gradient(v)), {0, 1});
  known = {weight, mul(weight, broadcast_to(unary(ScalarOp::reciprocal, sigma), weight.shape())), advance};
  return known.result;
}

}  // namespace forger
