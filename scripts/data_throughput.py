#!/usr/bin/env python3
"""How fast torchvision prepares batches: ImageFolder, RandomResizedCrop, flip, normalise, DataLoader.

    scripts/data_throughput.py FOLDER --size 128 --batch 128 --workers 2 --steps 40

FOLDER holds train/<class>/*. scripts/bench_data_against_torch runs it beside `runner bench --data`.
"""

import argparse
import time

import torch
import torchvision
from torchvision import datasets, transforms


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder")
    parser.add_argument("--size", type=int, default=128)
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--steps", type=int, default=40)
    parser.add_argument("--warmup", type=int, default=8)
    options = parser.parse_args()
    torch.manual_seed(1)
    torch.set_num_threads(1)
    transform = transforms.Compose(
        [
            transforms.RandomResizedCrop(options.size),
            transforms.RandomHorizontalFlip(),
            transforms.ToTensor(),
            transforms.Normalize([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]),
        ]
    )
    images = datasets.ImageFolder(f"{options.folder}/train", transform)
    loader = torch.utils.data.DataLoader(
        images,
        batch_size=min(options.batch, len(images)),
        shuffle=True,
        drop_last=True,
        num_workers=options.workers,
        persistent_workers=options.workers > 0,
    )
    step, count, begun = 0, 0, None
    while step < options.warmup + options.steps:
        for batch, _ in loader:
            step += 1
            if step == options.warmup:
                begun = time.perf_counter()
            elif step > options.warmup:
                count += len(batch)
            if step == options.warmup + options.steps:
                break
    rate = count / (time.perf_counter() - begun)
    print(f"torchvision {torchvision.__version__} workers={options.workers} size={options.size}: {rate:.1f} img/s")


main()
