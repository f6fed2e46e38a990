"""Conformance suites for those who extend matopt."""

import pkgutil

import pytest

# So that a suite that fails shows the values that it compared, as a test file does.
pytest.register_assert_rewrite(*(f"{__name__}.{module.name}" for module in pkgutil.iter_modules(__path__)))
