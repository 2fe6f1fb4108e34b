"""A leaderboard row by hand: sums and divisions over plain dictionaries."""

from __future__ import annotations


def task_values(kind, metrics, scores, shots, few_shot, reviewers, authors, constant):
    if kind == "reviewers":
        wanted = {"hard_only": ["hard"], "soft_only": ["soft"]}.get(reviewers, ["hard", "soft"])
        values = [scores[f"{prefix}_{metric}"] for prefix in wanted for metric in metrics]
        return [sum(values) / len(values)]
    if kind == "authors":
        if authors == "excluded":
            return []
        return [constant] if authors == "constant" else [scores[metrics[0]]]
    values = []
    for metric in metrics:
        if not shots:
            values.append(scores[metric])
            continue
        drawn = [scores[f"{metric}@{size}-shot"] for size in shots]
        if few_shot == "full_and_mean_of_few_shot":
            values.append((scores[metric] + sum(drawn) / len(drawn)) / 2)
        else:
            values.append((scores[metric] + sum(drawn)) / (1 + len(drawn)))
    return values
