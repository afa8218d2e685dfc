"""Tests of what TikTok sends."""
