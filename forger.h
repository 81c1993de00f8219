// Forger as a library. `#include <forger/forger.h>`, link the CMake target Forger::forger, and a program has this shape:
//
//     using namespace forger;
//     const Generator g = [](Network& net, Value z, const Shape& sample, const ForwardPass& pass) {
//       return Layers(net, z, pass).dense(64).relu().dense(sample[0]).value();
//     };
//     const Discriminator d = [](Network& net, Value x, const ForwardPass& pass) {
//       return Layers(net, x, pass).dense(64).relu().logits().value();
//     };
//     Gan gan(own_recipe("moons", SampleKind::points, g, d, {{"batch", "256"}}), data_of(points, {2}));
//     gan.train(5000);                        // steps; gan.d_loss() and gan.g_loss() are those of the last one
//     write_npy("samples.npy", Shape{1000, 2}, gan.sample(1000));
//
// Options have the names of `forger train`'s flags (`forger summary RECIPE` lists them). Errors are exceptions below
// forger::Error. A Gan belongs to one thread; kernels use all CPU threads or as many as the option "threads" says.
//
// The headers that this one includes, directly or not, are installed; their names are not stable before version 1.
#pragma once

// A GAN as an object, recipes, networks, losses.
#include "models/layers.h"
#include "models/losses.h"
#include "models/optimizer.h"
#include "models/penalties.h"
#include "models/real_data.h"
#include "models/recipe.h"
#include "training/gan.h"

// Runs with a directory and checkpoints, as `forger train` makes them, and samples of such a run.
#include "training/checkpoint_sampler.h"
#include "training/trainer.h"

// Files: data sets in, arrays, tensors and pictures out.
#include "datasets/idx.h"
#include "datasets/image_dataset.h"
#include "datasets/sample_file.h"
#include "interop/onnx.h"
#include "interop/torch_weights.h"
#include "training/npy.h"
#include "training/pictures.h"
#include "training/safetensors.h"

// Metrics of samples.
#include "evaluation/mixture_modes.h"
#include "evaluation/verdict.h"

// The engine below: graphs of ops, differentiated, compiled and run.
#include "engine/autodiff/gradients.h"
#include "engine/ops/ops.h"
#include "engine/runtime/session.h"
#include "kernels/common/errors.h"
