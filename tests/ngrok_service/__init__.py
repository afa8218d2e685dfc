"""A stand-in for ngrok's service in the tests; the ngrok SDK talks to it unmodified."""

from tests.ngrok_service.agents import Agent, Request
from tests.ngrok_service.registry import RejectedError, Tunnel
from tests.ngrok_service.service import NgrokService

__all__ = ["Agent", "NgrokService", "RejectedError", "Request", "Tunnel"]
