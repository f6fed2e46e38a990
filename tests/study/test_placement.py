"""The placement of a study on nodes: what it returns has room, and it refuses only what has none."""

from collections import Counter
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from matopt.study.cluster.placement import Node, NoRoomError, place
from matopt.study.config.schema import ResourcesSection

GIB = 1 << 30


@st.composite
def clusters(draw, most_nodes=6, most_cpus=12, most_gpus=4):
    sizes = draw(
        st.lists(
            st.tuples(st.integers(0, most_cpus), st.integers(0, most_gpus), st.integers(1, 64)), max_size=most_nodes
        )
    )
    return [Node(f"k{i}", f"n{i}", float(c), float(g), m * GIB) for i, (c, g, m) in enumerate(sizes)]


NUMBERS = st.one_of(st.just("auto"), st.integers(1, 12))


@st.composite
def asked(draw):
    return ResourcesSection(
        device=draw(st.sampled_from(["cpu", "cuda"])),
        trials=draw(NUMBERS),
        predictors=draw(NUMBERS),
        simulators=draw(NUMBERS),
        cpus_per_trial=draw(st.integers(1, 4)),
    )


def attempt(nodes, resources, most=40):
    try:
        return place(nodes, resources, most)
    except NoRoomError as error:
        return str(error)


def started(nodes, count, cpus, share, choose):
    """Start processes one by one as Ray may, on any node and GPU with room; returns how many had room."""
    free = {node.key: (node.cpus, [1.0] * int(node.gpus)) for node in nodes}
    for n in range(count):
        open_to = []
        for key, (left, gpus) in free.items():
            if left >= cpus:
                open_to += [(key, i) for i, gpu in enumerate(gpus) if gpu >= share - 1e-9] if share else [(key, None)]
        if not open_to:
            return n
        key, gpu = choose(open_to)
        left, gpus = free[key]
        free[key] = left - cpus, [g - share if i == gpu else g for i, g in enumerate(gpus)]
    return count


@given(clusters(), asked(), st.data())
def test_what_is_placed_has_room_node_by_node_and_gpu_by_gpu_in_whatever_order_ray_takes(nodes, resources, data):
    found = attempt(nodes, resources)
    if isinstance(found, str):
        return

    def choose(places):
        return places[data.draw(st.integers(0, len(places) - 1))]

    assert (found.trial_gpus > 0) == (resources.device == "cuda")
    assert started(nodes, found.trials, resources.cpus_per_trial, found.trial_gpus, choose) == found.trials
    for kind in ("trials", "predictors", "simulators"):
        wanted = getattr(resources, kind)
        number = len(found.simulators) if kind == "simulators" else getattr(found, kind)
        assert number >= 1 and wanted in ("auto", number)


@given(clusters(most_nodes=3, most_cpus=5, most_gpus=2), asked())
def test_it_refuses_only_what_no_arrangement_has_room_for_and_shares_gpus_no_further_than_needed(nodes, resources):
    cpus, on_gpus = resources.cpus_per_trial, resources.device == "cuda"

    def fits(count, on_each):
        most = [range(int(node.cpus // cpus) + 1) for node in nodes]
        return any(
            sum(n) >= count and (not on_gpus or all(k <= on_each * node.gpus for k, node in zip(n, nodes, strict=True)))
            for n in product(*most)
        )

    found = attempt(nodes, resources)
    explicit = [n for n in (resources.trials, resources.predictors) if n != "auto"]
    assert isinstance(found, str) != fits(max([1, *explicit]), 99)
    if not isinstance(found, str) and on_gpus:
        on_each = next(k for k in range(1, 100) if fits(found.trials, k))
        assert found.trial_gpus == pytest.approx(1 / on_each, abs=1e-4)


@given(clusters(), asked())
def test_simulators_are_spread_as_cpus_or_gpus_are_and_none_is_where_nothing_is_to_be_done(nodes, resources):
    found = attempt(nodes, resources)
    if isinstance(found, str):
        return
    on_gpus = resources.device == "cuda"
    weights = {node.key: (node.gpus if on_gpus else node.cpus) if node.cpus else 0 for node in nodes}
    there = Counter(seat.node for seat in found.simulators)
    assert set(found.avoided) == {key for key, weight in weights.items() if not weight}
    for key, weight in weights.items():
        assert there[key] >= int(len(found.simulators) * weight / sum(weights.values()) + 1e-9)
        assert there[key] == 0 or weight
        on = Counter(seat.gpu for seat in found.simulators if seat.node == key)
        if on_gpus and there[key] >= weight > 0:
            assert set(on) == set(range(int(weight))) and max(on.values()) - min(on.values()) <= 1


def test_a_gpu_on_each_of_two_nodes_serves_two_predictors_and_two_simulators():
    nodes = [Node("a", "n1", 4, 1), Node("b", "n2", 4, 1)]
    found = place(nodes, ResourcesSection(device="cuda", trials=1, predictors=2, simulators=2), 10)
    assert found.trial_gpus == 1.0
    assert [seat.node for seat in found.simulators] == ["a", "b"]


@pytest.mark.parametrize(
    ("nodes", "device", "most", "expected"),
    [
        ([Node("a", "laptop", 2)], "cpu", 10, (2, 2, 2)),
        ([Node("a", "laptop", 8, memory=4 * GIB)], "cpu", 10, (2, 2, 2)),  # not more than has memory
        ([Node("h", "head", 0), Node("a", "n1", 32), Node("b", "n2", 32)], "cpu", 10, (10, 64, 64)),
        ([Node("a", "n1", 32, 4)], "cuda", 10, (4, 4, 4)),
        ([Node("a", "n1", 2, 4), Node("b", "n2", 32)], "cuda", 10, (2, 2, 2)),
    ],
)
def test_auto_is_what_a_cluster_runs_well(nodes, device, most, expected):
    found = place(nodes, ResourcesSection(device=device), most)
    assert (found.trials, found.predictors, len(found.simulators)) == expected


def test_a_refusal_is_one_line_that_says_what_asks_for_what_and_what_each_node_has():
    nodes = [Node("h", "head", 0), Node("a", "n1", 4, 1), *(Node(str(i), f"c{i}", 4) for i in range(6))]
    assert attempt(nodes, ResourcesSection(device="cuda", trials=5, predictors=9)) == (
        "resources.trials asks for 5 and resources.predictors asks for 9, at 1 CPUs and a share of a GPU each, and"
        " there is room for 4 (0 CPUs and 0 GPUs on head, 4 CPUs and 1 GPUs on n1, 4 CPUs and 0 GPUs on c0, c1, c2, c3"
        " and 2 others); lower 'resources', or add nodes"
    )
