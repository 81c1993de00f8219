#!/usr/bin/env python3
"""One training step of the MNIST DCGAN in JAX: the peer that Forger's own step is measured against.

The same step as bench/peers/dcgan_pytorch.py, whose comments say what it does. Written as a careful JAX user would:

* the whole step, with both networks' Adam and all random numbers, is one jitted function of the training state, which is
  donated, so that XLA updates it in place; --scan N puts N steps into one call (lax.scan), so that the host is out of it;
* channels last (NHWC, HWIO): XLA lays tensors out as its library wants them. 'same' padding is part of the convolution,
  asymmetric or not: XLA hands cuDNN what cuDNN can do and pads for the rest;
* transposed convolutions are lax.conv_transpose, which XLA turns into input gradients;
* random numbers from the hardware-friendly generator ("rbg"); --threefry for JAX's default.

--precision: fp32 (products in f32), tf32 (a GPU's), bf16 (activations and filters rounded at convolutions and dense layers,
sums f32; weights, statistics and losses f32). --fakes as in the PyTorch peer.

Prints one line of JSON. Where JAX or a GPU is missing, the line says "skipped" and why, and the exit code is 0.
Example: python3 bench/peers/dcgan_jax.py --device cuda --precision tf32 --scan 32
"""
import argparse
import functools
import json
import resource
import statistics
import sys
import time


def arguments():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--batch", type=int, default=32)
    p.add_argument("--steps", type=int, default=20, help="timed samples")
    p.add_argument("--scan", type=int, default=1, help="steps in one call")
    p.add_argument("--inner", type=int, default=0, help="calls in a sample; default: 1 on a CPU, 32 / scan on a GPU")
    p.add_argument("--warmup", type=int, default=3, help="calls before the first timed one")
    p.add_argument("--seed", type=int, default=0)
    p.add_argument("--fakes", choices=["predict", "shared"], default="predict")
    p.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    p.add_argument("--precision", choices=["fp32", "tf32", "bf16"], default="fp32")
    p.add_argument("--threefry", action="store_true")
    a = p.parse_args()
    if a.precision == "tf32" and a.device != "cuda":
        p.error("--precision: tf32 is for a GPU")
    a.inner = a.inner or (max(32 // a.scan, 1) if a.device == "cuda" else 1)
    return a


def skip(why, **more):
    print(json.dumps({"framework": "jax", "skipped": why, **more}), flush=True)
    sys.exit(0)


args = arguments()
try:
    import jax
    import jax.numpy as jnp
    from jax import lax
except ImportError as error:
    skip(f"JAX is missing: {error}")
try:
    jax.config.update("jax_platforms", args.device)
    device = jax.devices()[0]
except (RuntimeError, AssertionError) as error:  # the latter where JAX was installed without CUDA
    skip(" ".join([f"JAX finds no device for '{args.device}'", *str(error).splitlines()[:1]]), version=jax.__version__)
if not args.threefry:
    jax.config.update("jax_default_prng_impl", "rbg")
jax.config.update("jax_default_matmul_precision", {"fp32": "highest", "tf32": "tensorfloat32", "bf16": "default"}[args.precision])

LAYOUT = ("NHWC", "HWIO", "NHWC")
# window, stride, channels in and out, then what follows: LeakyReLU's slope and whether a batch norm comes first
G_LAYERS = [("up", 4, 2, 128, 128, None), ("conv", 4, 1, 128, 128, "bn"), ("up", 4, 2, 128, 128, None),
            ("conv", 4, 1, 128, 64, "bn"), ("conv", 7, 1, 64, 1, "tanh")]
D_LAYERS = [(3, 2, 1, 32, False, 0.2), (4, 2, 32, 64, True, 0.2), (4, 2, 64, 128, True, 0.3), (4, 1, 128, 256, True, 0.3)]


def rounded(x):
    return x.astype(jnp.bfloat16) if args.precision == "bf16" else x


def product(function, x, w):
    """A convolution or product on rounded operands. Its result is rounded, too, in bf16, as JAX's gradients of convolutions
    want operands and results of one type; the sums inside are f32."""
    return function(rounded(x), rounded(w)).astype(jnp.float32)


def conv(x, layer, stride):
    def function(a, b):
        return lax.conv_general_dilated(a, b, (stride, stride), "SAME", dimension_numbers=LAYOUT)
    return product(function, x, layer["w"]) + layer["b"]


def conv_transpose(x, layer, stride):
    def function(a, b):
        return lax.conv_transpose(a, b, (stride, stride), "SAME", dimension_numbers=LAYOUT)
    return product(function, x, layer["w"]) + layer["b"]


def dense(x, layer):
    return product(jnp.matmul, x, layer["w"]) + layer["b"]


def batch_norm(x, layer, running, training):
    """Returns the result and the new running statistics (biased variance normalises, unbiased is remembered)."""
    if training:
        mean, var = x.mean((0, 1, 2)), x.var((0, 1, 2))
        n = x.size // x.shape[-1]
        new = {"mean": 0.8 * running["mean"] + 0.2 * mean, "var": 0.8 * running["var"] + 0.2 * var * n / (n - 1)}
    else:
        mean, var, new = running["mean"], running["var"], running
    return (x - mean) * (lax.rsqrt(var + 1e-3) * layer["gamma"]) + layer["beta"], new


def generator(weights, running, z, training):
    """z: [N, 100] -> images: [N, 28, 28, 1], new running statistics."""
    x = dense(z, weights["dense"]).reshape(-1, 7, 7, 128)
    new = []
    norms = iter(zip(weights["norms"], running))
    for (kind, _, stride, _, _, after), layer in zip(G_LAYERS, weights["layers"]):
        x = (conv_transpose if kind == "up" else conv)(x, layer, stride)
        if after == "bn":
            x, statistics_ = batch_norm(x, *next(norms), training)
            new.append(statistics_)
            x = jax.nn.relu(x)
        elif after == "tanh":
            x = jnp.tanh(x)
    return x, new


def discriminator(weights, running, x, key):
    """images: [N, 28, 28, 1] -> logits: [N, 1], new running statistics; in training mode, with dropout."""
    new = []
    norms = iter(zip(weights["norms"], running))
    for (_, stride, _, _, norm, slope), layer, k in zip(D_LAYERS, weights["layers"], jax.random.split(key, len(D_LAYERS))):
        x = conv(x, layer, stride)
        if norm:
            x, statistics_ = batch_norm(x, *next(norms), True)
            new.append(statistics_)
        x = jax.nn.leaky_relu(x, slope)
        x = jnp.where(jax.random.bernoulli(k, 0.8, x.shape), x / 0.8, 0.0)
    return dense(x.reshape(x.shape[0], -1), weights["head"]), new


def bce(logits, labels):
    return (jax.nn.softplus(logits) - labels * logits).mean()


def adam(state, gradients):
    """lr 2e-4, betas 0.5 and 0.999, epsilon 1e-7."""
    t = state["t"] + 1
    step = 2e-4 * jnp.sqrt(1 - 0.999 ** t) / (1 - 0.5 ** t)
    m = jax.tree.map(lambda a, g: 0.5 * a + 0.5 * g, state["m"], gradients)
    v = jax.tree.map(lambda a, g: 0.999 * a + 0.001 * g * g, state["v"], gradients)
    weights = jax.tree.map(lambda w, a, b: w - step * a / (jnp.sqrt(b) + 1e-7), state["weights"], m, v)
    return {**state, "weights": weights, "m": m, "v": v, "t": t}


def initial_network(key, layers, norms, **others):
    def filters(shape, k):
        return {"w": 0.02 * jax.random.normal(k, shape), "b": jnp.zeros(shape[-1])}
    keys = iter(jax.random.split(key, len(layers) + len(others)))
    weights = {"layers": [filters(s, next(keys)) for s in layers],
               "norms": [{"gamma": jnp.ones(c), "beta": jnp.zeros(c)} for c in norms],
               **{name: filters(s, next(keys)) for name, s in others.items()}}
    zeros = jax.tree.map(jnp.zeros_like, weights)
    return {"weights": weights, "m": zeros, "v": jax.tree.map(jnp.zeros_like, weights), "t": jnp.zeros((), jnp.float32),
            "running": [{"mean": jnp.zeros(c), "var": jnp.ones(c)} for c in norms]}


def initial_state(key):
    kg, kd, ks = jax.random.split(key, 3)
    g_filters = [(r, r, c, k) for _, r, _, c, k, _ in G_LAYERS]
    d_filters = [(r, r, c, k) for r, _, c, k, _, _ in D_LAYERS]
    return {"G": initial_network(kg, g_filters, [128, 64], dense=(100, 7 * 7 * 128)),
            "D": initial_network(kd, d_filters, [64, 128, 256], head=(4 * 4 * 256, 1)), "key": ks}


def d_step(D, images, target, key):
    key_labels, key_dropout = jax.random.split(key)
    labels = target + 0.05 * jax.random.normal(key_labels, (args.batch, 1))

    def loss(weights):
        logits, running = discriminator(weights, D["running"], images, key_dropout)
        return bce(logits, labels), running

    gradients, running = jax.grad(loss, has_aux=True)(D["weights"])
    return adam({**D, "running": running}, gradients)


def one_step(data, state, _=None):
    """Returns the new state and G's loss."""
    G, D = state["G"], state["D"]
    key, k_pick, k_real, k_fake, k_z, k_z2, k_drop = jax.random.split(state["key"], 7)
    real = data[jax.random.randint(k_pick, (args.batch,), 0, len(data))]

    def train_G():
        z = jax.random.normal(k_z, (args.batch, 100))
        return jax.vjp(lambda w: generator(w, G["running"], z, True), G["weights"], has_aux=True)

    if args.fakes == "shared":
        fake, pull_back, g_running = train_G()
        d_fake = fake
    else:
        d_fake, _ = generator(G["weights"], G["running"], jax.random.normal(k_z2, (args.batch, 100)), False)
    D = d_step(D, real, 1.0, k_real)
    D = d_step(D, d_fake, 0.0, k_fake)
    if args.fakes == "predict":
        fake, pull_back, g_running = train_G()

    def g_loss(images):  # D is frozen: its weights are constants here
        logits, running = discriminator(D["weights"], D["running"], images, k_drop)
        return bce(logits, 1.0), running

    (loss, d_running), d_images = jax.value_and_grad(g_loss, has_aux=True)(fake)
    (gradients,) = pull_back(d_images)
    G = adam({**G, "running": g_running}, gradients)
    return {"G": G, "D": {**D, "running": d_running}, "key": key}, loss


def main():
    data = jax.random.uniform(jax.random.key(1), (1024, 28, 28, 1), minval=-1.0, maxval=1.0)
    state = jax.jit(initial_state)(jax.random.key(args.seed))

    @functools.partial(jax.jit, donate_argnums=0)
    def call(state, data):
        if args.scan == 1:
            return one_step(data, state)
        state, losses = lax.scan(functools.partial(one_step, data), state, length=args.scan)
        return state, losses[-1]

    start = time.perf_counter()
    for _ in range(max(args.warmup, 1)):
        state, loss = call(state, data)
    loss.block_until_ready()
    compile_s = time.perf_counter() - start
    times = []
    for _ in range(args.steps):
        start = time.perf_counter()
        for _ in range(args.inner):
            state, loss = call(state, data)
        loss.block_until_ready()
        times.append((time.perf_counter() - start) * 1e3 / (args.inner * args.scan))
    result = {
        "framework": "jax", "version": jax.__version__, "device": args.device, "mode": "jit" if args.scan == 1 else "jit-scan",
        "precision": args.precision, "batch": args.batch, "fakes": args.fakes, "steps": args.steps, "inner": args.inner,
        "scan": args.scan, "prng": "threefry" if args.threefry else "rbg", "median_ms": round(statistics.median(times), 4),
        "min_ms": round(min(times), 4), "warmup_s": round(compile_s, 1),
        "peak_rss_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024, "g_loss": round(float(loss), 4)}
    if args.device == "cuda":
        memory = device.memory_stats() or {}
        result.update(gpu=device.device_kind, peak_gpu_mb=memory.get("peak_bytes_in_use", 0) >> 20)
    print(json.dumps(result), flush=True)


if __name__ == "__main__":
    main()
