// An exponential moving average of the generator, for sampling. Yazici et al. 2019 (arXiv:1806.04498).
#pragma once

#include "models/network.h"

namespace forger {

/// Adds, to every step, average += (1 - decay) / c * (value - average) for each of the network's variables, with
/// c = 1 - decay^t after t steps: the average over the steps that were made, as Adam corrects its moments, so that the
/// first weights have no share in it. The average is a network of variables "<network>_ema/...", "c" is
/// "<network>_ema_weight". Batch norm's running statistics are averaged alike. Call when the network has its final
/// values of the step.
void add_moving_average(const Network& network, double decay);

}  // namespace forger
