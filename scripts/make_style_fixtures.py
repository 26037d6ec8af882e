#!/usr/bin/env python3
"""Writes tests/fixtures/torch/style.safetensors: what PyTorch computes of style transfer, for tests/parity to compare with.

Made with PyTorch 2.15.0 and SciPy 1.17.1 on the CPU. To run it again:

    python3 -m pip install torch==2.15.0 numpy==2.4.6 pillow==13.0.0 scipy==1.17.1
    python3 scripts/make_style_fixtures.py

Everything is computed in f64 from f32 numbers and stored as f32. A second run gives the same bytes on the same processor.

Two nets, `plain` and `bn`: torchvision's vgg11 and vgg11_bn of width 4 in evaluation, cut behind the layer before the fourth
pool, which is the last that a loss reads. Images are stored channels-last (n, h, w, c), in the normalised space that a net
takes in, convolution weights OIHW. NET is `plain` or `bn`; L counts the four layers before pools from 0: torchvision's
modules features.1, 4, 9 and 14 of the plain net, features.2, 6, 13 and 20 with batch norm.

Inputs
    content             (2, 27, 35, 3)  a batch of one takes the first
    x                   (2, 27, 35, 3)  the images that are optimised; as content
    style/0, style/1    (1, 33, 29, 3) and (1, 20, 27, 3)
    mask                (16, 24)        from 0 to 1; 0 and 1 in places
    style-mask          (24, 16)
    NET/net.features.N.{weight,bias,running_mean,running_var}

Terms. F is a layer's activation in x, c channels, h x w pixels. Every term is a mean over the images of the batch; those of
several layers are stored by layer, and a loss takes their sum.
    content             mean((F - F_content)^2), of the last layer
    style               mean((G - G_style)^2) over the c x c entries, G = F^T F/(c h w), the target of style/0
    diagonal            the same over the c entries of the diagonal alone
    variation           (sum (x[i+1,j] - x[i,j])^2 + sum (x[i,j+1] - x[i,j])^2)/(h w c)

    NET/gram/x/L, NET/gram/style/K/L    (1, c, c)   of the first x, of style K
    NET/B/content                       (1)         B is the batch, 1 or 2
    NET/B/style, NET/B/diagonal         (4)         by layer
    NET/B/two-styles                    (4)         style, the target being 0.7 and 0.3 of the two styles' Grams
    NET/B/variation                     (1)
    NET/B/loss, NET/B/gradient          (1), as x   of the sum of content, style, diagonal and variation, each times its
                                                    weight; the case `NET` of the metadata holds `weights` and the layers' names

Masked terms, of the plain net, of the first 16 x 24 pixels of the first content and x, and the first 24 x 16 of style/0: sides
that every pool halves, so a mask at a layer's size is a mean over squares. The net sees the canvas content + M (x - content).
    masked/mask/L                       the mask at the layer's size
    masked/content                      sum m (F - F_content)^2/(c sum m), of the last layer
    masked/gram/x/L, masked/gram/style/L    sum_p m_p F_p F_p^T/(c sum m); the style's with its own mask
    masked/style                        (4), both Grams masked
    masked/canvas-style                 (4), the canvas' Gram masked, the style's of all its pixels
    masked/variation                    of the canvas
    masked/loss, masked/gradient        of content, style and variation with the weights of the case `masked`, by x
For sides that are not halved evenly, `area/mask` (27, 35) and its reductions to the layers' sizes, L from 1: `area/overlap/L`,
where a pixel counts by its area in the cell, and `area/torch/L`, those of interpolate(mode="area"), where a pixel that is partly
in a cell counts whole.

Optimisation, of the plain net, of the first 16 x 24 pixels of the first content and x, with all of style/0, the terms of
`NET/1/loss` and the weights of `plain`. STEPS is `lbfgs-fixed`, `lbfgs-search` (lr 1, 20 iterations a step, history 10;
line_search_fn None and strong_wolfe) or `adam` (lr 0.05, otherwise PyTorch's defaults); the case `steps` holds these settings.
    STEPS/losses        (11)            at the start and after each of ten steps
    STEPS/evaluations   (10)            how often each step called its closure
    STEPS/evaluated     (any)           the losses that the first step's closure gave
    STEPS/first, STEPS/last (1, 16, 24, 3)  the image after the first and after the last step

Median filter
    median/noise        (19, 23, 3)     uniform
    median/filtered     scipy.ndimage.median_filter(noise, [8, 8, 1]), mode reflect (d c b a | a b c d | d c b a): the window of
                        pixel i is i - 4 ... i + 3, and of its 64 numbers the 33rd in order is taken. Exact.

Tolerances. Most values are far below 1, so compare by the largest number of each tensor, not by max(1, |number|). PyTorch's own
f32 against f64, so measured, is printed; on AMD Zen 3 (AVX2): Grams, terms and losses at most 7e-7, gradients 6e-7, ten
steps of Adam 2e-7. L-BFGS multiplies a rounding with every iteration. Losses of `evaluated`, each by itself: the first two
5e-8, the first 6 within 4e-6 without a search and 3e-5 with one, the first 15 within 1e-4, the last of 20 within 1e-3. Losses
after a step: the first 1e-3 (fixed) and 1e-5 (search), later ones 2e-2 and 3e-2; `last` is a tenth of itself off, so only its loss
says anything; the number of evaluations of a step differs by one or two with a search. Allow ten times as much for other kernels.
"""

import copy
import json
import math
import pathlib

import numpy
import scipy
import torch
import torch.nn.functional as F
from scipy import ndimage
from torch import nn

from make_fixtures import last, normal, save

WIDTHS = [(4,), (8,), (16, 16), (32, 32)]
STYLE_SHARES = [0.7, 0.3]
PIXELS = 16, 24
WEIGHTS = {
    "plain": {"content": 10.0, "style": 500.0, "diagonal": 100.0, "variation": 5.0},
    "bn": {"content": 50.0, "style": 300.0, "diagonal": 70.0, "variation": 10.0},
    "masked": {"content": 10.0, "style": 500.0, "variation": 5.0},
}
STEPS = {
    "lbfgs-fixed": {"kind": "lbfgs", "search": "fixed", "lr": 1.0, "iterations": 20, "history": 10},
    "lbfgs-search": {"kind": "lbfgs", "search": "strong-wolfe", "lr": 1.0, "iterations": 20, "history": 10},
    "adam": {"kind": "adam", "lr": 0.05},
}


def vgg(batch_norm, seed):
    """torchvision's, to the layer before the fourth pool, with weights that keep activations alive (He et al. 2015)."""
    modules, inputs, seeds = [], 3, iter(range(seed, seed + 1000))
    for stage, widths in enumerate(WIDTHS):
        modules += [nn.MaxPool2d(2)] if stage else []
        for width in widths:
            convolution = nn.Conv2d(inputs, width, 3, padding=1)
            convolution.weight.data = normal(next(seeds), width, inputs, 3, 3) * math.sqrt(2 / (9 * inputs))
            convolution.bias.data = normal(next(seeds), width) * 0.1
            modules.append(convolution)
            if batch_norm:
                norm = nn.BatchNorm2d(width)
                norm.weight.data = normal(next(seeds), width).abs() * 0.3 + 0.7
                norm.bias.data = normal(next(seeds), width) * 0.3
                norm.running_mean = normal(next(seeds), width) * 0.3
                norm.running_var = normal(next(seeds), width).abs() + 0.5
                modules.append(norm)
            modules.append(nn.ReLU())
            inputs = width
    net = nn.Module()
    net.features = nn.Sequential(*modules)
    return net.eval().requires_grad_(False)


def tapped(net):
    """Names of the layers before pools."""
    modules = list(net.features)
    before = [k - 1 for k, module in enumerate(modules) if isinstance(module, nn.MaxPool2d)]
    return [f"features.{k}" for k in (*before, len(modules) - 1)]


def activations(net, x):
    wanted, found = tapped(net), []
    for name, module in net.features.named_children():
        x = module(x)
        if f"features.{name}" in wanted:
            found.append(x)
    return found


def gram(f, mask=None):
    """(n, c, c); the mask is (h, w)."""
    mask = f.new_ones(f.shape[2:]) if mask is None else mask
    return torch.einsum("nchw,ndhw,hw->ncd", f, f, mask) / (f.shape[1] * mask.sum())


def grams(net, x, masks=(None,) * 4):
    return [gram(f, mask) for f, mask in zip(activations(net, x), masks)]


def style_terms(found, targets, of=lambda g: g):
    return torch.stack([F.mse_loss(of(g), of(t).expand_as(of(g))) for g, t in zip(found, targets)])


def diagonal(g):
    return g.diagonal(dim1=-2, dim2=-1)


def content_term(f, target, mask=None):
    mask = f.new_ones(f.shape[2:]) if mask is None else mask
    return ((f - target) ** 2 * mask).sum() / (len(f) * f.shape[1] * mask.sum())


def variation(x):
    rows, columns = x[:, :, 1:] - x[:, :, :-1], x[:, :, :, 1:] - x[:, :, :, :-1]
    return ((rows**2).sum() + (columns**2).sum()) / x.numel()


def weighted(terms, weights):
    return sum(weight * terms[name].sum() for name, weight in weights.items())


def images(seed, n, h, w):
    """Smooth shapes with some noise, about as far from zero as normalised photographs are."""
    coarse = F.interpolate(normal(seed, n, 3, h // 6, w // 6), (h, w), mode="bicubic")
    return coarse + 0.3 * normal(seed + 1, n, 3, h, w)


def disc(h, w):
    """A soft disc off the middle, 1 inside and 0 in the corners."""
    rows, columns = torch.arange(h).reshape(-1, 1) / h, torch.arange(w) / w
    distance = ((rows - 0.45) ** 2 + (columns - 0.55) ** 2).sqrt()
    return ((0.55 - distance) / 0.25).clamp(0, 1).float()


def inputs():
    content = images(0, 2, 27, 35)
    return {
        "content": content,
        "x": content + 0.5 * normal(10, *content.shape),
        "styles": [images(20, 1, 33, 29), images(22, 1, 20, 27)],
        "mask": disc(*PIXELS),
        "style-mask": disc(*PIXELS[::-1]).flip(0),
    }


def cut(image, h, w):
    return image[:1, :, :h, :w].contiguous()


def terms_of(net, x, content, style):
    """What `loss` needs of one batch."""
    found = activations(net, x)
    own, targets = [gram(f) for f in found], grams(net, style)
    return {
        "content": content_term(found[-1], activations(net, content)[-1]),
        "style": style_terms(own, targets),
        "diagonal": style_terms(own, targets, diagonal),
        "variation": variation(x),
    }


def losses(name, net, given):
    """Grams, and terms and gradients of batches of one and two."""
    results = {}
    style, mixed = [grams(net, image) for image in given["styles"]], []
    for layer, own in enumerate(grams(net, given["x"][:1])):
        results[f"{name}/gram/x/{layer}"] = own
        results |= {f"{name}/gram/style/{k}/{layer}": targets[layer] for k, targets in enumerate(style)}
        mixed.append(sum(share * targets[layer] for share, targets in zip(STYLE_SHARES, style)))
    for batch in (1, 2):
        x = given["x"][:batch].clone().requires_grad_()
        terms = terms_of(net, x, given["content"][:batch], given["styles"][0])
        loss = weighted(terms, WEIGHTS[name])
        loss.backward()
        terms |= {"two-styles": style_terms(grams(net, x), mixed), "loss": loss}
        results |= {f"{name}/{batch}/{k}": v.detach().reshape(-1) for k, v in terms.items()}
        results[f"{name}/{batch}/gradient"] = last(x.grad)
    return results


def masked(net, given):
    mask, style_mask = given["mask"], given["style-mask"]
    content, style = cut(given["content"], *PIXELS), cut(given["styles"][0], *PIXELS[::-1])
    x = cut(given["x"], *PIXELS).requires_grad_()
    canvas = content + mask * (x - content)
    reduced = lambda mask: [F.avg_pool2d(mask[None, None], 2**layer)[0, 0] for layer in range(4)]
    found, masks = activations(net, canvas), reduced(mask)
    own, targets = [gram(f, m) for f, m in zip(found, masks)], grams(net, style, reduced(style_mask))
    terms = {
        "content": content_term(found[-1], activations(net, content)[-1], masks[-1]),
        "style": style_terms(own, targets),
        "canvas-style": style_terms(own, grams(net, style)),
        "variation": variation(canvas),
    }
    loss = weighted(terms, WEIGHTS["masked"])
    loss.backward()
    results = {f"masked/{k}": v.detach().reshape(-1) for k, v in {**terms, "loss": loss}.items()}
    for layer in range(4):
        results |= {f"masked/mask/{layer}": masks[layer], f"masked/gram/style/{layer}": targets[layer]}
        results[f"masked/gram/x/{layer}"] = own[layer].detach()
    return results | {"masked/gradient": last(x.grad)}


def overlap(pixels, cells):
    """(cells, pixels): the share of each cell that a pixel has."""
    shares = torch.zeros(cells, pixels, dtype=torch.float64)
    for cell in range(cells):
        begin, end = cell * pixels / cells, (cell + 1) * pixels / cells
        for pixel in range(math.floor(begin), math.ceil(end)):
            shares[cell, pixel] = (min(end, pixel + 1) - max(begin, pixel)) / (end - begin)
    return shares


def areas():
    mask = disc(27, 35).double()
    results = {"area/mask": mask}
    for layer in range(1, 4):
        h, w = 27 >> layer, 35 >> layer
        results[f"area/overlap/{layer}"] = overlap(27, h) @ mask @ overlap(35, w).T
        results[f"area/torch/{layer}"] = F.interpolate(mask[None, None], (h, w), mode="area")[0, 0]
    return results


def optimizer_of(x, settings):
    if settings["kind"] == "adam":
        return torch.optim.Adam([x], lr=settings["lr"])
    search = {"fixed": None, "strong-wolfe": "strong_wolfe"}[settings["search"]]
    return torch.optim.LBFGS(
        [x], lr=settings["lr"], max_iter=settings["iterations"], history_size=settings["history"], line_search_fn=search
    )


def steps(name, net, given):
    """Ten steps on one image: losses, evaluations, images after the first and the last."""
    content, style = cut(given["content"], *PIXELS), given["styles"][0]
    x = cut(given["x"], *PIXELS).clone().requires_grad_()
    optimizer, calls = optimizer_of(x, STEPS[name]), []

    def closure():
        optimizer.zero_grad()
        loss = weighted(terms_of(net, x, content, style), WEIGHTS["plain"])
        loss.backward()
        calls.append(loss.item())
        return loss

    found, evaluated, kept = [closure().item()], [], []
    for _ in range(10):
        calls.clear()
        optimizer.step(closure)
        evaluated.append(list(calls))
        found.append(closure().item())
        kept.append(last(x.detach().clone()))
    return {
        f"{name}/losses": torch.tensor(found, dtype=x.dtype),
        f"{name}/evaluations": torch.tensor([len(losses) for losses in evaluated], dtype=torch.float32),
        f"{name}/evaluated": torch.tensor(evaluated[0], dtype=x.dtype),
        f"{name}/first": kept[0],
        f"{name}/last": kept[-1],
    }


def median():
    noise = numpy.random.default_rng(1).random((19, 23, 3), dtype=numpy.float32)
    filtered = ndimage.median_filter(noise, [8, 8, 1], mode="reflect")
    return {"median/noise": torch.from_numpy(noise), "median/filtered": torch.from_numpy(filtered)}


def results(nets, given, dtype):
    cast = lambda value: [v.to(dtype) for v in value] if isinstance(value, list) else value.to(dtype)
    given, nets = {k: cast(v) for k, v in given.items()}, {k: copy.deepcopy(v).to(dtype) for k, v in nets.items()}
    found = masked(nets["plain"], given)
    for name, net in nets.items():
        found |= losses(name, net, given)
    for name in STEPS:
        found |= steps(name, nets["plain"], given)
    return found


def say_difference(narrow, exact):
    """PyTorch's own f32 against its f64."""
    for key in sorted(exact):
        off = (narrow[key].double() - exact[key].double()).abs()
        print(f"{key}: {off.max() / exact[key].abs().max():.1e}")
        if key.endswith(("losses", "evaluated")):
            print("   one after the other:", *(f"{o / e:.0e}" for o, e in zip(off, exact[key])))


def main():
    nets, given = {"plain": vgg(False, 1000), "bn": vgg(True, 2000)}, inputs()
    exact, narrow = results(nets, given, torch.float64), results(nets, given, torch.float32)
    say_difference(narrow, exact)
    tensors = {k: v.float() for k, v in {**exact, **areas()}.items()} | median()
    tensors |= {"content": last(given["content"]), "x": last(given["x"])}
    tensors |= {f"style/{k}": last(style) for k, style in enumerate(given["styles"])}
    tensors |= {"mask": given["mask"], "style-mask": given["style-mask"]}
    for name, net in nets.items():
        state = net.state_dict().items()
        tensors |= {f"{name}/net.{k}": v for k, v in state if not k.endswith("num_batches_tracked")}
    cases = {name: {"layers": tapped(net), "weights": WEIGHTS[name]} for name, net in nets.items()}
    cases |= {"masked": {"weights": WEIGHTS["masked"]}, "steps": STEPS, "two-styles": {"shares": STYLE_SHARES}}
    save("style", tensors, cases | {"median": {"scipy": scipy.__version__, "size": [8, 8, 1]}})


if __name__ == "__main__":
    main()
