"""What changed between two configurations of a study."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from matopt.study.config.study_file import Key, dotted

_ABSENT = object()


def differences(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """List the keys whose values differ, a line each, in the order of ``new``: "search.trials: 4 -> 8".

    Args:
        old: the configuration before, as :attr:`Study.as_json` gives it, or as JSON gave it back.
        new: the configuration after.
    """
    before, after = _leaves(json.loads(json.dumps(old))), _leaves(json.loads(json.dumps(new)))
    changed = [key for key in {**after, **before} if before.get(key, _ABSENT) != after.get(key, _ABSENT)]
    return [f"{dotted(key)}: {_shown(before, key)} -> {_shown(after, key)}" for key in changed]


def _leaves(tree: Any, key: Key = ()) -> dict[Key, Any]:
    """List single values and lists by key; an empty section counts as a value."""
    if not isinstance(tree, dict) or not tree:
        return {key: tree}
    return {leaf: value for name, item in tree.items() for leaf, value in _leaves(item, (*key, name)).items()}


def _shown(leaves: Mapping[Key, Any], key: Key) -> str:
    return json.dumps(leaves[key]) if key in leaves else "(not set)"
