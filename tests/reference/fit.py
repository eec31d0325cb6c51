#!/usr/bin/env python3
"""Expected values for the neural fit's losses, encoding and networks, worked out in PyTorch.

    pip install torch numpy
    python tests/reference/fit.py        # writes fit.json beside itself

Written from the formulas alone, in double precision; `tests/fit_reference.rs` compares the product with the numbers it
leaves.
"""
import json
import os

import torch

torch.manual_seed(7)
torch.set_default_dtype(torch.float64)


def leaf(*shape, low=-1.0, high=1.0):
    return (torch.rand(*shape) * (high - low) + low).requires_grad_()


def record(name, inputs, value):
    """Inputs, result and slopes of the sum of the result weighted by 1, 2, 3, ..."""
    flat = value.reshape(-1)
    grads = torch.autograd.grad((flat * torch.arange(1, len(flat) + 1)).sum(), [t for _, t, g in inputs if g])
    grads = iter(grads)
    return {
        "name": name,
        "inputs": {k: {"shape": list(t.shape), "data": t.detach().reshape(-1).tolist()} for k, t, _ in inputs},
        "value": flat.detach().tolist(),
        "slopes": {k: next(grads).reshape(-1).tolist() for k, t, g in inputs if g},
    }


def length(v):
    return (v ** 2).sum(1, keepdim=True).add(1e-12).sqrt()


def mean_where(v, w):
    return (v * w).sum() / w.sum().clamp(min=1)


def losses(n=13):
    out = []
    mask, gain, atlas, seen = leaf(n, 1, low=0.1, high=0.9), leaf(n, 3, low=0.5, high=1.5), leaf(n, 3, low=0), leaf(n, 3, low=0)
    c = seen.detach()
    painted = mask * gain * atlas + (1 - mask) * c
    out.append(record("recon", [("mask", mask, 1), ("gain", gain, 1), ("atlas", atlas, 1), ("seen", c, 0)],
                      ((painted - c) ** 2).sum(1).mean()))
    uv, step = leaf(n, 2), 0.01
    right = (uv + torch.tensor([step, 0.0]) + 0.3 * step * leaf(n, 2)).detach().requires_grad_()
    below = (uv + torch.tensor([0.0, step]) + 0.3 * step * leaf(n, 2)).detach().requires_grad_()
    jac = torch.stack([(right - uv) / step, (below - uv) / step], dim=2)
    jtj = jac.transpose(1, 2) @ jac
    inv = torch.linalg.inv(jtj + 0.001 * torch.eye(2))
    norm = lambda m: (m ** 2).sum((1, 2)).sqrt()
    out.append(record("rigid", [("uv", uv, 1), ("right", right, 1), ("below", below, 1)], (norm(jtj) + norm(inv)).mean()))
    at, has = leaf(n, 2).detach(), (torch.rand(n, 1) > 0.4).double()
    out.append(record("pos", [("uv", uv, 1), ("at", at, 0), ("in_region", has, 0)], mean_where(length(uv - at), has)))
    partner = leaf(n, 2)
    out.append(record("corr", [("mask", mask, 1), ("uv", uv, 1), ("partner", partner, 1), ("has", has, 0)],
                      384.0 * mean_where(mask * length(uv - partner), has)))
    bce = lambda p, t: torch.nn.functional.binary_cross_entropy(p, t)
    out.append(record("mask_reference", [("mask", mask, 1), ("in_region", has, 0)], bce(mask, has)))
    soft = torch.rand(n, 1)
    out.append(record("bootstrap", [("mask", mask, 1), ("initial", soft, 0)], bce(mask, soft)))
    other = leaf(n, 1, low=0.1, high=0.9)
    out.append(record("mask_flow", [("mask", mask, 1), ("partner", other, 1), ("has", has, 0)],
                      mean_where((mask - other).abs(), has)))
    out.append(record("illum", [("gain", gain, 1)], ((gain - 1) ** 2).sum(1).mean()))
    close = (gain * atlas + 0.04 * (torch.rand(n, 3) - 0.5)).detach()
    potential = (torch.rand(n, 1) > 0.3).double()
    free = potential * ((gain * atlas - close).abs().mean(1, keepdim=True) < 0.01).double()
    assert 0 < free.sum() < potential.sum()
    out.append(record("no", [("mask", mask, 1), ("potential", potential, 0), ("gain", gain.detach(), 0),
                             ("atlas", atlas.detach(), 0), ("seen", close, 0)], mean_where((1 - mask) ** 2, free)))
    known, weight = leaf(n, 3).detach(), torch.rand(n, 1)
    out.append(record("distil", [("learnt", atlas, 1), ("known", known, 0), ("weight", weight, 0)],
                      mean_where(((atlas - known) ** 2).sum(1, keepdim=True), weight)))
    return out


def hash_grid(points, table, levels, features, log2_table, base, growth):
    """Point by point and corner by corner, in Python's unbounded integers: slow and plain."""
    places, primes = 1 << log2_table, [1, 2654435761, 805459861]
    n, d = points.shape
    rows = []
    for p in range(n):
        row = []
        for level in range(levels):
            cells = int(base * growth ** level)
            dense = (cells + 1) ** d <= places
            at = points[p].clamp(0, 1) * cells
            node = [min(int(v), cells - 1) for v in at.tolist()]
            share = at - torch.tensor(node)
            feature = torch.zeros(features)
            for corner in range(1 << d):
                bits = [corner >> a & 1 for a in range(d)]
                xyz = [node[a] + bits[a] for a in range(d)]
                if dense:
                    place = sum(xyz[a] * (cells + 1) ** a for a in range(d))
                else:
                    place = 0
                    for a in range(d):
                        place ^= xyz[a] * primes[a]
                    place %= places
                weight = torch.ones(())
                for a in range(d):
                    weight = weight * (share[a] if bits[a] else 1 - share[a])
                start = (level * places + place) * features
                feature = feature + weight * table[start:start + features]
            row.append(feature)
        rows.append(torch.cat(row))
    return torch.stack(rows)


def encodings():
    out = []
    for d in (2, 3):
        shape = dict(levels=4, features=2, log2_table=7, base=3.0, growth=1.7)
        points = leaf(6, d, low=0.02, high=0.98)
        table = leaf(shape["levels"] * (1 << shape["log2_table"]) * shape["features"])
        result = record(f"grid{d}", [("points", points, 1), ("table", table, 1)], hash_grid(points, table, **shape))
        out.append({**result, "shape": shape})
    return out


def main():
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "fit.json")
    with open(path, "w") as file:
        json.dump({"losses": losses(), "encodings": encodings()}, file)
    print(path, os.path.getsize(path), "bytes, PyTorch", torch.__version__)


main()
