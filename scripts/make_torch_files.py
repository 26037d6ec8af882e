#!/usr/bin/env python3
"""Writes tests/fixtures/pth/*: files of torch.save in the forms that are about, for src/train/pickle/tests.rs and
tests/weights.rs to read.

Made with PyTorch 2.15.0 on the CPU. To run it again:

    python3 -m pip install torch==2.15.0 numpy safetensors
    python3 scripts/make_torch_files.py

    zip.pth, legacy.pth         a state dict in both forms: f32, f64, f16, bf16, a slice, a transposed and an expanded tensor, two
                                that share numbers, one of no numbers, whole numbers
    protocol4.pth               the same, zip, in pickle protocol 4
    state_dict.pth, model.pth   the same under "state_dict" (zip) and "model" (legacy), beside an optimizer's state and more
    parameters.pth              a dict of parameters, not a state dict (legacy)
    v1.pth                      a tensor as PyTorch before 0.4 described it
    module.pth, script.pth      a whole module, and one of TorchScript: to be refused
    vgg11.pth, vgg11-legacy.pth the narrow vgg11 of vision_nets.safetensors, names as torchvision's
    expected.safetensors        what the state dict holds
"""

import argparse
import collections
import pathlib
import pickle

import safetensors.torch
import torch
from torch import nn
from torch.serialization import MAGIC_NUMBER, PROTOCOL_VERSION

FIXTURES = pathlib.Path(__file__).resolve().parent.parent / "tests" / "fixtures"
FOLDER = FIXTURES / "pth"


def normal(seed, *shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def state_dict():
    weight = normal(1, 2, 3, 2, 2)
    tensors = {
        "conv.weight": weight,
        "conv.bias": normal(2, 5)[1:3],
        "fc.weight": normal(3, 4, 3).T,
        "fc.bias": normal(4, 1).expand(3),
        "tied": weight.view(6, 4)[1::2],
        "double": normal(5, 3).double(),
        "half": normal(6, 3).half(),
        "brain": normal(7, 3).bfloat16(),
        "empty": torch.zeros(0, 3),
        "norm.num_batches_tracked": torch.tensor(7),
    }
    state = collections.OrderedDict(tensors)
    # As modules leave it: what PyTorch wants to know of their versions.
    state._metadata = collections.OrderedDict({"": {"version": 1}})
    return state


class Storage:
    """Stands for a tensor's storage in a pickle."""

    def __init__(self, tensor):
        self.tensor = tensor


class Version1:
    """A tensor that is put together as before PyTorch 0.4."""

    def __init__(self, tensor):
        self.tensor = tensor

    def __reduce__(self):
        t = self.tensor
        return torch._utils._rebuild_tensor, (Storage(t), t.storage_offset(), tuple(t.shape), t.stride())


class Version1Pickler(pickle.Pickler):
    def persistent_id(self, value):
        if isinstance(value, Storage):
            return "storage", torch.FloatStorage, "94", "cpu", value.tensor.numel(), None
        return None


def version1(tensor):
    """The five pickles of the legacy form, and the numbers."""
    with open(FOLDER / "v1.pth", "wb") as file:
        about = {"protocol_version": PROTOCOL_VERSION, "little_endian": True, "type_sizes": {"int": 4, "long": 4, "short": 2}}
        for value in (MAGIC_NUMBER, PROTOCOL_VERSION, about):
            pickle.dump(value, file, protocol=2)
        Version1Pickler(file, protocol=2).dump(collections.OrderedDict({"conv.weight": Version1(tensor)}))
        pickle.dump(["94"], file, protocol=2)
        file.write(tensor.numel().to_bytes(8, "little") + tensor.numpy().tobytes())


def main():
    FOLDER.mkdir(exist_ok=True)
    state = state_dict()
    safetensors.torch.save_file({k: v.contiguous().clone() for k, v in state.items()}, FOLDER / "expected.safetensors")

    def save(value, name, legacy=False, **more):
        torch.save(value, FOLDER / f"{name}.pth", _use_new_zipfile_serialization=not legacy, **more)

    save(state, "zip")
    save(state, "legacy", legacy=True)
    save(state, "protocol4", pickle_protocol=4)
    linear = nn.Linear(3, 2)
    optimizer = torch.optim.SGD(linear.parameters(), lr=0.1, momentum=0.9)
    linear(torch.ones(1, 3)).sum().backward()
    optimizer.step()
    save({"epoch": 3, "best": 0.75, "state_dict": state, "optimizer": optimizer.state_dict()}, "state_dict")
    arguments = argparse.Namespace(lr=0.1, device=torch.device("cpu"), dtype=torch.float32)
    save({"model": state, "args": arguments, "sizes": {32, 64}}, "model", legacy=True)
    save({k: nn.Parameter(v) for k, v in state.items() if v.is_floating_point()}, "parameters", legacy=True)
    version1(state["conv.weight"])
    with torch.no_grad():
        linear.weight.fill_(0.5), linear.bias.fill_(0.25)
    linear.zero_grad()
    save(linear, "module")
    torch.jit.script(linear).save(FOLDER / "script.pth")
    vision = safetensors.torch.load_file(FIXTURES / "torch" / "vision_nets.safetensors")
    narrow = {k.removeprefix("vgg11/before/"): v for k, v in vision.items() if k.startswith("vgg11/before/")}
    save(narrow, "vgg11")
    save(narrow, "vgg11-legacy", legacy=True)


if __name__ == "__main__":
    main()
