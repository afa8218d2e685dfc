"""Tests of the queue and its retries."""
