"""The one time limit of tests that wait for what should have happened already."""

DEADLINE = 60.0
"""Seconds. It ends a test that would hang; it measures nothing, so a busy machine cannot pass it.

A test that measures time has a limit of its own and is marked `realtime`.
"""
