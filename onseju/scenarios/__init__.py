"""Scenarios: facts about how a correct book behaves, played on an engine and compared."""
