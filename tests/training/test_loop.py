"""The training loop."""

from __future__ import annotations

import pytest
import torch

from matopt.errors import FailureError
from matopt.training.loop import train


class Bowl(torch.nn.Module):
    """A point in the plane, with a dropout whose mode the tests look at."""

    def __init__(self) -> None:
        super().__init__()
        self.x = torch.nn.Parameter(torch.tensor([3.0, -2.0]))
        self.register_buffer("calls", torch.zeros(()))

    def loss(self, step: int, progress: float) -> dict[str, torch.Tensor]:
        self.calls += 1
        return {"loss": self.x.square().sum(), "first": self.x[0]}


def test_the_minimum_of_a_bowl_is_found() -> None:
    bowl = Bowl()
    heard: list[int] = []
    steps = train(
        bowl, bowl.loss, steps=300, learning_rate=0.1, every=100, report=lambda step, /, **s: bool(heard.append(step))
    )
    assert bowl.x.abs().max() < 1e-3
    assert steps == 300
    assert heard == [100, 200, 300]


def test_a_report_hears_means_since_the_last_one_and_the_last_step_too() -> None:
    bowl, seen, heard = Bowl(), [], {}

    def loss(step: int, progress: float) -> dict[str, torch.Tensor]:
        assert progress == step / 25
        terms = bowl.loss(step, progress)
        seen.append(terms["loss"].item())
        return terms

    train(bowl, loss, steps=25, learning_rate=0.1, every=10, report=lambda step, /, **s: heard.update({step: s}))
    assert list(heard) == [10, 20, 25]
    assert heard[20]["loss"] == pytest.approx(sum(seen[10:20]) / 10, rel=1e-5)
    assert heard[25]["loss"] == pytest.approx(sum(seen[20:]) / 5, rel=1e-5)


def test_a_report_stops_the_training() -> None:
    bowl = Bowl()
    steps = train(bowl, bowl.loss, steps=100, every=10, report=lambda step, /, **s: step == 30)
    assert steps == 30 and bowl.calls == 30


def test_the_best_validated_state_comes_back_buffers_included() -> None:
    bowl = Bowl()
    visited, heard = {}, {}

    def validate() -> dict[str, float]:
        assert not bowl.training and not torch.is_grad_enabled()
        value = abs(bowl.x[0].item() - 1.5)  # passed on the way down, and then left
        visited[int(bowl.calls)] = value
        return {"miss": value}

    def report(step: int, /, **scalars: float) -> bool:
        heard[step] = scalars["validation_miss"]
        return False

    train(bowl, bowl.loss, steps=200, learning_rate=0.1, every=5, validate=validate, keep_best="miss", report=report)
    best = min(visited, key=visited.__getitem__)
    assert 0 < best < 200
    assert best == int(bowl.calls)
    assert abs(bowl.x[0].item() - 1.5) == visited[best]
    assert heard == visited
    assert not bowl.training


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_a_loss_that_is_not_finite_raises_with_its_step(bad: float) -> None:
    bowl = Bowl()

    def loss(step: int, progress: float) -> dict[str, torch.Tensor]:
        return {"loss": bowl.x.square().sum() * (bad if step == 7 else 1.0)}

    with pytest.raises(FailureError, match="step 7"):
        train(bowl, loss, steps=20)
    assert torch.isfinite(bowl.x).all()


def test_a_validation_that_is_not_finite_raises() -> None:
    bowl = Bowl()
    with pytest.raises(FailureError, match="validation loss is nan after step 4"):
        train(bowl, bowl.loss, steps=20, every=4, validate=lambda: {"loss": float("nan")})


def test_clipping_keeps_one_wild_gradient_from_stalling_adam() -> None:
    ends = {}
    for clip in (None, 1e-3):
        bowl = Bowl()

        def loss(step: int, progress: float, bowl: Bowl = bowl) -> dict[str, torch.Tensor]:
            return {"loss": bowl.x.sum() * (1e6 if step == 5 else 1.0)}

        train(bowl, loss, steps=60, learning_rate=0.1, clip=clip)
        ends[clip] = bowl.x[0].item()
    assert ends[None] > 2.0  # the second moment remembers the wild step, so that all later ones are tiny
    assert ends[1e-3] == pytest.approx(3.0 - 0.1 * 60 / 2, abs=0.1)  # steps of the learning rate, half on average


def test_the_same_training_gives_the_same_parameters() -> None:
    ends = []
    for _ in range(2):
        bowl, generator = Bowl(), torch.Generator().manual_seed(3)

        def loss(step: int, progress: float, bowl=bowl, generator=generator) -> dict[str, torch.Tensor]:
            return {"loss": (bowl.x - torch.randn(2, generator=generator)).square().sum()}

        train(bowl, loss, steps=40, learning_rate=0.05, clip=1.0)
        ends.append(bowl.x.detach().clone())
    assert torch.equal(*ends)


def test_no_steps_leave_the_module_as_it_is() -> None:
    bowl = Bowl()
    heard: list[int] = []
    steps = train(bowl, bowl.loss, steps=0, report=lambda step, /, **s: bool(heard.append(step)))
    assert steps == 0 and heard == [] and bowl.x.tolist() == [3.0, -2.0]


def test_a_term_that_joins_late_is_averaged_over_the_steps_that_had_it() -> None:
    bowl = Bowl()

    def loss(step: int, progress: float) -> dict[str, torch.Tensor]:
        late = {"late": torch.tensor(2.0)} if step >= 15 else {}
        return {"loss": bowl.x.square().sum()} | late

    heard: dict[int, dict[str, float]] = {}
    train(bowl, loss, steps=20, every=10, report=lambda step, /, **s: heard.update({step: s}))
    assert "late" not in heard[10] and heard[20]["late"] == 2.0


def test_an_average_is_nearer_to_the_minimum_than_a_noisy_last_step() -> None:
    """And it is what is validated."""

    def distance(averaging: float | None) -> tuple[float, float]:
        bowl, validated = Bowl(), []
        random = torch.Generator().manual_seed(0)
        train(
            bowl,
            lambda step, progress: {"loss": (bowl.x - torch.randn(2, generator=random)).square().sum()},
            steps=1000,
            optimizers=[torch.optim.SGD(bowl.parameters(), lr=0.1)],
            schedule=lambda progress: 1.0,
            averaging=averaging,
            every=1000,
            validate=lambda: {"distance": float(bowl.x.norm())},
            report=lambda step, /, **s: bool(validated.append(s["validation_distance"])),
        )
        return float(bowl.x.detach().norm()), validated[-1]

    (last, _), (average, validated) = distance(None), distance(0.99)
    assert average < 0.5 * last
    assert validated == pytest.approx(average)


def test_learning_rates_follow_their_schedule_whatever_the_optimisers() -> None:
    bowl, rates = Bowl(), []
    optimizers = [torch.optim.SGD([bowl.x], lr=0.5)]

    def loss(step: int, progress: float) -> dict[str, torch.Tensor]:
        rates.append(optimizers[0].param_groups[0]["lr"])
        return bowl.loss(step, progress)

    train(bowl, loss, steps=4, optimizers=optimizers, schedule=lambda progress: 1 - progress)
    assert rates == [0.5, 0.375, 0.25, 0.125]
