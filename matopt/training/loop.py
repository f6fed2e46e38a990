"""The training loop that all models share: it minimises a loss of a module's parameters."""

from __future__ import annotations

import copy
import math
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext

import torch

from matopt.errors import FailureError
from matopt.training.moving_average import MovingAverage
from matopt.training.report import Report, no_report

Loss = Callable[[int, float], Mapping[str, torch.Tensor]]
"""Called once a step with the step (from 0) and the progress ``step / steps`` in [0, 1). Draws its own batch, and
returns scalars by name: "loss" is minimised, the others (its terms, say) are only reported."""


def cosine(progress: float) -> float:
    """Fall from 1 to 0 as ``progress`` goes from 0 to 1, along half a cosine (Loshchilov and Hutter 2017)."""
    return 0.5 * (1 + math.cos(math.pi * progress))


def train(
    module: torch.nn.Module,
    loss: Loss,
    *,
    steps: int,
    learning_rate: float = 1e-3,
    betas: tuple[float, float] = (0.9, 0.999),
    weight_decay: float = 0.0,
    clip: float | None = None,
    optimizers: Sequence[torch.optim.Optimizer] = (),
    schedule: Callable[[float], float] = cosine,
    averaging: float | None = None,
    every: int = 50,
    validate: Callable[[], Mapping[str, float]] | None = None,
    keep_best: str | None = None,
    report: Report = no_report,
) -> int:
    """Minimise ``loss`` by Adam with a cosine schedule from ``learning_rate`` to 0; the module ends in ``eval`` mode.

    Every ``every`` steps, and after the last, the report hears the scalars of ``loss`` (means since the last report),
    those of ``validate`` (named "validation_..."), the largest gradient norm, and the progress, 1 after the last step.
    All randomness is the caller's.

    Args:
        module: whose parameters are learnt. Several networks go into a ``ModuleList``.
        loss: see :data:`Loss`. The module is in ``train`` mode.
        steps: how many; 0 leaves the module as it is.
        learning_rate: of the first step.
        betas: Adam's decay rates of the two moments.
        weight_decay: decoupled from the gradient (AdamW, Loshchilov and Hutter 2019).
        clip: the largest norm of the gradient over all parameters; None leaves it.
        optimizers: of the module's parameters, in place of Adam and its three settings.
        schedule: what learning rates are multiplied by, of the progress.
        averaging: the decay of an exponential moving average of the parameters, shorter over the first steps; the
            module is validated and ends with the average. None takes the parameters as they are.
        every: steps between reports.
        validate: gives held-out scalars; called without gradients, the module in ``eval`` mode.
        keep_best: the name of the ``validate`` scalar whose lowest value picks the state that the module ends with;
            None keeps the last state.
        report: hears of the progress; True stops the training.

    Returns:
        how many steps were taken: fewer than ``steps`` where the report stopped the training.

    Raises:
        FailureError: a loss, a gradient or a validation scalar is not finite; the message names the step.
    """
    parameters = [p for p in module.parameters() if p.requires_grad]
    if not optimizers:
        optimizers = [torch.optim.AdamW(parameters, learning_rate, betas, weight_decay=weight_decay, fused=True)]
    schedules = [torch.optim.lr_scheduler.LambdaLR(o, lambda step: schedule(step / max(steps, 1))) for o in optimizers]
    average = None if averaging is None else MovingAverage(parameters, averaging)
    best_value, best_state = math.inf, None
    terms_so_far: defaultdict[str, list[torch.Tensor]] = defaultdict(list)
    largest_norm, since, taken = 0.0, 0, 0

    module.train()
    while taken < steps:
        terms = loss(taken, taken / steps)
        module.zero_grad(set_to_none=True)
        terms["loss"].backward()
        norm = float(torch.nn.utils.clip_grad_norm_(parameters, math.inf if clip is None else clip))
        if not (math.isfinite(norm) and math.isfinite(terms["loss"].item())):
            raise FailureError(_diverged(taken, terms))
        for optimizer, rates in zip(optimizers, schedules, strict=True):
            optimizer.step()
            rates.step()
        if average is not None:
            average.update()
        taken, since, largest_norm = taken + 1, since + 1, max(largest_norm, norm)
        for name, value in terms.items():
            terms_so_far[name].append(value.detach())
        if since < every and taken < steps:
            continue

        # A term may join late: its mean is over the steps that had it.
        scalars = {name: float(torch.stack(values).mean()) for name, values in terms_so_far.items()}
        scalars |= {"gradient_norm": largest_norm, "progress": taken / steps}
        terms_so_far.clear()
        largest_norm, since = 0.0, 0
        if validate is not None:
            module.eval()
            with torch.no_grad(), nullcontext() if average is None else average.applied():
                held_out = {name: float(value) for name, value in validate().items()}
                for name, value in held_out.items():
                    if not math.isfinite(value):
                        raise FailureError(f"training: validation {name} is {value} after step {taken}")
                if keep_best is not None and held_out[keep_best] < best_value:
                    best_value = held_out[keep_best]
                    best_state = copy.deepcopy(module.state_dict())
            module.train()
            scalars |= {f"validation_{name}": value for name, value in held_out.items()}
        if report(taken, **scalars):
            break

    if average is not None:
        average.apply()
    if best_state is not None:
        module.load_state_dict(best_state)
    module.eval()
    return taken


def _diverged(step: int, terms: Mapping[str, torch.Tensor]) -> str:
    values = ", ".join(f"{name} {value.item():.3g}" for name, value in terms.items())
    return f"training diverged at step {step} ({values}); lower the learning rate or a loss weight"
