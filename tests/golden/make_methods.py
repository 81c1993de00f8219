"""Golden values of the GAN methods: what PyTorch computes in float64 where tests/methods_golden_test.cpp does.

    python3 tests/golden/make_methods.py

writes methods.safetensors beside this file. Names of inputs are those of the graph's inputs and variables in the test.
"""
import torch
import torch.nn.functional as F

from make_golden import HERE, write_safetensors

torch.manual_seed(7)
T = {}


def keep(name, value):
    T[name] = value.detach().clone().contiguous()
    return value


def leaf(name, *shape, scale=1.0):
    return keep(name, scale * torch.randn(*shape)).clone().requires_grad_(True)


# --- adversarial losses, of D's outputs on 5 real and 5 fake samples -----------------------------------------------
real, fake = leaf("real_outputs", 5, 1), leaf("fake_outputs", 5, 1)
ones, zeros = keep("ones", 0.9 * torch.ones(5, 1)), keep("zeros", torch.zeros(5, 1))
MARGIN, BALANCE = 0.8, 0.3
bce = F.binary_cross_entropy_with_logits
sp, sg = F.softplus, torch.sigmoid
LOSSES = {
    "non-saturating": (bce(real, ones) + bce(fake, zeros), bce(fake, torch.ones(5, 1))),
    "minimax": (bce(real, ones) + bce(fake, zeros), torch.log(1 - sg(fake)).mean()),
    "mse": (F.mse_loss(sg(real), ones) + F.mse_loss(sg(fake), zeros), F.mse_loss(sg(fake), torch.ones(5, 1))),
    "lsgan": (((real - ones)**2).mean() / 2 + (fake**2).mean() / 2, ((fake - 1)**2).mean() / 2),
    "hinge": (F.relu(1 - real).mean() + F.relu(1 + fake).mean(), -fake.mean()),
    "wgan": (fake.mean() - real.mean(), -fake.mean()),
    "relativistic": (sp(-(real - fake)).mean(), sp(-(fake - real)).mean()),
    "ebgan": (real.mean() + F.relu(MARGIN - fake).mean(), fake.mean()),
    "began": (real.mean() - BALANCE * fake.mean(), fake.mean()),
}
for name, (d, g) in LOSSES.items():
    keep(f"{name}/d", d)
    keep(f"{name}/g", g)
    keep(f"{name}/d_real", torch.autograd.grad(d, real, retain_graph=True)[0])
    keep(f"{name}/d_fake", torch.autograd.grad(d, fake, retain_graph=True)[0])
    keep(f"{name}/g_fake", torch.autograd.grad(g, fake, retain_graph=True)[0])

# --- gradient penalties of a small D, and their gradients by D's parameters (second order) --------------------------
PARAMETERS = {"dense_1/kernel": (3, 6), "dense_1/bias": (6,), "dense_2/kernel": (6, 1), "dense_2/bias": (1,)}
D = {name: leaf("D/" + name, *shape, scale=0.7) for name, shape in PARAMETERS.items()}
samples = leaf("samples", 4, 3)


def discriminator(x, p):
    return torch.tanh(x @ p["dense_1/kernel"] + p["dense_1/bias"]) @ p["dense_2/kernel"] + p["dense_2/bias"]


def squared_norm(x):
    g = torch.autograd.grad(discriminator(x, D).sum(), x, create_graph=True)[0]
    return (g**2).sum(1)


for name, penalty in {"one_centred": ((torch.sqrt(squared_norm(samples) + 1e-12) - 1)**2).mean(),
                      "zero_centred": squared_norm(samples).mean() / 2}.items():
    keep(name, penalty)
    weights = [p for n, p in D.items() if n != "dense_2/bias"]  # on which no gradient of D depends
    for (n, _), grad in zip([i for i in D.items() if i[0] != "dense_2/bias"], torch.autograd.grad(penalty, weights)):
        keep(f"{name}/{n}", grad)

# --- spectral norm: one power iteration, u and v constant in the gradient -------------------------------------------
weight, u = leaf("weight", 4, 5), keep("u", torch.randn(1, 4))
v = F.normalize(F.normalize(u, dim=1) @ weight.detach(), dim=1)
u = F.normalize(v @ weight.detach().T, dim=1)
keep("spectral/u", u)
normalised = keep("spectral/weight", weight / (u @ weight @ v.T).squeeze())
probe = keep("probe", torch.randn(4, 5))
keep("spectral/gradient", torch.autograd.grad((normalised * probe).sum(), weight)[0])
ln = F.layer_norm(weight, (5,), eps=1e-5)
keep("layer_norm", ln)

# --- EBGAN's pulling-away term --------------------------------------------------------------------------------------
codes = leaf("codes", 4, 3)
unit = codes / codes.norm(dim=1, keepdim=True)
cosines = (unit @ unit.T)**2
pull = keep("pull", (cosines.sum() - cosines.diagonal().sum()) / (4 * 3))
keep("pull/codes", torch.autograd.grad(pull, codes)[0])

# --- unrolled D: one update, through which nothing is differentiated, then two steps ahead, differentiated into the fakes
LR, B1, B2, EPS, RHO = 0.05, 0.5, 0.9, 1e-3, 0.9
fakes = leaf("fakes", 4, 3)
reals = keep("reals", torch.randn(4, 3))


def d_loss(p, fake):
    return bce(discriminator(reals, p), torch.ones(4, 1)) + bce(discriminator(fake, p), torch.zeros(4, 1))


def step_of(kind, p, grads, m, s, t, inside):
    """One update of all parameters; `inside`: added to the mean square inside the root."""
    q = {}
    for n, g in grads.items():
        if kind == "sgd":
            q[n] = p[n] - LR * g
        elif kind == "rmsprop":
            m[n] = RHO * m[n] + (1 - RHO) * g**2
            q[n] = p[n] - LR * g / (torch.sqrt(m[n] + inside) + EPS)
        else:
            m[n] = B1 * m[n] + (1 - B1) * g
            s[n] = B2 * s[n] + (1 - B2) * g**2
            q[n] = p[n] - LR * (1 - B2**t)**0.5 / (1 - B1**t) * m[n] / (torch.sqrt(s[n] + inside) + EPS)
    return q


for kind in ("sgd", "rmsprop", "adam"):
    m, s = ({n: torch.zeros(shape) for n, shape in PARAMETERS.items()} for _ in range(2))
    grads = dict(zip(D, torch.autograd.grad(d_loss(D, fakes.detach()), list(D.values()))))
    p = {n: v.detach().requires_grad_(True) for n, v in step_of(kind, D, grads, m, s, 1, 0.0).items()}
    for t in (2, 3):
        grads = dict(zip(p, torch.autograd.grad(d_loss(p, fakes), list(p.values()), create_graph=True)))
        p = step_of(kind, p, grads, m, s, t, EPS**2)
    g_loss = keep(f"unroll/{kind}", bce(discriminator(fakes, p), torch.ones(4, 1)))
    keep(f"unroll/{kind}/fakes", torch.autograd.grad(g_loss, fakes)[0])

write_safetensors(HERE / "methods.safetensors", T, {"made by": "make_methods.py"})
