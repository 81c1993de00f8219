// The reference provider: one row per op, each a plain loop over the graph's own real type.
#include "kernels/reference/batch_norm.h"
#include "kernels/reference/conv2d.h"
#include "kernels/reference/elementwise.h"
#include "kernels/reference/linear.h"
#include "kernels/reference/loss.h"
#include "kernels/reference/optimizer.h"
#include "kernels/reference/pool.h"
#include "kernels/reference/random.h"
#include "kernels/reference/shape.h"

#include "engine/ops/op_spec.h"
#include "engine/ops/ops.h"
#include "engine/providers/adapters.h"
#include "engine/providers/program_adapter.h"
#include "engine/providers/provider.h"

namespace forger {
namespace {

using Run = std::function<void(const KernelArgs&)>;

/// Instantiates a generic lambda for the graph's real type: f(T{}) returns the function to run.
template <class F>
PreparedKernel for_real(const NodeView& node, F f) {
  return {node.real() == DType::f64 ? Run(f(double{})) : Run(f(float{}))};
}

PreparedKernel fill(const NodeView& v) {
  return for_real(v, [n = v.output(0).size(), value = v.attributes().real("value")](auto t) {
    using T = decltype(t);
    return [=](const KernelArgs& a) { std::fill_n(a.out<T>(0), n, static_cast<T>(value)); };
  });
}

PreparedKernel gather(const NodeView& v) {
  const int64_t count = v.output(0).shape[0], row = v.output(0).size() / count;
  if (v.input(0).dtype == DType::i32) {
    return {[=](const KernelArgs& a) { reference::gather(count, row, a.in<int32_t>(0), a.in<int32_t>(1), a.out<int32_t>(0)); }};
  }
  return for_real(v, [=, bytes = v.input(0).dtype == DType::u8](auto t) {
    using T = decltype(t);
    return [=](const KernelArgs& a) {
      if (bytes) {
        reference::gather(count, row, a.in<uint8_t>(0), a.in<int32_t>(1), a.out<T>(0));
      } else {
        reference::gather(count, row, a.in<T>(0), a.in<int32_t>(1), a.out<T>(0));
      }
    };
  });
}

PreparedKernel elementwise(const NodeView& v) {
  return for_real(v, [tape = tape_of(v), periods = periods_of(v), n = v.output(0).size()](auto t) {
    using T = decltype(t);
    return [=](const KernelArgs& a) {
      std::vector<ElementwiseInput<T>> inputs;
      for (size_t i = 0; i < periods.size(); ++i) inputs.push_back({a.in<T>(i), periods[i]});
      reference::elementwise(tape, inputs.data(), a.out<T>(0), n, tape_random(tape, a));
    };
  });
}

constexpr auto kRunTape = [](const auto& tape, const auto& inputs, auto* out, int64_t n, const KernelArgs& a) {
  reference::elementwise(tape, inputs.data(), out, n, tape_random(tape, a));
};

/// The kernel's result, then the tape.
PreparedKernel and_epilogue(const NodeView& v, PreparedKernel kernel) {
  return v.real() == DType::f64 ? then_epilogue<double>(v, std::move(kernel), kRunTape)
                                : then_epilogue<float>(v, std::move(kernel), kRunTape);
}

/// The tape on dy, then the kernel.
PreparedKernel behind_prologue(const NodeView& v, PreparedKernel kernel) {
  return v.real() == DType::f64 ? after_prologue<double>(v, std::move(kernel), kRunTape)
                                : after_prologue<float>(v, std::move(kernel), kRunTape);
}

PreparedKernel reshape(const NodeView& v) {
  return {[bytes = v.output(0).bytes()](const KernelArgs& a) {
    if (a.outputs[0] != a.inputs[0]) std::memcpy(a.outputs[0], a.inputs[0], bytes);
  }};
}

PreparedKernel broadcast_to(const NodeView& v) {
  return for_real(v, [from = v.input(0).shape, to = v.output(0).shape](auto t) {
    using T = decltype(t);
    return [=](const KernelArgs& a) { reference::broadcast_to(from, to, a.in<T>(0), a.out<T>(0)); };
  });
}

PreparedKernel reduce_sum(const NodeView& v) {
  return for_real(v, [shape = v.input(0).shape, axes = v.attributes().list("axes")](auto t) {
    using T = decltype(t);
    return [=](const KernelArgs& a) { reference::reduce_sum(shape, axes, a.in<T>(0), a.out<T>(0)); };
  });
}

PreparedKernel concat(const NodeView& v) {
  std::vector<Shape> shapes;
  for (size_t i = 0; i < v.num_inputs(); ++i) shapes.push_back(v.input(i).shape);
  const auto axis = static_cast<size_t>(v.attributes().integer("axis"));
  return for_real(v, [=, to = v.output(0).shape](auto t) {
    using T = decltype(t);
    return [=](const KernelArgs& a) {
      Shape offset(to.size(), 0);
      for (size_t i = 0; i < shapes.size(); ++i) {
        reference::copy_into(shapes[i], a.in<T>(i), to, offset, a.out<T>(0));
        offset[axis] += shapes[i][axis];
      }
    };
  });
}

PreparedKernel slice(const NodeView& v) {
  return for_real(v, [shape = v.input(0).shape, begin = v.attributes().list("begin"), size = v.output(0).shape](auto t) {
    using T = decltype(t);
    return [=](const KernelArgs& a) { reference::slice(shape, a.in<T>(0), begin, size, a.out<T>(0)); };
  });
}

PreparedKernel pad(const NodeView& v) {
  return for_real(v, [shape = v.input(0).shape, before = v.attributes().list("before"), to = v.output(0).shape](auto t) {
    using T = decltype(t);
    return [=](const KernelArgs& a) {
      std::fill_n(a.out<T>(0), reference::product(to), T(0));
      reference::copy_into(shape, a.in<T>(0), to, before, a.out<T>(0));
    };
  });
}

PreparedKernel window_add(const NodeView& v) {
  return for_real(v, [shape = v.input(1).shape, begin = v.attributes().list("begin"), to = v.output(0).shape,
                      p = v.attributes().real("p")](auto t) {
    using T = decltype(t);
    return [=](const KernelArgs& a) {
      if (a.outputs[0] != a.inputs[0]) std::copy_n(a.in<T>(0), reference::product(to), a.out<T>(0));
      reference::window_add(shape, a.in<T>(1), static_cast<T>(p), to, begin, a.out<T>(0));
    };
  });
}

PreparedKernel max_pool_pick(const NodeView& v) {
  return for_real(v, [s = pool_shape_of(v)](auto t) {
    using T = decltype(t);
    return [=](const KernelArgs& a) { reference::max_pool_pick(s, a.in<T>(0), a.in<T>(1), a.out<T>(0)); };
  });
}

PreparedKernel max_pool_scatter(const NodeView& v) {
  return for_real(v, [s = pool_shape_of(v)](auto t) {
    using T = decltype(t);
    return [=](const KernelArgs& a) { reference::max_pool_scatter(s, a.in<T>(0), a.in<T>(1), a.out<T>(0)); };
  });
}

PreparedKernel matmul(const NodeView& v) {
  return and_epilogue(v, for_real(v, [s = matmul_size(v), bias = has_bias(v)](auto t) {
                        using T = decltype(t);
                        return [=](const KernelArgs& a) {
                          reference::matmul(s.m, s.n, s.k, s.transpose_a, s.transpose_b, a.in<T>(0), a.in<T>(1),
                                            bias ? a.in<T>(2) : nullptr, a.out<T>(0));
                        };
                      }));
}

PreparedKernel bias_add(const NodeView& v) {
  return for_real(v, [s = rows_of(v.input(0))](auto t) {
    using T = decltype(t);
    return [=](const KernelArgs& a) { reference::bias_add(s.rows, s.channels, a.in<T>(0), a.in<T>(1), a.out<T>(0)); };
  });
}

/// Statistics of `inputs` (running mean and variance, from input `running` on) and outputs from 1 on.
template <class T>
reference::BatchNormStatistics<T> statistics_args(const KernelArgs& a, double epsilon, double momentum, size_t running) {
  return {epsilon, momentum, a.in<T>(running), a.in<T>(running + 1), a.out<T>(1), a.out<T>(2), a.out<T>(3), a.out<T>(4)};
}

PreparedKernel convolution(const NodeView& v) {
  return and_epilogue(v, for_real(v, [s = conv2d_shape(v.attributes()), bias = has_bias(v)](auto t) {
                        using T = decltype(t);
                        return [=](const KernelArgs& a) {
                          reference::conv2d(s, a.in<T>(0), a.in<T>(1), bias ? a.in<T>(2) : nullptr, a.out<T>(0));
                        };
                      }));
}

PreparedKernel statistics(const NodeView& v) {
  return for_real(v, [s = *statistics_of(v)](auto t) {
    using T = decltype(t);
    return [=](const KernelArgs& a) {
      reference::batch_norm_statistics(s.size.rows, s.size.channels, a.out<T>(0),
                                       statistics_args<T>(a, s.epsilon, s.momentum, s.running));
    };
  });
}

PreparedKernel conv2d_input_grad(const NodeView& v) {
  return and_epilogue(v, for_real(v, [s = conv2d_shape(v.attributes()), bias = has_bias(v)](auto t) {
                        using T = decltype(t);
                        return [=](const KernelArgs& a) {
                          reference::conv2d_input_grad(s, a.in<T>(0), a.in<T>(1), bias ? a.in<T>(2) : nullptr, a.out<T>(0));
                        };
                      }));
}

PreparedKernel conv2d_filter_grad(const NodeView& v) {
  return for_real(v, [s = conv2d_shape(v.attributes())](auto t) {
    using T = decltype(t);
    return [=](const KernelArgs& a) { reference::conv2d_filter_grad(s, a.in<T>(0), a.in<T>(1), a.out<T>(0)); };
  });
}

PreparedKernel batch_norm_training(const NodeView& v) {
  return and_epilogue(v, for_real(v, [s = rows_of(v.input(0)), epsilon = v.attributes().real("epsilon"),
                                      momentum = v.attributes().real("momentum")](auto t) {
                        using T = decltype(t);
                        return [=](const KernelArgs& a) {
                          reference::batch_norm_training(s.rows, s.channels, a.in<T>(0), a.in<T>(1), a.in<T>(2),
                                                         statistics_args<T>(a, epsilon, momentum, 3), a.out<T>(0));
                        };
                      }));
}

PreparedKernel batch_norm_apply(const NodeView& v) {
  return and_epilogue(v, for_real(v, [s = rows_of(v.input(0))](auto t) {
                        using T = decltype(t);
                        return [=](const KernelArgs& a) {
                          reference::batch_norm_apply(s.rows, s.channels, a.in<T>(0), a.in<T>(1), a.in<T>(2), a.in<T>(3),
                                                      a.in<T>(4), a.out<T>(0));
                        };
                      }));
}

PreparedKernel batch_norm_inference(const NodeView& v) {
  return for_real(v, [s = rows_of(v.input(0)), epsilon = v.attributes().real("epsilon")](auto t) {
    using T = decltype(t);
    return [=](const KernelArgs& a) {
      reference::batch_norm_inference(s.rows, s.channels, a.in<T>(0), a.in<T>(1), a.in<T>(2), a.in<T>(3), a.in<T>(4), epsilon,
                                      a.out<T>(0));
    };
  });
}

PreparedKernel batch_norm_grad(const NodeView& v) {
  return behind_prologue(v, for_real(v, [s = rows_of(v.input(0))](auto t) {
                           using T = decltype(t);
                           return [=](const KernelArgs& a) {
                             reference::batch_norm_grad(s.rows, s.channels, a.in<T>(0), a.in<T>(1), a.in<T>(2), a.in<T>(3),
                                                        a.in<T>(4), a.out<T>(0), a.out<T>(1), a.out<T>(2));
                           };
                         }));
}

PreparedKernel random_uniform(const NodeView& v) {
  return for_real(v, [r = random_of(v), n = v.output(0).size(), low = v.attributes().real("low"),
                      high = v.attributes().real("high")](auto t) {
    using T = decltype(t);
    return [=](const KernelArgs& a) {
      reference::random_uniform<T>(n, static_cast<T>(low), static_cast<T>(high), r.key(a), a.out<T>(0));
    };
  });
}

PreparedKernel random_normal(const NodeView& v) {
  return for_real(v, [r = random_of(v), n = v.output(0).size(), mean = v.attributes().real("mean"),
                      stddev = v.attributes().real("stddev")](auto t) {
    using T = decltype(t);
    return [=](const KernelArgs& a) {
      reference::random_normal<T>(n, static_cast<T>(mean), static_cast<T>(stddev), r.key(a), a.out<T>(0));
    };
  });
}

PreparedKernel random_indices(const NodeView& v) {
  const Attributes& at = v.attributes();
  return {[r = random_of(v), count = at.integer("count"), population = at.integer("population"),
           replacement = at.integer("replacement") != 0, draw = at.integer("draw"),
           draws = at.integer("draws_per_step")](const KernelArgs& a) {
    const reference::RandomKey key = r.key(a);
    if (replacement) {
      reference::random_rows(count, population, key, a.out<int32_t>(0));
    } else {
      const uint64_t first =
          (key.step * static_cast<uint64_t>(draws) + static_cast<uint64_t>(draw)) * static_cast<uint64_t>(count);
      reference::epoch_rows(count, population, first, key.seed, key.stream, a.out<int32_t>(0));
    }
  }};
}

PreparedKernel dropout(const NodeView& v) {
  return for_real(v, [r = random_of(v), n = v.output(0).size(), rate = v.attributes().real("rate")](auto t) {
    using T = decltype(t);
    return [=](const KernelArgs& a) { reference::dropout(n, rate, r.key(a), a.in<T>(0), a.out<T>(0)); };
  });
}

PreparedKernel increment(const NodeView&) {
  return {[](const KernelArgs& a) { *a.out<int64_t>(0) = *a.in<int64_t>(0) + 1; }};
}

PreparedKernel bce_with_logits(const NodeView& v) {
  return for_real(v, [n = v.input(0).size()](auto t) {
    using T = decltype(t);
    return [=](const KernelArgs& a) { reference::bce_with_logits(n, a.in<T>(0), a.in<T>(1), a.out<T>(0), a.out<T>(1)); };
  });
}

PreparedKernel softmax(const NodeView& v) {
  return for_real(v, [s = rows_of(v.input(0))](auto t) {
    using T = decltype(t);
    return [=](const KernelArgs& a) { reference::softmax(s.rows, s.channels, a.in<T>(0), a.out<T>(0)); };
  });
}

PreparedKernel softmax_cross_entropy(const NodeView& v) {
  return for_real(v, [s = rows_of(v.input(0))](auto t) {
    using T = decltype(t);
    return [=](const KernelArgs& a) {
      reference::softmax_cross_entropy(s.rows, s.channels, a.in<T>(0), a.in<int32_t>(1), a.out<T>(0), a.out<T>(1));
    };
  });
}

PreparedKernel adam(const NodeView& v) {
  const Attributes& at = v.attributes();
  return for_real(v, [sizes = group_sizes(v, 2, 4), b1 = at.real("beta1"), b2 = at.real("beta2"),
                      e = at.real("epsilon")](auto t) {
    using T = decltype(t);
    return [=](const KernelArgs& a) {
      for (size_t i = 0; i < sizes.size(); ++i) {
        const size_t in = 2 + 4 * i, out = 3 * i;
        reference::adam(sizes[i], *a.in<int64_t>(0), static_cast<double>(*a.in<T>(1)), b1, b2, e, a.in<T>(in), a.in<T>(in + 1),
                        a.in<T>(in + 2), a.in<T>(in + 3), a.out<T>(out), a.out<T>(out + 1), a.out<T>(out + 2));
      }
    };
  });
}

PreparedKernel sgd_momentum(const NodeView& v) {
  return for_real(v, [sizes = group_sizes(v, 1, 3), momentum = v.attributes().real("momentum")](auto t) {
    using T = decltype(t);
    return [=](const KernelArgs& a) {
      for (size_t i = 0; i < sizes.size(); ++i) {
        const size_t in = 1 + 3 * i, out = 2 * i;
        reference::sgd_momentum(sizes[i], static_cast<double>(*a.in<T>(0)), momentum, a.in<T>(in), a.in<T>(in + 1),
                                a.in<T>(in + 2), a.out<T>(out), a.out<T>(out + 1));
      }
    };
  });
}

PreparedKernel rmsprop(const NodeView& v) {
  return for_real(
      v, [sizes = group_sizes(v, 1, 3), rho = v.attributes().real("rho"), epsilon = v.attributes().real("epsilon")](auto t) {
        using T = decltype(t);
        return [=](const KernelArgs& a) {
          for (size_t i = 0; i < sizes.size(); ++i) {
            const size_t in = 1 + 3 * i, out = 2 * i;
            reference::rmsprop(sizes[i], static_cast<double>(*a.in<T>(0)), rho, epsilon, a.in<T>(in), a.in<T>(in + 1),
                               a.in<T>(in + 2), a.out<T>(out), a.out<T>(out + 1));
          }
        };
      });
}

PreparedKernel block_program(const NodeView& v) {
  const Provider* const providers[] = {&reference_provider()};
  return prepare_one_by_one(v, providers);
}

std::optional<std::string> always(const NodeView&) {
  return std::nullopt;
}

std::vector<Kernel> make_table() {
  std::vector<Kernel> table = {
      {"adam", "adam_reference", always, adam},
      {"batch_norm_apply", "batch_norm_apply_reference", always, batch_norm_apply},
      {"batch_norm_grad", "batch_norm_grad_reference", always, batch_norm_grad},
      {"batch_norm_inference", "batch_norm_inference_reference", always, batch_norm_inference},
      {"batch_norm_training", "batch_norm_training_reference", always, batch_norm_training},
      {"bce_with_logits", "bce_with_logits_reference", always, bce_with_logits},
      {"bias_add", "bias_add_reference", always, bias_add},
      {"block_program", "block_program_reference", always, block_program},
      {"broadcast_to", "broadcast_to_reference", always, broadcast_to},
      {"concat", "concat_reference", always, concat},
      {"conv2d", "conv2d_reference", always, with_statistics<convolution, statistics>},
      {"conv2d_filter_grad", "conv2d_filter_grad_reference", always, conv2d_filter_grad},
      {"conv2d_input_grad", "conv2d_input_grad_reference", always, conv2d_input_grad},
      {"dropout", "dropout_reference", always, dropout},
      {"fill", "fill_reference", always, fill},
      {"fused_elementwise", "fused_elementwise_reference", always, elementwise},
      {"gather", "gather_reference", always, gather},
      {"increment", "increment_reference", always, increment},
      {"matmul", "matmul_reference", always, matmul},
      {"max_pool_pick", "max_pool_pick_reference", always, max_pool_pick},
      {"max_pool_scatter", "max_pool_scatter_reference", always, max_pool_scatter},
      {"pad", "pad_reference", always, pad},
      {"random_indices", "random_indices_reference", always, random_indices},
      {"random_normal", "random_normal_reference", always, random_normal},
      {"random_uniform", "random_uniform_reference", always, random_uniform},
      {"reduce_sum", "reduce_sum_reference", always, reduce_sum},
      {"reshape", "reshape_view", always, reshape},
      {"rmsprop", "rmsprop_reference", always, rmsprop},
      {"sgd_momentum", "sgd_momentum_reference", always, sgd_momentum},
      {"slice", "slice_reference", always, slice},
      {"softmax", "softmax_reference", always, softmax},
      {"softmax_cross_entropy", "softmax_cross_entropy_reference", always, softmax_cross_entropy},
      {"stop_gradient", "stop_gradient_view", always, reshape},
      {"window_add", "window_add_reference", always, window_add},
  };
  for (int i = 0; i < kNumScalarOps; ++i) {
    table.push_back({name_of(static_cast<ScalarOp>(i)), "elementwise_reference", always, elementwise});
  }
  return table;
}

}  // namespace

const Provider& reference_provider() {
  static const std::vector<Kernel> kernels = make_table();
  static const Provider provider{"reference", kernels};
  return provider;
}

}  // namespace forger
