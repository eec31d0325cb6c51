#!/usr/bin/env python3
"""RAFT (Teed and Deng, 2020) as torchvision trained it, as raft-small.onnx or raft-large.onnx.

    python resources/export/raft.py --model small -o FOLDER

Input `from` and `to`, RGB of -1..1; output `flow`, in pixels, x then y: what shows at p in `from` shows at p + flow in
`to`. Only the last of the iterations' flows is kept.
"""
import torch
from torchvision.models import optical_flow
from torchvision.models.optical_flow import raft as layers

import common

OFFICIAL = {
    "raft-small": (optical_flow.raft_small, "Raft_Small_Weights"),
    "raft-large": (optical_flow.raft_large, "Raft_Large_Weights"),
}
ITERATIONS, TINY_ITERATIONS = 12, 3


class LastFlow(torch.nn.Module):
    def __init__(self, raft, iterations):
        super().__init__()
        self.raft, self.iterations = raft, iterations

    def forward(self, from_, to):
        return self.raft(from_, to, num_flow_updates=self.iterations)[-1]


def tiny(name):
    """RAFT with the blocks of small or large and hardly any channels; four levels of correlation as the real ones."""
    small = name == "raft-small"
    block = layers.BottleneckBlock if small else layers.ResidualBlock
    return layers._raft(
        feature_encoder_layers=(8, 8, 8, 12, 16), feature_encoder_block=block,
        feature_encoder_norm_layer=torch.nn.InstanceNorm2d,
        context_encoder_layers=(8, 8, 8, 12, 20), context_encoder_block=block,
        context_encoder_norm_layer=None if small else torch.nn.BatchNorm2d,
        corr_block_num_levels=4, corr_block_radius=3 if small else 4,
        motion_encoder_corr_layers=(8,) if small else (8, 8), motion_encoder_flow_layers=(8, 8),
        motion_encoder_out_channels=12,
        recurrent_block_hidden_state_size=12,
        recurrent_block_kernel_size=(3,) if small else ((1, 5), (5, 1)),
        recurrent_block_padding=(1,) if small else ((0, 2), (2, 0)),
        flow_head_hidden_size=8,
        mask_predictor=None if small else layers.MaskPredictor(in_channels=12, hidden_size=8), use_mask_predictor=False)


def build(name, random=False, small=False, seed=7, iterations=None):
    """The model `name`, ready for inference."""
    create, weights = OFFICIAL[name]
    if small:
        raft = tiny(name)
    elif random:
        raft = create(weights=None)
    else:
        raft = create(weights=getattr(optical_flow, weights).C_T_V2)
    if random or small:
        common.randomise(raft, seed)
        # Steps of a fraction of a cell, so that the flow stays within a picture.
        raft.update_block.flow_head.conv2.weight.data *= 0.1
    return LastFlow(raft, iterations or (TINY_ITERATIONS if small else ITERATIONS)).eval()


def export(name, folder, random=False, small=False, seed=7, iterations=None):
    module = build(name, random, small, seed, iterations)
    common.export(module, common.entry(name), folder, (128, 160), [(1, 136, 200), (2, 184, 128)], 1e-3, small)


if __name__ == "__main__":
    parser = common.options(__doc__.splitlines()[0])
    parser.add_argument("--model", choices=["small", "large"], default="small")
    parser.add_argument("--iterations", type=int, choices=[12, 20],
                        help=f"refinements of the flow (default {ITERATIONS}, with --tiny {TINY_ITERATIONS})")
    given = parser.parse_args()
    export(f"raft-{given.model}", given.output, given.random, given.tiny, given.seed, given.iterations)
