"""What the workers of one supervisor remember together, also where they are of two versions."""

from __future__ import annotations

import os

import pytest

from fsctl.service import shared
from fsctl.service.shared import Shared, make_shared
from fsctl.session.core.siblings import Regions


def contents(descriptor: int) -> bytes:
    return os.pread(descriptor, os.fstat(descriptor).st_size, 0)


def test_one_memory_holds_the_counts_and_the_parties_of_all():
    memory = make_shared()
    regions = Regions(memory)
    one, two = ((Shared(memory), regions.take()) for _ in range(2))
    counts = [each.counts(region, lambda: 6000.0) for each, region in (one, two)]
    ours, theirs = (each.siblings(region) for each, region in (one, two))
    assert ours is not None and theirs is not None
    theirs.add("number", "1001")
    assert [each.add("1001") for each in counts] == [1, 2]
    assert Shared(memory).counts(now=lambda: 6000.0).listed() == {"1001": 2}
    assert ours.may_have("number", "1001") and not theirs.may_have("number", "1001")


@pytest.mark.parametrize("bytes_less", [0, shared.counts.SIZE])
def test_a_worker_of_another_version_counts_alone_and_has_parties_that_nobody_knows(
    monkeypatch, caplog, bytes_less
):
    """It was started by a reload, after an upgrade: the memory is the former version's."""
    monkeypatch.setattr(shared, "layout", lambda: 4711)
    memory = make_shared()
    if bytes_less:
        os.ftruncate(memory, os.fstat(memory).st_size - bytes_less)
    regions = Regions(memory)
    before = Shared(memory)
    siblings = before.siblings(regions.take())
    assert siblings is not None and not siblings.have_any()
    if not bytes_less:
        assert before.counts(1, lambda: 6000.0).add("1001") == 1
    left = contents(memory)
    monkeypatch.undo()
    after, region = Shared(memory), regions.take()
    assert after.siblings(region) is None
    assert siblings.may_have("number", "1003"), "the other worker may have a call of anybody"
    counts = after.counts(region, lambda: 6000.0)
    assert [counts.add("1001"), counts.add("1001")] == [1, 2]
    assert contents(memory)[1:] == left[1:]
    assert "two versions" in caplog.text
