"""Tests of a desk's dialogue that its people write: `deskhand test`."""
