#!/usr/bin/env python3
"""ViTMatte-S (Yao et al., 2023), as vitmatte-small.onnx.

    python resources/export/vitmatte.py -o FOLDER

Input `pixels`: RGB normalised by ImageNet's mean and deviation, as its authors trained it (the image processor that
transformers ships takes 0.5 and 0.5 unless the checkpoint says otherwise), and the trimap (0 outside, 0.5 unknown, 1 inside) as the
fourth channel; output `alpha`. Sides are multiples of 32.
"""
import torch
from transformers import VitDetConfig, VitMatteConfig, VitMatteForImageMatting

import common


class Alpha(torch.nn.Module):
    def __init__(self, vitmatte):
        super().__init__()
        self.vitmatte = vitmatte

    def forward(self, pixels):
        return self.vitmatte(pixels).alphas


def config(small):
    """The published configuration of ViTMatte-S, or a tiny one with windowed, global and residual blocks."""
    sizes = {"hidden_size": 384, "num_attention_heads": 6, "image_size": 512, "window_size": 14,
             "window_block_indices": [0, 1, 3, 4, 6, 7, 9, 10], "residual_block_indices": [2, 5, 8, 11],
             "out_features": ["stage12"]}
    channels = {"hidden_size": 384, "fusion_hidden_sizes": [256, 128, 64, 32]}
    if small:
        sizes = {"hidden_size": 16, "num_attention_heads": 2, "image_size": 128, "window_size": 3, "mlp_ratio": 2,
                 "pretrain_image_size": 80, "num_hidden_layers": 2, "window_block_indices": [0],
                 "residual_block_indices": [1], "out_features": ["stage2"]}
        channels = {"hidden_size": 16, "fusion_hidden_sizes": [12, 8, 8, 8], "convstream_hidden_sizes": [4, 8, 8]}
    backbone = VitDetConfig(num_channels=4, use_relative_position_embeddings=True, **sizes)
    return VitMatteConfig(backbone_config=backbone, **channels)


def build(random=False, small=False, seed=7):
    """The model, ready for inference."""
    if random or small:
        return Alpha(common.randomise(VitMatteForImageMatting(config(small)), seed)).eval()
    vitmatte, loaded = VitMatteForImageMatting.from_pretrained(
        common.entry("vitmatte-small")["weights"], dtype=torch.float32, output_loading_info=True)
    if loaded["missing_keys"]:
        raise SystemExit(f"vitmatte-small: the official weights lack {sorted(loaded['missing_keys'])}")
    return Alpha(vitmatte).eval()


def export(folder, random=False, small=False, seed=7):
    module = build(random, small, seed)
    common.export(module, common.entry("vitmatte-small"), folder, (96, 128), [(1, 128, 64), (2, 160, 288)], 1e-4, small)


if __name__ == "__main__":
    given = common.options(__doc__.splitlines()[0]).parse_args()
    export(given.output, given.random, given.tiny, given.seed)
