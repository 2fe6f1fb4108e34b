"""Tables and figures of results, in every form that they are written in."""
