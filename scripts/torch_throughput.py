#!/usr/bin/env python3
"""Training throughput of PyTorch on the nets that `runner bench` measures, in the same way.

One line a step and one summary line at the end, which scripts/bench_against_torch reads:

    torch 2.15.0 cpu threads=2 net=resnet9 precision=bf16 batch=128 size=32: median 279.1 img/s (min 270.2, max 281.0)
    peak memory 1234.5 MiB

A step is forward, loss, backward and an SGD-Nesterov update, on random images that stay in memory. The layout is
channels-last, the fastest one for these nets; bf16 and f16 are autocast. On a GPU a rate is that of 20 steps. Needs PyTorch 2.1 or newer.
"""

import argparse
import contextlib
import statistics
import time

import torch
import torch.nn.functional as F
from torch import nn


def conv_norm(i, o, kernel=3, stride=1, act=True, pool=None):
    layers = [nn.Conv2d(i, o, kernel, stride, kernel // 2, bias=False), nn.BatchNorm2d(o)]
    if act:
        layers.append(nn.ReLU(inplace=True))
    if pool:
        layers.append(nn.MaxPool2d(pool))
    return nn.Sequential(*layers)


class Residual(nn.Module):
    """x + f(x), with a projection of x and a ReLU after the sum where asked for."""

    def __init__(self, body, shortcut=None, act=False):
        super().__init__()
        self.body, self.shortcut, self.act = body, shortcut, act

    def forward(self, x):
        y = self.body(x) + (x if self.shortcut is None else self.shortcut(x))
        return F.relu(y, inplace=True) if self.act else y


def resnet9(classes=10):
    """Page 2018: 6.57 million parameters, 0.76 GFLOP forward at 32x32."""

    def residual(c):
        return Residual(nn.Sequential(conv_norm(c, c), conv_norm(c, c)))

    return nn.Sequential(
        conv_norm(3, 64),
        conv_norm(64, 128, pool=2),
        residual(128),
        conv_norm(128, 256, pool=2),
        conv_norm(256, 512, pool=2),
        residual(512),
        nn.AdaptiveMaxPool2d(1),
        nn.Flatten(),
        nn.Linear(512, classes, bias=False),
    )


def resnet18(stem, classes=10):
    """He et al. 2015, basic blocks; stem 'cifar' is one 3x3 convolution, 'imagenet' 7x7/2 and a 3x3/2 max-pool."""

    def block(i, o, stride):
        shortcut = None if i == o and stride == 1 else conv_norm(i, o, 1, stride, act=False)
        return Residual(nn.Sequential(conv_norm(i, o, 3, stride), conv_norm(o, o, act=False)), shortcut, act=True)

    stems = {
        "cifar": lambda: [conv_norm(3, 64)],
        "imagenet": lambda: [conv_norm(3, 64, 7, 2), nn.MaxPool2d(3, 2, 1)],
    }
    body = []
    for i, o, stride in ((64, 64, 1), (64, 128, 2), (128, 256, 2), (256, 512, 2)):
        body += [block(i, o, stride), block(o, o, 1)]
    return nn.Sequential(*stems[stem](), *body, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(512, classes))


def resnet50(classes=10):
    """He et al. 2015, bottleneck blocks with the stride in the 3x3 convolution, as torchvision has them; ImageNet's stem."""

    def block(i, width, stride):
        o = 4 * width
        shortcut = None if i == o and stride == 1 else conv_norm(i, o, 1, stride, act=False)
        body = conv_norm(i, width, 1), conv_norm(width, width, 3, stride), conv_norm(width, o, 1, act=False)
        return Residual(nn.Sequential(*body), shortcut, act=True)

    body, i = [], 64
    for width, blocks, stride in ((64, 3, 1), (128, 4, 2), (256, 6, 2), (512, 3, 2)):
        for k in range(blocks):
            body.append(block(i, width, stride if k == 0 else 1))
            i = 4 * width
    head = [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(i, classes)]
    return nn.Sequential(conv_norm(3, 64, 7, 2), nn.MaxPool2d(3, 2, 1), *body, *head)


class AirbenchGroup(nn.Module):
    def __init__(self, i, o):
        super().__init__()
        self.conv1 = nn.Conv2d(i, o, 3, padding=1, bias=False)
        self.conv2 = nn.Conv2d(o, o, 3, padding=1, bias=False)
        self.norm1, self.norm2 = (nn.BatchNorm2d(o, eps=1e-12, momentum=0.4) for _ in range(2))
        self.norm1.weight.requires_grad_(False)
        self.norm2.weight.requires_grad_(False)

    def forward(self, x):
        x = F.gelu(self.norm1(F.max_pool2d(self.conv1(x), 2)))
        return F.gelu(self.norm2(self.conv2(x)))


def airbench94(classes=10):
    """Jordan 2024: 24 frozen 2x2 filters, three groups of 64, 256 and 256 channels; the norms' scale is frozen."""
    whiten = nn.Conv2d(3, 24, 2)
    whiten.weight.requires_grad_(False)
    groups = [AirbenchGroup(24, 64), AirbenchGroup(64, 256), AirbenchGroup(256, 256)]
    head = [nn.AdaptiveMaxPool2d(1), nn.Flatten(), nn.Linear(256, classes, bias=False)]
    return nn.Sequential(whiten, nn.GELU(), *groups, *head)


class PreActivation(nn.Module):
    def __init__(self, i, o, stride):
        super().__init__()
        self.norm1, self.norm2 = nn.BatchNorm2d(i), nn.BatchNorm2d(o)
        self.conv1 = nn.Conv2d(i, o, 3, stride, 1, bias=False)
        self.conv2 = nn.Conv2d(o, o, 3, 1, 1, bias=False)
        self.shortcut = nn.Conv2d(i, o, 1, stride, bias=False) if i != o or stride != 1 else None

    def forward(self, x):
        h = F.relu(self.norm1(x), inplace=True)
        shortcut = x if self.shortcut is None else self.shortcut(h)
        return shortcut + self.conv2(F.relu(self.norm2(self.conv1(h)), inplace=True))


def wrn22(classes=10, k=6):
    """Pre-activation wide ResNet of depth 22, widths 96, 192, 384: fast.ai's DAWNBench net."""
    widths = [16, 16 * k, 32 * k, 64 * k]
    body = [
        PreActivation(widths[g] if b == 0 else widths[g + 1], widths[g + 1], 2 if b == 0 and g else 1)
        for g in range(3)
        for b in range(3)
    ]
    head = [nn.BatchNorm2d(widths[3]), nn.ReLU(inplace=True), nn.AdaptiveAvgPool2d(1), nn.Flatten()]
    return nn.Sequential(nn.Conv2d(3, 16, 3, padding=1, bias=False), *body, *head, nn.Linear(widths[3], classes))


NETS = {
    "resnet9": resnet9,
    "resnet18": lambda: resnet18("cifar"),
    "resnet18_imagenet": lambda: resnet18("imagenet"),
    "resnet50": resnet50,
    "airbench94": airbench94,
    "wrn22": wrn22,
}


def peak_memory_mib():
    """The most that this process has held, as Linux counts it; None elsewhere."""
    try:
        with open("/proc/self/status") as status:
            return next(int(line.split()[1]) / 1024 for line in status if line.startswith("VmHWM:"))
    except (OSError, StopIteration):
        return None


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--net", choices=NETS, default="resnet9")
    arguments.add_argument("--precision", choices=["f32", "bf16", "f16"], default="f32")
    arguments.add_argument("--batch", type=int, default=128)
    arguments.add_argument("--size", type=int, default=32)
    arguments.add_argument("--steps", type=int, default=8, help="timed steps")
    arguments.add_argument("--warmup", type=int, default=3)
    arguments.add_argument("--threads", type=int, default=0, help="0: all cores")
    arguments.add_argument("--device", default="cpu")
    arguments.add_argument(
        "--compile", nargs="?", const="default", metavar="MODE", help="by torch.compile: default, max-autotune, ..."
    )
    options = arguments.parse_args()
    if options.threads:
        torch.set_num_threads(options.threads)
    device = torch.device(options.device)
    on_card = device.type == "cuda"
    torch.backends.cudnn.benchmark = True
    torch.manual_seed(0)
    net = NETS[options.net]().to(device, memory_format=torch.channels_last)
    images = torch.randn(options.batch, 3, options.size, options.size, device=device)
    images = images.contiguous(memory_format=torch.channels_last)
    labels = torch.randint(0, 10, (options.batch,), device=device)
    trained = [p for p in net.parameters() if p.requires_grad]
    optimizer = torch.optim.SGD(trained, lr=1e-3, momentum=0.9, nesterov=True, weight_decay=5e-4)
    run = torch.compile(net, mode=options.compile) if options.compile else net
    half = {"bf16": torch.bfloat16, "f16": torch.float16}.get(options.precision)

    def cast():
        return torch.autocast(device.type, dtype=half) if half else contextlib.nullcontext()

    def wait():
        if on_card:
            torch.cuda.synchronize()

    # A card is waited for once in so many steps.
    together = 20 if on_card else 1
    rates = []
    for step in range(-options.warmup, options.steps):
        wait()
        begun = time.perf_counter()
        for _ in range(together):
            with cast():
                logits = run(images)
            loss = F.cross_entropy(logits.float(), labels)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
        wait()
        rate = together * options.batch / (time.perf_counter() - begun)
        if step >= 0:
            rates.append(rate)
            print(f"step {step}: {rate:.1f} img/s", flush=True)
    compiled = f" compiled={options.compile}" if options.compile else ""
    print(
        f"torch {torch.__version__} {options.device} threads={torch.get_num_threads()} net={options.net} "
        f"precision={options.precision} batch={options.batch} size={options.size}{compiled}: "
        f"median {statistics.median(rates):.1f} img/s (min {min(rates):.1f}, max {max(rates):.1f})"
    )
    memory = peak_memory_mib()
    print("peak memory " + ("not told by the system" if memory is None else f"{memory:.1f} MiB"))


if __name__ == "__main__":
    main()
