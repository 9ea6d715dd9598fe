"""Who asks. Identity says it, the gateway's handlers read it from here."""

from onseju.identity.principal import ADMIN, METRICS, READ, SCOPES, TRADE, Principal

__all__ = ["ADMIN", "METRICS", "READ", "SCOPES", "TRADE", "Principal"]
