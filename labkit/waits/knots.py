"""Knots in a graph of who waits for whom, in time linear in its size. Pure.

A knot is a group in which everybody waits, by some way, for everybody, and nobody for anyone outside:
a strongly connected component without a way out (Tarjan 1972, without recursion).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Set

Graph = Mapping[int, Set[int]]
"""Who -> for whom it waits."""

_DONE = 1 << 62
"""In place of a number: given to a component already."""


def knots(graph: Graph) -> list[set[int]]:
    """The knots, in order of their lowest number."""
    found = [group for group in components(graph) if all(graph[one] <= group for one in group)]
    return sorted((group for group in found if any(graph[one] for one in group)), key=min)


def reached(graph: Graph, starts: Iterable[int]) -> set[int]:
    """All to whom a way leads from these, by at least one step."""
    found: set[int] = set()
    todo = list(starts)
    while todo:
        new = graph[todo.pop()] - found
        found |= new
        todo.extend(new)
    return found


def reversed_(graph: Graph) -> dict[int, set[int]]:
    """The same graph with every arrow turned round."""
    turned: dict[int, set[int]] = {one: set() for one in graph}
    for one, others in graph.items():
        for other in others:
            turned[other].add(one)
    return turned


def components(graph: Graph) -> Iterator[set[int]]:
    """Its strongly connected components."""
    number: dict[int, int] = {}
    lowest: dict[int, int] = {}
    path: list[int] = []
    """Those entered and not yet given to a component."""
    for start in graph:
        todo = [] if start in number else [_enter(graph, start, number, lowest, path)]
        while todo:
            one, ways = todo[-1]
            new = next((other for other in ways if _look(one, other, number, lowest)), None)
            if new is not None:
                todo.append(_enter(graph, new, number, lowest, path))
                continue
            todo.pop()
            if todo:
                above = todo[-1][0]
                lowest[above] = min(lowest[above], lowest[one])
            if lowest[one] == number[one]:
                yield _close(one, number, path)


def _enter(
    graph: Graph, one: int, number: dict[int, int], lowest: dict[int, int], path: list[int]
) -> tuple[int, Iterator[int]]:
    number[one] = lowest[one] = len(number)
    path.append(one)
    return one, iter(sorted(graph[one]))


def _look(one: int, other: int, number: dict[int, int], lowest: dict[int, int]) -> bool:
    """Is it new? If not, and it is on the path, there is a way round."""
    if other not in number:
        return True
    lowest[one] = min(lowest[one], number[other])
    return False


def _close(one: int, number: dict[int, int], path: list[int]) -> set[int]:
    """Take a whole component off the path."""
    group: set[int] = set()
    while one not in group:
        member = path.pop()
        group.add(member)
        number[member] = _DONE
    return group
