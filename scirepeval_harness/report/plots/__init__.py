"""The plots of a report, as SVG and PNG, and as SVG to stand inside a page."""
