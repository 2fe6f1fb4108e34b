"""Reports of results: tables, plots, one page, and files for other programs."""
