// The roofline picture: what is drawn, what is left out, and that names cannot break the SVG.
#include <doctest/doctest.h>

#include "bench/roofline.h"

using namespace forger;

namespace {

KernelTime kernel(const std::string& op, const std::string& node, double milliseconds, double gflops, double gbps) {
  KernelTime k;
  k.op = op;
  k.node = node;
  k.kernel = op + "_cuda";
  k.output = "f32[2]";
  k.uses = 1;
  k.cold = {milliseconds, milliseconds, milliseconds};
  k.gflops = gflops;
  k.gbps = gbps;
  return k;
}

int count(const std::string& text, const std::string& what) {
  int n = 0;
  for (size_t at = text.find(what); at != std::string::npos; at = text.find(what, at + 1)) ++n;
  return n;
}

}  // namespace

TEST_CASE("roofline: the kernels that a step uses, by their share of its time, under both ceilings") {
  const KernelTime kernels[] = {kernel("conv2d", "G/conv2d", 3, 40000, 200), kernel("conv2d", "G/conv2d", 6, 20000, 100),
                                kernel("relu", "G/relu", 1, 500, 4000), kernel("gather", "gather", 1, 0, 3000)};
  const std::string svg = roofline_svg(kernels, {4300, 400000}, "dcgan <B & W>");
  CHECK(count(svg, "<title>") == 2);                      // the second conv2d is another provider's, gather does no arithmetic
  CHECK(svg.find("conv2d 60.0 %") != std::string::npos);  // of all time, gather's included
  CHECK(svg.find("relu 20.0 %") != std::string::npos);
  CHECK(svg.find("matrix product: 400000 GFLOP/s") != std::string::npos);
  CHECK(svg.find("copy: 4300 GB/s") != std::string::npos);
  CHECK(svg.find("dcgan &lt;B &amp; W&gt;") != std::string::npos);
  CHECK(svg.find("nan") == std::string::npos);
  CHECK(svg.find("inf") == std::string::npos);
}

TEST_CASE("roofline: many ops share the last colour, and nothing to draw is an error") {
  std::vector<KernelTime> kernels;
  for (int i = 0; i < 20; ++i) kernels.push_back(kernel("op" + std::to_string(i), "node" + std::to_string(i), 1, 10, 10));
  CHECK(roofline_svg(kernels, {100, 100}, "many").find("all others 65.0 %") != std::string::npos);
  const KernelTime copies[] = {kernel("gather", "gather", 1, 0, 3000)};
  CHECK_THROWS_AS(roofline_svg(copies, {100, 100}, "none"), ConfigError);
}
