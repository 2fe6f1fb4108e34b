"""Systems against each other: paired differences, policies and the gate."""
