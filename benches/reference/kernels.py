#!/usr/bin/env python3
"""How near interpolation kernels of four pixels come to a perfect shift of a picture.

    kernels.py PICTURE [PICTURE ...]

Each picture (green channel, up to 640x360 pixels from its top left) is shifted by fractions of a pixel with Keys' cubic
for several a, and exactly by turning the phases of its Fourier transform. Prints the mean squared difference, 8-bit
levels squared, away from the border. Needs numpy and opencv-python-headless.
"""
import sys

import cv2
import numpy as np

SHIFTS = [(0.5, 0.5), (0.25, 0.4), (0.1, 0.7), (0.33, 0.0), (0.9, 0.2)]
BORDER = 40


def keys(t, a):
    d = np.array([1 + t, t, 1 - t, 2 - t])
    near = (a + 2) * d**3 - (a + 3) * d**2 + 1
    far = a * d**3 - 5 * a * d**2 + 8 * a * d - 4 * a
    return np.where(d <= 1, near, far)


def by_kernel(picture, dx, dy, a):
    wx, wy = keys(dx, a), keys(dy, a)
    rolled = lambda i, j: np.roll(picture, (1 - j, 1 - i), (0, 1))
    return sum(wy[j] * wx[i] * rolled(i, j) for j in range(4) for i in range(4))


def exact(picture, dx, dy):
    fy, fx = (np.fft.fftfreq(n) for n in picture.shape)
    phase = np.exp(2j * np.pi * (fx[None] * dx + fy[:, None] * dy))
    return np.real(np.fft.ifft2(np.fft.fft2(picture) * phase))


for path in sys.argv[1:]:
    picture = cv2.imread(path)[:360, :640, 1].astype(float)
    inner = (slice(BORDER, -BORDER),) * 2
    for a in (-0.5, -0.6, -0.75):
        off = [((by_kernel(picture, *s, a) - exact(picture, *s))[inner] ** 2).mean() for s in SHIFTS]
        print(f"{path}  a = {a:5.2f}  {np.mean(off):.3f}")
