"""The one vocabulary: commands, events, their canonical bytes, reasons, ids, money. Imports nothing of ours."""
