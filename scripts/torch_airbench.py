#!/usr/bin/env python3
"""Time to accuracy of PyTorch on CIFAR-10: the recipe of configs/cifar10-airbench94.toml, on a CPU or a GPU.

    python torch_airbench.py --data DIR [--precision bf16|f32|f16] [--device cpu|cuda] [--compile] [--epochs 8] [--seed 0]

DIR holds cifar-10-batches-bin. One line an epoch and one in the end, which scripts/bench_accuracy_against_torch reads:

    torch 2.15.0 cpu precision=bf16: val_acc_tta 0.9080 seconds 745.0

The seconds are those of training and of the last, augmented evaluation, as the authors of the recipe count; evaluations between
epochs are left out, and so is compiling. The recipe is the Muon variant of K. Jordan, 94% on CIFAR-10 in 3.29 seconds on a single GPU
(arXiv:2404.00498). The layout is channels-last; bf16 and f16 are autocast, and Newton-Schulz products are bf16 but with f32.
"""

import argparse
import contextlib
import math
import pathlib
import time

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from torch_throughput import AirbenchGroup

MEAN, STD = (0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616)
HALF = {"bf16": torch.bfloat16, "f16": torch.float16, "f32": None}


def load(folder, names, device):
    """Normalised images in channels-last layout, and labels."""
    raw = np.concatenate([np.fromfile(folder / name, np.uint8).reshape(-1, 3073) for name in names])
    images = torch.from_numpy(raw[:, 1:].reshape(-1, 3, 32, 32).copy()).to(device).float().div_(255)
    mean, std = (torch.tensor(values, device=device).view(1, 3, 1, 1) for values in (MEAN, STD))
    images = ((images - mean) / std).to(memory_format=torch.channels_last)
    return images, torch.from_numpy(raw[:, 0].astype(np.int64)).to(device)


class Net(nn.Module):
    """airbench94, its stem whitening the patches of these images."""

    def __init__(self, images):
        super().__init__()
        self.whiten = nn.Conv2d(3, 24, 2)
        patches = images.unfold(2, 2, 1).unfold(3, 2, 1).permute(0, 2, 3, 1, 4, 5).reshape(-1, 12).float()
        values, vectors = torch.linalg.eigh((patches.T @ patches) / len(patches))
        filters = (vectors / torch.sqrt(values + 5e-4)).T.reshape(12, 3, 2, 2)
        self.whiten.weight.data = torch.cat([filters, -filters])
        self.whiten.weight.requires_grad_(False)
        self.groups = nn.Sequential(AirbenchGroup(24, 64), AirbenchGroup(64, 256), AirbenchGroup(256, 256))
        for conv in self.convolutions():
            nn.init.dirac_(conv.weight.data[: conv.in_channels])
        self.head = nn.Linear(256, 10, bias=False)
        self.head.weight.data /= self.head.weight.data.std()

    def convolutions(self):
        """Those behind the stem."""
        return [module for module in self.groups.modules() if isinstance(module, nn.Conv2d)]

    def forward(self, x):
        x = F.max_pool2d(self.groups(F.gelu(self.whiten(x))), 3).flatten(1)
        return (self.head(x) / 256).float()


def orthogonalise(gradient, dtype, steps=3):
    """Newton-Schulz iterations of Muon."""
    x = gradient.flatten(1).to(dtype)
    x = x / (x.norm() + 1e-7)
    tall = x.size(0) > x.size(1)
    x = x.T if tall else x
    for _ in range(steps):
        a = x @ x.T
        x = 3.4445 * x + (-4.7750 * a + 2.0315 * a @ a) @ x
    return (x.T if tall else x).view_as(gradient)


@torch.no_grad()
def views(net, x):
    """Logits over mirrored and moved images: the upright pair has weight 1/2, the pairs moved by a pixel 1/4 each."""

    def pair(v):
        return 0.5 * net(v) + 0.5 * net(v.flip(-1))

    padded = F.pad(x, (1,) * 4, "reflect")
    return 0.5 * pair(x) + 0.25 * pair(padded[:, :, :32, :32]) + 0.25 * pair(padded[:, :, 2:, 2:])


def moved(padded, images):
    """Each image moved by up to two pixels."""
    shift = torch.randint(0, 5, (len(images), 2), device=images.device)
    result = torch.empty_like(images)
    for dy in range(5):
        for dx in range(5):
            those = (shift[:, 0] == dy) & (shift[:, 1] == dx)
            result[those] = padded[those, :, dy : dy + 32, dx : dx + 32]
    return result


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--data", type=pathlib.Path, required=True)
    arguments.add_argument("--precision", choices=HALF, help="default: bf16 on a CPU, f16 on a GPU")
    arguments.add_argument("--device", default="cpu")
    arguments.add_argument("--epochs", type=float, default=8)
    arguments.add_argument("--batch", type=int, default=2000)
    arguments.add_argument("--seed", type=int, default=0)
    arguments.add_argument("--compile", action="store_true", help="by torch.compile, max-autotune, before the clock runs")
    arguments.add_argument("--threads", type=int, default=0, help="0: all cores")
    options = arguments.parse_args()
    if options.threads:
        torch.set_num_threads(options.threads)
    torch.manual_seed(options.seed)
    device = torch.device(options.device)
    torch.backends.cudnn.benchmark = True
    precision = options.precision or ("bf16" if device.type == "cpu" else "f16")
    half = HALF[precision]
    products = torch.bfloat16 if half else torch.float32

    def cast():
        return torch.autocast(device.type, dtype=half) if half else contextlib.nullcontext()

    def wait():
        if device.type == "cuda":
            torch.cuda.synchronize()

    folder = options.data / "cifar-10-batches-bin" if (options.data / "cifar-10-batches-bin").is_dir() else options.data
    images, labels = load(folder, [f"data_batch_{k}.bin" for k in range(1, 6)], device)
    val_images, val_labels = load(folder, ["test_batch.bin"], device)

    @torch.no_grad()
    def accuracy(logits):
        net.eval()
        with cast():
            right = torch.cat([logits(batch).argmax(1) for batch in val_images.split(2000)]).eq(val_labels)
        return right.float().mean().item()

    net = Net(images[:5000]).to(device, memory_format=torch.channels_last)
    run, step_of = net, orthogonalise
    if options.compile:
        run, step_of = torch.compile(net, mode="max-autotune"), torch.compile(orthogonalise)
    per_epoch = len(images) // options.batch
    total, whitening = math.ceil(options.epochs * per_epoch), math.ceil(3 * per_epoch)
    decay = 2e-6 * options.batch
    shifts = [p for name, p in net.named_parameters() if ".norm" in name and p.requires_grad]
    groups = [([net.whiten.bias], 0.053, whitening), (shifts, 0.053, total), ([net.head.weight], 0.67, total)]
    sgd = torch.optim.SGD(
        [{"params": params, "lr": lr, "weight_decay": decay / lr} for params, lr, _ in groups], momentum=0.85, nesterov=True
    )
    filters = [conv.weight for conv in net.convolutions()]
    momenta = [torch.zeros_like(p) for p in filters]
    mirror = (torch.rand(len(images), device=device) < 0.5).view(-1, 1, 1, 1)
    padded = F.pad(torch.where(mirror, images.flip(-1), images), (2,) * 4, "reflect")

    if options.compile:
        # Every graph, those of the views too; what it did to running statistics is undone.
        fresh = {name: value.clone() for name, value in net.state_dict().items()}
        for _ in range(3):
            with cast():
                F.cross_entropy(run(images[: options.batch]), labels[: options.batch]).backward()
        # As it is called below: what is compiled depends on whether gradients are kept.
        with torch.no_grad():
            for p in filters:
                step_of(p.grad, products)
        net.eval()
        with cast():
            views(run, val_images[:2000])
        net.load_state_dict(fresh)
        net.zero_grad(set_to_none=True)

    step, spent = 0, 0.0
    for epoch in range(math.ceil(options.epochs)):
        wait()
        begun = time.perf_counter()
        net.train()
        x = moved(padded, images)
        if epoch % 2:
            x = x.flip(-1)
        order = torch.randperm(len(x), device=device)
        for batch in order[: per_epoch * options.batch].split(options.batch):
            with cast():
                logits = run(x[batch])
            loss = F.cross_entropy(logits, labels[batch], label_smoothing=0.2, reduction="sum")
            net.zero_grad(set_to_none=True)
            loss.backward()
            if step >= whitening:
                net.whiten.bias.grad = None
            for group, (_, lr, steps) in zip(sgd.param_groups, groups):
                group["lr"] = lr * max(0.0, 1 - step / steps)
            sgd.step()
            with torch.no_grad():
                for p, momentum in zip(filters, momenta):
                    momentum.mul_(0.6).add_(p.grad)
                    update = step_of(p.grad.add(momentum, alpha=0.6), products)
                    p.mul_(len(p) ** 0.5 / p.norm()).add_(update, alpha=-0.24 * (1 - step / total))
            step += 1
            if step >= total:
                break
        wait()
        spent += time.perf_counter() - begun
        print(
            f"epoch {epoch + 1} loss {loss.item() / len(batch):.4f} val_acc {accuracy(run):.4f} seconds {spent:.2f}", flush=True
        )
    wait()
    begun = time.perf_counter()
    val_acc_tta = accuracy(lambda batch: views(run, batch))
    wait()
    spent += time.perf_counter() - begun
    compiled = " compiled" if options.compile else ""
    print(
        f"torch {torch.__version__} {options.device} precision={precision}{compiled}: "
        f"val_acc_tta {val_acc_tta:.4f} seconds {spent:.2f}"
    )


if __name__ == "__main__":
    main()
