"""Orders of candidates and the measures of trec_eval."""
