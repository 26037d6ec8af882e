#!/usr/bin/env python3
"""Writes tests/fixtures/torch/vision_nets.safetensors: one training step and an evaluation of narrow nets of torchvision
and timm, under the names that their published weights have, for tests/parity/vision.rs to compare with.

Made with PyTorch 2.15.0, torchvision 0.29.2 and timm 1.0.31 on the CPU. Everything is computed in f64 from f32 numbers and
stored as f32; the difference that PyTorch's own f32 makes is printed. To run it again:

    python3 scripts/make_vision_fixtures.py            the fixtures
    python3 scripts/make_vision_fixtures.py --counts   parameters of the whole nets, as the test has them
    python3 scripts/make_vision_fixtures.py --full DIR whole nets with random weights, for the test that is left out by default:
                                                       RUNNER_VISION_NETS=DIR cargo test --release --test parity -- --ignored
"""

import contextlib
import copy
import json
import pathlib
import sys

import safetensors.torch
import timm
import torch
import torch.nn.functional as F
import torchvision
from timm.layers import BlurPool2d
from torch import nn
from torchvision.models.vgg import make_layers
from torchvision.ops import SqueezeExcitation

from make_fixtures import last, normal, save


@contextlib.contextmanager
def narrowed(divisor):
    """Nets made meanwhile have so many times fewer channels, all but the image's three and the classes."""
    convolution, norm = nn.Conv2d.__init__, nn.BatchNorm2d.__init__
    fewer = lambda channels: channels if channels % 16 else channels // divisor

    def thin_convolution(self, inputs, outputs, *rest, **settings):
        convolution(self, fewer(inputs), fewer(outputs), *rest, **settings)

    def thin_norm(self, channels, *rest, **settings):
        norm(self, fewer(channels), *rest, **settings)

    nn.Conv2d.__init__, nn.BatchNorm2d.__init__ = thin_convolution, thin_norm
    try:
        yield
    finally:
        nn.Conv2d.__init__, nn.BatchNorm2d.__init__ = convolution, norm


def vgg(width, layers, batch_norm, hidden, classes=10):
    """torchvision's, but for its widths; without dropout, whose draws are not compared."""
    widths = [width * factor for factor in (1, 2, 4, 8, 8)]
    plan = [entry for width, count in zip(widths, layers) for entry in [width] * count + ["M"]]
    net = nn.Sequential()
    net.features = make_layers(plan, batch_norm=batch_norm)
    net.avgpool = nn.AdaptiveAvgPool2d(7)
    net.flatten = nn.Flatten()
    net.classifier = nn.Sequential(
        nn.Linear(widths[-1] * 49, hidden), nn.ReLU(), nn.Identity(),
        nn.Linear(hidden, hidden), nn.ReLU(), nn.Identity(), nn.Linear(hidden, classes),
    )
    return net


def inception_resnet():
    with narrowed(16):
        net = timm.create_model("inception_resnet_v2", num_classes=10, drop_rate=0.0)
    net.repeat, net.repeat_1, net.repeat_2 = net.repeat[:1], net.repeat_1[:2], net.repeat_2[:1]
    net.classif = nn.Linear(1536 // 16, 10)
    net.num_features = net.head_hidden_size = 1536 // 16
    return net


class Block(nn.Module):
    """torchvision's BasicBlock with squeeze and excitation, or blurred where it has a stride."""

    def __init__(self, inputs, width, stride, se, blur):
        super().__init__()
        step = 1 if blur else stride
        blurred = lambda channels: BlurPool2d(channels, stride=stride) if blur and stride > 1 else nn.Identity()
        self.conv1 = nn.Conv2d(inputs, width, 3, step, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.aa = blurred(width)
        self.conv2 = nn.Conv2d(width, width, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        if se:
            self.se = SqueezeExcitation(width, max(width // se, 1))
        self.shortcut_blur = blurred(inputs)
        self.downsample = None
        if stride > 1 or inputs != width:
            self.downsample = nn.Sequential(nn.Conv2d(inputs, width, 1, step, bias=False), nn.BatchNorm2d(width))

    def forward(self, x):
        y = self.aa(self.bn1(self.conv1(x)).relu())
        y = self.bn2(self.conv2(y))
        y = self.se(y) if hasattr(self, "se") else y
        return (y + (self.downsample(self.shortcut_blur(x)) if self.downsample else x)).relu()


class ResNet18(nn.Module):
    """torchvision's resnet18 of such blocks."""

    def __init__(self, width, se=None, blur=False):
        super().__init__()
        self.conv1 = nn.Conv2d(3, width, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        pools = [nn.MaxPool2d(3, 1, 1), BlurPool2d(width, stride=2)] if blur else [nn.MaxPool2d(3, 2, 1)]
        self.pool = nn.Sequential(*pools)
        inputs = width
        for stage in range(4):
            outputs, blocks = width << stage, []
            for block in range(2):
                blocks.append(Block(inputs, outputs, 2 if stage > 0 and block == 0 else 1, se, blur))
                inputs = outputs
            setattr(self, f"layer{stage + 1}", nn.Sequential(*blocks))
        self.fc = nn.Linear(inputs, 10)

    def forward(self, x):
        x = self.pool(self.bn1(self.conv1(x)).relu())
        for stage in range(4):
            x = getattr(self, f"layer{stage + 1}")(x)
        return self.fc(x.mean((2, 3)))


def densenet(classes=10):
    return torchvision.models.DenseNet(2, (6, 12, 24, 16), 4, num_classes=classes)


NARROW = {
    "densenet121": (densenet, 64),
    "vgg11": (lambda: vgg(2, (1, 1, 2, 2, 2), False, 8), 43),
    "vgg16-bn": (lambda: vgg(2, (2, 2, 3, 3, 3), True, 8), 32),
    "inception-resnet-v2": (inception_resnet, 107),
    "resnet18-se": (lambda: ResNet18(2, se=2), 33),
    "resnet18-blur": (lambda: ResNet18(2, blur=True), 33),
}


def prepared(net, seed):
    """With norms and biases that do something, and running statistics that are not those of the start."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in net.parameters():
            if parameter.dim() > 1:
                bound = (3.0 / parameter[0].numel()) ** 0.5
                parameter.uniform_(-bound, bound, generator=generator)
        for module in net.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.bias.normal_(0, 0.3, generator=generator)
                module.weight.uniform_(0.5, 1.5, generator=generator)
                module.running_mean.normal_(0, 0.3, generator=generator)
                module.running_var.uniform_(0.5, 1.5, generator=generator)
            elif getattr(module, "bias", None) is not None:
                module.bias.normal_(0, 0.1, generator=generator)
    return net


def named(net):
    """Parameters and running statistics."""
    statistics = {k: v for k, v in net.named_buffers() if k.split(".")[-1] in ("running_mean", "running_var")}
    return {**dict(net.named_parameters()), **statistics}


def step(net, images):
    """Outputs in evaluation, then loss, gradients and running statistics of a step."""
    with torch.no_grad():
        outputs = {"evaluated": net.eval()(images)}
    loss = F.cross_entropy(net.train()(images), torch.arange(4), label_smoothing=0.1)
    loss.backward()
    gradients = {f"gradient/{k}": v.grad for k, v in net.named_parameters()}
    statistics = {f"statistics/{k}": v for k, v in named(net).items() if not isinstance(v, nn.Parameter)}
    return {**outputs, "loss": loss.detach().reshape(1), **gradients, **statistics}


def fixtures():
    tensors, cases = {}, {}
    for seed, (name, (make, size)) in enumerate(NARROW.items()):
        torch.manual_seed(seed)
        net, images = prepared(make(), seed), normal(200 + seed, 4, 3, size, size)
        tensors |= {f"{name}/before/{k}": v.detach().clone() for k, v in named(net).items()}
        tensors[f"{name}/images"] = last(images)
        cases[name] = {"size": size}
        narrow = step(copy.deepcopy(net), images)
        exact = step(net.double(), images.double())
        off = lambda k: ((narrow[k] - exact[k]).abs() / exact[k].abs().clamp(min=1)).max().item()
        worst = max(exact, key=off)
        print(f"{name}: PyTorch's f32 is at most {off(worst):.1e} off ({worst})")
        tensors |= {f"{name}/{k}": v.float() for k, v in exact.items()}
    save("vision_nets", tensors, cases)


def counts():
    """Of torchvision's and timm's whole nets of 1000 classes."""
    for name in ("densenet121", "densenet161", "densenet169", "densenet201"):
        yield name, getattr(torchvision.models, name)()
    for depth in (11, 13, 16, 19):
        yield f"vgg{depth}", getattr(torchvision.models, f"vgg{depth}")()
        yield f"vgg{depth}-bn", getattr(torchvision.models, f"vgg{depth}_bn")()
    yield "inception-resnet-v2", timm.create_model("inception_resnet_v2")
    yield "darknet53", timm.create_model("darknet53")
    yield "the stem of inception_v4", timm.create_model("inception_v4").features[:6]


def full(folder):
    """Random weights of whole nets, images and what they give in evaluation."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = {"densenet121": 224, "vgg16": 224, "vgg16-bn": 224, "resnet50": 224, "inception-resnet-v2": 299}
    for seed, (name, size) in enumerate(rows.items()):
        torch.manual_seed(seed)
        attribute = name.replace("-", "_")
        made = timm.create_model(attribute) if name.startswith("inception") else getattr(torchvision.models, attribute)()
        net, images = prepared(made, seed).eval(), normal(300 + seed, 2, 3, size, size)
        weights = {k: v.detach().contiguous() for k, v in net.state_dict().items()}
        safetensors.torch.save_file(weights, folder / f"{name}.weights.safetensors")
        with torch.no_grad():
            single, exact = net(images), net.double()(images.double())
        print(f"{name}: PyTorch's f32 is {((single - exact).abs().max() / exact.abs().max()).item():.1e} of the largest off")
        outputs = {"images": last(images).contiguous(), "outputs": exact.float()}
        safetensors.torch.save_file(outputs, folder / f"{name}.outputs.safetensors", {"size": json.dumps(size)})


if __name__ == "__main__":
    if sys.argv[1:] == ["--counts"]:
        for name, net in counts():
            print(f'("{name}", {sum(p.numel() for p in net.parameters()):_}),')
    elif len(sys.argv) == 3 and sys.argv[1] == "--full":
        full(pathlib.Path(sys.argv[2]))
    else:
        fixtures()
