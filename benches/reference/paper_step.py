#!/usr/bin/env python3
"""One step of the paper's fit in PyTorch: what `cargo bench --bench fit` is compared with.

    pip install torch
    python benches/reference/paper_step.py [threads] [steps]

The same networks, the same five evaluations of T, three of M, one each of A and L, all losses of the atlas estimation,
and Adam, on 10,000 random points.
"""
import statistics
import sys
import time

import torch

THREADS = int(sys.argv[1]) if len(sys.argv) > 1 else 2
STEPS = int(sys.argv[2]) if len(sys.argv) > 2 else 12
N, HALF = 10_000, 384.0
torch.manual_seed(1)
torch.set_num_threads(THREADS)
PRIMES = [1, 2654435761, 805459861]


class Grid(torch.nn.Module):
    """16 levels of 2 features, 2^15 places, 16 cells growing by 1.25; all levels at once."""

    def __init__(self, dims):
        super().__init__()
        levels, places, features = 16, 1 << 15, 2
        self.places, self.features = places, features
        self.table = torch.nn.Parameter((torch.rand(levels * places * features) * 2 - 1) * 1e-4)
        cells = torch.tensor([int(16 * 1.25 ** l) for l in range(levels)])
        self.register_buffer("cells", cells)
        self.register_buffer("offset", torch.arange(levels) * places)
        self.dense = int(((cells + 1) ** dims <= places).sum())

    def forward(self, x):
        n, d = x.shape
        at = x.clamp(0, 1)[:, :, None] * self.cells
        node = torch.minimum(at.detach().floor(), (self.cells - 1).float())
        share, node = at - node, node.long()
        lo = [node[:, a] for a in range(d)]
        places, weights = [], []
        for corner in range(1 << d):
            weight = torch.ones_like(share[:, 0])
            dense = torch.zeros_like(lo[0][:, : self.dense])
            hashed = torch.zeros_like(lo[0][:, self.dense:])
            for a in range(d):
                bit = corner >> a & 1
                weight = weight * (share[:, a] if bit else 1 - share[:, a])
                dense = dense + (lo[a][:, : self.dense] + bit) * (self.cells[: self.dense] + 1) ** a
                hashed = hashed ^ ((lo[a][:, self.dense:] + bit) * PRIMES[a])
            places.append(torch.cat([dense, hashed & (self.places - 1)], 1) + self.offset)
            weights.append(weight)
        place, weight = torch.stack(places, 2) * self.features, torch.stack(weights, 2)
        out = [(self.table[place + f] * weight).sum(2) for f in range(self.features)]
        return torch.cat(out, 1)


def mlp(sizes):
    layers = []
    for i, (a, b) in enumerate(zip(sizes, sizes[1:])):
        layers += [torch.nn.Linear(a, b)] + ([torch.nn.ReLU()] if i < len(sizes) - 2 else [])
    return torch.nn.Sequential(*layers)


class Networks(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.T, self.L = mlp([3, 256, 256, 256, 2]), mlp([3, 64, 64, 64, 3])
        self.A, self.a = Grid(2), mlp([32, 64, 64, 64, 3])
        self.M, self.m = Grid(3), mlp([32, 32, 32, 32, 1])


def length(v):
    return (v ** 2).sum(1, keepdim=True).add(1e-12).sqrt()


def mean_where(v, w):
    return (v * w).sum() / w.sum().clamp(min=1)


def loss(net, points, colour, has, region, initial):
    uv = net.T(points).tanh()
    p, q, a, right, below = uv.split(N)
    m, mq, ma = ((net.m(net.M(points[: 3 * N] * 0.5 + 0.5)).tanh() * 0.5 + 0.5).clamp(1e-5, 1 - 1e-5)).split(N)
    atlas = net.a(net.A(p * 0.5 + 0.5)).tanh() * 0.5 + 0.5
    gain = torch.nn.functional.softplus(net.L(torch.cat([p.detach(), points[:N, 2:]], 1)) + 0.5413)
    jx, jy = (right - p) * HALF, (below - p) * HALF
    e, f, g = (jx * jx).sum(1), (jx * jy).sum(1), (jy * jy).sum(1)
    norm = lambda e, g: (e * e + 2 * f * f + g * g).sqrt()
    e1, g1 = e + 0.001, g + 0.001
    bce = lambda p, t: -(p.log() * t + (1 - p).log() * (1 - t)).mean()
    return (
        (m * (gain * atlas - colour)).square().sum(1).mean()
        + 0.002 * (norm(e, g) + norm(e1, g1) / (e1 * g1 - f * f)).mean()
        + 0.6 * mean_where(length(q - points[N: 2 * N, :2]), region)
        + 0.02 * HALF * mean_where(m * length(p - q), has)
        + 0.1 * mean_where(m * length(p - a), has)
        + 0.4 * bce(mq, region) + 0.6 * bce(m, initial)
        + 0.6 * mean_where((m - mq).abs(), has) + 0.4 * mean_where((m - ma).abs(), has)
        + 0.1 * (gain - 1).square().sum(1).mean()
    )


def main():
    net = Networks()
    tables = [net.A.table, net.M.table]
    layers = [p for p in net.parameters() if all(p is not t for t in tables)]
    adam = torch.optim.Adam([{"params": layers, "lr": 5e-4}, {"params": tables, "lr": 5e-2}])
    points = torch.rand(5 * N, 3) * 2 - 1
    points[3 * N: 4 * N] = points[:N] + torch.tensor([1 / HALF, 0, 0])
    points[4 * N:] = points[:N] + torch.tensor([0, 1 / HALF, 0])
    colour, half = torch.rand(N, 3), lambda: (torch.rand(N, 1) > 0.5).float()
    has, region, initial = half(), half(), half()
    times = []
    for _ in range(STEPS):
        start = time.perf_counter()
        adam.zero_grad()
        loss(net, points, colour, has, region, initial).backward()
        adam.step()
        times.append(time.perf_counter() - start)
    times = times[2:]
    print(f"PyTorch {torch.__version__}, {THREADS} threads: median {statistics.median(times) * 1e3:.0f} ms, "
          f"fastest {min(times) * 1e3:.0f} ms of {len(times)} steps")


main()
