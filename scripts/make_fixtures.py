#!/usr/bin/env python3
"""Writes tests/fixtures/torch/*.safetensors: what PyTorch computes, for tests/parity to compare with, and
tests/fixtures/pillow/*.safetensors: what Pillow does to images, for the tests beside the augmentations.

Made with PyTorch 2.15.0 (and NumPy, which it brings), on the CPU, in f32, and with Pillow 13.0.0. To run it again:

    python3 scripts/make_fixtures.py

Values come from seeded generators: a second run with the same PyTorch and processor gives the same bytes. Images are
stored channels-last (n, h, w, c), convolution weights OIHW. Each file's metadata holds the library's version and, per
case, its settings as JSON.
"""

import collections
import inspect
import json
import pathlib
import struct

import PIL
import numpy
import torch
import torch.nn.functional as F
from PIL import Image, ImageEnhance, ImageOps
from torch.optim import _muon

FOLDER = pathlib.Path(__file__).resolve().parent.parent / "tests" / "fixtures"
TYPES = {torch.float32: "F32", torch.float64: "F64", torch.int64: "I64", torch.uint8: "U8"}
VERSIONS = {"torch": torch.__version__, "pillow": PIL.__version__}


def save(name, tensors, cases, library="torch"):
    """A safetensors file: length of the header, header as JSON, data."""
    header, data = {}, b""
    header["__metadata__"] = {library: VERSIONS[library], **{k: json.dumps(v) for k, v in cases.items()}}
    for key in sorted(tensors):
        tensor = tensors[key].detach().contiguous()
        raw = tensor.numpy().tobytes()
        header[key] = {
            "dtype": TYPES[tensor.dtype],
            "shape": list(tensor.shape),
            "data_offsets": [len(data), len(data) + len(raw)],
        }
        data += raw
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    (FOLDER / library / f"{name}.safetensors").write_bytes(struct.pack("<Q", len(text)) + text + data)


def normal(seed, *shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def last(image):
    """(n, c, h, w) to (n, h, w, c)."""
    return image.permute(0, 2, 3, 1)


def conv2d():
    # n, channels in and out, h, w, kernel, stride, padding, groups
    rows = {
        "3x3": (2, 3, 5, 7, 7, (3, 3), (1, 1), (1, 1), 1),
        "3x3-stride-2": (1, 8, 16, 17, 17, (3, 3), (2, 2), (1, 1), 1),
        "3x3-one-pixel": (2, 3, 4, 1, 1, (3, 3), (1, 1), (1, 1), 1),
        "1x7": (1, 4, 6, 9, 5, (1, 7), (1, 1), (0, 3), 1),
        "7x1": (1, 4, 6, 5, 9, (7, 1), (1, 1), (3, 0), 1),
        "7x7-stride-2": (1, 3, 8, 17, 17, (7, 7), (2, 2), (3, 3), 1),
        "1x1-stride-2": (1, 24, 10, 9, 9, (1, 1), (2, 2), (0, 0), 1),
        "2x2-no-padding": (1, 3, 12, 8, 8, (2, 2), (1, 1), (0, 0), 1),
        "5x3-uneven": (1, 2, 3, 11, 6, (5, 3), (2, 1), (1, 2), 1),
        "groups": (2, 8, 12, 6, 6, (3, 3), (1, 1), (1, 1), 4),
        "depthwise": (1, 6, 6, 9, 9, (3, 3), (2, 2), (1, 1), 6),
        "rest-of-stride": (1, 2, 2, 8, 8, (3, 3), (3, 3), (0, 0), 1),
    }
    tensors, cases = {}, {}
    for seed, (name, (n, ci, co, h, w, kernel, stride, padding, groups)) in enumerate(rows.items()):
        x = normal(10 * seed, n, ci, h, w).requires_grad_()
        weight = normal(10 * seed + 1, co, ci // groups, *kernel).requires_grad_()
        bias = normal(10 * seed + 2, co).requires_grad_()
        y = F.conv2d(x, weight, bias, stride, padding, groups=groups)
        dy = normal(10 * seed + 3, *y.shape)
        y.backward(dy)
        for key, value in {"x": last(x), "y": last(y), "dy": last(dy), "dx": last(x.grad)}.items():
            tensors[f"{name}/{key}"] = value
        for key, value in {"weight": weight, "bias": bias, "dweight": weight.grad, "dbias": bias.grad}.items():
            tensors[f"{name}/{key}"] = value
        cases[name] = {"stride": stride, "padding": padding, "groups": groups}
    save("conv2d", tensors, cases)


def batch_norm():
    tensors = {}
    n, c, h, w = 3, 6, 5, 4
    offset = torch.arange(c).reshape(1, c, 1, 1) * 2.0
    norm = torch.nn.BatchNorm2d(c, eps=1e-5, momentum=0.1)
    with torch.no_grad():
        norm.weight.copy_(normal(1, c))
        norm.bias.copy_(normal(2, c))
    tensors |= {"gamma": norm.weight.clone(), "beta": norm.bias.clone()}
    for step in range(3):
        x = (normal(10 + step, n, c, h, w) + offset).requires_grad_()
        dy = normal(20 + step, n, c, h, w)
        norm.zero_grad()
        y = norm(x)
        y.backward(dy)
        tensors |= {f"{step}/x": last(x), f"{step}/y": last(y), f"{step}/dy": last(dy), f"{step}/dx": last(x.grad)}
        tensors |= {f"{step}/dgamma": norm.weight.grad.clone(), f"{step}/dbeta": norm.bias.grad.clone()}
        tensors |= {f"{step}/running_mean": norm.running_mean.clone(), f"{step}/running_var": norm.running_var.clone()}
    norm.eval()
    norm.zero_grad()
    x = (normal(30, n, c, h, w) + offset).requires_grad_()
    dy = normal(31, n, c, h, w)
    y = norm(x)
    y.backward(dy)
    tensors |= {"eval/x": last(x), "eval/y": last(y), "eval/dy": last(dy), "eval/dx": last(x.grad)}
    tensors |= {"eval/dgamma": norm.weight.grad.clone(), "eval/dbeta": norm.bias.grad.clone()}
    save("batch_norm", tensors, {"norm": {"eps": norm.eps, "momentum": norm.momentum}})


def ghost_norm():
    """Batch norm on reshaped parts of a batch: one copy a part, with the running statistics of before; their mean by
    images is what the batch leaves. Seven images are parts of 3 and 4."""
    tensors, cases = {}, {}
    c, h, w = 5, 3, 4
    for seed, (name, sizes, each) in enumerate([("even", [4, 4, 4], 4), ("rest", [3, 4], 3), ("alone", [1, 1, 1], 1)]):
        n = sum(sizes)
        offset = torch.arange(c).reshape(1, c, 1, 1) * 2.0 + torch.arange(n).reshape(n, 1, 1, 1)
        gamma, beta = normal(100 * seed + 1, c).requires_grad_(), normal(100 * seed + 2, c).requires_grad_()
        mean, var = torch.zeros(c), torch.ones(c)
        tensors |= {f"{name}/gamma": gamma.clone(), f"{name}/beta": beta.clone()}
        for step in range(2):
            x = (normal(100 * seed + 10 + step, n, c, h, w) + offset).requires_grad_()
            dy = normal(100 * seed + 20 + step, n, c, h, w)
            gamma.grad = beta.grad = None
            outputs, means, vars = [], torch.zeros(c), torch.zeros(c)
            for part in x.split(sizes):
                m, v = mean.clone(), var.clone()
                outputs.append(F.batch_norm(part, m, v, gamma, beta, training=True, momentum=0.1, eps=1e-5))
                means, vars = means + m * len(part) / n, vars + v * len(part) / n
            mean, var = means, vars
            y = torch.cat(outputs)
            y.backward(dy)
            for key, value in {"x": x, "y": y, "dy": dy, "dx": x.grad}.items():
                tensors[f"{name}/{step}/{key}"] = last(value)
            tensors |= {f"{name}/{step}/dgamma": gamma.grad.clone(), f"{name}/{step}/dbeta": beta.grad.clone()}
            tensors |= {f"{name}/{step}/running_mean": mean, f"{name}/{step}/running_var": var}
        cases[name] = {"each": each, "pixels": h * w, "eps": 1e-5, "momentum": 0.1}
    save("ghost_norm", tensors, cases)


def pool():
    tensors, cases = {}, {}
    rows = {
        "2x2": ((2, 2), (2, 2), (0, 0)),
        "3x3-stride-2-padded": ((3, 3), (2, 2), (1, 1)),
        "3x3-stride-1-padded": ((3, 3), (1, 1), (1, 1)),
        "2x5-uneven": ((2, 5), (3, 1), (1, 2)),
    }
    for seed, (name, (kernel, stride, padding)) in enumerate(rows.items()):
        # Few distinct values: ties in most windows.
        values = torch.randint(-3, 4, (2, 3, 7, 8), generator=torch.Generator().manual_seed(seed)).float()
        for kind in ["max", "avg", "avg-valid"]:
            x = values.clone().requires_grad_()
            if kind == "max":
                y = F.max_pool2d(x, kernel, stride, padding)
            else:
                y = F.avg_pool2d(x, kernel, stride, padding, count_include_pad=kind == "avg")
            dy = normal(100 + seed, *y.shape)
            y.backward(dy)
            for key, value in {"x": x, "y": y, "dy": dy, "dx": x.grad}.items():
                tensors[f"{name}/{kind}/{key}"] = last(value)
        cases[name] = {"kernel": kernel, "stride": stride, "padding": padding}
    save("pool", tensors, cases)


def pointwise():
    """GELU and ReLU, linear, cross-entropy."""
    tensors, cases = {}, {}
    values = torch.cat([torch.linspace(-8, 8, 321), torch.tensor([0.0, -0.0, 1e-6, -1e-6, 20.0, -20.0])])
    for name, function in {"gelu": F.gelu, "relu": F.relu}.items():
        x = values.clone().requires_grad_()
        y = function(x)
        y.backward(torch.ones_like(y))
        tensors |= {f"{name}/x": x, f"{name}/y": y, f"{name}/dx": x.grad}
    x, weight, bias = (normal(s, *shape).requires_grad_() for s, shape in [(1, (7, 24)), (2, (10, 24)), (3, (10,))])
    y = F.linear(x, weight, bias)
    dy = normal(4, *y.shape)
    y.backward(dy)
    tensors |= {"linear/x": x, "linear/weight": weight, "linear/bias": bias, "linear/y": y, "linear/dy": dy}
    tensors |= {"linear/dx": x.grad, "linear/dweight": weight.grad, "linear/dbias": bias.grad}
    for name, smoothing in {"ce": 0.0, "ce-smooth": 0.1}.items():
        logits = (3 * normal(5, 9, 11)).requires_grad_()
        labels = torch.arange(9) * 5 % 11
        loss = F.cross_entropy(logits, labels, label_smoothing=smoothing)
        loss.backward()
        tensors |= {f"{name}/logits": logits, f"{name}/labels": labels, f"{name}/dlogits": logits.grad}
        tensors |= {f"{name}/loss": loss.double().reshape(1)}
        cases[name] = {"smoothing": smoothing}
    save("pointwise", tensors, cases)


def mixtures():
    tensors, cases = {}, {}
    for seed, (own, smoothing) in enumerate([(0.7, 0.0), (0.25, 0.1), (0.5, 0.2)]):
        name = f"own-{own}"
        logits = (3 * normal(seed, 16, 10)).requires_grad_()
        draws = torch.Generator().manual_seed(50 + seed)
        labels, second = (torch.randint(0, 10, (16,), generator=draws) for _ in range(2))
        second[:2] = labels[:2]
        entropy = lambda target: F.cross_entropy(logits, target, label_smoothing=smoothing)
        loss = own * entropy(labels) + (1 - own) * entropy(second)
        loss.backward()
        values = {"logits": logits, "labels": labels, "second": second, "loss": loss.reshape(1), "dlogits": logits.grad}
        tensors |= {f"{name}/{key}": value for key, value in values.items()}
        cases[name] = {"own": own, "smoothing": smoothing}
    save("mixtures", tensors, cases)


def binary():
    """BCEWithLogitsLoss against the targets of timm 1.0.31, which is not asked: `mixup_target` of timm/data/mixup.py (without a mixture that of
    BinaryCrossEntropy itself), held against `target_threshold` as in timm/loss/binary_cross_entropy.py. Its own classes gave the same losses."""
    tensors, cases = {}, {}
    settings = [(None, 0.0, None), (None, 0.1, None), (0.7, 0.1, None), (0.25, 0.0, 0.3), (0.4, 0.1, 0.2), (None, 0.2, 0.1)]
    for seed, (own, smoothing, threshold) in enumerate(settings):
        name, classes = f"bce-{seed}", 11
        logits = (4 * normal(seed, 9, classes)).requires_grad_()
        draws = torch.Generator().manual_seed(70 + seed)
        labels, second = (torch.randint(0, classes, (9,), generator=draws) for _ in range(2))
        second[:2] = labels[:2]
        off = smoothing / classes
        on = 1.0 - smoothing + off
        one_hot = lambda of: torch.full((9, classes), off).scatter_(1, of.view(-1, 1), on)
        target = one_hot(labels) if own is None else one_hot(labels) * own + one_hot(second) * (1.0 - own)
        if threshold is not None:
            target = target.gt(threshold).to(dtype=target.dtype)
        loss = F.binary_cross_entropy_with_logits(logits, target)
        loss.backward()
        values = {"logits": logits, "labels": labels, "second": second, "loss": loss.reshape(1), "dlogits": logits.grad}
        tensors |= {f"{name}/{key}": value for key, value in values.items()}
        cases[name] = {"own": own, "smoothing": smoothing, "threshold": threshold}
    save("binary", tensors, cases)


def activations():
    """CELU, SiLU and Mish, as `pointwise`."""
    tensors = {}
    values = torch.cat([torch.linspace(-8, 8, 321), torch.tensor([0.0, -0.0, 1e-6, -1e-6, 20.0, -20.0])])
    for name, function in {"silu": F.silu, "mish": F.mish, "celu": F.celu, "celu-0.3": lambda x: F.celu(x, 0.3)}.items():
        x = values.clone().requires_grad_()
        y = function(x)
        y.backward(torch.ones_like(y))
        tensors |= {f"{name}/x": x, f"{name}/y": y, f"{name}/dx": x.grad}
    save("activations", tensors, {})


def optimizers():
    steps, shapes = 20, {"a": (3, 4), "b": (5,), "c": (2, 3, 2, 2)}
    rows = {
        "sgd": {"kind": "sgd", "weight_decay": 0.0, "momentum": False},
        "sgd-momentum": {"kind": "sgd", "weight_decay": 0.0, "momentum": True},
        "sgd-nesterov": {"kind": "sgd", "weight_decay": 0.0, "momentum": True, "nesterov": True},
        "sgd-coupled": {"kind": "sgd", "weight_decay": 0.05, "momentum": True},
        "sgd-nesterov-coupled": {"kind": "sgd", "weight_decay": 0.05, "momentum": True, "nesterov": True},
        "sgd-decoupled": {"kind": "sgd", "weight_decay": 0.05, "momentum": True, "decay": "decoupled"},
        "rmsprop": {"kind": "rmsprop", "weight_decay": 0.0, "momentum": False},
        "rmsprop-momentum": {"kind": "rmsprop", "weight_decay": 0.0, "momentum": True},
        "rmsprop-settings": {"kind": "rmsprop", "weight_decay": 0.0, "momentum": True, "alpha": 0.9, "eps": 1e-3},
        "rmsprop-coupled": {"kind": "rmsprop", "weight_decay": 0.05, "momentum": True},
        "rmsprop-decoupled": {"kind": "rmsprop", "weight_decay": 0.05, "momentum": True, "decay": "decoupled"},
        "adam": {"kind": "adam", "weight_decay": 0.0, "momentum": True},
        "adam-settings": {"kind": "adam", "weight_decay": 0.0, "momentum": True, "beta2": 0.95, "eps": 1e-3},
        "adam-decay-varies": {"kind": "adam", "weight_decay": [0.0, 0.1], "momentum": True},
        "adamw": {"kind": "adamw", "weight_decay": 0.05, "momentum": True},
        "adamw-decay-varies": {"kind": "adamw", "weight_decay": [0.1, 0.0], "momentum": True},
        "adamw-no-momentum": {"kind": "adamw", "weight_decay": 0.05, "momentum": False, "beta2": 0.99},
        # Of β2 0.999 twenty steps are just the beginning of the rectified ones; of 0.6 none is.
        "radam": {"kind": "radam", "weight_decay": 0.05, "momentum": True},
        "radam-settings": {"kind": "radam", "weight_decay": 0.0, "momentum": True, "beta2": 0.95, "eps": 1e-3},
        "radam-never-rectified": {"kind": "radam", "weight_decay": 0.0, "momentum": True, "beta2": 0.6},
        "radam-decoupled": {"kind": "radam", "weight_decay": 0.05, "momentum": False, "beta2": 0.99, "decay": "decoupled"},
    }
    lr = torch.linspace(0.1, 0.005, steps, dtype=torch.float64)
    momentum = torch.linspace(0.95, 0.8, steps, dtype=torch.float64)
    start = {name: normal(seed, *shape) for seed, (name, shape) in enumerate(shapes.items())}
    grads = {name: normal(10 + seed, steps, *shape) for seed, (name, shape) in enumerate(shapes.items())}
    tensors = {"lr": lr, "momentum": momentum}
    tensors |= {f"start/{k}": v for k, v in start.items()} | {f"grads/{k}": v for k, v in grads.items()}
    for case, row in rows.items():
        params = {k: v.clone().requires_grad_() for k, v in start.items()}
        decoupled = row.get("decay") == "decoupled"
        decay = 0.0 if decoupled else row["weight_decay"]
        adam = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW, "radam": torch.optim.RAdam}.get(row["kind"])
        if adam:
            betas, eps = (0.9, row.get("beta2", 0.999)), row.get("eps", 1e-8)
            optimizer = adam(params.values(), lr=1.0, betas=betas, eps=eps)
            # A pair is where the weight decay goes, linearly, from the first step to the last.
            decays = torch.linspace(*(decay if isinstance(decay, list) else [decay] * 2), steps, dtype=torch.float64)
        elif row["kind"] == "sgd":
            # PyTorch wants a momentum for Nesterov when it is made; the loop below sets each step's.
            optimizer = torch.optim.SGD(
                params.values(), lr=1.0, momentum=0.9, nesterov=row.get("nesterov", False), weight_decay=decay
            )
        else:
            settings = {k: row[k] for k in ("alpha", "eps") if k in row}
            optimizer = torch.optim.RMSprop(params.values(), lr=1.0, momentum=0.9, weight_decay=decay, **settings)
        history = {k: [] for k in params}
        for step in range(steps):
            group = optimizer.param_groups[0]
            group["lr"] = lr[step].item()
            beta1 = momentum[step].item() if row["momentum"] else 0.0
            if adam:
                group["betas"], group["weight_decay"] = (beta1, group["betas"][1]), decays[step].item()
            else:
                group["momentum"] = beta1
            for name, param in params.items():
                param.grad = grads[name][step].clone()
                if decoupled:
                    # As AdamW: on the weights, before the step.
                    param.data.mul_(1 - group["lr"] * row["weight_decay"])
            optimizer.step()
            for name, param in params.items():
                history[name].append(param.detach().clone())
        tensors |= {f"{case}/{k}": torch.stack(v) for k, v in history.items()}
    save("optimizers", tensors, rows)


def trust(p, g, adapted, top, bottom):
    """LARS's and LAMB's ratio of norms."""
    n, d = top(numpy.linalg.norm(p)), bottom(numpy.linalg.norm(g), numpy.linalg.norm(p))
    return n / d if adapted and n > 0 and d > 0 else 1.0


def lars(s, p, g, lr, m, wd, t, row):
    """You et al. 2017, arXiv:1708.03888, with lr outside of the momentum."""
    adapted = p.ndim > 1 or row.get("adapt") == "all"
    local = trust(p, g, adapted, lambda p: row.get("trust", 0.001) * p, lambda g, p: g + wd * p + 1e-8 if g else 0.0)
    step = local * (g + wd * p)
    s["b"] = m * s.get("b", 0.0) + step
    return p - lr * (step + m * s["b"] if row.get("nesterov") else s["b"])


def lamb(s, p, g, lr, m, wd, t, row):
    """You et al. 2020, arXiv:1904.00962, algorithm 2, with the identity for phi."""
    beta2 = row.get("beta2", 0.999)
    s["m"] = m * s.get("m", 0.0) + (1 - m) * g
    s["v"] = beta2 * s.get("v", 0.0) + (1 - beta2) * g**2
    u = s["m"] / (1 - m**t) / (numpy.sqrt(s["v"] / (1 - beta2**t)) + 1e-6) + wd * p
    adapted = p.ndim > 1 or row.get("adapt") == "all"
    return p - lr * trust(p, u, adapted, lambda p: p, lambda u, p: u) * u


def lion(s, p, g, lr, m, wd, t, row):
    """Chen et al. 2023, arXiv:2302.06675, algorithm 2."""
    beta2 = row.get("beta2", 0.99)
    u = numpy.sign(m * s.get("m", 0.0) + (1 - m) * g)
    s["m"] = beta2 * s.get("m", 0.0) + (1 - beta2) * g
    return p - lr * (u + wd * p)


def akiba(s, p, g, lr, m, wd, t, row):
    """Akiba, Suzuki and Fukuda 2017, arXiv:1711.04325: one buffer, both rules' factors of the gradient."""
    g = g + wd * p
    alpha_sgd = row["weight"][0] + (row["weight"][1] - row["weight"][0]) * (t - 1) / (row["steps"] - 1)
    alpha_rmsprop = (1 - alpha_sgd) * row["from_rate"]
    s["m"] = 0.99 * s.get("m", 0.0) + 0.01 * g**2
    s["d"] = m * s.get("d", 0.0) - (alpha_sgd + alpha_rmsprop / (numpy.sqrt(s["m"]) + 1e-8)) * g
    return p + lr * s["d"]


def papers():
    """Optimizers that PyTorch has not: the papers' formulas in f64, over the gradients and rates of `optimizers`."""
    steps, shapes = 20, {"a": (3, 4), "b": (5,), "c": (2, 3, 2, 2)}
    rows = {
        "lars": {"kind": "lars", "weight_decay": 0.05, "rate": 100.0},
        "lars-nesterov": {"kind": "lars", "weight_decay": 0.05, "nesterov": True, "rate": 100.0},
        "lars-all": {"kind": "lars", "weight_decay": 0.0, "adapt": "all", "trust": 0.02, "rate": 5.0},
        "lamb": {"kind": "lamb", "weight_decay": 0.05},
        "lamb-all": {"kind": "lamb", "weight_decay": 0.0, "adapt": "all", "beta2": 0.95},
        "lion": {"kind": "lion", "weight_decay": 0.05},
        "lion-beta2": {"kind": "lion", "weight_decay": 0.0, "beta2": 0.8},
        "akiba": {"kind": "mix", "weight_decay": 0.01, "weight": [0.0, 1.0], "from_rate": 0.1, "steps": steps},
        "akiba-part": {"kind": "mix", "weight_decay": 0.0, "weight": [0.75, 0.5], "from_rate": 0.02, "steps": steps},
    }
    rules = {"lars": lars, "lamb": lamb, "lion": lion, "mix": akiba}
    lr = numpy.linspace(0.1, 0.005, steps)
    momentum = numpy.linspace(0.95, 0.8, steps)
    start = {name: normal(seed, *shape) for seed, (name, shape) in enumerate(shapes.items())}
    grads = {name: normal(10 + seed, steps, *shape) for seed, (name, shape) in enumerate(shapes.items())}
    tensors = {"lr": torch.from_numpy(lr), "momentum": torch.from_numpy(momentum)}
    tensors |= {f"start/{k}": v for k, v in start.items()} | {f"grads/{k}": v for k, v in grads.items()}
    for case, row in rows.items():
        for name in shapes:
            state, p, history = {}, start[name].double().numpy(), []
            # Vectors are stepped by LARS as by SGD, at the same rate.
            rate = row.get("rate", 1.0) if p.ndim > 1 or row.get("adapt") == "all" else 1.0
            for t in range(1, steps + 1):
                g = grads[name][t - 1].double().numpy()
                p = rules[row["kind"]](state, p, g, rate * lr[t - 1], momentum[t - 1], row["weight_decay"], t, row)
                history.append(torch.from_numpy(p.copy()))
            tensors[f"{case}/{name}"] = torch.stack(history)
    save("papers", tensors, rows)


def lbfgs():
    """torch.optim.LBFGS on a logistic regression and on Rosenbrock's valley, with both ways to go along a direction. In f64:
    in the valley each iteration doubles a rounding, and in f32 PyTorch is a hundredth from itself after twenty."""
    x, y = normal(60, 40, 7), (torch.arange(40) % 2 * 2 - 1).float()

    def logistic(p):
        return F.softplus(-y.double() * (x.double() @ p["w"] + p["b"])).mean() + 0.05 * (p["w"] ** 2).sum()

    def rosenbrock(p):
        return ((1 - p["w"][0]) ** 2 + 100 * (p["b"][0] - p["w"][0] ** 2) ** 2).sum()

    problems = {
        "logistic": (logistic, {"w": normal(61, 7), "b": normal(62, 1)}),
        "rosenbrock": (rosenbrock, {"w": torch.tensor([-1.2]), "b": torch.tensor([1.0])}),
    }
    rows = {
        "search": {"search": "strong-wolfe", "history": 3, "iterations": 4, "lr": 1.0, "steps": 4},
        "search-short": {"search": "strong-wolfe", "history": 10, "iterations": 3, "evaluations": 5, "lr": 0.5, "steps": 6},
        "search-one": {"search": "strong-wolfe", "history": 5, "iterations": 1, "evaluations": 8, "lr": 1.0, "steps": 8},
        "fixed": {"search": "fixed", "history": 3, "iterations": 4, "lr": 0.5, "steps": 6},
        "fixed-one": {"search": "fixed", "history": 5, "iterations": 1, "lr": 0.8, "steps": 8},
    }
    tensors, cases = {"x": x, "y": y}, {}
    for problem, (loss_of, start) in problems.items():
        tensors |= {f"{problem}/start/{k}": v for k, v in start.items()}
        for name, row in rows.items():
            # In the valley a fixed step soon leaves f32: what is left is rounding.
            if problem == "rosenbrock" and row["search"] == "fixed":
                continue
            params = {k: v.double().requires_grad_() for k, v in start.items()}
            optimizer = torch.optim.LBFGS(
                params.values(),
                lr=row["lr"],
                max_iter=row["iterations"],
                max_eval=row.get("evaluations"),
                history_size=row["history"],
                line_search_fn="strong_wolfe" if row["search"] == "strong-wolfe" else None,
            )

            def closure():
                optimizer.zero_grad()
                loss = loss_of(params)
                loss.backward()
                return loss

            history = {k: [] for k in params}
            for _ in range(row["steps"]):
                optimizer.step(closure)
                for key, param in params.items():
                    history[key].append(param.detach().clone())
            case = f"{problem}-{name}"
            tensors |= {f"{case}/{k}": torch.stack(v) for k, v in history.items()}
            cases[case] = {"problem": problem, **row}
    save("lbfgs", tensors, cases)


def clip():
    """clip_grad_value_, then clip_grad_norm_, over three tensors of different sizes."""
    shapes = {"a": (3, 4), "b": (5,), "c": (2, 3, 2, 2)}
    grads = {k: normal(70 + seed, *shape) * 10.0**seed for seed, (k, shape) in enumerate(shapes.items())}
    rows = {
        "norm": {"norm": 1.0},
        "norm-far": {"norm": 1e4},
        "value": {"value": 0.5},
        "both": {"value": 2.0, "norm": 3.0},
    }
    tensors = {f"grads/{k}": v for k, v in grads.items()}
    for case, row in rows.items():
        params = {k: torch.zeros_like(v) for k, v in grads.items()}
        for key, param in params.items():
            param.grad = grads[key].clone()
        if "value" in row:
            torch.nn.utils.clip_grad_value_(params.values(), row["value"])
        if "norm" in row:
            torch.nn.utils.clip_grad_norm_(params.values(), row["norm"])
        tensors |= {f"{case}/{k}": v.grad for k, v in params.items()}
    save("clip", tensors, rows)


def muon():
    """torch.optim.Muon, and the step of cifar10-airbench's airbench94_muon.py. PyTorch rounds the matrices to bf16, which
    no two programs do alike; so each case is there a second time with that cast taken out."""
    steps, momentum = 20, 0.9
    shapes = {"a": (6, 14), "b": (15, 4), "c": (8, 8), "d": (5, 3, 2, 2), "e": (12, 1, 3, 3)}
    # `torch` takes two axes: PyTorch's own gets the tensors flattened.
    rows = {
        "torch": {},
        "torch-plain": {"nesterov": False, "iterations": 3},
        "torch-match-rms-adamw": {"scale": "match-rms-adamw", "weight_decay": 0.1},
        "airbench": {"iterations": 3, "scale": "none", "renormalise": True},
    }
    lr = torch.linspace(0.1, 0.005, steps, dtype=torch.float64)
    start = {name: normal(seed, *shape) for seed, (name, shape) in enumerate(shapes.items())}
    grads = {name: normal(30 + seed, steps, *shape) for seed, (name, shape) in enumerate(shapes.items())}
    tensors = {"lr": lr} | {f"start/{k}": v for k, v in start.items()} | {f"grads/{k}": v for k, v in grads.items()}
    source = inspect.getsource(_muon._zeropower_via_newtonschulz)

    def airbench(params, buffers, lr, dtype):
        for name, p in params.items():
            g, b = p.grad, buffers[name]
            b.mul_(momentum).add_(g)
            x = g.add(b, alpha=momentum).flatten(1).to(dtype)
            x = x / (x.norm() + 1e-7)
            tall = x.size(0) > x.size(1)
            x = x.T if tall else x
            for _ in range(3):
                a = x @ x.T
                x = 3.4445 * x + (-4.7750 * a + 2.0315 * a @ a) @ x
            p.data.mul_(len(p.data) ** 0.5 / p.data.norm())
            p.data.add_((x.T if tall else x).float().view_as(p), alpha=-lr)

    cases = {}
    for dtype in [torch.float32, torch.bfloat16]:
        exec(source.replace("torch.bfloat16", str(dtype)), vars(_muon))
        for name, row in rows.items():
            params = {k: v.clone().requires_grad_() for k, v in start.items()}
            buffers = {k: torch.zeros_like(v) for k, v in params.items()}
            flat = {k: v.detach().flatten(1).requires_grad_() for k, v in params.items()}
            optimizer = torch.optim.Muon(
                flat.values(),
                momentum=momentum,
                weight_decay=row.get("weight_decay", 0.0),
                nesterov=row.get("nesterov", True),
                ns_steps=row.get("iterations", 5),
                adjust_lr_fn=row.get("scale", "original").replace("-", "_") if name != "airbench" else None,
            )
            history = {k: [] for k in params}
            for step in range(steps):
                for key in params:
                    params[key].grad = grads[key][step].clone()
                    flat[key].grad = params[key].grad.flatten(1)
                if name == "airbench":
                    airbench(params, buffers, lr[step].item(), dtype)
                else:
                    # `flat` are views of `params`.
                    optimizer.param_groups[0]["lr"] = lr[step].item()
                    optimizer.step()
                for key, param in params.items():
                    history[key].append(param.detach().clone())
            precision = {torch.float32: "f32", torch.bfloat16: "bf16"}[dtype]
            tensors |= {f"{name}-{precision}/{k}": torch.stack(v) for k, v in history.items()}
            cases[f"{name}-{precision}"] = {"momentum": momentum, "precision": precision, **row}
    save("muon", tensors, cases)


def net():
    """ResNet-9 at width 2 on 16x16 images: three steps of SGD with Nesterov momentum, label smoothing 0.1."""

    def conv_norm(i, o):
        return torch.nn.Sequential(
            collections.OrderedDict(
                conv=torch.nn.Conv2d(i, o, 3, padding=1, bias=False), norm=torch.nn.BatchNorm2d(o), act=torch.nn.ReLU()
            )
        )

    width = 2
    torch.manual_seed(11)
    parts = {"stem": conv_norm(3, width)}
    for k, (i, o) in enumerate([(1, 2), (2, 4), (4, 8)], start=1):
        parts[f"layer{k}.0"] = conv_norm(i * width, o * width)
        if k != 2:
            for j in range(2):
                parts[f"layer{k}.res.{j}"] = conv_norm(o * width, o * width)
    parts["head.fc"] = torch.nn.Linear(8 * width, 10, bias=False)

    def forward(x):
        x = parts["stem"](x)
        for k in (1, 2, 3):
            x = F.max_pool2d(parts[f"layer{k}.0"](x), 2)
            if k != 2:
                x = x + parts[f"layer{k}.res.1"](parts[f"layer{k}.res.0"](x))
        return 0.125 * parts["head.fc"](F.adaptive_max_pool2d(x, 1).flatten(1))

    def named(kind):
        items = ((f"{part}.{name}", value) for part, module in parts.items() for name, value in getattr(module, kind)())
        return {name: value for name, value in items if not name.endswith("num_batches_tracked")}

    params = named("named_parameters")
    images, labels = normal(12, 8, 3, 16, 16), torch.arange(8) % 10
    tensors = {"images": last(images), **{f"before/{k}": v.detach().clone() for k, v in params.items()}}
    optimizer = torch.optim.SGD(params.values(), lr=0.5, momentum=0.9, weight_decay=5e-4, nesterov=True)
    losses = []
    for step in range(3):
        loss = F.cross_entropy(forward(images), labels, label_smoothing=0.1)
        optimizer.zero_grad()
        loss.backward()
        if step == 0:
            tensors |= {f"gradient/{k}": v.grad.clone() for k, v in params.items()}
        optimizer.step()
        losses.append(loss.detach())
    tensors |= {f"after/{k}": v for k, v in params.items()}
    tensors |= {f"statistics/{k}": v for k, v in named("named_buffers").items()}
    for module in parts.values():
        module.eval()
    tensors |= {"losses": torch.stack(losses), "evaluated": forward(images)}
    save("net", tensors, {"resnet9": {"width": width, "lr": 0.5, "momentum": 0.9, "weight_decay": 5e-4}})

    # The statistics of the same weights, found anew: the cumulative mean over two batches.
    class Whole(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.parts = torch.nn.ModuleList(parts.values())

        def forward(self, x):
            return forward(x)

    torch.optim.swa_utils.update_bn([images[:4], images[4:]], Whole())
    tensors = {"images": last(images), **{f"weights/{k}": v for k, v in params.items()}}
    tensors |= {f"statistics/{k}": v for k, v in named("named_buffers").items()}
    save("statistics", tensors, {"resnet9": {"width": width, "batch": 4}})


def averages():
    """Six updates of averaged weights and buffers: equal shares, and an exponential mean."""
    weights, buffers = normal(31, 6, 40), normal(32, 6, 8)
    tensors, cases = {"weights": weights, "buffers": buffers}, {"swa": {}, "ema": {"decay": 0.9}}
    for name, case in cases.items():
        module = torch.nn.Module()
        module.weight = torch.nn.Parameter(torch.zeros(40))
        module.register_buffer("statistic", torch.zeros(8))
        rule = torch.optim.swa_utils.get_ema_multi_avg_fn(case["decay"]) if case else None
        averaged = torch.optim.swa_utils.AveragedModel(module, multi_avg_fn=rule, use_buffers=True)
        seen = []
        for weight, buffer in zip(weights, buffers):
            with torch.no_grad():
                module.weight.copy_(weight)
                module.statistic.copy_(buffer)
            averaged.update_parameters(module)
            seen.append((averaged.module.weight.detach().clone(), averaged.module.statistic.clone()))
        for key, values in zip(["weights", "buffers"], zip(*seen)):
            tensors[f"{name}/{key}"] = torch.stack(values)
    save("averages", tensors, cases)


class Part(torch.nn.Module):
    """Layers by the names that the program gives them, in order; `forward` is the net's."""

    def __init__(self, forward=None, **layers):
        super().__init__()
        self.call = forward
        for name, layer in layers.items():
            self.add_module(name, layer)

    def forward(self, x):
        return self.call(self, x)


def conv3(i, o, stride=1):
    return torch.nn.Conv2d(i, o, 3, stride, padding=1, bias=False)


def basic_resnet(width, blocks=(2, 2, 2, 2), classes=10):
    """torchvision's ResNet-18 or -34, with the 7x7 stem."""
    norm = torch.nn.BatchNorm2d

    def basic(i, o, stride):
        def forward(m, x):
            y = m.bn2(m.conv2(F.relu(m.bn1(m.conv1(x)))))
            return F.relu(y + (m.downsample(x) if hasattr(m, "downsample") else x))

        block = Part(forward, conv1=conv3(i, o, stride), bn1=norm(o), conv2=conv3(o, o), bn2=norm(o))
        if stride != 1 or i != o:
            block.downsample = torch.nn.Sequential(torch.nn.Conv2d(i, o, 1, stride, bias=False), norm(o))
        return block

    stages, i = {}, width
    for k, count in enumerate(blocks):
        o = width << k
        made = [basic(i if n == 0 else o, o, 2 if k and n == 0 else 1) for n in range(count)]
        stages[f"layer{k + 1}"], i = torch.nn.Sequential(*made), o
    stem = Part(conv=torch.nn.Conv2d(3, width, 7, 2, padding=3, bias=False), norm=norm(width))

    def forward(m, x):
        x = F.max_pool2d(F.relu(m.stem.norm(m.stem.conv(x))), 3, 2, 1)
        for name in stages:
            x = m.get_submodule(name)(x)
        return m.head.fc(x.mean((2, 3)))

    return Part(forward, stem=stem, head=Part(fc=torch.nn.Linear(i, classes)), **stages)


def wrn22(width, widen):
    norm = torch.nn.BatchNorm2d

    def block(i, o, stride):
        def forward(m, x):
            h = F.relu(m.norm1(x))
            shortcut = m.shortcut(h) if hasattr(m, "shortcut") else x
            return shortcut + m.conv2(F.relu(m.norm2(m.conv1(h))))

        part = Part(forward, norm1=norm(i), conv1=conv3(i, o, stride), norm2=norm(o), conv2=conv3(o, o))
        if stride != 1 or i != o:
            part.shortcut = torch.nn.Conv2d(i, o, 1, stride, bias=False)
        return part

    stages, i = {}, width
    for k in range(3):
        o = width * widen << k
        blocks = [block(i if n == 0 else o, o, 2 if k and n == 0 else 1) for n in range(3)]
        stages[f"layer{k + 1}"], i = torch.nn.Sequential(*blocks), o

    def forward(m, x):
        x = m.stem.conv(x)
        for name in stages:
            x = m.get_submodule(name)(x)
        return m.head.fc(F.relu(m.norm(x)).mean((2, 3)))

    stem, head = Part(conv=conv3(3, width)), Part(fc=torch.nn.Linear(i, 10))
    return Part(forward, stem=stem, norm=norm(i), head=head, **stages)


def bottleneck_resnet(width, classes, blocks=(3, 4, 6, 3)):
    """torchvision's ResNet-50, -101 or -152: the stride on the 3x3 convolution."""
    norm = torch.nn.BatchNorm2d

    def conv1(i, o, stride=1):
        return torch.nn.Conv2d(i, o, 1, stride, bias=False)

    def bottleneck(i, o, stride):
        def forward(m, x):
            y = F.relu(m.bn2(m.conv2(F.relu(m.bn1(m.conv1(x))))))
            return F.relu(m.bn3(m.conv3(y)) + (m.downsample(x) if hasattr(m, "downsample") else x))

        block = Part(
            forward, conv1=conv1(i, o), bn1=norm(o), conv2=conv3(o, o, stride), bn2=norm(o), conv3=conv1(o, 4 * o), bn3=norm(4 * o)
        )
        if stride != 1 or i != 4 * o:
            block.downsample = torch.nn.Sequential(conv1(i, 4 * o, stride), norm(4 * o))
        return block

    stages, i = {}, width
    for k, count in enumerate(blocks):
        o = width << k
        made = [bottleneck(i if n == 0 else 4 * o, o, 2 if k and n == 0 else 1) for n in range(count)]
        stages[f"layer{k + 1}"], i = torch.nn.Sequential(*made), 4 * o
    stem = Part(conv=torch.nn.Conv2d(3, width, 7, 2, padding=3, bias=False), norm=norm(width))

    def forward(m, x):
        x = F.max_pool2d(F.relu(m.stem.norm(m.stem.conv(x))), 3, 2, 1)
        for name in stages:
            x = m.get_submodule(name)(x)
        return m.head.fc(x.mean((2, 3)))

    return Part(forward, stem=stem, head=Part(fc=torch.nn.Linear(i, classes)), **stages)


def preact(widths):
    """bkj's pre-activation ResNet-18: no norm behind the last block, average and maximum side by side."""
    norm = torch.nn.BatchNorm2d

    def block(i, o, stride):
        def forward(m, x):
            h = F.relu(m.norm1(x))
            return (m.shortcut(h) if hasattr(m, "shortcut") else x) + m.conv2(F.relu(m.norm2(m.conv1(h))))

        part = Part(forward, norm1=norm(i), conv1=conv3(i, o, stride), norm2=norm(o), conv2=conv3(o, o))
        if stride != 1 or i != o:
            part.shortcut = torch.nn.Conv2d(i, o, 1, stride, bias=False)
        return part

    stages, i = {}, widths[0]
    for k, o in enumerate(widths):
        stages[f"layer{k + 1}"] = torch.nn.Sequential(block(i, o, 2 if k else 1), block(o, o, 1))
        i = o

    def forward(m, x):
        x = F.relu(m.stem.norm(m.stem.conv(x)))
        for name in stages:
            x = m.get_submodule(name)(x)
        return m.head.fc(torch.cat([x.mean((2, 3)), x.amax((2, 3))], 1))

    stem, head = Part(conv=conv3(3, widths[0]), norm=norm(widths[0])), Part(fc=torch.nn.Linear(2 * i, 10))
    return Part(forward, stem=stem, head=head, **stages)


def resnet9(width, act, pool_first, whiten):
    """Page's nets; the whitening filters are random here."""

    def norm(o):
        made = torch.nn.BatchNorm2d(o)
        made.weight.requires_grad_(not whiten)
        return made

    def block(i, o):
        return Part(lambda m, x: act(m.norm(m.conv(x))), conv=conv3(i, o), norm=norm(o))

    def layer(i, o, residual):
        def forward(m, x):
            first = m.get_submodule("0")
            if pool_first:
                x = act(first.norm(F.max_pool2d(first.conv(x), 2)))
            else:
                x = F.max_pool2d(first(x), 2)
            return x + m.res(x) if residual else x

        part = Part(forward)
        part.add_module("0", block(i, o))
        if residual:
            part.res = torch.nn.Sequential(block(o, o), block(o, o))
        return part

    stages = {"layer1": layer(width, 2 * width, True), "layer2": layer(2 * width, 4 * width, False)}
    stages["layer3"] = layer(4 * width, 8 * width, True)
    stem = Part(conv=torch.nn.Conv2d(27, width, 1, bias=False) if whiten else conv3(3, width), norm=norm(width))
    if whiten:
        stem.whiten = torch.nn.Conv2d(3, 27, 3, padding=1, bias=False)
        stem.whiten.weight.requires_grad_(False)

    def forward(m, x):
        x = act(m.stem.norm(m.stem.conv(m.stem.whiten(x) if whiten else x)))
        for name in stages:
            x = m.get_submodule(name)(x)
        return m.head.fc(x.amax((2, 3))) / 8

    return Part(forward, stem=stem, head=Part(fc=torch.nn.Linear(8 * width, 10, bias=False)), **stages)


def airbench(widths, depth, act=F.gelu):
    """airbench94 with a depth of 2, airbench96 with 3; the whitening filters are random here."""

    def group(i, o):
        def forward(m, x):
            x = first = act(m.norm1(F.max_pool2d(m.conv1(x), 2)))
            for k in range(2, depth + 1):
                x = m.get_submodule(f"norm{k}")(m.get_submodule(f"conv{k}")(x))
                x = act(x + first if k == depth and k > 2 else x)
            return x

        layers = {}
        for k in range(1, depth + 1):
            layers |= {f"conv{k}": conv3(i if k == 1 else o, o)}
            layers |= {f"norm{k}": torch.nn.BatchNorm2d(o, eps=1e-12, momentum=0.4)}
            layers[f"norm{k}"].weight.requires_grad_(False)
        return Part(forward, **layers)

    groups = {f"layer{k + 1}": group(i, o) for k, (i, o) in enumerate(zip([24, *widths], widths))}
    stem = Part(conv=torch.nn.Conv2d(3, 24, 2))
    stem.conv.weight.requires_grad_(False)

    def forward(m, x):
        x = F.gelu(m.stem.conv(x))
        for name in groups:
            x = m.get_submodule(name)(x)
        return m.head.fc(x.amax((2, 3))) / 9

    return Part(forward, stem=stem, head=Part(fc=torch.nn.Linear(widths[-1], 10, bias=False)), **groups)


def nets():
    """One step of each net, narrow, and the parameters of the whole ones."""
    rows = {
        "resnet18": (lambda: basic_resnet(2), lambda: basic_resnet(64), 33),
        "wrn22": (lambda: wrn22(2, 2), lambda: wrn22(16, 6), 10),
        "airbench94": (lambda: airbench([4, 6, 8], 2), lambda: airbench([64, 256, 256], 2), 18),
        "airbench96": (lambda: airbench([4, 6, 8], 3), lambda: airbench([128, 384, 512], 3), 18),
    }
    save_nets("nets", rows)


def recipe_nets():
    """As `nets`, of those that came later: another file, so that the first stays as it is."""
    celu = lambda x: F.celu(x, 0.3)
    page = {"act": celu, "pool_first": True, "whiten": True}
    rows = {
        "resnet50": (lambda: bottleneck_resnet(2, 10), lambda: bottleneck_resnet(64, 1000), 33),
        "preact-resnet18": (lambda: preact([2, 3, 4, 4]), lambda: preact([64, 128, 256, 256]), 11),
        "resnet9-page": (lambda: resnet9(3, **page), lambda: resnet9(64, **page), 10),
        "airbench94-silu": (lambda: airbench([4, 6, 8], 2, F.silu), lambda: airbench([64, 256, 256], 2, F.silu), 18),
    }
    save_nets("recipe_nets", rows)


def deep_nets():
    """As `nets`, of the deeper residual nets."""
    basic, bottleneck = (3, 4, 6, 3), (3, 4, 23, 3)
    rows = {
        "resnet34": (lambda: basic_resnet(2, basic), lambda: basic_resnet(64, basic, 1000), 33),
        "resnet101": (lambda: bottleneck_resnet(2, 10, bottleneck), lambda: bottleneck_resnet(64, 1000, bottleneck), 33),
    }
    save_nets("deep_nets", rows, damped=("bn3", "bn2"))


class BlurPool(torch.nn.Module):
    """A convolution that sees a blurred image, as FFCV's BlurPoolConv2d (its train_imagenet.py): zeros beyond the edges."""

    def __init__(self, conv):
        super().__init__()
        self.conv = conv

    def forward(self, x):
        channels = self.conv.in_channels
        blur = torch.tensor([[1, 2, 1], [2, 4, 2], [1, 2, 1]]).expand(channels, 1, 3, 3) / 16.0
        return self.conv(F.conv2d(x, blur, padding=1, groups=channels))


def blur_before(net):
    """All of its convolutions with a stride, but the stem's, which in FFCV's nets have 16 inputs or more."""
    for name, module in list(net.named_modules()):
        strided = isinstance(module, torch.nn.Conv2d) and max(module.stride) > 1
        if strided and not name.startswith("stem"):
            parent, _, child = name.rpartition(".")
            setattr(net.get_submodule(parent), child, BlurPool(module))
    return net


def avg_down(net):
    """ResNet-D's shortcuts, as timm's `downsample_avg` has them."""
    for block in net.modules():
        if hasattr(block, "downsample"):
            conv, norm = block.downsample
            pool = torch.nn.AvgPool2d(2, 2, ceil_mode=True, count_include_pad=False) if conv.stride == (2, 2) else torch.nn.Identity()
            conv.stride = (1, 1)
            block.downsample = torch.nn.Sequential(pool, conv, norm)
    return net


def blurred_nets():
    """As `nets`, of those that blur what their strides see, or whose shortcuts take means."""
    rows = {
        "resnet18-blur-before": (lambda: blur_before(basic_resnet(2)), lambda: basic_resnet(64), 33),
        "resnet50-blur-before": (lambda: blur_before(bottleneck_resnet(2, 10)), lambda: bottleneck_resnet(64, 1000), 34),
        "resnet18-avg-down": (lambda: avg_down(basic_resnet(2)), lambda: basic_resnet(64), 33),
        "resnet50-avg-down": (lambda: avg_down(bottleneck_resnet(2, 10)), lambda: bottleneck_resnet(64, 1000), 66),
    }
    save_nets("blurred_nets", rows, plain=lambda name: name.replace(".conv.weight", ".weight") if "layer" in name else name)


def save_nets(file, rows, damped=("bn3",), plain=lambda name: name):
    """Loss, gradients and running statistics of one step of each narrow net; parameters of the whole ones.
    `plain` gives the name that the program has for a parameter."""
    tensors, cases = {}, {}
    for seed, (name, (narrow, whole, size)) in enumerate(rows.items()):
        params = list(whole().parameters())
        frozen = sum(p.numel() for p in params if not p.requires_grad)
        cases[name] = {"size": size, "parameters": sum(p.numel() for p in params), "frozen": frozen}
        torch.manual_seed(seed)
        net = narrow()
        with torch.no_grad():
            for module in net.modules():
                # Norms that do something: scales and shifts away from 1 and 0.
                if isinstance(module, torch.nn.BatchNorm2d):
                    module.bias.normal_(0, 0.3)
                    if module.weight.requires_grad:
                        module.weight.uniform_(0.5, 1.5)
            for block in net.modules():
                # Many norms in a row: with last scales about 1, PyTorch's own f32 is 1e-3 off its f64 in ResNet-50 and 6e-5
                # in ResNet-34, so 4e-6.
                for norm in [norm for norm in damped if hasattr(block, norm)][:1]:
                    getattr(block, norm).weight.mul_(0.2)
        images, labels = normal(100 + seed, 4, 3, size, size), torch.arange(4)
        tensors[f"{name}/images"] = last(images)
        tensors |= {f"{name}/before/{plain(k)}": v.detach().clone() for k, v in net.named_parameters()}
        loss = F.cross_entropy(net(images), labels, label_smoothing=0.1)
        loss.backward()
        tensors[f"{name}/loss"] = loss.detach().reshape(1)
        trained = {plain(k): v for k, v in net.named_parameters() if v.requires_grad}
        tensors |= {f"{name}/gradient/{k}": v.grad for k, v in trained.items()}
        statistics = {k: v for k, v in net.named_buffers() if not k.endswith("num_batches_tracked")}
        tensors |= {f"{name}/statistics/{k}": v for k, v in statistics.items()}
    save(file, tensors, cases)


def whitening():
    """Eigenvectors of the moments of 2x2 patches, as airbench94 scales them; the largest component is made positive."""
    images = normal(7, 20, 3, 7, 9)
    images = images + images.roll(1, 3) + 0.5 * images.roll(1, 1)
    patches = images.unfold(2, 2, 1).unfold(3, 2, 1).permute(0, 2, 3, 1, 4, 5).reshape(-1, 12).double()
    values, vectors = torch.linalg.eigh(patches.T @ patches / len(patches))
    vectors = vectors * vectors.gather(0, vectors.abs().argmax(0, keepdim=True)).sign()
    filters = (vectors / torch.sqrt(values + 5e-4)).T.reshape(12, 3, 2, 2)
    save("whitening", {"images": last(images), "filters": torch.cat([filters, -filters]).float()}, {})


def views():
    """Test-time augmentation as in cifar10-airbench's infer(): outputs of a small net, averaged over views."""
    x, weight = normal(50, 3, 3, 7, 7), normal(51, 4, 3, 7, 7)

    def net(v):
        return torch.tanh(F.linear(v.flatten(1), weight.flatten(1)) / 8)

    def mirror(v):
        return 0.5 * net(v) + 0.5 * net(v.flip(-1))

    padded = F.pad(x, (1,) * 4, "reflect")
    moved = [mirror(padded[:, :, at : at + 7, at : at + 7]) for at in (0, 2)]
    tensors = {"x": last(x), "weight": last(weight), "none": net(x), "mirror": mirror(x)}
    tensors["mirror-translate"] = 0.5 * mirror(x) + 0.25 * moved[0] + 0.25 * moved[1]
    save("views", tensors, {})


def schedules():
    """Rates and momenta of PyTorch's schedulers, stepped each batch of 100 an epoch, and the recipe that gives the same."""
    from torch.optim import lr_scheduler as of

    cases, tensors = {}, {}

    def case(name, recipe, make, steps, each=1, momentum=False):
        sgd = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.4, momentum=0.9)
        scheduler = make(sgd)
        lrs, momenta = [], []
        for step in range(steps):
            lrs.append(sgd.param_groups[0]["lr"])
            momenta.append(sgd.param_groups[0]["momentum"])
            sgd.step()
            if (step + 1) % each == 0:
                scheduler.step()
        cases[name] = {"recipe": recipe}
        tensors[f"{name}/lr"] = torch.tensor(lrs, dtype=torch.float64)
        if momentum:
            tensors[f"{name}/momentum"] = torch.tensor(momenta, dtype=torch.float64)

    for curve, strategy in [("linear", "linear"), ("cosine", "cos")]:
        case(
            f"one-cycle-{curve}",
            f"recipe = 'one-cycle'\nsteps = 200\nlr = 0.4\ndiv = 20\npct = 20\ncurve = '{curve}'",
            lambda sgd, strategy=strategy: of.OneCycleLR(
                sgd, 0.4, total_steps=201, pct_start=81 / 201, three_phase=True, anneal_strategy=strategy, div_factor=20,
                final_div_factor=100, base_momentum=0.85, max_momentum=0.95,
            ),
            200,
            momentum=True,
        )
    case(
        "one-cycle-two-phases",
        "recipe = 'one-cycle'\nsteps = 200\nlr = 0.4\nrise = 0.3\ndiv = 25\nfinal_div = 1e4\nthree_phase = false\n"
        "curve = 'cosine'",
        lambda sgd: of.OneCycleLR(sgd, 0.4, total_steps=201, pct_start=61 / 201),
        200,
    )
    case(
        "sgdr",
        "recipe = 'sgdr'\nlr = 0.4\ncycles = 3\ncycle_mult = 2\nto = 0.001\nlead = 0",
        lambda sgd: of.CosineAnnealingWarmRestarts(sgd, 100, 2, eta_min=0.001),
        700,
    )
    for mode, gamma in [("triangular", 1.0), ("triangular2", 0.5)]:
        case(
            mode,
            f"recipe = 'cyclical'\nepochs = 3\ncycles = 3\nfrom = 0.05\nlr = 0.4\nrise = 0.4\ngamma = {gamma}\n"
            "max_momentum = 0.95\nmin_momentum = 0.8",
            lambda sgd, mode=mode: of.CyclicLR(
                sgd, 0.05, 0.4, step_size_up=40, step_size_down=60, mode=mode, base_momentum=0.8, max_momentum=0.95
            ),
            300,
            momentum=True,
        )
    case(
        "step",
        "recipe = 'step'\nepochs = 4\nlr = 0.4\nat = [1, 3]\ngamma = 0.2",
        lambda sgd: of.MultiStepLR(sgd, [1, 3], 0.2),
        400,
        each=100,
    )
    case(
        "warmup",
        "recipe = 'warmup'\nsteps = 150\nfrom = 0.04\nlr = 0.4",
        lambda sgd: of.LinearLR(sgd, 0.1, total_iters=150),
        150,
    )
    knots, rates = [0, 1.5, 2, 4], [0.0, 0.4, 0.1, 0.02]
    cases["piecewise"] = {"recipe": f"recipe = 'piecewise'\nat = {knots}\nlr = {rates}"}
    tensors["piecewise/lr"] = torch.from_numpy(numpy.interp(numpy.arange(400) / 100, knots, rates))
    save("schedules", tensors, cases)


def picture(seed, *shape):
    """Waves of colour under noise: smooth parts and edges, dull and bright."""
    generator = torch.Generator().manual_seed(seed)
    noise = torch.randint(-40, 41, shape, generator=generator)
    wave = torch.arange(noise.numel()).reshape(shape).mul(0.37).sin().mul(150).add(128)
    array = (wave + noise).clamp(0, 255).to(torch.uint8)
    array[0, 0] = 0
    array[0, -1] = 255
    return Image.fromarray(array.numpy())


def images():
    """Resizing of boxes, and what augmentations do, with fixed parameters."""
    tensors, cases = {}, {}

    def keep(name, image):
        array = torch.from_numpy(numpy.asarray(image).copy())
        tensors[name] = array if array.dim() == 3 else array.unsqueeze(2)

    def result(kind, of, image, **settings):
        name = f"{kind}/{sum(case.startswith(kind + '/') for case in cases):02}"
        keep(name, image)
        cases[name] = {"of": of, **settings}

    sources = {
        "colour": picture(1, 15, 21, 3),
        "grey": picture(2, 9, 6),
        **{f"square{side}": picture(3 + side, side, side, 3) for side in (1, 2, 7, 13)},
        "grey-square7": picture(20, 7, 7),
    }
    for name, image in sources.items():
        keep(name, image)
    boxes = [(0, 0, 21, 15), (0, 0, 7, 5), (14, 10, 7, 5), (3, 2, 11, 11), (5, 0, 1, 15), (20, 14, 1, 1), (2, 7, 19, 3)]
    for left, top, width, height in boxes:
        for size in [(8, 8), (5, 13), (24, 24)]:
            box = (left, top, left + width, top + height)
            image = sources["colour"].resize(size, Image.Resampling.BILINEAR, box=box)
            result("box", "colour", image, left=left, top=top, width=width, height=height)
    # Pillow goes rows first here, as in all the others; where it does not, it differs from us by a rounding.
    image = sources["grey"].resize((4, 11), Image.Resampling.BILINEAR, box=(1, 2, 6, 8))
    result("box", "grey", image, left=1, top=2, width=5, height=6)

    enhancers = {
        "brightness": ImageEnhance.Brightness, "contrast": ImageEnhance.Contrast, "saturation": ImageEnhance.Color
    }
    squares = ["square1", "square2", "square7", "square13", "grey-square7"]
    for kind, enhancer in enhancers.items():
        for of in squares[2:] if kind != "saturation" else squares[2:4]:
            for factor in [0.0, 0.3, 0.75, 1.0, 1.25, 1.9]:
                result(kind, of, enhancer(sources[of]).enhance(factor), factor=factor)
    for turn in [-0.5, -0.11, -0.001, 0.0, 0.07, 0.31, 0.5]:
        # As torchvision's adjust_hue.
        h, s, v = sources["square13"].convert("HSV").split()
        turned = numpy.asarray(h) + numpy.array(int(turn * 255)).astype(numpy.uint8)
        image = Image.merge("HSV", (Image.fromarray(turned), s, v)).convert("RGB")
        result("hue", "square13", image, turn=turn)

    for of in squares:
        for degrees in [-170.25, -30.5, -2.0, 0.5, 15.0, 44.0, 100.0]:
            fill = 77 if of.startswith("grey") else (10, 200, 77)
            image = sources[of].rotate(degrees, Image.Resampling.BILINEAR, fillcolor=fill)
            result("rotate", of, image, degrees=degrees, fill=fill if isinstance(fill, tuple) else [fill])
    save("images", tensors, cases, "pillow")


def operations():
    """What RandAugment and TrivialAugment choose from, as timm and torchvision call Pillow; and torchvision's levels."""
    tensors, cases = {}, {}

    def keep(name, image):
        array = torch.from_numpy(numpy.asarray(image).copy())
        tensors[name] = array if array.dim() == 3 else array.unsqueeze(2)

    def results(kind, of, make, numbers, **settings):
        """One below the other, an image for each number."""
        name = f"{kind}/{sum(case.startswith(kind + '/') for case in cases):02}"
        keep(name, Image.fromarray(numpy.concatenate([numpy.asarray(make(number)) for number in numbers])))
        cases[name] = {"of": of, "numbers": numbers, **settings}

    dull = Image.fromarray((numpy.asarray(picture(30, 17, 17, 3)) // 3 + 40).astype(numpy.uint8))
    sources = {
        **{f"square{side}": picture(3 + side, side, side, 3) for side in (1, 2, 3, 7, 13, 23)},
        "dull17": dull,
        "one-colour5": Image.new("RGB", (5, 5), (9, 9, 200)),
        "grey-square7": picture(20, 7, 7),
        "grey-square23": picture(21, 23, 23),
    }
    for name, image in sources.items():
        keep(name, image)
    for of, image in sources.items():
        results("auto-contrast", of, lambda _: ImageOps.autocontrast(image), [0])
        results("equalize", of, lambda _: ImageOps.equalize(image), [0])
    for of in ["square2", "square7", "grey-square7"]:
        image = sources[of]
        bands = len(image.getbands())

        def solarize_add(add):
            """As timm: there is none in Pillow."""
            return image.point([min(255, byte + add) if byte < 128 else byte for byte in range(256)] * bands)

        results("invert", of, lambda _: ImageOps.invert(image), [0])
        results("posterize", of, lambda bits: ImageOps.posterize(image, bits), list(range(1, 9)))
        results("solarize", of, lambda start: ImageOps.solarize(image, start), [0, 60, 127.5, 178.5, 255, 256])
        results("solarize-add", of, solarize_add, [0, 33, 66, 110])
    for of in ["square1", "square2", "square3", "square7", "square13", "grey-square7"]:
        sharpness = ImageEnhance.Sharpness(sources[of])
        results("sharpness", of, sharpness.enhance, [0.0, 0.1, 0.46, 1.0, 1.54, 1.9])
    ways = {
        "nearest": Image.Resampling.NEAREST, "bilinear": Image.Resampling.BILINEAR, "bicubic": Image.Resampling.BICUBIC
    }
    for of in ["square1", "square2", "square7", "grey-square7"]:
        image = sources[of]
        grey = of.startswith("grey")
        fill = 77 if grey else (10, 200, 77)
        for way, resample in ways.items():
            settings = {"interpolation": way, "fill": [fill] if grey else fill}
            shears, shifts = [-0.27, 0.09, 0.3, 0.99], [-2.25, 0.9, 3.0, 5.85]
            matrices = {
                "shear-x": (lambda by: (1, by, 0, 0, 1, 0), shears),
                "shear-y": (lambda by: (1, 0, 0, by, 1, 0), shears),
                "translate-x": (lambda by: (1, 0, by, 0, 1, 0), shifts),
                "translate-y": (lambda by: (1, 0, 0, 0, 1, by), shifts),
            }
            for kind, (matrix, numbers) in matrices.items():
                affine = Image.Transform.AFFINE
                warp = lambda by: image.transform(image.size, affine, matrix(by), resample, fillcolor=fill)
                results(kind, of, warp, numbers, **settings)
            turn = lambda by: image.rotate(by, resample, fillcolor=fill)
            results("turn", of, turn, [-121.5, -90.0, -18.0, 5.4, 27.0, 90.0, 135.0], **settings)
    # As torchvision's _augmentation_space of RandAugment and TrivialAugmentWide.
    line = lambda end: torch.linspace(0.0, end, 31).tolist()
    whole = lambda end: [int(number) for number in line(end)]
    levels = {f"shift {size}": whole(150.0 / 331.0 * size) for size in (24, 32, 128, 160, 176, 224)}
    levels["shift wide"] = whole(32.0)
    levels["bits"] = (8 - (torch.arange(31) / ((31 - 1) / 4)).round().int()).tolist()
    levels["bits wide"] = (8 - (torch.arange(31) / ((31 - 1) / 6)).round().int()).tolist()
    levels["solarize"] = torch.linspace(255.0, 0.0, 31).ceil().tolist()
    levels |= {f"{end:g}": line(end) for end in (0.3, 0.9, 0.99, 30.0, 135.0)}
    cases["levels/00"] = levels
    save("operations", tensors, cases, "pillow")


if __name__ == "__main__":
    for library in VERSIONS:
        (FOLDER / library).mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(1)
    makers = [
        conv2d, batch_norm, ghost_norm, pool, pointwise, activations, mixtures, binary, optimizers, papers, lbfgs, clip,
        muon, net, averages, nets, recipe_nets, deep_nets, blurred_nets, whitening, views, schedules, images, operations,
    ]
    for make in makers:
        make()
