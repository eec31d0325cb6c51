#!/usr/bin/env python3
"""Cast a shadow of a known-answer clip's occluder on its surface.

    shadow_clip.py CLIP OUT [DEPTH X Y BLUR]

CLIP is a folder as ../shared/truth has them. The shadow is the occluder's own outline, moved by X, Y pixels, blurred by
BLUR and DEPTH dark; it falls on the surface alone, in the frames as in the perfect edit. What is known of the clip
besides stays true, so OUT is scored as CLIP is:

    rna analyze OUT/frames --roi OUT/roi.json -o shot.rna
    rna render OUT/frames --atlas shot.rna --paint OUT/edit/picture.png -o edit/%05d.png
    rna export shot.rna --mattes mattes
    python3 ../shared/truth/score.py OUT --edited edit --matte mattes

(Pixels that occluder and surface share are darkened by the surface's share: right where the occluder is as bright.)
Needs numpy and opencv-python-headless.
"""
import glob
import os
import shutil
import sys

import cv2
import numpy as np


def main():
    if len(sys.argv) not in (3, 7):
        sys.exit(__doc__)
    clip, out = sys.argv[1:3]
    depth, dx, dy, blur = map(float, sys.argv[3:7] or (0.4, 20, 12, 6))
    os.makedirs(f"{out}/frames", exist_ok=True)
    os.makedirs(f"{out}/edit/frames", exist_ok=True)
    for name in ("roi.json", "truth.npz", "edit/picture.png"):
        shutil.copy(f"{clip}/{name}", f"{out}/{name}")
    visible = np.load(f"{clip}/truth.npz")["visible"].astype(np.float32) / 255
    move = np.array([[1, 0, dx], [0, 1, dy]], np.float32)
    for folder in ("frames", "edit/frames"):
        for t, path in enumerate(sorted(glob.glob(f"{clip}/{folder}/*"))):
            frame = cv2.imread(path).astype(np.float32)
            h, w = frame.shape[:2]
            cast = cv2.GaussianBlur(cv2.warpAffine(1 - visible[t], move, (w, h)), (0, 0), blur)
            lit = 1 - depth * cast * visible[t]
            cv2.imwrite(f"{out}/{folder}/{t:05}.png", np.round(frame * lit[..., None]).astype(np.uint8))


if __name__ == "__main__":
    main()
