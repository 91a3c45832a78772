"""What edgeretrain writes down and reads again, as frozen dataclasses; docs/reference/report-json.md lists the keys."""
