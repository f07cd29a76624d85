"""Strongly connected components: definitions that refer to each other in a circle."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping, Sequence
from typing import TypeVar

T = TypeVar("T", bound=Hashable)


def components(edges: Mapping[T, Sequence[T]]) -> list[list[T]]:
    """The components of a graph, each after those that it leads to (Tarjan 1972).

    Args:
        edges: Node -> nodes that it leads to, all of them keys as well.
    """
    index: dict[T, int] = {}
    low: dict[T, int] = {}
    path: list[T] = []
    on_path: set[T] = set()
    groups: list[list[T]] = []
    for start in edges:
        if start in index:
            continue
        calls: list[tuple[T, Iterator[T]]] = []
        _enter(start, edges, index, low, path, on_path, calls)
        while calls:
            node, left = calls[-1]
            for other in left:
                if other not in index:
                    _enter(other, edges, index, low, path, on_path, calls)
                    break
                if other in on_path:
                    low[node] = min(low[node], index[other])
            else:
                calls.pop()
                if calls:
                    low[calls[-1][0]] = min(low[calls[-1][0]], low[node])
                if low[node] == index[node]:
                    start_of_group = path.index(node)
                    group = path[start_of_group:]
                    del path[start_of_group:]
                    on_path.difference_update(group)
                    groups.append(group)
    return groups


def _enter(
    node: T,
    edges: Mapping[T, Sequence[T]],
    index: dict[T, int],
    low: dict[T, int],
    path: list[T],
    on_path: set[T],
    calls: list[tuple[T, Iterator[T]]],
) -> None:
    index[node] = low[node] = len(index)
    path.append(node)
    on_path.add(node)
    calls.append((node, iter(edges[node])))
