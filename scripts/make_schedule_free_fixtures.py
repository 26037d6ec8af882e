#!/usr/bin/env python3
"""Writes tests/fixtures/torch/schedule_free.safetensors: what the published code of schedule-free learning computes (Defazio et al.
2024), for tests/parity to compare with.

Made with schedulefree 1.4.1 and PyTorch 2.15.0 on the CPU, in f32, without `foreach`. To run it again:

    python3 -m pip install torch==2.15.0 numpy==2.4.6 pillow==13.0.0 schedulefree==1.4.1
    python3 scripts/make_schedule_free_fixtures.py

A second run gives the same bytes on the same processor.

    lr, momentum            (steps)         the rate of each step, 0 in the first; a momentum that moves
    start/P                                 parameters, as
    grads/P                 (steps, ..)     their gradients
    CASE/y/P, CASE/x/P      (steps, ..)     after each step: where gradients are taken, and what is evaluated

The case `CASE` of the metadata has the settings. Where `moves` is set, the momentum is that of the step, and the code is
the package's Reference, which keeps x, y and z; else it is 0.9 (or `momentum`), and x is what `eval` makes of y.
"""

import importlib.metadata

import torch
from make_fixtures import normal, save
from schedulefree import AdamWScheduleFree, AdamWScheduleFreeReference, SGDScheduleFree, SGDScheduleFreeReference

STEPS, SHAPES = 16, {"a": (3, 4), "b": (5,)}
ROWS = {
    "sgd": {"kind": "schedule-free-sgd", "weight_decay": 0.0},
    "sgd-decay": {"kind": "schedule-free-sgd", "weight_decay": 0.05, "momentum": 0.6},
    "sgd-weights": {"kind": "schedule-free-sgd", "weight_decay": 0.05, "r": 1.5, "weight_lr_power": 1.0},
    "sgd-moves": {"kind": "schedule-free-sgd", "weight_decay": 0.05, "moves": True},
    "adamw": {"kind": "schedule-free-adamw", "weight_decay": 0.0},
    "adamw-decay": {"kind": "schedule-free-adamw", "weight_decay": 0.05, "momentum": 0.6, "beta2": 0.95, "eps": 1e-3},
    "adamw-weights": {"kind": "schedule-free-adamw", "weight_decay": 0.05, "r": 2.0, "weight_lr_power": 0.0},
    "adamw-moves": {"kind": "schedule-free-adamw", "weight_decay": 0.05, "moves": True},
}
CODE = {
    ("schedule-free-sgd", False): SGDScheduleFree,
    ("schedule-free-sgd", True): SGDScheduleFreeReference,
    ("schedule-free-adamw", False): AdamWScheduleFree,
    ("schedule-free-adamw", True): AdamWScheduleFreeReference,
}


def run(row, lr, momentum, start, grads):
    """y and x after each step, by parameter."""
    params = {name: value.clone().requires_grad_() for name, value in start.items()}
    is_adam, moves = row["kind"] == "schedule-free-adamw", row.get("moves", False)
    constant, beta2 = row.get("momentum", 0.9), row.get("beta2", 0.999)
    settings = {key: row[key] for key in ("weight_decay", "r", "weight_lr_power", "eps") if key in row}
    settings |= {"betas": (constant, beta2)} if is_adam else {"momentum": constant}
    optimizer = CODE[row["kind"], moves](params.values(), lr=1.0, foreach=False, **settings)
    optimizer.train()
    history = {f"{of}/{name}": [] for of in "yx" for name in params}
    for step in range(STEPS):
        (group,) = optimizer.param_groups
        group["lr"] = lr[step].item()
        if moves:
            beta1 = momentum[step].item()
            group |= {"betas": (beta1, beta2)} if is_adam else {"momentum": beta1}
        for name, param in params.items():
            param.grad = grads[name][step].clone()
        optimizer.step()
        kept = {name: param.detach().clone() for name, param in params.items()}
        optimizer.eval()
        for name, param in params.items():
            history[f"x/{name}"].append(param.detach().clone())
            history[f"y/{name}"].append(kept[name])
        optimizer.train()
        with torch.no_grad():
            # What `train` makes of x again is y but for a rounding.
            for name, param in params.items():
                param.copy_(kept[name])
    return {key: torch.stack(values) for key, values in history.items()}


if __name__ == "__main__":
    version = importlib.metadata.version("schedulefree")
    assert version == "1.4.1", version
    torch.set_num_threads(1)
    # A warm-up from 0, a rate that stays, and one that falls, whose steps weigh as the highest.
    lr = torch.tensor([0.0, 0.02, 0.04, 0.06, 0.08] + [0.1] * 7 + [0.08, 0.05, 0.05, 0.02], dtype=torch.float64)
    momentum = torch.tensor([0.9] * 4 + [0.95, 0.95, 0.8, 0.7, 0.6, 0.5, 0.3, 0.3, 0.5, 0.9, 0.9, 0.98], dtype=torch.float64)
    start = {name: normal(seed, *shape) for seed, (name, shape) in enumerate(SHAPES.items())}
    grads = {name: normal(10 + seed, STEPS, *shape) for seed, (name, shape) in enumerate(SHAPES.items())}
    tensors = {"lr": lr, "momentum": momentum}
    tensors |= {f"start/{k}": v for k, v in start.items()} | {f"grads/{k}": v for k, v in grads.items()}
    for case, row in ROWS.items():
        tensors |= {f"{case}/{key}": values for key, values in run(row, lr, momentum, start, grads).items()}
    save("schedule_free", tensors, ROWS)
