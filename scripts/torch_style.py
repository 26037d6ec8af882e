#!/usr/bin/env python3
"""Throughput of PyTorch in style transfer: an image optimised through VGG-16, as scripts/bench_style_against_torch has it.

A step is one of torch.optim.LBFGS with a fixed length: 20 evaluations, each the net forward to the layer before the fourth
pool, a content loss there and Gram losses at the four layers before pools, backward to the pixels. The net's weights are
random (He et al. 2015) and frozen, images are noise of the size that normalised photographs have. Prints JSON: medians over
the timed steps, and the peak memory of the process. Needs PyTorch 2.1 or newer.
"""

import argparse
import json
import math
import statistics
import time

import torch
import torch.nn.functional as F
from torch import nn

from torch_throughput import peak_memory_mib

STAGES = [(64, 2), (128, 2), (256, 3), (512, 3)]
# Large enough that no step ends early.
WEIGHTS = {"content": 1e3, "style": 1e6}


def stages():
    """torchvision's VGG-16, in parts that each end before a pool."""
    parts, inputs = [], 3
    for stage, (width, count) in enumerate(STAGES):
        modules = [nn.MaxPool2d(2)] if stage else []
        for _ in range(count):
            convolution = nn.Conv2d(inputs, width, 3, padding=1)
            nn.init.normal_(convolution.weight, std=math.sqrt(2 / (9 * inputs)))
            nn.init.zeros_(convolution.bias)
            modules += [convolution, nn.ReLU(inplace=True)]
            inputs = width
        parts.append(nn.Sequential(*modules))
    return nn.ModuleList(parts).eval().requires_grad_(False)


def activations(net, x):
    found = []
    for part in net:
        x = part(x)
        found.append(x)
    return found


def gram(f):
    """(n, c, c)"""
    n, c, h, w = f.shape
    rows = f.reshape(n, c, h * w)
    return rows @ rows.transpose(1, 2) / (c * h * w)


def measure(options):
    """Seconds an evaluation of each timed step, evaluations a step, last loss."""
    layout = torch.channels_last if options.layout == "channels-last" else torch.contiguous_format
    torch.manual_seed(0)
    net = stages().to(memory_format=layout)
    # The optimizer takes pixels in the default layout alone.
    of = lambda x: activations(net, x.contiguous(memory_format=layout))
    x, style = torch.randn(2, 1, 3, options.size, options.size)
    with torch.no_grad():
        content, targets = of(x)[-1].clone(), [gram(f) for f in of(style)]
    x.requires_grad_()
    tolerances = {"tolerance_grad": 0.0, "tolerance_change": 0.0}
    optimizer = torch.optim.LBFGS([x], lr=1.0, max_iter=options.evaluations, history_size=10, **tolerances)
    evaluated = []

    def closure():
        optimizer.zero_grad(set_to_none=True)
        found = of(x)
        loss = WEIGHTS["content"] * F.mse_loss(found[-1], content)
        loss = loss + WEIGHTS["style"] * sum(F.mse_loss(gram(f), target) for f, target in zip(found, targets))
        loss.backward()
        evaluated.append(loss.item())
        return loss

    seconds, counts = [], []
    for step in range(-options.warmup, options.steps):
        evaluated.clear()
        begun = time.perf_counter()
        optimizer.step(closure)
        if step >= 0:
            seconds.append((time.perf_counter() - begun) / len(evaluated))
            counts.append(len(evaluated))
    return seconds, counts, evaluated[-1]


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--size", type=int, default=288)
    arguments.add_argument("--layout", choices=["default", "channels-last"], default="default")
    arguments.add_argument("--steps", type=int, default=5, help="timed steps")
    arguments.add_argument("--warmup", type=int, default=1)
    arguments.add_argument("--evaluations", type=int, default=20, help="of a step")
    arguments.add_argument("--threads", type=int, default=0, help="0: all cores")
    options = arguments.parse_args()
    if options.threads:
        torch.set_num_threads(options.threads)
    seconds, counts, loss = measure(options)
    median = statistics.median(seconds)
    result = {
        "torch": torch.__version__,
        "size": options.size,
        "layout": options.layout,
        "threads": torch.get_num_threads(),
        "evaluations": statistics.median(counts),
        "seconds_per_evaluation": median,
        "seconds_min": min(seconds),
        "seconds_max": max(seconds),
        "pixels_per_second": options.size**2 / median,
        "peak_memory_mib": peak_memory_mib(),
        # A fixed length may lead anywhere; what is not finite would be told here.
        "loss": loss,
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
