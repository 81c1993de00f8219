// Two networks and an array of one's own: a GAN learns two half moons. Writes samples.npy [2000, 2] and samples.png.
#include <forger/forger.h>

#include <cmath>
#include <cstdio>
#include <numbers>
#include <random>

using namespace forger;

/// n points on two half circles that reach into each other, with a little noise around them, [n, 2].
std::vector<float> two_moons(int n) {
  std::mt19937 random(1);
  std::uniform_real_distribution<float> angle(0, std::numbers::pi_v<float>);
  std::normal_distribution<float> noise(0, 0.05f);
  std::vector<float> points;
  for (int i = 0; i < n; ++i) {
    const float a = angle(random), x = std::cos(a), y = std::sin(a);
    points.push_back((i % 2 == 0 ? x : 1 - x) + noise(random));
    points.push_back((i % 2 == 0 ? y : 0.5f - y) + noise(random));
  }
  return points;
}

/// z [N, 2] -> points [N, 2].
Value generator(Network& network, Value z, const Shape& sample, const ForwardPass& pass) {
  return Layers(network, z, pass).dense(64).relu().dense(64).relu().dense(sample[0]).value();
}

/// Points [N, 2] -> logits [N, 1].
Value discriminator(Network& network, Value points, const ForwardPass& pass) {
  return Layers(network, points, pass).dense(64).leaky_relu(0.2).dense(64).leaky_relu(0.2).logits().value();
}

int main() {
  const std::vector<float> moons = two_moons(4000);
  // The options are those of `forger train`: pairs of samples compared, gradients penalised on both sides (R3GAN).
  Gan gan(own_recipe("moons", SampleKind::points, generator, discriminator,
                     {{"batch", "256"},
                      {"z-dim", "2"},
                      {"loss", "relativistic"},
                      {"d-update", "sum"},
                      {"ema", "0.995"},
                      {"gradient-penalty", "r1-r2"},
                      {"gradient-penalty-weight", "0.1"},
                      {"g-lr", "0.001"},
                      {"d-lr", "0.001"},
                      {"threads", "1"}}),
          data_of(moons, {2}));
  for (int i = 0; i < 10; ++i) {
    gan.train(500);
    std::printf("step %5d  D loss %.3f  G loss %.3f\n", int(gan.steps_done()), gan.d_loss(), gan.g_loss());
  }
  const std::vector<float> samples = gan.sample(2000);
  write_npy("samples.npy", Shape{2000, 2}, samples);
  write_scatter("samples.png", moons, samples);
}
