"""Knots are what their definition says."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from labkit.waits.knots import components, knots, reached, reversed_

graphs = st.integers(0, 9).flatmap(
    lambda n: st.fixed_dictionaries({i: st.sets(st.sampled_from(range(n))) for i in range(n)} if n else {})
)


@given(graphs)
def test_a_component_is_all_who_reach_each_other(graph: dict[int, set[int]]) -> None:
    found = list(components(graph))
    assert sorted(one for group in found for one in group) == sorted(graph)
    for group in found:
        for one in group:
            both = {other for other in reached(graph, [one]) if one in reached(graph, [other])}
            assert both | {one} == group


@given(graphs)
def test_a_knot_is_a_group_that_reaches_itself_and_nobody_else(graph: dict[int, set[int]]) -> None:
    said = {frozenset(reached(graph, [one])) for one in graph}
    defined = [group for group in said if group and all(reached(graph, [one]) == group for one in group)]
    assert knots(graph) == sorted(map(set, defined), key=min)


@given(graphs)
def test_whoever_waits_reaches_a_knot_when_everybody_waits(graph: dict[int, set[int]]) -> None:
    if graph and all(graph.values()):
        tied = set().union(*knots(graph))
        assert tied | reached(reversed_(graph), tied) == set(graph)


def test_a_long_chain_is_no_matter() -> None:
    chain = {i: {i + 1} for i in range(50_000)} | {50_000: {50_000}}
    assert knots(chain) == [{50_000}]
