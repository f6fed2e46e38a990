"""Clusters that start nodes when they are asked: how to ask, and how to know that one does."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

from ray._private.ray_constants import DEBUG_AUTOSCALING_STATUS
from ray.autoscaler.v2.sdk import get_cluster_status
from ray.autoscaler.v2.utils import is_autoscaler_v2
from ray.exceptions import RpcError
from ray.experimental.internal_kv import _internal_kv_get, internal_kv_get_gcs_client
from ray.util import placement_group, remove_placement_group

from matopt.study.cluster.placement import NoRoomError

Found = TypeVar("Found")

_POLL = 1.0
_ANSWER_SECONDS = 60.0
"""An autoscaler that is asked for nodes says within so long that it starts some; it looks every five seconds."""
_UNMANAGED = "node_"
"""What the names of the types of nodes begin with that were started by hand."""


@dataclass(frozen=True)
class Autoscaler:
    """What Ray's autoscaler says.

    Attributes:
        is_there: it has nodes to start, or has not said anything yet: each cluster has one that only looks on.
        starting: how many nodes it starts.
    """

    is_there: bool
    starting: int

    @staticmethod
    def look() -> Autoscaler:
        """Read what it said last. Older ones say it in a text, and newer ones in a message of their own."""
        try:
            return Autoscaler._said()
        except RpcError:  # a head that does not answer; whether it is gone, others find out
            return Autoscaler(True, 0)

    @staticmethod
    def _said() -> Autoscaler:
        if is_autoscaler_v2(fetch_from_server=True):
            status = get_cluster_status(internal_kv_get_gcs_client().address)
            types = [node.ray_node_type_name for node in (*status.active_nodes, *status.idle_nodes)]
            starting = [*status.pending_launches, *status.pending_nodes]
            return Autoscaler(_is_managed(types) or bool(starting), len(starting))
        said = _internal_kv_get(DEBUG_AUTOSCALING_STATUS)
        report = json.loads(said).get("autoscaler_report") if said else None
        if report is None:
            return Autoscaler(True, 0)
        starting = [*report["pending_launches"], *report["pending_nodes"]]
        return Autoscaler(_is_managed(report["active_nodes"]) or bool(starting), len(starting))


def await_room(
    find: Callable[[], Found], each: Mapping[str, float], count: int, timeout: float, tell: Callable[[str], None]
) -> Found:
    """Find a place on a cluster; where there is none, ask its autoscaler for nodes, and wait for them.

    Args:
        find: finds it, or raises a `NoRoomError`.
        each: what a process asks of a node, as Ray calls it: {"CPU": 2}.
        count: how many processes there are to be.
        timeout: seconds to wait, at most.
        tell: hears what is waited for.

    Raises:
        NoRoomError: there is none, and nobody starts nodes, or not enough in time.
    """
    try:
        return find()
    except NoRoomError as error:
        tell(f"asking the cluster for more nodes: {error}")
    begun = answered = time.monotonic()
    fitted: float | None = None
    with _asked_for(each, count):
        while True:
            time.sleep(_POLL)
            now = time.monotonic()
            found, lack = _attempt(find)
            autoscaler = Autoscaler.look()
            if autoscaler.starting:
                answered = now
            if found is not None:
                fitted = fitted or now
                # All that were asked for are better, as a share of a GPU is larger then, but not worth a long wait.
                if not autoscaler.starting or now - fitted >= _ANSWER_SECONDS:
                    return found
            elif not autoscaler.is_there:
                raise lack
            elif now - begun >= timeout or now - answered >= _ANSWER_SECONDS:
                raise NoRoomError(f"{lack}; no node was started that would do, within {now - begun:.0f} s")


def _attempt(find: Callable[[], Found]) -> tuple[Found | None, NoRoomError]:
    try:
        return find(), NoRoomError()
    except NoRoomError as error:
        return None, error


@contextmanager
def _asked_for(each: Mapping[str, float], count: int) -> Generator[None]:
    """Ask for nodes with room for so many processes, each by itself: an autoscaler starts as many as it can."""
    groups = [placement_group([dict(each)]) for _ in range(count)]
    try:
        yield
    finally:
        for group in groups:
            remove_placement_group(group)


def _is_managed(types: Mapping[str, int] | list[str]) -> bool:
    return any(not name.startswith(_UNMANAGED) for name in types)
