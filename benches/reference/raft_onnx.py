#!/usr/bin/env python3
"""RAFT on a pair of frames through ONNX Runtime's Python package: what the product's own runs are compared with.

    pip install -r resources/export/requirements.txt
    python resources/export/raft.py --model small --random -o FOLDER
    python benches/reference/raft_onnx.py FOLDER/raft-small.onnx [threads] [runs] [width height]

Random weights take the time that trained ones take.
"""
import resource
import statistics
import sys
import time

import numpy
import onnxruntime

PATH = sys.argv[1]
THREADS = int(sys.argv[2]) if len(sys.argv) > 2 else 2
RUNS = int(sys.argv[3]) if len(sys.argv) > 3 else 7
WIDTH, HEIGHT = (int(n) for n in sys.argv[4:6]) if len(sys.argv) > 5 else (768, 432)


def main():
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = THREADS
    options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(PATH, options, providers=["CPUExecutionProvider"])
    draw = numpy.random.default_rng(1)
    frames = {n: draw.uniform(-1, 1, (1, 3, HEIGHT, WIDTH)).astype(numpy.float32) for n in ("from", "to")}
    times = []
    for _ in range(RUNS + 1):
        start = time.perf_counter()
        session.run(None, frames)
        times.append(time.perf_counter() - start)
    times = times[1:]
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024  # KiB on Linux
    print(f"ONNX Runtime {onnxruntime.__version__}, {WIDTH} x {HEIGHT}, {THREADS} threads: "
          f"median {statistics.median(times) * 1e3:.0f} ms, fastest {min(times) * 1e3:.0f} ms of {len(times)} runs, "
          f"at most {peak:.0f} MiB")


main()
