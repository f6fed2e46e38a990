"""Conformance suites for those who extend matopt."""
