"""Which text a paper has and in which role it is encoded: plain loops over the raw rows."""

from __future__ import annotations


def text_of(row, fields, separator):
    parts = []
    for field in fields:
        if row.get(field):
            parts.append(str(row[field]))
    return f" {separator} ".join(parts)


def encodings(rows, qrels, query_fields, candidate_fields, separator, query_role, candidate_role):
    """{id: (role, text)} as a run encodes a ranking task: queries first, first text wins."""
    wanted_queries, wanted_candidates = [], []
    for line in qrels:
        wanted_queries.append(str(line["query_id"]))
        wanted_candidates.append(str(line["cand_id"]))
    found = {}
    for row in rows:
        key = str(row["doc_id"])
        if key not in wanted_queries or key in found:
            continue
        query = row["query"]
        text = query if isinstance(query, str) else text_of(query, query_fields, separator)
        found[key] = (query_role, text)
    for row in rows:
        for candidate in row["candidates"]:
            key = str(candidate["doc_id"])
            if key in wanted_candidates and key not in found:
                found[key] = (candidate_role, text_of(candidate, candidate_fields, separator))
    return found


def grades(qrels):
    """{query: {candidate: grade}}; of a repeated pair the first row counts."""
    found = {}
    for line in qrels:
        query, candidate = str(line["query_id"]), str(line["cand_id"])
        if query not in found:
            found[query] = {}
        if candidate not in found[query]:
            found[query][candidate] = int(line["score"])
    return found
